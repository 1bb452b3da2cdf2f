"""The elements of HTML, as numbers that kernels compare: a number a name, and what opening or closing one does.

The rules are those of tree construction in the HTML standard, as far as they decide what is inside what.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import PRIME, SEED

BLOCK, VOID, RAW, CLOSES_P, SCOPE, FORMATS, DROPPED = (np.uint16(1 << bit) for bit in range(7))
"""What an element is: BLOCK begins and ends a line; VOID has no content; RAW holds characters, not tags; CLOSES_P ends
an open paragraph; SCOPE is not left by the end tag of something around it; FORMATS (``<b>``) may be closed before what
is inside it, and then stays open; DROPPED is never text."""

NAMES = {
    # fixed places: the parser and the features name these
    "text": 0, "html": BLOCK | SCOPE, "head": BLOCK, "body": BLOCK, "p": BLOCK | CLOSES_P, "li": BLOCK | CLOSES_P,
    "dt": BLOCK | CLOSES_P, "dd": BLOCK | CLOSES_P, "tr": BLOCK, "td": BLOCK | SCOPE, "th": BLOCK | SCOPE,
    "table": BLOCK | SCOPE | CLOSES_P, "thead": BLOCK, "tbody": BLOCK, "tfoot": BLOCK, "caption": BLOCK | SCOPE,
    "ul": BLOCK | CLOSES_P, "ol": BLOCK | CLOSES_P, "menu": BLOCK | CLOSES_P, "dl": BLOCK | CLOSES_P,
    "a": FORMATS, "br": VOID, "hr": BLOCK | VOID | CLOSES_P, "img": VOID, "meta": VOID,
    "script": RAW | DROPPED, "style": RAW | DROPPED, "title": RAW | DROPPED, "pre": BLOCK | CLOSES_P,
    "h1": BLOCK | CLOSES_P, "h2": BLOCK | CLOSES_P, "h3": BLOCK | CLOSES_P, "h4": BLOCK | CLOSES_P,
    "h5": BLOCK | CLOSES_P, "h6": BLOCK | CLOSES_P, "option": BLOCK, "select": BLOCK, "button": BLOCK,
    "math": 0, "svg": 0, "code": FORMATS, "b": FORMATS, "strong": FORMATS, "sup": 0, "sub": 0, "time": 0,
    "article": BLOCK | CLOSES_P, "main": BLOCK | CLOSES_P, "nav": BLOCK | CLOSES_P, "aside": BLOCK | CLOSES_P,
    "header": BLOCK | CLOSES_P, "footer": BLOCK | CLOSES_P, "section": BLOCK | CLOSES_P, "form": BLOCK | CLOSES_P,
    "figure": BLOCK | CLOSES_P, "figcaption": BLOCK | CLOSES_P, "blockquote": BLOCK | CLOSES_P,
    "input": VOID, "label": 0, "noscript": BLOCK | DROPPED, "template": SCOPE | DROPPED, "div": BLOCK | CLOSES_P,
    "span": 0, "textarea": RAW | DROPPED, "video": 0, "desc": 0, "plaintext": BLOCK | CLOSES_P,
    "mjx-assistive-mml": 0,
} | dict.fromkeys(("area", "base", "basefont", "bgsound", "col", "embed", "frame", "keygen", "link", "param", "source",
                   "track", "wbr"), VOID) | dict.fromkeys(
    ("address", "center", "details", "dialog", "dir", "fieldset", "frameset", "hgroup", "listing", "search",
     "summary"), BLOCK | CLOSES_P) | dict.fromkeys(("optgroup", "legend", "rp"), BLOCK) | dict.fromkeys(
    ("big", "em", "font", "i", "nobr", "s", "small", "strike", "tt", "u"), FORMATS) | dict.fromkeys(
    ("xmp", "iframe", "noembed", "noframes"), RAW | DROPPED) | dict.fromkeys(
    ("applet", "marquee", "object"), SCOPE) | {"canvas": DROPPED, "datalist": DROPPED}

NUMBER = {name: number for number, name in enumerate(NAMES)}
OTHER = 160
"""Elements without a place in `NAMES` share the numbers from here to 255, by the hash of their name."""

(TEXT, HTML, HEAD, BODY, P, LI, DT, DD, TR, TD, TH, TABLE, THEAD, TBODY, TFOOT, CAPTION, UL, OL, MENU, DL, A, BR, HR,
 IMG, META, SCRIPT, STYLE, TITLE, PRE, H1, H2, H3, H4, H5, H6, OPTION, SELECT, BUTTON, MATH, SVG, CODE, B, STRONG, SUP,
 SUB, TIME, ARTICLE, MAIN, NAV, ASIDE, HEADER, FOOTER, SECTION, FORM, FIGURE, FIGCAPTION, BLOCKQUOTE, INPUT,
 LABEL) = range(59)

SLOTS = 512


def name_hash(name: str) -> int:
    """The hash of a name in lower case: FNV-1a, 64 bits, over its bytes."""
    value = int(SEED)
    for byte in name.encode():
        value = (value ^ byte) * int(PRIME) % 2**64
    return value


@cache
def element_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(hashes, numbers, kinds)``: an open-addressing table from hash to number (uint64 and uint8, shape (SLOTS,);
    hash 0 is no entry), and what each number is, uint16, shape (256,)."""
    hashes, numbers, kinds = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.uint8), np.zeros(256, np.uint16)
    for name, number in (NUMBER | {"mml:math": MATH, "m:math": MATH}).items():
        kinds[number] = NAMES.get(name, kinds[number])
        value = name_hash(name)
        place = value % SLOTS
        while hashes[place]:
            place = (place + 1) % SLOTS
        hashes[place], numbers[place] = value, number
    return hashes, numbers, kinds


@part
def number_of(name, hashes, numbers):
    """The number of the element whose name has this hash."""
    place = np.int64(name & np.uint64(SLOTS - 1))
    while hashes[place] != 0:
        if hashes[place] == name:
            return np.int64(numbers[place])
        place = (place + 1) & (SLOTS - 1)
    return OTHER + np.int64((name >> np.uint64(20)) % np.uint64(256 - OTHER))
