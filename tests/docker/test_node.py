"""A hoster's day: run, restart, stop, kill, a second container on the same volume."""

import time
import unittest

from container import REAL, DockerTest, docker, figure


class Lives:
    """What holds for the stand-in and for the real conductor alike."""

    IMAGE = None
    GOODBYE = None  # its own last line

    def start(self, *flags, **options):
        return self.ready(*flags, image=self.IMAGE, **options)

    def test_runs_as_nonroot_and_keeps_data(self):
        data = self.volume()
        node = self.start(data=data)
        self.assertIn("holochain", node.hcrc("status").stdout)
        process = node.pid("holochain")
        with open(f"/proc/{process}/status", encoding="utf-8") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        self.assertEqual(set(status["Uid"].split()), {"65532"})
        node.exec("sh", "-c", "echo mine >/data/kept && echo '# mine' >>/data/holochain/etc/conductor-config.yaml", check=True)
        before = node.exec("sh", "-c", "find /data /etc/holochain /var/local -type l; cat /data/holochain/etc/*.yaml").stdout
        docker("restart", node.name, timeout=60)
        node.follow()
        node.until(lambda: node.count(r"Conductor ready\."), 2)
        self.assertEqual(node.exec("cat", "/data/kept").stdout, "mine\n")
        after = node.exec("sh", "-c", "find /data /etc/holochain /var/local -type l; cat /data/holochain/etc/*.yaml").stdout
        self.assertEqual(before, after)
        self.assertIn("# mine", after)
        self.assertIn("setup: /data is in order", node.story())

    def test_stops_at_once(self):
        node = self.start()
        began = time.monotonic()
        self.assertEqual(node.stop(), 0)
        took = time.monotonic() - began
        figure(f"docker stop of {self.IMAGE}: {took * 1000:.0f} ms")
        self.assertLess(took, 3.0)
        node.expect(self.GOODBYE)

    def test_killed_and_started_again(self):
        data = self.volume()
        node = self.start(data=data)
        docker("kill", node.name)
        node.until(lambda: node.inspect("{{.State.Running}}"), "false")
        docker("start", node.name)
        node.follow()
        node.until(lambda: node.count(r"Conductor ready\."), 2)
        self.assertEqual(node.count("second copy"), 0)
        self.assertEqual(node.exec("sh", "-c", "ls /data/holochain/var/stand-in-second-copy").returncode, 2)
        self.assertEqual(node.service("holochain")["state"], "up")

    def test_a_second_container_on_the_volume_waits(self):
        data = self.volume()
        first = self.start("--hostname", "first-host", data=data)
        second = self.node("--hostname", "second-host", data=data, image=self.IMAGE)
        second.expect(r"hcrc: holochain: .*lock.*first-host")
        self.assertEqual(second.service("holochain")["state"], "waiting")
        self.assertIsNone(second.pid("holochain"))
        self.assertEqual(first.stop(), 0)
        second.expect(r"Conductor ready\.")
        self.assertEqual(second.count("second copy"), 0)


class StandIn(Lives, DockerTest):
    IMAGE = "hcrc-test-node"
    GOODBYE = r"goodbye"

    def test_a_conductor_that_refuses_to_stop(self):
        node = self.start(env={"STAND_IN_STOP": "ignore"})
        began = time.monotonic()
        self.assertEqual(node.stop(), 0)
        self.assertLess(time.monotonic() - began, 10.0)
        node.expect("hcrc: holochain: has not ended in time: SIGKILL")
        node.expect("hcrc: stopped after")


@unittest.skipUnless(REAL, "allowed: no holochain on PATH")
class RealConductor(Lives, DockerTest):
    IMAGE = REAL
    # It says so at RUST_LOG=info, which set-up leaves to the hoster.
    GOODBYE = r"Sending shutdown signal"

    def start(self, *flags, **options):
        return super().start("--env", "RUST_LOG=info", *flags, **options)


if __name__ == "__main__":
    unittest.main()
