"""docker run -it IMAGE sh: a shell with job control, also while the conductor is held."""

import contextlib
import os
import pty
import re
import select
import subprocess
import time
import unittest
import uuid

from container import NODE, DockerTest, docker, engine


class Terminal:
    """A docker client on a terminal of its own."""

    def __init__(self, *words):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([engine.DOCKER, *words], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.text = ""

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, timeout=60):
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self.text)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"no /{pattern}/ within {timeout} s on the terminal:\n{self.text}")
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"ended without /{pattern}/; the terminal:\n{self.text}") from None
        self.text = self.text[found.end():]
        return found

    def end(self, timeout=60):
        """Reads on until the other end is closed; the client's exit code."""
        with contextlib.suppress(OSError):
            while select.select([self.master], [], [], timeout)[0] and os.read(self.master, 65536):
                pass
        return self.process.wait(timeout)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


class Shell(DockerTest):
    def shell(self, *flags):
        name = f"hcrc-test-{uuid.uuid4().hex[:12]}"
        terminal = Terminal("run", "-it", "--network", "none", "--name", name, *flags, NODE, "sh")
        self.addCleanup(docker, "rm", "--force", "--volumes", name, check=False)
        self.addCleanup(terminal.close)
        return terminal

    def usable(self, terminal):
        # A prompt that no line of the node's can be taken for; as typed it reads otherwise.
        terminal.type("PS1='rea''dy> '\r")
        terminal.expect("ready> ")
        terminal.type("echo $((6*7))\r")
        terminal.expect("42\r\n")
        # Job control: Ctrl-C ends what runs in the foreground, and not the shell; Ctrl-Z and bg work.
        # It says itself that it is there, so that the key does not come too early.
        terminal.type("sh -c 'echo beg\"\"un; exec sleep 1000'\r")
        terminal.expect("begun\r\n")
        terminal.type("\x03")
        terminal.expect("ready> ")
        terminal.type("sh -c 'echo beg\"\"un; exec sleep 2000'\r")
        terminal.expect("begun\r\n")
        terminal.type("\x1a")
        terminal.expect("Stopped")
        terminal.type("jobs\r")
        terminal.expect(r"sleep 2000")
        terminal.expect("ready> ")
        # A shell that still takes the job for stopped warns at the first exit, and goes at the second.
        terminal.type("kill -9 %1\r")
        terminal.expect("ready> ")
        terminal.type("exit 3\rexit 3\r")
        self.assertEqual(terminal.end(), 3)

    def test_usable(self):
        for flags in ((), ("--init",), ("--user", "65532")):
            with self.subTest(flags):
                self.usable(self.shell(*flags))

    def test_usable_while_the_conductor_is_held(self):
        terminal = self.shell("--env", "STAND_IN_CRASH=exit:3", "--env", "STAND_IN_CRASH_AT=start")
        terminal.expect("CMD: started")
        self.usable(terminal)


if __name__ == "__main__":
    unittest.main()
