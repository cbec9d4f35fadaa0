#!/usr/bin/env python3
"""The key tree of podfs, written a second time from src/crypto/keys.rs's table alone.

    keys.py FILE           recomputes every key from the inputs in FILE and compares; exit code 1 on a difference
    keys.py FILE --write   replaces the outputs in FILE (only when the format is deliberately changed)

Needs the PyPI packages blake3 and argon2-cffi. Elliptic curves and Keccak are spelled out below.
"""

import hashlib
import json
import sys

import argon2.low_level
from blake3 import blake3

# --- the two ways to make a key from a key


def enc(*fields):
    return b"".join(len(field).to_bytes(4, "little") + field for field in fields)


def kdf(name, material, length=32):
    return blake3(material, derive_key_context="podfs 2026-11-20 v1 " + name).digest(length)


def prf(key, prefix, material):
    return blake3(prefix + material, key=key).digest()


def le32(number):
    return number.to_bytes(4, "little")


def id16(counter):
    return counter.to_bytes(16, "little")


# --- secp256k1 (SEC 2), X25519 (RFC 7748), Keccak-256 (original padding)

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def add(one, other):
    if one is None:
        return other
    if other is None:
        return one
    if one[0] == other[0]:
        if (one[1] + other[1]) % P == 0:
            return None
        slope = 3 * one[0] * one[0] * pow(2 * one[1], -1, P) % P
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P) % P
    x = (slope * slope - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def public_point(secret):
    scalar, power, point = int.from_bytes(secret, "big"), G, None
    while scalar:
        if scalar & 1:
            point = add(point, power)
        power, scalar = add(power, power), scalar >> 1
    return point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def scalar(name, material):
    return (int.from_bytes(kdf(name, material, 48), "little") % (N - 1) + 1).to_bytes(32, "big")


def keccak256(data):
    rounds, register = [], 1
    for _ in range(24):
        constant = 0
        for bit in range(7):
            if register & 1:
                constant |= 1 << ((1 << bit) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        rounds.append(constant)

    def left(word, by):
        return ((word << by) | (word >> (64 - by))) & (2**64 - 1) if by else word

    lanes = [[0] * 5 for _ in range(5)]
    data += b"\x01" + bytes(-(len(data) + 1) % 136)
    data = data[:-1] + bytes([data[-1] | 0x80])
    for block in range(0, len(data), 136):
        for at in range(17):
            word = data[block + 8 * at : block + 8 * at + 8]
            lanes[at % 5][at // 5] ^= int.from_bytes(word, "little")
        for constant in rounds:
            columns = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
            for x in range(5):
                mixed = columns[(x + 4) % 5] ^ left(columns[(x + 1) % 5], 1)
                for y in range(5):
                    lanes[x][y] ^= mixed
            x, y, moving = 1, 0, lanes[1][0]
            for step in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                moving, lanes[x][y] = lanes[x][y], left(moving, (step + 1) * (step + 2) // 2 % 64)
            for y in range(5):
                row = [lanes[x][y] for x in range(5)]
                for x in range(5):
                    lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & (2**64 - 1))
            lanes[0][0] ^= constant
    return b"".join(lanes[at][0].to_bytes(8, "little") for at in range(4))


def owner(secret):
    return keccak256(public_point(secret))[12:]


def x25519(secret, point):
    field = 2**255 - 19
    clamped = bytes([secret[0] & 248]) + secret[1:31] + bytes([secret[31] & 127 | 64])
    bits = int.from_bytes(clamped, "little")
    x2, z2, x3, z3, swapped = 1, 0, point, 1, 0
    for at in reversed(range(255)):
        bit = bits >> at & 1
        if swapped ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swapped = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a % field, c * b % field, a * a % field, b * b % field
        x3, z3 = (da + cb) ** 2 % field, point * (da - cb) ** 2 % field
        x2, z2 = aa * bb % field, (aa - bb) * (aa + 121665 * (aa - bb)) % field
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, -1, field) % field).to_bytes(32, "little")


def x25519_public(secret):
    return x25519(secret, 9)


# --- the tree


def tree(case):
    seed = hashlib.pbkdf2_hmac("sha512", case["phrase"].encode(), b"mnemonic", 2048)
    factor = b""
    if case["factor"] is not None:
        factor = argon2.low_level.hash_secret_raw(
            case["factor"].encode(), kdf("pass-salt", seed), 3, 256 * 1024, 4, 32, argon2.low_level.Type.ID
        )
    root = kdf("root", enc(seed, factor))
    keys = {"seed": seed, "root": root}

    identity = scalar("id-sign", enc(root, le32(case["identity"])))
    keys["identity"], keys["identity_owner"] = identity, owner(identity)
    keys["identity_public"] = b"\x04" + public_point(identity)
    epoch = le32(case["epoch"])
    keys["kem_x25519"] = kdf("kem-x25519", enc(root, epoch))
    keys["kem_x25519_public"] = x25519_public(keys["kem_x25519"])
    keys["kem_xwing"] = kdf("kem-xwing", enc(root, epoch))

    pod_id = kdf("pod-id", enc(root, le32(case["pod"])))[:16]
    keys["pod_id"] = pod_id
    keys["recovery"] = kdf("keyfile-kek", enc(b"recovery", root, pod_id))
    keys["pod"] = pod = kdf("pod", enc(root, pod_id, epoch))
    keys["box"] = box = kdf("box", enc(pod, id16(case["box"]), le32(case["box_epoch"])))

    keys["conv"] = kdf("conv", box)
    keys["scope"] = kdf("scope", box)
    directory = case["directory"].to_bytes(8, "little")
    scope_id = prf(keys["scope"], b"S", enc(directory, bytes.fromhex(case["name"])))[:16]
    keys["scope_id"] = scope_id
    renewed = enc(directory, bytes.fromhex(case["name"]), bytes.fromhex(case["renewal"]))
    keys["renewed_id"] = prf(keys["scope"], b"S", renewed)[:16]
    keys["conv_file"] = kdf("conv-file", enc(box, scope_id))
    for name in "head-aead", "head-nonce", "head-commit":
        keys[name.replace("-", "_")] = kdf(name, box)
    keys["audit"] = kdf("audit-leaf", box)

    device = id16(case["device"])
    keys["feed_signer"] = scalar("feed-signer", enc(box, device))
    keys["feed_owner"] = owner(keys["feed_signer"])
    keys["feed_topic"] = kdf("feed-topic", enc(box, device))
    keys["feed_replica_topic"] = kdf("feed-topic", enc(box, device, le32(1)))

    keys["grant"] = grant = kdf("grant", enc(box, bytes.fromhex(case["grant_id"])))
    keys["grant_signer"] = scalar("feed-signer", enc(grant))
    keys["grant_owner"] = owner(keys["grant_signer"])
    keys["grant_topic"] = kdf("feed-topic", enc(grant))
    keys["grant_cap"] = cap = kdf("grant-cap", grant)
    keys["grant_aead"] = kdf("grant-aead", cap)
    keys["grant_nonce"] = kdf("grant-nonce", cap)
    keys["grant_commit"] = kdf("grant-commit", cap)
    return keys


def pair(case):
    fingerprints = sorted(bytes.fromhex(fingerprint) for fingerprint in case["fingerprints"])
    secret = kdf("pairwise", enc(bytes.fromhex(case["shared"]), *fingerprints, bytes.fromhex(case["post_quantum"])))
    keys = {}
    for name, direction in (("from_lower", b"\0"), ("from_higher", b"\1")):
        fields = enc(secret, direction, le32(case["week"]))
        keys[name + "_signer"] = scalar("inbox-signer", fields)
        keys[name + "_owner"] = owner(keys[name + "_signer"])
        keys[name + "_topic"] = kdf("inbox-topic", fields)
    return keys


def local(case):
    device, segment = bytes.fromhex(case["device_secret"]), bytes.fromhex(case["segment_id"])
    keys = {"segment_" + name: kdf("journal", enc(device, segment, name.encode())) for name in ("record", "page", "mask")}
    for name in "manifest", "watermark", "name-hash":
        keys[name.replace("-", "_")] = kdf("journal", enc(device, name.encode()))
    keys["index_key"] = kdf("local-index-key", device)
    keys["index_value"] = kdf("local-index-val", device)
    named = enc(case["directory"].to_bytes(8, "little"), bytes.fromhex(case["name"]))
    hashed = int.from_bytes(prf(keys["name_hash"], b"I", named)[:8], "little") >> 1
    keys["name_hash_of_name"] = (hashed + 3 if hashed < 3 else hashed).to_bytes(8, "little")
    return keys


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    differences = compared = 0
    for kind, derive in (("trees", tree), ("pairs", pair), ("locals", local)):
        for at, case in enumerate(vectors[kind]):
            keys = {name: value.hex() for name, value in derive(case["input"]).items()}
            for name in sorted(keys.keys() | case.get("keys", {}).keys()):
                compared += 1
                if keys.get(name) != case.get("keys", {}).get(name):
                    differences += 1
                    print(f"{kind} {at}: {name} differs")
            case["keys"] = keys
    if "--write" in sys.argv[2:]:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(vectors, file, indent=1)
            file.write("\n")
        return 0
    print(f"{compared} keys compared, {differences} differ")
    return 1 if differences or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
