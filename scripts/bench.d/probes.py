"""Loads and probes of the latency measurement: each runs in a process of its own until it is told to stop."""

import ctypes
import itertools
import os
import random
import shutil
import signal
import time

import data
from machine import MIB, libc
from systems import run
from workloads import write_all

AT_FDCWD = -100
AT_STATX_FORCE_SYNC = 0x2000  # the kernel must ask the file system, whatever it has cached
STATX_BASIC_STATS = 0x7FF
PROBED_FILES = 1000
SYNCED_MIB = 64


class Clock:
    """Keeps how long each kind of request took, in seconds."""

    def __init__(self):
        self.taken = {}

    def time(self, kind, work, *arguments):
        """Run `work` and note its time under `kind`."""
        begin = time.perf_counter()
        result = work(*arguments)
        self.taken.setdefault(kind, []).append(time.perf_counter() - begin)
        return result


def statx(path):
    """Attributes straight from the file system."""
    buffer = ctypes.create_string_buffer(256)
    if libc.statx(AT_FDCWD, os.fsencode(path), AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


def prepare(root, big_mib):
    """The files that loads and probes work on."""
    pages, buffer = data.Pages(), bytearray(MIB)
    os.mkdir(os.path.join(root, "probed"))
    for number in range(PROBED_FILES):
        with open(os.path.join(root, "probed", f"file {number}"), "xb"):
            pass
    for name, size in (("big", big_mib), ("synced", SYNCED_MIB)):
        with open(os.path.join(root, name), "xb", buffering=0) as file:
            for _ in range(size):
                write_all(file.fileno(), memoryview(pages.fill(buffer)))
            os.fsync(file.fileno())


def metadata(root, clock, stop, _tar):
    """Probe: getattr, create and rename, some hundred times a second."""
    rng = random.Random(1)
    folder = os.path.join(root, "probed")
    for number in itertools.count():
        if stop.is_set():
            return
        clock.time("getattr", statx, os.path.join(folder, f"file {rng.randrange(PROBED_FILES)}"))
        new, final = os.path.join(folder, f"new {number}"), os.path.join(folder, f"renamed {number}")
        os.close(clock.time("create", os.open, new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        clock.time("rename", os.rename, new, final)
        clock.time("unlink", os.unlink, final)
        time.sleep(0.002)


def synced_writes(root, clock, stop, _tar):
    """Probe: one page written at a random place, then fsync."""
    rng = random.Random(2)
    pages, page = data.Pages(), bytearray(data.PAGE)
    file = os.open(os.path.join(root, "synced"), os.O_RDWR)

    def write_and_sync():
        os.pwrite(file, pages.fill(page), rng.randrange(SYNCED_MIB * MIB // data.PAGE) * data.PAGE)
        os.fsync(file)

    while not stop.is_set():
        clock.time("write + fsync", write_and_sync)
        time.sleep(0.02)


def copying(root, clock, stop, _tar):
    """Load: copy the big file by reading and writing, delete the copy, begin again."""
    buffer = memoryview(bytearray(MIB))
    source, target = os.path.join(root, "big"), os.path.join(root, "copy")
    while not stop.is_set():
        with open(source, "rb", buffering=0) as old, open(target, "xb", buffering=0) as new:
            while (count := clock.time("read of 1 MiB under load", old.readinto, buffer)) and not stop.is_set():
                clock.time("write of 1 MiB under load", write_all, new.fileno(), buffer[:count])
            clock.time("fsync of the copy", os.fsync, new.fileno())
        clock.time("unlink of the copy", os.unlink, target)
        clock.time("copies", time.sleep, 0)


def unpacking(root, clock, stop, tar):
    """Load: unpack the source tree, delete it, begin again."""
    tree = os.path.join(root, "tree")
    while not stop.is_set():
        os.mkdir(tree)
        run(["tar", "-x", "-f", tar, "-C", tree])
        shutil.rmtree(tree)
        clock.time("trees unpacked", time.sleep, 0)


def in_child(work, root, tar, stop, results):
    """Body of a process: run one load or probe, and hand back what its clock kept, or why it failed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    clock, error = Clock(), None
    try:
        work(root, clock, stop, tar)
    except (OSError, RuntimeError) as problem:
        error = f"{work.__name__}: {problem}"
    results.put((clock.taken, error))
