"""docker/compose.yml, with Debian's docker-compose."""

import os
import subprocess
import unittest

from container import NODE, DockerTest, docker, engine, harness

COMPOSE = "/usr/bin/docker-compose"


class Compose(DockerTest):
    def compose(self, *words, check=True):
        done = subprocess.run([COMPOSE, "--project-name", "hcrc-test", "--file", self.file, *words], capture_output=True,
                              text=True, timeout=120, env={**os.environ, **self.variables}, check=False,
                              stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f"docker-compose {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def test_up_and_down(self):
        folder = self.scratch()
        (folder / "passphrase").write_text("a secret of its own\n", encoding="utf-8")
        # The engine under test has no network to give: everything else is the file as it is.
        text = (engine.ROOT / "docker/compose.yml").read_text(encoding="utf-8")
        changed = text.replace("    init: false", "    network_mode: none\n    init: false")
        self.assertNotEqual(text, changed)
        self.file = str(folder / "compose.yml")
        (folder / "compose.yml").write_text(changed, encoding="utf-8")
        self.variables = {"HCRC_IMAGE": NODE, "HCRC_PASSPHRASE": str(folder / "passphrase")}
        self.addCleanup(self.compose, "down", "--volumes", check=False)
        self.compose("--compatibility", "up", "--detach")
        name = self.compose("ps", "--quiet").stdout.strip()
        logs = harness.Program([engine.DOCKER, "logs", "--follow", name], env=dict(os.environ))
        self.addCleanup(logs.close)
        logs.expect(r"Conductor ready\.", 60, True)
        self.assertEqual(docker("inspect", "--format", "{{.HostConfig.Memory}}", name).stdout.strip(), str(512 << 20))
        self.assertEqual(docker("inspect", "--format", "{{.HostConfig.ReadonlyRootfs}}", name).stdout.strip(), "true")
        self.compose("stop")
        self.assertEqual(docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip(), "0")


if __name__ == "__main__":
    unittest.main()
