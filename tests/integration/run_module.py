"""Runs one module of integration tests for tools/run-tests: run_module.py REPORT FOLDER MODULE [Class[.test]...].

What happened goes to stderr as unittest tells it; the sums go to REPORT as JSON.
"""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))


class Result(unittest.TextTestResult):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main():
    report, folder, module, *names = sys.argv[1:]
    sys.path.insert(0, folder)
    loader = unittest.defaultTestLoader
    tests = loader.loadTestsFromNames([f"{module}.{name}" for name in names] if names else [module])
    result = unittest.TextTestRunner(verbosity=2, resultclass=Result, warnings="error").run(tests)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    if result.testsRun == 0 and not result.skipped:
        failed += 1
    skipped = [(test.id(), reason) for test, reason in result.skipped]
    with open(report, "w", encoding="utf-8") as file:
        json.dump({"passed": result.passed, "failed": failed, "skipped": skipped}, file)
    return 1 if failed else 0


sys.exit(main())
