"""The twelve workloads. Each returns the seconds its own work took; what it needs is prepared before the clock starts."""

import hashlib
import os
import random
import sqlite3
import time

import data
import machine
from systems import run

PAGE = data.PAGE
MIB = machine.MIB
RANDOM_READS = 8000
RANDOM_WRITES = 4000
TRANSACTIONS = 200
GIT_FILES = 400


class Bench:
    """One system in one round: where it is mounted, and the data written to it."""

    def __init__(self, system, supply, seed):
        self.system = system
        self.supply = supply
        self.random = random.Random(seed)
        self.mounts = []
        self.taken = {}

    def path(self, name):
        """A path below the mountpoint."""
        return os.path.join(self.system.mountpoint, name)

    def mount(self):
        """Mount, and note how long it took until the folder answered."""
        begin = time.perf_counter()
        self.system.mount()
        if self.system.name != "plain":
            self.mounts.append(time.perf_counter() - begin)

    def cold(self):
        """Nothing of the data is left in memory: neither the kernel's nor the daemon's."""
        os.sync()
        self.system.unmount()
        self.mount()
        machine.drop_caches()


class Supply:
    """What all systems of a run get alike: unique pages, a packed source tree, its checksums."""

    def __init__(self, folder, size):
        self.size = size
        self.pages = data.Pages()
        self.folder = folder
        self.tar = os.path.join(folder, "tree.tar")
        data.write_tar(self.tar)
        self.sums = sorted(f"{hashlib.md5(contents).hexdigest()}  ./{name}" for name, contents in data.source_files())


def timed(work):
    """Seconds `work` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def write_whole(bench):
    """Write the big file in 1 MiB writes, then fsync."""
    contents = memoryview(bench.supply.pages.fill(bytearray(bench.supply.size)))
    os.sync()

    def work():
        file = os.open(bench.path("big"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        for at in range(0, len(contents), MIB):
            write_all(file, contents[at:at + MIB])
        os.fsync(file)
        os.close(file)

    return timed(work)


def write_all(file, contents):
    """A write may take less than it was given."""
    while contents:
        contents = contents[os.write(file, contents):]


def _read_whole(bench):
    buffer = bytearray(MIB)

    def work():
        file = os.open(bench.path("big"), os.O_RDONLY)
        total = 0
        while count := os.readv(file, [buffer]):
            total += count
        os.close(file)
        if total != bench.supply.size:
            raise RuntimeError(f"read {total} bytes of {bench.supply.size}")

    return timed(work)


def read_cold(bench):
    """Read the big file from the disk."""
    bench.cold()
    return _read_whole(bench)


def read_again(bench):
    """Read the big file once more."""
    os.sync()
    return _read_whole(bench)


def _random_offsets(bench, count):
    pages = bench.supply.size // PAGE
    return [page * PAGE for page in bench.random.sample(range(pages), min(count, pages))]


def random_reads(bench):
    """Single pages from all over the big file, each once, nothing cached."""
    offsets = _random_offsets(bench, RANDOM_READS)
    buffer = bytearray(PAGE)
    bench.cold()

    def work():
        file = os.open(bench.path("big"), os.O_RDONLY)
        for offset in offsets:
            if os.preadv(file, [buffer], offset) != PAGE:
                raise RuntimeError(f"short read at {offset}")
        os.close(file)

    return timed(work)


def random_writes(bench):
    """Overwrite single pages all over the big file, then fsync."""
    offsets = _random_offsets(bench, RANDOM_WRITES)
    contents = memoryview(bench.supply.pages.fill(bytearray(len(offsets) * PAGE)))
    os.sync()

    def work():
        file = os.open(bench.path("big"), os.O_WRONLY)
        for number, offset in enumerate(offsets):
            if os.pwrite(file, contents[number * PAGE:(number + 1) * PAGE], offset) != PAGE:
                raise RuntimeError(f"short write at {offset}")
        os.fsync(file)
        os.close(file)

    return timed(work)


def copy_inside(bench):
    """Copy the big file within the file system by reading and writing, then fsync."""
    buffer = memoryview(bytearray(MIB))
    os.sync()

    def work():
        source = os.open(bench.path("big"), os.O_RDONLY)
        target = os.open(bench.path("copy"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        while count := os.readv(source, [buffer]):
            write_all(target, buffer[:count])
        os.fsync(target)
        os.close(target)
        os.close(source)

    return timed(work)


def untar(bench):
    """Unpack the source tree, then sync."""
    tree = bench.path("tree")
    os.mkdir(tree)
    with open(bench.supply.tar, "rb") as packed:
        while packed.read(MIB):
            pass
    os.sync()

    def work():
        run(["tar", "-x", "-f", bench.supply.tar, "-C", tree])
        os.sync()

    return timed(work)


def list_tree(bench):
    """`ls -lR` of the tree, nothing cached."""
    bench.cold()
    with open(os.devnull, "wb") as nowhere:
        return timed(lambda: run(["ls", "-lR", bench.path("tree")], keep=nowhere))


def checksum_tree(bench):
    """md5 of every file of the tree, nothing cached."""
    said = os.path.join(bench.supply.folder, "sums")
    bench.cold()
    with open(said, "wb") as sums:
        taken = timed(lambda: run(["sh", "-c", "find . -type f -print0 | xargs -0 md5sum"], keep=sums,
                                  cwd=bench.path("tree")))
    with open(said, encoding="ascii") as sums:
        if sorted(sums.read().splitlines()) != bench.supply.sums:
            raise RuntimeError("the tree that was read differs from the tree that was unpacked")
    return taken


def remove_tree(bench):
    """`rm -rf` of the tree."""
    os.sync()
    return timed(lambda: run(["rm", "-rf", bench.path("tree")]))


def sqlite_transactions(bench):
    """Single-row transactions with a rollback journal that is deleted after each."""
    rows = [os.urandom(100) for _ in range(TRANSACTIONS)]
    base = sqlite3.connect(bench.path("base.sqlite"), isolation_level=None)
    mode = base.execute("pragma journal_mode=delete").fetchone()[0]
    base.execute("pragma synchronous=full")
    base.execute("create table item(id integer primary key, body blob)")
    os.sync()

    def work():
        for row in rows:
            base.execute("begin")
            base.execute("insert into item(body) values (?)", (row,))
            base.execute("commit")

    taken = timed(work)
    count = base.execute("select count(*) from item").fetchone()[0]
    base.close()
    if (mode, count) != ("delete", TRANSACTIONS):
        raise RuntimeError(f"sqlite: journal mode {mode}, {count} rows of {TRANSACTIONS}")
    return taken


def git_story(bench):
    """init, add, commit, status, gc and fsck of some hundred files."""
    folder = bench.path("repository")
    os.mkdir(folder)
    data.write_files(folder, GIT_FILES, data.TREE_SEED + 1)
    who = {f"GIT_{role}_{what}": "bench@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = dict(os.environ, HOME=bench.supply.folder, GIT_CONFIG_NOSYSTEM="1", **who)
    os.sync()

    def work():
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"], ["status", "--porcelain"],
                      ["gc", "-q"], ["fsck", "--full", "--no-progress"]):
            run(["git", *words], cwd=folder, env=env)

    return timed(work)


class Workload:
    """A row of the table: how it is called, what runs it, and the most podfs may take of gocryptfs' time."""

    def __init__(self, name, title, work, limit=1.0):
        self.name, self.title, self.work, self.limit = name, title, work, limit


# Each group runs in one mount, in this order: a row may rest on what the rows before it left behind.
GROUPS = [
    [
        Workload("write", "write {size} MiB in 1 MiB writes + fsync", write_whole),
        Workload("read-cold", "read {size} MiB, cold caches", read_cold, 0.7),
        Workload("read-again", "read {size} MiB again", read_again, 0.15),
        Workload("random-read", f"{RANDOM_READS} random 4 KiB reads, cold", random_reads),
        Workload("random-write", f"{RANDOM_WRITES} random 4 KiB writes + fsync", random_writes, 0.6),
        Workload("copy", "copy {size} MiB inside (read and write) + fsync", copy_inside),
    ],
    [
        Workload("untar", f"untar {data.TREE_FILES} source files + sync", untar, 0.6),
        Workload("ls", "`ls -lR`, cold", list_tree, 0.6),
        Workload("md5", "md5 of the tree, cold", checksum_tree),
        Workload("rm", "`rm -rf` the tree", remove_tree, 0.6),
    ],
    [Workload("sqlite", f"SQLite, {TRANSACTIONS} transactions, journal_mode=delete", sqlite_transactions)],
    [Workload("git", f"git init, add, commit, status, gc, fsck of {GIT_FILES} files", git_story)],
]
ROWS = [workload for group in GROUPS for workload in group]
MEAN_LIMIT = 0.6
# What publishing may add to any row, and to their geometric mean.
PUBLISHING_LIMIT = 1.15
PUBLISHING_MEAN_LIMIT = 1.05


def run_group(bench, group, wanted):
    """Run a group up to the last wanted row, and note the seconds of the wanted ones."""
    last = max(number for number, workload in enumerate(group) if workload.name in wanted)
    bench.mount()
    machine.drop_caches()
    for workload in group[:last + 1]:
        seconds = workload.work(bench)
        if workload.name in wanted:
            bench.taken[workload.name] = seconds
    run(["find", bench.system.mountpoint, "-mindepth", "1", "-delete"])
    os.sync()
    bench.system.unmount()
