"""Containers of the image under test, for the modules of this folder.

    class Crashes(DockerTest):
        def test_one(self):
            node = self.node("--init", env={"STAND_IN_CRASH": "exit:3"})
            node.expect("Conductor ready.")
            self.assertEqual(node.stop(), 0)

The engine is the one that DOCKER_HOST names (tests/docker/engine.py). Each container has its own loopback and no other
network. What it prints is followed as it comes: tests wait for lines, states and ends, never for time.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import engine  # noqa: E402
import harness  # noqa: E402
from harness import figure  # noqa: E402,F401

NODE = engine.Engine.NODE
REAL = os.environ.get("HCRC_REAL_IMAGE", "")


def docker(*words, check=True, timeout=harness.TIMEOUT, text_in=None):
    done = subprocess.run([engine.DOCKER, *(str(word) for word in words)], capture_output=True, text=True, errors="replace",
                          timeout=timeout, check=False, input=text_in, stdin=subprocess.DEVNULL if text_in is None else None)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Container:
    """One container. `flags` go to docker run; `data`: a volume, or a folder of the machine, for /data."""

    def __init__(self, *flags, image=NODE, command=(), env=None, data=None, name=None):
        self.name = name or f"hcrc-test-{uuid.uuid4().hex[:12]}"
        words = ["run", "--detach", "--name", self.name, "--network", "none", *flags]
        for variable, value in (env or {}).items():
            words += ["--env", f"{variable}={value}"]
        if data is not None:
            words += ["--volume", f"{data}:/data"]
        docker(*words, image, *command)
        self.logs = None
        self.follow()

    def follow(self):
        """What it prints from now on; after a start of a container that had ended, once more from its beginning."""
        if self.logs:
            self.logs.close()
        self.logs = harness.Program([engine.DOCKER, "logs", "--follow", self.name], env=dict(os.environ))

    def expect(self, pattern, timeout=60.0, anywhere=True):
        return self.logs.expect(pattern, timeout, anywhere)

    def count(self, pattern):
        return self.logs.count(pattern)

    def story(self):
        return self.logs.story()

    def inspect(self, template):
        return docker("inspect", "--format", template, self.name).stdout.strip()

    def exec(self, *words, flags=(), check=False):
        return docker("exec", *flags, self.name, *words, check=check)

    def hcrc(self, *words):
        return self.exec("hcrc", *words)

    def service(self, name):
        """`hcrc status --json` of one service."""
        done = self.hcrc("status", "--json")
        if done.returncode != 0:
            raise AssertionError(f"hcrc status: exit {done.returncode}: {done.stderr}\nthe story:\n{self.story()}")
        return next(one for one in json.loads(done.stdout)["services"] if one["name"] == name)

    def init_pid(self):
        """The machine's pid of the container's first process."""
        return int(self.inspect("{{.State.Pid}}"))

    def pid(self, command):
        """The machine's pid of the process of that name in the container, or None."""
        todo = [self.init_pid()]
        while todo:
            pid = todo.pop()
            if harness.command_name(pid) == command:
                return pid
            todo += harness.children(pid)
        return None

    def signal(self, command, number):
        """A signal from outside to the process of that name."""
        pid = self.pid(command)
        if pid is None:
            raise AssertionError(f"{self.name} has no {command}; the story:\n{self.story()}")
        os.kill(pid, number)

    def stop(self, *words):
        """docker stop; the exit code."""
        docker("stop", *words, self.name, timeout=60)
        return self.exit_code()

    def wait(self, timeout=60):
        """Waits for its end by itself; the exit code."""
        code = int(docker("wait", self.name, timeout=timeout).stdout)
        self.logs.wait()
        return code

    def exit_code(self):
        return int(self.inspect("{{.State.ExitCode}}"))

    def until(self, what, wanted, timeout=60.0):
        """Waits until `what()` answers `wanted`: what the engine alone knows, and tells nobody."""
        deadline = time.monotonic() + timeout
        while (answer := what()) != wanted:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: {answer!r} and not {wanted!r} after {timeout} s; the story:\n{self.story()}")
            time.sleep(0.1)

    def close(self):
        if self.logs:
            self.logs.close()
        docker("rm", "--force", "--volumes", self.name, check=False, timeout=60)


class DockerTest(unittest.TestCase):
    maxDiff = None

    def node(self, *flags, **options):
        container = Container(*flags, **options)
        self.addCleanup(container.close)
        return container

    def ready(self, *flags, **options):
        container = self.node(*flags, **options)
        container.expect(r"Conductor ready\.")
        return container

    def run_once(self, *flags, image=NODE, command=(), text_in=None, data=None, env=None):
        """docker run --rm, to its end: the finished process."""
        words = ["run", "--rm", "--network", "none", *flags]
        for variable, value in (env or {}).items():
            words += ["--env", f"{variable}={value}"]
        if data is not None:
            words += ["--volume", f"{data}:/data"]
        return docker(*words, image, *command, check=False, text_in=text_in, timeout=90)

    def volume(self):
        name = docker("volume", "create").stdout.strip()
        self.addCleanup(docker, "volume", "rm", "--force", name, check=False)
        return name

    def scratch(self):
        folder = tempfile.TemporaryDirectory(prefix="hcrc-docker-test-")
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    def small_disk(self, size):
        """A folder that is a file system of so many bytes."""
        folder = self.scratch()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "hcrc-test", str(folder)], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(folder)], check=False)
        return folder
