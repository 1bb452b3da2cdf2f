"""Character references, against Python's reading of the same standard."""

from __future__ import annotations

import html
from html.entities import html5

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataengine.kernels.entities import entity_table, write_reference


def resolved(text: str) -> str:
    data = np.frombuffer(text.encode(), np.uint8)
    out = np.zeros(2 * data.size + 8, np.uint8)
    i = n = 0
    while i < data.size:
        if data[i] == 38:
            i, n = write_reference(data, i, data.size, out, n, entity_table())
        else:
            out[n] = data[i]
            i, n = i + 1, n + 1
    return out[:n].tobytes().decode()


def test_every_name_of_the_standard_is_known_with_and_without_what_follows() -> None:
    for name, text in html5.items():
        assert resolved(f"&{name}") == text
        assert resolved(f"x&{name} y") == html.unescape(f"x&{name} y")


PARTS = ["&", "&#", "&#x", ";", "amp", "notit", "x", "é", "128", "169", "1F600", "110000", "d800", "=", " "]


def is_odd(letter: str) -> bool:
    """Controls and characters that are none: Python leaves them out, we put U+FFFD or what windows-1252 has there."""
    code = ord(letter)
    return code < 32 or 127 <= code < 160 or code % 65536 >= 65534 or 0xFDD0 <= code < 0xFDF0


@given(st.lists(st.sampled_from(PARTS)
                | st.sampled_from(sorted(html5)).map(lambda name: f"&{name}"), max_size=8).map("".join))
def test_any_text_is_resolved_as_python_does(text: str) -> None:
    expected = html.unescape(text)
    if not any(map(is_odd, expected + resolved(text))):
        assert resolved(text) == expected
