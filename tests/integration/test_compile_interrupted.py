"""hcrc-compile cut off at any point: the old database or the new one, never anything else, and no litter.

strace ends it, or makes a call of it fail, at each of the calls that put the database in its place.
Standalone: `/usr/bin/python3 tests/integration/test_compile_interrupted.py`.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILE = pathlib.Path(os.environ.get("HCRC_BIN", ROOT / "build/release/bin")).resolve() / "hcrc-compile"
TIMEOUT = 60
OLD = 'command = ["/usr/bin/old"]\n'
NEW = 'command = ["/usr/bin/new"]\n'


def strace_works():
    try:
        return subprocess.run(["strace", "-o", "/dev/null", "/bin/true"], capture_output=True, timeout=TIMEOUT).returncode == 0
    except FileNotFoundError:
        return False


class Interrupted(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="hcrc-interrupted-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.out = self.scratch / "out"
        self.out.mkdir()
        self.target = self.out / "node.db"
        for name, text in (("old", OLD), ("new", NEW)):
            (self.scratch / name).mkdir()
            (self.scratch / name / "web.toml").write_text(text)
        self.old, self.new = (self.compiled(name) for name in ("old", "new"))
        self.assertNotEqual(self.old, self.new)

    def compiled(self, name):
        path = self.scratch / f"{name}.db"
        subprocess.run([str(COMPILE), "-o", str(path), str(self.scratch / name)], check=True, capture_output=True, timeout=TIMEOUT)
        return path.read_bytes()

    def run_compile(self, *before, name="new"):
        return subprocess.run([*map(str, before), str(COMPILE), "-o", str(self.target), str(self.scratch / name)], capture_output=True,
                              text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)

    def litter(self):
        return [name for name in os.listdir(self.out) if name != "node.db"]

    def start_anew(self):
        for name in os.listdir(self.out):
            (self.out / name).unlink()
        self.target.write_bytes(self.old)
        self.target.chmod(0o600)


@unittest.skipUnless(strace_works(), "allowed: strace cannot trace here")
class AtEachCall(Interrupted):
    # As they follow one another from the first look at the target on: (call, how many of its calls before it are others').
    def calls(self):
        """Each system call of a whole run from the first that has to do with the target, with its number among its like."""
        self.start_anew()
        log = self.scratch / "log"
        self.assertEqual(self.run_compile("strace", "-f", "-o", log).returncode, 0)
        seen, found, begun = {}, [], False
        for line in log.read_text().splitlines():
            call = re.match(r"\d+ +(\w+)\(", line)
            if not call:
                continue
            seen[call[1]] = seen.get(call[1], 0) + 1
            begun = begun or f'"{self.out}"' in line
            if begun and call[1] not in ("exit_group", "brk", "mmap", "munmap", "mprotect"):
                found.append((call[1], seen[call[1]]))
        self.assertGreater(len(found), 12)
        self.assertTrue({"openat", "flock", "write", "fchmod", "fsync", "renameat"} <= {call for call, _ in found}, found)
        return found

    def test_killed(self):
        ends = {"old": 0, "new": 0}
        for call, number in self.calls():
            with self.subTest(call=call, number=number):
                self.start_anew()
                done = self.run_compile("strace", "-f", "-o", "/dev/null", f"--inject={call}:signal=KILL:when={number}")
                self.assertIn(done.returncode, (-signal.SIGKILL, 128 + signal.SIGKILL))
                content = self.target.read_bytes()
                self.assertIn(content, (self.old, self.new))
                ends["old" if content == self.old else "new"] += 1
                self.assertLessEqual(len(self.litter()), 1)
                self.assertEqual(self.run_compile().returncode, 0)
                self.assertEqual(self.target.read_bytes(), self.new)
                self.assertEqual(self.litter(), [])
        self.assertGreater(ends["old"], 5)
        self.assertGreater(ends["new"], 0)

    def test_failing(self):
        for call, number in self.calls():
            for error in ("EIO", "ENOSPC", "EINTR"):
                with self.subTest(call=call, number=number, error=error):
                    self.start_anew()
                    done = self.run_compile("strace", "-f", "-o", "/dev/null", f"--inject={call}:error={error}:when={number}")
                    self.assertIn(done.returncode, (0, 111), done.stderr)
                    content = self.target.read_bytes()
                    self.assertIn(content, (self.old, self.new))
                    if done.returncode == 0:
                        self.assertEqual(content, self.new)
                    else:
                        self.assertRegex(done.stderr, r"^hcrc-compile: .+: .+: .+\n$")
                    # Where a file cannot even be removed the next run does it.
                    self.assertLessEqual(len(self.litter()), int(call in ("unlinkat", "close")))
                    self.assertEqual(self.run_compile().returncode, 0)
                    self.assertEqual(self.target.read_bytes(), self.new)
                    self.assertEqual(self.litter(), [])


@unittest.skipUnless(os.geteuid() == 0, "allowed: needs root")
class FileSystems(Interrupted):
    def in_a_mount(self, options, prepare=""):
        """A run with a file system of its own in place of the output folder: what it said, what is then in there."""
        script = (f"set -e; mount -t tmpfs -o {options} none {self.out}; cp {self.scratch}/old.db {self.target}; {prepare}\n"
                  f"set +e; {COMPILE} -o {self.target} {self.scratch}/new; echo code $? >&2\n"
                  f"ls -A {self.out} >&2; cat {self.target}")
        done = subprocess.run(["unshare", "-m", "--propagation", "private", "/bin/sh", "-c", script], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=TIMEOUT)
        said = done.stderr.decode()
        self.assertIn("code ", said)
        return said, done.stdout

    def check_refused(self, said, content, word):
        self.assertRegex(said, rf"(?s)^hcrc-compile: [^\n]+: {word}: [^\n]+\ncode 111\n")
        self.assertTrue(content.endswith(self.old), "the old database")
        self.assertNotIn(".hcrc-compile", said.split("code 111\n")[1])

    def test_a_full_disk(self):
        said, content = self.in_a_mount("size=16k", f"dd if=/dev/zero of={self.out}/rest bs=4k 2>/dev/null || true")
        self.check_refused(said, content, "No space left on device")

    def test_a_disk_that_becomes_full_halfway(self):
        big = "\n".join(f'A{i} = "{i}{"x" * 300}"' for i in range(200))
        (self.scratch / "new/web.toml").write_text(NEW + "[env]\n" + big + "\n")
        said, content = self.in_a_mount("size=16k")
        self.check_refused(said, content, "No space left on device")

    def test_a_disk_without_room_for_a_name(self):
        said, content = self.in_a_mount("nr_inodes=2")
        self.check_refused(said, content, "No space left on device")

    def test_a_disk_that_is_read_only(self):
        said, content = self.in_a_mount("size=1m", f"mount -o remount,ro {self.out}")
        self.check_refused(said, content, "Read-only file system")


class Targets(Interrupted):
    def test_links_fifos_and_folders_keep_what_they_are(self):
        real = self.out / "real.db"
        real.write_bytes(self.old)
        self.target.symlink_to("real.db")
        self.assertEqual(self.run_compile().returncode, 0)
        self.assertTrue(self.target.is_symlink())
        self.assertEqual(real.read_bytes(), self.new)
        for make in (os.mkfifo, os.mkdir):
            self.target.unlink()
            make(self.target)
            before = self.target.stat()
            done = self.run_compile()
            self.assertEqual(done.returncode, 111)
            self.assertRegex(done.stderr, r"^hcrc-compile: .+: .+\n$")
            self.assertEqual((before.st_ino, before.st_mode), (self.target.stat().st_ino, self.target.stat().st_mode))
        self.assertEqual(sorted(self.litter()), ["real.db"])


if __name__ == "__main__":
    unittest.main()
