"""hcrc-compile --plan and --graph, on the node as shipped and where something is wrong.

Standalone: `HCRC_BIN=build/debug/bin /usr/bin/python3 tests/integration/test_present.py`.
"""

import json
import os
import unittest

import harness

COMPILE = harness.BIN / "hcrc-compile"
SHIPPED = harness.ROOT / "services.d"
FORMATS = ("dot", "mermaid", "text")


class Present(harness.NodeTest):
    def show(self, *words, code=0, **extra):
        done = harness.run(COMPILE, *words, env=harness.environment(**extra), cwd=self.scratch())
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def layer(self, services):
        return harness.write_layer(self.scratch(), services)

    def fake_dot(self, script):
        folder = self.scratch()
        (folder / "dot").write_text("#!/bin/sh\n" + script)
        (folder / "dot").chmod(0o755)
        return f"{folder}:/usr/bin:/bin"

    def test_plan_of_the_shipped_node(self):
        done = self.show("--plan", "--werror", SHIPPED)
        self.assertEqual(done.stderr, "")
        self.assertTrue(all(len(line) <= 100 for line in done.stdout.splitlines()), done.stdout)
        self.assertIn("stop-deadline 9s (node.toml) less 1s500ms for the sweep and the loggers: 7s500ms", done.stdout)
        self.assertRegex(done.stdout, r"no bound: setup\n    holochain +30m +its ready timeout\n")

    def test_plan_as_json(self):
        plan = json.loads(self.show("--plan", "--json", SHIPPED).stdout)
        self.assertEqual({service["name"]: service["level"] for service in plan["start"]["services"]},
                         {"setup": 0, "holochain-log": 1, "logrotate": 1, "holochain": 2})
        self.assertEqual(plan["start"]["unbounded"], ["setup"])
        self.assertEqual(plan["start"]["path"], ["holochain"])
        self.assertEqual(plan["stop"]["deadline_ms"], 9000)
        self.assertTrue(plan["stop"]["fits"])

    def test_readme_shows_the_shipped_graph(self):
        graph = self.show("--graph", "mermaid", SHIPPED).stdout
        self.assertIn(f"```mermaid\n{graph}```\n", (harness.ROOT / "README.md").read_text())

    def test_the_same_graph_gives_the_same_drawing(self):
        for form in FORMATS:
            with self.subTest(form):
                first = self.show("--graph", form, SHIPPED).stdout
                self.assertEqual(first, self.show("--graph", form, SHIPPED).stdout)
                self.assertTrue(all(name in first for name in ("holochain-log", "logrotate", "setup", "essential")))

    def test_nothing_is_written(self):
        folder = self.scratch()
        for words in (["--plan"], ["--graph", "text"]):
            harness.run(COMPILE, *words, "-o", folder / "node.db", SHIPPED)
        self.assertEqual(os.listdir(folder), [])

    def test_wrong_definitions_exit_1_with_diagnostics(self):
        folder = self.layer({"web": 'command = ["/bin/web"]\nrequires = ["nothing"]\n'})
        for words in (["--plan"], ["--plan", "--json"], ["--graph", "text"], ["--graph", "svg"]):
            with self.subTest(words=words):
                done = self.show(*words, folder, code=1)
                self.assertEqual(done.stdout, "")
                self.assertIn("web.toml:2:13: error: ", done.stderr)

    def test_a_stop_that_is_too_long_is_told_and_fails_under_werror(self):
        web = 'command = ["/bin/web"]\n[stop]\ntimeout = "8s"\n'
        folder = self.layer({"web": web})
        done = self.show("--plan", folder)
        self.assertIn("W002", done.stderr)
        self.assertIn("WARNING: timeouts that are written down add up to 8s on this path, 500ms more", done.stdout)
        self.show("--plan", "--werror", folder, code=1)

    def test_svg_comes_from_graphviz(self):
        path = self.fake_dot('[ "$1" = -Tsvg ] && echo "<svg>" && cat\n')
        dot = self.show("--graph", "dot", SHIPPED).stdout
        self.assertEqual(self.show("--graph", "svg", SHIPPED, PATH=path).stdout, "<svg>\n" + dot)

    def test_svg_without_graphviz_says_what_to_install(self):
        empty = str(self.scratch())
        done = self.show("--graph", "svg", SHIPPED, code=111, PATH=empty)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"^hcrc-compile: svg .*: install graphviz, or take --graph dot\n$")

    def test_graphviz_that_fails(self):
        for script in ("exit 3\n", "kill -9 $$\n", "exit 0\n"):
            with self.subTest(script):
                done = self.show("--graph", "svg", SHIPPED, code=111, PATH=self.fake_dot(script))
                self.assertIn("hcrc-compile: graphviz's dot failed: ", done.stderr)

    def database(self, name, services):
        database = self.scratch() / name
        self.assertEqual(harness.compile_layers(database, self.layer(services)).returncode, 0)
        return database

    def test_difference_of_two_databases(self):
        base = {"db": 'command = ["/bin/db"]\n', "web": 'command = ["/bin/web"]\nrequires = ["db"]\n'}
        old = self.database("old.db", base)
        self.assertEqual(self.show("--diff", old, old).stdout, "nothing changes\n")
        new = self.database("new.db", {**base, "db": 'command = ["/bin/db", "-v"]\n', "more": 'command = ["/bin/m"]\n'})
        self.assertEqual(self.show("--diff", old, new).stdout,
                         "! db          restarted: command\n+ more        added\n! web         restarted along with db\n")

    def test_difference_of_what_is_no_database(self):
        old = self.database("old.db", {"db": 'command = ["/bin/db"]\n'})
        damaged, empty, fifo = (self.scratch() / name for name in ("damaged", "empty", "fifo"))
        damaged.write_bytes(old.read_bytes()[:-1] + b"x")
        empty.write_bytes(b"")
        os.mkfifo(fifo)
        for path in (damaged, empty, fifo):
            for words in ([old, path], [path, old], [path, path]):
                done = self.show("--diff", *words, code=1)
                self.assertRegex(done.stderr, rf"^hcrc-compile: {path}: .+: .+\n$")
                self.assertEqual(done.stdout, "")
        self.show("--diff", old, "/nowhere/new.db", code=111)
        self.show("--diff", old, code=100)
        self.show("--diff", old, old, SHIPPED, code=100)


if __name__ == "__main__":
    unittest.main()
