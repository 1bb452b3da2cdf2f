"""From candidates to findings: which recogniser looks at which candidate, and which of two that overlap stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial

import numpy as np

from dataengine.kernels.candidates import (
    ADDRESS,
    ARMOR,
    COLONS,
    DOTTED,
    LOGIN,
    NUMBER,
    PASSWORD,
    SPELT_OUT,
    TOKEN,
    candidates,
)
from dataengine.pii import addresses, money, nationals, phones, secrets, wallets
from dataengine.pii.kinds import KINDS, Kind
from dataengine.pii.window import Hit, Window

Recogniser = Callable[[Window], Iterator[Hit]]


def recognisers(kinds: Collection[Kind], private_addresses: bool) -> dict[int, list[Recogniser]]:
    """Candidate -> the functions that look at it, those of the wanted kinds."""
    table: list[tuple[int, Kind, Recogniser]] = [
        (ADDRESS, "email", addresses.email),
        (SPELT_OUT, "email", addresses.spelt_email),
        (DOTTED, "ip", partial(addresses.ipv4, private=private_addresses)),
        (COLONS, "ip", partial(addresses.ipv6_or_mac, private=private_addresses)),
        (COLONS, "mac", partial(addresses.ipv6_or_mac, private=private_addresses)),
        (TOKEN, "mac", addresses.mac),
        (NUMBER, "credit_card", money.credit_card),
        (NUMBER, "ssn", nationals.social_security),
        (NUMBER, "national_id", nationals.of_digits),
        (NUMBER, "bank", money.bank_number),
        (NUMBER, "phone", phones.phone),
        (TOKEN, "iban", money.iban),
        (TOKEN, "national_id", nationals.with_letters),
        (TOKEN, "crypto", wallets.wallet),
        (TOKEN, "key", secrets.key),
        (PASSWORD, "password", secrets.password),
        (LOGIN, "login", secrets.login),
    ]
    chosen: dict[int, list[Recogniser]] = {}
    for candidate, kind, function in table:
        if kind in kinds and not any(function == other for other in chosen.get(candidate, ())):
            chosen.setdefault(candidate, []).append(function)
    return chosen


def hits(
    data: np.ndarray, offsets: np.ndarray, kinds: Collection[Kind] = KINDS, private_addresses: bool = False
) -> list[Hit]:
    """All findings in the rows of an Arrow UTF-8 buffer, in order, none over another. Places are bytes of `data`."""
    marked = candidates(data, offsets)
    if not len(marked):
        return []
    chosen = recognisers(kinds, private_addresses)
    view = memoryview(data)
    found: list[Hit] = []
    armored = 0
    for what, begin, end, row in marked.tolist():
        low, high = int(offsets[row]), int(offsets[row + 1])
        if what == ARMOR:
            if "key" in kinds and begin >= armored:
                for hit in secrets.private_key(view, begin, high):
                    armored = hit.end
                    found.append(hit)
            continue
        functions = chosen.get(what)
        if functions and begin >= armored:
            window = Window.around(view, begin, end, low, high)
            for function in functions:
                found += function(window)
    return settle(hit for hit in found if hit.kind in kinds)


def settle(found: Iterable[Hit]) -> list[Hit]:
    """Of hits that overlap the heaviest stays, then the longest, then the first."""
    ordered = sorted(found, key=lambda hit: hit.begin)
    kept: list[Hit] = []
    first = 0
    while first < len(ordered):
        last, end = first + 1, ordered[first].end
        while last < len(ordered) and ordered[last].begin < end:
            end = max(end, ordered[last].end)
            last += 1
        kept += ordered[first:last] if last == first + 1 else _heaviest(ordered[first:last])
        first = last
    return kept


def _heaviest(group: list[Hit]) -> list[Hit]:
    """The heaviest of hits that form one chain; so few that comparing them all costs nothing."""
    kept: list[Hit] = []
    for hit in sorted(group, key=lambda hit: (-hit.weight, hit.begin - hit.end, hit.begin)):
        if all(hit.end <= other.begin or other.end <= hit.begin for other in kept):
            kept.append(hit)
    return sorted(kept)


def find(
    text: str, kinds: Collection[Kind] = KINDS, private_addresses: bool = False
) -> list[tuple[int, int, Kind]]:
    """Findings in one text as (start, end, kind), places in characters."""
    encoded = text.encode("utf-8", "surrogatepass")
    data = np.frombuffer(encoded, np.uint8)
    found = hits(data, np.array([0, len(encoded)], np.int64), kinds, private_addresses)
    if len(encoded) == len(text):
        return [(hit.begin, hit.end, hit.kind) for hit in found]
    result, place, count = [], 0, 0
    for hit in found:
        count += len(encoded[place : hit.begin].decode("utf-8", "replace"))
        size = len(encoded[hit.begin : hit.end].decode("utf-8", "replace"))
        result.append((count, count + size, hit.kind))
        count, place = count + size, hit.end
    return result
