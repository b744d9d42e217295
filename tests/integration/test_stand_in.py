"""The stand-in conductor behaves as the conductor does, and misbehaves as told.

Where a real `holochain` is on PATH, what must be alike is asked of it too: class RealConductor runs the same tests.
"""

import os
import signal
import socket
import unittest

import harness

GOOD = """\
data_root_path: {data}
keystore:
  type: lair_server_in_proc
  lair_root: {data}/ks
admin_interfaces:
  - driver:
      type: websocket
      port: {port}
      allowed_origins: "*"
network:
  bootstrap_url: https://bootstrap.example.org
  signal_url: wss://signal.example.org
"""

FLOW = """\
data_root_path: {data}   # in flow form
keystore: {{ type: lair_server_in_proc, lair_root: "{data}/ks" }}
admin_interfaces: [{{ driver: {{ type: websocket, port: {port}, allowed_origins: "*" }} }}]
network: {{ bootstrap_url: "https://bootstrap.example.org",
           signal_url: "wss://signal.example.org" }}
"""


def knock(port, headers, host="127.0.0.1", timeout=harness.TIMEOUT):
    """Sends a request; everything that comes back until the other side closes, or the empty line."""
    with socket.create_connection((host, port), timeout=timeout) as connection:
        connection.sendall(("GET / HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n").encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = connection.recv(4096)
            if not data:
                break
            answer += data
        return answer.decode()


UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


class ConductorTest(harness.NodeTest):
    program_path = harness.STAND_IN

    def setUp(self):
        super().setUp()
        self.folder = self.scratch()
        self.data = self.folder / "d"
        self.port = harness.free_port()
        self.configuration = self.folder / "c.yaml"
        self.configure(GOOD)

    def configure(self, text, **values):
        self.configuration.write_text(text.format(**{"data": self.data, "port": self.port, **values}))

    def conductor(self, passphrase=b"y\n", command=(), **env):
        """Starts one; stdin holds the passphrase and then ends."""
        reader, writer = os.pipe()
        os.write(writer, passphrase)
        os.close(writer)
        started = self.program(*command, self.program_path, "--piped", "--config-path", self.configuration,
                               stdin=reader, env=harness.environment(**env))
        os.close(reader)
        return started

    def interrupt(self, conductor):
        """SIGINT as soon as it is caught: the real conductor says that it is ready a moment before."""
        def caught():
            with open(f"/proc/{conductor.pid}/status", encoding="ascii", errors="replace") as status:
                mask = next(line for line in status if line.startswith("SigCgt:")).split()[1]
            return int(mask, 16) & 1 << signal.SIGINT - 1
        self.eventually(caught, "SIGINT is caught")
        conductor.send(signal.SIGINT)

    def code(self, *arguments, **options):
        return self.conductor(*arguments, **options).wait()


class Alike:
    """What holds for the real one and for the stand-in."""

    def test_ready_then_ends_cleanly_on_sigint(self):
        conductor = self.conductor()
        conductor.expect("^Conductor ready[.]$")
        self.interrupt(conductor)
        self.assertEqual(conductor.wait(), 0)

    def test_tells_the_notify_socket(self):
        path = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            notify.settimeout(harness.TIMEOUT)
            self.conductor(NOTIFY_SOCKET=path)
            self.assertIn("READY=1", notify.recv(4096).decode().splitlines())

    def test_answers_handshakes_on_both_loopbacks(self):
        self.conductor().expect("^Conductor ready[.]$")
        for host in ("127.0.0.1", "::1"):
            self.assertTrue(knock(self.port, UPGRADE, host).startswith("HTTP/1.1 400"), host)
            answer = knock(self.port, UPGRADE + "Origin: http://x\r\n", host)
            self.assertTrue(answer.startswith("HTTP/1.1 101"), answer)
            self.assertIn("s3pplmbitxaq9kygzzhzrbk+xoo=", answer.lower())  # RFC 6455, section 1.3
            self.assertEqual(knock(self.port, "", host), "")

    def test_other_signals_kill_at_once(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            conductor = self.conductor()
            conductor.expect("^Conductor ready[.]$")
            conductor.send(number)
            self.assertEqual(conductor.wait(), -number)

    def test_bad_configuration_is_42(self):
        good = GOOD.format(data=self.data, port=self.port)
        for bad in ("bla:\n", "{", good.replace("data_root_path", "data_root"), good.replace("signal_url", "relay_url"),
                    good.replace("  bootstrap_url", "bootstrap_url"), "\t" + good):
            self.configure(bad.replace("{", "{{").replace("}", "}}"))
            self.assertEqual(self.code(), 42, bad)
        self.configuration.unlink()
        self.assertEqual(self.code(), 42)

    def test_data_folder_that_cannot_be_made_is_42(self):
        (self.folder / "file").write_text("")
        self.configure(GOOD, data=self.folder / "file" / "d")
        self.assertEqual(self.code(), 42)

    def test_wrong_passphrase_is_101(self):
        for passphrase, code in ((b"y\n", 0), (b"y", 0), (b"y\r\nmore", 0), (b"n\n", 101), (b"", 101), (b"y\n", 0)):
            conductor = self.conductor(passphrase)
            if code == 0:
                conductor.expect("^Conductor ready[.]$")
                self.interrupt(conductor)
            self.assertEqual(conductor.wait(), code, passphrase)

    def test_port_taken_is_101(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            self.assertEqual(self.code(), 101)

    def test_path_too_long_is_101(self):
        self.data = self.folder / ("x" * 100)
        self.configure(GOOD)
        self.assertEqual(self.code(), 101)

    @harness.need_root
    def test_unwritable_data_is_101(self):
        self.data.mkdir()
        self.assertEqual(self.code(command=("setpriv", "--reuid=4711", "--clear-groups")), 101)

    def test_version(self):
        done = harness.run(self.program_path, "--version")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith("holochain 0.5.6"), done.stdout)


class StandIn(ConductorTest, Alike):
    def tell(self, *settings):
        self.data.mkdir(exist_ok=True)
        (self.data / "stand-in").write_text("".join(setting + "\n" for setting in settings))

    def ready(self, **options):
        conductor = self.conductor(**options)
        conductor.expect("^Conductor ready[.]$")
        return conductor

    def test_configuration_in_flow_form(self):
        self.configure(FLOW)
        self.ready()

    def test_says_goodbye(self):
        conductor = self.ready()
        conductor.send(signal.SIGINT)
        self.assertEqual(conductor.wait(), 0)
        conductor.expect("^stand-in-conductor: goodbye$")

    def test_sigint_before_ready_kills_by_the_signal(self):
        self.tell("ready-after = never")
        conductor = self.conductor()
        self.eventually((self.data / "ks/stand-in-passphrase").exists, "it has read its passphrase")
        conductor.send(signal.SIGINT)
        self.assertEqual(conductor.wait(), -signal.SIGINT)

    def test_second_copy_is_noticed(self):
        first = self.ready()
        self.port = harness.free_port()
        self.configure(GOOD)
        self.assertEqual(self.code(), 75)
        self.assertIn(f"pid {first.pid} on ", (self.data / "stand-in-second-copy").read_text())
        first.send(signal.SIGKILL)
        first.wait()
        self.ready()

    def test_crashes_as_told(self):
        for crash, code in (("exit:3", 3), ("signal:SEGV", -signal.SIGSEGV), ("signal:9", -9)):
            self.assertEqual(self.ready(STAND_IN_CRASH=crash).wait(), code)
        early = self.conductor(STAND_IN_CRASH="exit:42", STAND_IN_CRASH_AT="start")
        self.assertEqual(early.wait(), 42)
        self.assertEqual(early.count("ready"), 0)

    def test_crashes_after_a_time(self):
        late = self.ready(STAND_IN_CRASH="exit:3", STAND_IN_CRASH_AFTER="80ms")
        self.assertEqual(late.wait(), 3)

    def test_the_file_goes_before_the_environment_and_starts_are_counted(self):
        self.tell("crash = exit:7", "starts = 2")
        self.assertEqual([self.ready(STAND_IN_CRASH="exit:3").wait() for _ in range(2)], [7, 7])
        third = self.ready(STAND_IN_CRASH="exit:3")
        third.send(signal.SIGINT)
        self.assertEqual(third.wait(), 0)

    def test_hangs(self):
        conductor = self.ready(STAND_IN_HANG_AFTER="0ms")
        with self.assertRaises(TimeoutError):
            knock(self.port, UPGRADE, timeout=0.2)
        conductor.send(signal.SIGINT)
        conductor.send(signal.SIGTERM)
        self.assertEqual(conductor.wait(), -signal.SIGTERM)

    def test_refuses_to_stop(self):
        conductor = self.ready(STAND_IN_STOP="ignore")
        conductor.send(signal.SIGINT)
        self.assertTrue(knock(self.port, UPGRADE).startswith("HTTP/1.1 400"))
        conductor.send(signal.SIGKILL)
        self.assertEqual(conductor.wait(), -signal.SIGKILL)

    def test_takes_its_time_to_stop(self):
        conductor = self.ready(STAND_IN_STOP="100ms")
        conductor.send(signal.SIGINT)
        self.assertEqual(conductor.wait(), 0)

    def test_floods_its_log(self):
        conductor = self.ready(STAND_IN_FLOOD="1000")
        conductor.expect("^flood 1000 ")

    def test_leaves_children_behind(self):
        code = ("import subprocess, sys; child = subprocess.Popen(sys.argv[1:]); sys.stdin.close(); print(child.pid, flush=True);"
                "sys.exit(child.wait())")
        conductor = self.conductor(
            command=("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", harness.PYTHON, "-c", code),
            STAND_IN_LEFTOVERS="1", STAND_IN_LEFTOVERS_SESSION="2")
        conductor.expect("^Conductor ready[.]$")
        init = harness.children(conductor.pid)[0]
        copy = harness.children(init)[0]
        wanted = ["stand-in-far", "stand-in-far", "stand-in-near"]
        self.eventually(lambda: sorted(map(harness.command_name, harness.children(copy))) == wanted, "three children")

    def test_an_unknown_setting_is_refused(self):
        self.tell("crush = exit:3")
        self.assertEqual(self.code(), 100)

    def test_usage(self):
        self.assertEqual(harness.run(self.program_path).returncode, 100)
        self.assertIn("crash-after", harness.run(self.program_path, "--help").stdout)


@unittest.skipUnless(harness.real_conductor(), harness.ALLOWED_SKIP + "no holochain on PATH")
class RealConductor(ConductorTest, Alike):
    program_path = harness.real_conductor()



if __name__ == "__main__":
    harness.main()
