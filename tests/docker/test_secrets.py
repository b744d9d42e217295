"""The keystore's passphrase: given by a file, and seen nowhere."""

import pathlib
import unittest

from container import DockerTest, docker

SECRET = "correct-horse-battery-staple-4711"


class Secret(DockerTest):
    def test_is_seen_nowhere(self):
        secret = self.scratch() / "passphrase"
        secret.write_text(SECRET + "\n", encoding="utf-8")
        secret.chmod(0o400)
        node = self.ready("--volume", f"{secret}:/run/secrets/holochain-passphrase:ro")
        self.assertNotIn(SECRET, docker("inspect", node.name).stdout)
        self.assertNotIn(SECRET, docker("top", node.name, "axeww", "-o", "pid,args").stdout)
        for pid in docker("top", node.name, "ax", "-o", "pid").stdout.split()[1:]:
            self.assertNotIn(SECRET.encode(), pathlib.Path(f"/proc/{pid}/environ").read_bytes())
            self.assertNotIn(SECRET.encode(), pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
        self.assertNotIn(SECRET, node.exec("cat", "/etc/hcrc/node.db").stdout)
        self.assertNotIn(SECRET, node.exec("sh", "-c", "cat /data/logs/*").stdout)
        self.assertNotIn(SECRET, node.hcrc("status", "--json").stdout)
        self.assertNotIn(SECRET, node.story())
        # And it is the one that the keystore was made with: another one is refused.
        docker("stop", node.name)
        other = self.scratch() / "passphrase"
        other.write_text("another\n", encoding="utf-8")
        wrong = self.node("--volumes-from", node.name, "--volume", f"{other}:/run/secrets/holochain-passphrase:ro")
        wrong.expect(r"hcrc: holochain: exited with 101 .* restart 1 of 5")


if __name__ == "__main__":
    unittest.main()
