"""A page as a tree of elements and texts, flat: one array a property, in the order of the page, no object a node.

Built in one pass. What an end tag closes, and what a start tag closes by implication (``<p>``, ``<li>``, ``<td>``),
is looked up and not searched for: the last open element of each name is kept, and the nearest open element that end
tags do not reach beyond. So time is linear in the page however deep it nests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataengine.kernels import elements as e
from dataengine.kernels import markup as m
from dataengine.kernels.part import entry
from dataengine.kernels.token_arrays import SEED

(LINKED, BOLD, HEADED, PREFORMATTED, HIDDEN, CODED, DROPPED, SPACED, RAISED, LOWERED, MATHEMATICAL, ARIA) = (
    np.uint16(1 << bit) for bit in range(12))
"""States of a node. All are inherited but SPACED (white space stands before it) and DROPPED of a lone ``<img>``."""
OWN = SPACED
CLUTTER, MATH = np.uint64(1 << 62), np.uint64(1 << 63)
"""Groups of phrases that the parser itself acts upon: elements in a line, and cells, that are never text (numbers of
lines of code, texts for screen readers alone); and images of formulas."""


class Tree(NamedTuple):
    """n nodes; node 0 is the page itself. Places are bytes of the page."""

    tag: np.ndarray
    """uint8: number of the element, see `elements`; 0 is a text."""
    start: np.ndarray
    """int32: where the text, or the start tag, begins."""
    stop: np.ndarray
    """int32: behind the text, or the start tag."""
    finish: np.ndarray
    """int32: where the element's end tag begins, or what closed it."""
    parent: np.ndarray
    """int32."""
    last: np.ndarray
    """int32: one more than the last node inside."""
    box: np.ndarray
    """int32: the nearest BLOCK around a node, or itself."""
    cell: np.ndarray
    """int32: the nearest ``<td>`` or ``<th>`` around a node, or itself, or 0."""
    state: np.ndarray
    """uint16: see `LINKED`."""
    phrases: np.ndarray
    """uint64: groups of words found in its class, id, role and itemprop."""
    look: np.ndarray
    """uint32: hash of name and class."""
    order: np.ndarray
    """int32: of ``<li>``, its number in its list; of others, how many ``<li>`` they hold."""
    marked: np.ndarray
    """int32, shape (k,): nodes whose source tells of the page, or is mathematics."""


@entry
def parse(data, hashes, numbers, kinds, table, found):
    """The `Tree` of the page `data` (uint8, UTF-8 or near it); the tables are `elements.element_table` and
    `word_groups.automaton`."""
    end = data.size
    tags = np.int32(0)
    for byte in data:
        tags += np.int32(byte == 60)
    deepest = np.int64(tags) + 3
    room = 2 * (deepest - 1)
    tag, state = np.empty(room, np.uint8), np.empty(room, np.uint16)
    start, stop, finish = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    parent, last, box, cell = (np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32),
                               np.empty(room, np.int32))
    phrases, look, order = np.empty(room, np.uint64), np.empty(room, np.uint32), np.zeros(room, np.int32)
    marked = np.empty(room, np.int32)
    # the open elements: node, place of the one of the same name below, of the nearest SCOPE, of the nearest BLOCK
    opened, same = np.empty(deepest, np.int32), np.empty(deepest, np.int32)
    scope, block = np.zeros(deepest, np.int32), np.zeros(deepest, np.int32)
    newest = np.full(256, -1, np.int32)  # place of the last open element of each name
    unended = np.zeros(256, np.bool_)  # RAW elements that no end tag follows any more
    opened[0], same[0] = 0, -1
    start[0], stop[0], finish[0], last[0], parent[0], box[0], cell[0] = 0, 0, end, 0, 0, 0, 0
    state[0], phrases[0], look[0] = 0, 0, 0
    classes = m.no_classes()
    tag[0] = e.BODY
    n, depth, marks = 1, 1, 0
    spaced = np.uint16(0)
    i = np.int64(0)  # not a literal, for which what is called would be compiled anew
    while i < end:
        if data[i] != 60 or not m.begins_markup(data, i, end):
            first = i
            while i < end and m.is_space(data[i]):
                i += 1
            blank = i == end or (data[i] == 60 and m.begins_markup(data, i, end))
            while i < end and (data[i] != 60 or not m.begins_markup(data, i, end)):
                i += 1
            around = opened[depth - 1]
            if blank and not state[around] & PREFORMATTED:
                if not state[around] & MATHEMATICAL:
                    spaced = SPACED
                continue
            tag[n], start[n], stop[n], finish[n], parent[n] = e.TEXT, first, i, i, around
            box[n], cell[n], phrases[n], look[n] = box[around], cell[around], 0, 0
            state[n] = state[around] & ~OWN | spaced
            last[n] = n + 1
            n += 1
            spaced = np.uint16(0)
            continue
        byte = data[i + 1]
        closing = byte == 47
        if byte == 33 or byte == 63 or (closing and (i + 2 >= end or not 97 <= data[i + 2] | 32 <= 122)):
            i = m.behind_aside(data, i, end)
            continue
        name, j = m.read_name(data, i + 2 if closing else i + 1, end)
        number = e.number_of(name, hashes, numbers)
        kind = kinds[number]
        if closing:
            place = newest[number]
            if number == e.BR:
                closing = False  # </br> is <br>
            elif place > 0 and number != e.BODY and number != e.HTML:
                edge = scope[depth - 1]
                if number == e.TABLE or number == e.TR or (number >= e.THEAD and number <= e.TFOOT):
                    edge = newest[e.TABLE]
                elif number == e.TD or number == e.TH:
                    edge = newest[e.TABLE] + 1
                if place >= edge and not (kind & e.FORMATS and block[depth - 1] > place):
                    while depth > place:
                        depth -= 1
                        node = opened[depth]
                        last[node], finish[node] = n, i
                        newest[tag[node]] = same[depth]
            if closing:
                i = m.behind_end_tag(data, j, end)
                continue
        # what a start tag closes
        floor = depth
        edge = scope[depth - 1]
        if kind & e.CLOSES_P and newest[e.P] > edge:
            floor = newest[e.P]
        if number == e.LI and newest[e.LI] > max(edge, max(newest[e.UL], max(newest[e.OL], newest[e.MENU]))):
            floor = min(floor, newest[e.LI])
        elif (number == e.DT or number == e.DD) and max(newest[e.DT], newest[e.DD]) > max(edge, newest[e.DL]):
            floor = min(floor, max(newest[e.DT], newest[e.DD]))
        elif (number == e.TD or number == e.TH) and max(newest[e.TD], newest[e.TH]) > max(newest[e.TABLE],
                                                                                          newest[e.TR]):
            floor = max(newest[e.TD], newest[e.TH])
        elif number == e.TR and newest[e.TR] > newest[e.TABLE]:
            floor = newest[e.TR]
        elif e.THEAD <= number <= e.TFOOT:
            row = max(newest[e.THEAD], max(newest[e.TBODY], max(newest[e.TFOOT], newest[e.CAPTION])))
            row = max(row, newest[e.TR]) if row <= newest[e.TABLE] else row
            if row > newest[e.TABLE]:
                floor = row
        elif number == e.OPTION and newest[e.OPTION] > edge:
            floor = newest[e.OPTION]
        elif number == e.A and newest[e.A] > max(edge, block[depth - 1]):
            floor = newest[e.A]
        elif number == e.BODY and newest[e.HEAD] > edge:
            floor = newest[e.HEAD]
        elif e.H1 <= number <= e.H6 and depth > 1 and e.H1 <= tag[opened[depth - 1]] <= e.H6:
            floor = depth - 1
        while depth > floor:
            depth -= 1
            node = opened[depth]
            last[node], finish[node] = n, i
            newest[tag[node]] = same[depth]
        first = i
        i, flags, words, dress = m.read_attributes(data, j, end, table, found, classes)
        around = opened[depth - 1]
        tag[n], start[n], stop[n], parent[n], last[n] = number, first, i, around, n + 1
        box[n] = n if kind & e.BLOCK else box[around]
        cell[n] = n if number == e.TD or number == e.TH else cell[around]
        phrases[n] = words
        look[n] = np.uint32((dress ^ name) * SEED >> np.uint64(32))
        here = state[around] & ~OWN | spaced
        spaced = np.uint16(0)
        if number == e.A and flags & m.POINTS:
            here |= LINKED
        elif number == e.B or number == e.STRONG:
            here |= BOLD
        elif e.H1 <= number <= e.H6:
            here |= HEADED
        elif number == e.PRE or (flags & m.KEEPS_SPACE and not kind & e.VOID):
            here |= PREFORMATTED
        elif number == e.CODE:
            here |= CODED
        elif number == e.SUP:
            here |= RAISED
        elif number == e.SUB:
            here |= LOWERED
        elif number == e.MATH:
            here |= MATHEMATICAL
        if kind & e.DROPPED or (words & CLUTTER and (not kind & e.BLOCK or number == e.TD)):
            here |= DROPPED
        if flags & m.HIDES:
            here |= HIDDEN
        if flags & m.ARIA_HIDES:
            here |= ARIA if kind & e.BLOCK else HIDDEN
        state[n] = here
        if number == e.LI:
            order[around] += 1
            order[n] = order[around]
        if (flags & (m.WANTED | m.MATHS) or number == e.MATH or number == e.TIME or number == e.HTML
                or number == e.TITLE or (number == e.IMG and flags & m.ALT and words & MATH)):
            marked[marks] = n
            marks += 1
        finish[n] = i
        n += 1
        if kind & e.RAW and not unended[number]:
            stay = i
            i = m.end_of_raw(data, i, end, name)
            finish[n - 1] = i
            if i == end:
                unended[number] = True
                if number != e.SCRIPT and number != e.STYLE:  # somebody forgot the end of a title: read on
                    i = finish[n - 1] = stay
        elif not (kind & (e.VOID | e.RAW)) and not (flags & m.SLASH and max(newest[e.SVG], newest[e.MATH]) > 0):
            if (number == e.HTML and newest[e.HTML] > 0) or (number == e.BODY and newest[e.BODY] > 0):
                continue  # a second one only adds attributes
            opened[depth], same[depth] = n - 1, newest[number]
            scope[depth] = depth if kind & e.SCOPE else scope[depth - 1]
            block[depth] = depth if kind & e.BLOCK else block[depth - 1]
            newest[number] = depth
            depth += 1
    for place in range(depth):
        node = opened[place]
        last[node], finish[node] = n, end
    return Tree(tag[:n], start[:n], stop[:n], finish[:n], parent[:n], last[:n], box[:n], cell[:n], state[:n],
                phrases[:n], look[:n], order[:n], marked[:marks])

