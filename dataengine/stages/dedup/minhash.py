"""Remove near-duplicate texts: candidates by MinHash with LSH bands (Broder 1997), verified by their true similarity.

Two texts are compared by the Jaccard similarity of their sets of n-grams. A text goes only if its similarity with one
that *stays* reaches `threshold`: texts come in the order of `keep`, each is compared with those that stay so far. So
chains of near-copies do not drift, and nothing goes without a partner in the result. `clusters = "components"` ties all
similar pairs together instead and keeps one of each cluster, as other tools do (`duplicate_of` then names the cluster);
`verify = false` takes the word of the bands.

Texts of similarity s become candidates with probability ``1 - (1 - s^rows)^bands``. Verified, bands and rows are those
that find 99 % of the pairs just at the threshold with few false ones to compare: at 0.8 16 bands of 6. Unverified, they
are those that err least on either side of it. Similarity is of 32-bit hashes of n-grams, each counted once.

Words are runs of ASCII letters and digits, in lower case, and of other letters; punctuation and white space only divide
them; scripts without spaces give one word per character. Texts with the same words in the same order are copies; one
so short that a single other n-gram falls below the threshold (at 0.8 and 5-grams: of fewer than 8 words) is compared
in no other way. A text without words is never a duplicate. Tokens are those of a SentencePiece model of yours, as it
makes them of the text: case and punctuation count, and making them takes most of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from dataengine.stage import Choice, LoadedFile, Sketch, gather
from dataengine.stages.dedup import _survivor
from dataengine.stages.dedup._bands import best_bands, sure_bands, with_bands
from dataengine.stages.dedup._survivor import DedupConfig, rank, reads

if TYPE_CHECKING:
    import pyarrow as pa

    from dataengine.kernels.sets import Sets


def bands_for(given: dict[str, Any], threshold: float, hashes: int) -> tuple[int, int]:
    return (sure_bands if given.get("verify", True) else best_bands)(threshold, hashes)


class Config(DedupConfig):
    """What is compared, and what is similar enough."""

    ngram: int = Field(5, ge=1, le=100)
    """Words, characters or tokens in an n-gram."""
    of: Literal["words", "characters", "tokens"] = "words"
    """What n-grams are made of. Characters: ASCII letters in lower case, white space folded to single blanks."""
    tokenizer: Annotated[str, LoadedFile()] | None = None
    """With `of = "tokens"`: a SentencePiece model, such as the tokenizer.model of an earlier run."""
    threshold: float = Field(0.8, gt=0, lt=1)
    """The Jaccard similarity from which texts are duplicates. Bands and rows follow from it if they are not given."""
    verify: bool = True
    """Compare candidates by their true similarity; if not, meeting in one band is enough."""
    clusters: Literal["greedy", "components"] = "greedy"
    """A text goes only for a text that stays ("greedy"), or whatever similar pairs tie together is one cluster."""
    bands: int | None = Field(None, ge=1, le=10_000)
    """Bands: texts that agree in all values of one band are candidates."""
    rows: int | None = Field(None, ge=1, le=1_000)
    """MinHash values in a band."""
    hashes: int = Field(128, ge=2, le=1_024)
    """Where bands and rows follow from the threshold: the most MinHash values to spend on a text."""
    seed: int = 0
    """Chooses the permutations. Another seed errs on other pairs."""

    @model_validator(mode="before")
    @classmethod
    def derive(cls, given: Any) -> Any:
        """Bands and rows from the threshold."""
        return with_bands(given, 0.8, 128, 1_024, bands_for)

    @model_validator(mode="after")
    def _tokenizer_where_needed(self) -> Self:
        if (self.of == "tokens") != (self.tokenizer is not None):
            said = f'of = "{self.of}" ' + ("with" if self.tokenizer is not None else "without") + " a tokenizer"
            raise ValueError(f'{said}: "tokens" needs one, the others take none')
        return self

    @property
    def least(self) -> int:
        """Words of the shortest text that can be similar without being a copy: k n-grams of k + 1 must reach it."""
        return self.ngram - 1 + ceil(self.threshold / (1 - self.threshold) - 1e-9)


def alike(config: Config) -> dict[str, Any]:
    """What two corpora must have in common to be compared."""
    names = ("ngram", "of", "bands", "rows", "seed", "verify", "least")
    return {name: getattr(config, name) for name in names}


def check(config: Config, columns: Mapping[str, str]) -> str | None:
    """What is wrong with the column that ranks, or with the tokenizer."""
    wrong = _survivor.check(config, columns)
    if wrong is None and config.tokenizer is not None:
        from dataengine.stages.dedup._tokens import fault_of

        return fault_of(config.tokenizer)
    return wrong


def choice(config: Config) -> Choice:
    return Choice(config.threshold if config.verify else None, config.clusters == "components")


@gather(
    reads=lambda config: reads(config, "text"),
    reason="near_duplicate",
    version=3,
    choice=choice,
    alike=alike,
    count=lambda config: config.count,
    check=check,
)
def minhash(batch: pa.RecordBatch, config: Config) -> Sketch:
    from dataengine.kernels.minhash import keys_of

    assert config.bands is not None and config.rows is not None, "both follow from the threshold"
    found = sets(batch.column("text"), config)
    return Sketch(
        alone=found.counts == 0,
        same=found.same,
        keys=keys_of(found.elements, found.starts, bands=config.bands, rows=config.rows, seed=config.seed),
        copies_only=found.counts < config.least,
        elements=found.elements if config.verify else None,
        sets=found.starts if config.verify else None,
        rank=rank(batch, config),
    )


def sets(texts: pa.Array, config: Config) -> Sets:
    """What the texts are compared by."""
    if config.tokenizer is not None:
        from dataengine.stages.dedup._tokens import sets_of_tokens

        return sets_of_tokens(texts, config.tokenizer, ngram=config.ngram, least=config.least)
    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.sets import sets_of

    return sets_of(*utf8(texts), ngram=config.ngram, of_words=config.of == "words", least=config.least)
