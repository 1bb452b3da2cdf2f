"""Which of many words stand in a piece of text, found in one pass: an Aho-Corasick automaton (CACM 18(6), 1975).

Text is read as letters a to z, whatever their case, and gaps: a run of anything else is one gap, and so are the
beginning, the end, and the place where a capital follows a small letter (``articleBody``). A phrase is written with
``_`` for a gap: ``_ad_`` is in ``ad-slot`` and ``topAd`` and not in ``header``; ``comment`` is in ``wp-comments`` too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dataengine.kernels.part import entry

GAP = 0
SYMBOLS = 27


def automaton(groups: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The automaton of up to 64 groups of phrases, each group one text of phrases with spaces between.

    Returns ``(table, found)``: int16, shape (states, 27), the state that follows; and uint64, shape (states,), with bit
    k set where a phrase of group k has just ended.
    """
    children: list[dict[int, int]] = [{}]
    own = [0]
    for bit, phrases in enumerate(groups):
        for phrase in phrases.split():
            state = 0
            for letter in phrase:
                symbol = GAP if letter == "_" else ord(letter) - 96
                if symbol not in children[state]:
                    children[state][symbol] = len(children)
                    children.append({})
                    own.append(0)
                state = children[state][symbol]
            own[state] |= 1 << bit
    table, found = np.zeros((len(children), SYMBOLS), np.int16), np.array(own, np.uint64)
    fallback = [0] * len(children)
    todo = [0]
    for state in todo:  # breadth first: a state's fallback is shorter, so it is complete
        for symbol in range(SYMBOLS):
            shorter = table[fallback[state], symbol] if state else 0
            child = children[state].get(symbol)
            if child is None:
                table[state, symbol] = shorter
                continue
            table[state, symbol] = child
            fallback[child] = int(shorter)
            found[child] |= found[shorter]
            todo.append(child)
    return table, found


@entry
def phrases_in(data, i, end, table, found):
    """The groups, as bits of a uint64, that have a phrase in ``data[i:end]``."""
    state = table[0, GAP]
    seen = found[state]
    gap, small = True, False
    while i < end:
        byte = data[i]
        letter = byte | np.uint8(32)
        if 97 <= letter <= 122 and byte < 128:
            if small and byte < 97:
                state = table[state, GAP]
                seen |= found[state]
            state = table[state, letter - 96]
            seen |= found[state]
            gap, small = False, byte >= 97
        elif not gap:
            state = table[state, GAP]
            seen |= found[state]
            gap, small = True, False
        i += 1
    if not gap:
        seen |= found[table[state, GAP]]
    return seen
