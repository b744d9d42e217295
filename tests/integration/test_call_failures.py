"""Every system call of the runtime that can fail does so once (tests/sweep): the node is up all the same, or its runtime says at
the start why not."""

import platform
import re
import unittest

import harness

SWEEP = harness.TESTS_BIN / "syscall-sweep"
RUNS = 5000


def serve(name, how="stays", **keys):
    lines = [f'command = ["{SWEEP}", "serve", "{name}", "{how}"]', *(f"{key} = {value}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


SERVICES = {
    "setup": 'type = "oneshot"\n' + serve("setup", "once"),
    "log": 'command = ["cat"]\n',
    "b": serve("b", "notify", requires='["setup"]') + "[ready]\nnotify = true\n",
    "c": serve("c", "dies:${SWEEP_FOLDER}/died", requires='["b"]', **{"log-to": '"log"'}) + '[restart]\ndelay = "5ms"\nattempts = 50\n',
    "e": serve("e", "fd", requires='["setup"]', stop="{ command = [\"true\"], timeout = \"20ms\" }") + "[ready]\nfd = 3\n",
    "f": serve("f", requires='["b", "e"]') + '[health]\nexec = ["true"]\ninterval = "20ms"\nfailures = 100\n',
}


@unittest.skipUnless(platform.machine() == "x86_64", harness.ALLOWED_SKIP + "knows the registers of x86-64 alone")
@harness.need_root
class Sweep(harness.NodeTest):
    def test_each_call_fails_once(self):
        folder = self.scratch()
        first = harness.write_layer(folder / "first", SERVICES)
        more = harness.write_layer(folder / "more", {"g": serve("g", requires='["b"]')})
        for database, layers in (("node.db", [first]), ("next.db", [first, more])):
            done = harness.compile_layers(folder / database, *layers)
            self.assertEqual(done.returncode, 0, done.stderr)
        done = harness.run(SWEEP, harness.BIN / "hcrc-init", folder / "node.db", folder / "next.db", folder / "runs", RUNS,
                           timeout=600)
        found = re.search(r"^(\d+) runs in (\d+) s", done.stdout)
        self.assertTrue(found, done.stdout + done.stderr)
        harness.figure(f"calls that fail: {done.stdout.strip()}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreaterEqual(int(found[1]), RUNS)
        self.assertLess(int(found[2]), 3 * 180)


if __name__ == "__main__":
    harness.main()
