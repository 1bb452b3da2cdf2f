"""HTML as tags, read in one linear pass over its bytes: names, attributes, comments, raw text.

The rules are those of the tokenizer in the HTML standard, but for what only a parser's error messages need.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.elements import name_hash
from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import PRIME, SEED
from dataengine.kernels.word_groups import phrases_in

OUTSIDE, START, END, ASIDE = range(4)
"""What stands at a ``<``: text, a start tag, an end tag, or a comment, doctype or the like."""

HIDES, ARIA_HIDES, POINTS, WANTED, ALT, MATHS, SLASH, KEEPS_SPACE = (np.int64(1 << bit) for bit in range(8))
"""What the attributes of a tag say: HIDES (``hidden``, ``display:none``), ARIA_HIDES, POINTS (``href``), WANTED (a
``<meta>`` or ``<script>`` whose content tells of the page), ALT, MATHS (``type="math/tex"``), SLASH (ends with ``/>``),
KEEPS_SPACE (``white-space:pre``)."""


def _hashes(names: str) -> np.ndarray:
    return np.array([name_hash(name) for name in names.split()], np.uint64)


NAMING = _hashes("class id role itemprop")
"""Attributes whose words tell what an element is for."""
STYLE, HIDDEN, ARIA_HIDDEN, HREF, NAME, PROPERTY, TYPE, ALT_TEXT, HTTP_EQUIV, ITEMPROP, TRUE = _hashes(
    "style hidden aria-hidden href name property type alt http-equiv itemprop true")
NO_DISPLAY, NO_VISIBILITY, PRE_SPACE, TEX, TEX_DISPLAY, JSON_LD = _hashes(
    "display:none visibility:hidden white-space:pre math/tex math/tex;mode=display "
    "application/ld+json")
WANTED_NAMES = _hashes(
    "og:title twitter:title dc.title og:locale content-language language dc.language inlanguage "
    "article:published_time og:published_time datepublished date dc.date dc.date.issued dcterms.created dcterms.date "
    "pubdate publishdate publish-date publish_date published_time sailthru.date parsely-pub-date article.published "
    "citation_publication_date citation_date date.created rnews:datepublished cxenseparse:recs:publishtime "
    "last-modified og:updated_time article:modified_time datemodified")


@njit(cache=True, nogil=True, inline="always")
def is_space(byte):
    return byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12


@part
def begins_markup(data, i, end):
    """Whether the ``<`` at `i` begins a tag, a comment or the like."""
    if i + 1 >= end:
        return False
    byte = data[i + 1]
    return (97 <= byte | 32 <= 122 and byte < 128) or byte == 47 or byte == 33 or byte == 63


@part
def read_name(data, i, end):
    """(hash of the lower-cased name at `i`, place behind it)."""
    value = SEED
    while i < end and not is_space(data[i]) and data[i] != 47 and data[i] != 62:
        byte = data[i]
        if 65 <= byte <= 90:
            byte += np.uint8(32)
        value = (value ^ np.uint64(byte)) * PRIME
        i += 1
    return value, i


@part
def value_hash(data, i, end):
    """Hash of a value in lower case, spaces left out."""
    value = SEED
    while i < end:
        byte = data[i]
        if not is_space(byte):
            if 65 <= byte <= 90:
                byte += np.uint8(32)
            value = (value ^ np.uint64(byte)) * PRIME
        i += 1
    return value


@part
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


@part
def attribute_flags(data, name, i, end):
    """What the attribute with this name hash and the value ``data[i:end]`` says."""
    if name == STYLE:
        return style_flags(data, i, end)
    if name == HIDDEN:
        return HIDES
    if name == ARIA_HIDDEN:
        return ARIA_HIDES if value_hash(data, i, end) == TRUE else np.int64(0)
    if name == HREF:
        return POINTS
    if name == ALT_TEXT:
        return ALT
    if name in (NAME, PROPERTY, HTTP_EQUIV, ITEMPROP):
        return WANTED if is_among(value_hash(data, i, end), WANTED_NAMES) else np.int64(0)
    if name == TYPE:
        value = value_hash(data, i, end)
        if value == JSON_LD:
            return WANTED
        if value in (TEX, TEX_DISPLAY):
            return MATHS
    return np.int64(0)


@part
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
    while i < end and not is_space(data[i]) and data[i] != 47 and data[i] != 62 and (data[i] != 61 or i == start):
        byte = data[i]
        if 65 <= byte <= 90:
            byte += np.uint8(32)
        name = (name ^ np.uint64(byte)) * PRIME
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
        i += 1
        while i < end and data[i] != quote:
            i += 1
        return name, min(first, end), i, min(i + 1, end)
    while i < end and not is_space(data[i]) and data[i] != 62:
        i += 1
    return name, first, i, i


@part
def read_attributes(data, i, end, table, found):
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
        for k in range(4):
            if name == NAMING[k]:
                phrases |= phrases_in(data, first, last, table, found)
                if k == 0:
                    look = value_hash(data, first, last)
                break
        flags |= attribute_flags(data, name, first, last)


@part
def href_of(data, i, end):
    """(start, end) of the link target of the ``<a>`` tag at `i`."""
    _, i = read_name(data, i + 1, end)
    while True:
        name, first, last, i = next_attribute(data, i, end)
        if name == HREF:
            return first, last
        if name == 0:
            return end, end


@part
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


@part
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


@part
def end_of_raw(data, i, end, name):
    """Where the end tag of the raw text element `name` begins, or `end`."""
    while i + 1 < end:
        if data[i] == 60 and data[i + 1] == 47:
            found, j = read_name(data, i + 2, end)
            if found == name:
                return i
            i = max(i + 2, j)
        else:
            i += 1
    return end
