"""Keep one of all rows whose text is the same (128-bit XXH3 of its bytes).

Rows meet if all 128 bits agree: the chance of one false merge among a billion rows is below 10^-20. ``normalized`` sees
through letter case (Unicode's simple mapping), composed and decomposed letters (NFC; not in texts with more than 30
combining marks in a row), and white space and punctuation (Unicode's categories P), every run of which becomes one
blank. Symbols count, so that ``a+b`` and ``a=b`` stay two texts. ``url`` compares addresses in one form of their many
spellings: scheme http or https, ``www.``, default ports, fragments, slashes at the end, the order of parameters and
those that only track make no difference. Rows without text, or of white space only (normalized: of punctuation too),
are no duplicates of one another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dataengine.stage import Sketch, gather
from dataengine.stages.dedup._survivor import DedupConfig, check, rank, reads

if TYPE_CHECKING:
    import pyarrow as pa


class Config(DedupConfig):
    of: Literal["text", "normalized", "url"] = "text"
    """What must be the same: the text byte for byte, its letters, digits and symbols, or the address."""


def column(config: Config) -> str:
    return "url" if config.of == "url" else "text"


@gather(
    reads=lambda config: reads(config, column(config)),
    reason="exact_duplicate",
    version=2,
    alike=lambda config: {"of": config.of},
    count=lambda config: config.count,
    check=check,
)
def exact(batch: pa.RecordBatch, config: Config) -> Sketch:
    import pyarrow.compute as pc

    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.xxh3 import digests

    values = batch.column(column(config))
    blank = pc.fill_null(pc.utf8_is_space(values), True).to_numpy(zero_copy_only=False)
    if config.of == "normalized":
        from dataengine.kernels.spaces import fold_marks

        data, offsets = fold_marks(*utf8(composed(pc.utf8_lower(values))))
    elif config.of == "url":
        import pyarrow as pa

        from dataengine.stages.dedup._url import canonical

        data, offsets = utf8(pa.array([canonical(url or "") for url in values.to_pylist()], pa.string()))
    else:
        data, offsets = utf8(values)
    alone = blank | (offsets[1:] == offsets[:-1])
    return Sketch(alone=alone, same=digests(data, offsets), rank=rank(batch, config))


def composed(values: pa.Array) -> pa.Array:
    """Texts in Unicode's form NFC, but for those with more than 30 combining marks in a row, which no language has:
    sorting a run of marks takes quadratic time.
    """
    import pyarrow.compute as pc

    if pc.all(pc.string_is_ascii(values)).as_py() is not False:
        return values
    hostile = pc.match_substring_regex(values, r"\p{M}{31}")
    if not pc.any(hostile).as_py():
        return pc.utf8_normalize(values, form="NFC")
    return pc.if_else(hostile, values, pc.utf8_normalize(pc.if_else(hostile, "", values), form="NFC"))
