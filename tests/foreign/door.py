"""Finds the golden slot of a door by src/format/FORMAT.md from the card of whose door it is, sees the work, opens and reads it.

Usage: door.py FOLDER. Needs what message.py needs.
"""

import pathlib
import sys

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from card import take_apart
from keys import enc, kdf, keccak256, le32, owner, scalar
from message import PHRASES, Person, opened, read
from swarm import single_owner_payload

DAY, SLOT, WORK = 20775, 5, 20
CARD = 32 + 65 + 8 + 1439


def zero_bits(digest):
    return 256 - int.from_bytes(digest, "big").bit_length()


def main():
    chunk = (pathlib.Path(sys.argv[1]) / "door-chunk-good.bin").read_bytes()
    ben, anna = map(Person, PHRASES)
    fields = enc(anna.fingerprint, le32(DAY), le32(SLOT))
    signer, topic = owner(scalar("door", fields)), kdf("door-topic", fields)
    identifier = keccak256(topic + (0).to_bytes(8, "big"))
    payload = single_owner_payload(chunk, identifier, signer)
    assert payload is not None, "not signed for this slot"
    where = enc(b"podfs/1/place", signer, topic, (0).to_bytes(8, "little"))

    sealed, number = payload[:4088], payload[4088:]
    work = blake3(enc(b"podfs/1/work", where, blake3(sealed).digest()) + number).digest()
    assert zero_bits(work) >= WORK, "no work was spent on it"

    signature, body = opened(anna, sealed, where, b"podfs/1/door")
    shown = body[:CARD] + bytes(4096 - 1439)
    card, _ = take_apart(shown[105:])
    place = keccak256(keccak256(b"podfs-keycard-1") + card["number"].to_bytes(8, "big"))
    identity = keccak256(card["identity"][1:])[12:]
    assert single_owner_payload(shown, place, identity) is not None, "the card is not the identity's"
    fingerprint = blake3(enc(b"podfs/1/identity", card["identity"])).digest()
    assert fingerprint == ben.fingerprint
    fields = (anna.xwing, sealed[:1120], fingerprint, anna.fingerprint, where, body)
    signed = blake3(enc(b"podfs/1/signed-door", *fields)).digest()
    Ed25519PublicKey.from_public_bytes(card["sign"]).verify(signature, signed)

    for name, value in (
        ("owner", signer), ("topic", topic), ("slot at", keccak256(identifier + signer)), ("from", fingerprint),
    ):
        print(f"{name:<12} {value.hex()}")
    print(f"{'work':<12} {int.from_bytes(number, 'little')}")
    for name, value in read(body[CARD:]).items():
        print(f"{name:<12} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
