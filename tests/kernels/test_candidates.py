"""The scan for candidates finds what it should, as its plain twin does, and in any cut of the rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import candidates as kernel
from dataengine.kernels.candidates import candidates

PIECES = st.sampled_from(
    [*"aAdtf1279 .,-+@:/%()[]_=\n", "at ", "12", "://", "::", "%40", "password", "pwd", "é", "\u00a0", "\u2011",
     "a@b.c", "1.2.3.4", "GB29 N", "00-1A-2B-3C-4D-5E", "001a.2b3c.4d5e", "-----BEGIN", "a1b2c3d4", "x.com", "dot"]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)


def buffers(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    raw = [text.encode() for text in texts]
    return np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)])


def marked(text: str) -> list[tuple[int, str]]:
    """(kind, stretch) of all candidates of one text."""
    data, offsets = buffers([text])
    return [(kind, data[first:last].tobytes().decode()) for kind, first, last, _ in candidates(data, offsets).tolist()]


def plain(function):
    """The Python behind a kernel, with those it calls."""
    names = {name: value for name, value in vars(kernel).items() if hasattr(value, "py_func")}
    scope = dict(vars(kernel))
    for name, value in names.items():
        scope[name] = type(value.py_func)(value.py_func.__code__, scope, name)
    return scope[function]


@given(st.lists(TEXTS, max_size=4))
@settings(max_examples=150, deadline=None)
def test_the_kernel_marks_what_its_plain_twin_marks(texts):
    data, offsets = buffers(texts)
    twin = np.empty((4096, 4), np.int64)
    with np.errstate(all="ignore"):
        count = plain("_scan")(data.astype(np.int64), offsets, twin)
    assert candidates(data, offsets).tolist() == twin[:count].tolist()


@given(st.lists(TEXTS, max_size=5))
@settings(max_examples=150, deadline=None)
def test_a_row_is_marked_as_if_it_were_alone(texts):
    data, offsets = buffers(texts)
    found = candidates(data, offsets)
    for row, text in enumerate(texts):
        alone = candidates(*buffers([text]))
        mine = found[found[:, 3] == row]
        assert (mine[:, :3] - [0, offsets[row], offsets[row]]).tolist() == alone[:, :3].tolist()


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_bytes_of_any_kind_are_scanned_within_their_bounds(raw):
    found = candidates(np.frombuffer(raw, np.uint8), np.array([0, len(raw)]))
    assert ((found[:, 1] >= 0) & (found[:, 1] < found[:, 2]) & (found[:, 2] <= len(raw))).all()


def test_each_kind_is_marked_in_its_plainest_form():
    assert marked("to ann@example.net,") == [(kernel.ADDRESS, "ann@example.net")]
    assert marked("?m=ann%40example.net&") == [(kernel.ADDRESS, "?m=ann%40example.net")]
    assert (kernel.DOTTED, "84.17.46.3") in marked("from 84.17.46.3 on")
    assert marked("call 555 1234 now") == [(kernel.NUMBER, "555 1234")]
    assert marked("61 51 81") == [(kernel.NUMBER, "61 51 81")]
    assert (kernel.TOKEN, "AB123456C") in marked("is AB123456C.")
    assert (kernel.COLONS, "2001:db8::1") in marked("at 2001:db8::1 now")
    assert marked("db_password = x") == [(kernel.PASSWORD, "db_password")]
    assert marked("ftp://ann:word@host/") == [(kernel.LOGIN, "ann:word")]
    assert marked("-----BEGIN PRIVATE KEY-----")[0][0] == kernel.ARMOR
    assert marked("ann at gmail.com") == [(kernel.SPELT_OUT, "at")]


def test_prose_code_and_years_are_not_marked():
    for text in (
        "In 1990 they came at once, 12 of them; by 2001 there were 1,200.",
        "for index in range(100): total += values[index]  # std::vector, a ? b : c, x.y.z(1.5)",
        "12:34:56", "@property", "user@localhost", "1.2.3", "12 345", "utf8 sha256 h264",
    ):
        assert marked(text) == [], text


def test_as_many_candidates_as_there_are_are_given():
    assert len(candidates(*buffers(["a@b.co " * 5000]))) == 5000
