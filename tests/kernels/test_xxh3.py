"""Digests of many rows at once are those of the xxhash package, one by one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from dataengine.kernels.buffers import utf8
from dataengine.kernels.xxh3 import digests, named_digests

ROW = st.tuples(st.binary(max_size=40), st.binary(max_size=600))


def test_rows_of_every_length_up_to_three_blocks_have_the_packages_digests():
    noise = np.random.default_rng(1).integers(0, 256, 4096, np.uint8).tobytes()
    rows = [noise[:size] for size in range(3 * 1024 + 130)]
    found = digests(*utf8(pa.array(rows, pa.binary())))
    assert [int(high) << 64 | int(low) for high, low in found] == [xxhash.xxh3_128_intdigest(row) for row in rows]


@given(st.binary(max_size=30), st.lists(ROW, max_size=8))
def test_prefix_name_and_content_are_put_together_with_a_zero_byte_before_the_content(prefix, rows):
    names, contents = ([row[part] for row in rows] for part in (0, 1))
    found = named_digests(prefix, utf8(pa.array(names, pa.binary())), utf8(pa.array(contents, pa.binary())))
    assert [row.tobytes() for row in found] == [
        xxhash.xxh3_128_digest(prefix + name + b"\0" + content) for name, content in rows]


def test_slices_and_nulls_of_a_column_are_its_rows():
    texts = pa.array(["left out", "one", None, "", "two " * 500, "left out"]).slice(1, 4)
    found = digests(*utf8(texts))
    assert [int(high) << 64 | int(low) for high, low in found] == [
        xxhash.xxh3_128_intdigest((text or "").encode()) for text in texts.to_pylist()]
