"""Take lines out of web pages that are no prose: RefinedWeb's line-wise corrections (arXiv:2306.01116, app. G.2).

Lines mostly in upper case, lines of digits, counters (`3 likes`) and single words go; of short lines the words of
navigation go, and the line with them if nothing is left. The counts are columns; put `filter.refinedweb` behind it,
which drops documents that lost more than 5 % of their words, as the paper does. For prose only: code loses every `}`,
verse its short lines, and scripts without spaces every line of one sentence (`min_words = 1` for those).

The paper leaves open what a share is of, and which nouns make a counter. `compat = "dclm"` follows DCLM
(arXiv:2406.11794), where shares are of all characters, a dot in a phrase is any character, the text is trimmed, and
words count as removed that are gone. By default shares are of visible characters, `1 like` is a counter too, and all
words of a touched line count as removed, as the paper says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from dataengine.stage import StageConfig, map

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    max_uppercase_ratio: float = Field(0.5, ge=0, le=1)
    """Largest share of a line's characters in upper case."""
    min_words: int = Field(2, ge=1)
    """Fewest words of a line that is not blank."""
    counters: tuple[str, ...] = ("likes", "shares", "comments", "retweets", "reposts", "quotes", "bookmarks", "upvotes",
                                 "downvotes", "downloads", "views", "followers")
    """Nouns that make a line a counter where only a number stands before them."""
    max_words: int = Field(10, ge=0)
    """Most words of a line in which words of navigation are looked for."""
    at_start: tuple[str, ...] = ("sign-in",)
    """Taken out at the beginning of a short line, in any case."""
    anywhere: tuple[str, ...] = ("items in cart",)
    """Taken out anywhere in a short line."""
    at_end: tuple[str, ...] = ("read more...",)
    """Taken out at the end of a short line."""
    compat: Literal["paper", "dclm"] = "paper"
    """Whose reading of the rules."""

    @field_validator("counters", "at_start", "anywhere", "at_end")
    @classmethod
    def _plain(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        for phrase in phrases:
            if not phrase.isascii() or not phrase.strip() or "\n" in phrase:
                raise ValueError(f"{phrase!r}: expected ASCII on one line")
        return phrases

    @field_validator("counters")
    @classmethod
    def _nouns(cls, nouns: tuple[str, ...]) -> tuple[str, ...]:
        for noun in nouns:
            if not noun.isalpha():
                raise ValueError(f"{noun!r}: expected one word of letters")
        return nouns


ADDS = {
    "text": "string",
    "words_before": "int64",
    "words_removed": "int64",
    "uppercase_lines": "int64",
    "numeric_lines": "int64",
    "counter_lines": "int64",
    "one_word_lines": "int64",
    "navigation_lines": "int64",
}


@map(reads=["text"], adds=ADDS, version=1)
def lines(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    """`words_before` and `words_removed` count words that begin with a letter or digit."""
    from dataengine.kernels.buffers import text_array, utf8
    from dataengine.kernels.web_lines import COLUMNS, Rules, clean_lines

    rules = Rules(config.counters, config.at_start, config.anywhere, config.at_end, config.max_uppercase_ratio,
                  config.min_words, config.max_words, config.compat == "dclm")
    data, ends, counts = clean_lines(*utf8(batch["text"]), rules)
    return {"text": text_array(data, ends), **dict(zip(COLUMNS, counts.T, strict=True))}
