"""Keep text that does not repeat itself: lines, paragraphs and word n-grams (Gopher, arXiv:2112.11446, table A1).

Fractions are of the text's characters, white space included. Where the paper is silent, `compat` says whose reading is
meant; what is counted, to the letter, stands in `dataengine.kernels.repetition`.

| | paper (default) | datatrove 0.10 | dolma |
|---|---|---|---|
| words | of every script [1] | English tokens [2], marks too | as ``str.split`` |
| lines | visible ones, trimmed | between runs of ``\\n`` | between any two ``\\n`` |
| paragraphs | parted by blank lines | parted by ``\\n\\n`` | none |
| duplicates | all but the first | all but the first | the first too |
| an n-gram that occurs once | is no repetition | may be the commonest | may be the commonest |
| fractions of | all characters | all characters | those of words [3] |

[1] `dataengine.kernels.words`. [2] spaCy's, see `dataengine.kernels.english`. [3] Duplicate n-grams: of all n-grams,
which overlap.

For datatrove a short text repeats itself, because any two of its words are a fifth of it: of 924 texts of many kinds,
many of them short, its filter dropped 18 %, the paper's reading 6 %. With ``compat = "datatrove"`` this one decided as
datatrove, for the same reason, on all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from dataengine.stage import CountLimit, Limit, Rule, StageConfig, filter

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    compat: Literal["paper", "datatrove", "dolma"] = "paper"
    """Whose reading of words, lines and n-grams is meant: see the table above."""
    min_characters: CountLimit = 1
    """Fewest characters: an empty text is dropped."""
    max_duplicate_paragraph_ratio: Limit = 0.30
    """Largest share of paragraphs that came before."""
    max_duplicate_paragraph_character_ratio: Limit = 0.20
    """Largest share of characters in paragraphs that came before."""
    max_duplicate_line_ratio: Limit = 0.30
    """Largest share of lines that came before."""
    max_duplicate_line_character_ratio: Limit = 0.20
    """Largest share of characters in lines that came before."""
    max_top_2gram_ratio: Limit = 0.20
    """Largest share of characters in the commonest two words."""
    max_top_3gram_ratio: Limit = 0.18
    """Largest share of characters in the commonest three words."""
    max_top_4gram_ratio: Limit = 0.16
    """Largest share of characters in the commonest four words."""
    max_duplicate_5gram_ratio: Limit = 0.15
    """Largest share of characters in five words that came before."""
    max_duplicate_6gram_ratio: Limit = 0.14
    """Largest share of characters in six words that came before."""
    max_duplicate_7gram_ratio: Limit = 0.13
    """Largest share of characters in seven words that came before."""
    max_duplicate_8gram_ratio: Limit = 0.12
    """Largest share of characters in eight words that came before."""
    max_duplicate_9gram_ratio: Limit = 0.11
    """Largest share of characters in nine words that came before."""
    max_duplicate_10gram_ratio: Limit = 0.10
    """Largest share of characters in ten words that came before."""


RULES = [
    Rule("empty", "characters", "<", "min_characters"),
    Rule("too_many_duplicate_paragraphs", "duplicate_paragraph_ratio", ">", "max_duplicate_paragraph_ratio"),
    Rule(
        "too_much_text_in_duplicate_paragraphs",
        "duplicate_paragraph_character_ratio",
        ">",
        "max_duplicate_paragraph_character_ratio",
    ),
    Rule("too_many_duplicate_lines", "duplicate_line_ratio", ">", "max_duplicate_line_ratio"),
    Rule(
        "too_much_text_in_duplicate_lines", "duplicate_line_character_ratio", ">", "max_duplicate_line_character_ratio"
    ),
    *[Rule(f"one_{n}gram_too_often", f"top_{n}gram_ratio", ">", f"max_top_{n}gram_ratio") for n in range(2, 5)],
    *[
        Rule(f"too_many_duplicate_{n}grams", f"duplicate_{n}gram_ratio", ">", f"max_duplicate_{n}gram_ratio")
        for n in range(5, 11)
    ],
]


MEASURES = {"characters": "int64"} | {rule.measure: "float64" for rule in RULES[1:]}


@filter(reads=["text"], measures=MEASURES, rules=RULES, version=2)
def repetition(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    from dataengine.kernels import repetition as kernel
    from dataengine.kernels.ratios import ratio
    from dataengine.kernels.scan import scan

    reading, splitting = {
        "paper": (kernel.PAPER, "words"), "datatrove": (kernel.DATATROVE, "english"), "dolma": (kernel.DOLMA, "chunks"),
    }[config.compat]  # fmt: skip
    counts = kernel.repetition(scan(batch["text"], splitting), reading)
    dolma = config.compat == "dolma"
    characters = counts["token_characters" if dolma else "characters"]
    shares = {
        "characters": counts["characters"],
        "duplicate_paragraph_ratio": ratio(counts["duplicate_paragraphs"], counts["paragraphs"]),
        "duplicate_paragraph_character_ratio": ratio(counts["duplicate_paragraph_characters"], characters),
        "duplicate_line_ratio": ratio(counts["duplicate_lines"], counts["lines"]),
        "duplicate_line_character_ratio": ratio(counts["duplicate_line_characters"], characters),
    }
    for n in range(2, 5):
        shares[f"top_{n}gram_ratio"] = ratio(counts[f"top_{n}gram_characters"], characters)
    for n in range(5, 11):
        whole = counts[f"all_{n}gram_characters"] if dolma else characters
        shares[f"duplicate_{n}gram_ratio"] = ratio(counts[f"duplicate_{n}gram_characters"], whole)
    return shares
