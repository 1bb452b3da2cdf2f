"""Drop documents of which `scrub.lines` took out too much: RefinedWeb's 5 % of all words (arXiv:2306.01116, app. G.2).

The paper takes the removed lines for a sign that the page is navigation through and through. Reads the columns of
`scrub.lines`, which stands before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from dataengine.stage import Rule, StageConfig, filter

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    max_removed_ratio: float | None = Field(0.05, ge=0)
    """Most words removed per word that was there."""


RULES = [Rule("too_much_removed", "removed_ratio", ">", "max_removed_ratio")]


@filter(reads=["words_before", "words_removed"], measures={"removed_ratio": "float64"}, rules=RULES, version=1)
def refinedweb(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    """A text that had no words measures 0."""
    from dataengine.kernels.ratios import ratio

    before, removed = (batch[name].fill_null(0).to_numpy(zero_copy_only=False)
                       for name in ("words_before", "words_removed"))
    return {"removed_ratio": ratio(removed, before)}
