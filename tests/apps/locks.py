#!/usr/bin/env python3
"""flock, fcntl and OFD locks between processes: what conflicts, what does not, what ends them.

Usage: locks.py DIR SCRATCH
"""

import errno
import fcntl
import os
import struct
import sys
import time

F_OFD_SETLK = 37


def in_child(job):
    """Runs `job` in a child; gives what it returned, 0 to 100."""
    pid = os.fork()
    if pid == 0:
        os._exit(job())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def refused(call):
    try:
        call()
    except OSError as error:
        assert error.errno in (errno.EAGAIN, errno.EACCES), error
        return 1
    return 0


def ofd(fd, kind, start, length):
    fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0))


def flock_excludes(path):
    holder = os.open(path, os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)

    def attempt(mode):
        other = os.open(path, os.O_RDWR)
        return refused(lambda: fcntl.flock(other, mode | fcntl.LOCK_NB))

    assert in_child(lambda: attempt(fcntl.LOCK_EX)) == 1
    assert in_child(lambda: attempt(fcntl.LOCK_SH)) == 1
    fcntl.flock(holder, fcntl.LOCK_SH)
    assert in_child(lambda: attempt(fcntl.LOCK_SH)) == 0
    assert in_child(lambda: attempt(fcntl.LOCK_EX)) == 1
    os.close(holder)
    assert in_child(lambda: attempt(fcntl.LOCK_EX)) == 0


def ranges_exclude(path):
    holder = os.open(path, os.O_RDWR)
    fcntl.lockf(holder, fcntl.LOCK_EX, 100, 1 << 30)

    def attempt(start, length):
        other = os.open(path, os.O_RDWR)
        return refused(lambda: fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start))

    assert in_child(lambda: attempt((1 << 30) + 50, 1)) == 1
    assert in_child(lambda: attempt((1 << 30) + 100, 10)) == 0
    assert in_child(lambda: attempt(0, 10)) == 0
    # POSIX: closing any descriptor of the file drops the process's locks on it.
    os.close(os.open(path, os.O_RDONLY))
    assert in_child(lambda: attempt((1 << 30) + 50, 1)) == 0
    os.close(holder)


def open_files_exclude(path):
    one, two = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    ofd(one, fcntl.F_WRLCK, 0, 10)
    assert refused(lambda: ofd(two, fcntl.F_WRLCK, 5, 10)) == 1
    ofd(two, fcntl.F_WRLCK, 10, 10)
    os.close(os.open(path, os.O_RDONLY))
    assert refused(lambda: ofd(two, fcntl.F_RDLCK, 0, 1)) == 1
    os.close(one)
    ofd(two, fcntl.F_WRLCK, 0, 10)
    os.close(two)


def a_waiter_is_woken(path):
    holder = os.open(path, os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(holder)
        other = os.open(path, os.O_RDWR)
        os.write(tell, b"x")
        fcntl.flock(other, fcntl.LOCK_EX)
        os._exit(0)
    os.read(ready, 1)
    time.sleep(0.05)
    assert os.waitpid(pid, os.WNOHANG)[0] == 0, "the waiter did not wait"
    os.close(holder)
    assert os.waitpid(pid, 0)[1] == 0


def a_dead_holder_lets_go(path):
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        fd = os.open(path, os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)
        fcntl.lockf(fd, fcntl.LOCK_EX)
        os.write(tell, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    fd = os.open(path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


def main():
    path = os.path.join(sys.argv[1], "locked")
    open(path, "w").close()
    for check in [flock_excludes, ranges_exclude, open_files_exclude, a_waiter_is_woken, a_dead_holder_lets_go]:
        check(path)
        print(check.__name__)


main()
