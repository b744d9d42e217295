"""HEALTHCHECK and the node's own check as shipped: a conductor that hangs accepts connections and is found all the same."""

import signal
import unittest

from container import DockerTest


class Health(DockerTest):
    def test_in_the_image(self):
        node = self.node()
        self.assertEqual(node.inspect("{{json .Config.Healthcheck}}"),
                         '{"Test":["CMD","/usr/bin/hcrc","health"],"Interval":10000000000,"Timeout":5000000000,'
                         '"StartPeriod":1800000000000,"Retries":3}')
        node.until(lambda: node.inspect("{{.State.Health.Status}}"), "healthy")

    def test_nothing_turns_unhealthy_in_the_start_period(self):
        node = self.node("--health-interval=1s", env={"STAND_IN_READY_AFTER": "never"})
        node.until(lambda: int(node.inspect("{{len .State.Health.Log}}")) >= 5, True)
        self.assertEqual(node.inspect("{{.State.Health.Status}}"), "starting")

    def test_a_hang_is_found_and_cured(self):
        node = self.ready()
        stopped = node.pid("holochain")
        node.signal("holochain", signal.SIGSTOP)
        node.expect(r"hcrc: holochain: health check failed 3 times", timeout=120)
        node.until(lambda: node.count(r"Conductor ready\."), 2, timeout=60)
        self.assertNotEqual(node.pid("holochain"), stopped)


if __name__ == "__main__":
    unittest.main()
