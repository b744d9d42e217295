"""A Docker engine of its own, from Debian's docker.io: private socket, data and folders, gone without a trace at the end.

    with Engine() as engine:
        engine.build_images()
        engine.docker("run", "--rm", engine.NODE, "true")

Containers get no network but their own loopback, and builds the machine's (`--network host`); nothing listens outside.
The base images are made with mmdebstrap, and kept below build/docker by what goes into them.
"""

import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ROOT / "build/docker"
DOCKER = "/usr/bin/docker"  # of docker.io: the client that fits its engine
SUITE = "bookworm"

# What the image is built from: see docker/Dockerfile.dockerignore.
SOURCES = ("CMakeLists.txt", "CMakePresets.json", "core", "compiler", "tools", "services.d", "docker", "tests/stand_in")


class EngineError(Exception):
    pass


def packages_of(*groups):
    """What tools/install-packages installs for them."""
    text = (ROOT / "tools/install-packages").read_text(encoding="utf-8")
    return [package for group in groups for package in re.search(rf"^{group}='([^']*)'$", text, re.M)[1].split()]


class Engine:
    BASE = "hcrc-test-base"        # a small Debian, as BASE
    BUILDER = "hcrc-test-builder"  # a Debian with compilers, as BUILDER
    NODE = "hcrc-test-node"        # docker/Dockerfile, with the stand-in conductor
    REAL = "hcrc-test-real"        # the same with the conductor on PATH, where there is one

    def __init__(self):
        # A socket's path is short.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hcrc-docker-"))
        self.host = f"unix://{self.folder}/docker.sock"
        self.log = self.folder / "engine.log"
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def environment(self):
        """For docker and docker-compose, and for tests: they find this engine by it."""
        return {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "1", "DOCKER_CONFIG": str(self.folder / "config"),
                "COMPOSE_DOCKER_CLI_BUILD": "1"}

    def start(self):
        command = ["dockerd", "--host", self.host, "--data-root", self.folder / "data", "--exec-root", self.folder / "exec",
                   "--pidfile", self.folder / "pid", "--bridge=none", "--iptables=false", "--ip-masq=false",
                   "--ip-forward=false"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + 60
        while self.docker("version", check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise EngineError(f"dockerd did not start:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.05)  # it tells nobody when it answers

    def stop(self):
        if self.process and self.process.poll() is None:
            with contextlib.suppress(EngineError):
                left = self.docker("ps", "--all", "--quiet", check=False).stdout.split()
                if left:
                    self.docker("rm", "--force", "--volumes", *left, check=False)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        # What it mounted below its own folder, deepest first.
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            points = [line.split()[4] for line in mounts]
        for point in sorted((point for point in points if point.startswith(f"{self.folder}/")), key=len, reverse=True):
            subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def docker(self, *words, check=True, timeout=120, **options):
        done = subprocess.run([DOCKER, *(str(word) for word in words)], capture_output=True, text=True, errors="replace",
                              timeout=timeout, env=self.environment(), check=False, **options)
        if check and done.returncode != 0:
            raise EngineError(f"docker {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    # Images.

    def build_images(self, conductor=None):
        """Base, builder, and the node with the stand-in; with `conductor`, the node with that program too."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            builder = pool.submit(self.import_debian, self.BUILDER, packages_of("build"), "apt")
            # libstdc++ and liblzma: what the real conductor needs besides a libc.
            self.import_debian(self.BASE, ["logrotate", "libstdc++6", "liblzma5"], "essential")
            builder.result()
        self.build_node(self.NODE, "stand-in")
        if conductor:
            self.build_node(self.REAL, "local", conductor)

    def export_arm64(self, folder):
        """What the Dockerfile puts into an image for arm64: its programs and the database, below `folder`."""
        self.import_debian(self.BUILDER, packages_of("build", "arm64"), "apt")
        with self.context() as context:
            self.build("hcrc-test-arm64", context, "--file", f"{context}/docker/Dockerfile", "--platform", "linux/arm64",
                       "--target", "programs")
        made = self.docker("create", "hcrc-test-arm64", "true").stdout.strip()
        self.docker("cp", f"{made}:/image/.", folder)

    def import_debian(self, image, packages, variant):
        name = hashlib.sha256(" ".join([SUITE, variant, *packages]).encode()).hexdigest()[:16]
        kept = KEPT / f"{image}-{name}.tar"
        if not kept.exists():
            KEPT.mkdir(parents=True, exist_ok=True)
            making = kept.with_suffix(f".{os.getpid()}.tar")
            # This machine's own first, then those that packages name: "libev-dev:arm64".
            own = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
            architectures = dict.fromkeys([own, *(package.split(":")[1] for package in packages if ":" in package)])
            words = ["mmdebstrap", "--quiet", f"--variant={variant}", f"--include={','.join(packages)}",
                     "--aptopt=Acquire::Languages \"none\"", "--dpkgopt=path-exclude=/usr/share/doc/*",
                     "--dpkgopt=path-exclude=/usr/share/man/*", f"--architectures={','.join(architectures)}", SUITE, str(making)]
            done = subprocess.run(words, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL, check=False)
            if done.returncode != 0:
                making.unlink(missing_ok=True)
                raise EngineError(f"mmdebstrap for {image}: {done.stdout}{done.stderr}")
            making.rename(kept)
        self.docker("import", kept, image, timeout=300)

    @contextlib.contextmanager
    def context(self, conductor=None):
        """The build's context: a copy of what the image is made of, with a conductor in it that the tree never holds."""
        with tempfile.TemporaryDirectory(prefix="hcrc-context-") as folder:
            for source in SOURCES:
                target = pathlib.Path(folder) / source
                target.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy2(ROOT / source, target)
            if conductor:
                shutil.copy2(conductor, pathlib.Path(folder) / "docker/local/holochain")
            yield folder

    def build_node(self, image, kind, conductor=None, *arguments, check=True):
        with self.context(conductor) as folder:
            return self.build(image, folder, "--file", f"{folder}/docker/Dockerfile", "--build-arg", f"CONDUCTOR={kind}",
                              *arguments, check=check)

    def build(self, image, folder, *arguments, check=True):
        return self.docker("build", "--network=host", "--progress=plain", "--tag", image, "--build-arg",
                           f"BUILDER={self.BUILDER}", "--build-arg", f"BASE={self.BASE}", "--build-arg", "INSTALL=true",
                           *arguments, folder, check=check, timeout=900)
