"""hcrc-compile and definitions that mean harm, or are merely huge: an answer, in bounded time and memory.

Standalone: `HCRC_BIN=build/debug/bin /usr/bin/python3 tests/integration/test_compile_hostile.py`.
"""

import os
import pathlib
import re
import resource
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HCRC_BIN", ROOT / "build/release/bin")).resolve()
COMPILE = BIN / "hcrc-compile"
SANITIZED = "debug" in BIN.parts  # shadow memory needs all the address space there is
SECONDS = 60  # the outer limit; each takes a second or two
MEMORY = 1 << 30
STACK = 256 << 10
RIGHT = 'command = ["/usr/bin/x"]\n'
MESSAGE = 2_000_000  # at most a thousand diagnostics are shown


def limits():
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_STACK, (STACK, STACK))


class Hostile(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="hcrc-hostile-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.folder = self.scratch / "services.d"
        self.folder.mkdir()

    def write(self, **files):
        for name, text in files.items():
            (self.folder / f"{name}.toml").write_bytes(text if isinstance(text, bytes) else text.encode())

    def answer(self, *words, codes=(0, 1)):
        """Runs it within all limits: (exit code, what it said)."""
        done = subprocess.run([str(COMPILE), *words, "services.d"], cwd=self.scratch, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=SECONDS, preexec_fn=limits)
        self.assertIn(done.returncode, codes, done.stderr[-2_000:])
        self.assertLess(len(done.stderr), MESSAGE)
        said = done.stderr.decode()  # valid UTF-8 whatever the files hold
        self.assertIsNone(re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said), "a control character")
        return done.returncode, said

    def refused(self, code, *words):
        self.assertIn(f"[{code}]", self.answer(*words, codes=(1,))[1])


class Texts(Hostile):
    def test_nesting(self):
        deep = 100_000
        for text in ("x = " + "[" * deep, "x = " + "[" * deep + "]" * deep, "x = " + "{ a = " * deep, "a." * deep + "b = 1",
                     "[" + "a." * deep + "b]", "[" * deep, "[[" + "a." * deep + "b]]", "x = { " + "a." * deep + "b = 1 }",
                     '"". ' * deep + "b = 1"):
            with self.subTest(text[:20]):
                self.write(web=RIGHT + text + "\n")
                self.refused("E002")

    def test_huge_texts_keys_and_numbers(self):
        size = 1_000_000
        for text, code in (("k" * size + " = 1\n", "E020"), ('"' + "k" * size + '" = 1\n', "E020"), ("nice = " + "9" * size + "\n", "E001"),
                           ("nice = 0x" + "f" * size + "\n", "E001"), ("x = 1e" + "9" * size + "\n", None),
                           ("x = 0." + "0" * size + "1\n", None), ('x = "' + "a" * size + "\n", "E001"), ("[stop]\ntimeout = \"" + "9" * size + 's"\n', "E025"),
                           ('user = "' + "$" * size + '"\n', None), ('requires = ["' + "n" * size + '"]\n', "E060"),
                           ('[stop]\nsignal = "' + "S" * size + '"\n', "E032"), ('description = "' + "\\u0041" * (size // 6) + '"\n', None),
                           ("#" * size + "\n", None), ("\n" * size, None)):
            with self.subTest(text[:20]):
                self.write(web=RIGHT + text)
                if code:
                    self.refused(code)
                else:
                    self.answer()

    def test_very_many_mistakes(self):
        self.write(web=RIGHT + "".join(f"comand{i} = 1\n" for i in range(50_000)))
        self.assertIn("49000 more errors are not shown", self.answer(codes=(1,))[1])
        self.write(web=RIGHT + "requires = [" + ", ".join(f'"n{i}"' for i in range(90_000)) + "]\n")
        self.assertIn("89000 more errors are not shown", self.answer(codes=(1,))[1])
        self.write(web=RIGHT + "requires = [" + '"web", ' * 90_000 + "]\n")
        self.answer(codes=(1,))
        self.write(web=RIGHT + "[restart]\nsuccess-codes = [" + "7, " * 200_000 + "]\n")
        self.answer(codes=(1,))

    def test_bytes_that_are_no_text(self):
        for text, code in ((b"\x00" * 1000, "E001"), (RIGHT.encode() + b"x = \"a\x00b\"\n", "E001"), (b"\xff\xfe" + RIGHT.encode("utf-16-le"), "E003"),
                           (RIGHT.encode() + b"# \xc0\x80\n", "E003"), (RIGHT.encode() + b"# \xed\xa0\x80\n", "E003"), (b"\xf8\x88\x80\x80\x80", "E003"),
                           (RIGHT.encode() + b'description = "\\u0000"\n', "E029"), (os.urandom(100_000), None), (b"\x1b[31m = 1\n", "E001")):
            with self.subTest(text[:20]):
                self.write(web=text)
                if code:
                    self.refused(code)
                else:
                    self.answer(codes=(1,))

    def test_marks_and_line_ends(self):
        self.write(web=b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").encode() + b"\r\n[stop]\r\ntimeout = \"5s\"\r\n")
        self.assertEqual(self.answer("--werror"), (0, ""))
        self.write(web=RIGHT + "nice = 99\r")
        self.answer(codes=(1,))

    def test_what_a_terminal_would_obey(self):
        self.write(web='comand = ["x"]\n"\\u001b[2J" = 1\ndescription = "\u202e\u2066" \nrequires = ["\u200b\u202ex"]\n[env]\n"a\\u009b" = "1"\n')
        said = self.answer(codes=(1,))[1]
        for hidden in "\u202e\u2066\u200b\u009b":
            self.assertNotIn(hidden, said)


class Names(Hostile):
    def test_names_that_look_alike_or_lead_out(self):
        self.write(web=RIGHT, **{"w\u0435b": RIGHT, "\u202ebew": RIGHT, "web\u200b": RIGHT, "-rf": RIGHT, "a b": RIGHT, "x" * 64: RIGHT,
                                 "new\nline": RIGHT, "\x1b[31m": RIGHT, "$(id)": RIGHT})
        said = self.answer(codes=(1,))[1]
        self.assertEqual(said.count("[E006]"), 9)
        self.assertIn("(U+0435)", said)

    def test_texts_that_lead_out(self):
        for key in ('requires = ["../web"]', 'log-to = "../../etc/passwd"', 'instances = ["../x"]', 'instances = [".."]', 'wants = ["web/../web"]',
                    'after = ["web@../x"]', 'requires = ["wеb"]'):
            with self.subTest(key):
                self.write(web=RIGHT, other=RIGHT + key + "\n")
                self.answer()
                self.assertEqual(sorted(set(os.listdir(self.scratch)) - {"node.db"}), ["services.d"])

    @unittest.skipUnless(os.geteuid() == 0, "allowed: needs root")
    def test_devices_links_and_the_like(self):
        self.write(web=RIGHT)
        for name, number in (("zero", (1, 5)), ("null", (1, 3)), ("kmsg", (1, 11))):
            try:
                os.mknod(self.folder / f"{name}.toml", stat.S_IFCHR | 0o666, os.makedev(*number))
            except PermissionError:
                os.symlink(f"/dev/{name}", self.folder / f"{name}.toml")
        os.mkfifo(self.folder / "fifo.toml")
        os.symlink("fifo.toml", self.folder / "linked.toml")
        os.symlink("/proc/self/mem", self.folder / "mem.toml")
        os.symlink("loop.toml", self.folder / "loop.toml")
        os.symlink("a/" * 1_000 + "x", self.folder / "long.toml")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / "socket.toml"))
            said = self.answer(codes=(1,))[1]
        named = re.findall(r"services\.d/(\w+)\.toml:1:1: error: .* \[E005\]", said)
        self.assertEqual(named, ["fifo", "kmsg", "linked", "long", "loop", "mem", "null", "socket", "zero"])


class Sizes(Hostile):
    def test_a_file_of_a_gibibyte(self):
        self.write(web=RIGHT)
        with open(self.folder / "huge.toml", "wb") as file:
            file.truncate(1 << 30)
        self.refused("E004")

    def test_a_file_that_grows_and_shrinks_while_it_is_read(self):
        self.write(web=RIGHT)
        done = threading.Event()

        def change():
            contents = [RIGHT, RIGHT + "#" * 300_000 + "\n", RIGHT + "nice = 1\n", "\n" * 50_000 + RIGHT]
            at = 0
            with open(self.folder / "web.toml", "r+b", buffering=0) as file:
                while not done.is_set():
                    at += 1
                    text = contents[at % len(contents)].encode()
                    file.truncate(0)
                    file.seek(0)
                    file.write(text)

        changer = threading.Thread(target=change)
        changer.start()
        try:
            for _ in range(30):
                code, said = self.answer(codes=(0, 1, 111))
                if code == 111:
                    self.assertIn("changes all the time", said)
        finally:
            done.set()
            changer.join()

    def test_files_that_come_and_go_while_the_folder_is_read(self):
        self.write(**{f"s{i}": RIGHT for i in range(500)})
        done = threading.Event()

        def change():
            while not done.is_set():
                for i in range(0, 500, 7):
                    path = self.folder / f"s{i}.toml"
                    path.unlink()
                    os.symlink("/dev/zero", path) if i % 2 else os.mkfifo(path)
                    path.unlink()
                    path.write_text(RIGHT)

        changer = threading.Thread(target=change)
        changer.start()
        try:
            for _ in range(20):
                self.answer()
        finally:
            done.set()
            changer.join()

    def test_more_services_than_a_database_holds(self):
        self.write(web=RIGHT + "instances = [" + ", ".join(f'"{i}"' for i in range(70_000)) + "]\n")
        self.refused("E009")

    def test_definitions_that_multiply(self):
        many = ", ".join(f'"{i}"' for i in range(20_000))
        self.write(web=RIGHT + f'instances = [{many}]\nrequires = ["db"]\n', db=RIGHT + f"instances = [{many}]\n")
        self.refused("E010")
        self.write(web=RIGHT + f'instances = [{many}]\n[env]\nA = "{"x" * 100_000}"\n', db=RIGHT)
        self.refused("E010")
        bundles = {f"b{i}": f'type = "bundle"\ncontents = ["b{i + 1}", "c{i + 1}"]\nautostart = false\n' for i in range(400)}
        bundles |= {f"c{i}": f'type = "bundle"\ncontents = ["b{i + 1}", "c{i + 1}"]\nautostart = false\n' for i in range(400)}
        self.write(web=RIGHT + 'requires = ["b0"]\n', b400=RIGHT, c400=RIGHT, **bundles)
        self.answer(codes=(0,))

    def test_every_name_unknown(self):
        self.write(**{f"service-number-{i}": RIGHT + f'requires = ["service-numbr-{i}", "nobody-{i}"]\n' for i in range(5_000)})
        self.assertIn("9000 more errors are not shown", self.answer(codes=(1,))[1])


class Shapes(Hostile):
    """Graphs that a recursive compiler would not survive; its stack has 256 KiB here."""

    LONG = 20_000

    def chain(self, first=""):
        for i in range(self.LONG):
            before = f'requires = ["s{i - 1:05}"]\n' if i else first
            (self.folder / f"s{i:05}.toml").write_text(RIGHT + before)

    def test_a_long_chain(self):
        self.chain()
        started = time.monotonic()
        self.assertEqual(self.answer(codes=(0,)), (0, ""))
        print(f"a chain of {self.LONG}: {time.monotonic() - started:.2f} s", flush=True)
        again = subprocess.run([str(COMPILE), "--dump", "node.db", "dumped"], cwd=self.scratch, capture_output=True, timeout=SECONDS,
                               preexec_fn=limits)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual((self.scratch / "dumped/s19999.toml").read_text(),
                         'type = "longrun"\ncommand = ["/usr/bin/x"]\nrequires = ["s19998"]\n')

    def test_a_long_cycle(self):
        self.chain(first='requires = ["s19999"]\n')
        _, said = self.answer(codes=(1,))
        self.assertEqual(said.count("[E062]"), 1)
        self.assertIn("services.d/s00000.toml:2:13: note: s00000 requires s19999\n", said)
        self.assertIn("note: ... and 19968 more steps ...\n", said)
        self.assertEqual(len(re.findall(r"^  services\.d/s\d+\.toml:2:13: note: s\d+ requires s\d+$", said, re.M)), 32)
        self.assertLess(len(said), 5_000)

    def test_very_many_edges(self):
        services, edges = 1_000, 230
        for i in range(services + edges):
            first = max(0, i - edges)
            names = ", ".join(f'"s{j:05}"' for j in range(first, i))
            (self.folder / f"s{i:05}.toml").write_text(RIGHT + f"after = [{names}]\n")
        self.assertEqual(self.answer(codes=(0,)), (0, ""))
        self.assertGreater((self.scratch / "node.db").stat().st_size, services * edges * 16)


if __name__ == "__main__":
    unittest.main()
