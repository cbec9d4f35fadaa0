#!/usr/bin/env python3
"""Reads all that a grant opens, whatever was agreed, written from FORMAT.md alone.

    grantee.py URL GRANT FILE        GRANT is what a message carries that shares something, URL a Bee node; prints each
                                     record of its feed, and under it a line for each name that it opens, in the form of
                                     reader.py. All that was opened on the way is written to FILE.

It keeps to no beginning, no end and no right, follows the feed of what is one version, and goes on behind a record that
says that it is over.

Needs what swarm.py needs.
"""

import pathlib
import sys

import swarm
from grant import Grant, Record
from published import Box
from reader import Damaged, quote
from restore import line
from swarm import Bee, Link, Missing, keccak256

# Indices in a row without a record, after which it stops.
AHEAD = 16


class Given(Box):
    """What a record opens. There is no head, and so no changes and no keys of boxes."""

    def __init__(self, bee, entry):
        self.bee, self.changes = bee, {}
        alone = [ref and Link(ref, [], None) for ref in (entry.inode, entry.tree)]
        self.top = entry._replace(inode=alone[0], tree=alone[1])

    def lines(self):
        for path, entry in self.walk(self.top):
            try:
                yield line(self.bee, path[1:] or b".", entry)
            except Missing as error:
                yield f"{quote(path[1:] or b'.')}: {error}"


def records(bee, grant):
    """Index and plain bytes of all that the owner says in the feed."""
    index, last = 0, -1
    while index <= last + AHEAD:
        identity = keccak256(grant.topic + index.to_bytes(8, "big"))
        chunk = bee.get(keccak256(identity + grant.owner))
        if chunk:
            _, payload = grant.payload(chunk, index)
            last = index
            yield index, grant.open(payload, index)
        index += 1


def main():
    url, grant, file = sys.argv[1:]
    bee, grant, opened = Bee(url), Grant(pathlib.Path(grant).read_bytes()), []
    plainly = swarm.open_sealed

    def open_and_keep(*sealed):
        opened.append(plainly(*sealed))
        return opened[-1]

    swarm.open_sealed = open_and_keep
    for index, plain in records(bee, grant):
        opened.append(plain)
        record = Record(plain, grant, index)
        print(f"record {index} {record.state}")
        if record.entry:
            try:
                print(*Given(bee, record.entry).lines(), sep="\n")
            except Missing as error:
                print(f"lost: {error}")
    pathlib.Path(file).write_bytes(b"".join(opened))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Damaged as what:
        print(what, file=sys.stderr)
        sys.exit(2)
