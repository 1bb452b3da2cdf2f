"""HTML read as tags, without building a tree: how deep a page would nest, and its bare text, both in one linear pass.

Tree builders and what walks their trees take quadratic time and worse on nests that no person writes: 20,000 unclosed
``<div>`` cost resiliparse half a minute. `measure_nesting` says so before a parser sees the page. It follows the tree
construction rules of the HTML standard as far as they decide what stays open, and where it is simpler than they are it
errs towards open: a page can be deeper than a parser would make it, not flatter.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from dataengine.kernels.token_arrays import PRIME, SEED

PLAIN, EMPTY, IMPLIED, BLOCK, SCOPE, INLINE, RAW, FOREIGN, SELECT, OPTION, ITEM, TERM = range(12)
"""Classes of elements, by what opening and closing them does to the open elements.

EMPTY has no content; IMPLIED (``<p>``, ``<td>``) is closed by the next of its kind and adds no depth; ITEM and TERM
(``<li>``, ``<dt>``) are too, unless a BLOCK or one of the other stands between;
BLOCK is not closed by the end of a PLAIN element around it; SCOPE is not closed by the end of anything around it;
INLINE (``<b>``) can be closed before what is inside it; RAW holds text, not tags; in FOREIGN (SVG, MathML) elements
close only by their end or ``/>``; in SELECT, RAW hides nothing; OPTION is IMPLIED, and counted.
"""

BREAKS_OUT, HOLDS_HTML, LETS_THROUGH = 16, 32, 64
"""Added to a class: inside FOREIGN, this element closes it and is HTML again; inside FOREIGN, this one holds HTML and
is a SCOPE; this BLOCK may stand between an ITEM and the next."""

NAMES = {
    EMPTY: "area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr "
           "html head body colgroup",
    IMPLIED: "p tr td th tbody thead tfoot caption",
    BLOCK: "address article aside blockquote button center details dialog dir div dl fieldset figcaption figure footer "
           "form frameset h1 h2 h3 h4 h5 h6 header hgroup listing main menu nav noscript ol plaintext pre search "
           "section summary ul",
    SCOPE: "applet marquee object table template",
    INLINE: "a b big code em font i nobr s small strike strong tt u",
    RAW: "script style textarea title xmp iframe noembed noframes",
    FOREIGN: "svg math",
    SELECT: "select",
    OPTION: "option",
    ITEM: "li",
    TERM: "dd dt",
}
BREAKING_OUT = ("b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li "
                "listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var")
HOLDING_HTML = "foreignobject desc title annotation-xml mi mo mn ms mtext font"  # font: it depends on its attributes

OUTSIDE, START, END, OTHER = range(4)
"""What `read_markup` found at a ``<``: text, a start tag, an end tag, or a comment, doctype or the like."""

DEEPEST, TAGS, WORK, ATTRIBUTES, OPTIONS = range(5)
"""What `measure_nesting` gives: the greatest depth, the number of start tags, the sum of their depths, the most
attributes of one tag and the most options of one ``<select>``."""

LIMIT = 512
"""Depth at which measuring stops: deeper is deeper."""

TABLE = 1024


def name_hash(name: str) -> int:
    """The hash `read_markup` gives to an element's name, in lower case."""
    value = int(SEED)
    for byte in name.encode():
        value = (value ^ byte) * int(PRIME) % 2**64
    return value


@cache
def element_classes() -> tuple[np.ndarray, np.ndarray]:
    """An open-addressing table of names: (hashes uint64, classes uint8), each of shape (TABLE,); hash 0 is no entry."""
    hashes, classes = np.zeros(TABLE, np.uint64), np.zeros(TABLE, np.uint8)
    of = {name: kind for kind, names in NAMES.items() for name in names.split()}
    for flag, names in ((BREAKS_OUT, BREAKING_OUT), (HOLDS_HTML, HOLDING_HTML), (LETS_THROUGH, "div address")):
        for name in names.split():
            of[name] = of.get(name, PLAIN) | flag
    for name, kind in of.items():
        value = name_hash(name)
        place = value % TABLE
        while hashes[place]:
            place = (place + 1) % TABLE
        hashes[place], classes[place] = value, kind
    return hashes, classes


@njit(cache=True, nogil=True)
def class_of(name, hashes, classes):
    """The class of the element with this name hash, flags added; PLAIN for a name unknown."""
    place = np.int64(name & np.uint64(TABLE - 1))
    while hashes[place] != 0:
        if hashes[place] == name:
            return classes[place]
        place = (place + 1) & (TABLE - 1)
    return np.uint8(PLAIN)


@njit(cache=True, nogil=True, inline="always")
def is_space(byte):
    return byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12


@njit(cache=True, nogil=True)
def find(data, i, end, a, b):
    """First place from `i` where bytes `a`, `b` follow each other, or `end`."""
    while i + 1 < end:
        if data[i] == a and data[i + 1] == b:
            return i
        i += 1
    return end


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def read_markup(data, i, end):
    """What begins at the ``<`` at `i`: (kind, name hash, place behind it, attributes, ends with ``/>``)."""
    nameless = np.uint64(0)
    if i + 1 >= end:
        return OUTSIDE, nameless, i + 1, 0, False
    byte = data[i + 1]
    if byte == 33 and i + 3 < end and data[i + 2] == 45 and data[i + 3] == 45:  # <!--
        j = i + 4
        if j < end and data[j] == 62:
            return OTHER, nameless, j + 1, 0, False
        if j + 1 < end and data[j] == 45 and data[j + 1] == 62:
            return OTHER, nameless, j + 2, 0, False
        while True:
            j = find(data, j, end, 45, 45)
            if j >= end:
                return OTHER, nameless, end, 0, False
            if j + 2 < end and data[j + 2] == 62:
                return OTHER, nameless, j + 3, 0, False
            if j + 3 < end and data[j + 2] == 33 and data[j + 3] == 62:  # --!>
                return OTHER, nameless, j + 4, 0, False
            j += 1
    closing = byte == 47
    j = i + 2 if closing else i + 1
    if j >= end or not (65 <= data[j] <= 90 or 97 <= data[j] <= 122):
        if not closing and byte != 33 and byte != 63:
            return OUTSIDE, nameless, i + 1, 0, False
        while j < end and data[j] != 62:  # <!doctype>, <?xml?>, </3>
            j += 1
        return OTHER, nameless, min(j + 1, end), 0, False
    name, j = read_name(data, j, end)
    attributes = 0
    slash = False
    while j < end and data[j] != 62:
        if is_space(data[j]) or data[j] == 47:
            slash = data[j] == 47
            j += 1
            continue
        attributes += 1
        slash = False
        j += 1
        while j < end and not is_space(data[j]) and data[j] != 47 and data[j] != 62 and data[j] != 61:
            j += 1
        k = j
        while k < end and is_space(data[k]):
            k += 1
        if k < end and data[k] == 61:
            j = k + 1
            while j < end and is_space(data[j]):
                j += 1
            if j < end and (data[j] == 34 or data[j] == 39):
                quote = data[j]
                j += 1
                while j < end and data[j] != quote:
                    j += 1
                j += 1
            else:
                while j < end and not is_space(data[j]) and data[j] != 62:
                    j += 1
    return (END if closing else START), name, min(j + 1, end), attributes, slash


@njit(cache=True, nogil=True)
def end_of_raw(data, i, end, name):
    """Where the end tag of the raw text element `name` begins, or `end`."""
    while True:
        i = find(data, i, end, 60, 47)
        if i >= end:
            return end
        found, j = read_name(data, i + 2, end)
        if found == name:
            return i
        i = max(i + 2, j)


@njit(cache=True, nogil=True)
def keep_inline(k, names, kinds, foreign, depth):
    """Close the element at `k` and all in it but INLINE ones, which the standard opens again behind it."""
    left = k
    for m in range(k + 1, depth):
        if kinds[m] == INLINE:
            names[left], kinds[left], foreign[left] = names[m], kinds[m], foreign[m]
            left += 1
    return left


@njit(cache=True, nogil=True)
def close(name, kind, names, kinds, foreign, depth):
    """The depth after an end tag; the open elements are ``names[:depth]``."""
    k = depth - 1
    while k >= 0 and foreign[k]:  # the top is SVG or MathML: only names count, as far down as it goes
        if names[k] == name:
            return k
        k -= 1
    for k in range(depth - 1, -1, -1):
        if names[k] == name:
            if kinds[k] == SCOPE:
                return k
            if kind != INLINE:
                return keep_inline(k, names, kinds, foreign, depth)
            for m in range(k, depth - 1):  # the rest stays open, as the adoption agency algorithm leaves it
                names[m], kinds[m], foreign[m] = names[m + 1], kinds[m + 1], foreign[m + 1]
            return depth - 1
        special = kinds[k] & np.uint8(15)
        if special == SCOPE or (special in (BLOCK, ITEM, TERM, SELECT) and kind in (PLAIN, FOREIGN)):
            return depth
    return depth


@njit(cache=True, nogil=True)
def close_item(kind, names, kinds, foreign, depth):
    """The depth after the start tag of an ITEM or TERM has closed the one before it."""
    for k in range(depth - 1, -1, -1):
        if kinds[k] == kind:
            return keep_inline(k, names, kinds, foreign, depth)
        if kinds[k] in (SCOPE, BLOCK, ITEM, TERM, FOREIGN, SELECT):
            return depth
    return depth


@njit(cache=True, nogil=True)
def measure_nesting(data, hashes, classes, out):
    """Fill `out`, int64, shape (5,), see `DEEPEST`: how the page in `data` (uint8, ASCII-compatible) nests.

    Each end tag looks at no more than `LIMIT` open elements, and each byte is read once or twice.
    """
    names, kinds = np.empty(LIMIT + 1, np.uint64), np.empty(LIMIT + 1, np.uint8)
    foreign = np.zeros(LIMIT + 1, np.bool_)  # is of SVG or MathML and holds more of it, not HTML
    end = data.size
    depth = selects = options = 0
    within = 0  # open SVG and MathML elements: in HTML that they hold, nothing is taken to be EMPTY, IMPLIED or RAW
    i = 0
    while i < end:
        if data[i] != 60:
            i += 1
            continue
        what, name, after, attributes, slash = read_markup(data, i, end)
        if what == START:
            flagged = class_of(name, hashes, classes)
            kind = flagged & np.uint8(15)
            out[TAGS] += 1
            out[WORK] += depth
            out[ATTRIBUTES] = max(out[ATTRIBUTES], attributes)
            if flagged & BREAKS_OUT:
                while depth > 0 and foreign[depth - 1]:
                    depth -= 1
                    within -= kinds[depth] == FOREIGN
            inside = depth > 0 and foreign[depth - 1]
            if inside:
                opens = not slash
                holds_html = (flagged & HOLDS_HTML) != 0
                kind = np.uint8(SCOPE if holds_html else PLAIN)
            else:
                if within > 0 or kind == FOREIGN:
                    opens = not slash or kind not in (EMPTY, FOREIGN)
                else:
                    opens = kind not in (EMPTY, IMPLIED, OPTION, RAW)
                holds_html = kind != FOREIGN
                if kind == RAW and selects + within == 0:
                    after = end_of_raw(data, after, end, name)
                if kind == OPTION and selects > 0:
                    options += 1
                    out[OPTIONS] = max(out[OPTIONS], options)
                selects += kind == SELECT
                within += kind == FOREIGN and opens
                if kind in (ITEM, TERM):
                    depth = close_item(kind, names, kinds, foreign, depth)
            if opens:
                names[depth], foreign[depth] = name, not holds_html
                kinds[depth] = kind | flagged & np.uint8(LETS_THROUGH)
                depth += 1
                out[DEEPEST] = max(out[DEEPEST], depth)
                if depth >= LIMIT:
                    return
        elif what == END and depth > 0:
            before = depth
            kind = class_of(name, hashes, classes) & np.uint8(15)
            depth = close(name, kind, names, kinds, foreign, depth)
            if depth < before and selects + within > 0:
                selects = within = 0
                for k in range(depth):
                    selects += kinds[k] == SELECT
                    within += kinds[k] == FOREIGN
                options = options if selects > 0 else 0
        i = after


@njit(cache=True, nogil=True)
def bare_text(data, hashes, classes, title, br, out):
    """Copy the text of the page in `data` to `out` (uint8, at least as long); returns (its length, title start, end).

    Tags go; elements that stand on lines of their own leave a line break. What scripts, styles and form fields hold
    goes too. The title is not copied, but said: ``data[start:end]``. `title` and `br` are name hashes.
    """
    end = data.size
    n = title_start = title_end = 0
    i = 0
    while i < end:
        byte = data[i]
        if byte != 60:
            out[n] = np.uint8(32) if is_space(byte) else byte
            n += 1
            i += 1
            continue
        what, name, after, _, _ = read_markup(data, i, end)
        if what == OUTSIDE:
            out[n] = byte
            n += 1
        elif what != OTHER:
            kind = class_of(name, hashes, classes) & np.uint8(15)
            if IMPLIED <= kind <= SCOPE or kind >= SELECT or name == br:
                out[n] = 10
                n += 1
            if what == START and kind == RAW:
                begin = after
                after = end_of_raw(data, after, end, name)
                if name == title and title_end == 0:
                    title_start, title_end = begin, after
        i = after
    return n, title_start, title_end
