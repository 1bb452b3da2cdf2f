"""dataengine: training data for language models, from a recipe.

    import dataengine

    run = dataengine.open("runs/atlas")
    run.docs().filter(pl.col("words") > 100).collect()      # polars, read lazily
    run.sql("SELECT reason, count(*) FROM dropped GROUP BY reason")

    dataengine.make_plan("recipes/atlas.toml")              # what a run would do; touches no data
    run = dataengine.run_recipe("recipes/atlas.toml")

Importing this costs nothing: what a function needs is imported when it is called. (``dataengine.plan`` and
``dataengine.run`` are the modules of these names, so the functions are called otherwise.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dataengine.version import __version__

if TYPE_CHECKING:
    from dataengine.open_run import Run
    from dataengine.plan import Plan

__all__ = ["__version__", "make_plan", "open", "run_recipe"]


def open(run: str | Path) -> Run:
    """The run in this folder, or of this name under ``runs/``. Raises RunNotFound."""
    from dataengine.ledger import Ledger
    from dataengine.open_run import Run

    return Run(Ledger.open(run))


def make_plan(recipe: str | Path, overrides: Sequence[str] = (), *, out: str | Path | None = None) -> Plan:
    """The plan of a recipe file. `overrides` are as for ``--set``. Raises RecipeError with all that is wrong."""
    from dataengine import plan
    from dataengine.recipe import load

    loaded = load(Path(recipe), overrides)
    return plan.make(loaded, (Path(out) if out else Path("runs") / loaded.name).absolute())


def run_recipe(
    recipe: str | Path, overrides: Sequence[str] = (), *, out: str | Path | None = None, workers: int | None = None,
    quiet: bool = False,
) -> Run:
    """Run what is to do of a recipe and open the run. Raises QuarantineExceeded after the work, which stays."""
    from dataengine import run
    from dataengine.progress import Progress

    plan = make_plan(recipe, overrides, out=out)
    with Progress(quiet=quiet, work=plan.out / "work") as progress:
        run.run(plan, workers=workers, watcher=progress)
    run.check_quarantine(plan)
    return open(plan.out)
