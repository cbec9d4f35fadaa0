"""The file systems that are compared. Each is made anew, mounted and unmounted through its own command line."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import machine

PASSPHRASE = "correct horse battery staple"
START_SECONDS = 60
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")).resolve()


def run(command, keep=None, **options):
    """Run a command to its end in a process group of its own, which ends with us; its words appear when it fails.

    Its output goes to a file (`keep`, or one without a name): a daemon it leaves behind may hold that open.
    """
    with tempfile.TemporaryFile() as words:
        child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=keep or words,
                                 stderr=words, start_new_session=True, **options)
        try:
            code = child.wait()
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        words.seek(0)
        said = words.read().decode(errors="replace")
    if code != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {code}: {said.strip()[-2000:]}")
    return said


def wait_for_exit(pid, seconds):
    """True once the process is gone (or is a zombie somebody else must reap)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat", "rb") as status:
                if status.read().rsplit(b")", 1)[1].split()[0] == b"Z":
                    return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.005)
    return False


class Plain:
    """A folder of the disk itself: what the others are built upon."""

    name = "plain"
    programs = {}

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.mountpoint = self.folder / "mnt"
        self.state = self.mountpoint

    def create(self):
        """Make a new, empty file system."""
        self.mountpoint.mkdir(parents=True)

    def mount(self):
        """Make it answer at `mountpoint`."""

    def unmount(self):
        """Stop it cleanly; its process has ended when this returns."""

    def destroy(self):
        """End whatever is left of it, and delete it."""
        machine.remove(self.folder)


class Daemon(Plain):
    """A file system served by one process."""

    pid = None

    def find_pid(self):
        """The process that serves the mount."""
        return self.pid

    def kill(self):
        """kill -9, as the out-of-memory killer would."""
        pid = self.find_pid()
        os.kill(pid, signal.SIGKILL)
        if not wait_for_exit(pid, START_SECONDS):
            raise RuntimeError(f"{self.name} (process {pid}) survived kill -9")
        self.pid = None

    def resident(self, field="VmRSS"):
        """Bytes of memory the daemon holds now (VmRSS) or held at most (VmHWM)."""
        with open(f"/proc/{self.find_pid()}/status", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError(f"process {self.pid} shows no {field}")

    def forget_peak(self):
        """Let VmHWM begin anew at the present size."""
        pathlib.Path(f"/proc/{self.find_pid()}/clear_refs").write_text("5\n", encoding="ascii")


class Foreground(Daemon):
    """A file system whose daemon is our own child, so that its process is known from the start."""

    def __init__(self, folder, _options=()):
        super().__init__(folder)
        self.state = self.folder / "state"
        self.passphrase = self.folder / "passphrase"
        self.child = None

    def create(self):
        self.mountpoint.mkdir(parents=True)
        self.state.mkdir()
        self.passphrase.write_text(PASSPHRASE + "\n", encoding="ascii")
        run(self.create_command())

    def mount(self):
        machine.detach(self.mountpoint)
        log = self.folder / "log"
        with open(log, "wb") as words:
            self.child = subprocess.Popen([str(word) for word in self.mount_command()],
                                          stdin=subprocess.DEVNULL, stdout=words, stderr=words)
        deadline = time.monotonic() + START_SECONDS
        while machine.mount_source(self.mountpoint) is None:
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not mount: {log.read_text(errors='replace').strip()[-2000:]}")
            time.sleep(0.001)
        os.listdir(self.mountpoint)
        self.pid = self.child.pid

    def unmount(self):
        run(["fusermount", "-u", self.mountpoint])
        self.child.wait(timeout=START_SECONDS)
        self.child = self.pid = None

    def destroy(self):
        machine.detach(self.mountpoint)
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        super().destroy()


class Gocryptfs(Foreground):
    """gocryptfs as Debian builds it, with its own defaults."""

    name = "gocryptfs"
    programs = {"gocryptfs": "gocryptfs", "fusermount": "fuse3"}

    def create_command(self):
        return ["gocryptfs", "-q", "-init", "-passfile", self.passphrase, self.state]

    def mount_command(self):
        return ["gocryptfs", "-q", "-fg", "-nosyslog", "-passfile", self.passphrase, self.state, self.mountpoint]


class Securefs(Foreground):
    """securefs as Debian builds it, with its own defaults."""

    name = "securefs"
    programs = {"securefs": "securefs", "fusermount": "fuse3"}

    def create_command(self):
        return ["securefs", "create", "--pass", PASSPHRASE, self.state]

    def mount_command(self):
        return ["securefs", "mount", "--pass", PASSPHRASE, self.state, self.mountpoint]


class Podfs(Daemon):
    """podfs through its real command line, with state and settings in a private folder."""

    name = "podfs"
    programs = {"fusermount3": "fuse3"}
    binary = TARGET / "release" / "podfs"

    def __init__(self, folder, options=()):
        super().__init__(folder)
        self.options = [word for option in options for word in ("-o", option)]
        self.passphrase = self.folder / "passphrase"
        self.state = self.folder / "data" / "podfs" / "main"
        self.environment = dict(os.environ, XDG_DATA_HOME=str(self.folder / "data"),
                                XDG_CONFIG_HOME=str(self.folder / "config"),
                                XDG_RUNTIME_DIR=str(self.folder / "run"))

    def command(self, *words):
        """Run one podfs command and return what it printed."""
        return run([self.binary, *words], env=self.environment)

    def create(self):
        self.mountpoint.mkdir(parents=True)
        for name in ("data", "config", "run"):
            (self.folder / name).mkdir(mode=0o700)
        self.passphrase.write_text(PASSPHRASE + "\n", encoding="ascii")
        self.passphrase.chmod(0o600)
        self.command("init", "--passphrase-file", self.passphrase, "--phrase-file", self.folder / "phrase")

    def status(self):
        """What `podfs status --json` says."""
        return json.loads(self.command("status", "--json"))

    def mount(self):
        self.pid = None
        self.command("mount", self.mountpoint, "--passphrase-file", self.passphrase, *self.options)
        os.listdir(self.mountpoint)
        if machine.mount_source(self.mountpoint) is None:
            raise RuntimeError(f"podfs mount succeeded, but nothing is mounted at {self.mountpoint}")

    def find_pid(self):
        """The process that serves the mount, asked outside of anything that is timed."""
        if self.pid is None:
            self.pid = int(self.status()["pid"])
        return self.pid

    def unmount(self):
        pid = self.find_pid()
        self.command("unmount", self.mountpoint)
        if not wait_for_exit(pid, START_SECONDS):
            raise RuntimeError(f"podfs (process {pid}) still runs {START_SECONDS} s after it was unmounted")
        self.pid = None

    def destroy(self):
        if machine.mount_source(self.mountpoint) is not None:
            try:
                pid = self.find_pid()
            except (RuntimeError, ValueError, KeyError):
                pid = None
            machine.detach(self.mountpoint)
            if pid is not None and not wait_for_exit(pid, 10):
                os.kill(pid, signal.SIGKILL)
                wait_for_exit(pid, 10)
        super().destroy()


class PodfsPublishing(Podfs):
    """podfs that publishes to a node of its own on this machine, which is no part of what is measured but shares it."""

    name = "podfs-publishing"
    node_program = TARGET / "release" / "examples" / "bee-node"

    def __init__(self, folder, options=()):
        super().__init__(folder, options)
        self.node = None

    def create(self):
        super().create()
        said = self.folder / "node"
        with open(said, "wb") as words:
            self.node = subprocess.Popen([self.node_program, "--listen", "127.0.0.1:0", "--batch", "24"],
                                         stdin=subprocess.DEVNULL, stdout=words, stderr=words)
        deadline = time.monotonic() + START_SECONDS
        while True:
            told = dict(line.rsplit(" ", 1) for line in said.read_text().splitlines() if " " in line)
            if "batch" in told and "listening on" in told:
                break
            if self.node.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the node did not start: {said.read_text()}")
            time.sleep(0.01)
        self.command("node", "add", told["listening on"], "--batch", told["batch"])

    def destroy(self):
        super().destroy()
        if self.node is not None:
            self.node.kill()
            self.node.wait()
            self.node = None


ALL = {system.name: system for system in (Plain, Gocryptfs, Securefs, Podfs, PodfsPublishing)}
# What is compared when nobody says what.
USUAL = [system.name for system in (Plain, Gocryptfs, Securefs, Podfs)]


def need_podfs(path):
    """Use the binary at `path`, else build the release binary of this source tree when it is missing."""
    if path is not None:
        Podfs.binary = pathlib.Path(path).resolve()
    elif not Podfs.binary.exists():
        cargo = shutil.which("cargo") or cargo_of_the_user()
        subprocess.run([cargo, "build", "--release", "--locked", "--bins", "--example", "bee-node"], cwd=REPOSITORY,
                       check=True)
    elif max(path.stat().st_mtime for path in (REPOSITORY / "src").rglob("*.rs")) > Podfs.binary.stat().st_mtime:
        print(f"note: {Podfs.binary} is older than the source; cargo build --release makes it anew", file=sys.stderr)
    if not os.access(Podfs.binary, os.X_OK):
        raise machine.Refused(f"{Podfs.binary} is not a program: build it with cargo build --release, or use --podfs")


def cargo_of_the_user():
    """sudo hides ~/.cargo/bin from PATH: look for it in the home of whoever called sudo."""
    home = os.path.expanduser("~" + os.environ.get("SUDO_USER", "root"))
    cargo = pathlib.Path(home) / ".cargo" / "bin" / "cargo"
    if not cargo.exists():
        raise machine.Refused("cargo was not found: build podfs first with cargo build --release, or use --podfs")
    return str(cargo)
