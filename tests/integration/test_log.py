"""hcrc-log as a program: streams, signals, rotation, and sinks that take nothing.

What a file's bytes must be at each limit is tests/log/file_sink_test.cc; here are pipes, processes and a real disk.
"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import harness

LOG = harness.BIN / "hcrc-log"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
DROPPED = re.compile(rb"hcrc-log: (\d+) lines? dropped here: the (console|file) took no more")


class Running:
    """hcrc-log whose streams the test holds: `write` to its stdin, bytes to be read from its stdout when the test likes."""

    def __init__(self, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options):
        self.process = subprocess.Popen([str(LOG), *map(str, arguments)], stdin=stdin, stdout=stdout, stderr=stderr,
                                        env=harness.environment(**options.pop("env", {})), **options)

    @property
    def pid(self):
        return self.process.pid

    def write(self, text):
        self.process.stdin.write(text.encode() if isinstance(text, str) else text)
        self.process.stdin.flush()

    def send(self, number):
        os.kill(self.pid, number)

    def end(self, timeout=harness.TIMEOUT):
        """Ends its stdin: exit code, the rest of stdout, and stderr."""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass


class LogTest(harness.NodeTest):
    def setUp(self):
        super().setUp()
        self.folder = self.scratch()
        self.file = self.folder / "log"

    def start(self, *arguments, **options):
        running = Running(*arguments, **options)
        self.addCleanup(running.close)
        return running

    def start_plain(self, *arguments, **options):
        return self.start("--timestamp", "none", "--file", self.file, *arguments, **options)

    def read(self, name="log"):
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def has(self, text, name="log"):
        """Waits until the file has exactly this in it."""
        self.eventually(lambda: self.read(name) == text, f"{name} holds {text!r}, not {self.read(name)!r}")

    def asleep(self, running):
        """Waits until it has nothing to do but to wait: asleep, all signals taken."""
        def quiet():
            status = pathlib.Path(f"/proc/{running.pid}/status").read_text(encoding="ascii")
            return "State:\tS" in status and "ShdPnd:\t0000000000000000" in status
        self.eventually(quiet, "hcrc-log sleeps")


class Streams(LogTest):
    def test_everything_is_written_at_the_end(self):
        code, out, err = self._feed("one\ntwo\nno newline", "--tee", "--file", self.file)
        self.assertEqual((code, err), (0, b""))
        self.assertRegex(out.decode(), rf"\A{STAMP}one\n{STAMP}two\n{STAMP}no newline\n\Z")
        self.assertEqual(self.read(), out.decode())

    def _feed(self, text, *arguments, **options):
        running = self.start(*arguments, **options)
        running.write(text)
        return running.end()

    def test_without_a_file_the_console_is_the_sink(self):
        self.assertEqual(self._feed("x\n", "--timestamp", "none"), (0, b"x\n", b""))

    def test_without_tee_the_file_is_the_only_sink(self):
        self.assertEqual(self._feed("x\n", "--timestamp", "none", "--file", self.file), (0, b"", b""))
        self.assertEqual(self.read(), "x\n")

    def test_json_and_prefix(self):
        code, out, _ = self._feed(b'say "hi" \xff\n', "--format", "json", "--prefix", "node-7")
        self.assertEqual(code, 0)
        value = json.loads(out)
        self.assertRegex(value.pop("time"), STAMP.strip())
        self.assertEqual(value, {"prefix": "node-7", "line": 'say "hi" \ufffd'})
        self.assertEqual(self._feed("x\n", "--timestamp", "none", "--prefix", "> "), (0, b"> x\n", b""))

    def test_sigterm_writes_what_is_there(self):
        data = "".join(f"line {number}\n" for number in range(5_000))  # less than a pipe holds
        running = self.start_plain()
        running.write("first\n")
        self.has("first\n")
        running.send(signal.SIGSTOP)  # so that signal and data wait for it together
        running.write(data + "no newline")
        running.send(signal.SIGTERM)
        running.send(signal.SIGCONT)
        self.assertEqual(running.process.wait(harness.TIMEOUT), 0)
        self.assertEqual(self.read(), "first\n" + data + "no newline\n")

    def test_sigterm_while_a_stream_stays_open(self):
        running = self.start_plain()
        running.write("one\ntwo")
        self.has("one\n")
        running.send(signal.SIGTERM)
        self.assertEqual(running.process.wait(harness.TIMEOUT), 0)
        self.assertEqual(self.read(), "one\ntwo\n")

    def test_a_named_pipe_ends_with_its_last_writer(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        keeper = os.open(fifo, os.O_RDWR)
        os.write(keeper, b"x\n")
        stdin = os.open(fifo, os.O_RDONLY)
        running = self.start("--timestamp", "none", stdin=stdin)
        os.close(stdin)
        os.close(keeper)  # perhaps before it has begun
        self.assertEqual(running.end(), (0, b"x\n", b""))

    def test_usage(self):
        for words in (["--size", "16"], ["--size", "0B"], ["--age", "5"], ["--age", "0s"], ["--keep", "x"], ["--size", "1M"],
                      ["--file", ""], ["--file", "/tmp/"], ["--format", "xml"], ["--no-such"], ["word"], ["--file"]):
            done = harness.run(LOG, *words, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 100, words)
            self.assertRegex(done.stderr, r"\Ahcrc-log: [^\n]+: [^\n]+\n\Z")
        self.assertEqual(harness.run(LOG, "--help").returncode, 0)
        self.assertRegex(harness.run(LOG, "--version").stdout, r"\Ahcrc-log \S+\n\Z")


class NamedStreams(LogTest):
    def start_with(self, names, *arguments, env=None):
        """hcrc-log with a pipe for each name, as the runtime hands them over; returns it and the write ends."""
        ends = [os.pipe() for _ in names]
        # The shell moves them to 3, 4, ... by way of high numbers, so that none is overwritten.
        words = [f"exec {64 + i}<&{read}" for i, (read, _) in enumerate(ends)]
        words += [f"exec {3 + i}<&{64 + i} {64 + i}<&-" for i in range(len(ends))]
        script = "; ".join(words) + '; exec "$0" "$@"'
        variables = {"LISTEN_FDS": len(names), "LISTEN_FDNAMES": ":".join(names), **(env or {})}
        process = subprocess.Popen(["/bin/bash", "-c", script, str(LOG), *map(str, arguments)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=harness.environment(**variables),
                                   pass_fds=[read for read, _ in ends])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for read, _ in ends:
            os.close(read)
        return process, [write for _, write in ends]

    def test_two_streams_never_mix_inside_a_line(self):
        # Each line comes in two writes, the other stream's between them, and is far longer than a read.
        process, writes = self.start_with(["web", "db"], "--timestamp", "none", "--file", self.file)
        rounds, length = 400, 3_000

        def produce(write, letter):
            for number in range(rounds):
                os.write(write, f"{number} ".encode() + letter * (number % length))
                os.write(write, letter * (length - number % length) + b"\n")
            os.close(write)

        threads = [threading.Thread(target=produce, args=pair) for pair in zip(writes, (b"w", b"d"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(process.communicate(timeout=harness.TIMEOUT), (b"", b""))
        self.assertEqual(process.returncode, 0)
        found = {"web": 0, "db": 0}
        for line in self.read().splitlines():
            name, number, rest = line.split(" ")
            name = name.rstrip(":")
            self.assertEqual(int(number), found[name])  # in order, none lost
            self.assertEqual(rest, name[0] * length)
            found[name] += 1
        self.assertEqual(found, {"web": rounds, "db": rounds})

    def test_one_stream_has_no_name_but_in_json(self):
        for words, expected in ((["--timestamp", "none"], b"x\n"),
                                (["--timestamp", "none", "--format", "json"], b'{"service":"web","line":"x"}\n')):
            process, (write,) = self.start_with(["web"], *words)
            os.write(write, b"x\n")
            os.close(write)
            self.assertEqual(process.communicate(timeout=harness.TIMEOUT), (expected, b""))

    def test_the_end_of_one_stream_is_not_the_end(self):
        process, (web, db) = self.start_with(["web", "db"], "--timestamp", "none", "--file", self.file)
        os.write(web, b"bye")
        os.close(web)
        self.has("web: bye\n")
        os.write(db, b"still here\n")
        self.has("web: bye\ndb: still here\n")
        os.close(db)
        self.assertEqual(process.wait(harness.TIMEOUT), 0)
        process.communicate()

    def test_a_count_that_is_too_large(self):
        process, (write,) = self.start_with(["web"], "--timestamp", "none", env={"LISTEN_FDS": "1000000000"})
        os.write(write, b"x\n")
        os.close(write)
        self.assertEqual(process.communicate(timeout=harness.TIMEOUT), (b"x\n", b""))

    def test_a_count_that_is_none(self):
        for count in ("-1", "0", "2x", ""):
            running = self.start("--timestamp", "none", env={"LISTEN_FDS": count})
            running.write("x\n")
            self.assertEqual(running.end(), (0, b"x\n", b""))


class Rotation(LogTest):
    def test_by_size_under_load(self):
        running = self.start_plain("--size", "10K", "--keep", 1000)
        data = b"".join(b"line %d %s\n" % (number, b"x" * (number * 37 % 200)) for number in range(20_000))
        running.write(data)
        self.assertEqual(running.end(), (0, b"", b""))
        names = sorted((int(path.suffix[1:] or 0), path) for path in self.folder.iterdir())
        self.assertEqual([number for number, _ in names], list(range(len(names))))
        parts = [path.read_bytes() for _, path in reversed(names)]
        self.assertEqual(b"".join(parts), data)
        for part, following in zip(parts, parts[1:]):
            self.assertTrue(part.endswith(b"\n"))
            self.assertLessEqual(len(part), 10_240)
            self.assertGreater(len(part) + following.index(b"\n") + 1, 10_240)  # as full as lines allow

    def test_keep(self):
        running = self.start_plain("--size", "1B", "--keep", 2)
        for line in ("1\n", "2\n", "3\n"):
            running.write(line)
        running.end()
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["log", "log.1", "log.2"])

    def test_by_age_across_a_restart(self):
        started = time.time()
        self.assertEqual(self._one_line("old\n"), 0)
        self.eventually(lambda: time.time() - started > 0.3, "the file is old")
        self.assertEqual(self._one_line("new\n"), 0)
        if self.read("log.1") is None:
            self.skipTest(harness.ALLOWED_SKIP + "this file system does not know when a file was made")
        self.assertEqual((self.read("log.1"), self.read()), ("old\n", "new\n"))

    def _one_line(self, text):
        running = self.start_plain("--age", "200ms")
        running.write(text)
        return running.end()[0]

    def test_sigusr1(self):
        running = self.start_plain()
        running.write("one\n")
        self.has("one\n")
        running.send(signal.SIGUSR1)
        self.has("one\n", "log.1")
        self.has("")
        running.send(signal.SIGUSR1)  # nothing in it: nothing to rotate
        running.write("two\n")
        self.has("two\n")
        self.assertEqual(running.end(), (0, b"", b""))
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["log", "log.1"])

    def test_sighup_opens_anew(self):
        running = self.start_plain()
        running.write("one\n")
        self.has("one\n")
        self.file.rename(self.folder / "moved")
        running.send(signal.SIGHUP)
        self.has("")  # at once, not with the next line
        running.write("two\n")
        self.has("two\n")
        self.assertEqual(self.read("moved"), "one\n")
        self.assertEqual(running.end(), (0, b"", b""))

    def test_renamed_away_without_a_word(self):
        # As logrotate does it: rename, then perhaps make the new one. No byte is lost whenever it happens.
        running = self.start_plain()
        running.write("0\n")
        self.has("0\n")
        for number in range(1, 30):
            self.file.rename(self.folder / f"moved.{number}")
            if number % 2:
                self.file.touch()
            running.write(f"{number}\n")
            self.has(f"{number}\n")
            self.assertEqual(self.read(f"moved.{number}"), f"{number - 1}\n")
        self.assertEqual(running.end(), (0, b"", b""))

    def test_crash_between_rename_and_create(self):
        self.file.write_text("one\n")
        self.file.rename(self.folder / "log.1")
        running = self.start_plain("--size", "4B")
        running.write("two\n333\n")
        self.assertEqual(running.end(), (0, b"", b""))
        self.assertEqual([self.read(name) for name in ("log", "log.1", "log.2")], ["333\n", "two\n", "one\n"])


class FileTrouble(LogTest):
    def test_folder_removed_and_made_again(self):
        folder = self.folder / "logs"
        folder.mkdir()
        running = self.start("--timestamp", "none", "--tee", "--file", folder / "log")
        running.write("one\n")
        self.has("one\n", "logs/log")
        (folder / "log").unlink()
        folder.rmdir()
        running.write("two\n")
        self.assertEqual(running.process.stdout.readline(), b"one\n")
        self.assertEqual(running.process.stdout.readline(), b"two\n")  # the console goes on
        self.assertRegex(running.process.stderr.readline().decode(), r"^hcrc-log: .*/log: its folder .*: trying again$")
        folder.mkdir()
        self.has("two\n", "logs/log")
        self.assertRegex(running.process.stderr.readline().decode(), r"is written again$")
        self.assertEqual(running.end(), (0, b"", b""))

    def test_links_are_refused_in_every_place(self):
        outside = self.folder / "outside"
        outside.mkdir()
        (outside / "precious").write_text("precious")
        (self.folder / "link").symlink_to(outside)
        (self.folder / "file-link").symlink_to(outside / "precious")
        (outside / "deep").mkdir()
        os.link(outside / "precious", self.folder / "second-name")
        os.mkfifo(self.folder / "fifo")
        paths = ("file-link", "link/new", "link/deep/new", "outside/../link/new", "second-name", "fifo", "outside",
                 "outside/precious/x")
        all_running = [self.start("--timestamp", "none", "--tee", "--file", self.folder / path) for path in paths]
        for running in all_running:
            running.write("x\n")
            self.assertEqual(running.process.stdout.readline(), b"x\n")
            running.send(signal.SIGTERM)
        for path, running in zip(paths, all_running):
            with self.subTest(path=path):
                code, out, err = running.end()
                self.assertEqual((code, out), (0, b""))
                self.assertRegex(err.decode(), r"\Ahcrc-log: [^\n]*: trying again\nhcrc-log: the file took no more[^\n]*\n\Z")
        self.assertEqual((outside / "precious").read_text(), "precious")
        self.assertEqual(sorted(path.name for path in outside.iterdir()), ["deep", "precious"])

    @harness.need_root
    def test_full_disk_and_room_again(self):
        # A tiny file system in a mount namespace of its own: the file stops, the console goes on, the count is exact.
        script = 'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"'
        mount = self.folder / "mount"
        mount.mkdir()
        running = Running.__new__(Running)
        running.process = subprocess.Popen(
            ["unshare", "--mount", "/bin/sh", "-c", script, "sh", str(mount), str(LOG), "--timestamp", "none", "--tee",
             "--file", str(mount / "log")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=harness.environment())
        self.addCleanup(running.close)
        # More than disk and queue hold. The console is read along, or its own queue would overflow.
        total, portion = 70_000, 500
        lines = [b"%07d%s\n" % (number, b"." * 92) for number in range(total)]
        console = b""
        for begin in range(0, total, portion):
            running.write(b"".join(lines[begin:begin + portion]))
            console += b"".join(running.process.stdout.readline() for _ in range(portion))
        self.assertEqual(console, b"".join(lines))
        inside = pathlib.Path(f"/proc/{running.pid}/root{mount}")  # its own mounts
        first = (inside / "log").read_bytes()
        os.truncate(inside / "log", 0)
        subprocess.run(["nsenter", f"--mount=/proc/{running.pid}/ns/mnt", "mount", "-o", "remount,size=64m", str(mount)],
                       check=True)
        # The loss is told without a further line, when the file takes again.
        self.eventually(lambda: DROPPED.search((inside / "log").read_bytes()[-200:]), "the file is written again")
        running.write(b"last\n")
        self.eventually(lambda: (inside / "log").read_bytes().endswith(b"last\n"), "the last line is there")
        whole = first + (inside / "log").read_bytes()
        kept, lost = count_lines(self, whole)
        self.assertEqual(kept - 1 + lost, total)
        self.assertGreater(lost, 0)
        code, _, err = running.end()
        self.assertEqual(code, 0)
        self.assertRegex(err.decode(), r"\Ahcrc-log: [^\n]*No space left[^\n]*\nhcrc-log: [^\n]* is written again\n\Z")


def count_lines(test, data):
    """Lines that are there and lines that are told as dropped; numbered lines must come in order and whole."""
    kept = lost = 0
    for line in data.splitlines():
        told = DROPPED.search(line)
        if told:
            lost += int(told[1])
            continue
        if line[:1].isdigit():
            test.assertEqual(int(line[:7]), kept + lost)
        kept += 1
    return kept, lost


def cpu_ticks(pid):
    """Clock ticks of processor time used so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def switches(pid):
    """How often it has gone to sleep so far."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])


class ConsoleTrouble(LogTest):
    def blocked(self, **options):
        """With a console that nobody reads: enough lines that its queue overflows; all of them are in the file."""
        running = self.start_plain("--tee", **options)
        total = 100_000
        lines = b"".join(b"%07d%s\n" % (number, b"." * 92) for number in range(total))
        running.write(lines)  # returns when all but a pipe's content is read: the writer is not held up
        self.eventually(lambda: self.file.stat().st_size == len(lines), "the file goes on")
        self.assertEqual(self.file.read_bytes(), lines)
        return running, total

    def test_nobody_reads_then_somebody_does(self):
        running, total = self.blocked()
        running.process.stdin.close()
        running.process.stdin = None
        console = running.process.stdout.read()
        kept, lost = count_lines(self, console)
        self.assertGreater(lost, 0)
        self.assertEqual(kept + lost, total)
        self.assertEqual(len(DROPPED.findall(console)), 1)
        self.assertEqual(running.end()[0], 0)

    def test_the_count_is_told_before_the_next_line_comes(self):
        running, total = self.blocked()
        console = b""
        while not DROPPED.search(console):
            console += os.read(running.process.stdout.fileno(), 65_536)
        running.write("%07d\n" % total)
        console += running.end()[1]
        kept, lost = count_lines(self, console)
        self.assertEqual(kept + lost, total + 1)

    def test_nobody_ever_reads(self):
        running, _ = self.blocked()
        running.send(signal.SIGTERM)
        # Not communicate(), which would read.
        self.assertEqual(running.process.wait(harness.TIMEOUT), 0)
        self.assertRegex(running.process.stderr.read().decode(),
                         r"\Ahcrc-log: the console took no more: its last \d+ bytes and \d+ lines are lost\n\Z")

    def test_trouble_with_the_file_while_nobody_reads_stderr(self):
        # stdout and stderr are one pipe, which is full: a complaint must not wait for its reader either.
        read_end, write_end = os.pipe()
        filler = os.open(f"/proc/self/fd/{write_end}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(filler, b"x" * 4_096)
        except BlockingIOError:
            pass
        os.close(filler)
        running = self.start_plain("--tee", stdout=write_end, stderr=write_end)
        self.assertEqual(fcntl_flags(write_end) & os.O_NONBLOCK, 0)  # never set on what others share
        running.write("one\n")
        self.has("one\n")
        self.file.unlink()
        self.file.mkdir()
        running.write("two\n")
        self.asleep(running)
        self.file.rmdir()
        self.has("two\n")  # it was not stuck
        running.write("three\n")
        self.has("two\nthree\n")
        self.assertEqual(fcntl_flags(write_end) & os.O_NONBLOCK, 0)
        running.send(signal.SIGTERM)
        self.assertEqual(running.process.wait(harness.TIMEOUT), 0)
        os.close(write_end)
        os.close(read_end)

    def test_lines_stay_whole_between_other_writers(self):
        read_end, write_end = os.pipe()
        running = self.start("--timestamp", "none", stdout=write_end)
        total = 20_000

        def feed():
            running.write(b"".join(b"%07d%s\n" % (number, b"." * (number % 150)) for number in range(total)))
            running.process.stdin.close()

        def interrupt():
            for _ in range(total):
                os.write(write_end, b"runtime: " + b"=" * 71 + b"\n")

        threads = [threading.Thread(target=work) for work in (feed, interrupt)]
        for thread in threads:
            thread.start()
        data = []
        reader = threading.Thread(target=lambda: data.extend(iter(lambda: os.read(read_end, 65_536), b"")))
        reader.start()
        for thread in threads:
            thread.join()
        self.assertEqual(running.process.wait(harness.TIMEOUT), 0)
        running.process.stdin = None
        os.close(write_end)
        reader.join()
        os.close(read_end)
        seen = 0
        for line in b"".join(data).splitlines():
            if line.startswith(b"runtime: "):
                self.assertEqual(len(line), 80)
            else:
                self.assertEqual(line, b"%07d%s" % (seen, b"." * (seen % 150)))
                seen += 1
        self.assertEqual(seen, total)

    def test_full_device_as_console(self):
        with open("/dev/full", "wb") as full:
            running = self.start_plain("--tee", stdout=full)
        running.write("one\n")
        self.has("one\n")
        self.asleep(running)
        before = cpu_ticks(running.pid), switches(running.pid)
        began = time.monotonic()
        self.eventually(lambda: time.monotonic() - began > 0.7, "some time has passed")
        self.assertLessEqual(cpu_ticks(running.pid) - before[0], 2)  # of 70
        self.assertLessEqual(switches(running.pid) - before[1], 5)
        running.write("two\n")
        self.has("one\ntwo\n")
        running.send(signal.SIGTERM)
        self.assertEqual(running.process.wait(harness.TIMEOUT), 0)

    def test_console_closed_by_its_reader(self):
        running = self.start_plain("--tee")
        running.process.stdout.close()
        for number in range(3):
            running.write(f"{number}\n")
        self.has("0\n1\n2\n")
        self.asleep(running)
        running.process.stdin.close()
        self.assertEqual(running.process.wait(harness.TIMEOUT), 0)
        self.assertEqual(running.process.stderr.read(), b"")

    def test_socket_as_console(self):
        ours, theirs = socket.socketpair()
        running = self.start("--timestamp", "none", stdout=theirs.fileno())
        theirs.close()
        running.write("one\n")
        self.assertEqual(ours.recv(100), b"one\n")
        ours.close()
        running.write("two\n")
        self.assertEqual(running.end()[0], 0)


def fcntl_flags(descriptor):
    info = pathlib.Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
    return int(re.search(r"^flags:\s+(\d+)", info, re.M)[1], 8)


class Cost(LogTest):
    def test_idle_means_no_wakeups(self):
        running = self.start_plain("--tee", "--size", "1M", "--age", "1s")
        running.write("one\n")
        self.has("one\n")
        self.asleep(running)
        before = switches(running.pid)
        began = time.monotonic()
        self.eventually(lambda: time.monotonic() - began > 0.5, "some time has passed")
        self.assertEqual(switches(running.pid), before)
        self.assertEqual(running.end()[0], 0)

    def test_memory_stays_what_it_was(self):
        running = self.start_plain("--size", "256K", "--keep", 1)

        def anonymous():
            return int(re.search(r"RssAnon:\s+(\d+)",
                                 pathlib.Path(f"/proc/{running.pid}/status").read_text(encoding="ascii"))[1])

        def feed():
            for _ in range(50):
                running.write(b"x" * 99 + b"\n" + b"y" * 30_000 + b"\n")
            running.write("end\n")
            self.eventually(lambda: (self.read() or "").endswith("end\n"), "it is written")
        feed()
        before = anonymous()
        feed()
        feed()
        self.assertLessEqual(anonymous() - before, 64)  # KiB

    def test_throughput(self):
        # A figure to look at; it fails nobody.
        chunk = b"".join(b"%07d a line as a service prints it, of middling length ............\n" % i for i in range(15_000))
        for chunks, words in ((30, ["--file", self.file]), (30, ["--tee", "--file", self.file, "--size", "16M"]),
                              (5, ["--format", "json"])):
            running = self.start(*words, stdout=subprocess.DEVNULL)
            began = time.monotonic()
            for _ in range(chunks):
                running.write(chunk)
            self.assertEqual(running.end()[0], 0)
            took = time.monotonic() - began
            size = chunks * len(chunk)
            words = [str(word) for word in words if word != self.file]
            print(f"hcrc-log {' '.join(words)}: {size / took / 1e6:.0f} MB/s, {chunks * 15_000 / took / 1e6:.2f} million lines/s")


if __name__ == "__main__":
    harness.main()
