"""Verifies audit logs that `podfs audit export` wrote, by src/format/FORMAT.md. It shares no code with podfs.

Usage: audit.py EXPORT... Prints for each `good RECORDS`, or the first record that is wrong and what is wrong with it:
unreadable, moved, changed, stranger, missing, rewritten; or `- unsigned` for a checkpoint that is not one of this log.
Exit code 1 when one of them is not good. Needs the PyPI packages blake3 and cryptography; coincurve and pycryptodome for
cards.
"""

import hashlib
import json
import struct
import sys
import unicodedata

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KINDS = {
    1: "card-published", 2: "contact-added", 3: "contact-changed", 4: "contact-verified", 5: "contact-alarm",
    6: "contact-removed", 7: "contact-blocked", 8: "contact-unblocked", 16: "granted", 17: "grant-received", 18: "grant-accepted", 19: "grant-expired",
    20: "grant-revoked", 21: "revocation-received", 22: "sealed-anew", 23: "added", 24: "changed",
    25: "removed", 32: "requested", 33: "request-received", 34: "request-approved", 35: "request-denied",
    48: "keys-rotated", 49: "keys-replaced", 50: "box-created", 51: "box-removed", 64: "integrity-failure", 65: "rollback-alarm", 66: "exported",
    67: "read-failed", 68: "opened",
}
OUTCOMES = ("done", "refused", "failed")
FIELDS = (
    "number", "time", "nanos", "kind", "outcome", "device", "object", "who", "name", "grant", "text", "until", "salt",
    "event", "commitment", "key", "signature",
)
LINE_MAX, RECORD_MAX = 64 << 10, 16 << 10
CHECKPOINT, SIGNED, WITNESS = 117, 213, 341


class Wrong(Exception):
    """The record, or None, and what is wrong with it."""


def enc(*fields):
    return b"".join(struct.pack("<I", len(field)) + field for field in fields)


def digest(*fields):
    return blake3(enc(*fields)).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """RFC 6962, as it grows: full trees, the largest first, with their sizes."""

    def __init__(self):
        self.full = []

    def push(self, leaf):
        size, right = 1, hashlib.sha256(b"\0" + leaf).digest()
        while self.full and self.full[-1][0] == size:
            size, right = 2 * size, node(self.full.pop()[1], right)
        self.full.append((size, right))

    def root(self):
        right = None
        for _, left in reversed(self.full):
            right = left if right is None else node(left, right)
        return hashlib.sha256(b"").digest() if right is None else right


def is_signed(key, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def unhex(digits, length=None):
    if not isinstance(digits, str) or set(digits) - set("0123456789abcdef"):
        raise ValueError("not hexadecimal digits")
    found = bytes.fromhex(digits)
    if length is not None and len(found) != length:
        raise ValueError("another length")
    return found


def take_apart(event):
    """Number, seconds, nanoseconds; and the other fields, or None when a later podfs wrote it."""
    _, number, seconds, nanos = struct.unpack_from("<BQqI", event)
    if nanos >= 10**9:
        raise ValueError("no time")
    try:
        return number, seconds, nanos, fields_of(event)
    except (ValueError, IndexError, KeyError, struct.error):
        return number, seconds, nanos, None


def fields_of(event):
    kind, outcome, there, device = struct.unpack_from("<BBBH", event, 21)
    if event[0] != 1 or there & ~7:
        raise ValueError("another version")
    at = 26

    def take(count):
        nonlocal at
        if at + count > len(event):
            raise ValueError("cut off")
        at += count
        return event[at - count : at]

    who = take(32).hex() if there & 1 else None
    grant = take(16).hex() if there & 2 else None
    until = struct.unpack("<q", take(8))[0] if there & 4 else None
    texts = []
    for most in (4096, 64, 1024):
        length = struct.unpack("<H", take(2))[0]
        if length > most:
            raise ValueError("too long")
        texts.append(take(length))
    name, text = (text.decode() for text in texts[1:])
    if at != len(event) or any(unicodedata.category(letter) == "Cc" for letter in name + text):
        raise ValueError("not written so")
    return {
        "kind": KINDS[kind], "outcome": OUTCOMES[outcome], "device": device, "object": object_text(texts[0]) or None,
        "who": who, "name": name or None, "grant": grant, "text": text or None, "until": until,
    }


def object_text(path):
    try:
        return path.decode()
    except UnicodeDecodeError:
        escapes = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x22: '\\"', 0x27: "\\'", 0x5C: "\\\\"}
        plain = (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in path)
        return "".join(escapes.get(byte, letter) for byte, letter in zip(path, plain))


def once(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a field twice")
    return dict(pairs)


def read_record(line, place):
    """Number, time, commitment, key or None, signature; refuses words that are not those of the record."""
    if len(line) > LINE_MAX or not line.endswith(b"\n"):
        raise ValueError("no line")
    told = json.loads(line.decode(), object_pairs_hook=once)
    if set(told) - set(FIELDS):
        raise ValueError("another field")
    told = {field: told.get(field) for field in FIELDS}
    if any(type(value) not in (int, str, type(None)) for value in told.values()):
        raise ValueError("another type")
    signature = unhex(told["signature"], 64)
    key = None if told["key"] is None else unhex(told["key"], 32)
    said = {field: told[field] for field in ("salt", "event", "commitment", "key", "signature")}
    if told["commitment"] is None:
        event = unhex(told["event"])
        number, seconds, nanos, fields = take_apart(event)
        leaf = digest(b"podfs/1/audit", unhex(told["salt"], 16), event)
        if 1 + len(key or b"") + 64 + 16 + len(event) > RECORD_MAX:
            raise ValueError("too long")
    else:
        number, seconds, nanos, fields = place, told["time"], told["nanos"], None
        leaf = unhex(told["commitment"], 32)
        if told["salt"] is not None or told["event"] is not None or nanos >= 10**9:
            raise ValueError("neither whole nor deleted")
    said.update(number=number, time=seconds, nanos=nanos)
    said.update(fields or dict.fromkeys(("kind", "outcome", "device", "object", "who", "name", "grant", "text", "until")))
    if json.dumps(said, sort_keys=True) != json.dumps(told, sort_keys=True):
        raise ValueError("the words are not those of the record")
    return number, struct.pack("<qI", seconds, nanos), leaf, key, signature


def held(header):
    """Who holds it, size, the checkpoint, and whether all its signatures are right."""
    for line in header["checkpoints"]:
        person = line["by"] == "person"
        whole = unhex(line["witness"], WITNESS) if person else unhex(line["checkpoint"], SIGNED)
        checkpoint, key = whole[:CHECKPOINT], whole[CHECKPOINT : CHECKPOINT + 32]
        seen = digest(b"podfs/1/checkpoint", checkpoint)
        good = is_signed(key, seen, whole[CHECKPOINT + 32 : SIGNED])
        if person:
            countersigned = digest(b"podfs/1/witness", seen)
            good = good and is_signed(whole[SIGNED + 32 : SIGNED + 64], countersigned, whole[SIGNED + 64 :])
        by = line["name"] if person else line["by"]
        yield by, struct.unpack_from("<Q", checkpoint, 33)[0], checkpoint, good


def verify(file):
    """How many records it has; raises Wrong."""
    header = json.loads(file.readline(), object_pairs_hook=once)
    assert header["format"] == "podfs audit 1", "no audit log"
    origin, expected = unhex(header["origin"], 32), unhex(header["key"], 32)
    tree, passed, key, began, previous = Tree(), [], None, 0, bytes(32)
    for place, line in enumerate(file):
        try:
            number, time, leaf, new, signature = read_record(line, place)
        except (ValueError, TypeError, KeyError, struct.error) as error:
            raise Wrong(place, "unreadable") from error
        if number != place:
            raise Wrong(place, "moved")
        if new is not None and new != key:
            key, began = new, place
        if key is None:
            raise Wrong(place, "unreadable")
        tree.push(leaf)
        checkpoint = b"\1" + origin + struct.pack("<Q", place + 1) + tree.root() + time + previous
        previous = digest(b"podfs/1/checkpoint", checkpoint)
        if not is_signed(key, previous, signature):
            raise Wrong(place, "changed")
        passed.append(checkpoint)
    good = 0
    for _, size, checkpoint, signed in sorted(held(header), key=lambda held: held[1]):
        if not signed or checkpoint[1:33] != origin:
            raise Wrong(None, "unsigned")
        if size > len(passed):
            raise Wrong(len(passed), "missing")
        if passed[size - 1] != checkpoint:
            raise Wrong(good, "rewritten")
        good = size
    if passed and key != expected:
        raise Wrong(began, "stranger")
    if header.get("card"):
        look_at_card(unhex(header["card"]), expected)
    return len(passed)


def look_at_card(chunk, expected):
    """Whose key it is, on standard error: the identity signed the card, and the card has the key."""
    from keys import keccak256
    from swarm import single_owner_payload

    chunk += bytes(32 + 65 + 8 + 4096 - len(chunk))
    card = chunk[32 + 65 + 8 :]
    identity, sign = card[30:95], card[95:127]
    owner = keccak256(identity[1:])[12:]
    place = keccak256(keccak256(b"podfs-keycard-1") + card[2:10][::-1])
    vouched = single_owner_payload(chunk, place, owner) is not None and sign == expected
    print(f"0x{owner.hex()} {'vouches' if vouched else 'does not vouch'} for the key", file=sys.stderr)


def main():
    code = 0
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            try:
                print("good", verify(file))
            except Wrong as wrong:
                record, what = wrong.args
                print("-" if record is None else record, what)
                code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
