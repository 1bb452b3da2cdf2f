"""What the stages that cut repeated parts out of texts share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dataengine.stage import Rule, StageConfig


class PruneConfig(StageConfig):
    """What becomes of a document of which little is left."""

    min_left: int = Field(1, ge=1)
    """Fewest bytes, without white space at either end, that must be left of a text that was cut; with less the document
    is dropped. Above 1 this may drop the copy that stays of a part, and with it the last one."""


class UnitsConfig(PruneConfig):
    """Which parts are the same."""

    normalize: Literal["exact", "folded", "masked"] = "exact"
    """What makes two the same: every byte; or letters in any case, and any run of white space one blank ("folded"); or
    that, and any number like any other ("masked"). White space at the ends never counts."""
    max_copies: int = Field(1, ge=1)
    """So many copies stay, the first ones in the order of the lane."""


def rules(reason: str) -> list[Rule]:
    """A document that was cut goes if too little is left."""
    return [Rule(reason, "left_bytes", "<", "min_left")]
