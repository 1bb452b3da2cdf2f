"""Take out lines that hold no letter and no digit: rules of dashes, stray bullets, what is left of a table.

Blank lines stay, and so do lines of pictographs. As datatrove's formatter of this name does, for any script. For
prose: code and Markdown lose every `}` and every fence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dataengine.stage import StageConfig, map

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    leave_blank_line: bool = False
    """Whether one blank line stays for each run of lines taken out, so that paragraphs stay apart."""


@map(reads=["text"], adds={"text": "string", "symbol_lines": "int64"}, version=1)
def symbol_lines(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    """`symbol_lines` counts the lines taken out."""
    from dataengine.kernels.buffers import text_array, utf8
    from dataengine.kernels.symbol_lines import without_symbol_lines

    data, ends, counts = without_symbol_lines(*utf8(batch["text"]), config.leave_blank_line)
    return {"text": text_array(data, ends), "symbol_lines": counts}
