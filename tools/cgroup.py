"""A cgroup (version 2) for one run of something, and all that is made in it: for tests and benchmarks."""

import itertools
import os
import pathlib
import time


def own_folder():
    """The folder of this process's own cgroup, where others may be made in it; else None."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            own = [line[3:].strip() for line in file if line.startswith("0::")]
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mounts = [line.split() for line in file if " - cgroup2 " in line]
    except OSError:
        return None
    # The machine's own: what comes after it may be one of a test, which goes away again.
    folder = pathlib.Path(mounts[0][4] + own[0]) if own and mounts and mounts[0][3] == "/" else None
    return folder if folder and os.access(folder / "cgroup.procs", os.W_OK) else None


def remove(folder, patience=10.0):
    """Ends all that is in the cgroup and takes it away, with those below it; raises OSError where it stays."""
    try:
        (folder / "cgroup.kill").write_text("1")
    except OSError:  # before Linux 5.14
        pass
    deadline = time.monotonic() + patience
    while "populated 1" in (folder / "cgroup.events").read_text() and time.monotonic() < deadline:
        time.sleep(0.005)  # until the kernel has ended them
    for group, _, _ in os.walk(folder, topdown=False):
        os.rmdir(group)


class Cgroup:
    """`folder` is None where there can be none; then everything goes on without."""

    numbers = itertools.count()

    def __init__(self, what):
        above = own_folder()
        self.folder = above / f"hcrc-{what}-{os.getpid()}-{next(self.numbers)}" if above else None
        try:
            if self.folder:
                self.folder.mkdir()
        except OSError:
            self.folder = None

    def words(self):
        """What a program is started with, to be in it."""
        return ["sh", "-c", 'echo 0 >"$0/cgroup.procs"; exec "$@"', str(self.folder)] if self.folder else []

    def remove(self):
        if self.folder:
            remove(self.folder)
