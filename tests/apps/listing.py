#!/usr/bin/env python3
"""Prints everything below DIR: kind, mode, owner, links, inode, time, size, contents, xattrs. Usage: listing.py DIR"""

import hashlib
import os
import stat
import sys


def digest(path):
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            whole.update(block)
    return whole.hexdigest()


def walk(folder):
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        s = os.lstat(path)
        size, what, xattrs = 0, "", {}
        if stat.S_ISLNK(s.st_mode):
            what = os.readlink(path)
        elif stat.S_ISREG(s.st_mode):
            size, what = s.st_size, digest(path)
        if not stat.S_ISLNK(s.st_mode):
            xattrs = {key: os.getxattr(path, key) for key in sorted(os.listxattr(path))}
        print(path, oct(s.st_mode), s.st_uid, s.st_gid, s.st_nlink, s.st_ino, s.st_mtime_ns, size, what, xattrs)
        if stat.S_ISDIR(s.st_mode):
            walk(path)


walk(os.fsencode(sys.argv[1]))
