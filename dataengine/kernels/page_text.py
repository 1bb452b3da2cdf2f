"""The text of chosen blocks of a page, in UTF-8, with the structure that can be said in plain text.

Between paragraphs stands a blank line; between items of a list, rows of a table and ``<br>`` a line break; between the
cells of a row `` | ``. White space is as a browser shows it: runs are one space, and in ``<pre>`` everything stays.
"""

from __future__ import annotations

import numpy as np

from dataengine.kernels import elements as e
from dataengine.kernels import tree as t
from dataengine.kernels.entities import write_reference
from dataengine.kernels.markup import href_of
from dataengine.kernels.part import bare, entry

HEADINGS, BULLETS, TABLES, FENCES, LINKS = (np.int64(1 << bit) for bit in range(5))
"""What is written beside the text: ``# `` before headings, ``- `` and ``1. `` before items, `` | `` between cells,
lines of three backticks around ``<pre>``, and targets in parentheses behind links."""
PLAIN = ~np.isin(np.arange(256), [*range(33), 38, 127, 0xC2])
"""Bytes that are written as they are, whatever stands around them."""
MAX_TARGET = 2048
"""Bytes of the longest link target that is written."""
MAX_INDENT = 8
"""Levels of lists that are shown."""


@bare
def write_bytes(text, out, n):
    for byte in text:
        out[n] = byte
        n += 1
    return n


@bare
def write_text(data, i, end, out, n, base, exact, tight, entities):
    """Write the text ``data[i:end]`` behind ``out[:n]``, in a block that began at `base`; returns the new n.

    `exact` keeps all white space; `tight` keeps no-break spaces apart, as code that is indented by them needs it.
    """
    while i < end:
        byte = data[i]
        while PLAIN[byte]:
            out[n] = byte
            n += 1
            i += 1
            if i == end:
                return n
            byte = data[i]
        if byte == 38:
            before = n
            i, n = write_reference(data, i, end, out, n, entities)
            if n == before + 1 and out[before] <= 32 and not exact:  # &#32;, &#10;
                n = before
                if n > base and out[n - 1] != 32 and out[n - 1] != 10:
                    out[n] = 32
                    n += 1
            elif n == before + 2 and out[before] == 0xC2:
                if out[before + 1] == 0xA0:
                    out[before] = 32
                    n = before + 1
                    if not exact and not tight and (before == base or out[before - 1] == 32 or out[before - 1] == 10):
                        n = before
                elif out[before + 1] == 0xAD:
                    n = before
            continue
        if byte == 0xC2 and i + 1 < end and (data[i + 1] == 0xA0 or data[i + 1] == 0xAD):
            if data[i + 1] == 0xA0 and (exact or tight or (n > base and out[n - 1] != 32 and out[n - 1] != 10)):
                out[n] = 32
                n += 1
            i += 2
            continue
        if byte <= 32:
            if byte == 32 or 9 <= byte <= 13:
                if exact:
                    if byte == 13:
                        byte = np.uint8(10)
                        i += i + 1 < end and data[i + 1] == 10
                    out[n] = byte
                    n += 1
                elif n > base and out[n - 1] != 32 and out[n - 1] != 10:
                    out[n] = 32
                    n += 1
            i += 1
            continue
        if byte != 127:  # the lead byte of a character, of which there is more
            out[n] = byte
            n += 1
        i += 1
    return n


@bare
def trim(out, base, n, exact):
    """Drop white space from the end of ``out[base:n]``, unless it is to be kept as it is."""
    while n > base and not exact and (out[n - 1] == 10 or out[n - 1] == 32):
        n -= 1
    return n


@bare
def list_level(tree, node):
    """How many lists are around a node, up to `MAX_INDENT`; looks no further than 64 elements up."""
    level = 0
    for _ in range(64):
        if node == 0 or level >= MAX_INDENT:
            break
        level += e.UL <= tree.tag[node] <= e.MENU
        node = tree.parent[node]
    return level


@bare
def outer_list(tree, node):
    """The outermost list around a node, no further than 64 elements up."""
    found = 0
    for _ in range(64):
        if node == 0:
            break
        if e.UL <= tree.tag[node] <= e.MENU:
            found = node
        node = tree.parent[node]
    return found


@bare
def ancestor(tree, node, number):
    """The nearest element with this number around a node (or itself), no further than 16 up, or 0."""
    for _ in range(16):
        if node == 0 or tree.tag[node] == number:
            return node
        node = tree.parent[node]
    return 0


@bare
def write_marker(tree, item, out, n, style):
    """Write ``- `` or ``3. ``, indented by two spaces a level."""
    if not style & BULLETS:
        return n
    around = tree.parent[item]
    for _ in range(2 * (max(1, list_level(tree, item)) - 1)):
        out[n] = 32
        n += 1
    if tree.tag[around] == e.OL:
        order = tree.order[item]
        size = 1
        while order >= 10 ** size:
            size += 1
        for k in range(size):
            out[n + size - 1 - k] = 48 + order // 10 ** k % 10
        out[n + size] = 46
        n += size + 1
    else:
        out[n] = 45
        n += 1
    out[n] = 32
    return n + 1


@entry
def write_blocks(data, tree, blocks, keep, skipped, formulas, formula_ends, latex, style, entities):
    """The text of the blocks where `keep` (bool) holds, as uint8. `formulas` as for `split_blocks`; the LaTeX of the
    k-th, with its ``$`` signs, is ``latex[formula_ends[k]:formula_ends[k + 1]]``."""
    out = np.empty(data.size * 2 + latex.size + 64 * blocks.first.size + 64, np.uint8)
    n, formula, previous = np.int64(0), np.int64(0), np.int64(-1)  # not literals, for which all would be compiled anew
    fenced = 0  # the <pre> whose fence is open
    marked = 0  # the item whose bullet is written
    for k in range(keep.size):
        if not keep[k]:
            continue
        box = blocks.box[k]
        first = blocks.first[k]
        exact = tree.state[first] & t.PREFORMATTED != 0
        pre = ancestor(tree, tree.parent[first], e.PRE) if exact else 0
        item = ancestor_item(tree, box)
        if fenced and pre != fenced:
            n = write_fence(out, n)
            fenced = 0
        before = n
        if previous >= 0:
            n = write_gap(tree, blocks, previous, k, item, pre, out, n, style)
        if exact and style & FENCES and pre and pre != fenced:
            n = write_fence(out, n)
            out[n] = 10
            n += 1
            fenced = pre
        if item and item != marked and not exact and blocks_begin(tree, blocks, k, item):
            n = write_marker(tree, item, out, n, style)
            marked = item
        if style & HEADINGS and e.H1 <= tree.tag[box] <= e.H6:
            for _ in range(tree.tag[box] - e.H1 + 1):
                out[n] = 35
                n += 1
            out[n] = 32
            n += 1
        base = n
        while formulas[formula] < first:
            formula += 1
        n, formula = write_block(data, tree, first, blocks.last[k], skipped, formulas, formula, formula_ends, latex,
                                 exact, style, out, n, entities)
        if n > base:
            previous = k
        else:
            n = before
    if fenced:
        n = write_fence(out, n)
    return out[:n]


@bare
def write_block(data, tree, first, last, skipped, formulas, formula, formula_ends, latex, exact, style, out, n,
                entities):
    """Write the nodes ``first`` to ``last`` of one block; returns (new n, number of the next formula)."""
    base, link = n, np.int64(-1)
    for node in range(first, last):
        if link >= 0 and node >= tree.last[link]:
            n, link = write_target(data, tree, link, out, base, n, entities), -1
        number, state = tree.tag[node], tree.state[node]
        is_formula = formulas[formula] == node
        if number == e.BR:
            n = trim(out, base, n, exact)
            if n > base or exact:
                out[n] = 10
                n += 1
        if state & t.SPACED and not exact and n > base and out[n - 1] != 32 and out[n - 1] != 10:
            out[n] = 32
            n += 1
        if is_formula:
            n = write_bytes(latex[formula_ends[formula]:formula_ends[formula + 1]], out, n)
            formula += 1
        elif number == e.TEXT and not state & (skipped | t.MATHEMATICAL):
            start, stop = np.int64(tree.start[node]), np.int64(tree.stop[node])
            if exact and n == base and tree.tag[node - 1] == e.PRE:  # the first line break of a <pre> is not shown
                start += data[start] == 13
                start += data[start] == 10
            n = write_text(data, start, stop, out, n, base, exact, state & t.CODED != 0, entities)
        if style & LINKS and link < 0:
            above = tree.parent[node] if number == e.TEXT else node
            if tree.tag[above] == e.A and state & t.LINKED and tree.last[above] > node:
                link = above
    if link >= 0:
        n = write_target(data, tree, link, out, base, n, entities)
    if exact:
        while n > base and (out[n - 1] == 10 or out[n - 1] == 32):
            n -= 1
        return n, formula
    return trim(out, base, n, np.bool_(False)), formula


@bare
def write_target(data, tree, link, out, base, n, entities):
    """Write where a link leads, behind its text: `` (https://...)``."""
    first, last = href_of(data, np.int64(tree.start[link]), np.int64(tree.stop[link]))
    if n == base or last <= first or last - first > MAX_TARGET or data[first] == 35:  # not to a place on the same page
        return n
    n = trim(out, base, n, np.bool_(False))
    out[n], out[n + 1] = 32, 40
    n = write_text(data, first, last, out, n + 2, n + 2, np.bool_(False), np.bool_(False), entities)
    out[n] = 41
    return n + 1


@bare
def write_fence(out, n):
    if n > 0 and out[n - 1] != 10:
        out[n] = 10
        n += 1
    for _ in range(3):
        out[n] = 96
        n += 1
    return n


@bare
def ancestor_item(tree, box):
    """The ``<li>`` that a block is in, with nothing but wrappers between, or 0."""
    for _ in range(8):
        number = tree.tag[box]
        if number == e.LI:
            return box
        if box == 0 or number == e.TD or number == e.TABLE or e.UL <= number <= e.DL:
            return 0
        box = tree.box[tree.parent[box]]
    return 0


@bare
def blocks_begin(tree, blocks, k, item):
    """Whether block k is the first inside an item."""
    return k == 0 or blocks.first[k - 1] < item


@bare
def write_gap(tree, blocks, one, two, item, pre, out, n, style):
    """Write what stands between two blocks that are kept."""
    cell, other = tree.cell[blocks.box[one]], tree.cell[blocks.box[two]]
    if cell and other and style & TABLES:
        row, other_row = tree.parent[cell], tree.parent[other]
        if cell != other and row == other_row and tree.tag[row] == e.TR and (
                lone_in_cell(tree, blocks, one, cell) and lone_in_cell(tree, blocks, two, other)):
            out[n], out[n + 1], out[n + 2] = 32, 124, 32
            return n + 3
        if row != other_row and tree.parent[row] == tree.parent[other_row] and lone_in_cell(tree, blocks, one, cell):
            out[n] = 10
            return n + 1
    same_pre = pre and pre == ancestor(tree, tree.parent[blocks.first[one]], e.PRE)
    before = ancestor_item(tree, blocks.box[one])
    same_list = item and before and outer_list(tree, item) == outer_list(tree, before)
    out[n] = 10
    n += 1
    if same_pre or same_list:
        return n
    out[n] = 10
    return n + 1


@bare
def lone_in_cell(tree, blocks, k, cell):
    """Whether block k is all the text of a cell."""
    return (k == 0 or blocks.first[k - 1] < cell) and (
        k + 1 == blocks.first.size or blocks.first[k + 1] >= tree.last[cell])
