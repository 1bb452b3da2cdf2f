"""Line-wise corrections against the same rules written with regular expressions, step after step."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataengine import stage
from dataengine.kernels.buffers import utf8
from dataengine.kernels.web_lines import Rules, clean_lines

LINES = stage.load("scrub.lines")
DEFAULT = LINES.config()
COUNTER = re.compile(r"\W*\d[,.\d]*[kmb]?\s+(?:" + "|".join(DEFAULT.counters) + r")\W*\Z")


def scrubbed(*texts: str | None, **config: object) -> dict[str, list]:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
    return {name: pa.array(column).to_pylist() for name, column in LINES(batch, LINES.config(**config)).items()}


def words(text: str) -> int:
    return sum(word[0].isalnum() for word in text.split())


def edited(line: str, pattern: str) -> str | None:
    if len(line.split()) > 10:
        return line
    found = re.sub(pattern, "", line, flags=re.IGNORECASE | re.ASCII)
    return None if line and not found.strip() else found


def dclm(text: str) -> str:
    """DCLM's steps in its order, each over all lines."""
    lines = [line for line in text.strip().split("\n") if not line or sum(map(str.isupper, line)) / len(line) <= 0.5]
    lines = [line for line in lines if not line or sum(map(str.isdigit, line)) / len(line) < 1]
    lines = [line for line in lines if not COUNTER.match(line.lower())]
    lines = [line for line in lines if not line or len(line.split()) >= 2]
    for pattern in (r"(?u:\s)?items in cart", r"(?u:\s)?read more...\Z", r"\Asign-in(?u:\s)?"):
        lines = [found for line in lines if (found := edited(line, pattern)) is not None]
    return "\n".join(lines).strip()


WORDS = ["prose", "Prose", "SHOUT", "É", "é", "12", "٣", "²", "3", "1,024", "5.1M", "likes", "views!", "(", "_", "日本",
         "Sign-in", "sign-in,", "items in cart", "xitems in cart", "Read more...", "read more!?é", "…", "Ⅷ"]
LINE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
BLANK = st.sampled_from(["", " ", "\t"])
TEXT = st.lists(st.sampled_from(["", "12 likes"]) | LINE, max_size=6).map("\n".join)


@settings(max_examples=400, deadline=None)
@given(TEXT)
def test_dclms_reading_is_dclms_steps(text: str) -> None:
    found = scrubbed(text, compat="dclm")
    assert found["text"] == [dclm(text)]
    assert (found["words_before"], found["words_removed"]) == ([words(text)], [words(text) - words(dclm(text))])


def paper(text: str) -> tuple[str, int]:
    """The default reading, a line at a time: text and words of the lines touched."""
    kept, removed = [], 0
    for line in text.split("\n"):
        visible = "".join(line.split())
        shouts = sum(map(str.isupper, visible)) > 0.5 * len(visible)
        counter = re.match(COUNTER.pattern.replace("s|", "s?|").replace("s)", "s?)"), line.lower())
        if visible and (shouts or all(map(str.isdigit, visible)) or counter or len(line.split()) < 2):
            removed += words(line)
            continue
        after: str | None = line
        if visible and len(line.split()) <= 10:
            core = line.strip()
            for pattern in (r"(?u:\s)?items in cart", r"(?u:\s)?read more\.\.\.\Z", r"\Asign-in(?u:\s)?"):
                core = re.sub(pattern, "", core, flags=re.IGNORECASE | re.ASCII)
            if core != line.strip():
                removed += words(line)
                after = core if core.strip() else None
        if after is not None:
            kept.append(after)
    return "\n".join(kept), removed


@settings(max_examples=400, deadline=None)
@given(st.lists(BLANK | LINE | LINE.map(lambda line: f"    {line} "), max_size=6).map("\n".join))
def test_the_papers_reading_is_its_rules_a_line_at_a_time(text: str) -> None:
    found = scrubbed(text)
    assert (found["text"], found["words_removed"]) == ([paper(text)[0]], [paper(text)[1]])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=4), st.sampled_from(["paper", "dclm"]))
def test_rows_do_not_see_each_other_and_any_text_stays_text(texts: list[str], compat: str) -> None:
    together = scrubbed(*texts, compat=compat)
    for row, text in enumerate(texts):
        assert {name: values[0] for name, values in scrubbed(text, compat=compat).items()} == {
            name: values[row] for name, values in together.items()}
        assert len(together["text"][row]) <= len(text)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_bytes_that_are_no_utf8_harm_nothing(raw: bytes, of_dclm: bool) -> None:
    data, offsets = utf8(pa.array([raw]))
    rules = Rules(("likes",), ("sign-in",), ("cart.",), ("more..",), 0.5, 2, 10, of_dclm)
    out, ends, _ = clean_lines(data, offsets, rules)
    assert len(out) == ends[-1] <= len(raw)


@pytest.mark.parametrize("config", [{"counters": ["two words"]}, {"at_end": ["más..."]}, {"anywhere": [" "]}])
def test_phrases_that_could_never_match_are_refused(config: dict) -> None:
    with pytest.raises(ValidationError):
        LINES.config(**config)


def test_long_lines_and_many_lines_cost_linear_time() -> None:
    nasty = ["1" * 5_000_000 + " likes", "items in car" * 400_000, "A\n" * 2_000_000, "\n" * 4_000_000, "." * 4_000_000]
    assert scrubbed(*nasty)["counter_lines"][0] == 1
