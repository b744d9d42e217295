"""./tools/run-node: the whole node on a desk, from this tree, in the foreground."""

import json
import os
import signal

import harness

RUN_NODE = harness.ROOT / "tools/run-node"
BUILD = 600  # seconds: on a machine where nothing is built yet


class RunNode(harness.NodeTest):
    def setUp(self):
        super().setUp()
        self.folder = self.scratch()
        self.data = self.folder / "data"
        self.left_behind = self.folder / "left-behind"

    def start(self, *words, path=(), **env):
        """run-node in PID and network namespaces of its own, as a child of their first process."""
        spec = json.dumps({"net": True, "plain": True, "report": str(self.left_behind)})
        namespaces = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--net"]
        if not harness.IS_ROOT:
            namespaces.append("--map-root-user")
        env = harness.environment(HCRC_DATA=self.data, **env)
        env["PATH"] = ":".join([*map(str, path), "/usr/sbin:/usr/bin:/sbin:/bin"])
        return self.program(*namespaces, harness.PYTHON, "-I", "-S", harness.ROOT / "tests/integration/enter.py", spec,
                            RUN_NODE, *words, env=env)

    def send(self, node, number):
        """A signal to whatever run-node is by now: it must have become hcrc-init."""
        pid = harness.children(harness.children(node.pid)[0])[0]
        self.assertEqual(harness.command_name(pid), "hcrc-init")
        os.kill(pid, number)

    def hcrc(self, *words):
        return harness.run(harness.ROOT / "build/release/bin/hcrc", "--run-dir", self.data / "hcrc/run", *words)

    def stop(self, node, number):
        self.send(node, number)
        self.assertEqual(node.wait(), 0, node.story())
        self.assertEqual(self.left_behind.read_text(), "")

    def test_the_story_of_a_node(self):
        node = self.start()
        node.expect("hcrc-compile: 4 services, .*/hcrc/node.db", timeout=BUILD)
        node.expect("run-node: no holochain on the PATH: a stand-in takes the conductor's place")
        node.expect("run-node: .*/hcrc --run-dir .* status")
        node.expect("hcrc: starting: 4 services are defined")
        node.expect("setup: installed .*conductor-config.yaml")
        node.expect("Conductor ready[.]", anywhere=True)
        node.expect("hcrc: holochain: ready after ", anywhere=True)
        self.assertEqual(self.hcrc("wait", "--settled", "--timeout", "30s").returncode, 0)
        self.assertEqual(self.hcrc("health").returncode, 0)
        self.stop(node, signal.SIGTERM)
        log = (self.data / "logs/holochain.log").read_text().splitlines()
        self.assertIn("stand-in-conductor: goodbye", log[-1])
        self.assertLess(node.position("hcrc: holochain: stopped"), node.position("hcrc: holochain-log: stopped"))
        node.expect("hcrc: stopped after .*, exit code 0", anywhere=True)

    def test_ctrl_c_and_a_second_start_on_the_same_data(self):
        for _ in range(2):
            node = self.start()
            node.expect("hcrc: holochain: ready after ", timeout=BUILD)
            self.stop(node, signal.SIGINT)
        node.expect("setup: .* is in order", anywhere=True)

    def test_cmd_and_its_code(self):
        node = self.start("--", "sh", "-c", "exit 7")
        self.assertEqual(node.wait(BUILD), 7)
        self.assertLess(node.position("hcrc: holochain: ready after"), node.position("CMD: "))

    def test_a_layer_of_ones_own(self):
        layer = harness.write_layer(self.folder / "mine", {
            "mine": 'type = "oneshot"\ncommand = ["echo", "from my layer"]\nrequires = ["setup"]\n',
            "logrotate": 'override = "merge"\ndescription = "mine"\n'})
        node = self.start("--layer", layer)
        node.expect("from my layer", timeout=BUILD)
        self.stop(node, signal.SIGTERM)

    def test_wrong_definitions_start_nothing(self):
        layer = harness.write_layer(self.folder / "mine", {"mine": 'comand = ["x"]\n'})
        node = self.start("--layer", layer)
        self.assertEqual(node.wait(BUILD), 1)
        node.expect("comand", anywhere=True)
        node.expect("run-node: the definitions are wrong", anywhere=True)

    def test_usage(self):
        self.assertIn("--data DIR", harness.run(RUN_NODE, "--help").stdout)
        self.assertEqual(harness.run(RUN_NODE, "--no-such-option").returncode, 100)

    def test_a_home_that_cannot_be_used(self):
        """A folder of the user's own that is short: sockets lie below it."""
        fallback = f"/var/tmp/hcrc-{os.getuid()}"
        if not os.path.exists(fallback):
            self.addCleanup(os.rmdir, fallback)
        choose = ('eval "$(sed -n "/^choose_data() {/,/^}/p" "$0")"; die() { echo "$1"; exit 1; }; '
                  'choose_data; echo "$data"')
        for home, wanted in ((self.folder, f"{self.folder}/.hcrc"), ("/", fallback), ("/" + "x" * 90, fallback),
                             ("/nonexistent", fallback)):
            said = harness.run("bash", "-euc", choose, RUN_NODE, env=harness.environment(HOME=home))
            self.assertEqual(said.stdout.strip(), wanted, said.stderr)

    @harness.need_real_conductor
    def test_the_real_conductor_is_taken_from_the_path(self):
        node = self.start(path=[harness.real_conductor().parent], RUST_LOG="info")
        node.expect(f"run-node: the conductor is {harness.real_conductor()} [(]holochain ", timeout=BUILD)
        node.expect("hcrc: holochain: ready after ")
        self.stop(node, signal.SIGTERM)
        self.assertIn("shutdown", (self.data / "logs/holochain.log").read_text())


if __name__ == "__main__":
    harness.main()
