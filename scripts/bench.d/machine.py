"""The machine a measurement runs on: privileges, packages, caches, a private folder that is always removed."""

import contextlib
import ctypes
import datetime
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

MIB = 1 << 20
GIB = 1 << 30
LAZY_UNMOUNT = 2  # MNT_DETACH of umount2(2)

libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """Something the measurement needs is missing; the text says what to do about it."""


def need_root():
    """Mounting, dropping caches and installing packages all need it."""
    if os.geteuid() != 0:
        raise Refused("this drops caches and mounts file systems: run it as root, for example with sudo")
    if not os.path.exists("/dev/fuse"):
        raise Refused("/dev/fuse is missing: load the fuse module (modprobe fuse)")


def need_programs(programs):
    """Install from Debian what is missing. `programs` maps a program to the package that has it."""
    missing = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise Refused(f"please install: {' '.join(missing)}")
    print(f"installing {' '.join(missing)}", file=sys.stderr)
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        subprocess.run(["apt-get", *arguments], check=True, env=env, stdout=subprocess.DEVNULL)


def need_space(folder, size):
    """Refuse early when the disk cannot hold `size` bytes more."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise Refused(f"{folder} has {free // MIB} MiB free, {size // MIB} MiB are needed: use --dir on another disk")


def drop_caches():
    """Write everything back, then forget clean pages, names and inodes."""
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")


def allocated(folder):
    """Bytes the files below `folder` take on disk, each inode once, as `du` counts them."""
    total, seen, pending = 0, set(), [folder]
    while pending:
        with contextlib.suppress(FileNotFoundError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    info = entry.stat(follow_symlinks=False)
                    if info.st_ino not in seen:
                        seen.add(info.st_ino)
                        total += info.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
    return total


def mount_source(folder):
    """The source and kind of what is mounted exactly at `folder`, or None."""
    found = None
    with open("/proc/self/mounts", "rb") as table:
        for line in table:
            source, target, kind = line.split()[:3]
            if target.decode("unicode_escape") == str(folder):
                found = (source.decode(), kind.decode())
    return found


def detach(folder):
    """Take away whatever is mounted at `folder`, even if its daemon is dead."""
    for _ in range(8):
        if mount_source(folder) is None:
            return
        libc.umount2(os.fsencode(str(folder)), LAZY_UNMOUNT)


def facts(folder):
    """What a reader of the table must know about this machine."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=True).stdout
    return {
        "date": datetime.date.today().isoformat(),
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / GIB, 1),
        "kernel": os.uname().release,
        "disk": "ext4" if kind.strip() == "ext2/ext3" else kind.strip(),
    }


def sentence(machine):
    """The facts on one line."""
    return (f"{machine['date']}, {machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, "
            f"Linux {machine['kernel']}, {machine['disk']}")


def _stop(number, _frame):
    raise SystemExit(128 + number)


@contextlib.contextmanager
def private_folder(parent):
    """A folder of our own, and a stack of undoings that run before it is removed, whatever happens."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="podfs-bench-", dir=parent))
    undo = contextlib.ExitStack()
    try:
        yield folder, undo
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        try:
            undo.close()
        finally:
            remove(folder)


def remove(folder):
    """Delete a private folder, but never through something still mounted below it."""
    with open("/proc/self/mounts", "rb") as table:
        targets = [line.split()[1].decode("unicode_escape") for line in table]
    for target in reversed(targets):
        if target.startswith(f"{folder}/"):
            detach(target)
    if shutil.which("chattr"):  # a mountpoint may have been made immutable
        subprocess.run(["chattr", "-R", "-i", str(folder)], check=False, stderr=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.exists(folder):
        print(f"could not remove {folder}", file=sys.stderr)
