"""The node's image, bundle and ISO for tests, and the machine that boots it: QEMU, driven over its serial lines.

The image is a small one, of BusyBox, this tree's programs, the node's definitions as shipped and the stand-in conductor: what
docker/Dockerfile puts together, without a distribution below it. The first serial line is the console, as a hoster sees it;
the second has a shell.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import harness  # noqa: E402
from harness import figure  # noqa: E402,F401

ROOT = harness.ROOT
HOLOS = ROOT / "holos"
WORK = ROOT / "build/holos"


def run(*words, timeout=300, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, errors="replace", timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{words[0]}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def make_image(layout):
    """An OCI image, `oci:LAYOUT:node`."""
    with tempfile.TemporaryDirectory(prefix="hcrc-image-") as folder:
        root = pathlib.Path(folder, "bundle/rootfs")
        run("umoci", "init", "--layout", layout)
        run("umoci", "new", "--image", f"{layout}:node")
        run("umoci", "unpack", "--image", f"{layout}:node", f"{folder}/bundle")
        for place in ("bin", "usr/bin", "usr/lib/hcrc", "etc/hcrc/services.d", "var/local/lib", "data"):
            (root / place).mkdir(parents=True, exist_ok=True)
        shutil.copy2("/bin/busybox", root / "bin/busybox")
        for name in run("/bin/busybox", "--list").stdout.split():
            if name != "busybox":
                (root / "bin" / name).symlink_to("busybox")
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/home/nonroot:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\nnonroot:x:65532:\n")
        for name, target in (("hcrc-init", "init"), ("hcrc", "usr/bin/hcrc"), ("hcrc-log", "usr/bin/hcrc-log")):
            run("install", "-m", "755", "-s", harness.BIN / name, root / target)
        run("install", "-m", "755", "-s", harness.STAND_IN, root / "usr/bin/holochain")
        for file in (harness.SERVICES / "node").iterdir():
            shutil.copy2(file, root / "usr/lib/hcrc" / file.name)
        os.symlink("/data/holochain/etc", root / "etc/holochain")
        os.symlink("/data/holochain/var", root / "var/local/lib/holochain")
        done = harness.compile_layers(root / "etc/hcrc/node.db", harness.SERVICES, arguments=("--werror",))
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        os.chown(root / "data", 65532, 65532)
        run("umoci", "repack", "--image", f"{layout}:node", f"{folder}/bundle")
        run("umoci", "config", "--image", f"{layout}:node", "--config.entrypoint", "/init", "--config.env",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin")


def make_iso(folder):
    """Image, bundle and ISO by the commands that a hoster has; the ISO's path."""
    folder = pathlib.Path(folder)
    make_image(folder / "image")
    run(HOLOS / "make-bundle", f"oci:{folder / 'image'}:node", folder / "bundle")
    run(HOLOS / "stand-in/make-iso", folder / "bundle", folder / "holos.iso",
        env={**os.environ, "HCRC_BIN": str(harness.BIN), "WORK": str(WORK)})
    return folder / "holos.iso"


def make_disk(path, label):
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    run("mkfs.ext4", "-q", "-L", label, path)


class Machine:
    """One QEMU, from power-on to power-off. `disk`: an image for a data disk."""

    def __init__(self, iso, disk=None):
        self.folder = tempfile.TemporaryDirectory(prefix="hcrc-qemu-")
        shell_path = f"{self.folder.name}/shell"
        words = ["qemu-system-x86_64", "-m", "640", "-smp", "2", "-accel", "tcg,thread=multi", "-nographic", "-no-reboot",
                 "-nic", "none", "-monitor", "none", "-cdrom", str(iso), "-boot", "d", "-serial", "stdio", "-serial",
                 f"unix:{shell_path},server=on,wait=off"]
        if disk:
            words += ["-drive", f"file={disk},format=raw,if=virtio"]
        self.console = harness.Program(words, env=dict(os.environ))
        deadline = time.monotonic() + 30
        self.line = socket.socket(socket.AF_UNIX)
        while self.line.connect_ex(shell_path) != 0:
            if time.monotonic() > deadline or self.console.process.poll() is not None:
                raise AssertionError(f"QEMU did not start:\n{self.console.story()}")
            time.sleep(0.02)  # its socket appears without a word
        self.text = ""
        self.listens = False

    def expect(self, pattern, timeout=180.0, anywhere=True):
        return self.console.expect(pattern, timeout, anywhere)

    def count(self, pattern):
        return self.console.count(pattern)

    def story(self):
        return self.console.story()

    def shell(self, command, timeout=120.0):
        """Runs a command in the machine as root: (exit code, output)."""
        if not self.listens:
            self.read("the shell listens", timeout)  # what is sent before is lost
            self.listens = True
        mark = uuid.uuid4().hex[:8]
        self.line.sendall(f"( {command} ) </dev/null 2>&1; echo {mark}$?:\n".encode())
        found, output = self.read(rf"{mark}(\d+):", timeout)
        return int(found[1]), output.lstrip("\n")

    def read(self, pattern, timeout):
        """Reads the second line up to the pattern: what was found, and what came before."""
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self.text)):
            self.line.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                got = self.line.recv(65536)
            except TimeoutError:
                raise AssertionError(f"no /{pattern}/ from the shell within {timeout} s:\n{self.text}\n"
                                     f"the console:\n{self.story()}") from None
            if not got:
                raise AssertionError(f"the machine is off; the console:\n{self.story()}")
            self.text += got.decode("utf-8", "replace").replace("\r", "")
        output, self.text = self.text[:found.start()], self.text[found.end():]
        return found, output

    def until(self, command, wanted, timeout=180.0):
        """Asks again until the command's output has the pattern: for what tells nobody."""
        deadline = time.monotonic() + timeout
        while not re.search(wanted, output := self.shell(command)[1]):
            if time.monotonic() > deadline:
                raise AssertionError(f"`{command}` says {output!r} and not /{wanted}/ after {timeout} s; the console:\n{self.story()}")
        return output

    def pids(self, command):
        """The machine's pids of the processes of that name, container and all."""
        return [int(pid) for pid in self.shell(f"pidof {command}; true")[1].split()]

    def status(self):
        code, output = self.shell("hcrc --run-dir /run/hcrc status --json")
        if code != 0:
            raise AssertionError(f"hcrc status: exit {code}: {output}\nthe console:\n{self.story()}")
        return {one["name"]: one for one in json.loads(output[output.index("{"):])["services"]}

    def off(self, timeout=120.0):
        """Waits for the power to go off."""
        return self.console.wait(timeout)

    def close(self):
        self.line.close()
        self.console.close()
        self.folder.cleanup()
