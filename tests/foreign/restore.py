#!/usr/bin/env python3
"""Restores a pod from Swarm alone, written from FORMAT.md alone.

    restore.py URL PHRASEFILE FOLDER    writes the pod that the phrase opens, as the Bee node at URL has it, to a new
                                        or empty folder
    restore.py URL PHRASEFILE --list    prints a line for each name instead, in the form of reader.py

Exit code 1 when some contents are lost or could not be written (each is named), 2 when the pod cannot be read. What
is owned by whoever mounts the pod is owned by whoever restores it. A phrase with an additional passphrase needs it in
the variable PODFS_PASSPHRASE.

Needs the PyPI packages blake3, argon2-cffi, cryptography, coincurve and pycryptodome.
"""

import hashlib
import os
import pathlib
import stat
import sys

import argon2.low_level
from blake3 import blake3

from keys import enc, kdf
from published import Box, Inode, need
from reader import Damaged, quote, zeros
from swarm import Bee, Missing


def inode_of(bee, entry):
    """The inode, or None when there is nothing in one."""
    if not entry.inode:
        return None
    inode = Inode(bee, entry.inode)
    need(inode.size == (entry.size if entry.is_kind(stat.S_IFREG, stat.S_IFLNK) else 0), "the size of an inode")
    need(entry.has_xattrs or not inode.xattrs(), "attributes nobody told of")
    return inode


def target_of(entry, inode):
    return entry.target if inode is None or entry.target is not None else b"".join(data for _, data in inode.data())


def digest(entry, inode):
    out, at = blake3(), 0
    for begin, data in inode.data() if inode else ():
        zeros(out, begin - at)
        out.update(data)
        at = begin + len(data)
    zeros(out, entry.size - at)
    return out.hexdigest()


def line(bee, path, entry):
    inode, what = inode_of(bee, entry), "-"
    if entry.is_kind(stat.S_IFREG):
        what = digest(entry, inode)
    elif entry.is_kind(stat.S_IFLNK):
        what = quote(target_of(entry, inode))
    elif entry.is_kind(stat.S_IFCHR, stat.S_IFBLK):
        what = str(entry.device)
    owner, group = ("-" if number is None else number for number in (entry.uid, entry.gid))
    size = entry.size if entry.is_kind(stat.S_IFREG, stat.S_IFLNK) else "-"
    time = f"{entry.mtime[0]}.{entry.mtime[1]:09}"
    shown = [quote(path), f"{entry.mode:o}", owner, group, entry.names, size, time, what]
    shown += [f"{quote(name)}={quote(value)}" for name, value in (inode.xattrs() if inode else ())]
    return " ".join(map(str, shown))


def write(path, entry, inode):
    """Holes stay holes. A file that lacks a page is not written at all."""
    with open(path, "xb") as file:
        try:
            for begin, data in inode.data() if inode else ():
                file.seek(begin)
                file.write(data)
            file.truncate(entry.size)
        except (Missing, OSError):
            os.unlink(path)
            raise


def make(path, entry, inode):
    if entry.is_kind(stat.S_IFDIR):
        os.makedirs(path, 0o700, exist_ok=True)
    elif entry.is_kind(stat.S_IFLNK):
        os.symlink(target_of(entry, inode), path)
    elif entry.is_kind(stat.S_IFREG):
        write(path, entry, inode)
    else:
        os.mknod(path, stat.S_IFMT(entry.mode) | 0o600, entry.device)


def dress(path, entry, inode):
    """Everything but the contents; the owner first, for that clears bits of the mode, the times last. Gives what failed."""
    follow = {"follow_symlinks": False}
    owner, group = (-1 if number is None else number for number in (entry.uid, entry.gid))
    steps = [lambda: os.chown(path, owner, group, **follow)] if (owner, group) != (-1, -1) else []
    for name, value in inode.xattrs() if inode else ():
        steps.append(lambda name=name, value=value: os.setxattr(path, name, value, **follow))
    if not entry.is_kind(stat.S_IFLNK):
        steps.append(lambda: os.chmod(path, stat.S_IMODE(entry.mode)))
    times = tuple(seconds * 10**9 + nanos for seconds, nanos in (entry.atime, entry.mtime))
    steps.append(lambda: os.utime(path, ns=times, **follow))
    failed = []
    for step in steps:
        try:
            step()
        except OSError as error:
            failed.append((path, error.strerror))
    return failed


def restore(bee, box, folder):
    """Writes all of it; gives what failed. Directories are dressed when they are full."""
    failed, made, directories = [], {}, []
    for path, entry in box.walk(box.top):
        place = folder + path
        try:
            if entry.ino in made and not entry.is_kind(stat.S_IFDIR):
                os.link(made[entry.ino], place, follow_symlinks=False)
                continue
            inode = inode_of(bee, entry)
            make(place, entry, inode)
            if entry.is_kind(stat.S_IFDIR):
                directories.append((place, entry, inode))
            else:
                made[entry.ino] = place
                failed += dress(place, entry, inode)
        except (Missing, OSError) as error:
            failed.append((place, error))
    for directory in reversed(directories):
        failed += dress(*directory)
    return failed


def listing(bee, box):
    lines, failed = [], []
    for path, entry in box.walk(box.top):
        path = path[1:] or b"."
        try:
            lines.append((path, line(bee, path, entry)))
        except Missing as error:
            failed.append((path, error))
    print("\n".join(shown for _, shown in sorted(lines)))
    return failed


def root_of(phrase, passphrase):
    seed, factor = hashlib.pbkdf2_hmac("sha512", phrase.encode(), b"mnemonic", 2048), b""
    if passphrase:
        salt, kind = kdf("pass-salt", seed), argon2.low_level.Type.ID
        factor = argon2.low_level.hash_secret_raw(passphrase, salt, 3, 256 * 1024, 4, 32, kind)
    return kdf("root", enc(seed, factor))


def main():
    url, phrase, folder = sys.argv[1:]
    root = root_of(" ".join(pathlib.Path(phrase).read_text().split()), os.environb.get(b"PODFS_PASSPHRASE"))
    bee = Bee(url)
    box = Box(bee, root)
    if folder == "--list":
        failed = listing(bee, box)
    else:
        os.makedirs(folder, exist_ok=True)
        need(not os.listdir(folder), f"{folder} is not empty")
        failed = restore(bee, box, os.fsencode(folder))
    for path, error in failed:
        print(f"{quote(path)}: {error}", file=sys.stderr)
    print(f"{bee.asked} requests", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Damaged, Missing) as what:
        print(what, file=sys.stderr)
        sys.exit(2)
