"""Keep the lines of a text that are prose, and the text if enough is left (C4, arXiv:1910.10683, section 2.2).

The one filter that edits. A line goes if it does not end as sentences do, has fewer than three words or one of more
than 1,000 characters, or speaks of JavaScript or cookies; marks of citations (``[12]``) are taken out. What was taken
is counted by reason, in columns, and in bytes by the ledger. A text goes if ``lorem ipsum`` or a curly bracket is in
it, or fewer than five sentences left. Dropped rows keep the text they came with.

The rule of the curly bracket was meant for scripts in pages and deletes LaTeX, JSON and source code: FineMath had to
fetch its pages back from the rejected. Switch it off (``max_curly_brackets = false``) where math or code may come.

| | paper (default) | datatrove 0.10 |
|---|---|---|
| a line ends with | ``. ! ? "``, such marks of any script, closing quotes | ``. ! ? " '`` |
| lorem ipsum, curly bracket | anywhere in the text | in lines that stay; the first decides |
| words of a line | as ``str.split``, or characters of scripts without spaces | as ``str.split`` |
| sentences | end with a mark and white space, in any script | of spaCy's sentencizer |

With ``compat = "datatrove"`` it decided as datatrove, for the same reason and with the same text left, on all of 924
texts of many kinds. There a text is read up to the first line that drops it. The paper's list of bad words is not
applied. `min_long_lines` is the rule of mC4: three lines of 200 characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from dataengine.stage import CountLimit, Rule, StageConfig, filter

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    compat: Literal["paper", "datatrove"] = "paper"
    """Whose reading of the rules is meant: see the table above."""
    min_sentences: CountLimit = 5
    """Fewest sentences in the lines that stay."""
    max_lorem_ipsum: CountLimit = 0
    """Most lines with ``lorem ipsum``, in any case of letters; false switches the rule off."""
    max_curly_brackets: CountLimit = 0
    """Most ``{``; false switches the rule off, which texts with LaTeX or code need."""
    min_long_lines: CountLimit = None
    """Fewest lines of at least `long_line` characters, before any line is taken out; mC4 has 3."""
    long_line: int = Field(200, ge=1)
    """Fewest characters of a long line."""
    require_end_mark: bool = True
    """Whether lines go that do not end as sentences do; FineWeb switched this off."""
    min_words_per_line: int = Field(3, ge=0)
    """Lines with fewer words go."""
    max_word_length: CountLimit = 1000
    """Lines with a longer word go."""
    remove_javascript_lines: bool = True
    """Whether lines go that speak of JavaScript."""
    remove_policy_lines: bool = True
    """Whether lines go that speak of terms of use, privacy or cookies."""
    remove_citations: bool = True
    """Whether ``[12]``, ``[edit]`` and ``[citation needed]`` are taken out."""


RULES = [
    Rule("too_few_long_lines", "long_lines", "<", "min_long_lines"),
    Rule("lorem_ipsum", "lorem_ipsum", ">", "max_lorem_ipsum"),
    Rule("curly_bracket", "curly_brackets", ">", "max_curly_brackets"),
    Rule("too_few_sentences", "sentences", "<", "min_sentences"),
]

COUNTS = (
    "kept_lines", "lines_with_long_word", "lines_without_end_mark", "lines_with_few_words", "lines_with_javascript",
    "lines_with_policy", "removed_citations", "lorem_ipsum", "curly_brackets", "sentences", "long_lines",
)  # fmt: skip


@filter(reads=["text"], measures={"text": "string"} | dict.fromkeys(COUNTS, "int64"), rules=RULES, version=1)
def c4(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    from dataengine.kernels.buffers import as_text, utf8
    from dataengine.kernels.c4 import Options, clean_lines
    from dataengine.kernels.scan import scan
    from dataengine.kernels.sentences import english_sentences

    options = Options(
        max_word=-1 if config.max_word_length is None else config.max_word_length,
        min_words=config.min_words_per_line,
        citations=config.remove_citations,
        end_mark=config.require_end_mark,
        javascript=config.remove_javascript_lines,
        policy=config.remove_policy_lines,
        lorem=config.max_lorem_ipsum is not None,
        bracket=config.max_curly_brackets is not None,
        datatrove=config.compat == "datatrove",
        long_line=config.long_line,
    )
    cleaned = clean_lines(*utf8(batch["text"]), options)
    text = as_text(cleaned.data, cleaned.offsets)
    counts = dict(cleaned.counts)
    if options.datatrove and config.min_sentences is not None:
        found = scan(text, "english")
        counts["sentences"] = english_sentences(found.tokens)[found.rows]
    return {"text": text, **counts}
