"""Test data: no two pages alike, sizes the same on every machine."""

import io
import os
import random
import struct
import tarfile

PAGE = 4096
MIB = 1 << 20
STAMP = struct.Struct("<8sQ")
TREE_SEED = 20_260_801
TREE_FILES = 4000

_WORDS = ("self value index node parse token error match state buffer length offset result vector string const "
          "return struct field trait config build write read flush cache entry range check handle thread lock").split()


class Pages:
    """Random megabytes in which every page carries a stamp never used before in this run."""

    def __init__(self):
        self.run = os.urandom(8)
        self.next = 0
        self.base = os.urandom(MIB)

    def fill(self, buffer, start=0, size=None):
        """Make `size` bytes (whole pages) of `buffer` from `start` on unique."""
        end = len(buffer) if size is None else start + size
        for at in range(start, end, MIB):
            span = min(MIB, end - at)
            buffer[at:at + span] = self.base[:span]
        for at in range(start, end, PAGE):
            STAMP.pack_into(buffer, at, self.run, self.next)
            self.next += 1
        return buffer


def tree_sizes(rng, count):
    """Sizes of source files: most are a few KiB, some hundreds of KiB, about 12 KiB on average."""
    return [min(600_000, max(40, int(rng.lognormvariate(8.5, 1.35)))) for _ in range(count)]


def tree_folders(rng, count):
    """Folder names nested as in source trees, about one for every ten files, at most six deep."""
    folders = ["src"]
    for number in range(count):
        parent = rng.choice(folders[-60:] + folders[:20])
        if parent.count("/") >= 5:
            parent = folders[0]
        folders.append(f"{parent}/{rng.choice(_WORDS)}_{number:03}")
    return folders


def _lines(rng):
    pool = []
    for _ in range(4000):
        words = " ".join(rng.choice(_WORDS) + rng.choice(("", "()", ",", ";", " =", ".", "[0]"))
                         for _ in range(rng.randint(2, 9)))
        pool.append(" " * (4 * rng.randint(0, 4)) + words + "\n")
    return pool


def source_files(count=TREE_FILES, seed=TREE_SEED):
    """Yield (name, contents): lines that look and compress like source, numbered so that no page repeats."""
    rng = random.Random(seed)
    folders = tree_folders(rng, count // 10)
    pool = _lines(rng)
    for number, size in enumerate(tree_sizes(rng, count)):
        text = io.StringIO()
        line = 0
        while text.tell() < size:
            text.write(f"// {number}:{line} {rng.getrandbits(48):x}\n")
            text.writelines(rng.choices(pool, k=min(24, 1 + (size - text.tell()) // 40)))
            line += 1
        suffix = rng.choice(("rs", "rs", "rs", "c", "h", "md", "toml", "py"))
        name = f"{rng.choice(folders)}/{rng.choice(_WORDS)}_{number:04}.{suffix}"
        yield name, text.getvalue()[:size].encode("ascii")


def write_tar(path, count=TREE_FILES, seed=TREE_SEED):
    """Pack the generated source tree, folders first as they come, and return (folders, files, bytes)."""
    made, files, size = set(), 0, 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, contents in source_files(count, seed):
            parts = name.split("/")[:-1]
            for depth in range(1, len(parts) + 1):
                folder = "/".join(parts[:depth])
                if folder not in made:
                    made.add(folder)
                    entry = tarfile.TarInfo(folder)
                    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, TREE_SEED
                    tar.addfile(entry)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(contents), 0o644, TREE_SEED
            tar.addfile(entry, io.BytesIO(contents))
            files, size = files + 1, size + len(contents)
    return len(made), files, size


def write_files(folder, count, seed):
    """Write generated source files below `folder`."""
    for name, contents in source_files(count, seed):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(contents)


if __name__ == "__main__":
    import sys
    print(write_tar(sys.argv[1]))
