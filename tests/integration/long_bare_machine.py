"""A machine with nothing installed: a bare Debian root, in namespaces of its own, in which ./tools/run-node is the first thing
that happens. (run-tests --long; takes minutes, and the network that this machine's apt has.)
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import harness

STEP = 1800  # seconds: making the root, installing and building


def this_machines_release():
    return re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.M)[1]


def sources_of_apt():
    """Everything in this machine's lists of sources, as a list of one-line or deb822 files for mmdebstrap."""
    folder = pathlib.Path("/etc/apt/sources.list.d")
    files = [pathlib.Path("/etc/apt/sources.list"), *folder.glob("*.list"), *folder.glob("*.sources")]
    return [path for path in files if path.is_file() and path.stat().st_size > 0]


@harness.need_root
class BareMachine(harness.NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(harness.tempfile.mkdtemp(prefix="hcrc-bare", dir="/var/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.root = cls.folder / "root"
        cls.make_root()
        cls.copy_project()

    @classmethod
    def make_root(cls):
        """Made with this machine's own settings of apt, which go into it, too."""
        options = [f"--aptopt={path}" for path in sorted(pathlib.Path("/etc/apt/apt.conf.d").glob("*"))
                   if not path.name.startswith("docker-")]
        done = subprocess.run(
            ["mmdebstrap", "--variant=minbase", *options, this_machines_release(), str(cls.root), *map(str, sources_of_apt())],
            capture_output=True, text=True, timeout=STEP)
        if done.returncode != 0:
            raise AssertionError(f"mmdebstrap: exit {done.returncode}\n{done.stderr}")
        for name in ("etc/resolv.conf", "etc/hosts"):
            shutil.copy("/" + name, cls.root / name)

    @classmethod
    def copy_project(cls):
        """What git knows of, as it lies here, without anything that was built."""
        listed = subprocess.run(["git", "-C", str(harness.ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                capture_output=True, check=True).stdout.split(b"\0")
        for name in filter(None, map(os.fsdecode, listed)):
            source, target = harness.ROOT / name, cls.root / "srv/hcrc" / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)

    def run_node(self):
        enter = 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" /srv/hcrc/tools/run-node'
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        return self.program("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, "sh", self.root,
                            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                                 "HCRC_ADMIN_PORT": str(self.port), **proxies})

    def hcrc(self, *words):
        return harness.run("chroot", self.root, "/srv/hcrc/build/release/bin/hcrc", "--run-dir", "/root/.hcrc/hcrc/run", *words)

    def init(self, node):
        """hcrc-init's pid: run-node became it."""
        pid = harness.children(node.pid)[0]
        self.assertEqual(harness.command_name(pid), "hcrc-init")
        return pid

    def start(self, timeout):
        node = self.run_node()
        started = time.monotonic()
        node.expect("Conductor ready[.]", timeout=timeout)
        self.assertEqual(self.hcrc("wait", "--settled", "--timeout", "30s").returncode, 0)
        health = self.hcrc("health")
        self.assertEqual(health.returncode, 0, health.stdout + health.stderr)
        return node, time.monotonic() - started

    def stop(self, node, number):
        os.kill(self.init(node), number)
        self.assertEqual(node.wait(), 0, node.story())
        log = (self.root / "root/.hcrc/logs/holochain.log").read_text().splitlines()
        self.assertIn("goodbye", log[-1])

    def test_a_node_from_nothing(self):
        self.port = harness.free_port()
        node, _ = self.start(STEP)
        node.expect("installing .*g[+][+]", anywhere=True)
        node.expect("no holochain on the PATH", anywhere=True)
        self.stop(node, signal.SIGTERM)
        node, seconds = self.start(60)
        self.assertLess(seconds, 10, "a second start")
        self.stop(node, signal.SIGINT)


if __name__ == "__main__":
    harness.main()
