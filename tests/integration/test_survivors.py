"""Never two copies: a runtime that is killed and started again, by a shell's loop, ends what the killed one left before it
starts anything. The stand-in conductor's own lock is the witness."""

import os
import random
import signal
import time

import harness
from test_node import LIB, ShippedNode

ROUNDS = 100

# The conductor's `lock` would keep copies apart, too: with another one in each round only the records do.
LAYER = {"holochain.toml": """
override = "merge"
lock = "${HCRC_DATA}/holochain/var/conductor-${ROUND}.lock"
[stop]
timeout = "400ms"
"""}

LOOP = """
n=0
while :; do
  n=$((n + 1))
  ROUND=$n "$@"
  code=$?
  echo "loop: round $n ended with $code"
  [ $code != 0 ] || exit 0
done
"""


class Killed(ShippedNode):
    def loop(self, layer, mischief=""):
        folder = self.scratch()
        data = folder / "data/holochain/var"
        data.mkdir(parents=True)
        (data / "stand-in").write_text(mischief, encoding="utf-8")
        done = harness.compile_layers(folder / "node.db", harness.SERVICES, harness.write_layer(folder / "services.d", layer))
        self.assertEqual(done.returncode, 0, done.stderr)
        variables = {"HCRC_DATA": folder / "data", "HCRC_LIB": LIB, "HCRC_USER": os.geteuid(), "HCRC_CONDUCTOR": harness.STAND_IN,
                     "HCRC_PASSPHRASE_FILE": folder / "passphrase", "HCRC_LOGROTATE": "/no/logrotate"}
        enter = [harness.PYTHON, "-I", "-S", harness.ROOT / "tests/integration/enter.py", '{"net": true}']
        program = self.program("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--net", *enter,
                               "sh", "-c", '"$@" & wait $!', "sh", "sh", "-c", LOOP, "sh", harness.BIN / "hcrc-init", "--db", folder / "node.db",
                               "--run-dir", folder / "run", env=harness.environment(**variables))
        self.data = data
        return program

    def runtime(self, program, than=None):
        """The machine's pid of the runtime, when it is another one than before."""
        def look():
            # Orphans go to PID 1, and one that was forked and has not executed yet is called as the runtime is.
            first = next(iter(harness.children(program.pid)), None)
            loop = next(iter(harness.children(first)), None) if first else None
            pid = next(iter(harness.children(loop)), None) if loop else None
            return pid if pid and pid != than and harness.command_name(pid) == "hcrc-init" else None
        return self.eventually(look, "the loop has started a runtime")

    def ends_well(self, program, than):
        program.expect(r"Conductor ready\.")
        os.kill(self.runtime(program, than), signal.SIGTERM)
        self.assertEqual(program.wait(), 0)
        self.assertFalse((self.data / "stand-in-second-copy").exists(), program.story())
        self.assertEqual(program.count("SECOND COPY"), 0)

    def test_a_hundred_times(self):
        program = self.loop(LAYER)
        chance, killed = random.Random(1), None
        for number in range(ROUNDS):
            fresh = self.runtime(program, killed)
            if number % 2 == 0:
                program.expect(r"Conductor ready\.")
            else:
                time.sleep(chance.uniform(0, 0.06))  # a moment on its way up
            os.kill(fresh, signal.SIGKILL)
            killed = fresh
            program.expect(rf"loop: round {number + 1} ended with 137")
        self.ends_well(program, killed)
        found = program.count(r"holochain: pid \d+ is left of a runtime that was killed")
        harness.figure(f"{ROUNDS} runtimes killed, {found} of their conductors found and ended, never two at once")
        self.assertGreaterEqual(found, ROUNDS // 2)
        self.assertGreater(program.count("goodbye"), ROUNDS // 2, "the stand-in's word for a clean end")

    def test_in_stop_order(self):
        program = self.loop(LAYER)
        program.expect(r"Conductor ready\.")
        first = self.runtime(program)
        os.kill(first, signal.SIGKILL)
        program.expect(r"hcrc: holochain: pid \d+ is left")
        program.expect(r"hcrc: holochain-log: pid \d+ is left")
        self.ends_well(program, first)
        log = (self.data.parent.parent / "logs/holochain.log").read_text(encoding="utf-8")
        self.assertEqual(log.count("goodbye"), 2, "the log of the first one was still there to write its last line")

    def test_one_that_refuses_to_stop(self):
        program = self.loop(LAYER, "stop = ignore\n")
        program.expect(r"Conductor ready\.")
        first = self.runtime(program)
        os.kill(first, signal.SIGKILL)
        program.expect(r"hcrc: holochain: pid \d+ did not end in time: SIGKILL")
        self.ends_well(program, first)

    def test_a_leader_that_is_dead_too(self):
        program = self.loop(LAYER, "leftovers = 2\nstubborn = yes\n")
        program.expect(r"Conductor ready\.")
        first = self.runtime(program)
        conductor = next(pid for pid in harness.children(first) if harness.command_name(pid).startswith("stand-in-conduc"))
        os.kill(first, signal.SIGSTOP)  # so that it cannot see to it
        os.kill(conductor, signal.SIGKILL)
        os.kill(first, signal.SIGKILL)
        program.expect(r"hcrc: holochain: pid \d+ is left")
        program.expect(r"hcrc: holochain: pid \d+ did not end in time: SIGKILL")
        self.ends_well(program, first)

    def test_a_stop_while_they_are_ended(self):
        program = self.loop(LAYER, "stop = ignore\n")
        program.expect(r"Conductor ready\.")
        first = self.runtime(program)
        os.kill(first, signal.SIGKILL)
        second = self.runtime(program, first)
        program.expect(r"hcrc: holochain: pid \d+ is left")
        os.kill(second, signal.SIGTERM)
        self.assertEqual(program.wait(), 0)
        self.assertEqual(program.count(r"Conductor ready\."), 1, "nothing is started any more")

    def test_records_of_a_namespace_that_is_gone(self):
        # The same numbers mean other processes there.
        folder = self.scratch()
        for _ in range(2):
            node = self.shipped(scratch=folder, pid1=False)
            node.expect(r"Conductor ready\.")
            self.assertEqual(node.count("is left of a runtime"), 0)
            node.close()


if __name__ == "__main__":
    harness.main()
