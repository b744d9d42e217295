"""The set-up of the node as shipped: services.d/node/setup, run alone against folders of the test's own."""

import os
import pathlib
import shutil
import stat
import subprocess
import unittest

import harness

SETUP = harness.SERVICES / "node/setup"
USER = 4711  # nobody has this number, and nobody needs to

LOGROTATE = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin")

SHELLS = [shell for shell in (["dash"], ["busybox", "ash"], ["bash", "--posix"]) if shutil.which(shell[0])]


def snapshot(folder):
    """Everything about every entry below a folder that a second run must leave as it is."""
    entries = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else os.readlink(path) if path.is_symlink() else None
        entries[str(path)] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_ctime_ns, content)
    return entries


class SetupTest(harness.NodeTest):
    def setUp(self):
        super().setUp()
        self.folder = self.scratch()
        self.data = self.folder / "data"
        self.etc = self.data / "holochain/etc"
        self.var = self.data / "holochain/var"
        self.configuration = self.etc / "conductor-config.yaml"

    def setup(self, shell=("sh",), code=0, before=(), **variables):
        """Runs the script; what it said, both streams together."""
        env = harness.environment(SETUP_DATA=self.data, SETUP_USER=USER, SETUP_CONDUCTOR="no-such-conductor")
        env.update({name: str(value) for name, value in variables.items()})
        done = subprocess.run([*before, *shell, str(SETUP)], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=harness.TIMEOUT)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def as_user(self, **options):
        os.chown(self.folder, USER, USER)
        return self.setup(before=("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"), **options)

    def edit(self, old, new):
        text = self.configuration.read_text()
        self.assertIn(old, text)
        self.configuration.write_text(text.replace(old, new))


class AsAnybody(SetupTest):
    def owner(self):
        return USER if harness.IS_ROOT else os.geteuid()

    def test_makes_everything_and_a_second_run_changes_nothing(self):
        for shell in SHELLS:
            with self.subTest(shell=shell):
                shutil.rmtree(self.data, ignore_errors=True)
                self.assertIn(f"made {self.data}", self.setup(shell))
                for name, mode in (("etc", 0o755), ("var", 0o755), ("tmp", 0o755), ("var/tmp", 0o755), ("var/ks", 0o700)):
                    status = (self.data / "holochain" / name).lstat()
                    self.assertEqual((stat.S_IMODE(status.st_mode), status.st_uid), (mode, self.owner()), name)
                self.assertEqual((self.data / "logs").lstat().st_uid, self.owner())
                self.assertEqual(self.configuration.lstat().st_uid, self.owner())
                before = snapshot(self.data)
                self.assertEqual(self.setup(shell), f"setup: {self.data} is in order\n")
                self.assertEqual(snapshot(self.data), before)

    def test_the_configuration_is_one_that_conductors_take(self):
        port = harness.free_port()
        self.setup(SETUP_ADMIN_PORT=port)
        text = self.configuration.read_text()
        self.assertIn(f'data_root_path: "{self.var}"', text)
        self.assertIn(f"port: {port}\n", text)
        self.assertNotIn("@", text)
        for conductor in filter(None, (harness.STAND_IN, harness.real_conductor())):
            with self.subTest(conductor=conductor):
                self.configuration.unlink()
                shutil.rmtree(self.var / "ks")
                self.setup(SETUP_ADMIN_PORT=port, SETUP_CONDUCTOR=conductor)
                started = self.program(conductor, "--piped", "--config-path", self.configuration)
                started.expect("^Conductor ready[.]$")
                started.close()

    @unittest.skipUnless(LOGROTATE, "no logrotate")
    def test_logrotate_rotates_by_its_configuration(self):
        self.setup()
        log = self.data / "logs/holochain.log"
        owner = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups") if harness.IS_ROOT else ()
        for round in ("first", "second", "third"):
            log.write_text(round)
            done = harness.run(*owner, LOGROTATE, "--force", "--verbose", "--state", self.data / "logs/logrotate.state",
                               self.etc / "logrotate.conf")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("error", done.stderr)
            self.assertFalse(log.exists())
        self.assertEqual(sorted(path.name for path in log.parent.iterdir()),
                         ["holochain.log.1", "holochain.log.2.gz", "holochain.log.3.gz", "logrotate.state"])
        self.assertEqual((log.parent / "holochain.log.1").read_text(), "third")

    def test_what_the_hoster_edited_stays(self):
        self.setup()
        self.edit("https://dev-test-bootstrap2.holochain.org/", "https://mine.example.org/")
        (self.etc / "logrotate.conf").write_text("# mine\n")
        before = snapshot(self.etc)
        self.setup()
        self.assertEqual(snapshot(self.etc), before)

    def test_an_empty_configuration_is_none(self):
        self.setup()
        self.configuration.write_text("")
        self.setup()
        self.assertIn("data_root_path", self.configuration.read_text())

    def test_the_template_follows_the_conductor(self):
        conductor = self.folder / "conductor"
        for version, field in (("0.5.6", "signal_url"), ("0.6.1", "signal_url"), ("0.7.1", "relay_url"), ("1.0.0", "relay_url")):
            conductor.write_text(f"#!/bin/sh\necho holochain {version}\n")
            conductor.chmod(0o755)
            self.setup(SETUP_CONDUCTOR=conductor)
            self.assertIn(field, self.configuration.read_text(), version)
            self.configuration.unlink()

    def test_odd_but_good_folders(self):
        for name in ("a & b|c", "ü'x$(id)`id`;", "-n"):
            self.data = self.folder / name
            self.etc = self.data / "holochain/etc"
            self.setup(SETUP_DATA=f"{self.data}//")
            self.assertIn(f'data_root_path: "{self.data}/holochain/var"',
                          (self.etc / "conductor-config.yaml").read_text())

    def test_a_wrong_admin_port_is_for_the_hoster(self):
        self.setup()
        for wrong in ("port: 4445", "port: 44440", "# port: 4444", "report: 4444", "x: 1 # port: 4444"):
            with self.subTest(wrong):
                self.edit("port: 4444\n", wrong + "\n")
                said = self.setup(code=42)
                self.assertIn(str(self.configuration), said)
                self.assertIn("write `port: 4444` into its admin_interfaces, or set HCRC_ADMIN_PORT", said)
                self.edit(wrong + "\n", "port: 4444\n")
        self.edit("port: 4444\n", "port: 4445\n")
        self.setup(SETUP_ADMIN_PORT=4445)

    def test_a_configuration_in_flow_form_is_as_good(self):
        self.setup()
        for text in ('admin_interfaces: [{driver: {type: websocket, port: 4444}}]\nkeystore: {type: lair_server_in_proc}\n',
                     '"admin_interfaces": [{"driver": {"port":4444}}]\n"keystore": {"type": "lair_server_in_proc"}\n',
                     'admin_interfaces:\r\n- driver:\r\n    port: 4444\r\nkeystore:\r\n  type: lair_server_in_proc\r\n'):
            self.configuration.write_text(text)
            self.setup()

    def test_another_keystore_is_for_the_hoster(self):
        self.setup()
        self.edit("type: lair_server_in_proc", "type: lair_server # lair_server_in_proc")
        self.assertIn("another keystore than lair_server_in_proc", self.setup(code=42))

    def test_a_path_too_long_for_the_keystores_socket(self):
        room = 95 - len(f"{self.folder}//holochain/var")
        for length, code in ((room, 0), (room + 1, 42)):
            said = self.setup(SETUP_DATA=f"{self.folder}/{'x' * length}", code=code)
        self.assertIn("96 bytes, at most 95 can be: choose a shorter one", said)
        self.assertFalse((self.folder / ("x" * (room + 1))).exists())

    def test_folders_that_no_configuration_could_name(self):
        for folder in ("relative", f'{self.folder}/"', f"{self.folder}/\\", f"{self.folder}/a\nb", f"{self.folder}/*"):
            self.assertIn("its path must", self.setup(SETUP_DATA=folder, code=42))
        self.assertIn("no number", self.setup(SETUP_ADMIN_PORT="x", code=42))

    def test_something_else_where_a_folder_must_be(self):
        self.data.mkdir()
        (self.data / "logs").write_text("")
        self.assertIn("File exists: move what lies there away", self.setup(code=42))

    def test_no_folder_is_made_through_a_link(self):
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        self.data.mkdir()
        (self.data / "holochain").symlink_to(elsewhere)
        self.assertIn("a link where a folder must be", self.setup(code=42))
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_the_data_folder_itself_may_be_a_link(self):
        (self.folder / "elsewhere").mkdir()
        self.data.symlink_to(self.folder / "elsewhere")
        self.setup()

    def test_a_half_written_configuration_of_a_crash_is_no_obstacle(self):
        self.setup()
        self.configuration.unlink()
        target = self.folder / "precious"
        target.write_text("precious")
        (self.etc / ".conductor-config.yaml.new").symlink_to(target)
        self.setup()
        self.assertEqual(target.read_text(), "precious")
        self.assertFalse(self.configuration.is_symlink())

    def test_an_open_keystore_is_closed(self):
        self.setup()
        (self.var / "ks").chmod(0o755)
        self.assertIn("closed", self.setup())
        self.assertEqual(stat.S_IMODE((self.var / "ks").stat().st_mode), 0o700)


@harness.need_root
class AsRoot(SetupTest):
    def test_only_what_belongs_to_others_is_given(self):
        self.setup()
        stranger = self.var / "databases"
        stranger.mkdir()
        (stranger / "x").write_text("")
        right = self.var / "right"
        right.write_text("")
        os.chown(right, USER, USER)
        (self.data / "not-ours").write_text("")
        before = right.lstat().st_ctime_ns
        self.assertIn("gave what belonged to others", self.setup())
        for path in (stranger, stranger / "x"):
            self.assertEqual((path.lstat().st_uid, path.lstat().st_gid), (USER, USER))
        self.assertEqual(right.lstat().st_ctime_ns, before)
        self.assertEqual((self.data / "not-ours").lstat().st_uid, 0)

    def test_owners_are_not_changed_through_links(self):
        self.setup()
        precious = self.folder / "precious"
        precious.mkdir()
        (self.var / "link").symlink_to(precious)
        self.setup()
        self.assertEqual(precious.lstat().st_uid, 0)
        self.assertEqual((self.var / "link").lstat().st_uid, USER)

    def test_an_unknown_user_is_for_the_hoster(self):
        self.assertIn("this system has no such user: set HCRC_USER", self.setup(SETUP_USER="no-such-user", code=42))

    def test_a_user_by_name_has_the_names_group(self):
        self.setup(SETUP_USER="nobody")
        status = self.var.stat()
        known = harness.run("sh", "-c", "id -u nobody; id -g nobody").stdout.split()
        self.assertEqual([str(status.st_uid), str(status.st_gid)], known)

    def test_a_data_folder_that_the_user_cannot_enter(self):
        self.data.mkdir(mode=0o700)
        self.assertIn(f"user {USER} cannot enter {self.data}: run chmod o+x", self.setup(code=42))

    def test_without_the_capability_to_give(self):
        self.assertIn("CAP_CHOWN", self.setup(before=("setpriv", "--bounding-set=-chown", "--inh-caps=-chown"), code=42))

    def test_a_read_only_data_folder_is_for_the_hoster(self):
        self.data.mkdir()
        read_only = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro none "$SETUP_DATA" && exec "$@"', "sh")
        for shell in SHELLS:
            self.assertIn("Read-only file system: let user 0", self.setup(shell, before=read_only, code=42))

    def test_a_full_disk_may_pass(self):
        self.data.mkdir()
        full = ("unshare", "--mount", "sh", "-c",
                'mount -t tmpfs -o size=1M,nr_inodes=5 none "$SETUP_DATA" && exec "$@"', "sh")
        for shell in SHELLS:
            self.assertIn("No space left on device: will be tried again", self.setup(shell, before=full, code=1))

    # As another user than root

    def test_as_its_own_user(self):
        self.as_user()
        self.assertEqual(self.as_user(), f"setup: {self.data} is in order\n")
        self.assertEqual(self.configuration.stat().st_uid, USER)

    def test_as_a_user_whom_the_data_does_not_belong_to(self):
        self.setup(SETUP_USER=4712)
        said = self.as_user(code=42)
        self.assertIn(f"{USER}", said)

    def test_as_a_user_who_may_not_write_there(self):
        self.data.mkdir()
        self.assertIn(f"Permission denied: let user {USER}", self.as_user(code=42))


@harness.need_root
@unittest.skipUnless(shutil.which("busybox"), harness.ALLOWED_SKIP + "no busybox")
class InAnImage(SetupTest):
    """With /data, /etc and /var of its own: a root that holds busybox and the script, entered by chroot."""

    def setUp(self):
        super().setUp()
        self.root = self.folder / "root"
        for name in ("bin", "etc", "var", "usr/lib/hcrc", "data", "dev"):
            (self.root / name).mkdir(parents=True)
        os.mknod(self.root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        (self.root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nnonroot:x:65532:65532::/home/nonroot:/bin/sh\n")
        (self.root / "etc/group").write_text("root:x:0:\nnonroot:x:65532:\n")
        shutil.copy(shutil.which("busybox"), self.root / "bin/busybox")
        harness.run("chroot", self.root, "/bin/busybox", "--install", "-s", "/bin")
        for part in SETUP.parent.iterdir():
            shutil.copy(part, self.root / "usr/lib/hcrc")

    def image_setup(self, code=0, before=()):
        done = subprocess.run([*before, "chroot", str(self.root), "/usr/lib/hcrc/setup"], env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=harness.TIMEOUT)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def links(self):
        return [os.readlink(self.root / link) for link in ("etc/holochain", "var/local/lib/holochain")]

    def test_links_are_made_once_and_not_inside_themselves(self):
        self.image_setup()
        self.assertEqual(self.links(), ["/data/holochain/etc", "/data/holochain/var"])
        before = snapshot(self.root / "data")
        self.assertEqual(self.image_setup(), "setup: /data is in order\n")
        self.assertEqual(snapshot(self.root / "data"), before)
        self.assertEqual((self.root / "data/holochain/var").stat().st_uid, 65532)

    def test_a_link_to_somewhere_else_is_replaced(self):
        (self.root / "etc/holochain").symlink_to("/data")
        self.image_setup()
        self.assertEqual(self.links()[0], "/data/holochain/etc")
        self.assertFalse((self.root / "data/etc").exists())

    def test_a_folder_of_the_image_with_something_in_it_stays(self):
        (self.root / "etc/holochain").mkdir()
        (self.root / "etc/holochain/x").write_text("")
        (self.root / "var/local/lib/holochain").mkdir(parents=True)
        self.assertIn("/etc/holochain is no link", self.image_setup())
        self.assertTrue((self.root / "etc/holochain/x").exists())
        self.assertEqual(os.readlink(self.root / "var/local/lib/holochain"), "/data/holochain/var")

    def test_a_keystore_of_an_older_image_keeps_its_path(self):
        keystore = self.root / "data/holochain/var/ks"
        keystore.mkdir(parents=True)
        (keystore / "lair-keystore-config.yaml").write_text("storeFile: /var/local/lib/holochain/ks/store_file\n")
        self.image_setup()
        self.assertIn('lair_root: "/var/local/lib/holochain/ks"',
                      (self.root / "data/holochain/etc/conductor-config.yaml").read_text())

    def read_only_root(self):
        return ("unshare", "--mount", "sh", "-c",
                'root=$1; shift; mount --bind "$root" "$root" && mount --bind "$root/data" "$root/data" && '
                'mount -o remount,bind,ro "$root" && exec "$@"', "sh", str(self.root))

    def test_a_read_only_image_goes_without_links(self):
        self.assertIn("goes on without", self.image_setup(before=self.read_only_root()))

    def test_a_read_only_image_whose_configuration_needs_the_link(self):
        self.image_setup()
        configuration = self.root / "data/holochain/etc/conductor-config.yaml"
        configuration.write_text(configuration.read_text().replace("/data/holochain/var", "/var/local/lib/holochain"))
        self.image_setup(before=self.read_only_root())  # the link is in the image
        (self.root / "var/local/lib/holochain").unlink()
        self.assertIn("which cannot be linked", self.image_setup(before=self.read_only_root(), code=42))


if __name__ == "__main__":
    harness.main()
