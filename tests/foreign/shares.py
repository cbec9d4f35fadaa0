"""Combines shares of a recovery phrase by src/format/FORMAT.md, and prints the 256 bits that they give.

Usage: shares.py FILE... Needs the PyPI package blake3.
"""

import pathlib
import sys

from card import LETTERS, bech32m
from keys import kdf


def take_apart(text):
    """The bytes of the text, which written again are the text."""
    prefix, _, letters = text.partition("1")
    bits = "".join(f"{LETTERS.index(letter):05b}" for letter in letters[:-6])
    data = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))
    assert bech32m(prefix, data) == text and prefix == "podfsshare", "a misspelt share"
    version, threshold, number = data[0], data[5], data[6]
    assert version == 0 and len(data) == 39
    return data[1:5], threshold, number, data[7:]


def times(one, other):
    product = 0
    while other:
        product ^= one if other & 1 else 0
        one = one << 1 ^ (0x11D if one & 0x80 else 0)
        other >>= 1
    return product


def inverse(number):
    return next(other for other in range(1, 256) if times(number, other) == 1)


def at_zero(points):
    """The value at 0 of the polynomial through points (x, y)."""
    value = 0
    for x, y in points:
        for other, _ in points:
            if other != x:
                y = times(y, times(other, inverse(other ^ x)))
        value ^= y
    return value


def main():
    shares = [take_apart(pathlib.Path(file).read_text().strip()) for file in sys.argv[1:]]
    assert len({share[:2] for share in shares}) == 1, "not of one phrase"
    assert len({share[2] for share in shares}) >= shares[0][1], "too few"
    secret = bytes(at_zero([(share[2], share[3][byte]) for share in shares]) for byte in range(32))
    assert kdf("phrase-share", secret)[:4] == shares[0][0], "the set is another"
    print(secret.hex())
    return 0


if __name__ == "__main__":
    sys.exit(main())
