"""Keep text that reads like prose (Gopher, arXiv:2112.11446, section A.1.1).

Where the paper is silent, words, lines and bullets follow datatrove, with which FineWeb was made: punctuation marks at
a word's edges are words of their own, stop words are matched as written (``the``, not ``The``), blank lines are lines.
Languages written without spaces have few, very long words here, so this filter drops them.
Of 924 texts of many kinds (articles, fiction, mail, tables) it kept 60 %, and 72 % of the dropped had too few
alphabetic words, for which dialogue is enough; it decided as datatrove 0.10 on 96 %. Look at ``dropped`` before you
trust the defaults with another kind of text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import field_validator

from dataengine.stage import Rule, StageConfig, filter

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    min_words: int | None = 50
    """Fewest words; a word has a letter or a digit."""
    max_words: int | None = 100_000
    """Most words."""
    min_mean_word_length: float | None = 3.0
    """Shortest mean length of the words, in characters."""
    max_mean_word_length: float | None = 10.0
    """Longest mean length of the words, in characters."""
    max_hash_ratio: float | None = 0.1
    """Most '#' signs per word or mark."""
    max_ellipsis_ratio: float | None = 0.1
    """Most ellipses ('...' or '…') per word or mark."""
    max_bullet_line_ratio: float | None = 0.9
    """Largest share of lines that begin with '-' or '•'."""
    max_ellipsis_line_ratio: float | None = 0.3
    """Largest share of lines that end with an ellipsis."""
    min_alphabetic_word_ratio: float | None = 0.8
    """Smallest share of words and marks that hold a letter."""
    min_stop_words: int | None = 2
    """Fewest different stop words."""
    stop_words: tuple[str, ...] = ("the", "be", "to", "of", "and", "that", "have", "with")
    """Words that running text of the language cannot do without, at most 64; the paper's are English."""
    marks_are_words: bool = True
    """Whether the ratios per word count punctuation marks too, as datatrove does; false drops far less."""

    @field_validator("stop_words")
    @classmethod
    def _single_words(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what could never match: ``of the``, ``don't!``, or two times the same word."""
        import unicodedata

        for word in words:
            edges = {unicodedata.category(letter)[0] for letter in (word[:1], word[-1:]) if letter}
            if not word or not edges <= set("LNM") or len(word.split()) != 1:
                raise ValueError(f"{word!r} is not a single word that begins and ends with a letter or digit")
        if len(set(words)) != len(words) or len(words) > 64:
            raise ValueError("expected at most 64 words, each once")
        return words


RULES = [
    Rule("too_few_words", "words", "<", "min_words"),
    Rule("too_many_words", "words", ">", "max_words"),
    Rule("words_too_short", "mean_word_length", "<", "min_mean_word_length"),
    Rule("words_too_long", "mean_word_length", ">", "max_mean_word_length"),
    Rule("too_many_hashes", "hash_ratio", ">", "max_hash_ratio"),
    Rule("too_many_ellipses", "ellipsis_ratio", ">", "max_ellipsis_ratio"),
    Rule("too_many_bullet_lines", "bullet_line_ratio", ">", "max_bullet_line_ratio"),
    Rule("too_many_ellipsis_lines", "ellipsis_line_ratio", ">", "max_ellipsis_line_ratio"),
    Rule("too_few_alphabetic_words", "alphabetic_word_ratio", "<", "min_alphabetic_word_ratio"),
    Rule("too_few_stop_words", "stop_words", "<", "min_stop_words"),
]

MEASURES = {
    "words": "int64",
    "mean_word_length": "float64",
    "hash_ratio": "float64",
    "ellipsis_ratio": "float64",
    "bullet_line_ratio": "float64",
    "ellipsis_line_ratio": "float64",
    "alphabetic_word_ratio": "float64",
    "stop_words": "int64",
}


@filter(reads=["text"], measures=MEASURES, rules=RULES, version=1)
def gopher(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.ratios import ratio
    from dataengine.kernels.text_statistics import text_statistics

    counts = text_statistics(*utf8(batch["text"]), config.stop_words)
    words, lines = counts["words"], counts["lines"]
    all_words = counts["tokens"] if config.marks_are_words else words
    return {
        "words": words,
        "mean_word_length": ratio(counts["word_characters"], words),
        "hash_ratio": ratio(counts["hashes"], all_words),
        "ellipsis_ratio": ratio(counts["ellipses"], all_words),
        "bullet_line_ratio": ratio(counts["bullet_lines"], lines),
        "ellipsis_line_ratio": ratio(counts["ellipsis_lines"], lines),
        "alphabetic_word_ratio": ratio(counts["alphabetic_words"], all_words),
        "stop_words": counts["stop_words"],
    }
