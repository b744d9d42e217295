"""The conductor fails: it is started again, held, given up; by its stand-in, and by the real one where there is one."""

import signal
import time
import unittest

from container import NODE, REAL, DockerTest


class Crashes:
    IMAGE = None

    def start(self, *flags, **options):
        return self.ready(*flags, image=self.IMAGE, **options)

    def kill(self, node, starts):
        node.until(lambda: node.pid("holochain") is not None and node.count(r"Conductor ready\.") == starts, True)
        node.signal("holochain", signal.SIGKILL)

    def test_killed_from_outside_five_times_and_then_held(self):
        node = self.start("--health-interval=1s", "--health-start-period=30m")
        node.until(lambda: node.inspect("{{.State.Health.Status}}"), "healthy")
        began = time.monotonic()
        for start in range(1, 6):
            self.kill(node, start)
            line = node.expect(rf"hcrc: holochain: killed by SIGKILL after .*, restart {start} of 5 in (\S+)")
            if start == 1:
                node.until(lambda: node.count(r"Conductor ready\."), 2, timeout=15)
                self.assertLess(time.monotonic() - began, 15)
            self.assertIn(line.match[1][:1], "23456789124")
        self.kill(node, 6)
        node.expect(r"hcrc: holochain: killed by SIGKILL.*held.*2m")
        self.assertEqual(node.service("holochain")["state"], "held")
        node.until(lambda: node.inspect("{{.State.Health.Status}}"), "unhealthy")
        health = node.hcrc("health")
        self.assertEqual(health.returncode, 1)
        self.assertIn("holochain is held", health.stdout + health.stderr)

    def test_exhausted_may_stop_the_container(self):
        node = self.start(env={"HCRC_ON_EXHAUSTED": "shutdown"})
        for start in range(1, 7):
            self.kill(node, start)
        self.assertEqual(node.wait(), 137)


class StandIn(Crashes, DockerTest):
    IMAGE = NODE

    def test_a_code_that_no_retry_cures(self):
        node = self.node(env={"STAND_IN_CRASH": "exit:42", "STAND_IN_CRASH_AT": "start"})
        self.assertEqual(node.wait(), 42)
        self.assertEqual(node.count("restart 1 of"), 0)

    def test_exhausted_with_the_conductors_own_code(self):
        node = self.node(env={"HCRC_ON_EXHAUSTED": "shutdown", "STAND_IN_CRASH": "exit:7", "STAND_IN_CRASH_AT": "start"})
        self.assertEqual(node.wait(), 7)


@unittest.skipUnless(REAL, "allowed: no holochain on PATH")
class RealConductor(Crashes, DockerTest):
    IMAGE = REAL


if __name__ == "__main__":
    unittest.main()
