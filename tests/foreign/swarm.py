"""Chunks, references and feeds of a published pod, written from FORMAT.md alone: what restore.py stands on.

Needs the PyPI packages blake3, cryptography, coincurve and pycryptodome.
"""

import http.client
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import coincurve
from blake3 import blake3
from Crypto.Hash import keccak
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from keys import enc, id16, kdf, le32, prf, scalar
from reader import Damaged, Fields

PAGE = 4096
NODE, BLOCK = b"podfs/1/node", b"podfs/1/blk"
FIRST = 2**64 - 1
# How many requests are under way at once, how often one is repeated when the node is busy, and how long after.
CONNECTIONS, TRIES, PAUSE = 16, 4, 0.5


class Missing(Exception):
    """A chunk that no node has, and that its group does not give back."""


# --- chunks


def keccak256(data):
    return keccak.new(digest_bits=256, data=data).digest()


def content_address(content):
    """Address of `span ‖ payload`, both checked."""
    span, row = content[:8], [content[at : at + 32] for at in range(8, 8 + PAGE, 32)]
    while len(row) > 1:
        row = [keccak256(row[at] + row[at + 1]) for at in range(0, len(row), 2)]
    return keccak256(span + row[0])


def is_content(content):
    return len(content) == 8 + PAGE and content[:8] == PAGE.to_bytes(8, "little")


def address_of_page(sealed):
    return content_address(PAGE.to_bytes(8, "little") + sealed)


def owner_of(public):
    return keccak256(public.format(compressed=False)[1:])[12:]


def single_owner_payload(data, identity, owner):
    """The payload of a single-owner chunk that this owner signed under this id, or None."""
    name, signature, content = data[:32], data[32:97], data[97:]
    if name != identity or not is_content(content) or signature[64] not in (27, 28):
        return None
    digest = keccak256(identity + content_address(content))
    digest = keccak256(b"\x19Ethereum Signed Message:\n32" + digest)
    recoverable = signature[:64] + bytes([signature[64] - 27])
    try:
        public = coincurve.PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception:  # what is thrown for a signature without a key differs between versions
        return None
    return content[8:] if owner_of(public) == owner else None


class Bee:
    """A node or gateway. Counts what it is asked."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.connect = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}[parts.scheme]
        self.host, self.path = parts.netloc, parts.path.rstrip("/")
        self.mine, self.asked = threading.local(), 0
        self.pool = ThreadPoolExecutor(CONNECTIONS)

    def get(self, address):
        """What it has under an address, unverified, or None."""
        for attempt in range(TRIES):
            self.asked += 1
            try:
                if not hasattr(self.mine, "connection"):
                    self.mine.connection = self.connect(self.host, timeout=60)
                self.mine.connection.request("GET", f"{self.path}/chunks/{address.hex()}")
                reply = self.mine.connection.getresponse()
                status, data = reply.status, reply.read()
            except (OSError, http.client.HTTPException) as error:
                status, data = error, b""
                self.mine.__dict__.clear()
            if status == 200:
                return data
            if status in (404, 500):
                return None
            time.sleep(PAUSE * 2**attempt)
        raise OSError(f"{self.host} answers {status}")

    def sealed_page(self, address):
        """The payload of a content-addressed chunk, or None; asks a second time before it says so."""
        for _ in range(2):
            content = self.get(address)
            if content is not None and is_content(content) and content_address(content) == address:
                return content[8:]
        return None


# --- references and parity


class Ref(NamedTuple):
    address: bytes
    key: bytes
    tag: bytes


class Link(NamedTuple):
    """A reference with what its page can be made from: the other references of its group, and their parity."""

    ref: Ref
    others: list
    parity: Ref


def take_ref(fields):
    """A reference, or None for a hole."""
    data = fields.take(80)
    return Ref(data[:32], data[32:64], data[64:]) if any(data) else None


def take_links(children, group, fields):
    """Takes the parity that follows; gives a link for each child, None for holes."""
    links = []
    for start in range(0, len(children), group) if group else ():
        members = children[start : start + group]
        parity = take_ref(fields)
        if (parity is None) != (not any(members)):
            raise Damaged("parity of nothing, or a group without any")
        # A reference that is there several times counts once.
        each = list(dict.fromkeys(ref for ref in members if ref))
        links += [ref and Link(ref, [other for other in each if other != ref], parity) for ref in members]
    return links if group else [ref and Link(ref, [], None) for ref in children]


def take_lone(ref, fields):
    """The same of a reference that is alone in its group; when it or its parity is a hole, nothing makes up for it."""
    parity = take_ref(fields)
    return ref and Link(ref, [], parity)


def open_sealed(ref, sealed, ad):
    try:
        return AESGCMSIV(ref.key).decrypt(bytes(12), sealed + ref.tag, ad)
    except InvalidTag:
        raise Damaged(f"{ref.address.hex()} does not open") from None


def open_link(bee, link, ad):
    """The plain page behind a link; made from its group when it cannot be had."""
    sealed = bee.sealed_page(link.ref.address)
    return open_sealed(link.ref, sealed, ad) if sealed else from_group(bee, link, ad)


def from_group(bee, link, ad):
    wanted = link.ref
    what = f"{wanted.address.hex()} is nowhere"
    if link.parity is None:
        raise Missing(what)
    mixed = 0
    for ref, kind in [(link.parity, NODE)] + [(other, ad) for other in link.others]:
        sealed = bee.sealed_page(ref.address)
        if sealed is None:
            raise Missing(f"{what}, and so is {ref.address.hex()} of its group")
        mixed ^= int.from_bytes(open_sealed(ref, sealed, kind), "little")
    page = bytes(byte ^ 0xFF for byte in mixed.to_bytes(PAGE, "little"))
    sealed = AESGCMSIV(wanted.key).encrypt(bytes(12), page, ad)
    if sealed[PAGE:] != wanted.tag or address_of_page(sealed[:PAGE]) != wanted.address:
        raise Damaged(f"{what}, and its group makes something else")
    return page


# --- heads


class Head:
    def __init__(self, plain, place, payload):
        epoch, box_epoch, box, device, index = place
        self.place, self.hash = (epoch, box_epoch, device, index), blake3(payload).digest()
        fields = Fields(plain)
        stands = fields.number(1), fields.number(1) < 2, fields.number(2), fields.u32(), fields.u32(), fields.u32()
        if stands != (1, True, device, epoch, box, box_epoch) or fields.u64() != index:
            raise Damaged("a head that is not of its place")
        self.before = fields.u64()
        if self.before != FIRST and self.before >= index:
            raise Damaged("a head that is before the one before")
        fields.take(32 + 16)
        self.time = fields.number(8, signed=True), fields.u32()
        fields.u64()
        parts = Fields(fields.take(fields.number(2)))
        if any(fields.take(len(plain) - fields.at)):
            raise Damaged("something behind the parts of a head")
        self.parts, last = {}, -1
        while parts.more():
            kind = parts.number(1)
            if kind <= last or 4 < kind < 128:
                raise Damaged("a part of a head that this reader does not know")
            self.parts[kind], last = parts.take(parts.number(2)), kind
        self.went_on_from = None
        if 2 in self.parts:
            origin = Fields(self.parts[2])
            self.went_on_from = origin.u32(), origin.u32(), origin.number(2), origin.u64()
            self.origin_hash = origin.take(32)


def secret_of(root, pod, epoch, box, box_epoch):
    """BOX[box, box_epoch] in an epoch of the pod."""
    pod_id = kdf("pod-id", enc(root, le32(pod)))[:16]
    return kdf("box", enc(kdf("pod", enc(root, pod_id, le32(epoch))), id16(box), le32(box_epoch)))


class Feed:
    """The heads of one device in one epoch of the pod and of a box."""

    def __init__(self, root, pod, epoch, box, box_epoch, device):
        secret = secret_of(root, pod, epoch, box, box_epoch)
        self.place = epoch, box_epoch, box, device
        self.key, self.nonce, self.commit = (kdf(name, secret) for name in ("head-aead", "head-nonce", "head-commit"))
        signer = scalar("feed-signer", enc(secret, id16(device)))
        self.owner = owner_of(coincurve.PrivateKey(signer).public_key)
        self.topic = kdf("feed-topic", enc(secret, id16(device)))
        self.replica = kdf("feed-topic", enc(secret, id16(device), le32(1)))

    def open(self, index, payload):
        """A head, or None when this is none."""
        nonce, commitment, sealed, tag = payload[:12], payload[12:44], payload[44:4080], payload[4080:]
        ad = enc(b"podfs/1/head", self.owner, self.topic, index.to_bytes(8, "big"))
        if prf(self.commit, b"C", enc(nonce, blake3(ad).digest(), tag)) != commitment:
            return None
        try:
            plain = AESGCMSIV(self.key).decrypt(nonce, sealed + tag, ad)
        except InvalidTag:
            return None
        if prf(self.nonce, b"H", enc(ad, plain))[:12] != nonce:
            raise Damaged("a head under a nonce that is not its own")
        return Head(plain, (*self.place, index), payload)

    def at(self, bee, index, topic):
        identity = keccak256(topic + index.to_bytes(8, "big"))
        data = bee.get(keccak256(identity + self.owner))
        payload = data and single_owner_payload(data, identity, self.owner)
        return payload and self.open(index, payload)

    def newest(self, bee):
        """Its newest head, or None. What is not found is asked for twice."""
        best, index, fruitless = None, -1, 0
        while fruitless < 2:
            ahead = {index + 2**k for k in range(32)} | {index + near for near in range(1, 17)}
            places = [(at, topic) for at in ahead for topic in (self.topic, self.replica)]
            heads = [head for head in bee.pool.map(lambda place: self.at(bee, *place), places) if head]
            fruitless = 0 if heads else fruitless + 1
            best = max([best, *heads] if best else heads, key=lambda head: head.place, default=None)
            index = best.place[-1] if best else -1
        return best


def epochs_on_cards(bee, root):
    """The epochs on the first and on the newest card of the phrase; 0 without any. Where the first succeeds another one."""
    identity = coincurve.PrivateKey(scalar("id-sign", enc(root, le32(0)))).public_key
    owner, topic, cards = owner_of(identity), keccak256(b"podfs-keycard-1"), []
    while True:
        number = len(cards)
        place = keccak256(topic + number.to_bytes(8, "big"))
        found = bee.get(keccak256(place + owner))
        card = single_owner_payload(found, place, owner) if found else None
        if card is None or card[:2] != b"\1\0":
            break
        cards.append(card)
    if not cards:
        return 0, 0
    first, newest = (int.from_bytes(card[14:18], "little") for card in (cards[0], cards[-1]))
    return (first if any(cards[0][1375:1407]) else 0), newest


def check_ring(root, pod, head, first):
    """The ring of a head opens what the phrase gives, the secret of an epoch before. Those before `first` are another's."""
    ring = head.parts.get(129)
    if ring is None:
        return
    epoch, box_epoch, box, *_ = head.place
    older, of_box = int.from_bytes(ring[:4], "little"), int.from_bytes(ring[4:8], "little")
    key = kdf("group-ring", secret_of(root, pod, epoch, box, box_epoch))
    opened = AESGCMSIV(key).decrypt(bytes(12), ring[8:], enc(b"podfs/1/ring", ring[:4], ring[4:8]))
    if (older, of_box) >= (epoch, box_epoch):
        raise Damaged("a ring that opens something newer")
    if older >= first and opened != secret_of(root, pod, older, box, of_box):
        raise Damaged("a ring that opens something else")


def newest_head(bee, root, pod, box):
    """The head that the box is read from. Nothing that was asked for is asked for again as the search widens."""
    first, newest = epochs_on_cards(bee, root)
    found, searched, (epochs, box_epochs, devices) = [], set(), (newest + 1, 1, 8)
    while True:
        grid = {(e, f, d) for e in range(first, epochs) for f in range(box_epochs) for d in range(devices)}
        if grid == searched:
            break
        for epoch, box_epoch, device in sorted(grid - searched):
            head = Feed(root, pod, epoch, box, box_epoch, device).newest(bee)
            found += [head] if head else []
        searched = grid
        if found:
            highest = [max(head.place[at] for head in found) for at in range(3)]
            epochs, box_epochs, devices = max(highest[0], newest) + 2, highest[1] + 2, highest[2] + 9
    # What goes on in an epoch that is over may be a thief's.
    newest = max((head.place[0] for head in found), default=newest)
    superseded = {head.went_on_from for head in found}
    left = sorted((head for head in found if head.place[0] == newest and head.place not in superseded), key=lambda head: (head.place[:2], head.time))
    if not left:
        raise Damaged(f"no head of box {box} of pod {pod}")
    for other in left[:-1]:
        print(f"not shown: a state that only device {other.place[2]} knows", file=sys.stderr)
    check_ring(root, pod, left[-1], first)
    return left[-1]
