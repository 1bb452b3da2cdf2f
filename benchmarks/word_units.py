"""How many of our words are in a word of a dictionary, for scripts that are written without spaces?

    python -m benchmarks.word_units FILE.jsonl [...]

Takes JSON Lines files with fields ``text`` and ``lang``, splits the texts with `dataengine.kernels.words` and, where
they are installed, with ICU's word breaker (``PyICU``) and jieba, and prints for each language: our words, theirs, the
ratio, and the share of their word boundaries that are boundaries of ours too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from benchmarks.machine import stamp
from dataengine.kernels.buffers import utf8
from dataengine.kernels.token_arrays import KIND, VISIBLE
from dataengine.kernels.words import split_words

LANGUAGES = ("zh", "ja", "th", "lo", "km", "my", "bo", "ko", "en", "hi")


def ours(text: str) -> list[tuple[int, int]]:
    """Places of our words, in characters."""
    found = split_words(*utf8(pa.array([text])))
    content = text.encode()
    words = found.tokens[: found.rows[1, 0]]
    return [
        (len(content[:start].decode()), len(content[:end].decode()))
        for start, end in words[words[:, KIND] & VISIBLE > 0, :2].tolist()
    ]


def icu(text: str, language: str) -> list[tuple[int, int]]:
    """Places of ICU's words that have a letter or digit in them."""
    from icu import BreakIterator, Locale

    breaker = BreakIterator.createWordInstance(Locale(language))
    breaker.setText(text)
    ends = [0, *breaker]
    return [
        (start, end)
        for start, end in pairwise(ends)
        if any(letter.isalnum() for letter in text[start:end])
    ]


def jieba_words(text: str) -> list[tuple[int, int]]:
    """Places of jieba's words that have a letter or digit in them."""
    import jieba

    jieba.setLogLevel(60)
    return [(start, end) for word, start, end in jieba.tokenize(text) if any(letter.isalnum() for letter in word)]


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The lines of a JSON Lines file, packed or not."""
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    texts: dict[str, str] = defaultdict(str)
    for path in parser.parse_args().files:
        for row in rows(path):
            language = row["lang"].split("-")[0].split("_")[0]
            if language in LANGUAGES and len(texts[language]) < 40_000:
                texts[language] += "".join(letter if ord(letter) < 0x10000 else " " for letter in row["text"]) + "\n"
    print(stamp())
    for language in filter(texts.__contains__, LANGUAGES):
        text = texts[language]
        mine = ours(text)
        edges = {start for start, _ in mine}
        for name in ("ICU", "jieba") if language == "zh" else ("ICU",):
            try:
                theirs = icu(text, language) if name == "ICU" else jieba_words(text)
            except ImportError as error:
                print(f"  {name} is not installed ({error})")
                continue
            shared = sum(start in edges for start, _ in theirs) / len(theirs)
            print(
                f"  {language}  ours {len(mine):6}  {name:5} {len(theirs):6}  ratio {len(mine) / len(theirs):.2f}  "
                f"their boundaries among ours {shared:.3f}"
            )


if __name__ == "__main__":
    main()
