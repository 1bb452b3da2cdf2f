"""The text of a page as blocks: runs of text that stand on lines of their own, and what can be counted of them.

A block is broken by the beginning and the end of every element that is a BLOCK, and by two ``<br>``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataengine.kernels import elements as e
from dataengine.kernels import tree as t
from dataengine.kernels.entities import entity_table, read_number
from dataengine.kernels.part import bare, entry
from dataengine.kernels.token_arrays import PRIME, SEED, character
from dataengine.kernels.word_groups import GAP

(CHARS, WORDS, LINKED_CHARS, LINKS, BOLD_CHARS, DIGITS, CAPITALS, COMMAS, STOPS, SIGNS, BREAKS, IMAGES, FIELDS,
 CODE_CHARS, RAISED_CHARS, TITLE_WORDS, CAPITAL_FIRST, LAST, FORMULA_CHARS) = range(19)
"""Columns of `measures`. CHARS are characters that are not space, those of scripts without spaces twice; WORDS are
counted node by node, so that a word with a bold letter is two; IMAGES and FIELDS stand in the block or between it and
the one before; LAST says how the text ends: 1 ``.!?``, 2 ``:;,``, 3 else.
"""
MEASURES = 19
MATH_CHARS = 8
"""What a formula counts as."""
TITLE_SLOTS = 256
WINDOWS = entity_table().windows
LETTER, REFERENCE, WIDE = 1, 2, 3
BYTE_KINDS = np.zeros(256, np.uint8)
"""What a byte of text begins: an ASCII letter, a character reference, a character beyond ASCII, or 0, any other."""
for _first, _last, _kind in ((65, 90, LETTER), (97, 122, LETTER), (38, 38, REFERENCE), (128, 255, WIDE)):
    BYTE_KINDS[_first:_last + 1] = _kind
LONGEST_WORD_RUN = 60
"""Words of a block in which phrases and words of the title are looked for."""


class Blocks(NamedTuple):
    """k blocks, in the order of the page."""

    first: np.ndarray
    """int32: first text node."""
    last: np.ndarray
    """int32: one more than the last text node."""
    box: np.ndarray
    """int32: the BLOCK element they are in."""
    measures: np.ndarray
    """float32, shape (k, MEASURES)."""
    phrases: np.ndarray
    """uint64: groups of phrases found in the text."""
    content: np.ndarray
    """uint64: hash of the words."""


@entry
def title_words(data, start, stop):
    """A set of the hashes of the words in ``data[start:stop]``: uint64, shape (TITLE_SLOTS,), at most 64 words."""
    words = np.zeros(TITLE_SLOTS, np.uint64)
    value, length, count = SEED, 0, 0
    for i in range(start, stop + 1):
        byte = data[i] if i < stop else np.uint8(32)
        letter = byte | np.uint8(32) if 65 <= byte <= 90 else byte
        if letter > 127 or 97 <= letter <= 122 or 48 <= letter <= 57:
            value = (value ^ np.uint64(letter)) * PRIME
            length += 1
        else:
            if length > 2 and count < 64:
                place = np.int64(value & np.uint64(TITLE_SLOTS - 1))
                while words[place] != 0:
                    place = (place + 1) & (TITLE_SLOTS - 1)
                words[place] = value
                count += 1
            value, length = SEED, 0
    return words


@bare
def in_title(value, words):
    place = np.int64(value & np.uint64(TITLE_SLOTS - 1))
    while words[place] != 0:
        if words[place] == value:
            return True
        place = (place + 1) & (TITLE_SLOTS - 1)
    return False


@entry
def shown_states(tree):
    """The states whose text is not shown: HIDDEN counts only where more is shown than hidden."""
    hidden = shown = 0
    for node in range(tree.tag.size):
        if tree.tag[node] == e.TEXT and not tree.state[node] & t.DROPPED:
            if tree.state[node] & t.HIDDEN:
                hidden += tree.stop[node] - tree.start[node]
            else:
                shown += tree.stop[node] - tree.start[node]
    return t.DROPPED if hidden > 3 * shown else t.DROPPED | t.HIDDEN


@entry
def split_blocks(data, tree, skipped, formulas, title, table, found):
    """The `Blocks` of a page. `skipped` are states whose text is left out; `formulas` int32, ascending, are nodes that
    stand for a formula and end with one that is no node; `title` is `title_words`; `table` and `found` are an
    automaton of phrases."""
    nodes = tree.tag.size
    room = 1
    for node in range(nodes):
        room += tree.tag[node] == e.TEXT
    room += formulas.size
    first, last, box = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    measures = np.zeros((room, MEASURES), np.float32)
    phrases, content = np.zeros(room, np.uint64), np.zeros(room, np.uint64)
    k = np.int64(-1)
    formula = 0
    broken = True
    breaks = images = fields = links = 0
    phrase_state = np.int64(0)
    for node in range(1, nodes):
        number = tree.tag[node]
        is_formula = formulas[formula] == node
        formula += is_formula
        if number != e.TEXT and not is_formula:
            if number == e.BR:
                breaks += 1
                broken |= breaks > 1 and not tree.state[node] & t.PREFORMATTED
            elif number == e.IMG:
                images += 1
            elif number == e.INPUT or number == e.BUTTON or number == e.SELECT:
                fields += 1
            elif number == e.A:
                links += 1
            broken |= tree.box[node] == node
            continue
        if (tree.state[node] & skipped and not is_formula) or (number == e.TEXT and tree.state[node] & t.MATHEMATICAL):
            continue
        if k < 0 or (measures[k, CHARS] == 0 and not (tree.state[node] & t.PREFORMATTED)) or broken or (
                tree.box[node] != box[k]):
            if k < 0 or measures[k, CHARS] > 0 or measures[k, WORDS] < 0:
                if k >= 0:
                    end_block(measures[k], phrases, k, phrase_state, table, found)
                k += 1
            measures[k] = 0
            first[k], box[k] = node, tree.box[node]
            phrases[k], content[k] = 0, SEED
            measures[k, IMAGES], measures[k, FIELDS] = images, fields
            phrase_state = np.int64(table[0, GAP])
            breaks = images = fields = links = 0
            broken = False
        last[k] = node + 1
        measures[k, BREAKS] += breaks
        measures[k, LINKS] += links
        breaks = links = 0
        if is_formula:
            measures[k, CHARS] += MATH_CHARS
            measures[k, FORMULA_CHARS] += MATH_CHARS
            measures[k, WORDS] += 1
            measures[k, LAST] = 3
            continue
        phrase_state = measure(data, np.int64(tree.start[node]), np.int64(tree.stop[node]), tree.state[node],
                               measures[k], phrases, content, k, phrase_state, title, table, found)
    if k >= 0 and measures[k, CHARS] == 0:
        k -= 1
    elif k >= 0:
        end_block(measures[k], phrases, k, phrase_state, table, found)
    k += 1
    return Blocks(first[:k], last[:k], box[:k], measures[:k], phrases[:k], content[:k])


@bare
def end_block(row, phrases, k, phrase_state, table, found):
    """Let phrases that end with the block be found."""
    if row[WORDS] <= LONGEST_WORD_RUN:
        phrases[k] |= found[table[phrase_state, GAP]]


@bare
def measure(data, i, end, state, row, phrases, content, k, phrase_state, title, table, found):
    """Add what is in the text ``data[i:end]`` to a row of `measures`; returns the state of the automaton.

    Runs of letters, which most text is, have loops of their own.
    """
    chars = words = digits = capitals = commas = stops = signs = shared = 0
    gap = True
    value, length, hashed = SEED, 0, content[k]
    looks = row[WORDS] < LONGEST_WORD_RUN
    seen, last = phrases[k], row[LAST]
    while i <= end:
        byte = data[i] if i < end else np.uint8(32)
        kind = BYTE_KINDS[byte]
        if kind == LETTER:
            if length == 0:
                words += 1
                if chars == 0 and row[CHARS] == 0:
                    row[CAPITAL_FIRST] = byte < 97
            start = i
            if looks:
                while kind == LETTER:
                    letter = byte | np.uint8(32)
                    value = (value ^ np.uint64(letter)) * PRIME
                    phrase_state = np.int64(table[np.uint64(phrase_state), np.uint64(letter - np.uint8(96))])
                    seen |= found[np.uint64(phrase_state)]
                    capitals += byte < 97
                    i += 1
                    if i == end:
                        break
                    byte = data[i]
                    kind = BYTE_KINDS[byte]
                gap = False
            else:
                while kind == LETTER:
                    value = (value ^ np.uint64(byte | np.uint8(32))) * PRIME
                    capitals += byte < 97
                    i += 1
                    if i == end:
                        break
                    byte = data[i]
                    kind = BYTE_KINDS[byte]
            length += i - start
            chars += i - start
            last = np.float32(3)
            continue
        code, step = np.uint32(byte), 1
        if kind == REFERENCE:
            code, step = skip_reference(data, i, end, WINDOWS)
        elif kind == WIDE:
            code, step = character(data, i, end)
        spelled = code < 128 and 97 <= code | 32 <= 122  # a letter, as a reference
        if not gap and looks and not spelled:
            phrase_state = np.int64(table[phrase_state, GAP])
            seen |= found[phrase_state]
        gap = not spelled
        if code <= 32 or code == 0xA0:
            if length > 0:
                hashed = (hashed ^ value) * PRIME
                if looks and length > 2:
                    shared += in_title(value, title)
                value, length = SEED, 0
            i += step
            continue
        if length == 0:
            words += 1
            if chars == 0 and row[CHARS] == 0:
                row[CAPITAL_FIRST] = 65 <= code <= 90 or code >= 0xC0
        length += 1
        chars += 2 if code >= 0x2E80 else 1
        if spelled:
            capitals += code <= 90
            code |= np.uint32(32)
            if looks:
                phrase_state = np.int64(table[phrase_state, np.int64(code) - 96])
                seen |= found[phrase_state]
        elif 48 <= code <= 57:
            digits += 1
        elif code == 44 or code == 0x3001 or code == 0xFF0C or code == 0x60C:
            commas += 1
        elif code == 46 or code == 33 or code == 63 or code == 0x3002 or code == 0xFF01 or code == 0xFF1F:
            stops += 1
        elif code == 124 or code == 0xBB or code == 0x203A or code == 0xA9 or code == 0x2022 or code == 0x2192:
            signs += 1
        mark = code == 44 or code == 46 or code == 58 or code == 59 or code == 33 or code == 63 or code == 34
        if code >= 0x80 and i + step <= end:
            for j in range(i, i + step):
                value = (value ^ np.uint64(data[j])) * PRIME
        elif not mark:
            value = (value ^ np.uint64(code)) * PRIME
        if code == 46 or code == 33 or code == 63 or code == 0x3002 or code == 0x2026:
            last = np.float32(1)
        elif code == 58 or code == 59 or code == 44:
            last = np.float32(2)
        elif not (code == 34 or code == 39 or code == 41 or code == 0x201D or code == 0x2019 or code == 0xBB):
            last = np.float32(3)
        i += step
    row[LAST] = last
    row[CHARS] += chars
    row[WORDS] += words
    row[DIGITS] += digits
    row[CAPITALS] += capitals
    row[COMMAS] += commas
    row[STOPS] += stops
    row[SIGNS] += signs
    row[TITLE_WORDS] += shared
    if state & t.LINKED:
        row[LINKED_CHARS] += chars
    if state & t.BOLD:
        row[BOLD_CHARS] += chars
    if state & (t.CODED | t.PREFORMATTED):
        row[CODE_CHARS] += chars
    if state & t.RAISED:
        row[RAISED_CHARS] += chars
    phrases[k], content[k] = seen, hashed
    return phrase_state


@bare
def skip_reference(data, i, end, windows):
    """(code point, length) of the reference at the ``&`` at `i`; named ones count as a letter, ``&nbsp;`` as space."""
    if i + 1 < end and data[i + 1] == 35:
        code, j = read_number(data, i + 2, end, windows)
        if j == i + 2:
            return np.uint32(38), 1
        return np.uint32(32 if code == 0xA0 else code), j - i
    j = i + 1
    while j < end and j < i + 10 and 97 <= data[j] | 32 <= 122:
        j += 1
    if j < end and data[j] == 59:
        if j - i == 5 and data[i + 1] == 110 and data[i + 2] == 98:
            return np.uint32(32), j + 1 - i
        return np.uint32(0x2019), j + 1 - i
    return np.uint32(38), 1
