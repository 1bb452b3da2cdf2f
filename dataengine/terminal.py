"""Everything that reaches the terminal: text made safe, tables, JSON.

A document, a URL or a file name may hold escape sequences that repaint the screen, retitle the window or reorder what
is read; `rich` lets them through. So every string that comes from data goes through `safe_text`, which shows them as
visible escapes, and no markup in data is ever interpreted.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any

ELLIPSIS = "…"
NO_BREAK = "\N{NO-BREAK SPACE}"
PIPE_WIDTH = 120
"""Columns off a terminal: what a log viewer or a pull request shows without a scroll bar."""
NARROWEST = 40
GAP, LEAST = 2, 10
"""Spaces between the columns of a table; the width below which a column is not read but guessed."""

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # invisible: soft hyphen, joiners, fillers
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"  # zero-width, bidi, specials
    "\U000e0000-\U000e0fff"  # tags and variation selectors
    "\ud800-\udfff]"  # lone surrogates, which no stream can write
)


def safe_text(text: object, width: int | None = None, *, multiline: bool = False) -> str:
    r"""The text with everything invisible shown as an escape: ``\x1b``, ``\u202e``. Linear in what is shown.

    `width` caps the characters, the last being an ellipsis. `multiline` leaves newlines and tabs as they are.
    """
    shown = str(text)
    cut = width is not None and len(shown) > width
    if cut:
        shown = shown[:width]
    shown = _HIDDEN.sub(_escape_but_lines if multiline else _escape, shown)
    if width is not None and (cut or len(shown) > width):
        shown = shown[: max(width - 1, 0)] + ELLIPSIS
    return shown


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    named = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code)
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def _escape_but_lines(match: re.Match[str]) -> str:
    return match[0] if match[0] in "\n\t" else _escape(match)


def clip(text: object, width: int) -> str:
    """One line of at most `width` characters: runs of whitespace folded, then safe."""
    return safe_text(" ".join(str(text)[: width * 8].split()), width)


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON in plain ASCII, so that no control character reaches a terminal; what JSON has no type for becomes text."""
    return json.dumps(_plain(value), indent=indent, ensure_ascii=True, default=_as_text).replace("\x7f", "\\u007f")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _as_text(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)


def is_terminal(stream: IO[str]) -> bool:
    """Whether colours and moving lines make sense here."""
    return stream.isatty()


def say(text: str = "", *, err: bool = False) -> None:
    """Print a text, lines kept. The last gate: whatever is in it, no control character leaves."""
    stream = sys.stderr if err else sys.stdout
    stream.write(safe_text(text, multiline=True) + "\n")


def width_of(stream: IO[str] | None = None) -> int:
    """Columns of the terminal; of a pipe or a file COLUMNS, or `PIPE_WIDTH` where nobody says."""
    stream = stream or sys.stdout
    known = os.environ.get("COLUMNS", "")
    if known.isdigit() and int(known):
        return max(int(known), NARROWEST)
    if not is_terminal(stream):
        return PIPE_WIDTH
    try:
        return max(os.get_terminal_size(stream.fileno()).columns or PIPE_WIDTH, NARROWEST)
    except (OSError, ValueError):
        return PIPE_WIDTH


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = (), title: str = "",
          cell: int = 200, clipped: bool = False) -> None:
    """Print a table to standard output, never wider than the terminal; columns in `right` aligned to the right.

    The widest columns give way first: their cells wrap, or with `clipped` keep one line and end in an ellipsis. Where
    even that leaves no room to read, every row becomes a list, one line a column. Cells are cut at `cell` characters.
    """
    shown = [[safe_text("" if value is None else value, cell) for value in row] for row in rows]
    names = [safe_text(name, cell) for name in columns]
    room = width_of()
    widths = fitted(_widths(names, shown), room - GAP * (len(names) - 1))
    if title:
        say(safe_text(title))
    if widths is None:
        _print_lists(names, shown, room)
    else:
        aligned = set(right)
        sides = ["right" if name in aligned else "left" for name in columns]
        _print_grid(names, shown, widths, sides, clipped)


def fitted(widths: Sequence[int], room: int) -> list[int] | None:
    """Widths that fit into `room`: the widest give way, none below `LEAST`. None where that cannot be."""
    if sum(widths) <= room:
        return list(widths)
    if sum(min(width, LEAST) for width in widths) > room:
        return None
    level = max(limit for limit in range(LEAST, max(widths)) if sum(min(width, limit) for width in widths) <= room)
    found = [min(width, level) for width in widths]
    for index in range(len(found)):  # what the level left over goes to the first columns that were cut
        found[index] += min(widths[index] - found[index], max(0, room - sum(found)), 1)
    return found


def _print_grid(names: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], sides: Sequence[Any],
                clipped: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    live = is_terminal(sys.stdout)
    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False, force_terminal=live,
                      no_color=None if live else True, width=sum(widths) + GAP * len(widths))
    view = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style="bold")
    for name, width, side in zip(names, widths, sides, strict=True):
        view.add_column(Text(name), justify=side, width=width, no_wrap=clipped,
                        overflow="ellipsis" if clipped else "fold")
    for row in rows:
        view.add_row(*map(Text, row))
    with console.capture() as captured:
        console.print(view)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def _print_lists(names: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> None:
    from rich.cells import set_cell_size

    name_width = min(max(map(len, names), default=0), room // 3)
    for index, row in enumerate(rows, 1):
        say(f"-- {index} ".ljust(min(room, 60), "-"))
        for name, value in zip(names, row, strict=True):
            if value:
                say(f"{clip(name, name_width):<{name_width}}  {_cut(value, room - name_width - 2, set_cell_size)}")


def _cut(value: str, width: int, sized: Any) -> str:
    """The value in at most so many cells; a wide character takes two."""
    from rich.cells import cell_len

    return value if cell_len(value) <= width else sized(value, width - 1).rstrip() + ELLIPSIS


def wrapped(words: str, *, first: str = "", indent: str = "", width: int | None = None) -> str:
    """Words folded to the terminal's width, the first line after `first`, the others after `indent`.

    A no-break space holds together what must not be divided, and comes out as a space.
    """
    import textwrap

    lines = textwrap.wrap(words, width or width_of(), initial_indent=first, subsequent_indent=indent,
                          break_on_hyphens=False)
    return "\n".join(lines).replace(NO_BREAK, " ")


def plural(count: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{number(count)} {noun}{'s' if count != 1 else ''}"


def _widths(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Cells a column needs; a wide character takes two."""
    from rich.cells import cell_len

    return [max([cell_len(name), *(cell_len(row[index]) for row in rows)]) for index, name in enumerate(names)]


def number(value: float | int | None) -> str:
    """A count or a measurement for people: ``1,234,567``, ``0.0312``, ``12.5``."""
    if value is None:
        return ""
    if isinstance(value, int) or value == int(value) if math.isfinite(value) else False:
        return f"{int(value):,}"
    return f"{value:.4g}"


def size(count: float) -> str:
    """Bytes for people: ``812 B``, ``40.2 kB``, ``1.3 GB`` (powers of 1000)."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def duration(seconds: float) -> str:
    """Time for people: ``0.3 s``, ``4 min 05 s``, ``3 h 12 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
