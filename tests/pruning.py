"""A prune over a few texts, as the engine does it, in this process; and the brute force that it is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dataengine import shards
from dataengine.plan import Plan
from dataengine.stage import load
from tests.engine.projects import write_jsonl
from tests.gathering import execute_all, rows_of, toml

Part = tuple[int, int, str]
"""First byte, byte behind the last, and what it is compared by."""


class Pruned(NamedTuple):
    """What became of the rows, by their position."""

    left: dict[int, str]
    """Text of those that stay."""
    removed: dict[int, list[tuple[int, int, int]]]
    """(first byte, byte behind the last, row that holds the copy that stays) of all rows of which something went."""
    counts: dict[int, int]
    """Parts that went, of these rows."""
    plan: Plan


def pruned(
    folder: Path, texts: Sequence[str], stage: str, /, *, files: int = 1, run: dict[str, Any] | None = None,
    **config: Any,
) -> Pruned:
    """The texts, dealt out in order to so many files, a shard each, without what is repeated."""
    folder.mkdir(parents=True, exist_ok=True)
    largest = 1
    for number in range(files):
        part = slice(number * len(texts) // files, (number + 1) * len(texts) // files)
        rows = [{"text": text, "row": str(part.start + at)} for at, text in enumerate(texts[part])]
        if not (folder / f"{number:04}.jsonl").exists():
            write_jsonl(folder / f"{number:04}.jsonl", rows)
        largest = max(largest, (folder / f"{number:04}.jsonl").stat().st_size)
    settings = "".join(f"{name} = {toml(value)}\n" for name, value in ({"split_bytes": largest} | (run or {})).items())
    chosen = "".join(f"{name} = {toml(value)}\n" for name, value in config.items())
    (folder / "recipe.toml").write_text(
        f'name = "p"\n[run]\n{settings}[[data.web]]\nstage = "read.jsonl"\npaths = "*.jsonl"\nkeep = ["row"]\n'
        f'[[data.web]]\nstage = "{stage}"\n{chosen}')
    plan = execute_all(folder / "recipe.toml", folder / "run")
    assert files >= len(plan.segments[0].tasks) > files // 2, "two small files may be one split"
    counts = load(stage).counts
    names = {row["id"]: int(row["row"]) for row in rows_of(plan, shards.KEPT, 0)}
    kept, dropped = rows_of(plan, shards.KEPT), rows_of(plan, shards.DROPPED)
    assert [int(row["row"]) for row in kept] == sorted(int(row["row"]) for row in kept)
    assert len(kept) + len(dropped) == len(texts)
    for row in kept + dropped:
        whole = texts[int(row["row"])]
        spans = [(span["start"], span["end"]) for span in row[counts + "_spans"]]
        after = without(whole, spans)
        assert row[counts + "_bytes"] == sum(end - start for start, end in spans)
        assert row["left_bytes"] == (len(after.strip().encode()) if spans else None)
        assert row["text"] == (after if "step" not in row else whole)
    cut = [row for row in kept + dropped if row[counts + "_spans"]]
    return Pruned(
        {int(row["row"]): row["text"] for row in kept},
        {int(row["row"]): [(span["start"], span["end"], names[span["kept_in"]]) for span in row[counts + "_spans"]]
         for row in cut},
        {int(row["row"]): row[counts] for row in cut},
        plan,
    )


def without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text without these bytes, which must leave it UTF-8."""
    raw, kept, place = text.encode(), b"", 0
    for start, end in spans:
        assert place <= start < end <= len(raw)
        kept, place = kept + raw[place:start], end
    return (kept + raw[place:]).decode()


def lines_of(text: str, least: int = 1) -> list[Part]:
    """The lines of a text that have something visible on them; those that are long enough and stand behind a blank
    line, or first, with the blank lines behind them.
    """
    found: list[Part] = []
    place, parted, takes = 0, True, False
    for line in text.split("\n"):
        end = min(place + len(line.encode()) + 1, len(text.encode()))
        if line.strip():
            found.append((place, end, line.strip()))
            parted, takes = False, parted and len(line.strip()) >= least
        elif place < len(text.encode()):
            parted = True
            if takes:
                found[-1] = (found[-1][0], end, found[-1][2])
        place = end
    return found


def paragraphs_of(text: str, least: int = 1) -> list[Part]:
    """Runs of lines that are not blank, with the blank lines behind them."""
    found: list[tuple[int, list[str]]] = []
    place, blank = 0, True
    for line in text.split("\n"):
        if line.strip():
            if blank:
                found.append((place, []))
            found[-1][1].append(line)
        blank = not line.strip()
        place += len(line.encode()) + 1
    ends = [*(start for start, _ in found[1:]), len(text.encode())][: len(found)]
    return [(start, end, "\n".join(lines).strip()) for (start, lines), end in zip(found, ends, strict=True)]


def expected(
    texts: Sequence[str], parts_of: Callable[[str, int], list[Part]], *, min_length: int = 1, max_copies: int = 1,
    normal: Callable[[str], str] = str,
) -> dict[int, list[tuple[int, int, int]]]:
    """What goes, one part after the other, by a dictionary of what was seen."""
    seen: dict[str, list[int]] = {}
    found: dict[int, list[tuple[int, int, int]]] = {}
    for row, text in enumerate(texts):
        for start, end, part in parts_of(text, min_length):
            if len(part) < min_length:
                continue
            rows = seen.setdefault(normal(part), [])
            if len(rows) >= max_copies:
                found.setdefault(row, []).append((start, end, rows[0]))
            rows.append(row)
    return found


def touching_joined(spans: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Spans that touch and have their copy in the same row, as one."""
    found: list[tuple[int, int, int]] = []
    for start, end, row in spans:
        if found and found[-1][1:] == (start, row):
            found[-1] = (found[-1][0], end, row)
        else:
            found.append((start, end, row))
    return found


def repeated_bytes(texts: Sequence[str], length: int) -> list[list[bool]]:
    """For every byte of every text whether it lies in a window of `length` bytes that stood before in the lane: in an
    earlier text, or in its own without overlap. By a dictionary of all windows.
    """
    first: dict[bytes, tuple[int, int]] = {}
    marks = []
    for row, text in enumerate(texts):
        raw = text.encode()
        mark = [False] * len(raw)
        for place in range(len(raw) - length + 1):
            where = first.setdefault(raw[place : place + length], (row, place))
            if where[0] < row or where[1] + length <= place:
                mark[place : place + length] = [True] * length
        marks.append(mark)
    return marks


def stretches_of(mark: Sequence[bool]) -> list[tuple[int, int]]:
    """The runs of True."""
    edges = [place for place in range(len(mark) + 1)
             if (place > 0 and mark[place - 1]) != (place < len(mark) and mark[place])]
    return list(zip(edges[::2], edges[1::2], strict=True))
