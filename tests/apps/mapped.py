#!/usr/bin/env python3
"""Shared and private mappings: stores seen by read, writes seen through a mapping, late stores after close and unlink.

Usage: mapped.py DIR SCRATCH
"""

import mmap
import os
import random
import sys

SIZE = 1_000_003


def child(job):
    pid = os.fork()
    if pid == 0:
        job()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0, "a child failed"


def main():
    folder = sys.argv[1]
    chance = random.Random(3)
    path = os.path.join(folder, "mapped")
    oracle = bytearray(chance.randbytes(SIZE))
    with open(path, "wb") as file:
        file.write(oracle)

    fd = os.open(path, os.O_RDWR)
    area = mmap.mmap(fd, SIZE)
    os.close(fd)
    for _ in range(2000):
        at = chance.randrange(SIZE - 200)
        data = chance.randbytes(chance.randrange(1, 200))
        oracle[at : at + len(data)] = data
        if chance.random() < 0.5:
            area[at : at + len(data)] = data
        else:
            with open(path, "r+b", buffering=0) as file:
                file.seek(at)
                file.write(data)
        if chance.random() < 0.02:
            area.flush()
        if chance.random() < 0.1:
            with open(path, "rb", buffering=0) as file:
                file.seek(at)
                assert file.read(len(data)) == data, "a store is not seen by read"
        assert area[at : at + len(data)] == data, "a write is not seen through the mapping"
    area.flush()
    assert open(path, "rb").read() == oracle

    # Another process stores through its own mapping.
    def store():
        with open(path, "r+b") as other:
            theirs = mmap.mmap(other.fileno(), SIZE)
            theirs[5000:5005] = b"other"
            theirs.close()

    child(store)
    assert area[5000:5005] == b"other"
    oracle[5000:5005] = b"other"

    # A private mapping changes nothing.
    with open(path, "rb") as file:
        private = mmap.mmap(file.fileno(), SIZE, access=mmap.ACCESS_COPY)
        private[0:4] = b"mine"
        private.close()
    assert open(path, "rb").read() == oracle

    # Beyond the end of the file the last page is zero, and stays zero when the file grows.
    area.close()
    os.truncate(path, 10_000)
    os.truncate(path, 20_000)
    with open(path, "r+b") as file:
        area = mmap.mmap(file.fileno(), 20_000)
        assert area[10_000:20_000] == bytes(10_000), "old bytes came back"
        area[15_000:15_004] = b"late"
    os.unlink(path)
    area[19_000:19_004] = b"gone"
    area.flush()
    assert area[15_000:15_004] == b"late" and area[19_000:19_004] == b"gone"
    area.close()
    assert not os.path.exists(path)

    # Stores that nobody flushed are there after the mapping ended.
    with open(path, "w+b") as file:
        file.truncate(300_000)
        area = mmap.mmap(file.fileno(), 300_000)
    for at in range(0, 300_000, 4096):
        area[at] = 7
    area.close()
    assert sum(open(path, "rb").read()) == 7 * len(range(0, 300_000, 4096))
    print("mapped: ok")


main()
