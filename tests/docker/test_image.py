"""The image itself: its size, its labels, and images built on it."""

import json
import shutil
import unittest

from container import NODE, DockerTest, docker, engine, figure

EXAMPLE = engine.ROOT / "docker/examples/edgenode"
MIB = 1 << 20


class Sizes(DockerTest):
    def test_what_hcrc_adds(self):
        done = self.run_once("--entrypoint", "/bin/sh", command=(
            "-c", "stat -c '%s %n' /init /usr/bin/hcrc /usr/bin/hcrc-log /usr/bin/hcrc-compile; "
            "du -sb /etc/hcrc /usr/lib/hcrc"))
        sizes = {name: int(size) for size, name in (line.split() for line in done.stdout.splitlines())}
        runtime = sum(sizes[name] for name in ("/init", "/usr/bin/hcrc", "/usr/bin/hcrc-log"))
        everything = sum(sizes.values())
        whole = [int(docker("image", "inspect", "--format", "{{.Size}}", image).stdout) for image in (NODE, engine.Engine.BASE)]
        figure(f"image {whole[0] / MIB:.1f} MiB, its base {whole[1] / MIB:.1f} MiB; hcrc's programs at run time "
               f"{runtime / MIB:.2f} MiB, with compiler and definitions {everything / MIB:.2f} MiB")
        self.assertLess(runtime, 4 * MIB)
        self.assertLess(everything, 7 * MIB)

    def test_brings_no_interpreter_or_other_supervisor(self):
        done = self.run_once("--entrypoint", "/bin/sh", command=(
            "-c", "command -v python3 tini gosu s6-svscan su-exec dumb-init runsv supervisord; true"))
        self.assertEqual(done.stdout, "")

    def test_configuration(self):
        config = json.loads(docker("image", "inspect", "--format", "{{json .Config}}", NODE).stdout)
        self.assertEqual(config["Entrypoint"], ["/init"])
        self.assertEqual(config["StopSignal"], "SIGTERM")
        self.assertEqual(config["ExposedPorts"], {"4444/tcp": {}})
        self.assertEqual(config["Volumes"], {"/data": {}})
        self.assertIn("org.opencontainers.image.title", config["Labels"])


class BuiltOnIt(DockerTest):
    def build(self, folder, tag):
        self.addCleanup(docker, "image", "rm", "--force", tag, check=False)
        return docker("build", "--network=host", "--progress=plain", "--tag", tag, "--build-arg", f"NODE={NODE}", folder,
                      check=False, timeout=120)

    def test_the_example(self):
        built = self.build(EXAMPLE, "hcrc-test-edgenode")
        self.assertEqual(built.returncode, 0, built.stderr)
        node = self.ready(image="hcrc-test-edgenode")
        self.assertEqual({name: node.service(name)["state"] for name in ("linker", "caddy", "log-sender", "edgenode-log")},
                         {"linker": "skipped", "caddy": "skipped", "log-sender": "skipped", "edgenode-log": "up"})
        self.assertEqual(node.stop(), 0)

    def test_the_example_switched_on(self):
        self.assertEqual(self.build(EXAMPLE, "hcrc-test-edgenode-on").returncode, 0)
        folder = self.scratch()
        stub = folder / "stub"
        stub.write_text("#!/bin/sh\necho \"$0 runs with $*\"\nexec sleep inf\n", encoding="utf-8")
        stub.chmod(0o755)
        mounts = [word for name in ("h2hc-linker", "caddy", "log-sender")
                  for word in ("--volume", f"{stub}:/usr/local/bin/{name}:ro")]
        node = self.ready(*mounts, image="hcrc-test-edgenode-on", env={"LOG_SENDER_ENDPOINT": "https://example.org"})
        node.expect("log-sender runs with service --config-file")
        self.assertEqual(node.service("log-sender")["state"], "up")
        self.assertEqual(node.service("caddy")["state"], "skipped")
        self.assertEqual(node.hcrc("stop", "log-sender").returncode, 0)
        self.assertEqual(node.service("log-sender")["state"], "down")
        self.assertEqual(node.hcrc("health").returncode, 0)

    def test_a_wrong_definition_breaks_the_build(self):
        folder = self.scratch() / "edgenode"
        shutil.copytree(EXAMPLE, folder)
        (folder / "services.d/web.toml").write_text('comand = ["web"]\nrequires = ["setpu"]\n', encoding="utf-8")
        built = self.build(folder, "hcrc-test-wrong")
        self.assertNotEqual(built.returncode, 0)
        self.assertRegex(built.stderr, r"web\.toml:1:1: error: .*comand")
        self.assertRegex(built.stderr, r"web\.toml:2:13: error: .*setpu")
        self.assertIn("did you mean", built.stderr)


if __name__ == "__main__":
    unittest.main()
