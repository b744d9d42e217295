#!/usr/bin/python3
"""How long hcrc-compile takes, side by side with others on the same graph: ratios, each the best of some rounds.

    compile_benchmark.py [--rounds N]

The bound for 10,000 files with 3 dependencies each: a tenth of s6-rc-compile's time, or 3 times a bare loop that reads the
files, whichever is more. It exits 1 where the time is more than three times that (a machine has other things to do). Peers are
taken from the PATH, or where HCRC_S6_RC_COMPILE and HCRC_DINIT_CHECK say; where they are not, it says so.
"""

import argparse
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILE = ROOT / "build/release/bin/hcrc-compile"
READ_FILES = ROOT / "build/release/benchmarks/read-files"


def graph(services, dependencies):
    """Names with what each depends on: some of those before it, the same each time."""
    chance = random.Random(services)
    return {f"s{i:06}": sorted({f"s{chance.randrange(i):06}" for _ in range(min(i, dependencies))}) for i in range(services)}


def quoted(names):
    return ", ".join(f'"{name}"' for name in names)


def write_hcrc(folder, services):
    folder.mkdir()
    for name, dependencies in services.items():
        (folder / f"{name}.toml").write_text(f'command = ["/usr/bin/true", "{name}"]\nrequires = [{quoted(dependencies)}]\n')


def write_s6(folder, services):
    folder.mkdir()
    for name, dependencies in services.items():
        (folder / name).mkdir()
        (folder / name / "type").write_text("longrun\n")
        (folder / name / "run").write_text(f"#!/bin/execlineb -P\n/usr/bin/true {name}\n")
        (folder / name / "dependencies").write_text("".join(f"{other}\n" for other in dependencies))


def write_dinit(folder, services):
    folder.mkdir()
    for name, dependencies in services.items():
        text = f"type = process\ncommand = /usr/bin/true {name}\n" + "".join(f"depends-on = {other}\n" for other in dependencies)
        (folder / name).write_text(text)
    (folder / "boot").write_text("type = internal\n" + "".join(f"waits-for = {name}\n" for name in services))


def unlimited_stack():
    # s6-rc-compile keeps the whole graph on its stack.
    resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Run:
    """One process: seconds, seconds of CPU, and its peak of memory in MiB."""

    def __init__(self, words, code=0, **options):
        started = time.perf_counter()
        process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, **options)
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        self.right = process.returncode == code
        self.cpu = usage.ru_utime + usage.ru_stime
        self.memory = usage.ru_maxrss / 1024


def best(runs):
    wrong = [run for run in runs if not run.right]
    return None if wrong else min(runs, key=lambda run: run.seconds)


def side_by_side(scratch, rounds):
    services = graph(10_000, 3)
    write_hcrc(scratch / "hcrc", services)
    contenders = {"hcrc-compile": lambda: Run([COMPILE, "-o", scratch / "node.db", scratch / "hcrc"]),
                  "bare loop": lambda: Run([READ_FILES, scratch / "hcrc"])}
    s6 = os.environ.get("HCRC_S6_RC_COMPILE") or shutil.which("s6-rc-compile")
    dinit = os.environ.get("HCRC_DINIT_CHECK") or shutil.which("dinit-check")
    if s6:
        write_s6(scratch / "s6", services)

        def compile_s6():
            shutil.rmtree(scratch / "s6-out", ignore_errors=True)
            return Run([s6, scratch / "s6-out", scratch / "s6"], preexec_fn=unlimited_stack)

        contenders["s6-rc-compile"] = compile_s6
    if dinit:
        write_dinit(scratch / "dinit", services)
        contenders["dinit-check"] = lambda: Run([dinit, "-d", scratch / "dinit", "boot"])
    runs = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            runs[name].append(contender())

    took = {name: best(results) for name, results in runs.items()}
    ours = took["hcrc-compile"]
    print(f"10,000 files with 3 dependencies each, best of {rounds}:")
    for name, run in took.items():
        if run is None:
            print(f"  {name:14} failed")
        else:
            print(f"  {name:14} {run.seconds:6.3f} s, {run.cpu:6.3f} s of CPU, {run.memory:4.0f} MiB;"
                  f" hcrc-compile takes {ours.seconds / run.seconds if ours else 0:5.2f} of it")
    for name, found in (("s6-rc-compile", s6), ("dinit-check", dinit)):
        if not found:
            print(f"  {name:14} is not installed: not compared")
    if ours is None or took["bare loop"] is None:
        return False
    bound = 3 * took["bare loop"].seconds
    if took.get("s6-rc-compile"):
        bound = max(bound, took["s6-rc-compile"].seconds / 10)
    print(f"  bound {bound:.3f} s: hcrc-compile takes {ours.seconds / bound:.2f} of it")
    return ours.seconds <= 3 * bound


def growth(scratch, rounds):
    print("growth, 3 dependencies each:")
    per_service = []
    for count in (12_500, 25_000, 50_000):
        folder = scratch / str(count)
        write_hcrc(folder, graph(count, 3))
        run = best([Run([COMPILE, "-o", scratch / "node.db", folder]) for _ in range(rounds)])
        if run is None:
            print(f"  {count:6,} failed")
            return False
        per_service.append(run.cpu / count)
        print(f"  {count:6,} files: {run.seconds:6.3f} s, {run.cpu * 1e6 / count:5.1f} us of CPU and {run.memory * 1024 / count:4.1f} KiB a file")
        shutil.rmtree(folder)
    print(f"  a file of 50,000 costs {per_service[-1] / per_service[0]:.2f} of what one of 12,500 costs")
    return per_service[-1] <= 3 * per_service[0]


def shapes(scratch):
    print("shapes:")
    chain = {f"s{i:06}": [f"s{i - 1:06}"] if i else [] for i in range(20_000)}
    cycle = {**chain, "s000000": ["s019999"]}
    good = True
    for name, services, code in (("a chain of 20,000", chain, 0), ("a cycle of 20,000", cycle, 1),
                                 ("230,000 edges of 10,000", graph(10_000, 23), 0)):
        folder = scratch / "shape"
        write_hcrc(folder, services)
        run = Run([COMPILE, "-o", scratch / "node.db", folder], code)
        good = good and run.right
        print(f"  {name:24} {run.seconds:6.3f} s, {run.memory:4.0f} MiB{'' if run.right else ': wrong'}")
        shutil.rmtree(folder)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="hcrc-benchmark-") as scratch:
        scratch = pathlib.Path(scratch)
        results = [side_by_side(scratch, rounds), growth(scratch, 2), shapes(scratch)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
