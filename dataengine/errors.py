"""Every error a user can meet, and how it is said.

    DataEngineError            exit code
    ├── RecipeError            2   the recipe's text is wrong (all its problems at once)
    ├── PlanError              2   the recipe reads well but cannot be run
    ├── InputError             2   a file, folder or address the recipe names cannot be read
    ├── QueryRefused           2   SQL outside what a run allows
    ├── RunNotFound            2   no run at this place
    ├── RunLocked              1   another process is writing this run
    ├── CorruptShard           1   a committed file is not what its manifest says
    ├── RunFailed              1   a task could not be completed
    │   ├── StageError         1   a stage broke its contract
    │   ├── AccountingError    1   rows in are not kept + dropped + quarantined
    │   ├── Unreachable        1   a server does not answer, however often it is asked
    │   └── NotDeterministic   1   the same task gave other bytes the second time
    └── QuarantineExceeded     3   more bad records than the recipe allows

A message has four parts: where, what was found, what was expected, what to write instead.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Location:
    """A place in a recipe file. Lines and columns count from 1; 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0
    width: int = 1
    """How many characters the caret underlines."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in four parts."""

    where: Location
    path: str
    """The dotted name of the place: ``data.web[3].min_words``."""
    found: str
    """What stands there and why it cannot: one sentence."""
    expected: str = ""
    write: str = ""
    """What to write instead."""
    source_line: str = ""

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.path}: {self.found}" if self.path else f"{self.where}: {self.found}"]
        if self.source_line:
            number = str(self.where.line)
            caret = " " * (self.where.column - 1) + "^" * max(1, self.where.width)
            lines += [f"  {number} | {self.source_line}", f"  {' ' * len(number)} | {caret}"]
        if self.expected:
            lines.append(f"    expected: {self.expected}")
        if self.write:
            lines.append(f"    write:    {self.write}")
        return "\n".join(lines)


class DataEngineError(Exception):
    """A fault that is said to the user in words, never as a traceback."""

    exit_code = 1

    def __init__(self, found: str, *, where: str = "", expected: str = "", write: str = "") -> None:
        self.found, self.where, self.expected, self.write = found, where, expected, write
        super().__init__(found)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.found}" if self.where else self.found]
        if self.expected:
            lines.append(f"    expected: {self.expected}")
        if self.write:
            lines.append(f"    write:    {self.write}")
        return "\n".join(lines)


class RecipeError(DataEngineError):
    """The recipe's text is wrong. Holds every problem of the file, in the order of the text."""

    exit_code = 2

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.where)
        super().__init__(f"{len(problems)} problems")

    def __str__(self) -> str:
        count = len(self.problems)
        return "\n".join([*map(str, self.problems), f"{count} problem{'s' if count != 1 else ''} found"])


class PlanError(DataEngineError):
    """The recipe reads well but cannot be run as it stands."""

    exit_code = 2


class InputError(DataEngineError):
    """A file or folder named by the recipe is missing, unreadable or not what it must be."""

    exit_code = 2


class CredentialsShown(InputError):
    """An address holds a password or a signature. The line of the recipe that has it is not shown."""


class QueryRefused(DataEngineError):
    """The query is wrong, or reaches for something outside the run."""

    exit_code = 2


class RunNotFound(DataEngineError):
    """There is no run in this folder."""

    exit_code = 2


class RunLocked(DataEngineError):
    """Another process is writing this run."""


class CorruptShard(DataEngineError):
    """A committed file is missing or differs from its manifest."""


class RunFailed(DataEngineError):
    """A task could not be completed."""


class StageError(RunFailed):
    """A stage raised on every row, or returned something other than it declared."""


class AccountingError(RunFailed):
    """Rows in are not rows kept + dropped + quarantined."""


class Unreachable(RunFailed):
    """A server does not answer as it should, however often it is asked. Trouble that passes: run again."""


class NotDeterministic(RunFailed):
    """A task that was run twice gave two different results."""


class QuarantineExceeded(DataEngineError):
    """More records were quarantined than ``[run] max_quarantined`` allows."""

    exit_code = 3
