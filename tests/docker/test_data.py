"""Data of other images, and of another version of the conductor, on the same volume."""

import pathlib
import unittest

from container import REAL, DockerTest, docker, harness


class OlderImages(DockerTest):
    def test_of_images_with_tini_or_s6(self):
        # What their set-up scripts left: root's folders, links filled by a second `ln -sf`, their own configuration.
        folder = self.scratch()
        for name in ("holochain/etc", "holochain/var/ks", "holochain/var/tmp", "holochain/tmp", "logs"):
            (folder / name).mkdir(parents=True)
        (folder / "holochain/etc/etc").symlink_to("/data/holochain/etc")
        configuration = (
            "# edited by a hoster\ndata_root_path: /var/local/lib/holochain\n"
            "keystore:\n  type: lair_server_in_proc\n  lair_root: /var/local/lib/holochain/ks\n"
            "admin_interfaces:\n  - driver:\n      type: websocket\n      port: 4444\n      allowed_origins: \"*\"\n"
            "network:\n  bootstrap_url: https://dev-test-bootstrap2.holochain.org\n"
            "  signal_url: wss://dev-test-bootstrap2.holochain.org\n")
        (folder / "holochain/etc/conductor-config.yaml").write_text(configuration, encoding="utf-8")
        (folder / "logs/holochain.log").write_text("an old line\n", encoding="utf-8")
        folder.chmod(0o755)
        node = self.ready(data=folder)
        self.assertEqual((folder / "holochain/etc/conductor-config.yaml").read_text(encoding="utf-8"), configuration)
        self.assertTrue((folder / "logs/holochain.log").read_text(encoding="utf-8").startswith("an old line\n"))
        self.assertEqual((folder / "holochain/var/ks").stat().st_mode & 0o777, 0o700)
        self.assertEqual((folder / "holochain/var/ks").stat().st_uid, 65532)
        node.expect("setup: gave what belonged to others")
        self.assertEqual(node.stop(), 0)


@unittest.skipUnless(REAL, "allowed: no holochain on PATH")
class Upgrade(DockerTest):
    def newer(self):
        program = harness.real_conductor()
        newest = program.parent / "0.7.1/holochain" if program else pathlib.Path("/nonexistent")
        if not newest.exists():
            self.skipTest("allowed: no newer conductor beside the one on PATH")
        return newest

    def test_from_0_5_to_0_7_on_one_volume(self):
        newest = self.newer()
        data = self.volume()
        old = self.ready(image=REAL, data=data)
        self.assertEqual(old.stop(), 0)
        mount = ("--volume", f"{newest}:/usr/bin/holochain:ro")
        # The kept configuration is of 0.5: the conductor says which field it misses, and that no retry helps.
        stopped = self.node(*mount, image=REAL, data=data)
        self.assertEqual(stopped.wait(), 42)
        self.assertIn("relay_url", stopped.story())
        # As docs/docker.md tells: moved away, it is made anew for the conductor that is there.
        docker("run", "--rm", "--network", "none", "--volume", f"{data}:/data", "--entrypoint", "/bin/sh", REAL, "-c",
               "mv /data/holochain/etc/conductor-config.yaml /data/holochain/etc/conductor-config.0.5.yaml")
        new = self.ready(*mount, image=REAL, data=data)
        self.assertIn("holochain 0.7", new.exec("holochain", "--version").stdout)
        self.assertEqual(new.service("holochain")["state"], "up")
        self.assertEqual(new.stop(), 0)

    def test_a_new_node_of_0_7(self):
        node = self.ready("--volume", f"{self.newer()}:/usr/bin/holochain:ro", image=REAL)
        node.expect("from conductor-0.7.yaml")
        self.assertEqual(node.stop(), 0)


if __name__ == "__main__":
    unittest.main()
