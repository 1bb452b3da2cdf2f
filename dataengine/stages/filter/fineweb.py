"""Keep text whose lines look like paragraphs, not like lists and menus (FineWeb, arXiv:2406.17557, section 3.6).

Four rules found by comparing good and bad crawls: too few lines end with punctuation, too many lines are short, too
much text is in lines that came before, too many line breaks for the words there are.

| | paper (default) | datatrove 0.10 |
|---|---|---|
| words | of every script [1], and marks that stand alone | English tokens [2], each mark too |
| lines | ``str.splitlines``, trimmed | between ``\\n``, as they stand [3] |

[1] `dataengine.kernels.words`. [2] spaCy's, see `dataengine.kernels.english`. [3] So a blank or ``\\r`` at the end is
the character the line ends with.

With ``compat = "datatrove"`` it decided as datatrove, for the same reason, on all of 924 texts of many kinds; the
paper's reading differed on 3 %. Lists, poems, dialogue and source code fail these rules by their nature: look at what
they drop before you believe them. Where words are units smaller than a dictionary's (Chinese, Thai),
`max_newline_ratio` is easier to meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from dataengine.stage import CountLimit, Limit, Rule, StageConfig, filter

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    compat: Literal["paper", "datatrove"] = "paper"
    """Whose reading of words and lines is meant: see the table above."""
    min_lines: CountLimit = 1
    """Fewest lines with something visible on them."""
    min_ended_line_ratio: Limit = 0.12
    """Smallest share of lines that end with punctuation that ends sentences, in any script."""
    allow_no_ended_line: bool = False
    """Whether a text where no line at all ends with punctuation passes the rule above."""
    max_short_line_ratio: Limit = 0.67
    """Largest share of short lines."""
    short_line: int = 30
    """Most characters of a short line."""
    max_repeated_line_ratio: Limit = 0.01
    """Largest share of characters, line breaks aside, in lines that came before."""
    max_newline_ratio: Limit = 0.3
    """Most line breaks per word."""


RULES = [
    Rule("empty", "visible_lines", "<", "min_lines"),
    Rule("too_few_ended_lines", "ended_line_ratio", "<", "min_ended_line_ratio"),
    Rule("too_many_short_lines", "short_line_ratio", ">", "max_short_line_ratio"),
    Rule("too_much_text_in_repeated_lines", "repeated_line_ratio", ">", "max_repeated_line_ratio"),
    Rule("too_many_newlines", "newline_ratio", ">", "max_newline_ratio"),
]

MEASURES = {
    "visible_lines": "int64",
    "ended_line_ratio": "float64",
    "short_line_ratio": "float64",
    "repeated_line_ratio": "float64",
    "newline_ratio": "float64",
}


@filter(reads=["text"], measures=MEASURES, rules=RULES, version=1)
def fineweb(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    import pyarrow as pa

    from dataengine.kernels.prose_lines import prose_lines
    from dataengine.kernels.ratios import ratio
    from dataengine.kernels.scan import scan

    datatrove = config.compat == "datatrove"
    found = scan(batch["text"], "english" if datatrove else "words")
    counts = prose_lines(found, config.short_line, as_is=datatrove)
    ended = ratio(counts["ended_lines"], counts["lines"])
    passes = (ended == 0) & config.allow_no_ended_line
    return {
        "visible_lines": counts["lines"],
        "ended_line_ratio": pa.array(ended, mask=passes),
        "short_line_ratio": ratio(counts["short_lines"], counts["lines"]),
        "repeated_line_ratio": ratio(counts["repeated_characters"], counts["line_characters"]),
        "newline_ratio": ratio(counts["breaks"], counts["tokens"]),
    }
