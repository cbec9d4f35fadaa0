"""Verifies receipts of grants that were ended, by src/format/FORMAT.md. It shares no code with podfs.

Usage: receipt.py FILE...     each FILE has the bytes of a receipt, or what `podfs revoke ID --receipt --json` printed;
                              prints what they say, one fact a line

Exit code 1 when one of them is not signed by the key that it names, or is no receipt. Whose key that is, a card tells, and
the audit log that the checkpoint is of. Needs the PyPI packages blake3 and cryptography.
"""

import json
import pathlib
import struct
import sys

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNED, LENGTH = 256, 320


def enc(*fields):
    return b"".join(struct.pack("<I", len(field)) + field for field in fields)


def said(data):
    """What a receipt says; None when it is none, or nobody signed it."""
    if len(data) != LENGTH:
        return None
    signed, signature = data[:SIGNED], data[SIGNED:]
    version, grant, who, level = struct.unpack_from("<H16s32sB", signed)
    asked, asked_nanos, done, done_nanos, names, nodes, pages, left = struct.unpack_from("<qIqI4Q", signed, 51)
    log, size, root, _, nanos, previous = struct.unpack_from("<x32sQ32sqI32s", signed, 107)
    wrong = version != 1 or level > 3 or signed[107] != 1 or max(asked_nanos, done_nanos, nanos) >= 10**9
    if wrong or size == 0 or (previous == bytes(32)) != (size == 1):
        return None
    key = signed[224:256]
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, blake3(enc(b"podfs/1/receipt", signed)).digest())
    except (InvalidSignature, ValueError):
        return None
    return {
        "grant": grant.hex(),
        "who": who.hex(),
        "level": level,
        "asked": asked,
        "done": done,
        "names": names,
        "chunks": nodes + pages,
        "left": left,
        "log": log.hex(),
        "log size": size,
        "root": root.hex(),
        "key": key.hex(),
    }


def read(path):
    data = pathlib.Path(path).read_bytes()
    return bytes.fromhex(json.loads(data)["receipt"]) if data.lstrip().startswith(b"{") else data


def main():
    good = True
    for path in sys.argv[1:]:
        facts = said(read(path))
        if facts is None:
            good = False
            print("not signed")
            continue
        for name, value in facts.items():
            print(f"{name:<12} {value}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
