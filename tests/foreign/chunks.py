#!/usr/bin/env python3
"""Published pages, nodes and heads of podfs as chunks of Swarm, made a second time without any of its code.

    chunks.py FOLDER           makes the golden chunks from the first tree in tests/vectors/keys.json and compares them
                               with the files in FOLDER; exit code 1 on a difference
    chunks.py FOLDER --write   replaces the files (only when the format is deliberately changed)

A file is `reference 80 ‖ chunk` for a page or a node, `address 32 ‖ chunk` for a head. What is sealed is the extendable
output of BLAKE3 over the name of the file. Needs the PyPI packages blake3, argon2-cffi and cryptography.
"""

import hashlib
import hmac
import json
import os
import sys

from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

import keys

PAGE, HEAD, INDEX = 4096, 4036, 5


def swarm_address(span, payload):
    level = [payload.ljust(PAGE, b"\0")[at : at + 32] for at in range(0, PAGE, 32)]
    while len(level) > 1:
        level = [keys.keccak256(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
    return keys.keccak256(span + level[0])


def sealed(key, nonce, ad, plain):
    both = AESGCMSIV(key).encrypt(nonce, plain, ad)
    return both[:-16], both[-16:]


def page(conv, prefix, ad, attempt, plain):
    """Reference and chunk of a page or node."""
    key = blake3(prefix + bytes([attempt]) + plain, key=conv).digest()
    cipher, tag = sealed(key, bytes(12), ad, plain)
    span = PAGE.to_bytes(8, "little")
    return swarm_address(span, cipher) + key + tag + span + cipher


def head(tree, plain):
    """Payload of a head; the same under both topics."""
    index = INDEX.to_bytes(8, "big")
    ad = keys.enc(b"podfs/1/head", tree["feed_owner"], tree["feed_topic"], index)
    nonce = keys.prf(tree["head_nonce"], b"H", keys.enc(ad, plain))[:12]
    cipher, tag = sealed(tree["head_aead"], nonce, ad, plain)
    commitment = keys.prf(tree["head_commit"], b"C", keys.enc(nonce, blake3(ad).digest(), tag))
    return nonce + commitment + cipher + tag


def single_owner(tree, topic, payload):
    """Address and chunk of an update of a feed."""
    identifier = keys.keccak256(topic + INDEX.to_bytes(8, "big"))
    span = len(payload).to_bytes(8, "little")
    digest = keys.keccak256(identifier + swarm_address(span, payload))
    message = keys.keccak256(b"\x19Ethereum Signed Message:\n32" + digest)
    chunk = identifier + signature(tree["feed_signer"], message) + span + payload
    return keys.keccak256(identifier + tree["feed_owner"]) + chunk


def signature(secret, message):
    """ECDSA over secp256k1 with the nonce of RFC 6979 and s in the lower half: r, s and 27 or 28."""

    def mac(key, data):
        return hmac.new(key, data, hashlib.sha256).digest()

    wanted = secret + (int.from_bytes(message, "big") % keys.N).to_bytes(32, "big")
    key, value = bytes(32), b"\1" * 32
    for separator in b"\0", b"\1":
        key = mac(key, value + separator + wanted)
        value = mac(key, value)
    value = mac(key, value)  # in 1 .. N - 1 but for one key in 2^128
    nonce = int.from_bytes(value, "big")
    point = keys.public_point(value)
    r, odd = int.from_bytes(point[:32], "big") % keys.N, point[63] & 1
    s = pow(nonce, -1, keys.N) * (int.from_bytes(message, "big") + r * int.from_bytes(secret, "big")) % keys.N
    if s > keys.N // 2:
        s, odd = keys.N - s, odd ^ 1
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + odd])


def golden():
    with open("tests/vectors/keys.json", encoding="utf-8") as file:
        tree = keys.tree(json.load(file)["trees"][0]["input"])
    conv = tree["conv_file"]

    def plain(name, length=PAGE):
        return blake3(name.encode()).digest(length)

    payload = head(tree, plain("chunk-head", HEAD))
    return {
        "chunk-page": page(conv, b"B", b"podfs/1/blk", 0, plain("chunk-page")),
        "chunk-page-again": page(conv, b"B", b"podfs/1/blk", 1, plain("chunk-page")),
        "chunk-node": page(conv, b"N", b"podfs/1/node", 0, plain("chunk-node")),
        "chunk-head": single_owner(tree, tree["feed_topic"], payload),
        "chunk-head-replica": single_owner(tree, tree["feed_replica_topic"], payload),
    }


def main():
    folder = sys.argv[1]
    differences = 0
    for name, made in golden().items():
        path = os.path.join(folder, name + ".bin")
        if "--write" in sys.argv[2:]:
            with open(path, "wb") as file:
                file.write(made)
        with open(path, "rb") as file:
            if file.read() != made:
                differences += 1
                print(name, "differs")
    print(f"{len(golden())} chunks compared, {differences} differ")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
