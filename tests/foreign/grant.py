"""Reads a grant and records of its feed, written from FORMAT.md alone.

    grant.py GRANT CHUNK...          GRANT is what a message carries that shares something, each CHUNK a single-owner
                                     chunk of the feed, in the order of their indices; prints what they say

Needs what swarm.py needs.
"""

import pathlib
import stat
import sys
import unicodedata

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from keys import enc, kdf, prf
from published import need, take_attributes, take_name, take_time
from reader import Fields
from swarm import keccak256, single_owner_payload

RIGHTS = {1: "read", 3: "append", 7: "write"}
STATES = {0: "live", 1: "revoked", 2: "expired", 3: "gone"}


def say(name, value):
    if isinstance(value, bytes):
        value = value.hex()
    print(f"{name:<12} {'-' if value is None else value}")


class Grant:
    def __init__(self, data):
        fields = Fields(data)
        need(fields.number(2) == 1, "the version of a grant")
        self.id, self.owner, self.topic, cap = (fields.take(count) for count in (16, 20, 32, 32))
        self.key, self.nonce, self.commit = (kdf(name, cap) for name in ("grant-aead", "grant-nonce", "grant-commit"))
        self.rights, self.kind, flags = RIGHTS[fields.number(1)], ("file", "directory")[fields.number(1)], fields.number(1)
        need(flags < 8, "flags")
        self.snapshot = flags & 1
        self.begin, self.end = (fields.number(8, signed=True) if flags & flag else None for flag in (2, 4))
        need(None in (self.begin, self.end) or self.begin < self.end, "a time that ends before it begins")
        self.name = take_name(fields)
        purpose = fields.take(fields.number(2))
        self.purpose = purpose.decode()
        need(len(purpose) <= 400, "a purpose")
        need(not any(unicodedata.category(letter) == "Cc" for letter in self.purpose), "a purpose")
        need(not fields.more(), "something behind a grant")

    def payload(self, chunk, index):
        identity = keccak256(self.topic + index.to_bytes(8, "big"))
        payload = single_owner_payload(chunk, identity, self.owner)
        need(payload, "a chunk that is not the owner's, or of another place")
        return keccak256(identity + self.owner), payload

    def open(self, payload, index):
        nonce, commitment, sealed, tag = payload[:12], payload[12:44], payload[44:4080], payload[4080:]
        ad = enc(b"podfs/1/cap", self.owner, self.topic, index.to_bytes(8, "big"))
        need(prf(self.commit, b"C", enc(nonce, blake3(ad).digest(), tag)) == commitment, "the commitment")
        try:
            plain = AESGCMSIV(self.key).decrypt(nonce, sealed + tag, ad)
        except InvalidTag:
            need(False, "a record that does not open")
        need(prf(self.nonce, b"H", enc(ad, plain))[:12] == nonce, "a nonce")
        return plain


class Record:
    def __init__(self, plain, grant, index):
        fields = Fields(plain)
        need(fields.number(2) == 1 and fields.take(16) == grant.id and fields.u64() == index, "the place of a record")
        self.previous, self.time = fields.take(32), take_time(fields)
        begin, flags = fields.at, fields.number(1)
        self.state = STATES[fields.number(1)]
        need(flags < 4, "flags")
        self.end = fields.number(8, signed=True) if flags & 1 else None
        self.name = self.entry = None
        if self.state == "live":
            self.name, self.entry = take_name(fields), take_attributes(fields)
            need(self.entry.is_kind(stat.S_IFREG, stat.S_IFDIR) and self.entry.box is None, "what is shared")
        self.said = blake3(bytes([flags & 1]) + plain[begin + 1 : fields.at]).digest()
        self.log = self.since = None
        if flags & 2:
            self.log, size, count = fields.take(213), fields.u64(), fields.number(1)
            proof = [fields.take(32) for _ in range(count)]
            need(count <= 33 and size <= int.from_bytes(self.log[33:41], "little"), "the proof of an audit log")
            need(size or not count, "the proof of an audit log")
            self.since = (size, proof) if size else None
        need(not any(fields.take(len(plain) - fields.at)), "something behind a record")

    def show(self):
        for name, value in (("time", f"{self.time[0]}.{self.time[1]:09}"), ("until", self.end), ("said", self.said)):
            say(name, value)
        if self.entry:
            say("name", self.name)
            say("mode", f"{self.entry.mode:o}")
            say("size", self.entry.size)
            for name, ref in (("inode", self.entry.inode), ("names", self.entry.tree)):
                say(name, ref and ref.address + ref.key + ref.tag)
        if self.log:
            say("log", blake3(self.log).digest())
            since = self.since and f"{self.since[0]} {blake3(b''.join(self.since[1])).hexdigest()}"
            say("since", since)


def main():
    grant, *chunks = (pathlib.Path(name).read_bytes() for name in sys.argv[1:])
    grant = Grant(grant)
    for name in ("id", "name", "kind", "rights", "snapshot"):
        say(name, getattr(grant, name))
    say("from", grant.begin)
    say("until", grant.end)
    say("purpose", grant.purpose.encode())
    before = bytes(32)
    for index, chunk in enumerate(chunks):
        address, payload = grant.payload(chunk, index)
        record = Record(grant.open(payload, index), grant, index)
        need(record.previous == before, "a chain that is broken")
        before = blake3(payload).digest()
        say(f"record {index}", f"{record.state} at {address.hex()}")
        record.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
