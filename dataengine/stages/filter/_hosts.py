"""What of a URL names its server: as browsers read URLs (WHATWG URL Standard), hosts compared in one spelling.

One spelling is: lower case, IDNA in its ASCII form (``bücher.example`` is ``xn--bcher-kva.example``; letters mapped
as in UTS #46 by NFKC, ``ß`` and joiners kept as today's browsers keep them), percent signs decoded, no user name, no
port, no closing dot.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import unquote

LONGEST = 1_000
"""Characters of a host as written. A name has 253 at most, and sorting combining marks takes quadratic time."""
_STRIPPED = re.compile(r"[\t\n\r]")
_EDGES = "".join(map(chr, range(0x21)))
_IGNORED = re.compile("[\u00ad\u200b\u2060\ufeff\ufe00-\ufe0f]")
"""What UTS #46 takes out of names."""
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_SPECIAL = frozenset({"http", "https", "ftp", "ws", "wss"})
_END = re.compile(r"[/\\?#]")
_LABEL = re.compile(r"[a-z0-9_\-]{1,63}\Z")
_PORT = re.compile(r"(.*?):(\d*)\Z", re.DOTALL)


def split(url: str) -> tuple[str, str]:
    """(host in its one spelling, all behind host and port). The host is ``""`` where the URL names none."""
    text = _STRIPPED.sub("", url.strip(_EDGES))
    scheme = _SCHEME.match(text)
    rest = text
    if scheme and scheme[1].lower() in _SPECIAL:
        rest = text[scheme.end():].lstrip("/\\")
    elif text.startswith("//"):
        rest = text[2:]
    elif scheme and text.startswith("//", scheme.end()):
        rest = text[scheme.end() + 2:]
    elif scheme and not re.match(r"\d*(?:[/?#]|\Z)", text[scheme.end():]):
        return "", ""  # mailto:, javascript:, urn:
    end = _END.search(rest)
    authority, behind = (rest[: end.start()], rest[end.start():]) if end else (rest, "")
    authority = authority.rpartition("@")[2]
    if authority.startswith("["):
        return _address(authority), behind
    port = _PORT.match(authority)
    return normal(port[1] if port else authority), behind


def _address(authority: str) -> str:
    """``[::1]`` from ``[::1]:80``."""
    inner, closed, port = authority[1:].partition("]")
    try:
        return f"[{ipaddress.IPv6Address(inner)}]" if closed and re.fullmatch(r"(?::\d*)?", port) else ""
    except ValueError:
        return ""


def normal(host: str) -> str:
    """A host in its one spelling, or ``""`` where it is none: an empty or overlong label, a sign that none may hold."""
    if len(host) > LONGEST:
        return ""
    if "%" in host:
        host = unquote(host, errors="strict") if _decodes(host) else ""
    if not host.isascii():
        host = unicodedata.normalize("NFKC", _DOTS.sub(".", _IGNORED.sub("", host)).lower())
        host = _DOTS.sub(".", host.lower())
    labels = [_ascii(label) for label in host.lower().removesuffix(".").split(".")]
    name = ".".join(labels)
    whole = len(name) <= 253 and all(map(_LABEL.match, labels)) and (len(labels) > 1 or name == "localhost")
    return name if whole else ""


def _decodes(host: str) -> bool:
    try:
        unquote(host, errors="strict")
    except UnicodeDecodeError:
        return False
    return True


def _ascii(label: str) -> str:
    if label.isascii():
        return label
    if len(label) > 63:  # punycode is quadratic, and never shorter
        return ""
    try:
        return "xn--" + label.encode("punycode").decode()
    except UnicodeError:
        return ""
