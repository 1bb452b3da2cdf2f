"""Keep one copy of every paragraph of a lane; paragraphs are parted by blank lines.

Paragraphs are compared by 128 bits of their text; the first in the order of the lane stays, later ones are cut out
with the blank lines behind them. `folded` and `masked` see through how lines are wrapped. Those shorter than
`min_length` are left alone. A document of which nothing is left is dropped as `repeated_paragraphs`. What was cut from
where, and which document holds the copy that stays, is in the column `removed_paragraphs_spans`; the text as it was
stays in the shard before. Tools that call each line a paragraph (Dolma, CCNet) do what `dedup.lines` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dataengine.prune import Units, prune
from dataengine.stages.dedup._units import UnitsConfig, rules

if TYPE_CHECKING:
    import pyarrow as pa


class Config(UnitsConfig):
    min_length: int = Field(50, ge=1)
    """Fewest characters, without white space at the ends, of a paragraph that is compared; shorter ones always stay."""


@prune(
    counts="removed_paragraphs", rules=rules("repeated_paragraphs"), version=1,
    copies=lambda config: config.max_copies,
)
def paragraphs(batch: pa.RecordBatch, config: Config) -> Units:
    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.units import paragraph_units

    return Units(*paragraph_units(*utf8(batch["text"]), min_length=config.min_length, normalize=config.normalize))
