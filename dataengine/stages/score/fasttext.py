"""Add the probability that a fastText classifier gives to a label: how much a text is like what you want more of.

The classifier is one that the recipe learns itself (``[classifier.NAME]``) or a model file of your own. Nothing is
dropped: put ``filter.where`` behind it (``where = "quality >= 0.5"``), or use the column as a weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from dataengine.stage import BASE_COLUMNS, Columns, LoadedFile, MadeBy, StageConfig, map

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    classifier: Annotated[str, MadeBy("classifier")] | None = None
    """Name of a ``[classifier.NAME]`` table of this recipe."""
    model: Annotated[str, LoadedFile()] | None = None
    """A fastText model file (.bin or .ftz), instead of a classifier."""
    label: str = "__label__positive"
    """The label whose probability is wanted."""
    column: str = Field("quality", pattern=r"^[a-z_][a-z0-9_]*$")
    """The column to add."""
    max_characters: int = Field(20_000, ge=1)
    """How many characters from the beginning are looked at."""

    @model_validator(mode="after")
    def _one_model(self) -> Config:
        if (self.classifier is None) == (self.model is None):
            raise ValueError("expected one of classifier and model, not both and not neither")
        if self.column in BASE_COLUMNS or self.column in ("text", "html", "messages"):
            raise ValueError(f'column "{self.column}" is not free: the rows have it already')
        return self


def check(config: Config, columns: Columns) -> str | None:
    """A model of the user's own is a whole fastText model and has the label."""
    import difflib
    import os

    from dataengine.fasttext_file import Fault, labels_of
    from dataengine.fasttext_weights import fault_of

    # The planner reports a missing file, and knows to what folder a relative path belongs.
    if not config.model or not os.path.exists(config.model):
        return None
    if fault := fault_of(config.model):
        return fault
    try:
        known = labels_of(config.model)
    except (OSError, Fault) as error:  # gone or changed since
        return f"{config.model} {error}"
    if config.label in known:
        return None
    near = difflib.get_close_matches(config.label, known, n=1, cutoff=0.4)
    hint = f'did you mean "{near[0]}"?' if near else f"it has {len(known)}: {', '.join(known[:10])}"
    return f'{config.model} has no label "{config.label}"; {hint}'


@map(reads=["text"], adds=lambda config: {config.column: "float64"}, version=2, check=check)
def fasttext(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    """An empty text scores 0. `config.classifier` is the path of the model by now: the engine has put it there."""
    import pyarrow as pa

    from dataengine import fasttext_model

    model = fasttext_model.load(config.model if config.model is not None else config.classifier)
    scores = model.probabilities(batch["text"], config.label, config.max_characters)
    return {config.column: pa.array(scores, pa.float64())}
