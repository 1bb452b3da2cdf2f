"""The form of a web address in which different spellings of it are the same (RFC 3986, section 6; habits of the web).

- the scheme is not looked at where it is http or https, nor a leading ``www.``;
- scheme and host in lower case, without the default port, a user name, or a dot at the end;
- dot segments of the path resolved, escapes of letters, digits and ``-._~`` undone, other escapes in upper case;
- no slash at the end of the path, and none doubled; no fragment;
- parameters in order of their names, without those that only track (``utm_*``, ``fbclid``, ``gclid`` and their like).
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

TRACKING = re.compile(r"(utm_\w*|fbclid|gclid|gclsrc|dclid|msclkid|yclid|mc_cid|mc_eid|igshid|_ga|_gl)\Z", re.I)
PORTS = {"http": 80, "https": 443, "ftp": 21}
ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def canonical(url: str) -> str:
    """The address in its one form; what is no address stays as it is, but for white space around it."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        if not parts.scheme or not parts.hostname:
            return url
        host, port = parts.hostname.rstrip("."), parts.port
    except ValueError:  # a port that is no number, a broken IPv6 address
        return url
    web = parts.scheme in ("http", "https")
    if web:
        host = host.removeprefix("www.")
    where = host if port in (None, PORTS.get(parts.scheme)) else f"{host}:{port}"
    return f"{'' if web else parts.scheme + ':'}//{where}{_path(parts)}{_query(parts)}"


def _escapes(text: str) -> str:
    def once(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in PLAIN else match[0].upper()

    return ESCAPE.sub(once, text)


def _path(parts: SplitResult) -> str:
    kept: list[str] = []
    for segment in _escapes(parts.path).split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "".join(f"/{segment}" for segment in kept)


def _query(parts: SplitResult) -> str:
    given = [_escapes(part) for part in parts.query.split("&") if part]
    kept = sorted(part for part in given if not TRACKING.match(part.split("=", 1)[0]))
    return f"?{'&'.join(kept)}" if kept else ""
