"""Finds the golden message by src/format/FORMAT.md from the keys of either of the two people, opens and reads it.

Usage: message.py FOLDER. Needs the PyPI packages blake3, argon2-cffi, coincurve and cryptography (for ML-KEM-768,
ChaCha20-Poly1305 and Ed25519). X-Wing and the key schedule of HPKE (RFC 9180, 5.1) are spelled out below.
"""

import hashlib
import hmac
import pathlib
import sys

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from keys import enc, kdf, keccak256, le32, owner, public_point, scalar, x25519, x25519_public
from swarm import single_owner_payload

WEEK, INDEX = 2967, 3
SUITE = bytes.fromhex("647a00010003")
# Entropy of 32 bytes 00 and of 32 bytes 01 as BIP-39 has them.
PHRASES = (
    " ".join(["abandon"] * 23 + ["art"]),
    "absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter advice cage "
    "absurd amount doctor acoustic avoid letter advice comic",
)


class Person:
    def __init__(self, words):
        root = kdf("root", enc(hashlib.pbkdf2_hmac("sha512", words.encode(), b"mnemonic", 2048), b""))
        identity = b"\x04" + public_point(scalar("id-sign", enc(root, le32(0))))
        self.fingerprint = blake3(enc(b"podfs/1/identity", identity)).digest()
        self.secret = kdf("kem-x25519", enc(root, le32(0)))
        self.public = x25519_public(self.secret)
        expanded = hashlib.shake_256(kdf("kem-xwing", enc(root, le32(0)))).digest(96)
        self.mlkem, self.curve = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), expanded[64:]
        self.xwing = self.mlkem.public_key().public_bytes_raw() + x25519_public(self.curve)

    def decapsulate(self, encapsulated):
        """draft-connolly-cfrg-xwing-kem."""
        lattice, point = encapsulated[:1088], encapsulated[1088:]
        agreed = x25519(self.curve, int.from_bytes(point, "little") & (1 << 255) - 1)
        label = rb"\.//^" + b"\\"
        secrets = self.mlkem.decapsulate(lattice) + agreed + point + x25519_public(self.curve) + label
        return hashlib.sha3_256(secrets).digest()


def extract(salt, label, material):
    return hmac.digest(salt, b"HPKE-v1HPKE" + SUITE + label + material, "sha256")


def expand(key, label, info, length):
    text = length.to_bytes(2, "big") + b"HPKE-v1HPKE" + SUITE + label + info
    return hmac.digest(key, text + b"\1", "sha256")[:length]


def opened(recipient, payload, place, kind=b"podfs/1/msg"):
    """Signature and body."""
    info = enc(kind, SUITE)
    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(recipient.decapsulate(payload[:1120]), b"secret", b"")
    key, nonce = expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)
    plain = ChaCha20Poly1305(key).decrypt(nonce, payload[1120:], place)
    return plain[:64], plain[64:]


def text(body, at):
    length = int.from_bytes(body[at : at + 4], "little")
    return body[at + 4 : at + 4 + length].decode(), at + 4 + length


def read(body):
    assert int.from_bytes(body[:2], "little") == 1 and body[2] == 2 and not body[3] & ~6, "a request that answers nothing"
    at, limits = 33, []
    for flag in (2, 4):
        limits.append(int.from_bytes(body[at : at + 8], "little", signed=True) if body[3] & flag else None)
        at += 8 if body[3] & flag else 0
    path, at = text(body, at)
    purpose, at = text(body, at)
    assert not any(body[at:]), "zeros behind the message"
    return {"id": body[4:20].hex(), "rights": body[32], "from": limits[0], "until": limits[1], "what": path, "for": purpose}


def place(own, other, sender, recipient):
    """Owner and topic of the feed of one direction, as `own` computes them."""
    agreed = x25519(own.secret, int.from_bytes(other.public, "little") & (1 << 255) - 1)
    assert any(agreed), "a key of low order"
    low, high = sorted((own.fingerprint, other.fingerprint))
    pair = kdf("pairwise", enc(agreed, low, high, b""))
    direction = bytes([sender.fingerprint > recipient.fingerprint])
    fields = enc(pair, direction, le32(WEEK))
    return owner(scalar("inbox-signer", fields)), kdf("inbox-topic", fields)


def main():
    chunk = (pathlib.Path(sys.argv[1]) / "message-chunk-good.bin").read_bytes()
    anna, ben = map(Person, PHRASES)
    signer, topic = place(anna, ben, anna, ben)
    assert (signer, topic) == place(ben, anna, anna, ben), "both find the same place"
    assert (signer, topic) != place(anna, ben, ben, anna), "the other direction is elsewhere"

    identifier = keccak256(topic + INDEX.to_bytes(8, "big"))
    payload = single_owner_payload(chunk, identifier, signer)
    assert payload is not None, "not signed for this place"
    assert len(payload) == 4096
    where = enc(b"podfs/1/place", signer, topic, INDEX.to_bytes(8, "little"))
    signature, body = opened(ben, payload, where)
    fields = (ben.xwing, payload[:1120], anna.fingerprint, ben.fingerprint, where, body)
    signed = blake3(enc(b"podfs/1/signed-msg", *fields)).digest()
    Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32).public_key().verify(signature, signed)

    for name, value in (("owner", signer), ("topic", topic), ("message at", keccak256(identifier + signer))):
        print(f"{name:<12} {value.hex()}")
    for name, value in read(body).items():
        print(f"{name:<12} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
