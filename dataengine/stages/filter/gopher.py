"""Keep text that reads like prose (Gopher, arXiv:2112.11446, section A.1.1).

The paper names the rules and not what a word is; `compat` says whose reading is meant.

| | paper (default) | datatrove 0.10 | dolma |
|---|---|---|---|
| a word | what white space separates, without the marks around it; a unit of a script without spaces (`dataengine.kernels.words`) | a token of spaCy's English tokenizer with anything but marks in it | what white space separates |
| the whole that ratios are of | words, and marks that stand alone | all tokens, each mark too | words |
| mean word length | of scripts with spaces; none where they are the smaller part | of the words | the median, of all |
| '#' and ellipses | signs per word, each kind by itself | the same | share of words with '#' or '…' together, in `hash_ratio` |
| lines | as `str.splitlines`, without white space around them | the same | at `\\n` only, as they stand |
| bullets, line ellipses | `-` `•`, `...` `…` | the same | `-` `*`, `…` |
| stop words | different ones | different ones, as tokens | all occurrences |

The paper's reading is the default because it is right for more text and costs least: where every mark is a word, as in
datatrove, dialogue and lists have "too few alphabetic words" (of 924 texts of many kinds datatrove's filter dropped
40 %, 29 % by that rule alone). With `compat = "datatrove"` it decides and gives the same reason as datatrove on all of them: choose
that to repeat FineWeb.

**Languages.** Give the language's own `stop_words`, six to ten of its commonest; each must be one word by the table
above, so for Chinese ``["的", "是", "了", "在", "和", "不"]``, for Japanese ``["の", "に", "は", "を", "た", "で"]``, for Thai
single units such as ``["ที่", "และ", "ไม่", "ใน"]``. Words of Chinese, Japanese, Thai, Lao, Khmer and Burmese are units
smaller than a dictionary's words: double `min_words` for them. The rule of mean word length passes by such texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import field_validator

from dataengine.stage import Rule, StageConfig, filter

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    compat: Literal["paper", "datatrove", "dolma"] = "paper"
    """Whose reading of words, lines and symbols is meant: see the table above."""
    min_words: int | None = 50
    """Fewest words."""
    max_words: int | None = 100_000
    """Most words."""
    min_mean_word_length: float | None = 3.0
    """Shortest mean length of the words, in characters."""
    max_mean_word_length: float | None = 10.0
    """Longest mean length of the words, in characters."""
    max_hash_ratio: float | None = 0.1
    """Most '#' signs per word."""
    max_ellipsis_ratio: float | None = 0.1
    """Most ellipses ('...' or '…') per word."""
    max_bullet_line_ratio: float | None = 0.9
    """Largest share of lines that begin with a bullet."""
    max_ellipsis_line_ratio: float | None = 0.3
    """Largest share of lines that end with an ellipsis."""
    min_alphabetic_word_ratio: float | None = 0.8
    """Smallest share of words that hold a letter."""
    min_stop_words: int | None = 2
    """Fewest different stop words."""
    stop_words: tuple[str, ...] = ("the", "be", "to", "of", "and", "that", "have", "with")
    """Words that running text of the language cannot do without, at most 64; the paper's are English."""

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
SPLITTING = {"paper": "words", "datatrove": "english", "dolma": "chunks"}


@filter(reads=["text"], measures=MEASURES, rules=RULES, version=2)
def gopher(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    import pyarrow as pa

    from dataengine.kernels.ratios import ratio
    from dataengine.kernels.scan import scan
    from dataengine.kernels.text_statistics import AS_IS, TRIMMED, text_statistics

    dolma = config.compat == "dolma"
    found = scan(batch["text"], SPLITTING[config.compat])
    counts = text_statistics(found, config.stop_words, AS_IS if dolma else TRIMMED)
    tokens, lines = counts["tokens"], counts["lines"]
    length = ratio(counts["spaced_characters"], counts["spaced_words"])
    mostly_unspaced = counts["spaced_words"] * 2 < counts["words"]
    return {
        "words": counts["words"],
        "mean_word_length": counts["median_size"] / 2 if dolma else pa.array(length, mask=mostly_unspaced),
        "hash_ratio": ratio(counts["symbol_words"] if dolma else counts["hashes"], tokens),
        "ellipsis_ratio": ratio(counts["ellipses"] * (not dolma), tokens),
        "bullet_line_ratio": ratio(counts["bullet_lines"], lines),
        "ellipsis_line_ratio": ratio(counts["ellipsis_lines"], lines),
        "alphabetic_word_ratio": ratio(counts["alphabetic_words"], tokens),
        "stop_words": counts["stop_word_occurrences" if dolma else "stop_words"],
    }
