"""When a service is ready, and how it is found to be unwell: by sd_notify, a descriptor, tcp, http and commands."""

import json
import os
import pathlib
import shlex
import signal
import subprocess

import harness
from harness import speaker, speaker_command

NOTIFY = "[ready]\nnotify = true\n"
NOBODY = 65534


class Ready(harness.NodeTest):
    def gate(self):
        """A FIFO that a speaker waits at until it is opened()."""
        path = self.scratch() / "gate"
        os.mkfifo(path)
        return path

    @staticmethod
    def opened(gate):
        os.close(os.open(gate, os.O_WRONLY))

    def client(self, node, *words):
        """`hcrc` beside the test."""
        process = subprocess.Popen([harness.BIN / "hcrc", "--run-dir", node.run_dir, *words], stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def status_is(self, node, name, text):
        self.eventually(lambda: node.service(name)["status"] == text, f"{name} says {text}")


class Notify(Ready):
    def test_it_says_so_itself(self):
        gate = self.gate()
        node = self.node({"a": speaker("env", "NOTIFY_SOCKET", "say", "STATUS=loading 1 of 2", "wait", gate,
                                       "say", "MAINPID=1|STATUS=well|READY=1", "hold", more=NOTIFY),
                          "b": speaker("print", "b is here", "hold", more='requires = ["a"]')})
        node.expect(rf"NOTIFY_SOCKET={node.run_dir}/notify\.\d+")
        self.status_is(node, "a", "loading 1 of 2")
        before = node.service("a")
        self.assertEqual(before["state"], "starting")
        self.assertIn("loading 1 of 2", node.hcrc("status").stdout)
        self.assertEqual(node.count("b is here"), 0)
        self.opened(gate)
        node.expect(r"hcrc: a: ready", anywhere=True)
        node.expect(r"b is here", anywhere=True)
        after = node.service("a")
        self.assertEqual((after["state"], after["status"], after["pid"]), ("up", "well", before["pid"]))

    def test_only_who_is_to_use_it_is_given_one(self):
        node = self.node({"a": speaker("env", "NOTIFY_SOCKET", "hold")}, env={"NOTIFY_SOCKET": "/nowhere"})
        node.expect(r"NOTIFY_SOCKET=None")

    def test_a_helper_of_its_session_speaks_for_it(self):
        node = self.node({"a": speaker("group", "READY=1|STATUS=by a helper", "hold", more=NOTIFY)})
        node.expect(r"hcrc: a: ready")
        self.status_is(node, "a", "by a helper")

    def heard_late(self, user, *words):
        """The state of a service that says this while the runtime stands still, so that each speaker's child is gone."""
        gate = self.gate()
        node = self.node({"a": speaker("wait", gate, *words, "say", "STATUS=that is all", "print", "said", "hold",
                                       more=f"{user}{NOTIFY}"),
                          "other": speaker("say", "READY=1", "hold", more=NOTIFY)})
        node.expect(r"hcrc: other: ready", anywhere=True)
        node.send(signal.SIGSTOP)
        self.opened(gate)
        node.expect(r"^said", anywhere=True)
        node.send(signal.SIGCONT)
        self.status_is(node, "a", "that is all")
        return node.service("a")["state"]

    def test_who_is_gone_already_counts_if_it_was_of_its_user(self):
        self.assertEqual(self.heard_late("", "child", "READY=1"), "up")

    @harness.need_root
    def test_whoever_that_is(self):
        self.assertEqual(self.heard_late(f'user = "{NOBODY}"\n', "child", "READY=1"), "up")
        self.assertEqual(self.heard_late("", "child-of", NOBODY, "READY=1"), "starting")

    def test_who_lives_outside_its_session_does_not_count(self):
        self.assertEqual(self.heard_late("", "outside", "READY=1"), "starting")

    def test_another_service_does_not_count(self):
        gate = self.gate()
        run_dir = self.scratch() / "run"
        node = self.node({"a": speaker("print", "a waits", "wait", gate, "say", "STATUS=that is all", "hold", more=NOTIFY),
                          "b": speaker("say", "READY=1", "to", run_dir / "notify.0", "READY=1|STATUS=from b", "to", run_dir / "notify.1",
                                       "READY=1", "print", "b spoke", "hold", more=NOTIFY)}, run_dir=run_dir)
        node.expect(r"a waits", anywhere=True)
        node.expect(r"b spoke", anywhere=True)
        self.opened(gate)
        self.status_is(node, "a", "that is all")
        self.assertEqual(node.service("a")["state"], "starting")
        self.assertEqual(node.service("b")["state"], "up")

    def test_what_it_says_before_it_dies_counts(self):
        for words in (["say", "READY=1"], ["child", "READY=1"]):
            with self.subTest(words):
                gate = self.gate()
                node = self.node({"a": speaker("wait", gate, *words, "exit", 3, more=NOTIFY + "[restart]\nattempts = 0")})
                node.expect(r"hcrc: a: started")
                node.send(signal.SIGSTOP)
                pid = harness.children(node.init_pid())[0]
                self.opened(gate)
                self.eventually(lambda: self.state(pid) == "Z", "it is dead")
                node.send(signal.SIGCONT)
                node.expect(r"hcrc: a: ready")
                node.expect(r"hcrc: a: exited with 3")

    @staticmethod
    def state(pid):
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]

    def test_who_floods_its_own_socket_keeps_nobody_waiting(self):
        gate = self.gate()
        flood = ["say", "WATCHDOG=1"] * 5_000
        node = self.node({"flood": speaker("say", "READY=1", *flood, "wait", gate, more=NOTIFY),
                          "web": speaker("say", "READY=1|STATUS=well", "hold", more=NOTIFY)})
        node.expect(r"hcrc: web: ready", anywhere=True)
        self.status_is(node, "web", "well")

    def test_what_the_last_run_said_is_no_word_of_the_next(self):
        # The first says more than is listened to within a second, and leaves as much as the kernel keeps.
        place = self.scratch()
        flood = shlex.join(speaker_command(*["say", "READY=1|STATUS=old"] * 5_000))
        (place / "flood").write_text(f"#!/bin/sh\nexec {flood}\n", encoding="utf-8")
        (place / "flood").chmod(0o755)
        either = f"mkdir {place}/first 2>/dev/null && exec {place}/flood; exec {shlex.join(speaker_command('say', 'STATUS=new', 'hold'))}"
        node = self.node({"a": f"command = {json.dumps(['sh', '-c', either])}\n{NOTIFY}[restart]\ndelay = \"0ms\""})
        node.expect(r"hcrc: a: ready")
        pid = node.service_pid("a")
        self.eventually(lambda: all(self.state(pid) == "S" for _ in range(1000)), "it waits for room")
        os.kill(pid, signal.SIGKILL)
        self.status_is(node, "a", "new")
        self.assertEqual(node.service("a")["state"], "starting", node.story())

    def test_no_word_in_time(self):
        node = self.node({"a": speaker("hold", more=NOTIFY + 'timeout = "200ms"\n[restart]\nattempts = 0')})
        node.expect(r"hcrc: a: not ready within 200ms")

    def test_more_time_is_given_to_who_asks_for_it(self):
        # Both have the same time, and the other's is up.
        gate = self.gate()
        short = NOTIFY + 'timeout = "2s"\n[restart]\nattempts = 0'
        node = self.node({"asks": speaker("say", "EXTEND_TIMEOUT_USEC=60000000", "wait", gate, "say", "READY=1", "hold", more=short),
                          "other": speaker("hold", more=short)})
        node.expect(r"hcrc: other: not ready within 2s")
        self.assertEqual(node.service("asks")["state"], "starting")
        self.opened(gate)
        node.expect(r"hcrc: asks: ready")


class Socket(Ready):
    def test_something_else_in_its_place_at_the_start(self):
        run_dir = self.scratch()
        (run_dir / "notify.0").write_text("mine")
        node = self.node({"a": speaker("env", "NOTIFY_SOCKET", "hold", more=NOTIFY)}, run_dir=run_dir)
        node.expect(rf"hcrc: no notify socket: {run_dir}/notify\.0: something that is no socket is in its place: remove it", anywhere=True)
        node.expect(r"NOTIFY_SOCKET=None", anywhere=True)
        self.assertEqual(node.service("a")["state"], "up")
        self.assertEqual((run_dir / "notify.0").read_text(), "mine")

    def test_something_else_in_its_place_later(self):
        node = self.node({"a": speaker("hold")})
        node.expect(r"hcrc: settled")
        others = [node.run_dir / f"notify.{number}" for number in range(1, 4)]
        for other in others:
            other.write_text("mine")
        layer = harness.write_layer(node.scratch / "next", {
            "a": speaker("hold"), "b": speaker("say", "READY=1", "hold", more=NOTIFY + '[restart]\ndelay = "50ms"\nattempts = "unlimited"')})
        harness.compile_layers(node.scratch / "next.db", layer)
        update = self.client(node, "update", node.scratch / "next.db")  # it waits until the new graph has settled
        node.expect(rf"hcrc: b: could not be started: no notify socket: {node.run_dir}/notify\.\d: something that is no socket is in its place: remove it")
        for other in others:
            other.unlink()
        node.expect(r"hcrc: b: ready")
        self.assertEqual(update.wait(harness.TIMEOUT), 0)


class Stopping(Ready):
    def test_who_ends_by_itself_is_not_asked_whether_it_is_well(self):
        # Another that is as silent, and says nothing of an end, is ended.
        gate = self.gate()
        node = self.node({"a": speaker("say", "READY=1|STOPPING=1|STATUS=saving", "wait", gate, "exit", 0,
                                       more=NOTIFY + '[health]\nwatchdog = "200ms"\n[restart]\npolicy = "on-failure"'),
                          "b": speaker("hold", more='[health]\nwatchdog = "200ms"\n[restart]\nattempts = 0')})
        node.expect(r"hcrc: a: ready", anywhere=True)
        self.status_is(node, "a", "saving")
        node.expect(r"hcrc: b: no watchdog message within 200ms", anywhere=True)
        self.assertEqual(node.service("a")["state"], "up")
        self.opened(gate)
        node.expect(r"hcrc: a: exited with 0", anywhere=True)
        self.eventually(lambda: node.service("a")["state"] == "down", "that was its end")

    def test_who_is_asked_to_end_may_ask_for_more_time(self):
        # The shell says so when it is asked; another that has the same time, and says nothing, is killed meanwhile.
        gate = self.gate()
        wait = shlex.join(speaker_command("say", "EXTEND_TIMEOUT_USEC=60000000", "print", "asked", "wait", gate))
        asks = f"trap '{wait}; exit 0' TERM; {shlex.join(speaker_command('say', 'READY=1'))}; while :; do sleep 1000 & wait; done"
        times = '[stop]\ntimeout = "2s"\n[restart]\npolicy = "never"'
        node = self.node({"a": f"command = {json.dumps(['bash', '-c', asks])}\n{NOTIFY}{times}",
                          "b": f"command = {json.dumps(['sh', '-c', 'trap : TERM; while :; do sleep 1000 & wait; done'])}\n{times}"})
        node.expect(r"hcrc: settled")
        for name in "ab":
            os.kill(node.service_pid(name), signal.SIGCONT)
        stops = [self.client(node, "stop", name) for name in "ab"]
        node.expect(r"^asked", anywhere=True)
        node.expect(r"hcrc: b: .*SIGKILL", anywhere=True)
        self.assertEqual(node.service("a")["state"], "stopping")
        self.opened(gate)
        self.assertEqual([stop.wait(harness.TIMEOUT) for stop in stops], [0, 0])
        self.assertEqual(node.count(r"hcrc: a: .*SIGKILL"), 0, node.story())

    def test_who_does_not_end_is_ended(self):
        node = self.node({"a": speaker("say", "READY=1|STOPPING=1", "hold",
                                       more=NOTIFY + '[stop]\ntimeout = "200ms"\n[restart]\ndelay = "0ms"')})
        node.expect(r"hcrc: a: said that it was stopping, and did not end within 200ms")
        node.expect(r"hcrc: a: .*started")


class Watchdog(Ready):
    def test_who_falls_silent_is_started_again(self):
        watched = '[health]\nwatchdog = "500ms"\n[restart]\ndelay = "0ms"'
        node = self.node({"a": speaker("env", "WATCHDOG_USEC", "say", "WATCHDOG=1|STATUS=once", "hold", more=watched)})
        node.expect(r"WATCHDOG_USEC=500000", anywhere=True)
        node.expect(r"hcrc: a: no watchdog message within 500ms")
        node.expect(r"hcrc: a: .*started")

    def test_without_a_socket_nobody_waits_for_a_word(self):
        # One is silent for longer than another, which is checked, takes to fail twice.
        node = self.node({"a": speaker("env", "WATCHDOG_USEC", "hold", more='[health]\nwatchdog = "50ms"'),
                          "b": 'command = ["sleep", "inf"]\n[health]\nexec = ["false"]\ninterval = "100ms"\nfailures = 5\n'},
                         run_dir="/proc/hcrc")
        node.expect(r"WATCHDOG_USEC=None", anywhere=True)
        node.expect(r"hcrc: b: health check failed 5 times", anywhere=True)
        self.assertEqual(node.count(r"hcrc: a: .*watchdog"), 0, node.story())


class Descriptor(Ready):
    def test_a_newline(self):
        gate = self.gate()
        node = self.node({"a": speaker("write", 3, "not yet", "print", "wrote", "wait", gate, "write", 3, "now|", "hold",
                                       more="[ready]\nfd = 3")})
        node.expect(r"^wrote", anywhere=True)
        self.assertEqual(node.service("a")["state"], "starting")
        self.opened(gate)
        node.expect(r"hcrc: a: ready", anywhere=True)

    def test_an_end_without_one_is_none(self):
        gate = self.gate()
        node = self.node({"a": speaker("write", 3, "never", "close", 3, "print", "closed", "wait", gate, "exit", 4,
                                       more="[ready]\nfd = 3\n[restart]\nattempts = 0")})
        node.expect(r"^closed", anywhere=True)
        self.assertEqual(node.service("a")["state"], "starting")
        self.opened(gate)
        node.expect(r"hcrc: a: exited with 4", anywhere=True)
        self.assertEqual(node.count(r"a: ready"), 0)


class Probes(Ready):
    def test_tcp_http_and_commands(self):
        gate = self.gate()
        answer = "HTTP/1.1 404 Not Found\r\n\r\n"
        place = self.scratch()
        fast = 'interval = "20ms"\n'
        node = self.node({
            "tcp": speaker("wait", gate, "serve", 4001, "", "hold", more='[ready]\ntcp = "127.0.0.1:4001"\n' + fast),
            "http": speaker("serve", 4002, answer, "hold", more='[ready]\nhttp = "127.0.0.1:4002/x"\n' + fast),
            "mute": speaker("serve", 4003, "not http\n", "hold",
                            more='[ready]\nhttp = "127.0.0.1:4003"\ntimeout = "500ms"\n' + fast + "[restart]\nattempts = 0"),
            "command": f'command = ["sleep", "inf"]\n[ready]\nexec = ["test", "-e", "{place}/there"]\n' + fast})
        node.expect(r"hcrc: http: ready", anywhere=True)
        node.expect(r"hcrc: mute: not ready within 500ms", anywhere=True)
        self.assertEqual([node.service(name)["state"] for name in ("tcp", "command")], ["starting", "starting"])
        self.opened(gate)
        (place / "there").touch()
        node.expect(r"hcrc: tcp: ready", anywhere=True)
        node.expect(r"hcrc: command: ready", anywhere=True)

    def test_http_finds_a_hang_that_tcp_does_not(self):
        # The kernel accepts connections for a stopped process.
        check = 'interval = "50ms"\ntimeout = "100ms"\n'
        node = self.node({
            "tcp": speaker("serve", 4001, "", "say", "READY=1", "hold", more=NOTIFY + '[health]\ntcp = "127.0.0.1:4001"\n' + check),
            "http": speaker("serve", 4002, "HTTP/1.1 200 OK\r\n\r\n", "say", "READY=1", "hold",
                            more=NOTIFY + '[health]\nhttp = "127.0.0.1:4002"\n' + check)})
        node.settle("--up")
        node.kill("tcp", signal.SIGSTOP)
        node.kill("http", signal.SIGSTOP)
        node.expect(r"hcrc: http: health check failed 3 times")
        node.expect(r"hcrc: http: ready")
        self.assertEqual(node.count(r"hcrc: tcp: health"), 0, node.story())

    def test_a_check_that_hangs_fails(self):
        node = self.node({"a": 'command = ["sleep", "inf"]\n[health]\nexec = ["sh", "-c", "sleep 1000 & wait"]\ninterval = "20ms"\n'
                               'timeout = "50ms"\nfailures = 2\n[restart]\ndelay = "0ms"'})
        node.expect(r"hcrc: a: health check failed 2 times")
        node.expect(r"hcrc: a: .*started")
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0, node.story())


if __name__ == "__main__":
    harness.main()
