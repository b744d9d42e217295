"""Held, and tried again two minutes later, as shipped: nothing is shortened. It waits beside the others."""

import signal
import time
import unittest

from container import DockerTest, figure


class Held(DockerTest):
    def test_tried_again_after_two_minutes(self):
        node = self.ready("--health-interval=1s")
        node.until(lambda: node.inspect("{{.State.Health.Status}}"), "healthy")
        for start in range(1, 7):
            node.until(lambda: node.pid("holochain") is not None and node.count(r"Conductor ready\.") == start, True)
            node.signal("holochain", signal.SIGKILL)
        node.expect(r"hcrc: holochain: .*held")
        began = time.monotonic()
        node.until(lambda: node.inspect("{{.State.Health.Status}}"), "unhealthy")
        node.until(lambda: node.count(r"Conductor ready\."), 7, timeout=180)
        took = time.monotonic() - began
        figure(f"held for {took:.1f} s, then tried again and well")
        self.assertGreater(took, 115)
        node.until(lambda: node.inspect("{{.State.Health.Status}}"), "healthy")


if __name__ == "__main__":
    unittest.main()
