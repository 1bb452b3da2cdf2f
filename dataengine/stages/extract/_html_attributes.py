"""The attributes of one tag, where a kernel has found one that is worth reading."""

from __future__ import annotations

import html
import re

ATTRIBUTE = re.compile(rb"""([^\s=/>"']++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]++)))?""")


def attributes(tag: bytes) -> dict[str, str]:
    """Name in lower case -> value, references resolved, of a start tag in UTF-8. The first of a name counts."""
    found: dict[str, str] = {}
    for match in ATTRIBUTE.finditer(tag.lstrip(b"<")):
        name = match[1].decode("utf-8", "replace").lower()
        if name not in found:
            value = match[2] if match[2] is not None else match[3] if match[3] is not None else match[4] or b""
            found[name] = html.unescape(value.decode("utf-8", "replace"))
    return found
