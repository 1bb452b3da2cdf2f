"""How a run goes, told while it runs: a live table on a terminal, plain lines elsewhere, JSON lines if asked for.

All of it goes to standard error. Rates come from a monotonic clock and from what was committed in this run; totals
always come from the ledger, never from here.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from dataengine.terminal import duration, is_terminal, number, plural, safe_text, to_json

QUIET_SECONDS = 10.0
"""Off a terminal, a line at most this often, and one at the end of every segment."""
SILENT_SECONDS = 60.0
"""Off a terminal, so long without a line and one says what is waited for: CI systems end what is silent."""
FEWEST_LINES = 6
"""Segments of the live table on the lowest terminal."""
TAIL_BYTES = 400
"""Of a training's log, where its last line is."""
SHOWN_REASONS = 3
HEADS = ("segment", "done", "docs/s", "MB/s", "kept", "left", "dropped and quarantined")
NAME_WIDTH, REASONS_WIDTH = 28, 24
"""Most characters of a segment's name; so few for the reasons, and the rates give way."""

Format = Literal["auto", "plain", "json"]


@dataclass
class Pace:
    """One segment as far as this run has come."""

    total: int
    done: int
    """Tasks committed, those of earlier runs too."""
    fresh: int = 0
    """Tasks committed in this run."""
    rows: int = 0
    bytes: int = 0
    kept: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    began: float | None = None
    latest: float = 0.0

    def add(self, manifest: Mapping[str, Any], now: float, since: float) -> None:
        """Count a committed task."""
        self.began = since if self.began is None else self.began
        self.latest = now
        self.done += 1
        self.fresh += 1
        accounts = manifest.get("accounts") or []
        if accounts:
            self.rows += accounts[0]["rows_in"] + accounts[0]["rows_created"]
            self.bytes += max(accounts[0]["bytes_in"], accounts[0]["bytes_out"])
            self.kept += accounts[-1]["rows_kept"]
        for account in accounts:
            self.lost.update(account["dropped"])
            self.lost.update(account["quarantined"])

    def seconds(self, now: float) -> float:
        """Since the segment's first work."""
        end = self.latest if self.done == self.total else now
        return max(end - (now if self.began is None else self.began), 1e-9)

    def left(self, now: float) -> float | None:
        """Seconds still to go, if it goes on like this; None while nothing is known."""
        if not self.fresh or self.done == self.total:
            return None
        return self.seconds(now) / self.fresh * (self.total - self.done)


class Progress:
    """A `run.Watcher`: is told of every committed task and shows it. Use as a context manager, or call `close`."""

    def __init__(self, style: Format = "auto", *, quiet: bool = False, stream: IO[str] | None = None,
                 clock: Callable[[], float] = time.monotonic, work: Path | None = None) -> None:
        self.work = work
        """Where trainings keep what they are at: the run's ``work/``."""
        self.stream = stream or sys.stderr
        self.clock = clock
        self.quiet = quiet
        self.style = ("live" if is_terminal(self.stream) else "plain") if style == "auto" else style
        self.paces: dict[str, Pace] = {}
        self.begin = self.last_line = clock()
        self._live: Any = None
        self._silence = threading.Event()
        self._heart: threading.Thread | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def started(self, totals: Mapping[str, tuple[int, int]], going_on: int = 0) -> None:
        """Segment -> (tasks done in earlier runs, tasks in all), in the plan's order. `going_on` tasks need not begin
        at their input: they take the rows stored before a step that changed."""
        self.paces = {name: Pace(total, done) for name, (done, total) in totals.items()}
        self.begin = self.last_line = self.clock()
        to_do = sum(pace.total - pace.done for pace in self.paces.values())
        all_tasks = sum(pace.total for pace in self.paces.values())
        if self.style == "json":
            self._json("started", tasks=all_tasks, to_do=to_do, going_on=going_on)
        elif self.style == "plain" or not to_do:
            which = f", {number(going_on)} of them from the rows stored before a change" if going_on else ""
            self._line(f"{number(to_do)} of {plural(all_tasks, 'task')} to run{which}")
            if to_do and not self.quiet:
                self._silence.clear()
                self._heart = threading.Thread(target=self._beat, name="progress", daemon=True)
                self._heart.start()
        elif not self.quiet:
            self._go_live()

    def task_done(self, segment: str, manifest: Mapping[str, Any]) -> None:
        """A task of this segment was committed."""
        now = self.clock()
        pace = self.paces[segment]
        pace.add(manifest, now, min(now, max(self.begin, now - float(manifest.get("seconds") or 0.0))))
        ended = pace.done == pace.total
        if self.style == "json":
            self._json("task", segment=segment, **self._numbers(pace, now))
        elif self.style == "plain" and (ended or now - self.last_line >= QUIET_SECONDS):
            self.last_line = now
            self._line(self._words(segment, pace, now))

    def interrupted(self) -> None:
        """The user wants it to stop; running tasks may still finish."""
        self.close()
        if self.style == "json":
            self._json("interrupted")
        else:
            self._line("stopping: running tasks may finish, for a few seconds; Ctrl-C again to stop at once")

    def finished(self) -> None:
        """All tasks are committed."""
        self.close()
        fresh = sum(pace.fresh for pace in self.paces.values())
        seconds = self.clock() - self.begin
        if self.style == "json":
            self._json("finished", tasks_run=fresh, seconds=round(seconds, 3))
        else:
            self._line(f"{plural(fresh, 'task')} run in {duration(seconds)}" if fresh
                       else "nothing to run: all of it is there already")

    def close(self) -> None:
        """Give the terminal back."""
        self._silence.set()
        if self._heart is not None:
            self._heart.join()
            self._heart = None
        if self._live is not None:
            self._live.stop()
            self._live = None

    # --- one segment in words ---

    def _words(self, segment: str, pace: Pace, now: float) -> str:
        parts = [f"{safe_text(segment)} {pace.done}/{pace.total}"]
        if pace.rows:
            seconds = pace.seconds(now)
            parts.append(f"{number(round(pace.rows / seconds))} docs/s, {pace.bytes / seconds / 1e6:.1f} MB/s")
            parts.append(f"{number(pace.kept)} kept of {number(pace.rows)}")
        if pace.lost:
            parts.append(_reasons(pace.lost))
        left = pace.left(now)
        if left is not None:
            parts.append(f"{duration(left)} left")
        return " | ".join(parts)

    def _numbers(self, pace: Pace, now: float) -> dict[str, Any]:
        seconds = pace.seconds(now)
        left = pace.left(now)
        return {"done": pace.done, "total": pace.total, "rows": pace.rows, "kept": pace.kept, "lost": dict(pace.lost),
                "rows_per_second": round(pace.rows / seconds, 1), "bytes_per_second": round(pace.bytes / seconds, 1),
                "seconds_left": None if left is None else round(left, 1)}

    # --- where it goes ---

    def _line(self, text: str) -> None:
        self._write(safe_text(text))

    def _json(self, event: str, **values: Any) -> None:
        elapsed = round(self.clock() - self.begin, 3)
        self._write(to_json({"event": event, "elapsed": elapsed, **values}))

    def _write(self, line: str) -> None:
        """A reader that hung up ends the telling, not the run."""
        if self.quiet:
            return
        try:
            self.stream.write(line + "\n")
            self.stream.flush()
        except BrokenPipeError:
            self.quiet = True

    def _go_live(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self.stream, markup=False, highlight=False, emoji=False)
        self._live = Live(console=console, get_renderable=self._view, refresh_per_second=4,
                          redirect_stdout=False, redirect_stderr=False)
        self._live.start()

    def _beat(self) -> None:
        """Say what is waited for, when nothing was said for long."""
        while not self._silence.wait(min(SILENT_SECONDS / 4, 5.0)):
            now = self.clock()
            steps = {name: step for name, step in trainings(self.work).items()
                     if name in self.paces and self.paces[name].done < self.paces[name].total}
            if steps and now - self.last_line >= QUIET_SECONDS:
                self.last_line = now
                for segment, step in steps.items():
                    self._line(f"{segment} {step}")
            elif now - self.last_line >= SILENT_SECONDS:
                self.last_line = now
                waiting = [item for item in self.paces.items() if item[1].done < item[1].total]
                if waiting:
                    self._line(f"{self._words(*waiting[0], now)} | at work for {duration(now - self.begin)}")

    def _view(self) -> Any:
        """The live table: a line per segment, what is not done last, and one for all; never wider than the terminal."""
        from rich.text import Text

        now = self.clock()
        rows = [(pace.done < pace.total, self._cells(name, pace, now)) for name, pace in self._shown()]
        lines = _aligned([HEADS, *(cells for _, cells in rows)], self._live.console.width if self._live else 80)
        done, total = (sum(getattr(pace, name) for pace in self.paces.values()) for name in ("done", "total"))
        view = Text(no_wrap=True, overflow="ellipsis")
        view.append(lines[0] + "\n", style="bold")
        for (active, _), line in zip(rows, lines[1:], strict=True):
            view.append(line + "\n", style="" if active else "dim")
        view.append(f"{number(done)} of {plural(total, 'task')} done, at work for {duration(now - self.begin)}; "
                    "Ctrl-C stops, what is done is kept")
        return view

    def _cells(self, name: str, pace: Pace, now: float) -> tuple[str, ...]:
        seconds, left = pace.seconds(now), pace.left(now)
        rates = (number(round(pace.rows / seconds)), f"{pace.bytes / seconds / 1e6:.1f}") if pace.rows else ("", "")
        return (safe_text(name, NAME_WIDTH), f"{pace.done}/{pace.total}", *rates,
                number(pace.kept) if pace.rows else "", duration(left) if left is not None else "",
                _reasons(pace.lost) or (trainings(self.work).get(name, "") if pace.done < pace.total else ""))

    def _shown(self) -> list[tuple[str, Pace]]:
        """The last segments that are done and the first that are not: what one wants to see as it goes by."""
        height = self._live.console.height if self._live is not None else 24
        room = max(height - 4, FEWEST_LINES)
        items = list(self.paces.items())
        waiting = [item for item in items if item[1].done < item[1].total][: max(room // 3, 2)]
        done = [item for item in items if item[1].done == item[1].total]
        return [*done[len(waiting) - room:], *waiting]


def trainings(work: Path | None) -> dict[str, str]:
    """Segment -> the last line that its training said, for every training at work."""
    found: dict[str, str] = {}
    for log in sorted(work.glob("*/log.txt")) if work else []:
        with contextlib.suppress(OSError, ValueError, KeyError):  # it has just begun, or just ended
            name = json.loads((log.parent / "train.json").read_text(encoding="utf-8"))["name"]
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - TAIL_BYTES))
                lines = file.read().decode("utf-8", "replace").splitlines()
            if steps := [line for line in lines if line.startswith("step ")]:
                found[f"train.{name}"] = safe_text(steps[-1], 100)
    return found


def _aligned(table: Sequence[Sequence[str]], room: int) -> list[str]:
    """Lines of columns: numbers to the right, the name and the reasons to the left; rates only where there is room."""
    columns = list(range(len(HEADS)))
    widths = [max(len(cells[column]) for cells in table) for column in columns]
    for rate in (HEADS.index("MB/s"), HEADS.index("docs/s")):
        if sum(widths[column] + 2 for column in columns[:-1]) + REASONS_WIDTH > room:
            columns.remove(rate)
    left = {columns[0], columns[-1]}
    return ["  ".join(cells[column].ljust(widths[column]) if column in left else cells[column].rjust(widths[column])
                      for column in columns).rstrip() for cells in table]


def _reasons(lost: Counter[str]) -> str:
    """The most frequent reasons with their counts."""
    shown = ", ".join(f"{safe_text(reason, 40)} {number(rows)}" for reason, rows in lost.most_common(SHOWN_REASONS))
    return shown + (f" and {len(lost) - SHOWN_REASONS} more" if len(lost) > SHOWN_REASONS else "")
