"""dedup.substring: what goes, held against a dictionary of all windows, and against a suffix array."""

from __future__ import annotations

import hashlib
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataengine import shards
from tests.gathering import rows_of
from tests.pruning import Pruned, pruned, repeated_bytes, stretches_of

STAGE = "dedup.substring"
BYTES = {"cut": "character", "min_cut": 1}
"""All that is repeated goes, but for parts of characters."""


def marked(texts: list[str], found: Pruned) -> list[list[bool]]:
    """For every byte whether it went."""
    marks = [[False] * len(text.encode()) for text in texts]
    for row, spans in found.removed.items():
        for start, end, _ in spans:
            marks[row][start:end] = [True] * (end - start)
    return marks


def whole_characters(text: str, mark: list[bool]) -> list[bool]:
    """The marks, but for those at the ends of a run that are of a part of a character."""
    raw, found = text.encode(), [False] * len(mark)
    for start, end in stretches_of(mark):
        inside = [at for at in range(start, end + 1) if at == len(raw) or raw[at] & 0xC0 != 0x80]
        for at in range(inside[0], inside[-1]) if inside else ():
            found[at] = True
    return found


def corpus(rows: int, seed: int, alphabet: str = "abc d\n") -> list[str]:
    """Texts put together of blocks that come again and again, of noise, of runs and periods."""
    rng = random.Random(seed)
    blocks = ["".join(rng.choices(alphabet, k=rng.randint(5, 70))) for _ in range(12)]
    blocks += ["x" * 60, "ab" * 40, "é" * 30, "日本語" * 9]
    return ["".join(rng.choice(blocks) if rng.random() < 0.6 else "".join(rng.choices(alphabet + "é", k=30))
                    for _ in range(rng.randint(0, 7))) for _ in range(rows)]


@pytest.mark.parametrize(("files", "length"), [(1, 16), (5, 16), (9, 40), (30, 16)])  # thirty: several ranges of keys
def test_just_what_stood_before_for_so_many_bytes_goes(tmp_path: Path, files: int, length: int) -> None:
    texts = corpus(60, seed=length + files)
    found = pruned(tmp_path, texts, STAGE, files=files, min_length=length, **BYTES)
    expected = [whole_characters(text, mark) for text, mark in zip(texts, repeated_bytes(texts, length), strict=True)]
    assert marked(texts, found) == expected
    assert sum(map(sum, expected)) > 500


@given(st.lists(st.lists(st.sampled_from(["a", "b", "ab", "a" * 9, "abab" * 3, "é", "字 "]), max_size=12).map("".join),
                min_size=1, max_size=4))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_texts_lose_just_what_stood_before(tmp_path_factory, texts: list[str]) -> None:
    found = pruned(tmp_path_factory.mktemp("any"), texts, STAGE, files=min(2, len(texts)), min_length=16, **BYTES)
    assert marked(texts, found) == [
        whole_characters(text, mark) for text, mark in zip(texts, repeated_bytes(texts, 16), strict=True)]


@given(st.lists(st.lists(st.sampled_from(["a", "b", "aab", "abcd" * 3, "cdef" * 3, "x" * 14]), max_size=9)
                .map("".join), min_size=1, max_size=6), st.integers(4, 16))
@settings(max_examples=200, deadline=None)
def test_from_every_byte_that_goes_its_copies_lead_back_to_one_that_stays(texts: list[str], length: int) -> None:
    """The claim of the stage's page, of the definition itself."""
    marks = repeated_bytes(texts, length)
    first: dict[str, tuple[int, int]] = {}
    for row, text in enumerate(texts):
        for place in range(len(text) - length + 1):
            first.setdefault(text[place : place + length], (row, place))
    for row, text in enumerate(texts):
        for place in range(len(text)):
            at = row, place
            while marks[at[0]][at[1]]:
                here, byte = at
                earlier = [
                    (where[0], where[1] + byte - start)
                    for start in range(max(0, byte - length + 1), min(byte, len(texts[here]) - length) + 1)
                    for where in [first[texts[here][start : start + length]]]
                    if where[0] < here or where[1] + length <= start
                ]
                assert earlier, "a byte goes only with a window that stood before"
                assert min(earlier) < at and texts[min(earlier)[0]][min(earlier)[1]] == text[place]
                at = min(earlier)


def test_a_suffix_array_finds_the_same(tmp_path: Path) -> None:
    suffixes = pytest.importorskip("pydivsufsort", reason="pydivsufsort is not installed")
    texts, length = corpus(200, seed=7), 30
    found = pruned(tmp_path, texts, STAGE, files=4, min_length=length, **BYTES)
    joined, starts = b"", []
    for text in texts:
        starts.append(len(joined))
        joined += text.encode() + b"\xff"
    order = suffixes.divsufsort(joined)
    common = suffixes.kasai(joined, order)  # common[i]: bytes that order[i] and order[i + 1] share
    owner = [row for row, text in enumerate(texts) for _ in range(len(text.encode()) + 1)]
    marks = [[False] * len(text.encode()) for text in texts]
    group: list[int] = []
    for rank, place in enumerate(order):
        group.append(int(place))
        if rank + 1 == len(order) or common[rank] < length:
            inside = [at for at in sorted(group) if b"\xff" not in joined[at : at + length]
                      and len(joined) - at >= length]
            for at in inside[1:]:
                if owner[at] != owner[inside[0]] or at - inside[0] >= length:
                    begin = at - starts[owner[at]]
                    marks[owner[at]][begin : begin + length] = [True] * length
            group = []
    assert marked(texts, found) == [whole_characters(text, mark) for text, mark in zip(texts, marks, strict=True)]


@pytest.mark.parametrize("cut", ["word", "line"])
def test_words_and_lines_stay_whole(tmp_path: Path, cut: str) -> None:
    rng = random.Random(cut)
    words = ["river", "stone", "light", "日本", "glass", "été"]
    blocks = [" ".join(rng.choices(words, k=12)) for _ in range(8)]
    texts = ["".join(rng.choice(blocks)[rng.randint(0, 9):] + rng.choice(["\n", " "]) for _ in range(5))
             for _ in range(40)]
    found = pruned(tmp_path, texts, STAGE, files=3, min_length=24, cut=cut, min_cut=1)
    assert sum(found.counts.values()) > 20
    for row, spans in found.removed.items():
        raw = texts[row].encode()
        for start, end in stretches_of([any(a <= at < b for a, b, _ in spans) for at in range(len(raw))]):
            for at in (start, end):
                before, after = raw[:at].decode(), raw[at:].decode()
                fine = not before or not after or before[-1] == "\n"
                if cut == "word":
                    fine = fine or before[-1] == " " or before[-1] in "日本" or after[0] in "日本"
                assert fine, (before[-5:], after[:5])


def test_little_cuts_are_left_alone_and_touching_ones_counted_as_one(tmp_path: Path) -> None:
    one, two = "a sentence that stands twice. ", "Another one, twice as well. "
    texts = [one + "x" * 40, two + "y" * 40, "Here: " + one + two + "the end"]
    found = pruned(tmp_path / "a", texts, STAGE, min_length=20, min_cut=10)
    assert found.left[2] == "Here: the end" and found.counts == {2: 1}
    assert [span[2] for span in found.removed[2]] == [0, 1]
    assert pruned(tmp_path / "b", texts, STAGE, min_length=20, min_cut=80).removed == {}


def test_the_bytes_do_not_depend_on_memory(tmp_path: Path) -> None:
    texts = corpus(80, seed=11)
    found = [pruned(tmp_path / str(memory), texts, STAGE, files=3, min_length=20, run={"memory_per_worker": memory})
             for memory in ("5kB", "1GB")]
    assert (found[0].left, found[0].removed) == (found[1].left, found[1].removed)


def hashed(number: int) -> str:
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


HOSTILE = {
    "one character": ["a" * 300_000] * 3,
    "a period": ["abc " * 60_000] * 3,
    "many copies": ["a page of some length that stands here again and again, as pages do. " * 4] * 10_000,
    "no text": [""] * 10_000,
    "a shared phrase, a bit too short": [f"{hashed(number)} All rights reserved by them. {hashed(-number)}"
                                         for number in range(10_000)],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_lanes_take_linear_time(tmp_path: Path, name: str) -> None:
    texts = HOSTILE[name]
    pruned(tmp_path / "warm", ["warm " * 40] * 2, STAGE, min_length=50, **BYTES)
    start = time.process_time()
    found = pruned(tmp_path / "x", texts, STAGE, files=2, min_length=50, **BYTES)
    assert time.process_time() - start < 12
    units = [shards.read_manifest(task.ref.folder(found.plan.out)).figures["looked_at_again"]
             for segment in found.plan.segments if segment.kind == "cuts" for task in segment.tasks
             if "smaller" not in segment.name]
    if name == "one character":
        assert found.left == {0: "a" * 50}
    elif name == "many copies":
        assert sorted(found.left) == [0] and units[0] < 30
    elif name == "no text":
        assert len(found.left) == 10_000
    elif name == "a period":
        assert len(found.left[0]) < 60 and sorted(found.left) == [0]
    else:
        assert found.removed == {}


def test_what_is_dropped_says_so_with_its_text_and_where_the_copy_is(tmp_path: Path) -> None:
    text = "A text that is here twice, word for word, and nothing else stands beside it.\n"
    found = pruned(tmp_path, [text, text, "short"], STAGE, min_length=40)
    (gone,) = rows_of(found.plan, shards.DROPPED)
    assert (gone["reason"], gone["text"], gone["left_bytes"]) == ("repeated_text", text, 0)
    assert found.removed == {1: [(0, len(text), 0)]}
