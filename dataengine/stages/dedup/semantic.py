"""Remove texts that mean nearly the same: near vectors by random hyperplanes (Charikar 2002), verified by their cosine.

Semantic deduplication as in SemDeDup (Abbas et al. 2023, arXiv:2303.09540) and D4 (Tirumala et al. 2023,
arXiv:2308.12284), without clusters to learn. Each text is a vector (an embedding). A text goes only if the cosine of
its vector and that of one that *stays* reaches `threshold`; texts come in the order of `keep`. `threshold` is
SemDeDup's ``1 - epsilon``; where it has to stand depends on the model: look at `similarity` in the view `duplicates`.

Vectors at an angle a agree on one side of a random hyperplane with probability ``1 - a/pi``, and are compared if they
agree in all `rows` sides of one of the `bands`. These follow from the threshold: 99 % of the pairs just at it are found
(nearer ones more surely), whatever the vectors are. k-means finds only pairs that fall into one cluster, has to be
learnt, and its clusters grow with the corpus. A large corpus wants more `hashes`: with r rows one in 2^r of all
strangers is compared, more where the model puts all texts near one another. What is compared at most is bounded; the
figure `not_all_compared` counts texts for which that was not all.

Vectors come from a column of the rows (`vectors`), made wherever you like and read from Parquet or JSON, or from a
static model on this machine (`model`): a vector for each token, their mean for a text. Model2Vec and
sentence-transformers (StaticEmbedding) write such models; 2 MB of text a second, most of it the tokenizer's. It needs
``pip install 'dataengine[semantic]'``, and no network.

A text without a vector is never a duplicate: null, empty, of zeros, with a number that is not finite, or text of
which the tokenizer knows nothing; the figure `alone` counts them. Vectors of different lengths are never alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import acos, pi
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from dataengine.stage import Choice, LoadedFile, Sketch, gather
from dataengine.stages.dedup import _survivor
from dataengine.stages.dedup._bands import sure_bands, with_bands
from dataengine.stages.dedup._survivor import DedupConfig, rank, reads

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

KINDS = ("list<float>", "list<double>", "list<halffloat>", "list<float32>", "list<float64>", "list<float16>")
MOST_ROWS = 64
"""The sides of a band are the bits of one number."""


class Config(DedupConfig):
    """Where vectors come from, and how near is near."""

    vectors: str | None = None
    """The column that holds each text's vector, a list of numbers: one of `vectors` and `model`."""
    model: Annotated[str, LoadedFile()] | None = None
    """A static embedding model, `model.safetensors`."""
    tokenizer: Annotated[str, LoadedFile()] | None = None
    """The model's tokenizer; `tokenizer.json` beside the model if not given."""
    max_characters: int = Field(20_000, ge=1)
    """How many characters of a text the model looks at."""
    threshold: float = Field(0.95, gt=0, lt=1)
    """The cosine from which texts are duplicates. Bands and rows follow from it if they are not given."""
    clusters: Literal["greedy", "components"] = "greedy"
    """A text goes only for a text that stays ("greedy"), or whatever near pairs tie together is one cluster."""
    bands: int | None = Field(None, ge=1, le=10_000)
    """Bands: texts on the same sides in one of them are compared."""
    rows: int | None = Field(None, ge=1, le=MOST_ROWS)
    """Hyperplanes in a band."""
    hashes: int = Field(1_024, ge=2, le=65_536)
    """Where bands and rows follow from the threshold: the most hyperplanes to spend on a text."""
    seed: int = 0
    """Chooses the hyperplanes. Another seed errs on other pairs."""

    @model_validator(mode="before")
    @classmethod
    def derive(cls, given: Any) -> Any:
        """Bands and rows from the threshold; the tokenizer from the model's place."""
        given = with_bands(given, 0.95, 1_024, 65_536, bands_for)
        if isinstance(given, dict) and isinstance(given.get("model"), str) and given.get("tokenizer") is None:
            folder = given["model"].rpartition("/")
            return {**given, "tokenizer": f"{folder[0]}{folder[1]}tokenizer.json"}
        return given

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.vectors is None) == (self.model is None):
            said = "neither" if self.vectors is None else "both"
            raise ValueError(f'{said} of vectors and model: expected a column, vectors = "embedding", or a model')
        if self.model is None and self.tokenizer is not None:
            raise ValueError("a tokenizer without a model: vectors of a column need none")
        return self


def bands_for(given: dict[str, Any], threshold: float, hashes: int) -> tuple[int, int]:
    return sure_bands(agreement(threshold), hashes, MOST_ROWS)


def agreement(cosine: float) -> float:
    """How often two vectors of this cosine lie on the same side of a random hyperplane."""
    return 1 - acos(cosine) / pi


def alike(config: Config) -> dict[str, Any]:
    """What two corpora must have in common to be compared."""
    names = ("bands", "rows", "seed", "max_characters") if config.model else ("bands", "rows", "seed")
    return {"from": "model" if config.model else "column"} | {name: getattr(config, name) for name in names}


def check(config: Config, columns: Mapping[str, str]) -> str | None:
    """What is wrong with the columns or the model."""
    wrong = _survivor.check(config, columns)
    if wrong is None and config.vectors is not None and (kind := columns[config.vectors]) not in KINDS:
        return (f'column "{config.vectors}" is {kind}; expected list<float>: at the reader, '
                f'types = {{ {config.vectors} = "list<float>" }}')
    if wrong is None and config.model is not None and config.tokenizer is not None:
        from dataengine.stages.dedup._static_model import fault_of

        return fault_of(config.model, config.tokenizer)
    return wrong


@gather(
    reads=lambda config: reads(config, config.vectors or "text"),
    reason="semantic_duplicate",
    version=1,
    choice=lambda config: Choice(config.threshold, config.clusters == "components", vectors=True),
    alike=alike,
    count=lambda config: config.count,
    check=check,
)
def semantic(batch: pa.RecordBatch, config: Config) -> Sketch:
    import numpy as np

    from dataengine.kernels.vectors import units
    from dataengine.kernels.xxh3 import digests

    if config.model is not None and config.tokenizer is not None:
        from dataengine.stages.dedup._static_model import vectors_of

        values, starts = vectors_of(batch.column("text"), config.model, config.tokenizer, config.max_characters)
    else:
        values, starts = numbers_of(batch.column(config.vectors or ""))
    own = np.zeros(len(values), np.float32)
    good = units(values, starts, own)
    sizes = np.where(good, np.diff(starts), 0)
    elements = own[np.repeat(good, np.diff(starts))].view(np.uint32)
    sets = np.concatenate([[0], sizes.cumsum()]).astype(np.int64)
    return Sketch(
        alone=~good,
        same=digests(elements.view(np.uint8), 4 * sets),
        keys=keys(elements.view(np.float32), sets, config),
        elements=elements,
        sets=sets,
        rank=rank(batch, config),
    )


def keys(units: np.ndarray, starts: np.ndarray, config: Config) -> np.ndarray:
    """Band keys, uint64 (n, bands), of vectors of any lengths; 0 where there is none."""
    import numpy as np

    from dataengine.kernels.vectors import keys_of

    assert config.bands is not None and config.rows is not None, "both follow from the threshold"
    sizes = np.diff(starts)
    found = np.zeros((len(sizes), config.bands), np.uint64)
    for size in np.unique(sizes[sizes > 0]).tolist():
        rows = np.flatnonzero(sizes == size)
        vectors = units[starts[rows][:, None] + np.arange(size)]
        found[rows] = keys_of(vectors, bands=config.bands, rows=config.rows, seed=config.seed)
    return found


def numbers_of(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """(values float64, starts int64 (n + 1,)) of a column of lists; a null row is empty, a null number NaN."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    sizes = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    values = pc.list_flatten(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values, np.concatenate([[0], sizes.cumsum()]).astype(np.int64)
