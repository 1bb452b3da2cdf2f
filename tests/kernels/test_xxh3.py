"""Digests of many rows at once are those of the xxhash package, one by one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from dataengine.kernels.buffers import utf8
from dataengine.kernels.xxh3 import digests


def of_rows(prefix: bytes, firsts: list[bytes], seconds: list[bytes]) -> list[str]:
    columns = [utf8(pa.array(values, pa.binary())) for values in (firsts, seconds)]
    found = digests(prefix, *columns)
    return [row.tobytes().hex() for row in found]


def one_by_one(prefix: bytes, firsts: list[bytes], seconds: list[bytes]) -> list[str]:
    return [xxhash.xxh3_128_hexdigest(prefix + first + b"\0" + second)
            for first, second in zip(firsts, seconds, strict=True)]


def test_rows_of_every_length_up_to_three_blocks_have_the_packages_digests():
    noise = np.random.default_rng(1).integers(0, 256, 4096, np.uint8).tobytes()
    seconds = [noise[:size] for size in range(3 * 1024 + 130)]
    firsts = [b""] * len(seconds)
    assert of_rows(b"a", firsts, seconds) == one_by_one(b"a", firsts, seconds)


ROW = st.tuples(st.binary(max_size=40), st.binary(max_size=600))


@given(st.binary(min_size=1, max_size=30), st.lists(ROW, max_size=8))
def test_prefix_and_parts_are_put_together_with_a_zero_byte(prefix, rows):
    firsts, seconds = [first for first, _ in rows], [second for _, second in rows]
    assert of_rows(prefix, firsts, seconds) == one_by_one(prefix, firsts, seconds)


def test_slices_and_nulls_of_a_column_are_its_rows():
    texts = pa.array(["left out", "one", None, "", "two " * 500, "left out"]).slice(1, 4)
    names = pa.array([f"file#{row}" for row in range(4)])
    found = digests(b"lane\0", utf8(names), utf8(texts))
    expected = one_by_one(b"lane\0", [f"file#{row}".encode() for row in range(4)],
                          [(text or "").encode() for text in texts.to_pylist()])
    assert [row.tobytes().hex() for row in found] == expected
