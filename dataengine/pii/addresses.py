"""Mail addresses, IP addresses and hardware (MAC) addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache

from dataengine.pii.window import Hit, Window, words

DOMAIN = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,20}(?:xn--[a-z0-9-]{2,59}|[a-z]{2,63}(?![a-z0-9])|[^\W\d_a-z]{2,63}(?![^\W_]))",
    re.IGNORECASE,
)
"""Labels of letters, digits and hyphens; the last is letters of one script, or punycode."""
IN_BRACKETS = re.compile(r"\[[0-9A-Fa-f.:]{3,45}\]")
NUMBERS = re.compile(r"\d{1,5}(?:\.\d{1,5}){3}(?![\w-])")
SIGNS = r"\w!#$%&'+?^~.-"
"""What people use before the ``@``; ``/ = * | { }`` and the backquote, which RFC 5321 allows too, end it here."""
LOCAL = re.compile(rf"\w[{SIGNS}]*$")
NOT_LOCAL = re.compile(rf"[^{SIGNS}]")
OUTSIDE = re.compile(rf"[^{SIGNS}]|[^\x00-\x7f\u00c0-\u024f]")
SPELT_NAME = re.compile(rb"(?<![\w.])([a-z0-9][\w.+-]{0,63})[ ]{0,2}([\[({<]?)[ ]?$", re.IGNORECASE)
SPELT_HOST = re.compile(
    rb"[ ]?([\])}>]?)[ ]{0,2}([a-z0-9-]{1,63}(?:(?:\.|[ ]?[\[({<]?[ ]?dot[ ]?[\])}>]?[ ]?)[a-z0-9-]{2,63}){1,4})"
    rb"(?![\w-])",
    re.IGNORECASE,
)
PROVIDERS = re.compile(
    rb"^(?:(?:gmail|googlemail|hotmail|outlook|live|msn|yahoo|ymail|aol|icloud|me|mac|gmx|web|mail|proton|protonmail|yandex"
    rb"|zoho|qq|163|126|naver|hanmail|fastmail|rediffmail|comcast|verizon|t-online|orange|libero)\.[a-z.]{2,8})$"
)
MAIL_WORDS = words(
    "email", "e-mail", "mail", "write to", "contact", "reach", "address", "correo", "courriel", "adresse",
)


def email(window: Window) -> Iterator[Hit]:
    """An address as people write it: RFC 5321 without quotes and comments, names and hosts of any script."""
    text = window.candidate
    head, sign, tail = text.partition(b"@")
    if not sign:
        head, sign, tail = text.rpartition(b"%40")  # in a URL
    local, host = head.decode("utf-8", "ignore"), tail.decode("utf-8", "ignore")
    domain = DOMAIN.match(host) or NUMBERS.match(host) or IN_BRACKETS.match(host)
    if not domain:
        return
    # A name in another script goes with a host that is not ASCII; before a Latin name, text of that script ends.
    outside = OUTSIDE if domain[0].isascii() else NOT_LOCAL
    begin = max((mark.end() for mark in outside.finditer(local)), default=0)
    name = LOCAL.search(local, begin)
    if name:
        place = window.first + len(head)
        end = place + len(sign) + len(domain[0].encode())
        yield window.hit(place - len(name[0].encode()), end, "email", 70)


def spelt_email(window: Window) -> Iterator[Hit]:
    """``ann at example dot org``: with brackets around the `at`, at a mail provider, or beside a word for mail."""
    host = SPELT_HOST.match(window.text, window.last)
    name = SPELT_NAME.search(window.text[max(0, window.first - 72) : window.first]) if host else None
    if not host or not name:
        return
    begin = window.first - (len(name[0]) - name.start(1) + name.start())
    flat = re.sub(rb"[ \[({<]*dot[ \])}>]*", b".", host[2].lower())
    sure = (name[2] and host[1]) or PROVIDERS.match(flat)
    if sure or (MAIL_WORDS.search(window.before(begin, 24)) and name[1].lower() not in (b"me", b"us", b"is")):
        yield window.hit(begin, host.end(), "email", 60)


# --- machines ---------------------------------------------------------------------------------------------------------

OCTET = rb"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
IPV4 = re.compile(rb"(?<![\w.])" + OCTET + rb"(?:\." + OCTET + rb"){3}(?![\w]|\.\d)(?:/(?:3[0-2]|[12]?\d)(?!\d))?")
IPV6_TAIL = re.compile(rb"(?:%[\w.-]{1,15})?(?:/(?:12[0-8]|1[01]\d|\d{1,2})(?!\d))?")
VERSION = re.compile(
    rb"(?:version|vers\.?|release|build|firmware|update|chapter|section|sect?\.?|paragraph|clause|figure|fig\.?|table|rev\."
    rb"|revision|driver|sdk|api|kernel|v|==|>=|<=|~=)[ :=]{0,2}$"
)
MAC = re.compile(
    rb"(?<![\w:-])(?:[0-9a-f]{2}(?::[0-9a-f]{2}){5}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})"
    rb"(?![\w:]|-\w|\.\w)",
    re.IGNORECASE,
)


def ipv4(window: Window, private: bool) -> Iterator[Hit]:
    """Four numbers up to 255 and no more, that are not a version; the range behind a slash belongs to it."""
    for match in window.matches(IPV4):
        wanted = is_address(match[0].partition(b"/")[0].decode(), private)
        if wanted and not VERSION.search(window.before(match.start(), 16)):
            yield window.hit(match.start(), match.end(), "ip", 60)


def ipv6_or_mac(window: Window, private: bool) -> Iterator[Hit]:
    """Hex digits and colons: a hardware address of six pairs, or an IP address of version 6."""
    hardware = MAC.match(window.text, window.first)
    if hardware and hardware.end() >= window.first + len(window.candidate.rstrip(b".")):
        yield from _mac(window, hardware)
        return
    text = window.candidate.rstrip(b".")
    if text.endswith(b":") and not text.endswith(b"::"):
        text = text[:-1]
    before = window.text[max(0, window.first - 2) : window.first]
    if before[-1:] == b"[" and (before[:1].isalnum() or before[:1] in b")]_"):
        return  # a slice: items[1::2]
    end = window.first + len(text)
    tail = IPV6_TAIL.match(window.text, end)
    whole = private and text == b"::" and tail and tail[0]  # ::/0; but :: alone is a sign of many languages
    if not whole and not is_address(text.decode(), private):
        return
    yield window.hit(window.first, tail.end() if tail else end, "ip", 60)


def mac(window: Window) -> Iterator[Hit]:
    """A hardware address written with hyphens, or as three groups of four."""
    match = MAC.match(window.text, window.first)
    if match and match.end() == window.last:
        yield from _mac(window, match)


def _mac(window: Window, match: re.Match[bytes]) -> Iterator[Hit]:
    value = re.sub(rb"[^0-9a-f]", b"", match[0].lower())
    if value not in (b"0" * 12, b"f" * 12):
        yield window.hit(match.start(), match.end(), "mac", 65)


UNICAST = ipaddress.ip_network("2000::/3")
"""All that has been allocated of IPv6."""


@lru_cache(maxsize=4096)
def is_address(text: str, private: bool) -> bool:
    """Whether it is an IP address that is wanted: any with a digit, or one that is routed in public (RFC 6890)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if private:
        return any(sign.isdigit() for sign in text)
    return address.is_global and not address.is_multicast and (address.version == 4 or address in UNICAST)
