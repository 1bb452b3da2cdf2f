"""One text repaired, as a config says: until nothing changes any more, so that doing it twice is doing it once."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any

from dataengine.kernels.characters import INVISIBLES
from dataengine.kernels.unicode import CONTROL, INVISIBLE, LINE_BREAK, MARKS, MOJIBAKE, SUSPECT

if TYPE_CHECKING:
    from dataengine.stages.scrub.unicode import Config

MOST_ROUNDS = 8
"""Each undoes one more wrong decoding. Nobody has seen more than three."""

_BREAKS = re.compile("[\r\v\f\x85\u2028\u2029]")
_CONTROLS = re.compile("[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_HIDDEN = re.compile("[" + "".join(map(chr, sorted(INVISIBLES - {0x200B} | {0xAD}))) + "\U000e0000-\U000e007f]")
_ZERO_WIDTH = re.compile("(?:^|(?<=[\0-\u0dff]))\u200b+")


def wanted(config: Config) -> int:
    """The faults that the config asks to look at."""
    return (CONTROL * config.strip_controls | LINE_BREAK * config.normalize_newlines
            | INVISIBLE * config.strip_invisible | MOJIBAKE * config.repair_mojibake
            | (SUSPECT | MARKS) * (config.form != "keep"))


@cache
def _ftfy() -> Any:
    """ftfy's repair of encodings alone. Imported on the first text that needs it: 0.1 s."""
    import ftfy

    config = ftfy.TextFixerConfig(
        unescape_html=False, remove_terminal_escapes=False, fix_latin_ligatures=False, fix_character_width=False,
        uncurl_quotes=False, fix_line_breaks=False, fix_surrogates=False, remove_control_chars=False,
        normalization=None, explain=False,
    )
    return lambda line: ftfy.fix_encoding(line, config)


class Repair:
    """Repairs a text and counts what it does."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.lines = self.controls = self.invisible = 0

    def __call__(self, text: str, found: int) -> str:
        """The text repaired, given the faults found in it."""
        for _ in range(MOST_ROUNDS):
            after = self._round(text, found)
            if after == text or found == LINE_BREAK:  # new line ends bring nothing else together
                return after
            text, found = after, _faults(after, self.config)
        return text

    def _round(self, text: str, found: int) -> str:
        """Mojibake first: its characters may be soft hyphens and controls. What they hid is met in the next round."""
        config = self.config
        if found & MOJIBAKE and config.repair_mojibake:
            text = "\n".join(map(self._decoded, text.split("\n")))
        if found & INVISIBLE and config.strip_invisible:
            size = len(text)
            text = _ZERO_WIDTH.sub("", _HIDDEN.sub("", text))
            self.invisible += size - len(text)
        if found & CONTROL and config.strip_controls:
            text, count = _CONTROLS.subn("", text)
            self.controls += count
        if found & LINE_BREAK and config.normalize_newlines:
            text = _BREAKS.sub("\n", text.replace("\r\n", "\n"))
        if found & SUSPECT and not found & MARKS and config.form != "keep":
            text = unicodedata.normalize(config.form, text)
        return text

    def _decoded(self, line: str) -> str:
        if line.isascii() or not _faults(line, self.config) & MOJIBAKE:
            return line
        after = _ftfy()(line)
        self.lines += after != line
        return after


def _faults(text: str, config: Config) -> int:
    """What `dataengine.kernels.unicode.faults` says of one text."""
    import numpy as np

    from dataengine.kernels.unicode import faults

    raw = np.frombuffer(text.encode(), np.uint8)
    return int(faults(raw, np.array([0, len(raw)]), "NFC" if config.form == "keep" else config.form)[0])
