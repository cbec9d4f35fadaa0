#!/usr/bin/env python3
"""SQLite in rollback and WAL mode: two writing processes and a reader, one writer killed on the way.

Every transaction moves money between two accounts and writes a line of history, so a torn one shows in the sums.
Usage: sqlite.py DIR SCRATCH
"""

import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import time

ACCOUNTS = 50
TRANSACTIONS = 250


def connect(path):
    base = sqlite3.connect(path, timeout=60, isolation_level=None)
    base.execute("pragma synchronous=full")
    return base


def create(path, mode):
    base = connect(path)
    got = base.execute(f"pragma journal_mode={mode}").fetchone()[0]
    assert got == mode, f"asked for journal_mode={mode}, got {got}"
    base.execute("create table account (id integer primary key, cents integer not null)")
    base.execute("create table history (writer integer, number integer, note text, primary key (writer, number))")
    base.executemany("insert into account values (?, 100)", [(n,) for n in range(ACCOUNTS)])
    base.close()


def transfer(path, writer, count, done):
    base = connect(path)
    chance = random.Random(writer)
    for number in range(count):
        base.execute("begin immediate")
        a, b = chance.sample(range(ACCOUNTS), 2)
        base.execute("update account set cents = cents - 7 where id = ?", (a,))
        base.execute("update account set cents = cents + 7 where id = ?", (b,))
        base.execute("insert into history values (?, ?, ?)", (writer, number, "x" * chance.randrange(400)))
        base.execute("commit")
        done.value = number + 1
    base.close()


def read(path, stop):
    base = connect(path)
    while not stop.is_set():
        check_sums(base)
    base.close()


def check_sums(base):
    total = base.execute("select sum(cents) from account").fetchone()[0]
    assert total == ACCOUNTS * 100, f"the accounts hold {total}"


def run(path, mode):
    create(path, mode)
    stop = multiprocessing.Event()
    done = [multiprocessing.Value("i", 0) for _ in range(3)]
    reader = multiprocessing.Process(target=read, args=(path, stop))
    writers = [
        multiprocessing.Process(target=transfer, args=(path, n, TRANSACTIONS, done[n])) for n in range(2)
    ]
    victim = multiprocessing.Process(target=transfer, args=(path, 2, 10**9, done[2]))
    for process in [reader, *writers, victim]:
        process.start()
    deadline = time.monotonic() + 60
    while done[2].value < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    for process in [*writers, victim]:
        process.join()
    stop.set()
    reader.join()
    assert [w.exitcode for w in writers] == [0, 0] and reader.exitcode == 0, f"{mode}: a process failed"

    base = connect(path)
    check_sums(base)
    assert base.execute("pragma integrity_check").fetchone()[0] == "ok"
    for n in range(3):
        kept = base.execute("select count(*) from history where writer = ?", (n,)).fetchone()[0]
        assert done[n].value <= kept <= done[n].value + 1, f"{mode}: writer {n} did {done[n].value}, kept {kept}"
    base.execute("vacuum")
    check_sums(base)
    base.close()
    print(f"{mode}: {[d.value for d in done]} transactions")


def main():
    folder = sys.argv[1]
    for mode in ["delete", "truncate", "wal"]:
        run(os.path.join(folder, f"{mode}.db"), mode)


main()
