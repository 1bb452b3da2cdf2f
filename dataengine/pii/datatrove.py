"""Mail and IP addresses as datatrove 0.10 takes them, so that a corpus made with it can be made again.

A mail address begins at the first word boundary of a run of the signs RFC 5322 allows, dots between them, and ends with
labels of letters, digits and hyphens. An IP address is any four numbers up to 255 with dots between them, wherever they
stand, as long as the leading zeros are none. Replacements go round within a document here, not across documents: a
document does not depend on what came before it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache

import numpy as np

from dataengine.kernels.candidates import ADDRESS, DOTTED, candidates
from dataengine.pii.kinds import Kind
from dataengine.pii.scan import settle
from dataengine.pii.window import Hit, Window

EMAILS = ("email@example.com", "firstname.lastname@example.org")
ADDRESSES = ("22.214.171.124", "126.96.36.199", "188.8.131.52", "184.108.40.206", "220.127.116.11", "18.104.22.168")
"""What datatrove writes: addresses that nobody answers at."""

OUTSIDE = re.compile(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]")
LABEL = rb"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
NUMBER = rb"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
HOST = re.compile(
    rb"(?:" + LABEL + rb"\.)+" + LABEL
    + rb"|\[(?:" + NUMBER + rb"\.){3}(?:" + NUMBER + rb"|[A-Za-z0-9-]*[A-Za-z0-9]:)\]"
)
FOUR = re.compile(rb"(?:" + NUMBER + rb"\.){3}" + NUMBER)


def hits(data: np.ndarray, offsets: np.ndarray, kinds: Collection[Kind], private_addresses: bool) -> list[Hit]:
    """Findings in the rows of an Arrow UTF-8 buffer."""
    found: list[Hit] = []
    view, taken = memoryview(data), 0
    for what, begin, end, row in candidates(data, offsets).tolist():
        low, high = int(offsets[row]), int(offsets[row + 1])
        if what == ADDRESS and "email" in kinds and b"@" in view[begin:end].tobytes():
            base = max(low, begin - 4)
            window = Window(bytes(view[base : min(high, end + 1)]), begin - base, end - base, base)
            hit = email(window, taken)
            if hit:
                taken = hit.end
                found.append(hit)
        elif what == DOTTED and "ip" in kinds:
            for match in FOUR.finditer(view[begin:end]):
                if _is_wanted(match[0].decode(), private_addresses):
                    found.append(Hit(begin + match.start(), begin + match.end(), "ip"))
    return settle(found)


def email(window: Window, taken: int) -> Hit | None:
    """The address in the window, not beginning before `taken`."""
    at = window.text.index(b"@", window.first)
    host = HOST.match(window.text, at + 1)
    if not host:
        return None
    first = max(window.first, taken - window.base)
    local = window.text[first:at].decode("utf-8", "ignore")
    before = window.text[:first].decode("utf-8", "ignore")[-1:]
    for mark in OUTSIDE.finditer(local):
        before = mark[0]
    if before and local and OUTSIDE.search(local):
        local = local[local.rindex(before) + 1 :]
    for place, sign in enumerate(local):
        if sign != "." and _word(sign) != _word(before):
            return Hit(window.base + at - len(local) + place, window.base + host.end(), "email", 70)
        before = sign
    return None


@lru_cache(maxsize=4096)
def _is_wanted(text: str, private: bool) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return private or address.is_global


def _word(sign: str) -> bool:
    return sign == "_" or sign.isalnum()
