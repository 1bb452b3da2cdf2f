"""HTML as tags, read in one linear pass over its bytes: names, attributes, comments, raw text.

The rules are those of the tokenizer in the HTML standard, but for what only a parser's error messages need.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.elements import name_hash
from dataengine.kernels.part import bare, part
from dataengine.kernels.token_arrays import PRIME, SEED
from dataengine.kernels.word_groups import GAP, phrases_in

OUTSIDE, START, END, ASIDE = range(4)
"""What stands at a ``<``: text, a start tag, an end tag, or a comment, doctype or the like."""

HIDES, ARIA_HIDES, POINTS, WANTED, ALT, MATHS, SLASH, KEEPS_SPACE = (np.int64(1 << bit) for bit in range(8))
"""What the attributes of a tag say: HIDES (``hidden``, ``display:none``), ARIA_HIDES, POINTS (``href``), WANTED (a
``<meta>`` or ``<script>`` whose content tells of the page), ALT, MATHS (``type="math/tex"``), SLASH (ends with ``/>``),
KEEPS_SPACE (``white-space:pre``)."""


def _hashes(names: str) -> np.ndarray:
    return np.array([name_hash(name) for name in names.split()], np.uint64)


CLASS, NAMING, TELLING, POINTING, STYLING, HIDING, ARIA_HIDING, EXPLAINING, TYPING = (1 << bit for bit in range(9))
KINDS = {
    "class": CLASS, "id": NAMING, "role": NAMING, "itemprop": NAMING | TELLING, "name": TELLING, "property": TELLING,
    "http-equiv": TELLING, "href": POINTING, "style": STYLING, "hidden": HIDING, "aria-hidden": ARIA_HIDING,
    "alt": EXPLAINING, "type": TYPING,
}
"""What attributes are read for: words that tell what an element is for (CLASS, NAMING), or what a ``<meta>`` says..."""
ATTRIBUTES, ATTRIBUTE_KINDS = np.zeros(64, np.uint64), np.zeros(64, np.uint16)
"""...as an open-addressing table of the hashes of their names; 0 is no entry."""
for _name, _kind in KINDS.items():
    _place = name_hash(_name) % 64
    while ATTRIBUTES[_place]:
        _place = (_place + 1) % 64
    ATTRIBUTES[_place], ATTRIBUTE_KINDS[_place] = name_hash(_name), _kind
HREF, TRUE = _hashes("href true")
NO_DISPLAY, NO_VISIBILITY, PRE_SPACE, TEX, TEX_DISPLAY, JSON_LD = _hashes(
    "display:none visibility:hidden white-space:pre math/tex math/tex;mode=display "
    "application/ld+json")
WANTED_NAMES = _hashes(
    "og:title twitter:title dc.title og:locale content-language language dc.language inlanguage "
    "article:published_time og:published_time datepublished date dc.date dc.date.issued dcterms.created dcterms.date "
    "pubdate publishdate publish-date publish_date published_time sailthru.date parsely-pub-date article.published "
    "citation_publication_date citation_date date.created rnews:datepublished cxenseparse:recs:publishtime "
    "last-modified og:updated_time article:modified_time datemodified")


LOWER = np.arange(256).astype(np.uint8)
LOWER[65:91] += 32
"""Each byte, or the small letter that stands for it."""
ENDS_NAME, ENDS_ATTRIBUTE = (np.isin(np.arange(256), [9, 10, 12, 13, 32, *ends]) for ends in (b"/>", b"/>="))
"""Whether a byte stands behind the name of a tag, or of an attribute."""
BYTES_AT_ONCE = 32
CLASS_SLOTS = 256


@bare
def find(data, i, end, byte):
    """The first place at or behind `i` where `byte` stands, or `end`."""
    while i + BYTES_AT_ONCE <= end:
        hits = np.uint8(0)
        for k in range(i, i + BYTES_AT_ONCE):  # no branch: this becomes vector instructions
            hits |= np.uint8(data[k] == byte)
        if hits:
            break
        i += BYTES_AT_ONCE
    while i < end and data[i] != byte:
        i += 1
    return i


@njit(cache=True, nogil=True, inline="always")
def is_space(byte):
    return byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12


@bare
def begins_markup(data, i, end):
    """Whether the ``<`` at `i` begins a tag, a comment or the like."""
    if i + 1 >= end:
        return False
    byte = data[i + 1]
    return (97 <= byte | 32 <= 122 and byte < 128) or byte == 47 or byte == 33 or byte == 63


@bare
def read_name(data, i, end):
    """(hash of the lower-cased name at `i`, place behind it)."""
    value = SEED
    while i < end:
        byte = data[i]
        if ENDS_NAME[byte]:
            break
        value = (value ^ np.uint64(LOWER[byte])) * PRIME
        i += 1
    return value, i


@bare
def value_hash(data, i, end):
    """Hash of a value in lower case, spaces left out."""
    value = SEED
    while i < end:
        byte = data[i]
        if not is_space(byte):
            value = (value ^ np.uint64(LOWER[byte])) * PRIME
        i += 1
    return value


@bare
def style_flags(data, i, end):
    """What a ``style`` hides or keeps, each declaration looked at up to ``!``."""
    flags = np.int64(0)
    start = i
    while i <= end:
        if i == end or data[i] == 59 or data[i] == 33:
            value = value_hash(data, start, i)
            if value in (NO_DISPLAY, NO_VISIBILITY):
                flags |= HIDES
            elif value == PRE_SPACE:
                flags |= KEEPS_SPACE
            start = i + 1
        i += 1
    return flags


@part
def is_among(value, values):
    found = False
    for other in values:
        found |= other == value
    return found


@bare
def attribute_flags(data, kind, i, end):
    """What the attribute of this kind, see `KINDS`, with the value ``data[i:end]`` says."""
    if kind == POINTING:
        return POINTS
    if kind == STYLING:
        return style_flags(data, i, end)
    if kind == HIDING:
        return HIDES
    if kind == ARIA_HIDING:
        return ARIA_HIDES if value_hash(data, i, end) == TRUE else np.int64(0)
    if kind == EXPLAINING:
        return ALT
    if kind == TELLING:
        return WANTED if is_among(value_hash(data, i, end), WANTED_NAMES) else np.int64(0)
    if kind == TYPING:
        value = value_hash(data, i, end)
        if value == JSON_LD:
            return WANTED
        if value in (TEX, TEX_DISPLAY):
            return MATHS
    return np.int64(0)


@bare
def next_attribute(data, i, end):
    """The attribute at or behind `i`, inside a start tag: (name hash, value's start, value's end, place behind it).

    The hash is 0 at the end of the tag, and 1 for a ``/`` right before it.
    """
    while i < end and data[i] != 62 and (is_space(data[i]) or data[i] == 47):
        i += 1
        if data[i - 1] == 47 and i < end and data[i] == 62:
            return np.uint64(1), i, i, i
    if i >= end or data[i] == 62:
        return np.uint64(0), i, i, min(i + 1, end)
    name = SEED
    start = i
    while i < end:
        byte = data[i]
        if ENDS_ATTRIBUTE[byte] and (byte != 61 or i > start):
            break
        name = (name ^ np.uint64(LOWER[byte])) * PRIME
        i += 1
    k = i
    while k < end and is_space(data[k]):
        k += 1
    if k >= end or data[k] != 61:
        return name, k, k, i
    i = k + 1
    while i < end and is_space(data[i]):
        i += 1
    first = i
    if i < end and (data[i] == 34 or data[i] == 39):
        quote = data[i]
        first = i + 1
        i = find(data, i + 1, end, quote)
        return name, min(first, end), i, min(i + 1, end)
    while i < end and not is_space(data[i]) and data[i] != 62:
        i += 1
    return name, first, i, i


class Classes(NamedTuple):
    """Values of ``class`` that were read, each in a place that its length and three bytes say: most come again."""

    start: np.ndarray
    """int64: where it stands in the page."""
    size: np.ndarray
    """int64: its bytes; 0 is no entry."""
    phrases: np.ndarray
    """uint64: what is in it."""
    look: np.ndarray
    """uint64: its hash."""


@part
def no_classes():
    return Classes(np.zeros(CLASS_SLOTS, np.int64), np.zeros(CLASS_SLOTS, np.int64), np.zeros(CLASS_SLOTS, np.uint64),
                   np.zeros(CLASS_SLOTS, np.uint64))


@bare
def read_class(data, i, end, table, found, classes):
    """(phrases in the value of a ``class``, its hash)."""
    size = end - i
    if size == 0:
        return found[table[0, GAP]], SEED
    mixed = data[i] + 4 * np.int64(data[end - 1]) + 16 * size + 64 * np.int64(data[i + size // 2])
    place = np.uint64(mixed) & np.uint64(CLASS_SLOTS - 1)
    if classes.size[place] == size:
        start, k = classes.start[place], 0
        while k < size and data[start + k] == data[i + k]:
            k += 1
        if k == size:
            return classes.phrases[place], classes.look[place]
    phrases, look = phrases_in(data, i, end, table, found), value_hash(data, i, end)
    classes.start[place], classes.size[place] = i, size
    classes.phrases[place], classes.look[place] = phrases, look
    return phrases, look


@bare
def read_attributes(data, i, end, table, found, classes):
    """Read to the end of a start tag, from behind its name.

    Returns ``(place behind it, flags, phrases of its naming attributes, hash of its class)``.
    """
    flags, phrases, look = np.int64(0), np.uint64(0), SEED
    while True:
        name, first, last, i = next_attribute(data, i, end)
        if name == 0:
            return i, flags, phrases, look
        if name == 1:
            flags |= SLASH
            continue
        place = name & np.uint64(63)
        while ATTRIBUTES[place] != 0 and ATTRIBUTES[place] != name:
            place = (place + np.uint64(1)) & np.uint64(63)
        if ATTRIBUTES[place] == 0:
            continue
        kind = ATTRIBUTE_KINDS[place]
        if kind == CLASS:
            said, look = read_class(data, first, last, table, found, classes)
            phrases |= said
        else:
            if kind & NAMING:
                phrases |= phrases_in(data, first, last, table, found)
            flags |= attribute_flags(data, kind & ~np.uint16(NAMING), first, last)


@bare
def href_of(data, i, end):
    """(start, end) of the link target of the ``<a>`` tag at `i`."""
    _, i = read_name(data, i + 1, end)
    while True:
        name, first, last, i = next_attribute(data, i, end)
        if name == HREF:
            return first, last
        if name == 0:
            return end, end


@bare
def behind_end_tag(data, i, end):
    """The place behind an end tag, from behind its name. Attributes are passed over as in a start tag."""
    while i < end and data[i] != 62:
        byte = data[i]
        i += 1
        if byte == 61:
            while i < end and is_space(data[i]):
                i += 1
            if i < end and (data[i] == 34 or data[i] == 39):
                quote = data[i]
                i += 1
                while i < end and data[i] != quote:
                    i += 1
                i += 1
    return min(i + 1, end)


@bare
def behind_aside(data, i, end):
    """The place behind the comment, doctype or the like that begins with the ``<`` at `i`."""
    if i + 3 < end and data[i + 1] == 33 and data[i + 2] == 45 and data[i + 3] == 45:  # <!--
        j = i + 4
        if j < end and data[j] == 62:
            return j + 1
        if j + 1 < end and data[j] == 45 and data[j + 1] == 62:
            return j + 2
        while j + 2 < end:
            if data[j] == 45 and data[j + 1] == 45:
                if data[j + 2] == 62:
                    return j + 3
                if data[j + 2] == 33 and j + 3 < end and data[j + 3] == 62:  # --!>
                    return j + 4
            j += 1
        return end
    if i + 8 < end and data[i + 1] == 33 and data[i + 2] == 91 and data[i + 8] == 91:  # <![CDATA[
        j = i + 9
        while j + 2 < end and not (data[j] == 93 and data[j + 1] == 93 and data[j + 2] == 62):
            j += 1
        if j + 2 < end:
            return j + 3
    j = i + 1
    while j < end and data[j] != 62:
        j += 1
    return min(j + 1, end)


@bare
def end_of_raw(data, i, end, name):
    """Where the end tag of the raw text element `name` begins, or `end`."""
    while True:
        i = find(data, i, end, 60)
        if i + 1 >= end:
            return end
        if data[i + 1] == 47:
            found, j = read_name(data, i + 2, end)
            if found == name:
                return i
            i = max(i + 2, j)
        else:
            i += 1
