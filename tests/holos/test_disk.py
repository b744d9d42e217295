"""A data disk with the label: the node's state survives a reboot; and the bundle, which is the same each time."""

import filecmp
import pathlib
import subprocess
import tempfile
import unittest

from machine import HOLOS, Machine, make_disk, make_image, make_iso, run


class Disk(unittest.TestCase):
    def test_state_survives_a_reboot(self):
        with tempfile.TemporaryDirectory(prefix="hcrc-holos-disk-") as folder:
            iso = make_iso(folder)
            disk = pathlib.Path(folder, "data.img")
            make_disk(disk, "holochain-data")
            first = Machine(iso, disk)
            try:
                first.expect(r"Conductor ready\.")
                first.expect(r"data: /dev/vda, labelled holochain-data, is mounted on /data")
                first.shell("echo mine >/data/kept; echo '# mine' >>/data/holochain/etc/conductor-config.yaml")
                first.shell("reboot")
                self.assertEqual(first.off(), 0)
                self.assertIn("data: stopped", first.story())
            finally:
                first.close()
            # Clean: it was unmounted before the machine went down.
            self.assertIn("state:         clean", run("/sbin/dumpe2fs", "-h", disk).stdout)
            second = Machine(iso, disk)
            try:
                second.expect(r"Conductor ready\.")
                self.assertEqual(second.shell("cat /data/kept; tail -n 1 /data/holochain/etc/conductor-config.yaml")[1], "mine\n# mine\n")
                self.assertIn("setup: /data is in order", second.story())
            finally:
                second.close()


class Bundle(unittest.TestCase):
    def test_the_same_image_gives_the_same_bundle(self):
        with tempfile.TemporaryDirectory(prefix="hcrc-holos-bundle-") as folder:
            make_image(f"{folder}/image")
            for name in ("one", "two"):
                run(HOLOS / "make-bundle", f"oci:{folder}/image:node", f"{folder}/{name}")
            self.assertTrue(filecmp.cmp(f"{folder}/one/config.json", f"{folder}/two/config.json", shallow=False))
            archive = ("tar", "--sort=name", "--numeric-owner", "-c", ".")
            tars = [subprocess.run(archive, cwd=f"{folder}/{name}", capture_output=True, check=True).stdout for name in ("one", "two")]
            self.assertEqual(tars[0] == tars[1], True)

    def test_refusals(self):
        with tempfile.TemporaryDirectory(prefix="hcrc-holos-bundle-") as folder:
            done = subprocess.run([HOLOS / "make-bundle", f"oci:{folder}/nothing:node", f"{folder}/bundle"], capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("make-bundle: oci:", done.stderr)
            done = subprocess.run([HOLOS / "make-bundle", "oci:x:y", folder], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is there already", done.stderr)


if __name__ == "__main__":
    unittest.main()
