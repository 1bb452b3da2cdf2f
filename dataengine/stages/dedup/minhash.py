"""Keep the first of every cluster of near-duplicate texts: MinHash with LSH bands over word n-grams (Broder 1997).

Two texts whose sets of n-grams have Jaccard similarity s meet with probability ``1 - (1 - s^rows)^bands``. The default,
FineWeb's 14 bands of 8 (arXiv:2406.17557), gives 56 % at s = 0.7, 92 % at 0.8 and 99.9 % at 0.9. Clusters are chains:
rows that never met themselves go together if others link them.

Words are runs of ASCII letters and digits, in lower case, and of other letters; punctuation and white space only divide
them; scripts without spaces give one word per character. A text of fewer than `ngram` words is one n-gram of all its
words; a text without words is never a duplicate.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from dataengine.stage import Sketch, StageConfig, gather

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    ngram: int = Field(5, ge=1, le=100)
    """Words in an n-gram."""
    bands: int = Field(14, ge=1, le=10_000)
    """Bands: rows that agree in all values of one band meet."""
    rows: int = Field(8, ge=1, le=1_000)
    """MinHash values in a band."""
    threshold: float | None = Field(None, gt=0, lt=1)
    """Instead of `bands` and `rows`: the Jaccard similarity from which texts shall meet; both follow from it."""
    hashes: int = Field(128, ge=2, le=1_024)
    """With `threshold`: the most MinHash values to spend on a text, in all bands together."""
    seed: int = 0
    """Chooses the permutations. Another seed errs on other pairs."""

    @model_validator(mode="before")
    @classmethod
    def derive(cls, given: Any) -> Any:
        """Bands and rows from the threshold, so that a plan shows, and its address holds, what will be used."""
        if not isinstance(given, dict) or not isinstance(given.get("threshold"), int | float):
            return given
        threshold, hashes = given["threshold"], given.get("hashes", 128)
        if not 0 < threshold < 1 or not isinstance(hashes, int) or not 2 <= hashes <= 1_024:
            return given  # said better by the fields themselves
        bands, rows = best_bands(float(threshold), hashes)
        for name, value in (("bands", bands), ("rows", rows)):
            if given.get(name, value) != value:
                raise ValueError(
                    f"{name} = {given[name]} beside threshold = {threshold}, which makes it {value}:"
                    " give bands and rows, or a threshold, not both"
                )
        return {**given, "bands": bands, "rows": rows}


@gather(reads=("text",), reason="near_duplicate", version=1)
def minhash(batch: pa.RecordBatch, config: Config) -> Sketch:
    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.minhash import sketch

    keys, words = sketch(
        *utf8(batch.column("text")), ngram=config.ngram, bands=config.bands, rows=config.rows, seed=config.seed
    )
    return Sketch(keys=keys, alone=words == 0)


@cache
def best_bands(threshold: float, hashes: int) -> tuple[int, int]:
    """(bands, rows) with bands * rows <= hashes for which the LSH errs least about `threshold`.

    Least is the area under the S-curve left of the threshold (pairs that meet and should not) plus the area above it
    on the right (pairs that should and do not), weighed alike: the rule of LSH Ensemble (Zhu et al., VLDB 2016) and of
    datasketch.
    """
    pairs = [(bands, rows) for bands in range(1, hashes + 1) for rows in range(1, hashes // bands + 1)]
    return min(pairs, key=lambda pair: error_area(threshold, *pair))


def error_area(threshold: float, bands: int, rows: int, steps: int = 50) -> float:
    """Area of the errors of a banding: midpoint rule with `steps` steps on either side of the threshold."""
    left, right = threshold / steps, (1 - threshold) / steps
    wrong = sum(1 - (1 - ((i + 0.5) * left) ** rows) ** bands for i in range(steps))
    missed = sum((1 - (threshold + (i + 0.5) * right) ** rows) ** bands for i in range(steps))
    return wrong * left + missed * right
