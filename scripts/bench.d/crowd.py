"""Many files, made fast: some processes with open directory handles."""

import multiprocessing
import os
import time

import data

WITH_CONTENTS = 10  # every tenth file has one page, so that extents are part of the measurement


def file_name(number):
    """Names of a length people use, in no order that would help an index."""
    return f"{(number * 2_654_435_761) & 0xffffffff:08x} report {number}.txt"


def path_of(number, files, folders):
    """Where file `number` of `files` lies, relative to the mountpoint."""
    each = -(-files // folders)
    return f"folder {number // each}/{file_name(number)}"


def _make(job):
    root, files, folders, part, parts = job
    pages, buffer = data.Pages(), bytearray(data.PAGE)
    each = -(-files // folders)
    for folder in range(part, folders, parts):
        path = os.path.join(root, f"folder {folder}")
        os.mkdir(path)
        inside = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        for number in range(folder * each, min(files, (folder + 1) * each)):
            file = os.open(file_name(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=inside)
            if number % WITH_CONTENTS == 0:
                os.write(file, pages.fill(buffer))
            os.close(file)
        os.close(inside)


def make(root, files, folders):
    """Create `files` files in `folders` folders below `root`; returns the seconds it took."""
    parts = min(folders, max(2, len(os.sched_getaffinity(0))))
    begin = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(parts) as pool:
        pool.map(_make, [(root, files, folders, part, parts) for part in range(parts)], chunksize=1)
    return time.perf_counter() - begin
