"""The scripts that check, install and add up: each says what it must, and fails where it must."""

import sys
import unittest
import unittest.mock

import harness

sys.path.insert(0, str(harness.ROOT / "tools"))
import run_tests  # noqa: E402


class CheckLayers(harness.NodeTest):
    def faults(self, files):
        root = self.scratch()
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        done = harness.run(harness.ROOT / "tools/check-layers", root)
        self.assertEqual(done.returncode, 1 if "every wall holds" not in done.stdout else 0)
        return done.stdout

    def test_what_is_right(self):
        self.assertIn("every wall holds", self.faults({
            "core/a.h": "#include <vector>\n// steady_clock and errno in a comment\n",
            "core/a.cc": '#include "core/a.h"\nauto x = "getenv";\n',
            "core/runtime/event_loop.cc": '#include <ev.h>\n#include <unistd.h>\n#include "core/a.h"\n',
            "compiler/toml_reader.cc": '#include <toml++/toml.h>\n#include <fmt/format.h>\n#include "core/a.h"\n',
            "tools/t.cc": '#include <CLI/App.hpp>\n#include "core/a.h"\n'}))

    def test_what_is_wrong(self):
        for name, text, said in (
                ("core/b.cc", "#include <unistd.h>\n", "core/b.cc:1: <unistd.h>: core/ is pure"),
                ("core/b.cc", "\n#include <random>\n", "core/b.cc:2: <random>"),
                ("core/b.cc", "#include <fmt/format.h>\n", "does not use this library"),
                ("core/b.cc", "int x = errno;\n", "core/b.cc:1: errno"),
                ("core/b.cc", "auto t = std::chrono::steady_clock::now();\n", "steady_clock"),
                ("core/b.cc", '#include "core/runtime/r.h"\n', "core/ may include core/ only"),
                ("core/b.cc", '#include "a.h"\n', "there is no such file"),
                ("core/log/l.cc", '#include "core/runtime/r.h"\n', "core/log/ may include core/log/, core/, core/system/ only"),
                ("core/runtime/s.cc", "#include <ev.h>\n", "only core/runtime/event_loop.cc includes it"),
                ("core/runtime/s.cc", '#include "tools/t.h"\n', "core/runtime/ may include"),
                ("compiler/c.cc", '#include "core/runtime/r.h"\n', "compiler/ may include"),
                ("compiler/c.cc", "#include <toml++/toml.h>\n", "only compiler/toml_reader.cc includes it"),
                ("tools/t.cc", '#include "core/log/l.h"\n', "tools/ may include")):
            with self.subTest(text):
                everything = {"core/a.h": "", "core/runtime/r.h": "", "core/log/l.h": "", "tools/t.h": "", name: text}
                self.assertIn(said, self.faults(everything))


class InstallPackages(harness.NodeTest):
    """With programs of the test's own in the place of dpkg-query, id, sudo and apt-get."""

    def install(self, programs, groups=("build",)):
        folder = self.scratch()
        for name, text in programs.items():
            (folder / name).write_text("#!/bin/sh\n" + text + "\n")
            (folder / name).chmod(0o755)
        env = harness.environment(LOG=folder / "log")
        env["PATH"] = f"{folder}:/usr/bin:/bin"
        done = harness.run("/bin/sh", harness.ROOT / "tools/install-packages", *groups, env=env)
        log = folder / "log"
        return done, log.read_text().splitlines() if log.exists() else []

    ALL_BUT_NINJA = 'shift 3; for package; do echo "$package installed"; done | grep -v ninja'
    APT = 'echo "$*" >>"$LOG"'

    def test_nothing_is_missing(self):
        done, log = self.install({"dpkg-query": 'shift 3; for package; do echo "$package installed"; done', "apt-get": self.APT})
        self.assertEqual((done.returncode, done.stdout, done.stderr, log), (0, "", "", []))

    def test_as_root(self):
        done, log = self.install({"dpkg-query": self.ALL_BUT_NINJA, "apt-get": self.APT, "id": "echo 0"})
        self.assertEqual((done.returncode, done.stdout), (0, "install-packages: installing ninja-build\n"))
        self.assertEqual(len(log), 1)
        self.assertIn("install -y --no-install-recommends ninja-build", log[0])

    def test_another_architecture_is_made_known_first(self):
        dpkg = 'case $1 in --print-architecture) echo amd64 ;; --add*) echo "dpkg $*" >>"$LOG" ;; esac'
        done, log = self.install({"dpkg-query": "exit 1", "dpkg": dpkg, "apt-get": self.APT, "id": "echo 0"}, ("arm64",))
        self.assertEqual(done.returncode, 0)
        self.assertEqual(log[0], "dpkg --add-architecture arm64")
        self.assertIn("libev-dev:arm64", log[1])

    def test_lists_are_fetched_where_the_first_attempt_fails(self):
        apt = self.APT + '; case $* in *update*) touch "$LOG.u" ;; *) [ -e "$LOG.u" ] ;; esac'
        done, log = self.install({"dpkg-query": self.ALL_BUT_NINJA, "apt-get": apt, "id": "echo 0"})
        self.assertEqual(done.returncode, 0)
        self.assertEqual([next(word for word in line.split() if word in ("install", "update")) for line in log],
                         ["install", "update", "install"])

    def test_a_failure_shows_what_apt_said(self):
        done, _ = self.install({"dpkg-query": self.ALL_BUT_NINJA, "apt-get": "echo no network >&2; exit 100", "id": "echo 0"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("no network", done.stderr)
        self.assertIn("could not install ninja-build", done.stderr)

    def test_not_root_without_sudo(self):
        done, log = self.install({"dpkg-query": self.ALL_BUT_NINJA, "apt-get": self.APT, "id": "echo 4711", "sudo": "exit 1"})
        self.assertEqual((done.returncode, log), (1, []))
        self.assertIn("run as root: apt-get install --no-install-recommends ninja-build", done.stderr)

    def test_not_root_with_sudo(self):
        done, log = self.install({"dpkg-query": self.ALL_BUT_NINJA, "apt-get": self.APT, "id": "echo 4711",
                                  "sudo": 'shift; exec "$@"'})
        self.assertEqual((done.returncode, len(log)), (0, 1))


class RunTests(harness.NodeTest):
    def catch_program(self, text):
        program = self.scratch() / "x-tests"
        program.write_text("#!/bin/sh\n" + text)
        program.chmod(0o755)
        return run_tests.catch_program(program)

    @unittest.mock.patch.object(run_tests, "IN_CI", False)
    def test_what_catch_says_is_counted(self):
        for said, code, counts in (
                ("All tests passed (133 assertions in 12 test cases)", 0, (12, 0, 0)),
                ("All tests passed (1 assertion in 1 test case)", 0, (1, 0, 0)),
                ("test cases: 12 | 10 passed | 2 failed", 2, (10, 2, 0)),
                ("test cases: 12 | 9 passed | 2 failed | 1 skipped", 2, (9, 2, 1)),
                ("AddressSanitizer: heap-use-after-free", 1, (0, 1, 0)),
                ("All tests passed (133 assertions in 12 test cases)", 1, (12, 1, 0)),  # a leak, found at the end
                ("No tests ran", 0, (0, 1, 0))):
            result = self.catch_program(f"echo '{said}'; exit {code}")
            self.assertEqual((result.passed, result.failed, len(result.skipped)), counts, said)

    def test_a_program_that_was_not_built_has_failed(self):
        result = run_tests.catch_program(harness.ROOT / "no-such-tests")
        self.assertEqual((result.passed, result.failed), (0, 1))

    def test_a_part_that_is_not_there_has_failed(self):
        for results in (run_tests.python_modules("test_*.py", ["test_nothing.A"], 1), run_tests.unit(["cores"])):
            self.assertEqual([(result.passed, result.failed) for result in results], [(0, 1)])
            self.assertRegex(results[0].output, r"^(test_nothing|cores): no such part; there are .*(test_pid1|core)")

    def test_under_ci_only_allowed_skips_are_skips(self):
        skips = [("a", run_tests.ALLOWED_SKIP + "no holochain on PATH"), ("b", "needs root")]
        for in_ci, counts in ((False, (0, 2)), (True, (1, 1))):
            with unittest.mock.patch.object(run_tests, "IN_CI", in_ci):
                result = run_tests.Result("x", 3, 0, skips)
                self.assertEqual((result.failed, len(result.skipped)), counts)
        self.assertEqual(run_tests.ALLOWED_SKIP, harness.ALLOWED_SKIP)

    def test_a_program_that_hangs_is_ended_with_all_its_children(self):
        code, output, _ = run_tests.execute(["sh", "-c", "echo begun; sleep 1000 & sleep 1000"], timeout=0.3)
        self.assertNotEqual(code, 0)
        self.assertIn("begun\n\nended after 0.3 s", output)


if __name__ == "__main__":
    harness.main()
