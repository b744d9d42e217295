"""Runs the suites of hcrc's tests and adds up what they say. Started by run-tests, which installs what is needed.

Each suite prints a line, and all that it said where it failed. The last line is the sum: N passed, N failed, N skipped.
Where CI is true, a test that was skipped for want of something the machine should have counts as failed.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from cgroup import Cgroup

ROOT = pathlib.Path(__file__).resolve().parents[1]
RELEASE = ROOT / "build/release"
ARM64 = ROOT / "build/arm64"
ARM64_EMULATOR = "qemu-aarch64-static"
DEBUG = ROOT / "build/debug"
FUZZ = ROOT / "build/fuzz"
INTEGRATION = ROOT / "tests/integration"
DOCKER = ROOT / "tests/docker"
sys.path.insert(0, str(DOCKER))  # engine.py
PYTHON = "/usr/bin/python3"
IN_CI = os.environ.get("CI") in ("true", "1")
ALLOWED_SKIP = "allowed: "

# Modules that wait out a long time and cost nothing meanwhile.
WAITING = ("test_hold", "test_held", "test_health")

UNIT_FOLDERS = ("core", "log", "runtime", "tools", "compiler", "present")


# tests/fuzz/NAME_fuzz.cc, with its corpus in tests/fuzz/NAME.
FUZZERS = ("definitions", "database")


class Result:
    """What one part of a suite came to. `skipped` holds (test, reason); `told` is printed in any case: figures, tables."""

    def __init__(self, name, passed=0, failed=0, skipped=(), output="", seconds=0.0, told=""):
        self.name, self.passed, self.failed, self.skipped = name, passed, failed, list(skipped)
        self.output, self.seconds, self.told = output, seconds, told
        if IN_CI:
            missing = [(test, why) for test, why in self.skipped if not why.startswith(ALLOWED_SKIP)]
            self.skipped = [skip for skip in self.skipped if skip not in missing]
            self.failed += len(missing)
            self.output += "".join(f"skipped, which fails under CI: {test}: {why}\n" for test, why in missing)


def execute(argv, timeout=900, **environment):
    """Runs a program with its own process group, which is gone afterwards: (exit code, output, seconds)."""
    started = time.monotonic()
    cgroup = Cgroup("tests")
    process = subprocess.Popen([*cgroup.words(), *(str(word) for word in argv)], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True,
                               env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment})
    try:
        output, late = process.communicate(timeout=timeout)[0], ""
    except subprocess.TimeoutExpired:
        late = f"\nended after {timeout} s\n"
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if late:
        output = process.communicate()[0]
    try:
        cgroup.remove()
    except OSError as error:
        print(f"run-tests: {error}: a cgroup is left behind", flush=True)
    return process.returncode, output.decode("utf-8", "replace") + late, time.monotonic() - started


# The functions of suites: (filters) -> list of Results. `filters` are the words after "suite:" of the command line.


def check(name, *argv):
    """A suite of one command that is right where it exits 0."""
    def suite(_filters):
        code, output, seconds = execute(argv)
        return [Result(name, int(code == 0), int(code != 0), (), output, seconds)]
    return suite


def catch_program(program, arguments=(), timeout=900, under=(), **environment):
    """A Catch2 program: its closing line tells the number of test cases, in version 2 as in 3. `under`: what runs it."""
    name = program.name
    if not program.exists():
        return Result(name, failed=1, output=f"{program} was not built\n")
    code, output, seconds = execute([*under, program, *arguments], timeout, **environment)
    passed = failed = 0
    skipped = []
    if found := re.search(r"^All tests passed \(.*?in (\d+) test cases?\)", output, re.M):
        passed = int(found[1])
    elif found := re.search(r"^test cases:\s*(\d+)(.*)$", output, re.M):
        counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped)", found[2])}
        passed, failed = counts.get("passed", 0), counts.get("failed", 0)
        skipped = [(name, "by the test itself")] * counts.get("skipped", 0)
    if code != 0 and failed == 0:
        failed = 1
        output += f"{name}: exit {code}\n"
    if code == 0 and passed == 0:
        failed, output = 1, output + f"{name}: no test case ran\n"
    return Result(name, passed, failed, skipped, output, seconds)


def unknown(parts, known):
    """A failure for each word that names no part of its suite."""
    return [Result(part, failed=1, output=f"{part}: no such part; there are {', '.join(sorted(known))}\n") for part in sorted(set(parts) - set(known))]


def catch_folders(build, folders, filters, **options):
    if wrong := unknown(filters, folders):
        return wrong
    chosen = [folder for folder in folders
              if any((ROOT / "tests" / folder).glob("*.cc")) and (not filters or folder in filters)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda folder: catch_program(build / "tests" / f"{folder}-tests", **options), chosen))


def unit(filters):
    return catch_folders(RELEASE, UNIT_FOLDERS, filters)


def simulation(filters):
    """The programs' own figures (histories, steps, faults) are printed; bugs planted on purpose prove that they mean something."""
    results = catch_folders(RELEASE, ("simulation",), filters)
    for result in results:
        result.told = "\n".join(line for line in result.output.splitlines() if " histories: " in line)
    if not filters or "planted" in filters:
        code, output, seconds = execute([RELEASE / "tests/planted-bugs"])
        results.append(Result("planted", int(code == 0), int(code != 0), (), output, seconds, told=output))
    return results


def long_simulation(filters):
    return catch_folders(RELEASE, ("simulation",), filters, HCRC_SIMULATION_LONG="1")


def sanitized(filters):
    # Fewer histories: the sanitizers look for other faults than the simulation does, and take ten times as long.
    results = catch_folders(DEBUG, (*UNIT_FOLDERS, "simulation"), filters, HCRC_SEEDS="500")
    return results + [replay(name) for name in FUZZERS if not filters or name in filters]


def long_damage(_filters):
    """Every field of a database to every interesting value, under the sanitizers."""
    return [catch_program(DEBUG / "tests/core-tests", ["[.long]"], timeout=3600)]


def replay(name):
    """What the fuzzers once found, under the sanitizers: each input counts as a test."""
    code, output, seconds = execute([DEBUG / f"tests/{name}-fuzz", ROOT / "tests/fuzz" / name])
    found = re.search(r"^(\d+) inputs$", output, re.M)
    count = int(found[1]) if code == 0 and found else 0
    return Result(f"replay {name}", count, int(count == 0), (), output, seconds)


def fuzz(filters):
    """Each fuzzer for a while, from its corpus on; what it finds goes to a folder that goes with the run."""
    seconds = int(os.environ.get("HCRC_FUZZ_SECONDS", 12))
    results = []
    for name in FUZZERS:
        if filters and name not in filters:
            continue
        with tempfile.TemporaryDirectory(prefix="hcrc-fuzz") as found:
            corpus = ROOT / "tests/fuzz" / name
            dictionary = [f"-dict={corpus}.dict"] if corpus.with_suffix(".dict").exists() else []
            code, output, took = execute(
                [FUZZ / f"tests/{name}-fuzz", f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=2000",
                 "-print_final_stats=1", *dictionary, f"-artifact_prefix={found}/", found, corpus], timeout=seconds + 600)
            results.append(Result(name, int(code == 0), int(code != 0), (), output[-20_000:], took))
    return results


def python_modules(pattern, filters, at_once, folder=INTEGRATION, **environment):
    """Modules of unittest, some at a time: what only waits first, then the longest as far as their size tells."""
    order = sorted(folder.glob(pattern), key=lambda path: (path.stem not in WAITING, -path.stat().st_size))
    modules = {path.stem: [] for path in order}
    if wrong := unknown({word.partition(".")[0] for word in filters}, modules):
        return wrong
    for word in filters:
        module, _, test = word.partition(".")
        if test:
            modules[module].append(test)
    chosen = {word.partition(".")[0] for word in filters} or set(modules)

    def run(module):
        with tempfile.NamedTemporaryFile(prefix="hcrc-report") as report:
            code, output, seconds = execute(
                [PYTHON, INTEGRATION / "run_module.py", report.name, folder, module, *modules[module]], **environment)
            try:
                said = json.load(report)
            except ValueError:
                return Result(module, failed=1, output=output + f"{module}: exit {code}\n", seconds=seconds)
        told = "\n".join(line for line in output.splitlines() if line.startswith("figure: "))
        return Result(module, said["passed"], said["failed"], said["skipped"], output, seconds, told)

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(run, [module for module in modules if module in chosen]))


def integration(filters):
    waiting = sum((INTEGRATION / f"{module}.py").exists() for module in WAITING)
    return python_modules("test_*.py", filters, 2 + waiting)


def benchmarks(_filters):
    """Short runs, so that what measures does not rot; tools/benchmarks says more with longer ones."""
    results = []
    scripts = [[PYTHON, script] for script in sorted((ROOT / "tools/benchmarks").glob("*_benchmark.py"))]
    for words in [[program] for program in sorted((RELEASE / "benchmarks").glob("*-benchmark"))] + scripts:
        program = words[-1]
        code, output, seconds = execute(words)
        results.append(Result(program.name, int(code == 0), int(code != 0), (), output, seconds, told=output))
    return results


def compilers(_filters):
    """Random histories have the same traces, byte for byte, in the builds of g++ and of clang."""
    code, output, seconds = execute([ROOT / "tools/build", "clang", "simulation-traces"], timeout=1800)
    if code != 0:
        return [Result("clang's build", failed=1, output=output, seconds=seconds)]
    return [same_traces("clang", 5000)]


def same_traces(preset, seeds, under=()):
    """Of a preset's build as of the release's."""
    said = [execute([*under, build / "tests/simulation-traces", "1", str(seeds)])
            for build, under in ((RELEASE, ()), (ROOT / "build" / preset, under))]
    differ = next((ours.split()[0] for ours, theirs in zip(said[0][1].splitlines(), said[1][1].splitlines()) if ours != theirs), None)
    same = differ is None and said[0][0] == said[1][0] == 0 and said[0][1] == said[1][1] != ""
    explained = "" if same else f"first difference: compare build/release/tests/simulation-traces {differ} with build/{preset}'s\n"
    return Result("traces", int(same), int(not same), (), said[1][1][:200] + explained, said[1][2],
                  told=f"{seeds} seeds: the same trace bytes in release and {preset}\n" if same else "")


def coverage(_filters):
    """Lines and branches of the state machine and the restart arithmetic that simulation and unit tests take together: all.
    A switch counts by the lines of its cases, since the compiler gives each a way out that no value of the enum takes."""
    measured = ("core/supervisor", "core/restart", "core/timers")
    code, output, seconds = execute([ROOT / "tools/build", "coverage", "core-tests", "simulation-tests"], timeout=1800)
    if code != 0:
        return [Result("build", failed=1, output=output, seconds=seconds)]
    for counts in (ROOT / "build/coverage").rglob("*.gcda"):
        counts.unlink()
    tests = [catch_program(ROOT / "build/coverage/tests/core-tests"),
             catch_program(ROOT / "build/coverage/tests/simulation-tests", ["~[small-worlds]"], HCRC_SEEDS="1000")]
    code, output, _ = execute(
        ["gcovr", "--root", ROOT, "--object-directory", "build/coverage", "build/coverage", "--branches",
         "--fail-under-branch=100", "--fail-under-line=100",
         "--exclude-throw-branches", "--exclude-unreachable-branches", "--exclude-branches-by-pattern", r".*(assert|switch )\(.*",
         "--exclude-lines-by-pattern", r".*assert\(.*",
         *(word for path in measured for word in ("--filter", path))])
    return [*tests, Result("branches", int(code == 0), int(code != 0), (), output, seconds, told=output)]


def docker(filters):
    """The image, on an engine of its own. Its modules mostly wait, so many run side by side."""
    import engine
    conductor = shutil.which("holochain")
    started = time.monotonic()
    with engine.Engine() as own:
        try:
            own.build_images(conductor)
        except engine.EngineError as error:
            return [Result("build", failed=1, output=f"{error}\n", seconds=time.monotonic() - started)]
        built = Result("build", passed=1, told=f"engine and images: {time.monotonic() - started:.0f} s")
        return [built, *python_modules("test_*.py", filters, 6, DOCKER, HCRC_REAL_IMAGE=own.REAL if conductor else "",
                                       **own.environment())]


def arm64(filters):
    """The programs for arm64, compiled across: their unit tests, traces and databases under an emulator of user programs, and
    what the Dockerfile makes of them."""
    under = (ARM64_EMULATOR,)
    # What /proc tells there of other processes is the emulator's.
    results = catch_folders(ARM64, UNIT_FOLDERS, filters, arguments=["~[other-processes]"], under=under)
    if not filters or "traces" in filters:
        results.append(same_traces("arm64", 1000, under))
    if not filters or "image" in filters:
        results.append(arm64_image())
    return results


def arm64_image():
    """The database is the same, byte for byte, whichever machine compiles it."""
    import engine
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hcrc-arm64") as folder, engine.Engine() as own:
        image, here = pathlib.Path(folder) / "image", pathlib.Path(folder) / "here.db"
        image.mkdir()
        try:
            own.export_arm64(image)
        except engine.EngineError as error:
            return Result("image", failed=1, output=f"{error}\n", seconds=time.monotonic() - started)
        programs = [image / "init", *(image / "usr/bin" / name for name in ("hcrc", "hcrc-log", "hcrc-compile"))]
        said = [execute([ARM64_EMULATOR, program, "--version"]) for program in programs]
        said.append(execute([RELEASE / "bin/hcrc-compile", "--werror", "-o", here, ROOT / "services.d"]))
        foreign = all(program.read_bytes()[18:20] == b"\xb7\0" for program in programs)  # EM_AARCH64, elf(5)
        same = foreign and all(code == 0 for code, *_ in said) and (image / "etc/hcrc/node.db").read_bytes() == here.read_bytes()
        sizes = [program.stat().st_size for program in programs]
        return Result("image", int(same), int(not same), (), "".join(output for _, output, _ in said), time.monotonic() - started,
                      told=f"arm64: programs at run time {sum(sizes[:3]) / 2**20:.2f} MiB, with the compiler {sum(sizes) / 2**20:.2f} MiB\n")


def holos(filters):
    """The machine of an ISO in QEMU, and the external tree in a real Buildroot where BUILDROOT names one."""
    results = python_modules("test_*.py", filters, 2, ROOT / "tests/holos")
    if buildroot := os.environ.get("BUILDROOT"):
        results += check("check-buildroot", ROOT / "holos/check-buildroot", buildroot)(filters)
        results[-1].told = results[-1].output
    return results


def bare(filters):
    return python_modules("long_bare_machine.py", filters, 1)


def tidy(filters):
    sources = [path for folder in ("core", "core/simulation", "core/present", "core/runtime", "core/log", "compiler", "tools")
               for path in sorted((ROOT / folder).glob("*.cc")) if not filters or path.stem in filters]
    code, output, seconds = execute(["cmake", "--preset", "clang"])
    if code != 0:
        return [Result("configure", failed=1, output=output, seconds=seconds)]

    def run(path):
        code, output, seconds = execute(["clang-tidy-19", "--quiet", "-p", ROOT / "build/clang", path])
        return Result(path.relative_to(ROOT).as_posix(), int(code == 0), int(code != 0), (), output, seconds)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(run, sources))


class Suite:
    """`run` is a function (filters) -> list of Results; `presets` are built before, groups of packages installed before that."""

    def __init__(self, run, presets=(), groups=(), long=False):
        self.run, self.presets, self.groups, self.long = run, presets, groups, long


SUITES = {
    "layers": Suite(check("layers", ROOT / "tools/check-layers")),
    "unit": Suite(unit, ("release",)),
    "simulation": Suite(simulation, ("release",)),
    "compilers": Suite(compilers, ("release",), ("clang",)),
    "sanitized": Suite(sanitized, ("debug",)),
    "integration": Suite(integration, ("release",)),
    "benchmarks": Suite(benchmarks, ("release",)),
    "fuzz": Suite(fuzz, ("fuzz",), ("clang",)),
    "coverage": Suite(coverage, (), ("coverage",)),
    "docker": Suite(docker, ("release",), ("docker",)),
    "holos": Suite(holos, ("release",), ("holos",)),
    "arm64": Suite(arm64, ("release", "arm64"), ("arm64", "docker"), long=True),
    "bare": Suite(bare, (), ("bare",), long=True),
    "long-simulation": Suite(long_simulation, ("release",), long=True),
    "long-damage": Suite(long_damage, ("debug",), long=True),
    "tidy": Suite(tidy, (), ("clang",), long=True),
}

# The release preset builds everything; of the sanitized one only the unit tests are run.
BUILD_TARGETS = {
    "release": [],
    "arm64": [f"{folder}-tests" for folder in UNIT_FOLDERS] + ["simulation-traces"],
    "debug": [f"{folder}-tests" for folder in (*UNIT_FOLDERS, "simulation")] + [f"{name}_fuzz" for name in FUZZERS],
    "fuzz": [f"{name}_fuzz" for name in FUZZERS],
}


def build(preset):
    started = time.monotonic()
    targets = [target for target in BUILD_TARGETS[preset]
               if not target.endswith("-tests") or any((ROOT / "tests" / target.removesuffix("-tests")).glob("*.cc"))]
    code, output, seconds = execute([ROOT / "tools/build", preset, *targets], timeout=3600)
    print(f"build {preset}: {'done' if code == 0 else 'FAILED'} ({time.monotonic() - started:.1f} s)", flush=True)
    return Result(f"build {preset}", failed=int(code != 0), output=output, seconds=seconds)


def tell(suite, results, seconds):
    passed, failed = sum(result.passed for result in results), sum(result.failed for result in results)
    skipped = [skip for result in results for skip in result.skipped]
    print(f"{suite}: {passed} passed, {failed} failed, {len(skipped)} skipped ({seconds:.2f} s)")
    for reason in sorted({why for _, why in skipped}):
        print(f"  {sum(1 for _, why in skipped if why == reason)} skipped: {reason}")
    for result in results:
        if result.told:
            print("  " + result.told.rstrip().replace("\n", "\n  "))
        if result.failed:
            print(f"--- {suite}: {result.name}: {result.failed} failed\n{result.output.rstrip()}\n---")
    sys.stdout.flush()


def parse_words():
    parser = argparse.ArgumentParser(
        prog="run-tests", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Installs what is missing, builds, and runs the tests.",
        epilog="suites: " + ", ".join(name + (" (long)" if suite.long else "") for name, suite in SUITES.items()) +
        "\n\n  run-tests unit                                 one suite\n  run-tests unit:core integration:test_log       "
        "parts of two\n  run-tests integration:test_log.Rotation.test_x one test")
    parser.add_argument("suites", nargs="*", metavar="SUITE[:PART]", help="which ones; all but the long ones without any")
    parser.add_argument("--long", action="store_true", help="the long suites, too")
    words = parser.parse_args()
    chosen = {}
    for word in words.suites:
        name, _, part = word.partition(":")
        if name not in SUITES:
            parser.error(f"{name}: no such suite")
        chosen.setdefault(name, [])
        if part:
            chosen[name].append(part)
    return words, chosen


def main():
    words, chosen = parse_words()
    todo = {name: suite for name, suite in SUITES.items() if (name in chosen if chosen else words.long or not suite.long)}
    groups = dict.fromkeys(group for suite in todo.values() for group in suite.groups)
    if groups and subprocess.run([ROOT / "tools/install-packages", *groups], stdin=subprocess.DEVNULL).returncode != 0:
        print("0 passed, 1 failed, 0 skipped")
        return 1
    everything, broken = [], set()
    for preset in dict.fromkeys(preset for suite in todo.values() for preset in suite.presets):
        result = build(preset)
        if result.failed:
            print(result.output)
            broken.add(preset)
            everything.append(result)
    for name, suite in todo.items():
        if broken & set(suite.presets):
            print(f"{name}: not run: its build failed")
            continue
        started = time.monotonic()
        results = suite.run(chosen.get(name, []))
        tell(name, results, time.monotonic() - started)
        everything += results
    failed = sum(result.failed for result in everything)
    print(f"{sum(result.passed for result in everything)} passed, {failed} failed, "
          f"{sum(len(result.skipped) for result in everything)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
