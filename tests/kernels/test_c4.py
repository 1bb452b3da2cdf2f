"""C4's line rules: the kernel against the rules written out in plain Python, in both readings."""

from __future__ import annotations

import re
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.buffers import as_text, utf8
from dataengine.kernels.c4 import Options, clean_lines
from dataengine.kernels.english_characters import character_flags
from dataengine.kernels.sentences import sentences_in

DEFAULTS = Options(
    max_word=12, min_words=3, citations=True, end_mark=True, javascript=True, policy=True, lorem=True, bracket=True,
    datatrove=True, long_line=20,
)  # fmt: skip
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
CITATION = re.compile(r"\[[0-9]*]|\[edit]|\[citation needed]")
PIECES = [
    "One two three.", "four five", " ", "\n", "\r\n", "\r", "\x0b", "\x85", "\u2028", "\t",
    "!", "?", '"', "'", "...", ".",
    "[12]", "[]", "[edit]", "[citation needed]", "[x]",
    "[", "JavaScript", "javascript", "Lorem Ipsum", "lorem  ipsum", "{",
    "Terms of Use", "uses COOKIES", "privacy policies", "privacy policy",
    "exactly12345", "exactly123456", "é", "日本。", "”",
    "\u00a0", "\u3000",
]  # fmt: skip
TEXTS = st.lists(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), min_size=1, max_size=4)


def datatrove(text: str, options: Options) -> tuple[str | None, dict[str, int]]:
    """What stays of a text, or None where a line drops it, and the counts that are not 0."""
    counts: dict[str, int] = {}

    def count(name: str, many: int = 1) -> None:
        counts[name] = counts.get(name, 0) + many

    kept = []
    for line in text.splitlines():
        if len(line) >= options.long_line:
            count("long_lines")
        line = line.strip()
        words = line.split()
        marks = len(CITATION.findall(line)) if options.citations else 0
        if any(len(word) > options.max_word for word in words):
            count("lines_with_long_word")
            continue
        if options.citations:
            line = CITATION.sub("", line)
        lower = line.lower()
        if options.end_mark and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            count("lines_without_end_mark")
            continue
        if len(words) < options.min_words:
            count("lines_with_few_words")
            continue
        if "lorem ipsum" in lower:
            count("lorem_ipsum")
            if options.lorem:
                return None, counts
        if options.javascript and "javascript" in lower:
            count("lines_with_javascript")
            continue
        if "{" in line:
            count("curly_brackets", line.count("{"))
            if options.bracket:
                return None, counts
        if options.policy and any(phrase in lower for phrase in POLICY):
            count("lines_with_policy")
            continue
        count("kept_lines")
        if marks:
            count("removed_citations", marks)
        kept.append(line)
    return "\n".join(kept).strip(), counts


def cleaned(texts: list[str], options: Options) -> list[tuple[str, dict[str, int]]]:
    found = clean_lines(*utf8(pa.array(texts)), options)
    column = as_text(found.data, found.offsets)
    column.validate(full=True)
    rows = zip(*(values.tolist() for values in found.counts.values()), strict=True)
    counts = [{name: value for name, value in zip(found.counts, row, strict=True) if value} for row in rows]
    return list(zip(column.to_pylist(), counts, strict=True))


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.booleans(), st.booleans(), st.booleans())
def test_in_datatroves_reading(texts: list[str], ends: bool, citations: bool, drops: bool) -> None:
    options = DEFAULTS._replace(end_mark=ends, citations=citations, lorem=drops, bracket=drops)
    for (text, counts), original in zip(cleaned(texts, options), texts, strict=True):
        expected, numbers = datatrove(original, options)
        assert counts == numbers
        assert expected is None or text == expected


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_in_the_papers_reading_only_lines_that_end_otherwise_or_have_other_words_differ(texts: list[str]) -> None:
    options = DEFAULTS._replace(datatrove=False)
    both = DEFAULTS._replace(lorem=False, bracket=False)
    for (text, counts), original in zip(cleaned(texts, options), texts, strict=True):
        assert counts.get("curly_brackets", 0) == original.count("{")
        assert counts.get("lorem_ipsum", 0) == original.lower().count("lorem ipsum")
        if original.isascii() and "'" not in original:
            assert text == datatrove(original, both)[0]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", 0), ("   ", 0), ("word", 1), ("One.", 1),
        ("One. Two", 2), ("One.Two", 1), ("One. two", 1), ("Wait... What?!", 2),
        ('He said: "Go." She went.', 2), ("(One.) Two.", 2),
        ("Is it 3.14? Yes. No.", 3), ("去。看！", 2), ("去。看", 2),
        ("「去。」看。", 2), ("नदी है। चक्की है।", 2), ("E.g. this one.", 1),
        ("One.\u2028Two.", 2), ("...", 1), ("One. (Two.)", 2),
    ],
)  # fmt: skip
def test_sentences_of_any_script(text: str, sentences: int) -> None:
    data = utf8(pa.array([text]))[0]
    assert sentences_in(data, 0, len(text.encode()), character_flags()) == sentences


def test_time_grows_with_the_text_and_no_faster() -> None:
    hostile = ("[1", "[", "m", "use cookie", "lorem ips", "a ", "a. ", "x", "\n", "[1].\n", "é", "日")

    def seconds(size: int) -> float:
        columns = [utf8(pa.array([text * size + " one two three."])) for text in hostile]
        started = time.process_time()
        for column in columns:
            clean_lines(*column, DEFAULTS._replace(max_word=1000, datatrove=False))
        return time.process_time() - started

    seconds(1000)
    small = min(seconds(50_000) for _ in range(3))
    assert seconds(400_000) < 40 * small
