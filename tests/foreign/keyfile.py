#!/usr/bin/env python3
"""A reader of podfs keyfiles, written from FORMAT.md alone.

    keyfile.py FOLDER      opens FOLDER/keyfile-*.bin with the passphrase, with the phrase and with the token of the
                           golden files; exit code 1 when one that is good is refused, or one that is wrong opens
    keyfile.py FILE        tells the slots of a keyfile

Needs the PyPI packages blake3, argon2-cffi and cryptography.
"""

import hashlib
import pathlib
import struct
import sys

import argon2.low_level
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from keys import enc, kdf, le32, prf

PASSPHRASE_OPENS = {"good", "unknown-slot", "eight-slots", "token", "token-two", "replaced"}
PASSPHRASE_OPENS |= {"token-other-mechanism", "token-wrong-serial", "token-wrong-challenge"}
OPENS = {
    "passphrase": PASSPHRASE_OPENS,
    "root": PASSPHRASE_OPENS | {"token-only", "token-rsa", "token-rsa-longest", "token-rsa-wrong-sealed"},
    "token": {"token", "token-only", "token-two", "token-rsa"},
}
PASSPHRASE = b"correct horse battery staple"
PHRASE = " ".join(["abandon"] * 23 + ["art"])
TOKEN_KEY = bytes([0x42]) * 32
AES_CBC, RSA_OAEP = 0x1082, 0x9
TOKEN_PRIMES = pathlib.Path(__file__).parent.parent / "golden/v1/rsa-key.txt"
SIGNED_CARD = 1544


class Refused(Exception):
    pass


def need(condition):
    if not condition:
        raise Refused


def take_apart(data):
    need(len(data) >= 28 and data[:8] == b"podfskey")
    version, count = struct.unpack_from("<HH", data, 8)
    need(version == 1 and 1 <= count <= 8)
    at, slots = 28, []
    for _ in range(count):
        need(len(data) >= at + 4)
        kind, length = struct.unpack_from("<HH", data, at)
        need(length <= 1024 and len(data) >= at + 4 + length)
        need(kind not in (1, 2) or length == {1: 136, 2: 92}[kind])
        slot = data[at : at + 4 + length]
        if kind == 3 and mechanism_of(slot):
            token_of(slot)
        slots.append((kind, slot))
        at += 4 + length
    need(len(data) == at + 12 + 4096 + 16 + 32)
    return data[12:28], slots, data[at : at + 12], data[at + 12 : -32]


def mechanism_of(slot):
    """Mechanism of the slot of a token, or None when it is of a later version."""
    return next((known for known in (AES_CBC, RSA_OAEP) if slot[4:8] == struct.pack("<I", known)), None)


def token_of(slot):
    """Serial number, label, key id and challenge of the slot of a token."""
    need(len(slot) >= 89 + 92)
    _, serial, label, length, key_id = struct.unpack_from("<I16s32sB32s", slot, 4)
    need(1 <= length <= 32 and not any(key_id[length:]))
    challenge = slot[89:-92]
    need(len(challenge) == 32 if mechanism_of(slot) == AES_CBC else 256 <= len(challenge) <= 512)
    return serial, label, key_id[:length], challenge


def answer_of(key, mechanism, challenge):
    if mechanism == RSA_OAEP:
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        try:
            answer = rsa_key().decrypt(challenge, oaep)
        except ValueError:
            raise Refused from None
        need(len(answer) == 32)
        return answer
    cipher = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    return cipher.update(challenge) + cipher.finalize()


def rsa_key():
    p, q = (int(line, 16) for line in TOKEN_PRIMES.read_text().split())
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    parts = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(e, p * q)).private_key()


def open_sealed(key, nonce, sealed, ad):
    try:
        return AESGCMSIV(key).decrypt(nonce, sealed, ad)
    except InvalidTag:
        raise Refused from None


def unwrap(kek, slot):
    header, nonce, commitment, sealed = slot[:-92], slot[-92:-80], slot[-80:-48], slot[-48:]
    ad = enc(b"podfs/1/slot", header)
    commit_key = kdf("keyfile-slot", enc(kek, b"commit"))
    need(prf(commit_key, b"C", enc(nonce, hash_of(ad), sealed[32:])) == commitment)
    return open_sealed(kdf("keyfile-slot", enc(kek, b"wrap")), nonce, sealed, ad)


def hash_of(data):
    from blake3 import blake3

    return blake3(data).digest()


def kek_of(kind, slot, pod_id, passphrase, root, token):
    if kind == 3 and token is not None:
        mechanism = mechanism_of(slot)
        need(mechanism)
        return kdf("keyfile-kek", enc(b"token", answer_of(token, mechanism, token_of(slot)[3])))
    if kind == 2 and root is not None:
        return kdf("keyfile-kek", enc(b"recovery", root, pod_id))
    if kind == 1 and passphrase is not None:
        memory, passes, lanes = struct.unpack_from("<III", slot, 4)
        need(65536 <= memory <= 4194304 and 3 <= passes <= 16 and 1 <= lanes <= 16)
        stretched = argon2.low_level.hash_secret_raw(
            passphrase, slot[16:48], passes, memory, lanes, 32, argon2.low_level.Type.ID
        )
        return kdf("keyfile-kek", enc(b"passphrase", stretched))
    raise Refused


def file_key_of(slots, pod_id, **opener):
    for kind, slot in slots:
        try:
            return unwrap(kek_of(kind, slot, pod_id, **opener), slot)
        except Refused:
            continue
    raise Refused


def bundle_of(data, passphrase=None, root=None, token=None):
    pod_id, slots, nonce, sealed = take_apart(data)
    file_key = file_key_of(slots, pod_id, passphrase=passphrase, root=root, token=token)
    need(prf(kdf("keyfile-slot", enc(file_key, b"mac")), b"C", data[:-32]) == data[-32:])
    plain = open_sealed(kdf("keyfile-slot", enc(file_key, b"bundle")), nonce, sealed, b"podfs/1/bundle")
    version, device, epoch, pod = struct.unpack_from("<HHII", plain)
    need(version in (1, 2) and plain[12:28] == pod_id and (version == 1 or epoch > 0))
    need(version == 1 or not plain[220] & ~3)
    end = 188 if version == 1 else 221 + (SIGNED_CARD if plain[220] & 1 else 0)
    need(not any(plain[end:]))
    return device, epoch, pod, plain


def tell(data):
    for kind, slot in take_apart(data)[1]:
        if kind == 3 and mechanism_of(slot):
            serial, label, key_id, challenge = token_of(slot)
            serial, label = (text.decode(errors="replace").rstrip() for text in (serial, label))
            how = {AES_CBC: "AES-CBC", RSA_OAEP: "RSA-OAEP"}[mechanism_of(slot)]
            print(f"token {label!r}, serial number {serial!r}, key {key_id.hex()}, {how} of {challenge.hex()}")
        else:
            print({1: "passphrase", 2: "recovery"}.get(kind, f"unknown, type {kind}"))


def main():
    if pathlib.Path(sys.argv[1]).is_file():
        tell(pathlib.Path(sys.argv[1]).read_bytes())
        return 0
    seed = hashlib.pbkdf2_hmac("sha512", PHRASE.encode(), b"mnemonic", 2048)
    root = kdf("root", enc(seed, b""))
    wrong = 0
    paths = sorted(pathlib.Path(sys.argv[1]).glob("keyfile-*.bin"))
    for path in paths:
        name = path.stem.removeprefix("keyfile-")
        for opener in ({"passphrase": PASSPHRASE}, {"root": root}, {"token": TOKEN_KEY}):
            try:
                device, epoch, pod, plain = bundle_of(path.read_bytes(), **opener)
                pod_id = kdf("pod-id", enc(root, le32(pod)))[:16]
                right = plain[12:28] == pod_id
                right &= plain[28:60] == kdf("pod", enc(root, pod_id, le32(epoch)))
                right &= plain[60:92] == kdf("kem-x25519", enc(root, le32(epoch)))
                right &= plain[92:124] == kdf("kem-xwing", enc(root, le32(epoch)))
                right &= (device, epoch, pod) == (258, 2, 0)
                if plain[0] == 2:
                    right &= plain[188:220] == kdf("pod", enc(root, pod_id, le32(epoch - 1)))
                opened = True
            except Refused:
                right, opened = True, False
            how = next(iter(opener))
            if not right or opened != (name in OPENS[how]):
                # Costs do not concern who comes with the phrase: the code over the file does.
                if name != "cost-below-floor" or how != "root":
                    wrong += 1
                    print(f"{path.name} with the {how}: opened {opened}, right {right}")
    print(f"{len(paths)} keyfiles tried, {wrong} wrong")
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
