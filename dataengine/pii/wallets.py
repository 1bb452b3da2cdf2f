"""Addresses of wallets: Bitcoin and its kin by their check sums, Ethereum by its form."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from dataengine.pii.window import Hit, Window

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
VERSIONS = {0x00, 0x05, 0x16, 0x1E, 0x30, 0x32, 0x41, 0x4C, 0x10, 0x6F, 0xC4}
"""First byte of an address: Bitcoin 00 05, Dogecoin 1e 16, Litecoin 30 32, Tron 41, Dash 4c 10, test nets 6f c4."""
HOUSES = ("bc", "tb", "ltc", "bcrt", "addr", "cosmos", "osmo", "terra", "inj", "celestia")
"""Human-readable parts of Bech32 addresses."""
ADDRESS58 = re.compile(rf"[{BASE58}]{{26,35}}")
MONERO = re.compile(rf"[48][0-9AB][{BASE58}]{{93}}")
ETHEREUM = re.compile(r"0[xX][0-9a-fA-F]{40}")


def wallet(window: Window) -> Iterator[Hit]:
    """A token that is an address of a wallet."""
    text = window.candidate.decode("ascii", "ignore")
    known = (
        (len(text) == 42 and ETHEREUM.fullmatch(text) and len(set(text)) > 6)
        or (26 <= len(text) <= 35 and ADDRESS58.fullmatch(text) and base58check(text))
        or (14 <= len(text) <= 110 and "1" in text and bech32(text))
        or (len(text) == 95 and MONERO.fullmatch(text))
    )
    if known:
        yield window.hit(window.first, window.last, "crypto", 85)


def base58check(text: str) -> bool:
    """25 bytes in base 58: a version, a hash, and the first four bytes of the hash of the hash of both."""
    number = 0
    for letter in text:
        number = number * 58 + BASE58.index(letter)
    try:
        data = number.to_bytes(25, "big")
    except OverflowError:
        return False
    zeros = len(text) - len(text.lstrip("1"))
    if data[0] not in VERSIONS or zeros != len(data) - len(data.lstrip(b"\0")):
        return False
    return hashlib.sha256(hashlib.sha256(data[:21]).digest()).digest()[:4] == data[21:]


def bech32(text: str) -> bool:
    """BIP 173 and BIP 350: a known prefix, ``1``, and data whose last six letters are its check sum."""
    if text not in (text.lower(), text.upper()):
        return False
    house, _, data = text.lower().rpartition("1")
    if house not in HOUSES or len(data) < 12 or any(letter not in BECH32 for letter in data):
        return False
    values = [ord(letter) >> 5 for letter in house] + [0] + [ord(letter) & 31 for letter in house]
    check = 1
    for value in values + [BECH32.index(letter) for letter in data]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                check ^= generator
    return check in (1, 0x2BC830A3)
