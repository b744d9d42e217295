"""A cgroup of version 2 for each service: what it holds, how it is ended, and what is said where there is none."""

import errno
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import unittest

import harness

sys.path.insert(0, str(harness.ROOT / "tools"))
import cgroup  # noqa: E402

SLEEP = 'command = ["sleep", "inf"]'
CLONE3 = 435  # of x86-64

# Leaves a process in a session of its own, whose parent ends at once; it writes down the signals that it gets.
STRAY = """
import os, signal
there, tell = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        def heard(number, frame):
            with open("{folder}/heard", "a") as file:
                file.write(signal.Signals(number).name + "\\n")
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, heard)
        with open("{folder}/strays", "a") as file:
            file.write(str(os.getpid()) + "\\n")
        os.write(tell, b"x")
        while True:
            signal.pause()
    os._exit(0)
os.wait()
os.read(there, 1)
os.execvp("sleep", ["sleep", "inf"])
"""

# A chain of processes, each with a session of its own and gone before it can be looked at.
CHAIN = """
import os
while True:
    if os.fork() > 0:
        os._exit(0)
    os.setsid()
"""


def python(text, **names):
    return f"command = [{json.dumps(harness.PYTHON)}, \"-ISc\", '''{text.format(**names) if names else text}''']"


@harness.need_root
class CgroupTest(harness.NodeTest):
    """Nodes in a cgroup of their own, of a hierarchy that is mounted for the test: it has no controllers where version 1 has
    them, and cgroup.kill all the same."""

    def setUp(self):
        super().setUp()
        self.mounted = self.scratch()
        subprocess.run(["mount", "-t", "cgroup2", "none", self.mounted], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.mounted], check=True)
        self.own = self.mounted / f"hcrc-test-{os.getpid()}-{self.id().rpartition('.')[2]}"
        self.own.mkdir()
        self.addCleanup(cgroup.remove, self.own)

    def grouped(self, services, stage="", **options):
        return self.node(services, stage=f"echo 1 > {self.own}/cgroup.procs\n{stage}", **options)

    def trees(self):
        return sorted(self.own.glob("hcrc-*"))

    def group(self, service):
        return self.trees()[0] / f"{service}.service"

    def members(self, service):
        """Pids of the machine."""
        return [int(word) for word in (self.group(service) / "cgroup.procs").read_text().split()]


class Groups(CgroupTest):
    def where(self, pid):
        return pathlib.Path(f"/proc/{pid}/cgroup").read_text().rpartition("0::")[2].strip()

    def each_has_its_own(self, **options):
        services = {
            "a": 'command = ["sh", "-c", "sleep inf & sleep inf & setsid sleep inf & wait"]\n[ready]\nexec = ["true"]',
            "b": SLEEP + '\nlog-to = "log"',
            "log": 'command = ["cat"]',
            "once": 'type = "oneshot"\ncommand = ["true"]',
        }
        node = self.grouped(services, **options)
        node.expect("settled")
        tree = self.trees()[0].name
        for name in ("a", "b", "log"):
            self.assertTrue(self.where(node.service_pid(name)).endswith(f"/{tree}/{name}.service"))
        self.eventually(lambda: len(self.members("a")) == 4, "the service with all its children")
        self.assertEqual(len(self.members("b")), 1)
        self.assertTrue(self.where(node.init_pid()).endswith(self.own.name), "no limits: the runtime stays where it is")
        return node

    def test_each_service_has_its_own(self):
        node = self.each_has_its_own()
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)

    def test_a_runtime_that_is_not_pid_1_leaves_no_group_behind(self):
        node = self.each_has_its_own(pid1=False)
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)
        self.assertEqual(self.trees(), [])

    @unittest.skipUnless(platform.machine() == "x86_64", harness.ALLOWED_SKIP + "knows the calls of x86-64 alone")
    def test_without_clone3_a_child_goes_there_itself(self):
        for error in (errno.ENOSYS, errno.EPERM):
            node = self.each_has_its_own(refused={CLONE3: error})
            node.send(signal.SIGTERM)
            self.assertEqual(node.wait(), 0)

    def test_a_removed_service_has_none_any_more(self):
        node = self.grouped({"a": SLEEP, "b": SLEEP})
        node.expect("settled")
        self.assertTrue(self.group("b").is_dir())
        database = node.scratch / "next.db"
        harness.compile_layers(database, harness.write_layer(node.scratch / "next", {"a": SLEEP}))
        self.assertEqual(node.hcrc("update", database).returncode, 0)
        self.eventually(lambda: not self.group("b").exists(), "the group of b is taken away")
        self.assertEqual(len(self.members("a")), 1)

    def test_two_runtimes_of_one_pid_do_not_meet(self):
        first = self.grouped({"a": SLEEP})
        first.expect("settled")
        second = self.grouped({"a": SLEEP})
        second.expect("settled")
        self.assertEqual([tree.name for tree in self.trees()], ["hcrc-1", "hcrc-1.1"])
        for node in (first, second):
            node.send(signal.SIGTERM)
            self.assertEqual(node.wait(), 0)

    def test_what_a_killed_runtime_left_is_taken_away(self):
        first = self.grouped({"a": SLEEP})
        first.expect("settled")
        first.close()
        second = self.grouped({"b": SLEEP})
        second.expect("settled")
        self.assertEqual([tree.name for tree in self.trees()], ["hcrc-1"])
        second.send(signal.SIGTERM)
        self.assertEqual(second.wait(), 0)

    def test_kills_by_others_do_not_stick_to_a_group(self):
        # The kernel takes a child that is made in another group than its parent's for one of those that were to be killed.
        services = {"a": SLEEP + '\n[restart]\ndelay = "1ms"'}
        node = self.grouped(services, stage=f"echo 1 > {self.own}/cgroup.kill" if (self.own / "cgroup.kill").exists() else "true")
        node.expect(r"settled")
        for _ in range(3):
            (self.group("a") / "cgroup.kill").write_text("1")
            node.expect(r"a: killed by SIGKILL")
            node.expect(r"a: started")
        node.settle("--up", "a")
        self.assertEqual(node.service("a")["restarts"], 3)


class Strays(CgroupTest):
    """What has left the session of its service, and still is in its cgroup."""

    def node_with_stray(self):
        folder = self.scratch()
        self.strays, self.heard = folder / "strays", folder / "heard"
        self.heard.touch()
        node = self.grouped({"a": python(STRAY, folder=folder) + '\n[restart]\ndelay = "1ms"\n[stop]\ntimeout = "300ms"'})
        node.expect("settled")
        self.eventually(lambda: self.strays.exists() and len(self.members("a")) == 2, "the service and its stray")
        return node

    def test_after_a_crash_it_gets_sigkill_before_the_restart(self):
        node = self.node_with_stray()
        before = set(self.members("a"))
        node.kill("a")
        node.expect(r"a: left processes behind")
        node.expect(r"a: started")
        self.assertFalse(before & set(self.members("a")))
        self.assertEqual(self.heard.read_text(), "")

    def test_a_stop_asks_it_to_end_and_does_not_wait_longer_than_for_others(self):
        node = self.node_with_stray()
        self.assertEqual(node.hcrc("stop", "a").returncode, 0)
        self.assertEqual(self.members("a"), [])
        self.assertEqual(self.heard.read_text(), "SIGTERM\n")
        node.expect(r"a: .*SIGKILL")

    def test_when_the_node_stops_it_is_swept(self):
        node = self.node_with_stray()
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)
        self.assertEqual(sorted(self.heard.read_text().split()), ["SIGHUP", "SIGTERM"])
        self.assertEqual(self.members("a"), [])

    def test_of_a_killed_runtime_that_was_not_pid_1_it_is_ended_by_the_next(self):
        folder = self.scratch()
        strays = folder / "strays"
        harness.compile_layers(folder / "node.db", harness.write_layer(folder / "services.d", {"a": python(STRAY, folder=folder)}))
        loop = 'echo 0 > "$0/cgroup.procs"; "$@"; echo "ended with $?"; "$@"'
        program = self.program(
            "unshare", "--pid", "--fork", "--mount-proc", "--kill-child", harness.PYTHON, "-I", "-S",
            harness.ROOT / "tests/integration/enter.py", "{}", "sh", "-c", loop, self.own, harness.BIN / "hcrc-init", "--db",
            folder / "node.db", "--run-dir", folder / "run", "--", "sleep", "inf")
        program.expect("settled")
        shell = harness.children(program.pid)[0]
        runtime = harness.children(shell)[0]
        self.eventually(lambda: strays.exists() and len(self.members("a")) == 2, "the service and its stray")
        first = set(self.members("a"))
        os.kill(runtime, signal.SIGKILL)
        program.expect("ended with 137")
        program.expect(r"hcrc: a: pid \d+ is left of a runtime that was killed")
        program.expect(r"hcrc: processes that had left their services are left of a runtime that was killed")
        program.expect("settled")
        self.assertEqual(len(self.trees()), 1)
        self.assertFalse(first & set(self.members("a")))

    def test_the_last_may_be_a_child_of_somebody_else(self):
        # Nothing but the kernel's word on the group tells of its end.
        node = self.grouped({"a": SLEEP + '\n[restart]\ndelay = "1ms"'})
        node.expect("settled")
        guest = subprocess.Popen(["sleep", "inf"])
        self.addCleanup(guest.kill)
        (self.group("a") / "cgroup.procs").write_text(str(guest.pid))
        node.kill("a")
        self.assertEqual(guest.wait(harness.TIMEOUT), -signal.SIGKILL)
        node.expect(r"a: killed by SIGKILL")
        node.expect(r"a: started")

    def test_a_chain_that_is_never_where_it_was_ends(self):
        node = self.grouped({"a": python(CHAIN) + '\n[restart]\ndelay = "1ms"\nattempts = 1\nsuccess-codes = [1]\n[stop]\ntimeout = "100ms"'})
        node.expect(r"a: started")
        node.expect(r"a: started")
        node.expect(r"a: .*failed|a: .*no restart")
        self.eventually(lambda: self.members("a") == [], "the chain is gone")
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)


class Limits(CgroupTest):
    """Where they cannot be set. Where they can is shown in a machine that has the controllers (tests/holos)."""

    LIMITED = SLEEP + "\n[resources]\nmemory-max = \"64M\"\ncpu-max = \"50%\"\npids-max = 10\n"

    def test_one_line_says_what_is_not_in_force_and_why(self):
        if (self.own / "memory.max").exists():
            self.skipTest(harness.ALLOWED_SKIP + "the machine's version 2 has the controllers")
        node = self.grouped({"a": self.LIMITED + '\n[restart]\ndelay = "1ms"'})
        node.expect(r"hcrc: a: \[resources\] is not in force: memory-max 64M: .* has no controller \"memory\"; cpu-max 50%: .*;"
                    r" pids-max 10: .* has no controller \"pids\"")
        node.expect("settled")
        node.kill("a")
        node.expect(r"a: started")
        self.assertEqual(node.count("is not in force"), 1)

    def test_required_fails_the_start(self):
        if (self.own / "memory.max").exists():
            self.skipTest(harness.ALLOWED_SKIP + "the machine's version 2 has the controllers")
        node = self.grouped({"a": self.LIMITED + 'required = true\n[restart]\ndelay = "1ms"\nattempts = 1', "b": SLEEP})
        node.expect(r"hcrc: a: .*memory-max 64M: .* has no controller \"memory\"")
        node.expect("settled")
        self.assertEqual(node.service("a")["state"], "failed")
        self.assertEqual(node.service("b")["state"], "up")

    def test_nowhere_to_make_one(self):
        worlds = {
            "no cgroup v2 is mounted": harness.NO_CGROUPS,
            "Read-only file system": f"mount -o remount,bind,ro {self.mounted}",
        }
        for says, stage in worlds.items():
            with self.subTest(says):
                node = self.grouped({"a": self.LIMITED, "b": self.LIMITED + "required = true\n[restart]\nattempts = 0", "c": SLEEP},
                                    stage=stage)
                node.expect(rf"hcrc: a: \[resources\] is not in force: memory-max 64M: .*{says}", anywhere=True)
                node.expect(rf"hcrc: b: .*{says}", anywhere=True)
                node.expect("settled", anywhere=True)
                self.assertEqual([node.service(name)["state"] for name in "abc"], ["up", "failed", "up"])
                self.assertEqual(node.count(says), 2, node.story())
                node.send(signal.SIGTERM)
                self.assertEqual(node.wait(), 0)


if __name__ == "__main__":
    harness.main()
