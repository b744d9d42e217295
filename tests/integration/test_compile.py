"""hcrc-compile as a program: exit codes, what it writes and what it leaves alone.

Standalone: `HCRC_BIN=build/debug/bin /usr/bin/python3 tests/integration/test_compile.py`.
"""

import fcntl
import os
import pathlib
import pty
import random
import re
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILE = pathlib.Path(os.environ.get("HCRC_BIN", ROOT / "build/release/bin")).resolve() / "hcrc-compile"
TIMEOUT = 30
NOBODY = 65534

WEB = 'command = ["/usr/bin/web"]\nrequires = ["db"]\nwants = ["cache"]\n'
DB = 'type = "oneshot"\ncommand = ["/usr/bin/db", "${DATA:-/data}"]\n'
CACHE = 'command = ["/usr/bin/cache"]\n[env]\nB = "2"\nA = "1"\n'
GOOD = {"web.toml": WEB, "db.toml": DB, "cache.toml": CACHE}


class CompileTest(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="hcrc-compile-test-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.scratch.chmod(0o755)

    def folder(self, files, name="services.d"):
        folder = self.scratch / name
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).write_text(text)
        return folder

    def run_compile(self, *words, code=0, cwd=None, **options):
        done = subprocess.run([str(COMPILE), *map(str, words)], cwd=cwd or self.scratch, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def litter(self, folder=None):
        return [name for name in os.listdir(folder or self.scratch) if name.startswith(".hcrc")]


class CommandLine(CompileTest):
    def test_help_and_version_exit_0(self):
        self.assertIn("--explain", self.run_compile("--help").stdout)
        self.assertRegex(self.run_compile("--version").stdout, r"^hcrc-compile \d+\.\d+\.\d+\n$")

    def test_usage_errors_exit_100(self):
        folder = self.folder(GOOD)
        for words in ([], ["--check"], ["-o"], ["--json", folder], ["--graph", "png", folder], ["--graph", "", folder],
                      ["--plan"], ["--plan", "--check", folder], ["--nonsense", folder], ["-o", "", folder], [""],
                      ["--explain", "E999"], ["--explain"], ["--dump"], ["--dump", "a.db", "b", "c"],
                      ["--dump", "a.db", "--check"], ["--diff", "a.db"], ["--dump", "a.db", ""]):
            with self.subTest(words=words):
                done = self.run_compile(*words, code=100)
                self.assertRegex(done.stderr, r"^hcrc-compile: .+: .+\n$")
                self.assertEqual(done.stdout, "")
        self.assertEqual(os.listdir(self.scratch), ["services.d"])

    def test_explain(self):
        for code in ("E062", "w002"):
            done = self.run_compile("--explain", code)
            self.assertTrue(done.stdout.startswith(code.upper() + ": "), done.stdout)
            self.assertEqual(done.stderr, "")

    def test_success_is_one_line_and_node_db_by_default(self):
        done = self.run_compile(self.folder(GOOD))
        self.assertRegex(done.stdout, r"^hcrc-compile: 3 services, node\.db, build [0-9a-f]{16}\n$")
        self.assertEqual(done.stderr, "")
        self.assertTrue((self.scratch / "node.db").read_bytes().startswith(b"HCRC"))

    def test_check_writes_nothing(self):
        folder = self.folder(GOOD)
        self.run_compile("--check", folder)
        self.run_compile("--check", "-o", "x.db", folder)
        self.assertEqual(os.listdir(self.scratch), ["services.d"])


class Colours(CompileTest):
    def on_a_terminal(self, **environment):
        folder = self.scratch / "services.d"
        controller, terminal = pty.openpty()
        with open(controller, "rb", buffering=0) as console:
            with open(terminal, "wb") as stderr:
                code = subprocess.run([str(COMPILE), str(folder)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=stderr, env=environment, timeout=TIMEOUT).returncode
                text = console.read(1 << 16)
        self.assertEqual(code, 1)
        self.assertIn(b"there is no key", text)
        return text

    def test_on_a_terminal_only_and_not_where_they_are_unwanted(self):
        folder = self.folder({"web.toml": 'comand = ["x"]\n'})
        self.assertIn(b"\x1b[1;31merror:\x1b[0m", self.on_a_terminal(TERM="xterm"))
        self.assertIn(b"\x1b[", self.on_a_terminal(TERM="xterm", NO_COLOR=""))
        for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
            with self.subTest(environment):
                self.assertNotIn(b"\x1b", self.on_a_terminal(**environment))
        self.assertNotIn("\x1b", self.run_compile(folder, code=1, env={"TERM": "xterm"}).stderr)


class Definitions(CompileTest):
    def test_errors_exit_1_and_leave_the_old_database_alone(self):
        folder = self.folder(GOOD)
        self.run_compile(folder)
        before = (self.scratch / "node.db").stat(), (self.scratch / "node.db").read_bytes()
        (folder / "web.toml").write_text('comand = ["x"]\nrequires = ["dbb"]\n[stop]\ntimeout = 5\n')
        (folder / "db.toml").write_text("type = \n")
        done = self.run_compile(folder, code=1)
        heads = re.findall(r"^(\S+?):(\d+):(\d+): error: .+ \[(E\d{3})\]$", done.stderr, re.M)
        self.assertEqual([(pathlib.Path(path).name, int(line), code) for path, line, _, code in heads],
                         [("db.toml", 1, "E001"), ("web.toml", 1, "E020"), ("web.toml", 2, "E060"), ("web.toml", 4, "E023")])
        self.assertEqual(done.stderr.count("^"), 4)
        self.assertRegex(done.stderr.splitlines()[-1], r"^hcrc-compile: 4 errors: .+")
        self.assertEqual(done.stdout, "")
        after = (self.scratch / "node.db").stat(), (self.scratch / "node.db").read_bytes()
        self.assertEqual((before[0].st_ino, before[0].st_mtime_ns, before[1]), (after[0].st_ino, after[0].st_mtime_ns, after[1]))
        self.assertEqual(self.litter(), [])

    def test_warnings_are_told_and_fail_with_werror_only(self):
        folder = self.folder({**GOOD, "notes.txt": "x"})
        self.assertIn("warning: ", self.run_compile("--check", folder).stderr)
        self.assertIn("1 warning", self.run_compile("--werror", folder, code=1).stderr)
        self.assertFalse((self.scratch / "node.db").exists())

    def test_the_same_bytes_from_another_folder_order_and_time(self):
        first = self.folder(GOOD, "a/services.d")
        self.run_compile("-o", "first.db", first)
        second = self.scratch / "b"
        second.mkdir()
        for name in sorted(GOOD):
            (second / name).write_text(GOOD[name])
            os.utime(second / name, (1, 1))
        (self.scratch / "elsewhere").mkdir()
        self.run_compile("-o", self.scratch / "second.db", "../b/", cwd=self.scratch / "elsewhere",
                         env={"LC_ALL": "C", "TZ": "Asia/Tokyo", "HOME": "/nowhere"})
        self.assertEqual((self.scratch / "first.db").read_bytes(), (self.scratch / "second.db").read_bytes())

    def test_layers(self):
        base = self.folder(GOOD, "base")
        site = self.folder({"web.toml": 'override = "merge"\nnice = 3\n', "more.toml": CACHE}, "site")
        self.assertIn("4 services", self.run_compile(base, site).stdout)
        (site / "web.toml").write_text("nice = 3\n")
        self.assertIn("[E007]", self.run_compile(base, site, code=1).stderr)

    def test_the_node_as_shipped_has_no_warning(self):
        services = ROOT / "services.d"
        if not list(services.glob("*.toml")):
            self.skipTest("there is none yet")
        self.run_compile("--check", "--werror", services)


class Documents(CompileTest):
    def test_the_hexdump_of_the_page_about_the_database_is_true(self):
        example = (ROOT / "docs/database.md").read_text().split("\n## An example\n")[1]
        names = re.findall(r"`(\w+\.toml)`", example.split("```")[0])
        texts = re.findall(r"```toml\n(.*?)```", example, re.S)
        self.assertEqual((len(names), len(texts)), (3, 3))
        self.run_compile("--werror", self.folder(dict(zip(names, texts))))
        database = (self.scratch / "node.db").read_bytes()
        self.assertIn(f"They become {len(database):,} bytes.", example)
        lines = re.findall(r"^([0-9a-f]{8})  ((?:[0-9a-f]{2} +)+)\|(.*)\|$", example, re.M)
        self.assertGreater(len(lines), 45)
        for offset, numbers, letters in lines:
            with self.subTest(offset):
                part = database[int(offset, 16):int(offset, 16) + 16]
                self.assertEqual(bytes.fromhex(numbers), part)
                self.assertEqual(letters, "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part))
        # The first line and the last.
        shown = {int(offset, 16) for offset, _, _ in lines}
        self.assertLessEqual({0, len(database) // 16 * 16}, shown)


class Dump(CompileTest):
    def round_trip(self, *folders):
        self.run_compile("-o", "first.db", *folders)
        shown = self.run_compile("--dump", "first.db")
        self.assertEqual(shown.stderr, "")
        self.assertRegex(self.run_compile("--dump", "first.db", "dumped").stdout, r"^hcrc-compile: \d+ files?, dumped\n$")
        self.run_compile("-o", "second.db", "dumped")
        self.assertEqual((self.scratch / "first.db").read_bytes(), (self.scratch / "second.db").read_bytes())
        return shown.stdout

    def test_the_node_as_shipped_comes_back(self):
        shown = self.round_trip(ROOT / "services.d")
        files = sorted(os.listdir(self.scratch / "dumped"))
        self.assertEqual(files, sorted(path.name for path in (ROOT / "services.d").glob("*.toml")))
        # On stdout the same, each file below its name; node.toml first.
        node = ["node.toml"] + sorted((name for name in files if name != "node.toml"), key=lambda name: name.split(".")[0])
        text = "\n".join(f"# {name}\n" + (self.scratch / "dumped" / name).read_text() for name in node)
        self.assertEqual(shown, text)

    def test_layers_and_bundles_come_back_as_one_folder(self):
        base = self.folder({**GOOD, "all.toml": 'type = "bundle"\ncontents = ["web", "db"]\n'}, "base")
        site = self.folder({"web.toml": 'override = "merge"\ninstances = ["a", "b"]\nafter = ["all2"]\n',
                            "all2.toml": 'type = "bundle"\ncontents = ["cache"]\n'}, "site")
        self.assertIn('contents = ["db", "web"]', self.round_trip(base, site))

    def test_the_folder_is_a_new_one(self):
        self.run_compile(self.folder(GOOD))
        (self.scratch / "used").mkdir()
        (self.scratch / "used" / "other.toml").write_text("x")
        for target in ("used", "used/other.toml", "used/other.toml/x", "nowhere/dumped", "node.db"):
            with self.subTest(target=target):
                done = self.run_compile("--dump", "node.db", target, code=111)
                self.assertRegex(done.stderr, r"^hcrc-compile: .+: .+\n$")
        self.assertEqual(sorted(os.listdir(self.scratch)), ["node.db", "services.d", "used"])
        self.assertEqual(os.listdir(self.scratch / "used"), ["other.toml"])
        (self.scratch / "empty").mkdir()
        self.run_compile("--dump", "node.db", "empty")
        self.assertEqual(len(os.listdir(self.scratch / "empty")), 3)

    def test_a_disk_that_is_full_halfway_leaves_nothing(self):
        self.run_compile(self.folder({"a.toml": CACHE, "web.toml": CACHE + f'C = "{"x" * 2000}"\n'}))

        def little_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

        done = self.run_compile("--dump", "node.db", "dumped", code=111, preexec_fn=little_room)
        self.assertIn("dumped/web.toml: cannot be written: ", done.stderr)
        self.assertFalse((self.scratch / "dumped").exists())

    def test_what_is_no_database(self):
        (self.scratch / "text").write_text("no database")
        os.mkfifo(self.scratch / "fifo")
        for name, code in (("text", 1), ("fifo", 1), (".", 1), ("nowhere", 111)):
            with self.subTest(name=name):
                done = self.run_compile("--dump", name, "dumped", code=code)
                self.assertRegex(done.stderr, r"^hcrc-compile: .+: .+: .+\n$")
        self.assertFalse((self.scratch / "dumped").exists())


class Folder(CompileTest):
    def test_nothing_is_waited_for_and_nothing_outside_is_read(self):
        folder = self.folder(GOOD)
        os.mkfifo(folder / "fifo.toml")
        os.mkfifo(folder / "fifo")
        os.mkdir(folder / "folder.toml")
        (self.scratch / "secret").write_text("secret = words\n")
        os.symlink("../secret", folder / "out.toml")
        os.symlink("/dev/zero", folder / "zero.toml")
        os.symlink("loop.toml", folder / "loop.toml")
        os.symlink("nowhere", folder / "dangling.toml")
        os.symlink("..", folder / "up")
        os.symlink("up/secret", folder / "via.toml")
        done = self.run_compile(folder, code=1)
        named = re.findall(r"([a-z]+)\.toml:1:1: error: .+ \[E005\]", done.stderr)
        self.assertEqual(named, ["dangling", "fifo", "folder", "loop", "out", "via", "zero"])
        self.assertNotIn("words", done.stderr)
        self.assertIn("fifo:1:1: warning: ", done.stderr)

    def test_links_that_stay_inside(self):
        folder = self.folder({})
        (folder / "..data_1").mkdir()
        for name, text in GOOD.items():
            (folder / "..data_1" / name).write_text(text)
            os.symlink("..data/" + name, folder / name)
        os.symlink("..data_1", folder / "..data")
        os.symlink(folder / "..data_1" / "cache.toml", folder / "absolute.toml")
        os.symlink(folder, self.scratch / "link")
        self.assertIn("4 services", self.run_compile("--werror", self.scratch / "link").stdout)

    def test_what_is_skipped_without_a_word(self):
        folder = self.folder({**GOOD, ".hidden.toml": "x", "README.toml": "x", "README": "x", ".swp": "x"})
        (folder / "sub").mkdir()
        (folder / "sub" / "x.toml").write_text("x")
        os.symlink("sub", folder / "sublink")
        self.assertEqual(self.run_compile("--werror", folder).stderr, "")

    def test_names_and_sizes(self):
        folder = self.folder({**GOOD, "a b.toml": DB, "new\nline.toml": DB, "-x.toml": DB, ".toml": "x"})
        (folder / "big.toml").write_text("#" * (1 << 20) + "\n")
        done = self.run_compile(folder, code=1)
        self.assertEqual(done.stderr.count("[E006]"), 3)
        self.assertEqual(done.stderr.count("[E004]"), 1)
        self.assertIn("new\\nline.toml", done.stderr)
        (folder / "big.toml").write_text(DB + "#" * ((1 << 20) - len(DB)))
        self.assertNotIn("[E004]", self.run_compile(folder, code=1).stderr)

    def test_a_folder_that_cannot_be_read_is_a_system_failure(self):
        folder = self.folder(GOOD)
        for path in (self.scratch / "nowhere", folder / "web.toml", ):
            done = self.run_compile(folder, path, code=111)
            self.assertRegex(done.stderr, r"^hcrc-compile: .+: cannot be opened as a folder: .+: .+\n$")
        self.assertFalse((self.scratch / "node.db").exists())

    @unittest.skipUnless(os.geteuid() == 0, "allowed: needs root")
    def test_a_file_that_cannot_be_read_is_a_system_failure(self):
        folder = self.folder(GOOD)
        (folder / "web.toml").chmod(0)
        done = self.run_compile("--check", folder, code=111, user=NOBODY, group=NOBODY, extra_groups=[])
        self.assertIn("web.toml: cannot be opened: Permission denied: ", done.stderr)

    def test_no_service(self):
        self.assertIn("[E008]", self.run_compile(self.folder({"node.toml": ""}), code=1).stderr)


class Output(CompileTest):
    def test_mode_whatever_the_umask(self):
        folder = self.folder(GOOD)
        for umask in (0o077, 0o777, 0):
            self.run_compile(folder, umask=umask)
            self.assertEqual(stat.S_IMODE((self.scratch / "node.db").stat().st_mode), 0o644)

    def test_targets_that_are_no_files(self):
        folder = self.folder(GOOD)
        (self.scratch / "sub").mkdir()
        os.mkfifo(self.scratch / "fifo")
        for target in ("sub", "sub/", ".", "fifo", "/dev/null", "new/"):
            with self.subTest(target=target):
                done = self.run_compile("-o", target, folder, code=111)
                self.assertRegex(done.stderr, r"^hcrc-compile: .+: .+\n$")
        self.assertEqual(os.listdir(self.scratch / "sub"), [])
        self.assertTrue(stat.S_ISFIFO((self.scratch / "fifo").stat().st_mode))
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        self.run_compile("-o", "nowhere/node.db", folder, code=111)
        self.assertEqual(self.litter(), [])

    def test_a_link_is_followed(self):
        folder = self.folder(GOOD)
        (self.scratch / "real").mkdir()
        os.symlink("real/there.db", self.scratch / "node.db")
        for _ in range(2):  # dangling at first
            self.run_compile(folder)
            self.assertTrue((self.scratch / "node.db").is_symlink())
            self.assertEqual(os.listdir(self.scratch / "real"), ["there.db"])
        os.symlink("loop.db", self.scratch / "loop.db")
        self.run_compile("-o", "loop.db", folder, code=111)

    def test_a_database_that_is_open_keeps_its_bytes(self):
        folder = self.folder(GOOD)
        self.run_compile(folder)
        with open(self.scratch / "node.db", "rb") as old:
            before = (self.scratch / "node.db").read_bytes()
            (folder / "more.toml").write_text(CACHE)
            self.run_compile(folder)
            self.assertEqual(old.read(), before)
        self.assertNotEqual((self.scratch / "node.db").read_bytes(), before)

    @unittest.skipUnless(os.geteuid() == 0, "allowed: needs root")
    def test_a_folder_that_cannot_be_written(self):
        folder = self.folder(GOOD)
        out = self.scratch / "out"
        out.mkdir(mode=0o755)
        (out / "node.db").write_text("old")
        done = self.run_compile("-o", out / "node.db", folder, code=111, user=NOBODY, group=NOBODY, extra_groups=[])
        self.assertRegex(done.stderr, r"^hcrc-compile: .+: Permission denied: .+\n$")
        self.assertEqual((out / "node.db").read_text(), "old")
        self.assertEqual(os.listdir(out), ["node.db"])

    def test_a_disk_that_is_full_halfway(self):
        folder = self.folder(GOOD)
        (self.scratch / "node.db").write_text("old")

        def little_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

        done = self.run_compile(folder, code=111, preexec_fn=little_room)
        self.assertRegex(done.stderr, r"^hcrc-compile: .+: cannot be written: .+: .+\n$")
        self.assertEqual((self.scratch / "node.db").read_text(), "old")
        self.assertEqual(self.litter(), [])

    def test_what_a_killed_run_left_is_removed_and_what_a_running_one_writes_is_not(self):
        folder = self.folder(GOOD)
        stale, used = self.scratch / ".hcrc-compile-0123456789abcdef", self.scratch / ".hcrc-compile-fedcba9876543210"
        stale.write_text("x")
        used.write_text("x")
        with open(used) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.run_compile(folder)
            self.assertEqual(self.litter(), [used.name])
        self.run_compile(folder)
        self.assertEqual(self.litter(), [])

    def test_killed_at_any_moment(self):
        folder = self.folder({f"s{i}.toml": CACHE + f'C = "{"x" * 2000}"\n' for i in range(300)})
        started = time.monotonic()
        self.run_compile(folder)
        whole = time.monotonic() - started
        good = (self.scratch / "node.db").read_bytes()
        for seed in range(20):
            process = subprocess.Popen([str(COMPILE), "services.d"], cwd=self.scratch, stdout=subprocess.DEVNULL)
            # Not a wait for something: the moment of the kill is what is tried.
            time.sleep(random.Random(seed).uniform(whole / 2, whole))
            process.kill()
            process.wait()
            self.assertEqual((self.scratch / "node.db").read_bytes(), good)
            self.assertLessEqual(len(self.litter()), 1)
        self.run_compile(folder)
        self.assertEqual(self.litter(), [])

    def test_many_at_once(self):
        folder = self.folder(GOOD)
        running = [subprocess.Popen([str(COMPILE), "services.d"], cwd=self.scratch, stdout=subprocess.DEVNULL)
                   for _ in range(20)]
        self.assertEqual([process.wait(TIMEOUT) for process in running], [0] * 20)
        self.assertEqual(sorted(os.listdir(self.scratch)), ["node.db", "services.d"])

    def test_stdout_that_is_closed(self):
        folder = self.folder(GOOD)
        for redirection in (">&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"):
            with self.subTest(redirection=redirection):
                (self.scratch / "node.db").unlink(missing_ok=True)
                shell = ["/bin/sh", "-c", f"exec {COMPILE} services.d {redirection}"]
                self.assertEqual(subprocess.run(shell, cwd=self.scratch, timeout=TIMEOUT).returncode, 0)
                self.assertTrue((self.scratch / "node.db").read_bytes().startswith(b"HCRC"))
        (folder / "web.toml").write_text("")
        shell = ["/bin/sh", "-c", f"exec {COMPILE} services.d >&- 2>&-"]
        self.assertEqual(subprocess.run(shell, cwd=self.scratch, timeout=TIMEOUT).returncode, 1)


if __name__ == "__main__":
    unittest.main()
