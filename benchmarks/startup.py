"""How much CPU do the verbs take that only look? ``python -m benchmarks.startup [--times 10]``

User and system seconds of the child process for ``--help``, ``check`` and ``plan``, of the quickstart and of a recipe
of twelve lanes with four blocks each; the median of several, files in the page cache, modules compiled.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.machine import environment, stamp

QUICKSTART = Path(__file__).parents[1] / "recipes" / "quickstart.toml"
LANE = """
[[data.lane{n}]]
stage = "read.code"
paths = ["${{python.stdlib}}/*.py", "${{python.stdlib}}/asyncio"]
[[data.lane{n}]]
stage = "filter.where"
where = "language = 'python' and length(text) between 200 and 100_000"
[[data.lane{n}]]
stage = "filter.gopher"
min_words = {n}
[[data.lane{n}]]
stage = "filter.repetition"
"""


def seconds(*arguments: str) -> float:
    """CPU seconds of one call, start of Python included."""
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    command = [sys.executable, "-m", "dataengine", *arguments]
    child = os.posix_spawn(sys.executable, command, environment(), file_actions=quiet)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return used.ru_utime + used.ru_stime


@click.command(help=__doc__)
@click.option("--times", default=10, show_default=True)
def main(times: int) -> None:
    print(stamp())
    with tempfile.TemporaryDirectory() as folder:
        twelve = Path(folder) / "twelve.toml"
        twelve.write_text('name = "twelve"\n' + "".join(LANE.format(n=n) for n in range(12)), encoding="utf-8")
        looks = [[verb, str(recipe)] for verb in ("check", "plan") for recipe in (QUICKSTART, twelve)]
        for arguments in [["--help"], *looks]:
            seconds(*arguments)
            found = sorted(seconds(*arguments) for _ in range(times))
            said = " ".join(Path(word).name for word in arguments)
            print(f"{said:<24} median {statistics.median(found):.3f} s CPU, {found[0]:.3f} to {found[-1]:.3f}")


if __name__ == "__main__":
    main()
