#!/usr/bin/env python3
"""A reader of a whole pod, written from FORMAT.md alone.

    reader.py FOLDER PHRASEFILE      opens the state folder FOLDER with the recovery phrase and prints a line for
                                     each name: path, mode, owner, group, names, size, time of last change, BLAKE3 of
                                     the contents (or target, or device number), then its extended attributes;
                                     exit code 1 when the log is damaged and the end of it not shown, 2 when the
                                     pod cannot be read

Needs the PyPI packages blake3, argon2-cffi and cryptography.
"""

import hashlib
import pathlib
import struct
import sys
import urllib.parse

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from keyfile import bundle_of
from keys import enc, kdf

PAGE = 4096
NOWHERE = 2**32 - 1
NEVER = 2**64 - 1


class Damaged(Exception):
    pass


class Fields:
    """Takes fields from the front of bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise Damaged("a field beyond the end")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, count, signed=False):
        return int.from_bytes(self.take(count), "little", signed=signed)

    def u32(self):
        return self.number(4)

    def u64(self):
        return self.number(8)

    def long(self):
        return self.take(self.u32())

    def more(self):
        return self.at < len(self.data)


def unseal(key, nonce, sealed, ad):
    try:
        return AESGCMSIV(key).decrypt(nonce, sealed, ad)
    except InvalidTag:
        return None


class Session:
    def __init__(self, secret, identity):
        self.id = identity
        key = lambda purpose: kdf("journal", enc(secret, identity, purpose))
        self.record, self.page, self.mask = key(b"record"), key(b"page"), key(b"mask")


class Segment:
    def __init__(self, path, number, secret):
        self.path, self.number, self.secret = path, number, secret
        self.pages = path.stat().st_size // PAGE
        self.file = path.open("rb")
        self.session = None

    def read(self, offset, count):
        self.file.seek(offset)
        return self.file.read(count).ljust(count, b"\0")

    def open_header(self):
        """First record of the session; None when the header does not open."""
        page = self.read(0, PAGE)
        session = Session(self.secret, page[:16])
        nonce = struct.pack("<I", self.number) + b"\xff" * 8
        plain = unseal(session.record, nonce, page[16:], b"podfs/1/segment")
        if plain is None or plain[:8] != b"podfsSEG" or struct.unpack_from("<II", plain, 8) != (1, self.number):
            return None
        self.session = session
        return struct.unpack_from("<Q", plain, 16)[0]

    def record(self, offset):
        """Kind, pages, number, durable, body and stride of the record at offset, or None."""
        if offset + 48 > self.pages * PAGE:
            return None
        stream = blake3(struct.pack("<IQ", self.number, offset), key=self.session.mask).digest()
        header = bytes(a ^ b for a, b in zip(self.read(offset, 32), stream))
        magic, kind, length, pages, number, durable = struct.unpack("<4sIIIQQ", header)
        if magic != b"PFR1" or kind not in (1, 2, 3) or length > 16 << 20:
            return None
        nonce = struct.pack("<QI", number, 0) if kind != 3 else struct.pack("<III", self.number, offset, 1)
        ad = b"podfs/1/record" + struct.pack("<IQ", self.number, offset) + header
        body = unseal(self.session.record, nonce, self.read(offset + 32, length + 16), ad)
        if body is None:
            return None
        return kind, pages, number, durable, body, (length + 48 + 31) // 32 * 32

    def sealed_pages(self, page, number, tags):
        """The opened pages, or None."""
        out = []
        for at, tag in enumerate(tags):
            sealed = self.read((page + at) * PAGE, PAGE) + tag
            plain = unseal(self.session.page, struct.pack("<QI", number + at, 0), sealed, b"podfs/1/page")
            if plain is None:
                return None
            out.append(plain)
        return b"".join(out)


def read_rows(fields):
    while fields.more():
        key = fields.take(fields.number(1))
        yield key, fields.long() if fields.number(1) else None


def read_pointer(fields):
    first = fields.take(fields.number(1))
    segment, page, number, tags = fields.u32(), fields.u32(), fields.u64(), fields.long()
    return first, segment, page, number, [tags[at : at + 16] for at in range(0, len(tags), 16)]


class Manifest:
    def __init__(self, plain):
        fields = Fields(plain)
        if fields.take(8) != b"podfsMAN" or fields.u32() != 1:
            raise Damaged("manifest")
        self.floor_segment = fields.u32()
        fields.take(12 + 8)
        self.generation = fields.u64()
        self.floor_offset, self.floor_record = fields.u64(), fields.u64()
        self.written = fields.u64()
        fields.take(8 * 2)
        self.leaves, self.digest = fields.u64(), fields.number(16)
        self.segments = [(fields.u32(), fields.take(16), fields.u32()) for _ in range(fields.u32())]
        fields.take(12 * fields.u32())
        self.branches = [read_pointer(fields) for _ in range(fields.u32())]
        for _ in range(2):
            if fields.number(1):
                fields.take(16)
                [read_pointer(fields) for _ in range(fields.u32())]
        for _ in range(2):
            fields.take(12 * fields.u32())
        if fields.more():
            raise Damaged("manifest")


def read_extents(value):
    """First page in the bucket, kind, and segment, page, write number and tags where there are any."""
    fields = Fields(value)
    while fields.more():
        start, count, kind = fields.take(3)
        where = None
        if kind in (1, 2):
            where = fields.u32(), fields.u32(), fields.u64(), [fields.take(16) for _ in range(count)]
        yield start, kind, where


class Pod:
    def __init__(self, folder, secret):
        self.folder, self.secret = folder, secret
        self.manifest = self.newest_manifest()
        self.segments = {}
        for path in (folder / "log").glob("*.seg"):
            self.segments[int(path.stem, 16)] = Segment(path, int(path.stem, 16), secret)
        self.known = {number: identity for number, identity, _ in self.manifest.segments}
        for number, identity, live in self.manifest.segments:
            if number in self.segments:
                self.segments[number].session = Session(secret, identity)
            elif live:
                raise Damaged(f"segment {number:016x} is missing")
        self.rows = {}
        self.load_checkpoint()
        self.replay()

    def sealed_file(self, name, purpose, ad):
        data = (self.folder / name).read_bytes()
        return unseal(kdf("journal", enc(self.secret, purpose)), data[:12], data[12:], ad) if len(data) >= 28 else None

    def newest_manifest(self):
        files = [self.sealed_file(name, b"manifest", b"podfs/1/manifest") for name in ("manifest", "manifest.copy")]
        found = [Manifest(plain) for plain in files if plain is not None]
        if not found:
            raise Damaged("no manifest opens")
        return max(found, key=lambda manifest: manifest.generation)

    def node(self, pointer, kind):
        _, segment, page, number, tags = pointer
        plain = self.segments[segment].sealed_pages(page, number, tags)
        if plain is None or plain[0] != kind:
            raise Damaged("a node does not open")
        return Fields(Fields(plain[1:]).long())

    def load_checkpoint(self):
        digest_key = kdf("local-index-key", self.secret)
        leaves, digest = 0, 0
        for branch in self.manifest.branches:
            fields = self.node(branch, 2)
            while fields.more():
                start = fields.at
                leaf = read_pointer(fields)
                leaves += 1
                digest += int.from_bytes(blake3(fields.data[start : fields.at], key=digest_key).digest()[:16], "little")
                self.rows.update(read_rows(self.node(leaf, 1)))
        if (leaves, digest % 2**128) != (self.manifest.leaves, self.manifest.digest):
            raise Damaged("the leaves are not those of the manifest")

    def durable_elsewhere(self):
        mark = self.sealed_file("watermark", b"watermark", b"podfs/1/watermark")
        record, generation = struct.unpack("<QQ", mark) if mark else (0, 0)
        if generation > self.manifest.generation:
            raise Damaged("the manifest is an old one")
        return max(record, self.manifest.written, self.manifest.floor_record - 1)

    def later_sessions(self):
        floor = self.manifest.floor_segment
        seen, later = self.known.get(floor), []
        for number, segment in sorted(self.segments.items()):
            if number in self.known:
                continue
            first = segment.open_header()
            if first is not None and (floor == NOWHERE or number > floor) and segment.session.id != seen:
                seen = segment.session.id
                later.append((first, number))
        return later

    def walk(self):
        """The records from the floor on, the number that is missing, the last segment, and whether a session lacks."""
        later, found = self.later_sessions(), []
        segment, offset = self.manifest.floor_segment, self.manifest.floor_offset
        following, last = self.manifest.floor_record, None
        while True:
            if later and later[0][0] <= following:
                segment, offset = later.pop(0)[1], PAGE
            if segment not in self.segments:
                break
            last = segment
            record = self.segments[segment].record(offset)
            if record is None:
                break
            kind, pages, number, durable, body, stride = record
            if kind == 3:
                segment, offset = number, pages * PAGE
            elif number == following:
                found.append((number, kind, pages, durable, Fields(body)))
                offset += stride
                following += 1
            else:
                break
        return found, following, last, bool(later)

    def called_durable(self, last, missing):
        identity = self.segments[last].session.id
        for number, segment in self.segments.items():
            if number < last or segment.session is None or segment.session.id != identity:
                continue
            for page in range(1, segment.pages):
                if segment.read(page * PAGE, PAGE) != bytes(PAGE):
                    for offset in range(page * PAGE, (page + 1) * PAGE, 32):
                        record = segment.record(offset)
                        if record and record[0] != 3 and record[3] >= missing:
                            return True
        return False

    def whole(self, base, pages, rows):
        """Whether the pages of a record, as its own extent rows name them, are there."""
        for key, value in rows:
            for _, _, where in read_extents(value) if key[:1] == b"E" and value else ():
                if where and where[0] == base >> 32 and base % 2**32 <= where[1] < base % 2**32 + pages:
                    if self.segments[where[0]].sealed_pages(*where[1:]) is None:
                        return False
        return True

    def replay(self):
        found, missing, last, lacking = self.walk()
        durable = max([self.durable_elsewhere()] + [record[3] for record in found])
        self.damaged = lacking or durable >= missing or (last is not None and self.called_durable(last, missing))
        for number, kind, pages, _, fields in found:
            base = fields.u64()
            fields.take(8)
            fields.take(12 * fields.u64())
            rows = list(read_rows(fields))
            torn = kind == 1 and base != NEVER and number > durable and not self.whole(base, pages, rows)
            if torn and not self.damaged:
                break
            self.rows.update(rows)
        self.rows = {key: value for key, value in self.rows.items() if value is not None}

    # --- from here on a file system

    def contents(self, ino, size):
        out = blake3()
        at = 0
        for key in self.below(b"E", ino):
            bucket = int.from_bytes(key[9:], "big")
            for start, kind, where in read_extents(self.rows[key]):
                begin = (bucket * 32 + start) * PAGE
                if kind == 0 or begin >= size:
                    continue
                if kind == 3:
                    return "remote"
                zeros(out, begin - at)
                plain = self.segments[where[0]].sealed_pages(*where[1:])
                if plain is None:
                    return "EIO"
                plain = plain[: size - begin]
                out.update(plain)
                at = begin + len(plain)
        zeros(out, size - at)
        return out.hexdigest()

    def below(self, kind, ino):
        prefix = kind + ino.to_bytes(8, "big")
        return sorted(key for key in self.order[kind].get(ino, ()) if key.startswith(prefix))

    def xattrs(self, ino):
        for key in self.below(b"X", ino):
            fields = Fields(self.rows[key])
            while fields.more():
                yield fields.take(fields.number(1)), fields.long()

    def line(self, path, ino):
        row = self.rows[b"I" + ino.to_bytes(8, "big")]
        mode, uid, gid, nlink, rdev, _, size = struct.unpack_from("<6IQ", row)
        secs, nanos = struct.unpack_from("<qI", row, 60)
        kind = mode >> 12
        what = {8: lambda: self.contents(ino, size), 10: lambda: quote(row[96:]), 2: lambda: str(rdev), 6: lambda: str(rdev)}
        shown = [quote(path), f"{mode:o}", uid, gid, nlink, size if kind in (8, 10) else "-", f"{secs}.{nanos:09}"]
        shown.append(what.get(kind, lambda: "-")())
        shown += [f"{quote(name)}={quote(value)}" for name, value in sorted(self.xattrs(ino))]
        return " ".join(map(str, shown))

    def listing(self):
        self.order = {}
        for key in self.rows:
            self.order.setdefault(key[:1], {}).setdefault(int.from_bytes(key[1:9], "big"), []).append(key)
        for kind in (b"D", b"E", b"X"):
            self.order.setdefault(kind, {})
        lines, left = [(b".", self.line(b".", 1))], [(b"", 1)]
        while left:
            above, directory = left.pop()
            for key in self.below(b"D", directory):
                fields = Fields(self.rows[key])
                while fields.more():
                    ino, kind = fields.u64(), fields.number(1)
                    path = above + fields.take(fields.number(1))
                    lines.append((path, self.line(path, ino)))
                    if kind == 4:
                        left.append((path + b"/", ino))
        return [line for _, line in sorted(lines)]


def zeros(out, count):
    while count > 0:
        out.update(bytes(min(count, 1 << 20)))
        count -= 1 << 20


def quote(data):
    return urllib.parse.quote_from_bytes(data, safe="/")


def main():
    folder, phrase = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text().split()
    seed = hashlib.pbkdf2_hmac("sha512", " ".join(phrase).encode(), b"mnemonic", 2048)
    root = kdf("root", enc(seed, b""))
    *_, bundle = bundle_of((folder / "podfs.key").read_bytes(), root=root)
    pod = Pod(folder, bundle[156:188])
    print("\n".join(pod.listing()))
    if pod.damaged:
        print("the log is damaged: what came later is not shown", file=sys.stderr)
    return 1 if pod.damaged else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Damaged as what:
        print(what, file=sys.stderr)
        sys.exit(2)
