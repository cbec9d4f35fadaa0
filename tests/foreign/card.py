"""Reads the golden cards by src/format/FORMAT.md: signature, keys, what people type and read aloud, who follows whom.

Usage: card.py FOLDER. Needs the PyPI packages blake3, argon2-cffi and coincurve.
"""

import hashlib
import pathlib
import sys

import argon2.low_level
from blake3 import blake3

from keys import enc, kdf, keccak256, le32, owner, public_point, scalar, x25519_public
from swarm import single_owner_payload

LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
FIELDS = (
    ("version", 2), ("number", 8), ("identity number", 4), ("epoch", 4), ("seconds", 8), ("nanoseconds", 4),
    ("identity", 65), ("sign", 32), ("x25519", 32), ("xwing", 1216), ("previous", 32), ("successor", 20), ("zeros", 12),
)
NUMBERS = {"version", "number", "identity number", "epoch", "seconds", "nanoseconds"}


def take_apart(card):
    fields, at = {}, 0
    for name, count in FIELDS:
        field = card[at : at + count]
        fields[name] = int.from_bytes(field, "little") if name in NUMBERS else field
        at += count
    assert not any(card[at:]), "zeros behind the card"
    return fields, card[:at]


def bech32m(prefix, data):
    """BIP-350."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    values = [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)]
    check = 1
    expanded = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    for value in expanded + values + [0] * 6:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    check ^= 0x2BC830A3
    values += [check >> 5 * (5 - at) & 31 for at in range(6)]
    return prefix + "1" + "".join(LETTERS[value] for value in values)


def spoken(one, other):
    """Numbers of the seven words in the list of BIP-39."""
    low, high = sorted((one, other))
    stretched = argon2.low_level.hash_secret_raw(
        enc(low, high), kdf("sas", enc(low, high)), time_cost=3, memory_cost=64 << 10, parallelism=4, hash_len=32,
        type=argon2.low_level.Type.ID,
    )
    bits = int.from_bytes(stretched, "big")
    return [bits >> (256 - 11 * (nth + 1)) & 2047 for nth in range(7)]


def read(file, number, of):
    """A card of this number, and the bytes that its hash is of; its signature is that of the owner `of`."""
    chunk = file.read_bytes()
    chunk += bytes(32 + 65 + 8 + 4096 - len(chunk))
    place = keccak256(keccak256(b"podfs-keycard-1") + number.to_bytes(8, "big"))
    payload = single_owner_payload(chunk, place, of)
    assert payload is not None, "the signature is not the identity's"
    card, plain = take_apart(payload)
    assert card["number"] == number and not any(card["zeros"]) and card["epoch"] < 1 << 24
    return card, plain


def fingerprint_of(card):
    return blake3(enc(b"podfs/1/identity", card["identity"])).digest()


def main():
    golden = pathlib.Path(sys.argv[1])
    words = " ".join(["abandon"] * 23 + ["art"])
    root = kdf("root", enc(hashlib.pbkdf2_hmac("sha512", words.encode(), b"mnemonic", 2048), b""))
    identity = scalar("id-sign", enc(root, le32(0)))

    place = keccak256(keccak256(b"podfs-keycard-1") + (0).to_bytes(8, "big"))
    card, plain = read(golden / "card-signed-good.bin", 0, owner(identity))
    assert card["identity"] == b"\x04" + public_point(identity)
    assert card["x25519"] == x25519_public(kdf("kem-x25519", enc(root, le32(0))))
    assert (card["version"], card["number"], card["epoch"], card["previous"]) == (1, 0, 0, bytes(32))

    fingerprint = fingerprint_of(card)
    for name, value in (
        ("owner", owner(identity)), ("card at", keccak256(place + owner(identity))), ("hash", blake3(plain).digest()),
        ("fingerprint", fingerprint),
    ):
        print(f"{name:<12} {value.hex()}")
    text = bech32m("podfs", bytes(1) + owner(identity))
    print(f"{'text':<12} {text}")
    print(f"{'words':<12} {' '.join(map(str, spoken(fingerprint, bytes(32))))}")

    fixed, _ = read(golden / "card-signed-fixed.bin", 1, owner(identity))
    assert (fixed["identity"], fixed["previous"]) == (card["identity"], blake3(plain).digest())
    heir, _ = read(golden / "card-signed-heir.bin", 0, fixed["successor"])
    assert heir["previous"] == fingerprint_of(fixed), "it does not say whom it follows"
    print(f"{'successor':<12} {fixed['successor'].hex()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
