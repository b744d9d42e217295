#!/usr/bin/python3
"""How long the runtime takes as PID 1, side by side with a bare loop of vfork and exec over the same program: ratios, each of the
best of some rounds.

    node_benchmark.py [--services N] [--rounds N]

The bounds: N services (1,000) in layers, with 3 dependencies each, start in 1.2 times the bare loop and stop in 1.5 times; what
gets SIGKILL is back in 1.2 times a bare loop of waitpid and vfork (`delay = "0ms"`, 10 services up); the runtime takes less than
3 MB (PSS). Measured twice: in a container as engines make them, where no cgroup can be made, and, where the machine has version 2
to try it, with a cgroup for each service, which a bare loop has not. It exits 1 where something is more than three times that: a
machine has other things to do.
"""

import argparse
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from cgroup import Cgroup  # noqa: E402

INIT = ROOT / "build/release/bin/hcrc-init"
COMPILE = ROOT / "build/release/bin/hcrc-compile"
BARE = ROOT / "build/release/benchmarks/bare-loop"
NAMESPACES = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
if os.geteuid() != 0:
    NAMESPACES.append("--map-root-user")
RESTARTS = 300


def layered(services):
    """Each depends on three of those before it, the same each time."""
    chance = random.Random(services)
    for i in range(services):
        others = sorted({f'"s{chance.randrange(i):04}"' for _ in range(min(i, 3))})
        yield f"s{i:04}", f'command = ["{BARE}", "hold"]\nrequires = [{", ".join(others)}]\n'


def database(folder, name, services):
    layer = folder / name
    layer.mkdir()
    for service, text in services:
        (layer / f"{service}.toml").write_text(text)
    path = folder / f"{name}.db"
    subprocess.run([COMPILE, "-o", path, layer], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def node(path, folder):
    return [INIT, "-q", "--db", path, "--run-dir", folder / "run", "--notify-fd", "4"]


# In the mount namespace of a run: takes away what cgroups could be made in.
NO_CGROUPS = 'for at in $(awk \'/ - cgroup2 / {print $5}\' /proc/self/mountinfo); do umount -l "$at"; done; exec "$@"'


class Running:
    """A program as PID 1 of a namespace, told apart by when it began and when it wrote to its descriptor 4. `cgroup`: in this
    one, where it may make others; without, it finds none."""

    def __init__(self, program, cgroup=None):
        began, began_write = os.pipe()
        ready, ready_write = os.pipe()

        def place():
            os.dup2(began_write, 103)
            os.dup2(ready_write, 104)
            os.dup2(103, 3)
            os.dup2(104, 4)
            os.close(103)
            os.close(104)

        place_it = cgroup.words() if cgroup else ["sh", "-c", NO_CGROUPS, "sh"]
        self.process = subprocess.Popen([*NAMESPACES, *place_it, str(BARE), "exec", *map(str, program)], preexec_fn=place, close_fds=False,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(began_write)
        os.close(ready_write)
        self.ready = ready
        with os.fdopen(began, encoding="ascii") as times:
            self.began = int(times.readline()) / 1e9

    def started(self):
        os.read(self.ready, 1)
        return time.monotonic() - self.began

    def pid(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return int(text.split()[0])

    def pss(self):
        """In kB; of the runtime, which has no other process where nothing is logged."""
        for line in pathlib.Path(f"/proc/{self.pid()}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
        return 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()  # --kill-child: with everything in the namespace
        self.process.wait()
        os.close(self.ready)

    def stopped(self):
        pid = self.pid()
        before = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        self.process.wait()
        return time.monotonic() - before


def start_and_stop(program, cgroup=None):
    with Running(program, cgroup) as running:
        started = running.started()
        time.sleep(0.3)  # what was just started is to be at rest
        pss = running.pss()
        return started, running.stopped(), pss


def restarts(program, go, done, cgroup=None):
    """Nanoseconds from the death of the one to the first words of the next."""
    # Open at both ends: between two services there is no writer.
    with open(os.open(done, os.O_RDWR), encoding="ascii") as times, open(os.open(go, os.O_RDWR), "wb", buffering=0) as bytes_, \
            Running(program, cgroup):
        took = []
        times.readline()
        for _ in range(RESTARTS):
            bytes_.write(b"x")
            died = int(times.readline())
            took.append(int(times.readline()) - died)
        return statistics.median(took)


def in_cgroup(run):
    """Where there can be one."""
    cgroup = Cgroup("benchmark")
    try:
        if cgroup.folder:
            run(cgroup)
    finally:
        cgroup.remove()


def tell(what, ours, bare, bound, unit):
    print(f"{what}: {ours:.1f} {unit}, a bare loop {bare:.1f} {unit}: {ours / bare:.2f} times (bound {bound})")
    return ours / bare <= 3 * bound


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hcrc-bench") as name:
        folder = pathlib.Path(name)
        many = database(folder, "many", layered(words.services))
        go, done = folder / "go", folder / "done"
        os.mkfifo(go)
        os.mkfifo(done)
        dying = f'command = ["{BARE}", "die", "{go}", "{done}"]\n[restart]\ndelay = "0ms"\nattempts = "unlimited"\n'
        ten = database(folder, "ten", [("dies", dying), *((f"s{i}", f'command = ["{BARE}", "hold"]\n') for i in range(9))])
        ours, bare, back, bare_back, grouped, back_grouped = [], [], [], [], [], []
        for _ in range(words.rounds):
            ours.append(start_and_stop(node(many, folder)))
            bare.append(start_and_stop([BARE, "start", words.services]))
            back.append(restarts(node(ten, folder), go, done))
            bare_back.append(restarts([BARE, "restart", go, done], go, done))
            in_cgroup(lambda cgroup: grouped.append(start_and_stop(node(many, folder), cgroup)))
            in_cgroup(lambda cgroup: back_grouped.append(restarts(node(ten, folder), go, done, cgroup)))
        best, best_bare = ([1e3 * min(run[i] for run in runs) for i in (0, 1)] for runs in (ours, bare))
        good = tell(f"start of {words.services}", best[0], best_bare[0], 1.2, "ms")
        good &= tell(f"stop of {words.services}", best[1], best_bare[1], 1.5, "ms")
        good &= tell("restart", min(back) / 1e3, min(bare_back) / 1e3, 1.2, "us")
        pss = max(run[2] for run in [*ours, *grouped])
        print(f"memory: {pss / 1000:.2f} MB PSS (bound 3)")
        if grouped:
            for i, what in enumerate(("start", "stop")):
                tell(f"{what}, each in a cgroup", 1e3 * min(run[i] for run in grouped), best_bare[i], (1.2, 1.5)[i], "ms")
            tell("restart, in a cgroup", min(back_grouped) / 1e3, min(bare_back) / 1e3, 1.2, "us")
        return 0 if good and pss < 9000 else 1


if __name__ == "__main__":
    sys.exit(main())
