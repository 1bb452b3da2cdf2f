"""Keep one copy of every line of a lane: menus, footers, licences and notices that stand on page after page.

Lines are compared by 128 bits of their text, the copies of one document among them too; the first in the order of the
lane stays, later ones are cut out with their line ends (and the blank lines behind them, if one stands before them as
well). Lines shorter than `min_length` (`}`, `Yes`, a date) are left alone. A document of which nothing is left is
dropped as `repeated_lines`. What was cut from where, and which document holds the copy that stays, is in the column
`removed_lines_spans`; the text as it was stays in the shard before.

For prose and web text: code and verse repeat lines that mean something, so give those lanes none of it, or a large
`min_length`. CCNet (arXiv:1911.00359) compares lines so, with numbers masked; Dolma's paragraphs are lines too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dataengine.prune import Units, prune
from dataengine.stages.dedup._units import UnitsConfig, rules

if TYPE_CHECKING:
    import pyarrow as pa


class Config(UnitsConfig):
    min_length: int = Field(20, ge=1)
    """Fewest characters, without white space at the ends, of a line that is compared; shorter ones always stay."""


@prune(counts="removed_lines", rules=rules("repeated_lines"), version=1, copies=lambda config: config.max_copies)
def lines(batch: pa.RecordBatch, config: Config) -> Units:
    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.units import line_units

    return Units(*line_units(*utf8(batch["text"]), min_length=config.min_length, normalize=config.normalize))
