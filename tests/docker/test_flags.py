"""The flags that people run containers with, each alone and in pairs, with faults and commands on top."""

import contextlib
import itertools
import signal
import unittest

from container import DockerTest, docker, harness

# Each is in use out there; every one alone, and every two together.
FLAGS = {
    "init": ("--init",),
    "read-only": ("--read-only",),
    "read-only with tmpfs": ("--read-only", "--tmpfs", "/run:noexec", "--tmpfs", "/tmp"),
    "user": ("--user", "65532"),
    "cap-drop": ("--cap-drop", "ALL"),
    "no-new-privileges": ("--security-opt", "no-new-privileges"),
    "pids-limit": ("--pids-limit", "64"),
}


def words_of(*names):
    return [word for name in names for word in FLAGS[name]]


def root_without_capabilities(names):
    return "cap-drop" in names and "user" not in names


class Flags(DockerTest):
    def comes_up(self, names):
        node = self.node(*words_of(*names))
        try:
            if root_without_capabilities(names):
                # Root that may not become somebody else: told with the capability's name and what to do, exit 102.
                self.assertEqual(node.wait(), 102)
                story = node.story()
                self.assertRegex(story, r"CAP_[A-Z]+")
                self.assertIn("--user", story)
                return
            node.expect(r"Conductor ready\.")
            self.assertEqual(node.hcrc("health").returncode, 0, node.story())
            node.signal("holochain", signal.SIGKILL)
            node.until(lambda: node.count(r"Conductor ready\."), 2)
            self.assertEqual(node.stop(), 0, node.story())
        except AssertionError as error:
            raise AssertionError(f"{' + '.join(names)}: {error}") from None
        finally:
            node.close()

    def test_alone(self):
        for name in FLAGS:
            with self.subTest(name):
                self.comes_up((name,))

    def test_no_capability_and_another_user(self):
        self.comes_up(("cap-drop", "user", "no-new-privileges"))


class Pairs(DockerTest):
    """In three parts, which run side by side in modules of their own (test_flags_*.py)."""

    PART = None

    def test_in_pairs(self):
        if self.PART is None:
            self.skipTest("allowed: in parts elsewhere")
        pairs = [pair for pair in itertools.combinations(FLAGS, 2) if not all(name.startswith("read-only") for name in pair)]
        for pair in pairs[self.PART::2]:
            with self.subTest(" + ".join(pair)):
                Flags.comes_up(self, pair)


class Commands(DockerTest):
    """docker run IMAGE CMD: under no flag, under --init, and as another user."""

    UNDER = ((), ("--init",), ("--user", "65532"))

    def test_exit_code(self):
        for flags in self.UNDER:
            with self.subTest(flags):
                self.assertEqual(self.run_once(*flags, command=("sh", "-c", "exit 7")).returncode, 7)

    def test_standard_input_and_output(self):
        for flags in self.UNDER:
            with self.subTest(flags):
                done = self.run_once("--interactive", *flags, command=("cat",), text_in="x\n")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("x\n", done.stdout)

    def test_the_conductors_version(self):
        for flags in self.UNDER:
            with self.subTest(flags):
                done = self.run_once(*flags, command=("holochain", "--version"))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("holochain 0.", done.stdout)


class Faults(DockerTest):
    """Crash, hang, stop, kill: under no flag they are in the other modules."""

    UNDER = (("--init",), ("--user", "65532"))

    def test_code_42(self):
        for flags in self.UNDER:
            with self.subTest(flags):
                node = self.node(*flags, env={"STAND_IN_CRASH": "exit:42", "STAND_IN_CRASH_AT": "start"})
                self.assertEqual(node.wait(), 42)

    def test_killed_and_started_again(self):
        for flags in self.UNDER:
            with self.subTest(flags):
                data = self.volume()
                node = self.ready(*flags, data=data)
                docker("kill", node.name)
                docker("start", node.name)
                node.follow()
                node.until(lambda node=node: node.count(r"Conductor ready\."), 2)
                self.assertEqual(node.count("second copy"), 0)

    def test_refuses_to_stop(self):
        for flags in self.UNDER:
            with self.subTest(flags):
                node = self.ready(*flags, env={"STAND_IN_STOP": "ignore"})
                self.assertEqual(node.stop(), 0)
                node.expect("has not ended in time: SIGKILL")

    def test_conductor_off(self):
        for flags in self.UNDER:
            with self.subTest(flags):
                node = self.node(*flags, env={"CONDUCTOR_MODE": "false"})
                node.until(lambda node=node: node.hcrc("wait", "--settled", "--timeout", "20s").returncode, 0)
                self.assertEqual(node.service("holochain")["state"], "skipped")
                self.assertEqual(node.stop(), 0)


class Data(DockerTest):
    """What /data may be like."""

    def test_not_writable(self):
        folder = self.scratch()
        folder.chmod(0o755)
        node = self.node("--user", "65532", data=folder)
        self.assertEqual(node.wait(), 102)
        self.assertRegex(node.story(), r"setup: .*/data.*(Permission denied|cannot be written)")

    def test_read_only(self):
        folder = self.scratch()
        folder.chmod(0o755)
        node = self.node("--volume", f"{folder}:/data:ro")
        self.assertEqual(node.wait(), 102)
        self.assertRegex(node.story(), r"setup: .*Read-only file system")

    def test_full_and_then_not(self):
        folder = self.small_disk("4m")
        # As shipped, but for the two minutes.
        quick = harness.write_layer(self.scratch() / "quick", {
            "holochain": 'override = "merge"\n[restart]\ndelay = "50ms"\nmax-delay = "50ms"\nhold = "5s"\n'})
        database = self.scratch() / "node.db"
        self.assertEqual(harness.compile_layers(database, harness.SERVICES, quick).returncode, 0)
        used = self.ready("--volume", f"{database}:/etc/hcrc/node.db:ro", data=folder)
        self.assertEqual(used.stop(), 0)
        filler = folder / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        node = self.node("--volume", f"{database}:/etc/hcrc/node.db:ro", data=folder)
        node.expect(r"hcrc: holochain: exited with 101 .*held, next try in 5s")
        self.assertEqual(node.service("holochain")["state"], "held")
        # The file takes nothing any more; the console has every line.
        self.assertEqual(node.count("stand-in-opening: No space left"), node.count(r"hcrc: holochain: started"))
        filler.unlink()
        node.expect(r"Conductor ready\.")
        node.until(lambda: node.service("holochain")["state"], "up")


class Memory(DockerTest):
    def test_too_little_is_told_as_such(self):
        node = self.node("--memory", "64m", "--memory-swap", "64m", env={"STAND_IN_MEMORY": "200"})
        node.expect(r"hcrc: holochain: killed by SIGKILL: out of memory \(limit 64 ?M(iB)?\).*restart 1 of 5", timeout=90)
        node.expect(r"hcrc: holochain: .*held, next try in 2m", timeout=120)
        # While the conductor starts a client may be killed as well: now nothing takes memory.
        self.assertEqual(node.service("holochain")["state"], "held")
        self.assertEqual(node.count(r"hcrc: holochain: killed by SIGKILL: out of memory"), 6)
        self.assertIn("out of memory", node.hcrc("why", "holochain").stdout)


if __name__ == "__main__":
    unittest.main()
