"""Repair what is wrong with a text's characters: mojibake, control and invisible characters, line ends, normal form.

Mojibake is repaired by ftfy (Speer, 2019), line by line, where a line holds what looks like it: `schÃ¶n` becomes
`schön`. NFC (UAX #15) gives every character one spelling and changes no meaning; NFKC also makes `²` a `2`, `ﬁ` two
letters and full-width letters narrow: not for mathematics or code. Tabs and indentation stay. A text that needs no
repair passes at 1.4 GB/s in ASCII and 300 to 600 MB/s in other scripts; Windows line ends cost 100 MB/s, lines of
mojibake 2 MB/s.

Doing it twice changes nothing more. A text with more than 100 combining marks in a row keeps its spelling: to sort them
takes quadratic time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from dataengine.stage import StageConfig, at_row, map

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    form: Literal["NFC", "NFKC", "keep"] = "NFC"
    """The normal form to bring texts to."""
    repair_mojibake: bool = True
    """Whether to decode again what was UTF-8 read as windows-1252 and the like."""
    strip_controls: bool = True
    """Whether to take out C0 and C1 controls and DEL, all but tab and line ends, and the noncharacters U+FFFE and
    U+FFFF."""
    strip_invisible: bool = True
    """Whether to take out soft hyphens, byte order marks, zero-width spaces (not between words of Thai, Khmer and
    others that need them), direction overrides and tags. Joiners and direction marks stay."""
    normalize_newlines: bool = True
    """Whether to make `\\r\\n`, `\\r`, vertical tab, form feed, U+0085, U+2028 and U+2029 one newline each."""


ADDS = {
    "text": "string",
    "unicode_changed": "bool",
    "mojibake_repaired": "int64",
    "controls_removed": "int64",
    "invisible_removed": "int64",
}


@map(reads=["text"], adds=ADDS, version=1)
def unicode(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    """`mojibake_repaired` counts lines, the others characters. A null stays null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.unicode import faults
    from dataengine.stages.scrub._repair import Repair, wanted

    column = batch["text"]
    found = faults(*utf8(column), "NFC" if config.form == "keep" else config.form) & wanted(config)
    changed = np.zeros(batch.num_rows, np.bool_)
    counts = np.zeros((3, batch.num_rows), np.int64)
    texts = []
    for row in np.flatnonzero(found).tolist():
        at_row(row)
        before = column[row].as_py()
        repair = Repair(config)
        after = repair(before, int(found[row]))
        if after != before:
            changed[row] = True
            texts.append(after)
            counts[:, row] = repair.lines, repair.controls, repair.invisible
    if texts:
        column = pc.replace_with_mask(column, pa.array(changed), pa.array(texts, column.type))
    return {"text": column, "unicode_changed": changed,
            **dict(zip(("mojibake_repaired", "controls_removed", "invisible_removed"), counts, strict=True))}
