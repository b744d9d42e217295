"""What all integration tests share: the programs, scratch folders, and a node that runs in namespaces of its own.

    class Restarts(harness.NodeTest):
        def test_killed(self):
            node = self.node({"a": 'command = ["sleep", "inf"]'})
            node.expect(r"hcrc: a: up")
            node.kill("a", signal.SIGKILL)
            node.expect(r"restart 1 of 5")
            node.send(signal.SIGTERM)
            self.assertEqual(node.wait(), 0)

A node lives in its own PID namespace, as PID 1 or (pid1=False) as a child of another PID 1, so that its end takes
everything with it and nothing is left on the machine. Tests wait for events (a line, a state, an end), never for time;
a timeout is only the bound after which a test has failed, and the failure shows the whole story so far.

Programs are taken from HCRC_BIN and HCRC_TESTS_BIN, else from build/release.
"""

import atexit
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HCRC_BIN", ROOT / "build/release/bin"))
TESTS_BIN = pathlib.Path(os.environ.get("HCRC_TESTS_BIN", ROOT / "build/release/tests"))
STAND_IN = TESTS_BIN / "stand-in-conductor"
SERVICES = ROOT / "services.d"
PYTHON = "/usr/bin/python3"

TIMEOUT = 30.0  # seconds; a bound for what should take milliseconds, on a machine that may be busy
IS_ROOT = os.geteuid() == 0

# A node's `stage` that takes away what cgroups could be made in.
NO_CGROUPS = "for at in $(awk '/ - cgroup2 / {print $5}' /proc/self/mountinfo); do umount -l $at; done"

# How run-tests tells a skip that is allowed anywhere from one that means "this machine lacks what the suite needs".
ALLOWED_SKIP = "allowed: "


def real_conductor():
    """The `holochain` on PATH, or None: it is never needed."""
    found = shutil.which("holochain")
    return pathlib.Path(found) if found else None


def need_real_conductor(test):
    """Decorator: skips, allowed, where there is no real conductor."""
    return unittest.skipUnless(real_conductor(), ALLOWED_SKIP + "no holochain on PATH")(test)


def figure(text):
    """A measured figure: run-tests prints it whatever comes of the test."""
    print(f"\nfigure: {text}", file=sys.stderr, flush=True)


def need_root(test):
    return unittest.skipUnless(IS_ROOT, ALLOWED_SKIP + "needs root")(test)


@functools.cache
def temporary_folder():
    """Where programs under test put what they would leave in /tmp (a conductor that panics writes a report there)."""
    folder = tempfile.mkdtemp(prefix="hcrc-tmp-")
    os.chmod(folder, 0o1777)  # for programs under other users
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def environment(**extra):
    """A small, known environment: nothing of the caller's HCRC_*, our programs first on PATH."""
    base = {
        "PATH": f"{BIN}:{TESTS_BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "TMPDIR": temporary_folder(),
    }
    base.update({name: str(value) for name, value in extra.items()})
    return base


def run(*argv, timeout=TIMEOUT, env=None, **options):
    """Runs a program to its end; text in and out; never raises for its exit code."""
    return subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, errors="replace", timeout=timeout,
        env=environment() if env is None else env, **options)


def free_port():
    """A port on loopback that nobody has at the moment, for what does not run in a network namespace of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_layer(folder, services):
    """A folder of definitions: {"name": toml text} (".toml" is added to a name without an ending)."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in services.items():
        (folder / (name if name.endswith(".toml") else name + ".toml")).write_text(text, encoding="utf-8")
    return folder


def speaker_command(*words):
    """The words of a command that says and does what speaker.py knows."""
    return [PYTHON, "-I", "-S", str(pathlib.Path(__file__).parent / "speaker.py"), *(str(word) for word in words)]


def speaker(*words, more=""):
    """The definition of a service with that command."""
    return f"command = {json.dumps(speaker_command(*words))}\n{more}"


def compile_layers(database, *folders, arguments=()):
    """hcrc-compile -o DATABASE FOLDER...: the finished process, whatever its exit code."""
    return run(BIN / "hcrc-compile", *arguments, "-o", database, *folders)


class Line:
    """One line of a program's output. `at` is in seconds since the program's start; `match` is expect's match."""

    def __init__(self, at, stream, text):
        self.at, self.stream, self.text, self.match = at, stream, text, None

    def __str__(self):
        return f"{self.at:8.3f} {self.stream} {self.text}"

    def __getitem__(self, group):
        return self.match[group]


class Program:
    """A running program whose lines can be waited for."""

    def __init__(self, argv, env=None, stdin=subprocess.DEVNULL, **options):
        self.argv = [str(word) for word in argv]
        self.lines = []
        self._seen = {"out": 0, "err": 0}
        self._changed = threading.Condition()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment() if env is None else env, **options)
        self._open = 2
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, "out"), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, "err"), daemon=True)]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe, stream):
        with pipe:
            for raw in iter(pipe.readline, b""):
                line = Line(time.monotonic() - self.started, stream, raw.decode("utf-8", "replace").rstrip("\n"))
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    @property
    def pid(self):
        return self.process.pid

    def story(self):
        with self._changed:
            return "\n".join(str(line) for line in self.lines)

    def expect(self, pattern, timeout=TIMEOUT, anywhere=False):
        """Waits for the next line in which `pattern` is found and returns it. "Next": after the line of the same stream
        that the last expect found (two streams are two pipes: nobody knows which line was written first); `anywhere`
        looks at all lines, and does not move that place."""
        compiled = re.compile(pattern)
        deadline = time.monotonic() + timeout
        with self._changed:
            place = 0 if anywhere else min(self._seen.values())
            while True:
                while place < len(self.lines):
                    line = self.lines[place]
                    place += 1
                    found = compiled.search(line.text)
                    if found and (anywhere or place > self._seen[line.stream]):
                        if not anywhere:
                            self._seen[line.stream] = place
                        line.match = found
                        return line
                if self._open == 0:
                    raise AssertionError(f"ended without a line like /{pattern}/; its story:\n{self._all()}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"no line like /{pattern}/ within {timeout} s; the story:\n{self._all()}")
                self._changed.wait(left)

    def _all(self):
        return "\n".join(str(line) for line in self.lines)

    def count(self, pattern):
        """How many lines so far match."""
        compiled = re.compile(pattern)
        with self._changed:
            return sum(1 for line in self.lines if compiled.search(line.text))

    def position(self, pattern):
        """The index of the first line that matches; for "this came before that" within one stream."""
        compiled = re.compile(pattern)
        with self._changed:
            for index, line in enumerate(self.lines):
                if compiled.search(line.text):
                    return index
        raise AssertionError(f"no line like /{pattern}/; the story:\n{self.story()}")

    def wait(self, timeout=TIMEOUT):
        """Waits for the end and for the last line; returns the exit code (-n: killed by signal n)."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s; its story:\n{self.story()}") from None
        for reader in self._readers:
            reader.join(timeout)
        return code

    def send(self, number):
        os.kill(self.process.pid, number)

    def close(self):
        """Ends it, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(5)


class Node(Program):
    """A runtime in its own PID namespace (and network namespace: the conductor's port collides with nobody).

    services   {"name": "toml"}: written as a layer of definitions, after `layers` (folders that exist, e.g. SERVICES)
    database   instead of both: a file that is compiled already
    pid1       False: not PID 1 but a child of one that only reaps; `left_behind()` then tells what outlived it
    uid        run the runtime as this user (a number; needs root)
    arguments  more words for hcrc-init, before `--`; `command`: CMD, after it
    own_net    False: the machine's network
    init       another hcrc-init
    stage      a shell's commands in the node's mount namespace, before it starts (mounts)
    dropped    numbers of capabilities that it cannot have
    refused    {number of a system call, or (number, second argument): errno}: what seccomp(2) answers in the kernel's place
    """

    def __init__(self, scratch, services=None, layers=(), database=None, pid1=True, uid=None, env=None, arguments=(),
                 command=(), own_net=True, run_dir=None, init=BIN / "hcrc-init", stage=None, refused=None, dropped=(), **options):
        self.scratch = pathlib.Path(scratch)
        self.run_dir = pathlib.Path(run_dir) if run_dir else self.scratch / "run"
        self.database = pathlib.Path(database) if database else self.scratch / "node.db"
        if database is None:
            folders = list(layers)
            if services is not None:
                folders.append(write_layer(self.scratch / "services.d", services))
            done = compile_layers(self.database, *folders)
            if done.returncode != 0:
                raise AssertionError(f"hcrc-compile: exit {done.returncode}\n{done.stdout}{done.stderr}")
        self._report = self.scratch / "left-behind"
        refused_calls = [(*(call if isinstance(call, tuple) else (call, None)), error) for call, error in (refused or {}).items()]
        spec = {"net": own_net, "plain": not pid1, "report": str(self._report), "stage": stage, "refused": refused_calls, "dropped": list(dropped)}
        if uid is not None:
            os.chown(self.scratch, uid, uid)
            spec["uid"] = uid
        words = [init, "--db", self.database, "--run-dir", self.run_dir, *arguments]
        if command:
            words += ["--", *command]
        namespaces = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        if not IS_ROOT:
            namespaces.append("--map-root-user")
        if spec["net"]:
            namespaces.append("--net")
        self._pid1 = pid1
        self._init_name = pathlib.Path(init).name[:15]  # as the kernel cuts it
        super().__init__([*namespaces, PYTHON, "-I", "-S", str(pathlib.Path(__file__).parent / "enter.py"),
                          json.dumps(spec), *words], env=environment(**(env or {})), **options)

    def init_pid(self, timeout=TIMEOUT):
        """The machine's pid of hcrc-init."""
        deadline = time.monotonic() + timeout
        depth = 1 if self._pid1 else 2
        while time.monotonic() < deadline:
            pid = self.process.pid
            for _ in range(depth):
                pid = next(iter(children(pid)), None) if pid else None
            if pid and command_name(pid) == self._init_name:
                return pid
            if self.process.poll() is not None:
                break
            time.sleep(0.002)  # waiting for an exec, which tells nobody
        raise AssertionError(f"hcrc-init is not there; the story:\n{self.story()}")

    def send(self, number):
        """Sends a signal to hcrc-init."""
        os.kill(self.init_pid(), number)

    def hcrc(self, *words, timeout=TIMEOUT):
        """Runs the client against this node: the finished process."""
        return run(BIN / "hcrc", "--run-dir", self.run_dir, *words, timeout=timeout)

    def status(self):
        """`hcrc status --json`, with the services as a dictionary by name."""
        done = self.hcrc("status", "--json")
        if done.returncode != 0:
            raise AssertionError(f"hcrc status: exit {done.returncode}: {done.stderr}\nthe story:\n{self.story()}")
        answer = json.loads(done.stdout)
        answer["services"] = {service["name"]: service for service in answer["services"]}
        return answer

    def service(self, name):
        return self.status()["services"][name]

    def settle(self, state="--up", *names, timeout=TIMEOUT):
        """`hcrc wait STATE NAME...`; fails the test unless it answers 0."""
        done = self.hcrc("wait", state, *names, "--timeout", f"{int(timeout * 1000)}ms", timeout=timeout + 5)
        if done.returncode != 0:
            raise AssertionError(
                f"hcrc wait {state} {names}: exit {done.returncode}: {done.stdout}{done.stderr}\nthe story:\n{self.story()}")

    def host_pid(self, pid):
        """The machine's number for a pid of the node's namespace."""
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:  # one that executes at this moment may not let itself be looked at
            if found := self.find(pid):
                return found
        raise AssertionError(f"no process {pid} in the node's namespace")

    def find(self, pid):
        """As host_pid() at this moment; None where there is no such process."""
        namespace = os.readlink(f"/proc/{self.init_pid()}/ns/pid")
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                if os.readlink(f"/proc/{name}/ns/pid") != namespace:
                    continue
                with open(f"/proc/{name}/status", encoding="utf-8", errors="replace") as file:
                    if re.search(rf"^NSpid:.*\s{pid}$", file.read(), re.M):
                        return int(name)
            except OSError:
                continue
        return None

    def service_pid(self, name):
        """The machine's pid of a service's process."""
        pid = self.service(name)["pid"]
        if pid is None:
            raise AssertionError(f"{name} has no process; the story:\n{self.story()}")
        return self.host_pid(pid)

    def kill(self, name, number=signal.SIGKILL):
        """Sends a signal to a service's process from outside, past the runtime."""
        os.kill(self.service_pid(name), number)

    def left_behind(self):
        """With pid1=False, after the end: ["PID COMMAND"] of what outlived hcrc-init."""
        return self._report.read_text(encoding="utf-8").splitlines()


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def command_name(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


class NodeTest(unittest.TestCase):
    """A test case with scratch folders and nodes that clean up after themselves, and that tells their stories when it
    fails."""

    maxDiff = None

    def setUp(self):
        self._stories = []

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result is not None else 0
        returned = super().run(result)
        if result is not None and len(result.failures) + len(result.errors) > before:
            for program in getattr(self, "_stories", []):
                sys.stderr.write(f"--- {' '.join(program.argv[-6:])}\n{program.story()}\n")
        return returned

    def scratch(self):
        """A new folder with a short path (sockets lie in it), gone after the test; anybody may enter it."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="hcrc-t"))
        folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def program(self, *argv, **options):
        program = Program(argv, **options)
        self._stories.append(program)
        self.addCleanup(program.close)
        return program

    def node(self, services=None, **options):
        """Starts a Node in a scratch folder of its own (or `scratch=`), ended after the test."""
        folder = options.pop("scratch", None) or self.scratch()
        node = Node(folder, services, **options)
        self._stories.append(node)
        self.addCleanup(node.close)
        return node

    def eventually(self, condition, what, timeout=TIMEOUT):
        """For what no event tells of: asks again until it is so. Returns the true value."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                self.fail(f"not so after {timeout} s: {what}")
            time.sleep(0.005)


def main():
    unittest.main(verbosity=2)
