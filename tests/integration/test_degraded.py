"""Worlds in which something is missing: one line for what is, and the node is up all the same."""

import errno
import os
import platform
import signal
import subprocess
import unittest

import harness
from test_pid1 import NAMESPACES, SLEEP, Pid1Test

SERVICES = {
    "first": 'type = "oneshot"\ncommand = ["true"]',
    "log": 'command = ["cat"]',
    "web": 'command = ["sh", "-c", "(sleep 1000 &); exec sleep inf"]\nrequires = ["first"]\nlog-to = "log"\n[restart]\ndelay = "10ms"',
    "told": 'command = ["sh", "-c", "echo >&3; exec sleep inf"]\nrequires = ["web"]\n[ready]\nfd = 3',
}

# Of x86-64: what kernels and container engines refuse, the numbers of one machine.
PIDFD_OPEN, PIDFD_SEND_SIGNAL, CLOSE_RANGE, CLONE3, TIMERFD_CREATE, TIMER_CREATE, FCNTL = 434, 424, 436, 435, 283, 222, 72
F_SETOWN = 8


class Degraded(Pid1Test):
    def lives(self, lines, **options):
        """Starts, restarts what is killed, stops; as PID 1 and not. `lines` are all that it says of what is missing."""
        for pid1 in (True, False):
            with self.subTest(pid1=pid1):
                node = self.node(SERVICES, pid1=pid1, scratch=self.scratch(), **options)
                node.expect(r"hcrc: told: ready")
                web = node.expect(r"hcrc: web: started, pid (\d+)", anywhere=True)[1]
                os.kill(node.host_pid(web), signal.SIGKILL)
                node.expect(r"hcrc: web: killed by SIGKILL")
                node.expect(r"hcrc: web: started")
                node.send(signal.SIGTERM)
                self.assertEqual(node.wait(), 0, node.story())
                for pattern, count in lines.items():
                    self.assertEqual(node.count(pattern), count(pid1) if callable(count) else count, f"{pattern}:\n{node.story()}")
                self.assertEqual(node.count("SIGKILL:|cannot be"), 0, node.story())

    def test_no_proc(self):
        # Who is killed cannot be asked of a runtime without /proc, but of the machine.
        self.lives({"/proc": lambda pid1: 0 if pid1 else 1}, stage="mount -t tmpfs none /proc")

    def test_everything_read_only(self):
        stage = "for at in $(awk '{print $5}' /proc/self/mountinfo); do mount -o remount,bind,ro $at 2>/dev/null || true; done"
        self.lives({"Read-only file system": 1}, stage=stage, run_dir="/run/hcrc-not-there")

    def test_a_run_dir_where_nothing_may_be_executed(self):
        self.lives({"noexec|Permission|run dir": 0}, stage='mkdir -p /run && mount -t tmpfs -o noexec,nosuid none /run', run_dir="/run/hcrc")

    @unittest.skipUnless(platform.machine() == "x86_64", harness.ALLOWED_SKIP + "knows the calls of x86-64 alone")
    def test_calls_that_seccomp_refuses(self):
        for error in (errno.ENOSYS, errno.EPERM):
            for name, calls in {"pidfd": [PIDFD_OPEN, PIDFD_SEND_SIGNAL], "close_range": [CLOSE_RANGE], "clone3": [CLONE3],
                                "timerfd": [TIMERFD_CREATE], "timer": [TIMER_CREATE]}.items():
                with self.subTest(name, error=error):
                    self.lives({"not permitted|not implemented": 0}, refused={number: error for number in calls})

    @unittest.skipUnless(platform.machine() == "x86_64", harness.ALLOWED_SKIP + "knows the calls of x86-64 alone")
    def test_a_kernel_that_calls_the_number_of_a_group_free(self):
        # What only speaks like Linux may look for a process of that number. What is left of a service is found all the same.
        node = self.node({"web": 'command = ["sh", "-c", "sleep 1000 & echo left $!; exec sleep inf"]\n[restart]\ndelay = "0ms"'},
                         stage=harness.NO_CGROUPS, refused={(FCNTL, F_SETOWN): errno.ESRCH})
        left = node.expect(r"left (\d+)")[1]
        self.assertIsNotNone(node.find(left))
        node.kill("web")
        node.expect(r"hcrc: web: killed by SIGKILL")
        node.expect(r"hcrc: web: started")
        self.eventually(lambda: node.find(left) is None, "what was left has ended, and is reaped")

    @harness.need_root
    def test_without_cap_kill(self):
        # Its service is another user's, whom it may not signal: said once, and the stop is bounded all the same.
        cap_kill = 5
        for pid1 in (True, False):
            with self.subTest(pid1=pid1):
                node = self.node({"web": SLEEP + '\nuser = "65534"\n[stop]\ntimeout = "200ms"', "ours": SLEEP}, pid1=pid1,
                                 scratch=self.scratch(), dropped=[cap_kill], arguments=["--stop-deadline", "1s"])
                node.expect(r"settled")
                node.send(signal.SIGTERM)
                node.expect(r"hcrc: web: .*CAP_KILL")
                self.assertEqual(node.wait(), 0, node.story())
                self.assertEqual(node.count("CAP_KILL"), 1, node.story())
                self.assertEqual(node.count("hcrc: ours: stopped"), 1, node.story())

    def test_no_run_dir_is_one_line(self):
        node = self.node({"a": SLEEP, "b": SLEEP + '\nrequires = ["a"]\n[ready]\nnotify = true'}, run_dir="/proc/hcrc")
        node.expect(r"hcrc: .*/proc/hcrc")
        node.expect(r"settled")
        self.assertEqual(node.count(r"/proc/hcrc"), 1, node.story())
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)

    def full_pipe(self):
        """The write end of one that takes nothing more; nobody reads at the other."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writer, True)
        return writer

    def test_a_stderr_that_nobody_reads_delays_no_end(self):
        writer = self.full_pipe()
        process = subprocess.Popen([harness.BIN / "hcrc-init", "--db", "/nowhere/node.db"], stderr=writer)
        os.close(writer)
        self.assertEqual(process.wait(harness.TIMEOUT), 103)

    def test_own_lines_never_block(self):
        folder = self.database({f"s{i}": SLEEP for i in range(50)})
        writer = self.full_pipe()
        process = subprocess.Popen(
            [*NAMESPACES, harness.BIN / "hcrc-init", "-v", "--db", folder / "node.db", "--run-dir", folder / "run"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writer, env=harness.environment())
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(writer)
        done = harness.run(harness.BIN / "hcrc", "--run-dir", folder / "run", "wait", "--up", "--timeout", "20s")
        self.assertEqual(done.returncode, 0, done.stderr)
        os.kill(self.init_of(process.pid), signal.SIGTERM)
        self.assertEqual(process.wait(harness.TIMEOUT), 0)


if __name__ == "__main__":
    harness.main()
