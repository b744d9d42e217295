"""One machine from power-on to power-off: what dies is brought back, by whom it should be, and never twice."""

import base64
import gzip
import pathlib
import re
import tempfile
import time
import unittest

from machine import Machine, figure, harness, make_iso

SERVICE = "rc-service holochain-container"
KILL = "kill -9 $(pidof {})"
# What has the number of a supervise-daemon that was killed: somebody else, or one of its name whom nobody reaps.
HEIR = "sh -c '{} >/run/holochain-container.pid; echo $$ >/tmp/heir; exec sleep 1000' &"
STRANGER = HEIR.format("echo $$")
ZOMBIE = HEIR.format("/tmp/supervise-daemon & echo $!")
KILL_INIT = "kill -9 $(runc state holochain | sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p')"


class Life(unittest.TestCase):
    """The tests are steps of one life, in the order of their names."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="hcrc-holos-")
        began = time.monotonic()
        iso = make_iso(cls.folder.name)
        figure(f"image, bundle and ISO made in {time.monotonic() - began:.0f} s, {iso.stat().st_size >> 20} MiB")
        cls.machine = Machine(iso)

    @classmethod
    def tearDownClass(cls):
        cls.machine.close()
        cls.folder.cleanup()

    def setUp(self):
        self.readies = self.machine.count(r"Conductor ready\.")

    def ready_again(self, times=1):
        """The conductor's next word that it is ready."""
        deadline = time.monotonic() + 60
        while self.machine.count(r"Conductor ready\.") < self.readies + times:
            self.assertLess(time.monotonic(), deadline, self.machine.story())
            self.machine.shell("true")

    def one_conductor(self):
        """Exactly one now, and the witness has never seen a second."""
        self.assertEqual(len(self.machine.pids("holochain")), 1, self.machine.story())
        self.assertNotEqual(self.machine.shell("ls /data/holochain/var/stand-in-second-copy")[0], 0)
        self.assertEqual(len(re.findall(r"\brunning\b", self.machine.shell("runc list")[1])), 1)

    def up(self):
        self.machine.until("hcrc --run-dir /run/hcrc wait --up --timeout 60s; echo up=$?", "up=0")

    def pass_on(self, heir):
        if heir:
            self.machine.shell("printf '#!/bin/sh\\n' >/tmp/supervise-daemon; chmod 755 /tmp/supervise-daemon; rm -f /tmp/heir")
            self.machine.shell(f"{heir} true")
            self.machine.until("cat /tmp/heir", r"\d")

    def end_heir(self, heir):
        if heir:
            self.assertEqual(self.machine.shell("kill -9 $(cat /tmp/heir)")[0], 0, "whoever had the number was ended")

    def mischief(self, text):
        """What the stand-in does at its next start."""
        self.assertEqual(self.machine.shell(f"printf '{text}\\n' >/data/holochain/var/stand-in")[0], 0)

    def test_01_boots_to_ready(self):
        machine = self.machine
        line = machine.expect(r"Conductor ready\.")
        _, uptime = machine.shell("cat /proc/uptime")
        since = float(uptime.split()[0]) - (time.monotonic() - machine.console.started - line.at)
        figure(f"from kernel start to `Conductor ready.`: {since:.1f} s (QEMU without KVM)")
        for pattern in (r"OpenRC .* is starting up", r"Starting holochain-container", r"hcrc: starting: 4 services",
                        r"hcrc: holochain-container: started", r"hcrc: holochain-container: ready"):
            machine.expect(pattern)
        machine.expect("data: no disk is labelled holochain-data: the node's data lies in memory")
        self.up()
        self.one_conductor()
        _, inside = machine.shell("runc exec holochain hcrc status")
        self.assertRegex(inside, r"holochain +up")
        # Every service has its cgroup, in the machine and in its container.
        for group in ("holochain-container/hcrc-*/holochain-container.service", "holochain/hcrc-1/holochain.service"):
            code, pids = machine.shell(f"cat /sys/fs/cgroup/{group}/cgroup.procs")
            self.assertTrue(code == 0 and pids.split(), f"{group}: {pids}\n{machine.shell('find /sys/fs/cgroup -type d; mount')[1]}")
        self.assertIn("nsdelegate", machine.shell("grep cgroup2 /proc/mounts")[1], "the container could lift its own limits")

    def test_02_the_conductor_killed(self):
        _, before = self.machine.shell("runc state holochain | grep '\"pid\"'")
        self.machine.shell(KILL.format("holochain"))
        self.ready_again()
        self.machine.expect(r"holochain-container: hcrc: holochain: killed by SIGKILL after .*, restart 1 of 5")
        self.assertEqual(self.machine.shell("runc state holochain | grep '\"pid\"'")[1], before)
        self.one_conductor()

    def test_03_the_containers_init_killed(self):
        self.machine.shell(KILL_INIT)
        self.ready_again()
        self.machine.expect(r"hcrc: holochain-container: .*restart 1 of 5")
        self.up()
        self.one_conductor()

    def test_04_runc_itself_killed(self):
        # Its container lives on, with an id that is taken: it is stopped in order, and deleted.
        self.machine.shell(f"kill -9 {self.machine.status()['holochain-container']['pid']}")
        self.ready_again()
        self.machine.expect("container: one is left over from before: stopping it")
        self.up()
        self.one_conductor()

    def test_05_the_outer_hcrc_killed(self):
        goodbyes = self.machine.count("goodbye")
        self.machine.shell(KILL.format("hcrc-init"))
        self.ready_again()
        self.assertGreater(self.machine.count("goodbye"), goodbyes)
        self.up()
        self.one_conductor()
        _, trees = self.machine.shell("ls -d /sys/fs/cgroup/holochain-container/hcrc-*")
        self.assertEqual(len(trees.split()), 1, "the groups of the one that was killed are gone")

    def test_06_killed_before_the_conductor_is_ready(self):
        victims = {
            "the conductor": KILL.format("holochain"),
            "the container's init": KILL_INIT,
            "the outer hcrc": KILL.format("hcrc-init"),
            "supervise-daemon": f"{KILL.format('supervise-daemon')}; {SERVICE} restart",
        }
        for victim, command in victims.items():
            with self.subTest(victim):
                self.mischief("ready-after = 4s")
                self.machine.shell(KILL.format("holochain"))
                self.machine.until("runc exec holochain hcrc status holochain", "starting")
                readies = self.machine.count(r"Conductor ready\.")
                self.machine.shell(command)
                self.readies = readies
                self.ready_again()
                self.up()
                self.one_conductor()
        self.mischief("")

    def test_07_supervise_daemon_killed(self):
        # hcrc goes on; the next restart ends it in order first.
        before = self.machine.pids("holochain")
        self.machine.shell(KILL.format("supervise-daemon"))
        self.assertEqual(self.machine.status()["holochain-container"]["state"], "up")
        self.assertEqual(self.machine.pids("holochain"), before)
        self.pass_on(STRANGER)
        self.machine.shell(f"{SERVICE} restart")
        self.ready_again()
        self.up()
        self.one_conductor()
        self.end_heir(STRANGER)
        self.assertEqual(len(self.machine.pids("supervise-daemon")), 1)

    def test_08_supervise_daemon_killed_and_started(self):
        for heir in (STRANGER, ZOMBIE, ""):
            with self.subTest(heir):
                self.readies = self.machine.count(r"Conductor ready\.")
                self.machine.shell(KILL.format("supervise-daemon"))
                self.pass_on(heir)
                code, said = self.machine.shell(f"{SERVICE} zap; {SERVICE} start")
                self.assertEqual(code, 0, said)
                self.assertIn("a node that nobody looks after is running: stopping it first", said)
                self.ready_again()
                self.up()
                self.one_conductor()
                self.end_heir(heir)

    def test_09_status_reload_stop_start(self):
        code, said = self.machine.shell(f"{SERVICE} status")
        self.assertEqual(code, 0, said)
        self.assertIn("status: started", said)
        self.assertRegex(said, r"holochain-container +\S*up")
        self.assertEqual(self.machine.shell(f"{SERVICE} reload")[0], 0)
        self.machine.expect("hcrc: another graph is in force: 4 as before")
        began = time.monotonic()
        self.assertEqual(self.machine.shell(f"{SERVICE} stop")[0], 0)
        figure(f"rc-service stop: {time.monotonic() - began:.1f} s")
        self.assertEqual(self.machine.pids("holochain"), [])
        self.assertEqual(self.machine.pids("hcrc-init"), [])
        self.assertIn("status: stopped", self.machine.shell(f"{SERVICE} status")[1])
        self.assertEqual(self.machine.shell(f"{SERVICE} start")[0], 0)
        self.ready_again()
        self.one_conductor()

    def test_10_restart(self):
        self.assertEqual(self.machine.shell(f"{SERVICE} restart")[0], 0)
        self.ready_again()
        self.up()
        self.one_conductor()

    def test_11_stop_before_ready(self):
        self.mischief("ready-after = never")
        self.machine.shell(KILL.format("holochain"))
        self.machine.until("runc exec holochain hcrc status holochain", "starting")
        self.stop_and_nothing_starts()

    def test_12_stop_during_backoff(self):
        # The container's own init dies at once, again and again: the outer hcrc waits between its attempts.
        self.machine.shell("mv /usr/share/holochain/bundle/rootfs/etc/hcrc/node.db /tmp/")
        self.machine.shell(f"sed -i 's/^hcrc_wait=.*/hcrc_wait=1s/' /etc/conf.d/holochain-container; "
                           f"cp /tmp/node.db /tmp/kept.db; echo broken >/usr/share/holochain/bundle/rootfs/etc/hcrc/node.db; {SERVICE} start")
        self.machine.until("hcrc --run-dir /run/hcrc status holochain-container", "backoff")
        self.stop_and_nothing_starts()
        self.machine.shell("cp /tmp/kept.db /usr/share/holochain/bundle/rootfs/etc/hcrc/node.db; rm -f /data/holochain/var/stand-in; "
                           "sed -i 's/^hcrc_wait=.*/hcrc_wait=90s/' /etc/conf.d/holochain-container")

    def stop_and_nothing_starts(self):
        began = time.monotonic()
        self.assertEqual(self.machine.shell(f"{SERVICE} stop")[0], 0)
        took = time.monotonic() - began
        self.assertLess(took, 30, "a timeout was waited out")
        starts = self.machine.count(r"(started|starting), pid|Conductor ready")
        self.assertEqual(self.machine.pids("holochain") + self.machine.pids("hcrc-init") + self.machine.pids("supervise-daemon"), [])
        self.machine.shell("sleep 3")  # longer than the respawn delay
        self.assertEqual(self.machine.count(r"(started|starting), pid|Conductor ready"), starts)

    def test_13_limits(self):
        # A runtime of its own in a group of its own: here the kernel has the controllers.
        machine = self.machine
        self.bring("limits.db", {
            "limited": 'command = ["sleep", "1000"]\n[resources]\nmemory-max = "16M"\ncpu-max = "50%"\npids-max = 10\nrequired = true',
            "eater": 'command = ["tail", "/dev/zero"]\n[resources]\nmemory-max = "8M"\n[restart]\nattempts = 1\ndelay = "10ms"',
            "bomb": 'command = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; wait"]\n'
                    '[resources]\npids-max = 5\n[restart]\nattempts = 0',
            "free": 'command = ["sleep", "1000"]',
        })
        begin = ("mkdir -p /sys/fs/cgroup/{0}; (echo 0 >/sys/fs/cgroup/{0}/cgroup.procs; "
                 "exec hcrc-init --db /tmp/limits.db --run-dir /run/{0}) >/tmp/{0}.log 2>&1 & ")
        machine.shell(begin.format("trial") + "hcrc --run-dir /run/trial wait --settled --timeout 60s")
        group = "/sys/fs/cgroup/trial/hcrc-*"
        self.assertEqual(machine.shell(f"cd {group}/limited.service; cat memory.max cpu.max pids.max")[1],
                         f"{16 << 20}\n50000 100000\n10\n")
        self.assertEqual(machine.shell(f"cd {group}/free.service; cat memory.max cpu.max pids.max")[1], "max\nmax 100000\nmax\n")
        log = machine.until("cat /tmp/trial.log", "eater: .*used up")
        self.assertRegex(log, r"eater: killed by SIGKILL: out of memory \(limit 8M\) .*, restart 1 of 1")
        self.assertRegex(log, r"(?i)can't fork|cannot fork", log)
        self.assertNotIn("is not in force", log)
        machine.shell("hcrc --run-dir /run/trial shutdown")
        machine.until("ls -d /sys/fs/cgroup/trial/hcrc-* 2>/dev/null || echo gone", "gone")
        machine.until("cat /sys/fs/cgroup/trial/cgroup.events", "populated 0")  # it ends after it has tidied up
        self.assertEqual(machine.shell("rmdir /sys/fs/cgroup/trial")[0], 0, "the group is as it was: empty, and nothing in it")
        # Where others are in its group, limits cannot be had: one line, and what requires them does not start.
        machine.shell("mkdir /sys/fs/cgroup/shared; (echo 0 >/sys/fs/cgroup/shared/cgroup.procs; exec sleep 1000) & "
                      + begin.format("shared") + "hcrc --run-dir /run/shared wait --settled --timeout 60s")
        log = machine.until("cat /tmp/shared.log", "limited: .*used up")
        self.assertRegex(log, r"limited: .*memory-max 16M: the cgroup of this runtime, /sys/fs/cgroup/shared, holds processes")
        self.assertRegex(log, r"eater: \[resources\] is not in force: memory-max 8M: the cgroup of this runtime")
        machine.shell("hcrc --run-dir /run/shared shutdown; hcrc --run-dir /run/shared wait --down --timeout 30s; "
                      "echo 1 >/sys/fs/cgroup/shared/cgroup.kill")

    def bring(self, name, services):
        """Compiles a database and lays it into the machine's /tmp."""
        with tempfile.TemporaryDirectory(prefix="hcrc-bring-") as folder:
            done = harness.compile_layers(f"{folder}/{name}", harness.write_layer(f"{folder}/services.d", services))
            self.assertEqual(done.returncode, 0, done.stderr)
            text = base64.b64encode(gzip.compress(pathlib.Path(folder, name).read_bytes(), mtime=0)).decode()
        self.machine.shell(f": >/tmp/{name}.64")
        for at in range(0, len(text), 1000):  # a terminal's line ends somewhere above
            self.machine.shell(f"echo {text[at:at + 1000]} >>/tmp/{name}.64")
        self.assertEqual(self.machine.shell(f"base64 -d </tmp/{name}.64 | gunzip >/tmp/{name}")[0], 0)

    def test_14_power_off(self):
        self.assertEqual(self.machine.shell(f"{SERVICE} start")[0], 0)
        self.ready_again()
        goodbyes = self.machine.count("goodbye")
        began = time.monotonic()
        self.machine.shell("poweroff")
        self.assertEqual(self.machine.off(), 0)
        took = time.monotonic() - began
        figure(f"poweroff to off: {took:.1f} s")
        self.assertEqual(self.machine.count("goodbye"), goodbyes + 1)
        self.assertLess(took, 60)
        story = self.machine.story()
        self.assertLess(story.rindex("hcrc: stopped after"), story.index("Requesting system poweroff"))


if __name__ == "__main__":
    unittest.main()
