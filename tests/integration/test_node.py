"""The node as shipped, with the real programs: started, crashed, held, stopped, and what it says meanwhile."""

import os
import pathlib
import signal
import subprocess
import unittest

import harness

LIB = harness.SERVICES / "node"


def conductor():
    """The conductor that the tests of the shipped node run with: the real one where there is one."""
    return harness.real_conductor() or harness.STAND_IN


class ShippedNode(harness.NodeTest):
    def shipped(self, layer=None, env=None, scratch=None, program=None, **options):
        folder = scratch or self.scratch()
        uid = options.get("uid")
        variables = {
            "HCRC_DATA": folder / "data",
            "HCRC_LIB": LIB,
            "HCRC_USER": uid if uid is not None else os.geteuid(),
            "HCRC_CONDUCTOR": program or harness.STAND_IN,
            "HCRC_PASSPHRASE_FILE": folder / "passphrase",
            "HCRC_LOGROTATE": "/no/logrotate",
            **(env or {}),
        }
        return self.node(layer, layers=[harness.SERVICES], scratch=folder, env=variables, **options)

    def log_of(self, node):
        return (node.scratch / "data/logs/holochain.log").read_text(encoding="utf-8")

    def stopped_well(self, node):
        self.assertEqual(node.wait(), 0, node.story())
        self.assertLess(node.position(r"hcrc: holochain: stopped"), node.position(r"hcrc: holochain-log: stopped"))
        self.assertEqual(node.count(r"has not ended in time"), 0, node.story())


class Story(ShippedNode):
    def start_and_stop(self, **options):
        node = self.shipped(**options)
        node.expect(r"Conductor ready\.")
        node.settle("--up")
        self.assertEqual(node.hcrc("health").returncode, 0)
        services = node.status()["services"]
        self.assertEqual(services["setup"]["state"], "up")
        self.assertEqual(services["holochain"]["state"], "up")
        self.assertEqual(services["logrotate"]["state"], "up")
        self.assertEqual(node.status()["node"]["state"], "up")
        node.send(signal.SIGTERM)
        self.stopped_well(node)
        return node

    def test_starts_is_ready_and_stops_in_order_as_pid_1(self):
        node = self.start_and_stop()
        self.assertIn("Conductor ready.", self.log_of(node))
        # The stand-in says goodbye: its last line is in the log and on the console.
        goodbye = self.log_of(node).splitlines()[-1]
        self.assertRegex(goodbye, r"(?i)bye|shut|stopp")

    def test_the_same_not_as_pid_1_and_nothing_is_left_behind(self):
        node = self.start_and_stop(pid1=False)
        self.assertEqual(node.left_behind(), [])

    @harness.need_root
    def test_the_same_as_another_user(self):
        self.start_and_stop(uid=4711)

    def test_an_interrupt_stops_it_too(self):
        node = self.shipped()
        node.expect(r"Conductor ready\.")
        node.send(signal.SIGINT)
        self.stopped_well(node)

    @harness.need_root
    def test_cmd_runs_when_all_is_up_and_its_code_is_ours(self):
        node = self.shipped(command=["sh", "-c", "echo here; exit 7"])
        node.expect(r"settled")
        node.expect(r"^here$")
        self.assertEqual(node.wait(), 7, node.story())
        self.assertEqual(node.count(r"hcrc: holochain: stopped"), 1)

    def test_conductor_mode_false_keeps_the_node_without_its_conductor(self):
        node = self.shipped(env={"CONDUCTOR_MODE": "false"})
        node.expect(r"settled")
        self.assertEqual(node.service("holochain")["state"], "skipped")
        self.assertEqual(node.hcrc("health").returncode, 0)
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)


class Crashes(ShippedNode):
    SHORT_HOLD = {"holochain": 'override = "merge"\n[restart]\nhold = "1s"\njitter = 0\n'}

    def kill_conductor(self, node):
        node.kill("holochain")

    def test_five_restarts_with_growing_delays_then_held_then_tried_again(self):
        node = self.shipped(self.SHORT_HOLD)
        node.expect(r"holochain: ready")
        for attempt, delay in enumerate(["250ms", "500ms", "1s", "2s", "4s"], start=1):
            self.kill_conductor(node)
            down = node.expect(rf"holochain: killed by SIGKILL after \S+, restart {attempt} of 5 in {delay}$")
            ready = node.expect(r"holochain: ready")
            waited = ready.at - down.at
            seconds = float(delay[:-2]) / 1000 if delay.endswith("ms") else float(delay[:-1])
            self.assertGreaterEqual(waited, seconds - 0.02)
        self.kill_conductor(node)
        node.expect(r"holochain: killed by SIGKILL after \S+, all 5 restarts are used up: held, next try in 1s")
        node.settle("--settled")
        health = node.hcrc("health")
        if node.service("holochain")["state"] == "held":
            self.assertEqual(health.returncode, 1)
            self.assertIn("holochain is held", health.stdout + health.stderr)
        node.expect(r"holochain: ready")
        self.assertEqual(node.hcrc("health").returncode, 0)
        node.send(signal.SIGTERM)
        self.stopped_well(node)

    def test_held_says_so_and_a_start_ends_it(self):
        node = self.shipped({"holochain": 'override = "merge"\n[restart]\nattempts = 0\n'})
        node.expect(r"holochain: ready")
        self.kill_conductor(node)
        node.expect(r"held, next try in 2m")
        health = node.hcrc("health")
        self.assertEqual(health.returncode, 1)
        self.assertIn("holochain is held: killed by SIGKILL", health.stdout + health.stderr)
        self.assertIn("holochain is held", node.hcrc("why", "holochain").stdout)
        self.assertEqual(node.hcrc("start", "holochain").returncode, 0)
        self.assertEqual(node.service("holochain")["state"], "up")
        self.assertEqual(node.service("holochain")["restarts"], 0)

    def test_the_hosters_variable_stops_the_node_with_the_conductors_code(self):
        node = self.shipped(
            {"holochain": 'override = "merge"\n[restart]\nattempts = 1\ndelay = "10ms"\n'},
            env={"HCRC_ON_EXHAUSTED": "shutdown"})
        for _ in range(2):
            node.expect(r"holochain: ready")
            self.kill_conductor(node)
            node.expect(r"holochain: killed")
        self.assertEqual(node.wait(), 137, node.story())

    def test_exit_42_is_never_retried_and_is_the_nodes_code(self):
        folder = self.scratch()
        broken = folder / "conductor"
        broken.write_text("#!/bin/sh\n[ \"$1\" = --version ] && exec echo holochain 0.5.6\necho the configuration is bad; exit 42\n")
        broken.chmod(0o755)
        node = self.shipped(scratch=folder, program=broken)
        node.expect(r"holochain: exited with 42 after \S+, which no retry can mend: failed")
        node.expect(r"stopping: holochain has ended for good, the exit code will be 42")
        self.assertEqual(node.wait(), 42)
        self.assertEqual(node.count(r"the configuration is bad"), 1)

    def test_a_hang_is_found_by_the_health_check(self):
        node = self.shipped({"holochain": 'override = "merge"\n[health]\ninterval = "100ms"\ntimeout = "200ms"\n'})
        node.expect(r"holochain: ready")
        node.kill("holochain", signal.SIGSTOP)
        node.expect(r"holochain: health check failed 3 times")
        node.expect(r"restart 1 of 5 in 2\d\dms")
        node.expect(r"holochain: ready")


class SetUpFails(ShippedNode):
    def test_once_and_then_well(self):
        folder = self.scratch()
        script = folder / "setup-once"
        script.write_text(f'#!/bin/sh\n[ -e {folder}/tried ] && exec {LIB}/setup\n: > {folder}/tried\necho not yet; exit 1\n')
        script.chmod(0o755)
        node = self.shipped({"setup": f'override = "merge"\ncommand = ["{script}"]\n[env]\n'}, scratch=folder)
        node.expect(r"setup: exited with 1 after \S+, restart 1 of 5 in 2\d\dms")
        node.expect(r"setup: done")
        node.expect(r"holochain: ready")

    def test_for_good_the_chain_is_named_and_the_node_stops_with_102(self):
        node = self.shipped({"setup": 'override = "merge"\ncommand = ["/bin/false"]\n[restart]\nattempts = 2\ndelay = "10ms"\n'})
        node.expect(r"setup: exited with 1 after \S+, all 2 restarts are used up: failed")
        node.expect(r"holochain: cannot start: it requires setup, which failed", anywhere=True)
        self.assertEqual(node.wait(), 102, node.story())
        self.assertEqual(node.count(r"holochain: started"), 0)

    def test_with_nothing_essential_it_stays_and_names_the_chain(self):
        node = self.node({
            "setup": 'type = "oneshot"\ncommand = ["/bin/false"]',
            "web": 'command = ["sleep", "inf"]\nrequires = ["setup"]',
            "user": 'command = ["sleep", "inf"]\nrequires = ["web"]',
        })
        node.expect(r"setup: exited with 1 after \S+: failed")
        node.settle("--settled")
        services = node.status()["services"]
        self.assertEqual(services["setup"]["state"], "failed")
        self.assertEqual(services["user"]["state"], "waiting")
        self.assertIn("setup", services["web"]["why"])
        why = node.hcrc("why", "user").stdout
        self.assertEqual([line.split(" is ")[0] for line in why.splitlines()], ["user", "web", "setup"], why)
        self.assertEqual(node.hcrc("health").returncode, 1)
        self.assertEqual(node.hcrc("start", "user").returncode, 1)
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)


class Operators(harness.NodeTest):
    SERVICES = {
        "base": 'command = ["sleep", "inf"]',
        "user": 'command = ["sleep", "inf"]\nrequires = ["base"]',
        "late": 'command = ["sleep", "inf"]\nautostart = false',
    }

    def test_start_stop_restart_wait(self):
        node = self.node(self.SERVICES)
        node.settle("--up")
        self.assertEqual(node.hcrc("stop", "base").returncode, 0)
        services = node.status()["services"]
        self.assertEqual((services["base"]["state"], services["base"]["wanted"]), ("down", False))
        self.assertEqual((services["user"]["state"], services["user"]["wanted"]), ("waiting", True))
        self.assertEqual(node.hcrc("start", "base").returncode, 0)
        node.settle("--up", "user")
        before = node.service("base")["pid"]
        self.assertEqual(node.hcrc("restart", "base").returncode, 0)
        self.assertNotEqual(node.service("base")["pid"], before)
        node.settle("--up", "user")
        self.assertEqual(node.service("late")["state"], "down")
        self.assertEqual(node.hcrc("start", "late").returncode, 0)
        self.assertEqual(node.hcrc("wait", "--down", "late", "--timeout", "50ms").returncode, 2)
        self.assertEqual(node.hcrc("start", "nobody").returncode, 3)
        self.assertEqual(node.hcrc("shutdown", "--exit-code", "9").returncode, 0)
        self.assertEqual(node.wait(), 9)
        self.assertEqual(node.hcrc("status").returncode, 4)

    def test_sigusr1_tells_the_state_of_every_service(self):
        node = self.node(self.SERVICES)
        node.settle("--up")
        node.send(signal.SIGUSR1)
        node.expect(r"hcrc: base is up$")
        node.expect(r"hcrc: late is down: nothing wants it$")
        node.expect(r"hcrc: user is up$")

    def test_a_second_runtime_on_one_run_dir_is_refused(self):
        node = self.node(self.SERVICES)
        node.settle("--up")
        second = harness.run(harness.BIN / "hcrc-init", "--db", node.database, "--run-dir", node.run_dir)
        self.assertEqual(second.returncode, 111)
        self.assertIn("another runtime", second.stderr)
        self.assertEqual(node.hcrc("health").returncode, 0)


class Wrong(harness.NodeTest):
    def test_any_one_byte_changed_is_refused(self):
        folder = self.scratch()
        layer = harness.write_layer(folder / "services.d", {"a": 'command = ["true"]'})
        database = folder / "node.db"
        self.assertEqual(harness.compile_layers(database, layer).returncode, 0)
        good = database.read_bytes()
        # Every byte is tried in the unit tests; here a spread of them goes through the real program.
        for position in range(0, len(good), max(1, len(good) // 40)):
            database.write_bytes(good[:position] + bytes([good[position] ^ 0x40]) + good[position + 1:])
            done = harness.run(harness.BIN / "hcrc-init", "--db", database, "--run-dir", folder / "run")
            self.assertEqual(done.returncode, 103, f"byte {position}: {done.stderr}")
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_options(self):
        for words, code in [(["--nonsense"], 100), (["--stop-deadline", "9"], 100), (["--db", "/nonexistent"], 103),
                            (["--help"], 0), (["--version"], 0)]:
            done = harness.run(harness.BIN / "hcrc-init", *words)
            self.assertEqual(done.returncode, code, done.stderr)
            if code:
                self.assertTrue(done.stderr.startswith("hcrc-init: "), done.stderr)


class RealConductor(ShippedNode):
    @harness.need_real_conductor
    def test_ready_by_its_own_word_and_killed_five_times(self):
        node = self.shipped({"holochain": 'override = "merge"\n[restart]\ndelay = "20ms"\nmax-delay = "20ms"\n'},
                            program=harness.real_conductor(), env={"RUST_LOG": "info"})
        node.expect(r"holochain: ready")
        for _ in range(5):
            node.kill("holochain")
            node.expect(r"holochain: killed by SIGKILL")
            node.expect(r"holochain: ready")
        # It says READY a moment before it takes SIGINT for a word to end by; then it prints its line.
        self.eventually(lambda: node.count(r"Conductor ready\.") == 6, "the line of the sixth start")
        self.assertEqual(node.hcrc("health").returncode, 0)
        node.send(signal.SIGTERM)
        self.stopped_well(node)
        self.assertEqual(node.count(r"holochain: stopped after \S+, exited with 0"), 1)
        self.assertIn("shutdown", self.log_of(node))

    @harness.need_real_conductor
    def test_a_wrong_passphrase_is_tried_and_held(self):
        folder = self.scratch()
        quick = {"holochain": 'override = "merge"\n[restart]\ndelay = "10ms"\nmax-delay = "10ms"\n'}
        node = self.shipped(quick, program=harness.real_conductor(), scratch=folder)
        node.expect(r"holochain: ready")
        node.send(signal.SIGTERM)
        node.wait()
        (folder / "passphrase").write_text("another\n")
        node = self.shipped(quick, program=harness.real_conductor(), scratch=folder)
        node.expect(r"holochain: exited with 101 after \S+, restart 1 of 5")
        node.expect(r"holochain: exited with 101 after \S+, all 5 restarts are used up: held", timeout=60)

    def two_nodes(self, program):
        folder = self.scratch()
        first = self.shipped(scratch=folder, program=program, run_dir=folder / "run1")
        first.expect(r"holochain: ready")
        second = self.shipped(scratch=folder, program=program, run_dir=folder / "run2")
        second.expect(r"holochain: waiting for its lock, held by \S+")
        self.assertEqual(second.service("holochain")["state"], "waiting")
        self.assertIn("lock", second.hcrc("health").stdout + second.hcrc("health").stderr)
        self.assertEqual(second.count(r"holochain: started"), 0)
        first.send(signal.SIGTERM)
        self.assertEqual(first.wait(), 0)
        second.expect(r"holochain: ready")
        second.send(signal.SIGTERM)
        self.assertEqual(second.wait(), 0)

    @harness.need_real_conductor
    def test_a_second_node_on_the_same_data_waits_for_the_lock(self):
        self.two_nodes(harness.real_conductor())

    def test_so_it_does_with_the_stand_in(self):
        self.two_nodes(harness.STAND_IN)


if __name__ == "__main__":
    harness.main()
