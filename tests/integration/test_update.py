"""Updates of running nodes, with the real programs: what keeps its process and what does not, by SIGHUP and by `hcrc update`;
databases that are no good; and updates in the middle of something else."""

import os
import shutil
import signal
import unittest

import harness

SLEEP = 'command = ["sleep", "inf"]\n'
# A program that hears SIGTERM and takes a while over it: it goes when a file appears.
SLOW = '''command = ["sh", "-c", "trap 'while ! test -e %s; do sleep 0.02; done; exit 0' TERM; while :; do sleep 0.02; done"]
[stop]
timeout = "60s"
'''


def chain():
    """user requires base, which requires setup; other is by itself."""
    return {
        "setup": 'type = "oneshot"\ncommand = ["true"]\n',
        "base": SLEEP + 'requires = ["setup"]\n',
        "user": SLEEP + 'requires = ["base"]\n',
        "other": SLEEP,
    }


class Update(harness.NodeTest):
    def compiled(self, node, services, name="next.db"):
        """Another database beside the node's."""
        folder = node.scratch / (name + ".d")
        shutil.rmtree(folder, ignore_errors=True)
        database = node.scratch / name
        done = harness.compile_layers(database, harness.write_layer(folder, services))
        self.assertEqual(done.returncode, 0, done.stderr)
        return database

    def replace(self, node, services):
        """Another database in the place of the one that the node was started with, as an image's update would put it."""
        os.replace(self.compiled(node, services), node.database)

    def pids(self, node):
        return {name: service["pid"] for name, service in node.status()["services"].items()}

    def up(self, services, **options):
        node = self.node(services, **options)
        node.settle("--up")
        return node

    def updated(self, node, database, *words, code=0):
        done = node.hcrc("update", database, *words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr + node.story())
        return done.stdout if code == 0 else done.stderr


class WhatChanges(Update):
    def test_only_words_and_care_changed_and_no_process_ends(self):
        node = self.up(chain())
        before = self.pids(node)
        after = chain()
        after["base"] += 'description = "new words"\n[restart]\nattempts = 17\n'
        after["other"] += 'requires = ["base"]\n[stop]\ntimeout = "3s"\n'
        told = self.updated(node, self.compiled(node, after))
        self.assertIn("= base", told)
        self.assertIn("= other", told)
        self.assertIn("2 as before", told)
        self.assertEqual(self.pids(node), before)
        self.assertEqual(node.service("base")["description"], "new words")
        # The new edge is in force.
        self.assertEqual(node.hcrc("stop", "base").returncode, 0)
        self.assertEqual(node.service("other")["state"], "waiting")

    def test_the_same_database_changes_nothing(self):
        node = self.up(chain())
        before = self.pids(node)
        self.assertEqual(self.updated(node, self.compiled(node, chain())), "4 as before\n")
        self.assertEqual(self.pids(node), before)

    def test_a_changed_command_restarts_that_one_and_its_dependents(self):
        node = self.up(chain())
        before = self.pids(node)
        after = chain()
        after["base"] = 'command = ["sleep", "12345678"]\nrequires = ["setup"]\n'
        told = self.updated(node, self.compiled(node, after))
        self.assertRegex(told, r"! base +restarted\n")
        self.assertRegex(told, r"! user +restarted along with base\n")
        now = self.pids(node)
        self.assertEqual(now["other"], before["other"])
        self.assertNotEqual(now["base"], before["base"])
        self.assertNotEqual(now["user"], before["user"])
        self.assertLess(node.position(r"hcrc: user: stopped"), node.position(r"hcrc: base: stopped"))
        self.assertEqual(node.count(r"hcrc: setup: done"), 1)
        self.assertEqual(node.service("base")["restarts"], 0)

    def test_a_dry_run_tells_the_same_and_does_nothing(self):
        node = self.up(chain())
        before = self.pids(node)
        after = chain()
        after["base"] = 'command = ["sleep", "12345678"]\nrequires = ["setup"]\n'
        del after["other"]
        after["more"] = SLEEP
        database = self.compiled(node, after)
        told = self.updated(node, database, "--dry-run")

        # As hcrc-compile tells it, which knows what the keys are.
        def verdicts(text):
            return [line.split(":")[0].split() for line in text.splitlines() if line[0] in "+-!="]
        compared = harness.run(harness.BIN / "hcrc-compile", "--diff", node.database, database).stdout
        self.assertEqual(verdicts(told), verdicts(compared))
        self.assertEqual(told, "! base         restarted\n+ more         added\n- other        removed: stopped\n"
                               "! user         restarted along with base\n1 as before\n")
        self.assertEqual(self.pids(node), before)
        self.assertEqual(node.count("another graph"), 0)
        self.assertEqual(self.updated(node, database), told)

    def test_removed_is_stopped_in_order_and_added_is_started_after(self):
        node = self.up(chain())
        flag = node.scratch / "flag"
        self.updated(node, self.compiled(node, {"slow": SLOW % flag, "other": SLEEP}))
        self.assertLess(node.position(r"hcrc: user: stopped"), node.position(r"hcrc: base: stopped"))
        self.assertEqual(set(self.pids(node)), {"slow", "other"})
        # Now the slow one goes, and what takes its place starts when it has.
        done = node.hcrc("update", self.compiled(node, {"fresh": SLEEP, "other": SLEEP}, "third.db"), "--no-wait")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(node.service("slow")["state"], "stopping")
        self.assertIn("an update removed it", node.service("slow")["why"])
        self.assertEqual(node.service("fresh")["state"], "waiting")
        self.assertIn("waits until what the update removed is down", node.service("fresh")["why"])
        flag.touch()
        node.settle("--up", "fresh")
        self.assertLess(node.position(r"hcrc: slow: stopped"), node.position(r"hcrc: fresh: started"))
        self.assertEqual(node.hcrc("why", "slow").returncode, 3)

    def test_what_required_a_removed_service_and_does_no_more_keeps_its_process(self):
        node = self.up(chain())
        before = self.pids(node)
        self.updated(node, self.compiled(node, {"setup": chain()["setup"], "user": SLEEP, "other": SLEEP}))
        now = self.pids(node)
        self.assertEqual(now["user"], before["user"])
        self.assertNotIn("base", now)

    def test_another_type_of_a_running_service(self):
        node = self.up(chain())
        after = chain()
        after["other"] = 'type = "oneshot"\ncommand = ["true"]\n'
        self.updated(node, self.compiled(node, after))
        self.assertEqual(node.service("other")["state"], "up")
        self.assertIsNone(node.service("other")["pid"])
        self.assertEqual(node.service("other")["type"], "oneshot")

    def test_instances_come_and_go_by_themselves(self):
        node = self.up({"web": SLEEP + 'instances = ["a", "b"]\n'})
        before = self.pids(node)
        self.updated(node, self.compiled(node, {"web": SLEEP + 'instances = ["b", "c"]\n'}))
        now = self.pids(node)
        self.assertEqual(set(now), {"web@b", "web@c"})
        self.assertEqual(now["web@b"], before["web@b"])

    def test_conditions_on_the_environment_are_judged_for_what_is_new(self):
        node = self.up({"other": SLEEP}, env={"MODE": "on"})
        when = '[when]\nenv = { MODE = "%s" }\n'
        self.updated(node, self.compiled(node, {"other": SLEEP, "yes": SLEEP + when % "on", "no": SLEEP + when % "off"}))
        self.assertEqual(node.service("yes")["state"], "up")
        self.assertEqual(node.service("no")["state"], "skipped")

    def test_a_service_that_does_not_come_up_is_told(self):
        node = self.up({"other": SLEEP})
        broken = 'type = "oneshot"\ncommand = ["false"]\n'
        error = self.updated(node, self.compiled(node, {"other": SLEEP, "broken": broken}), code=1)
        self.assertIn("the new graph is in force, but broken is failed", error)
        self.updated(node, self.compiled(node, {"other": SLEEP, "broken": SLEEP}, "mended.db"))
        self.assertEqual(node.service("broken")["state"], "up")

    def test_many_updates_one_after_the_other(self):
        node = self.up({"other": SLEEP})
        before = self.pids(node)["other"]
        for number in range(12):
            services = {"other": SLEEP}
            for extra in range(number % 4):
                services[f"extra{(number + extra) % 5}"] = SLEEP
            self.updated(node, self.compiled(node, services, f"{number}.db"))
            self.assertEqual(set(self.pids(node)), set(services))
        self.assertEqual(self.pids(node)["other"], before)
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)


class Operators(Update):
    def test_stopped_stays_stopped_and_started_stays_started(self):
        services = chain()
        services["spare"] = SLEEP + "autostart = false\n"
        node = self.up(services)
        self.assertEqual(node.hcrc("stop", "other").returncode, 0)
        self.assertEqual(node.hcrc("start", "spare").returncode, 0)
        spare = self.pids(node)["spare"]
        after = dict(services)
        after["other"] = 'command = ["sleep", "12345678"]\n'
        after["spare"] += 'description = "x"\n'
        self.updated(node, self.compiled(node, after))
        self.assertEqual(node.service("other")["state"], "down")
        self.assertEqual(node.service("other")["why"], "an operator stopped it")
        self.assertEqual(self.pids(node)["spare"], spare)

    def test_the_rest_is_wanted_as_at_boot(self):
        node = self.up({"a": SLEEP, "b": SLEEP + "autostart = false\n"})
        told = self.updated(node, self.compiled(node, {"a": SLEEP + "autostart = false\n", "b": SLEEP}))
        self.assertEqual(told, "- a            no longer wanted: stopped\n+ b            wanted now: started\n")
        # The update is answered when everything wanted has settled; what is not wanted may still be on its way down.
        self.assertEqual(node.hcrc("wait", "--down", "a", "--timeout", "30s").returncode, 0)
        self.assertEqual(node.service("b")["state"], "up")


class BadDatabases(Update):
    def refused(self, node, database, pattern):
        before = self.pids(node)
        error = self.updated(node, database, code=1)
        self.assertRegex(error, pattern)
        self.assertIn("the graph before stays in force", error)
        self.assertEqual(len(error.splitlines()), 1)
        self.assertEqual(self.pids(node), before)
        self.assertEqual(node.status()["node"]["db"], str(node.database))
        node.expect(r"hcrc: no update: .*the graph before stays in force")

    def test_each_is_refused_with_a_reason_and_nothing_changes(self):
        node = self.up(chain())
        good = self.compiled(node, {"other": SLEEP})
        bad = node.scratch / "bad.db"
        self.refused(node, node.scratch / "nothing.db", r"there is no database")
        self.refused(node, node.scratch, r"is no regular file")
        content = good.read_bytes()
        for damaged in (b"", content[:100], content[:-1], content + b"x", b"x" + content[1:],
                        content[:300] + bytes([content[300] ^ 1]) + content[301:]):
            bad.write_bytes(damaged)
            bad.chmod(0o644)
            self.refused(node, bad, r"bad\.db: ")
        os.mkfifo(node.scratch / "fifo")
        self.refused(node, node.scratch / "fifo", r"is no regular file")
        for mode in (0o664, 0o646):
            good.chmod(mode)
            self.refused(node, good, r"group or others may write it")
        good.chmod(0o644)
        self.updated(node, good)

    @harness.need_root
    def test_one_that_belongs_to_somebody_else(self):
        node = self.up(chain())
        good = self.compiled(node, {"other": SLEEP})
        os.chown(good, 4711, 4711)
        self.refused(node, good, r"belongs to uid 4711")

    def test_one_without_the_target(self):
        node = self.node(chain(), arguments=["--target", "user"])
        node.settle("--up", "user")
        self.refused(node, self.compiled(node, {"other": SLEEP}), r"target")

    def test_paths_with_blanks_and_no_path(self):
        node = self.up({"other": SLEEP})
        done = node.hcrc("update", node.scratch / "with blank.db")
        self.assertEqual(done.returncode, 100)
        self.assertIn("blanks", done.stderr)
        self.assertEqual(node.hcrc("update").returncode, 100)


class Signals(Update):
    def test_hangup_reads_the_database_again_as_pid_1(self):
        node = self.up(chain())
        before = self.pids(node)
        after = chain()
        after["more"] = SLEEP
        self.replace(node, after)
        node.send(signal.SIGHUP)
        node.expect(r"hcrc: another graph is in force: 1 added, 4 as before")
        node.settle("--up", "more")
        now = self.pids(node)
        self.assertEqual({name: now[name] for name in before}, before)
        node.database.write_bytes(b"nonsense")
        node.send(signal.SIGHUP)
        node.expect(r"hcrc: no update: .*node\.db: .*the graph before stays in force")
        self.assertEqual(self.pids(node), now)

    def test_hangups_in_a_row_end_with_the_last_database(self):
        node = self.up({"other": SLEEP})
        for number in range(20):
            self.replace(node, {"other": SLEEP, f"x{number}": SLEEP})
            node.send(signal.SIGHUP)
        self.eventually(lambda: set(self.pids(node)) == {"other", "x19"}, "the last database is in force")
        node.settle("--up", "x19")

    def test_hangup_without_a_terminal_as_an_ordinary_process(self):
        node = self.up({"other": SLEEP}, pid1=False, start_new_session=True)
        self.replace(node, {"other": SLEEP, "more": SLEEP})
        node.send(signal.SIGHUP)
        node.settle("--settled")
        node.expect(r"hcrc: more: started")

    def test_hangup_while_stopping_says_what_is_waited_for(self):
        flag = self.scratch() / "flag"
        node = self.up({"slow": SLOW % flag}, arguments=["--stop-deadline", "50s"])
        node.send(signal.SIGTERM)
        node.expect(r"stopping with SIGTERM")
        node.send(signal.SIGHUP)
        node.expect(r"already stopping, waiting for: slow")
        done = node.hcrc("update", node.database)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the node is stopping", done.stderr)
        flag.touch()
        self.assertEqual(node.wait(), 0)


class InTheMiddle(Update):
    def test_during_start_up(self):
        gate = self.scratch() / "gate"
        services = chain()
        services["setup"] = f'type = "oneshot"\ncommand = ["sh", "-c", "while ! test -e {gate}; do sleep 0.02; done"]\n'
        node = self.node(services)
        node.settle("--up", "other")
        after = dict(services)
        after["user"] = SLEEP
        after["more"] = SLEEP + 'requires = ["base"]\n'
        done = node.hcrc("update", self.compiled(node, after), "--no-wait")
        self.assertEqual(done.returncode, 0, done.stderr)
        node.settle("--up", "user")
        self.assertEqual(node.service("base")["state"], "waiting")
        gate.touch()
        node.settle("--up")
        self.assertEqual(node.service("more")["state"], "up")

    def test_during_backoff(self):
        failing = 'command = ["false"]\n[restart]\nattempts = 1000\ndelay = "1h"\nmax-delay = "1h"\njitter = 0\n'
        node = self.node({"sick": failing, "other": SLEEP})
        node.expect(r"sick: exited with 1 .* in 1h")
        self.updated(node, self.compiled(node, {"sick": failing.replace("1000", "999"), "other": SLEEP}), "--no-wait")
        self.assertEqual(node.service("sick")["state"], "backoff")
        # A shorter delay counts at once; another command is tried at once.
        self.updated(node, self.compiled(node, {"sick": failing.replace("1h", "1ms"), "other": SLEEP}), "--no-wait")
        node.expect(r"sick: exited with 1 .*restart 2")
        self.updated(node, self.compiled(node, {"sick": SLEEP, "other": SLEEP}))
        self.assertEqual(node.service("sick")["state"], "up")

    def test_a_stop_of_the_node_while_an_update_is_going_on(self):
        flag = self.scratch() / "flag"
        services = {"slow": SLOW % flag, "base": SLEEP, "other": SLEEP}
        services["slow"] = 'requires = ["base"]\n' + services["slow"]
        node = self.up(services, arguments=["--stop-deadline", "50s"])
        done = node.hcrc("update", self.compiled(node, {"other": SLEEP, "more": SLEEP}), "--no-wait")
        self.assertEqual(done.returncode, 0, done.stderr)
        node.expect(r"slow: stopping")
        node.send(signal.SIGTERM)
        node.expect(r"hcrc: stopping, as SIGTERM asks")
        flag.touch()
        self.assertEqual(node.wait(), 0)
        self.assertLess(node.position(r"hcrc: slow: stopped"), node.position(r"hcrc: base: stopped"))
        self.assertEqual(node.count(r"hcrc: more: started"), 0)

    def test_a_second_update_takes_back_the_first_while_that_is_going_on(self):
        flag = self.scratch() / "flag"
        services = {"slow": SLOW % flag, "other": SLEEP}
        node = self.up(services)
        before = self.pids(node)
        self.updated(node, self.compiled(node, {"other": SLEEP}), "--no-wait")
        node.expect(r"slow: stopping")
        self.updated(node, self.compiled(node, services, "back.db"), "--no-wait")
        flag.touch()
        node.settle("--up")
        now = self.pids(node)
        self.assertEqual(now["other"], before["other"])
        self.assertNotEqual(now["slow"], before["slow"])
        self.assertEqual(node.count(r"hcrc: slow: started"), 2)

    def test_cmd_goes_on_and_its_end_stops_the_node(self):
        node = self.up({"other": SLEEP}, command=["sh", "-c", "echo here; read line; exit 7"], stdin=-1)
        node.expect(r"here")
        self.updated(node, self.compiled(node, {"a": SLEEP, "b": SLEEP, "c": SLEEP}))
        node.process.stdin.close()
        self.assertEqual(node.wait(), 7)


class Logs(Update):
    WRITER = ('command = ["sh", "-c", "i=0; while test $i -lt %d; do echo %s $i; i=$((i+1)); sleep 0.002; done; exec sleep inf"]\n'
              'log-to = "log"\n')

    def logger(self, path):
        return f'command = ["hcrc-log", "--file", "{path}", "--timestamp", "none"]\n'

    def lines(self, path, word):
        return [line for line in path.read_text(encoding="utf-8").splitlines() if word in line]

    def test_a_producer_more_restarts_the_logger_and_no_line_is_lost(self):
        folder = self.scratch()
        path = folder / "log"
        services = {"log": self.logger(path), "one": self.WRITER % (600, "one")}
        node = self.up(services)
        before = self.pids(node)
        self.eventually(lambda: path.exists() and len(self.lines(path, "one")) > 20, "lines")
        services["two"] = self.WRITER % (50, "two")
        told = self.updated(node, self.compiled(node, services))
        self.assertRegex(told, r"! log +restarted")
        self.assertRegex(told, r"\+ two +added")
        self.assertEqual(self.pids(node)["one"], before["one"])
        self.assertNotEqual(self.pids(node)["log"], before["log"])
        self.eventually(lambda: len(self.lines(path, "one")) == 600 and len(self.lines(path, "two")) == 50, "all lines")
        self.assertEqual([line.split()[-1] for line in self.lines(path, "one")], [str(n) for n in range(600)])

    def test_another_logger_takes_over_a_running_producer(self):
        folder = self.scratch()
        first, second = folder / "first", folder / "second"
        services = {"log": self.logger(first), "one": self.WRITER % (600, "one"), "rest": SLEEP + 'log-to = "log"\n'}
        node = self.up(services)
        before = self.pids(node)
        self.eventually(lambda: first.exists() and len(self.lines(first, "one")) > 20, "lines")
        services["log2"] = self.logger(second)
        services["one"] = services["one"].replace('log-to = "log"', 'log-to = "log2"')
        self.updated(node, self.compiled(node, services))
        self.assertEqual(self.pids(node)["one"], before["one"])

        def all_lines():
            return self.lines(first, "one") + (self.lines(second, "one") if second.exists() else [])
        self.eventually(lambda: len(all_lines()) >= 600, "all lines")
        self.assertEqual([line.split()[-1] for line in all_lines()], [str(n) for n in range(600)])

    def test_the_last_words_of_a_removed_producer_are_written(self):
        folder = self.scratch()
        path = folder / "log"
        talker = ("command = [\"sh\", \"-c\", \"trap 'echo goodbye; exit 0' TERM; echo hello; while :; do sleep 0.02; done\"]\n"
                  'log-to = "log"\n')
        services = {"log": self.logger(path), "talker": talker, "rest": SLEEP + 'log-to = "log"\n'}
        node = self.up(services)
        self.eventually(lambda: path.exists() and self.lines(path, "hello"), "lines")
        del services["talker"]
        self.updated(node, self.compiled(node, services))
        self.eventually(lambda: self.lines(path, "goodbye") or node.count("goodbye"), "the last line")


if __name__ == "__main__":
    unittest.main()
