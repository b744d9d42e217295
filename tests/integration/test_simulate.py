"""`hcrc simulate` with the real programs: what it says of the node as shipped is what hcrc-init then does."""

import json
import os
import re
import xml.etree.ElementTree

import harness
from test_node import ShippedNode

SEED = 20260301


def told_of(service, lines):
    """The story of one service without what differs from run to run: pids, how long something took, and whether a start is
    told apart from readiness (one that is ready within a millisecond may say so before its exec is known)."""
    story = []
    for line in lines:
        line = line.removeprefix("hcrc: ")
        if line.startswith(service + ": ") and not line.startswith(service + ": started"):
            story.append(re.sub(r" after [0-9.a-z]+", "", line))
    return story


class Simulate(ShippedNode):
    # Quick enough to be waited for; the jitter that the seed decides is as shipped.
    QUICK = {"holochain": 'override = "merge"\n[restart]\ndelay = "100ms"\nmax-delay = "800ms"\nhold = "1s500ms"\n'}

    def simulate(self, database, *words, env=None):
        return harness.run(harness.BIN / "hcrc", "simulate", database, *words, env=harness.environment(**(env or {})))

    def database(self, services=None, layers=()):
        folder = self.scratch()
        if services:
            layers = [*layers, harness.write_layer(folder / "services.d", services)]
        done = harness.compile_layers(folder / "node.db", *layers)
        self.assertEqual(done.returncode, 0, done.stderr)
        return folder / "node.db"

    def test_a_conductor_killed_six_times_is_told_as_the_runtime_tells_it(self):
        node = self.shipped(self.QUICK, env={"HCRC_SEED": SEED})
        for _ in range(6):
            node.expect(r"holochain: ready")
            node.kill("holochain")
            node.expect(r"holochain: killed by SIGKILL")
        node.expect(r"holochain: ready")
        real = told_of("holochain", [line.text for line in node.lines if line.stream == "err"])

        kills = [word for second in range(10, 70, 10) for word in ("--fail", f"holochain=signal:KILL@{second}s")]
        done = self.simulate(node.database, *kills, "--seed", SEED)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        simulated = told_of("holochain", [line[12:] for line in done.stdout.splitlines()])
        self.assertEqual(simulated, real)
        self.assertEqual(len([line for line in real if re.search(r"restart \d of 5 in \d+ms$", line)]), 5, real)
        self.assertIn("holochain: killed by SIGKILL, all 5 restarts are used up: held, next try in 1.5s", real)
        # Another seed tells other delays; the variable does what the option does.
        self.assertNotEqual(told_of("holochain", [
            line[12:] for line in self.simulate(node.database, *kills, "--seed", SEED + 1).stdout.splitlines()]), real)
        self.assertEqual(self.simulate(node.database, *kills, env={"HCRC_SEED": SEED}).stdout, done.stdout)

    def test_the_node_as_shipped_recovers_and_its_states_are_told(self):
        database = self.database(layers=[harness.SERVICES])
        kills = [word for second in range(10, 70, 10) for word in ("--fail", f"holochain=signal:KILL@{second}s")]
        done = self.simulate(database, *kills, "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        answer = json.loads(done.stdout)
        self.assertTrue(answer["recovered"])
        self.assertIsNone(answer["exit_code"])
        services = {service["name"]: service["states"] for service in answer["services"]}
        self.assertEqual(sorted(services), ["holochain", "holochain-log", "logrotate", "setup"])
        states = [one["state"] for one in services["holochain"]]
        self.assertEqual(states.count("backoff"), 5)
        self.assertEqual(states.count("held"), 1)
        for service in services.values():
            self.assertEqual(service[-1]["state"], "up")
            for one, other in zip(service, service[1:]):
                self.assertEqual(one["to_ms"], other["from_ms"])

    def test_a_node_that_would_not_come_back_exits_1(self):
        database = self.database(layers=[harness.SERVICES])
        done = self.simulate(database, "--fail", "setup=exit:42@0ms")
        self.assertEqual(done.returncode, 1)
        self.assertIn("holochain: cannot start: it requires setup, which failed", done.stdout)
        self.assertIn("the node has exited with 102", done.stdout)
        done = self.simulate(database, "--fail", "holochain-log=hang@1m")
        self.assertEqual(done.returncode, 1)
        self.assertIn("holochain-log hangs", done.stdout)

    def test_the_environment_is_the_callers(self):
        database = self.database(layers=[harness.SERVICES])
        done = self.simulate(database, "--json", env={"CONDUCTOR_MODE": "false"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        states = {service["name"]: service["states"] for service in json.loads(done.stdout)["services"]}
        self.assertEqual([one["state"] for one in states["holochain"]], ["skipped"])
        six = [word for second in range(1, 70, 10) for word in ("--fail", f"holochain=exit:9@{second}s")]
        done = self.simulate(database, *six, env={"HCRC_ON_EXHAUSTED": "shutdown"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("exited with 9", done.stdout.splitlines()[-1])
        for variable in ("HCRC_ON_EXHAUSTED", "HCRC_SEED", "HCRC_STOP_DEADLINE", "HCRC_TARGET"):
            self.assertEqual(self.simulate(database, env={variable: "no-such-thing"}).returncode, 100)

    def test_random_histories_and_one_of_them_again(self):
        database = self.database(layers=[harness.SERVICES])
        done = self.simulate(database, "--runs", 50, "--json", "--seed", 7)
        answer = json.loads(done.stdout)
        self.assertEqual(done.returncode, 1 if answer["not_recovered"] else 0)
        self.assertEqual(answer["runs"], 50)
        self.assertLessEqual(answer["slowest_shutdown_ms"], 9000)
        self.assertTrue(answer["slowest_shutdown_path"])
        worst = next(one for one in answer["downtime"] if one["name"] == "holochain")
        again = json.loads(self.simulate(database, "--runs", 1, "--json", "--seed", worst["seed"]).stdout)
        self.assertIn(worst, again["downtime"])
        text = self.simulate(database, "--runs", 50, "--seed", 7).stdout
        self.assertIn("50 histories, seeds 7 to 56", text)
        self.assertIn(f"hcrc simulate {database} --runs 1 --seed SEED", text)

    def test_a_picture(self):
        database = self.database(layers=[harness.SERVICES])
        picture = self.scratch() / "t.svg"
        done = self.simulate(database, "--fail", "holochain=hang@1m", "--svg", picture)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        root = xml.etree.ElementTree.parse(picture).getroot()
        titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
        self.assertTrue(any(title.startswith("holochain up, hangs, from 1m to ") for title in titles), titles)
        self.assertEqual(self.simulate(database, "--svg", "/nonexistent/x.svg").returncode, 111)

    def test_exit_codes(self):
        database = self.database({"a": 'command = ["sleep", "inf"]'})
        for words, code in [(["--fail", "a=hang"], 100), (["--fail", "b=hang@1s"], 3), (["--fail", "a=unready"], 100),
                            (["--fail", "a=exit:1@2m", "--until", "1m"], 100), (["--until", "1"], 100), ([], 0)]:
            self.assertEqual(self.simulate(database, *words).returncode, code, words)
        self.assertEqual(self.simulate("/nonexistent.db").returncode, 111)
        self.assertEqual(self.simulate(os.devnull).returncode, 111)
        database.write_bytes(b"nonsense")
        done = self.simulate(database)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith("hcrc: "), done.stderr)


if __name__ == "__main__":
    harness.main()
