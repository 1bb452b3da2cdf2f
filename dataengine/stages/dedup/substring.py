"""Keep one copy of all text that occurs more than once in a lane for at least `min_length` bytes, wherever it stands.

A window of `min_length` bytes is repeated if the same bytes stand before it in the lane, in an earlier document or
earlier in its own without overlap. What goes is all that lies in some repeated window, moved inwards to whole
characters, words or lines (`cut`); less than `min_cut` is left alone. So for each byte that goes there is the same
byte in the same surroundings before it, and following them one comes to a byte that stays. Exact up to 128 bits of
hash; no text is compared with more than it shares a window with, and runs of one character, tables and a million
copies of one page take what any text takes. This is the ExactSubstr of Lee et al. (2021, arXiv:2107.06499), which
RefinedWeb ran with 50 tokens, about 200 bytes of English, keeping none of the copies; here one stays.

A document of which nothing is left is dropped as `repeated_text`. What was cut from where, and which document holds
the same text, is in the column `removed_substrings_spans`; the text as it was stays in the shard before. Run
`dedup.exact` and `dedup.minhash` first: what whole documents share is cheaper found by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dataengine.prune import Units, prune
from dataengine.stages.dedup._units import PruneConfig, rules

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Config(PruneConfig):
    min_length: int = Field(200, ge=16, le=1_000_000)
    """Fewest bytes of text, as UTF-8, that two places must share."""
    cut: Literal["character", "word", "line"] = "word"
    """Where texts are cut. "word": behind white space, and beside any character of a script without spaces. "line":
    only whole lines go, which leaves no broken sentences in prose whose paragraphs are lines."""
    min_cut: int | None = Field(None, ge=1)
    """Fewest bytes of a cut, once it is moved to where text may be cut; half of `min_length` if not given."""


def smaller(batch: pa.RecordBatch, config: Config, units: Units) -> Units:
    """The windows inside stretches of which others have the anchor, but not all of the text."""
    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.winnow import windows

    return Units(*windows(*utf8(batch["text"]), config.min_length, units.rows, units.starts, units.ends))


def fit(
    data: np.ndarray, offsets: np.ndarray, config: Config, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from dataengine.kernels.borders import shrunk

    least = config.min_length // 2 if config.min_cut is None else config.min_cut
    return shrunk(data, offsets, rows, starts, ends, config.cut, least)


@prune(counts="removed_substrings", rules=rules("repeated_text"), version=1, smaller=smaller, fit=fit)
def substring(batch: pa.RecordBatch, config: Config) -> Units:
    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.winnow import stretches

    return Units(*stretches(*utf8(batch["text"]), config.min_length))
