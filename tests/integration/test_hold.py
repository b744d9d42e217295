"""The one test that waits out a long default: a held conductor is tried again after two minutes. It is first in line and runs
beside the rest (run_tests.py)."""

import harness
import test_node


class Hold(test_node.ShippedNode):
    def test_a_held_conductor_is_tried_again_after_two_minutes(self):
        node = self.shipped({"holochain": 'override = "merge"\n[restart]\nattempts = 0\n'})
        node.expect(r"holochain: ready")
        node.kill("holochain")
        held = node.expect(r"held, next try in 2m")
        self.assertEqual(node.hcrc("health").returncode, 1)
        again = node.expect(r"holochain: ready", timeout=180)
        self.assertGreaterEqual(again.at - held.at, 119.9)
        self.assertEqual(node.hcrc("health").returncode, 0)


if __name__ == "__main__":
    harness.main()
