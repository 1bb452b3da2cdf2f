"""The command line: one verb a function, each a few lines over the module that does the work.

Exit codes: 0 fine, 1 failed, 2 the user's mistake, 3 more quarantined than allowed, 130 interrupted. Nothing heavy is
imported before a verb needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from dataengine.errors import DataEngineError, QueryRefused
from dataengine.threads import NO_THREADS, collect_seldom
from dataengine.version import __version__


class RunName(click.ParamType):
    """The folder of a run, or its name under ``runs/``; completed from the runs there are."""

    name = "run"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return Path(value)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        from dataengine.ledger import there_is

        return there_is()[:1].upper() + there_is()[1:]

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from dataengine.ledger import known_runs

        names = [name for name in known_runs() if name.startswith(incomplete)]
        return [*map(CompletionItem, names), CompletionItem(incomplete, type="dir")]


class StageName(click.ParamType):
    """The name of a stage, completed."""

    name = "stage"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from dataengine.stage import names

        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]


class InOrder(click.Group):
    """Lists its verbs in the order in which they are used, not in that of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


RECIPE = click.argument("recipe", type=click.Path(path_type=Path))
RUN = click.argument("run", type=RunName())
SET = click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE",
                   help="Change one value of the recipe, as in data.prose.1.min_words=40. May be given again.")
PROFILE = click.option("--profile", metavar="NAME", help="Lay [profiles.NAME] of the recipe over the rest.")
OUT = click.option("--out", type=click.Path(path_type=Path), help="The run's folder; runs/NAME if not given.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


COMPLETION = """\b
Completion of verbs, options, runs and stages, for this shell:
  bash   eval "$(_DATAENGINE_COMPLETE=bash_source dataengine)"
  zsh    eval "$(_DATAENGINE_COMPLETE=zsh_source dataengine)"
  fish   _DATAENGINE_COMPLETE=fish_source dataengine | source
For every shell to come, put the line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish.

\b
Exit codes: 0 fine, 1 failed, 2 a mistake in what was asked, 3 more quarantined than allowed, 130 interrupted."""


@click.group(cls=InOrder, epilog=COMPLETION,
             context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "-V", "--version", prog_name="dataengine", message="%(prog)s %(version)s")
def cli() -> None:
    """Training data for language models, from a recipe.

    \b
    dataengine init my_files --out recipe.toml    a recipe for a folder of your own
    dataengine plan recipe.toml                   what would be done
    dataengine run recipe.toml                    do it; again, to go on after a kill
    dataengine status runs/NAME                   what became of every document
    """


# --- recipes ----------------------------------------------------------------------------------------------------------


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("recipe.toml"), show_default=True,
              help="The recipe to write.")
def init(folder: Path, out: Path) -> None:
    """Write a recipe for the files in FOLDER, every line explained.

    \b
    Example: dataengine init ~/crawl --out crawl.toml
    """
    from dataengine.init import write_recipe
    from dataengine.terminal import say

    say(write_recipe(folder, out))


@cli.command()
@RECIPE
@SET
@PROFILE
def check(recipe: Path, overrides: tuple[str, ...], profile: str | None) -> None:
    """Say all that is wrong in RECIPE, by line. Reads no data.

    \b
    Example: dataengine check recipes/quickstart.toml --set data.prose.1.min_words=40
    """
    from dataengine.plan import make
    from dataengine.recipe import load
    from dataengine.terminal import safe_text, say

    loaded = load(recipe, overrides, profile)
    make(loaded, Path("runs") / loaded.name)
    say(f"{safe_text(recipe)}: {len(loaded.lanes)} lanes, nothing wrong")


@cli.command()
@RECIPE
@SET
@PROFILE
@OUT
@JSON
def plan(recipe: Path, overrides: tuple[str, ...], profile: str | None, out: Path | None, as_json: bool) -> None:
    """Show what a run of RECIPE would do.

    For every segment: whether it is there already, and if not, why: a setting that changed, an input that is new.

    \b
    Example: dataengine plan recipes/quickstart.toml --set data.prose.1.min_words=40
    """
    from dataengine import show_plan
    from dataengine.plan import make
    from dataengine.recipe import load

    loaded = load(recipe, overrides, profile)
    made = make(loaded, out or Path("runs") / loaded.name)
    _print(show_plan.summary(made)) if as_json else show_plan.show(made)


@cli.command()
@RECIPE
@SET
@PROFILE
@OUT
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes; one per core if not given.")
@click.option("--quiet", is_flag=True, help="Print nothing, neither progress nor the funnel.")
@click.option("--log-format", type=click.Choice(["auto", "plain", "json"]), default="auto", show_default=True,
              help="Progress as a live table (auto, on a terminal), plain lines or JSON lines.")
@click.pass_obj
def run(own_process: bool, recipe: Path, overrides: tuple[str, ...], profile: str | None, out: Path | None,
        workers: int | None, quiet: bool, log_format: Any) -> None:
    """Run RECIPE, or go on after a kill or a change.

    What is done is kept, and never done again. Ctrl-C ends the run after the tasks at hand, a second one at once.

    \b
    Example: dataengine run recipes/quickstart.toml --workers 2 --out runs/trial
    """
    if own_process:
        os.environ.update(NO_THREADS)  # before the planner loads Arrow: a process with threads cannot be forked
    from dataengine import run as runner
    from dataengine import sql
    from dataengine.ledger import Ledger
    from dataengine.plan import make
    from dataengine.progress import Progress
    from dataengine.recipe import load

    loaded = load(recipe, overrides, profile)
    folder = out or Path("runs") / loaded.name
    made = make(loaded, folder.absolute())
    try:
        with Progress(log_format, quiet=quiet, work=made.out / "work") as progress:
            runner.run(made, workers=workers, watcher=progress, own_process=own_process)
    except KeyboardInterrupt:
        _complain("stopped; what is done is kept: run the recipe again, and it goes on")
        raise
    ledger = Ledger.open(folder)
    sql.write_database(ledger)
    if not quiet and log_format != "json":
        from dataengine import status
        from dataengine.terminal import safe_text, say

        status.show(ledger)
        shown = safe_text(folder)
        say(f"\nlook closer: dataengine inspect {shown}; dataengine sql {shown} \"FROM steps\"")
    runner.check_quarantine(made)


# --- runs -------------------------------------------------------------------------------------------------------------


@cli.command()
@RUN
@JSON
def status(run: Path, as_json: bool) -> None:
    """Show what became of all documents of RUN.

    The funnel with every reason, what was quarantined, the mixtures by source, what trainings learnt.

    \b
    Example: dataengine status runs/quickstart
    """
    from dataengine import status
    from dataengine.ledger import Ledger

    ledger = Ledger.open(run)
    _print(status.summary(ledger)) if as_json else status.show(ledger)


@cli.command()
@RUN
@click.argument("query", required=False)
@JSON
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, control characters as visible escapes.")
@click.option("--limit", type=click.IntRange(min=0), default=1000, show_default=True,
              help="Rows of the printed table; 0 for all. JSON and CSV always have all.")
def sql(run: Path, query: str | None, as_json: bool, as_csv: bool, limit: int) -> None:
    """Ask RUN in SQL.

    Views: docs, dropped, quarantined, audit, duplicates, steps, reasons, figures, shards, tokens, mixture. DESCRIBE
    docs lists its columns. Without QUERY, or with -, the query is read from standard input.

    \b
    Example: dataengine sql runs/quickstart "SELECT step, reason, rows FROM reasons ORDER BY rows DESC"
    """
    from dataengine import show_rows
    from dataengine import sql as views

    result = views.query(views.connect(run), query if query not in {None, "-"} else _from_standard_input())
    if as_json:
        show_rows.as_json(result)
    elif as_csv:
        show_rows.as_csv(result)
    else:
        show_rows.as_table(result, limit)


@cli.command()
@RUN
@click.option("--kept", is_flag=True, help="Documents that were kept.")
@click.option("--dropped", metavar="REASON", help="Documents dropped for REASON, or STEP.REASON.")
@click.option("--quarantined", metavar="REASON", help="Records quarantined for REASON, or STEP.REASON.")
@click.option("--why", metavar="KIND:STEP.REASON", help="As in dropped:prose.1.too_few_words or quarantined:bad_json.")
@click.option("--step", metavar="STEP", help="Only what this step lost, such as prose.1.")
@click.option("--lane", metavar="LANE", help="Only this lane.")
@click.option("-n", "--n", "count", type=click.IntRange(1, 1000), default=3, show_default=True,
              help="Documents per reason.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed shows other documents.")
@JSON
def inspect(run: Path, kept: bool, dropped: str | None, quarantined: str | None, why: str | None, step: str | None,
            lane: str | None, count: int, seed: int, as_json: bool) -> None:
    """Show documents of RUN: some kept, some lost to each reason.

    With what was measured on them. Nothing asked for means all: kept ones and every reason.

    \b
    Example: dataengine inspect runs/quickstart --why dropped:prose.1.too_few_words -n 5
    """
    from dataengine import inspect_run
    from dataengine.ledger import Ledger

    ledger = Ledger.open(run)
    asked = [f"dropped:{dropped}" if dropped else "", f"quarantined:{quarantined}" if quarantined else "", why or ""]
    reasons = [reason for text in asked if text for reason in inspect_run.choose(ledger, text)]
    found = inspect_run.samples(ledger, reasons=reasons if any(asked) or kept else None, kept=kept or not any(asked),
                                step=step, lane=lane, n=count, seed=seed)
    _print([vars(sample) for sample in found]) if as_json else inspect_run.show(ledger, found)


@cli.command()
@RUN
@click.option("--by", type=click.Choice(["content", "source", "language"]), default="content", show_default=True,
              help="What the columns of the table are.")
@JSON
def audit(run: Path, by: str, as_json: bool) -> None:
    """Show whom each rule of RUN hits: math, code, prose, by source and by language.

    From the audit sample, which the recipe asks for with audit = 0.01 in [run]. Warns of rules that hit math or code
    out of proportion.

    \b
    Example: dataengine audit runs/quickstart
    """
    from dataclasses import asdict

    from dataengine import audit
    from dataengine.ledger import Ledger

    ledger = Ledger.open(run)
    rates = audit.rates(ledger)
    if as_json:
        _print({"rates": [asdict(rate) for rate in rates],
                "warnings": [asdict(warning) for warning in audit.warnings(rates)]})
    else:
        audit.show(ledger, rates, by)


@cli.command()
@RUN
@click.argument("document")
@JSON
def explain(run: Path, document: str, as_json: bool) -> None:
    """Tell what happened to one DOCUMENT of RUN, step by step.

    DOCUMENT is an id, or the beginning of one; `inspect` and `sql` show ids.

    \b
    Example: dataengine explain runs/quickstart "$(dataengine sql runs/quickstart --csv \\
                 "SELECT id FROM dropped LIMIT 1" | tail -n 1)"
    """
    from dataclasses import asdict

    from dataengine import explain
    from dataengine.ledger import Ledger

    explanation = explain.explain(Ledger.open(run), document)
    _print(asdict(explanation)) if as_json else explain.show(explanation)


@cli.command()
@RUN
@JSON
def verify(run: Path, as_json: bool) -> None:
    """Read all of RUN back and check hashes, checksums and sums.

    Exit code 1 if anything is wrong.

    \b
    Example: dataengine verify runs/quickstart
    """
    from dataclasses import asdict

    from dataengine import verify
    from dataengine.ledger import Ledger

    report = verify.verify(Ledger.open(run))
    _print(asdict(report)) if as_json else verify.show(report)
    if report.problems:
        raise click.exceptions.Exit(1)


@cli.command()
@RUN
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@JSON
def gc(run: Path, dry_run: bool, as_json: bool) -> None:
    """Remove from RUN what its last plan does not need.

    Tasks of earlier settings and inputs, and what killed tasks left behind. To have it again means to run it again.

    \b
    Example: dataengine gc runs/quickstart --dry-run
    """
    from dataengine import gc

    found = gc.collect(run, dry_run=dry_run)
    _print([vars(rubbish) for rubbish in found]) if as_json else gc.show(found, dry_run=dry_run)


# --- the engine -------------------------------------------------------------------------------------------------------


@cli.group(cls=InOrder)
def stages() -> None:
    """List the stages there are, or show one.

    \b
    Example: dataengine stages show filter.gopher
    """


@stages.command("list")
@JSON
def list_stages(as_json: bool) -> None:
    """List all stages, a sentence each.

    \b
    Example: dataengine stages list
    """
    from dataengine import show_stages

    _print(show_stages.listed()) if as_json else show_stages.show_list()


@stages.command("show")
@click.argument("name", type=StageName())
@JSON
def show_stage(name: str, as_json: bool) -> None:
    """Show one stage: its settings, columns and rules.

    \b
    Example: dataengine stages show filter.gopher
    """
    from dataengine import show_stages

    _print(show_stages.described(name)) if as_json else show_stages.show_one(name)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of recipe files, for editors.

    \b
    Example: dataengine schema > recipe.schema.json
    """
    from dataengine.schema import recipe_schema

    _print(recipe_schema())


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              help="Where runs would be written.")
@JSON
def doctor(out: Path, as_json: bool) -> None:
    """Look whether this machine is fit for a run.

    Cores, memory, disk, libraries, models. Exit code 1 if a run would not be safe.

    \b
    Example: dataengine doctor --out runs
    """
    from dataengine import doctor

    findings = doctor.examine(out)
    _print([vars(finding) for finding in findings]) if as_json else doctor.show(findings)
    if any(finding.verdict == "wrong" for finding in findings):
        raise click.exceptions.Exit(1)


def _from_standard_input() -> str:
    """The query that is piped in. A person at a terminal who gave none made a mistake."""
    if sys.stdin is None or sys.stdin.isatty():
        raise QueryRefused("there is no query", expected="a query as an argument, or on standard input",
                           write='dataengine sql RUN "SELECT step, reason, rows FROM reasons"')
    return sys.stdin.read()


# --- how it ends ------------------------------------------------------------------------------------------------------


def _print(value: Any) -> None:
    """Indented JSON on standard output."""
    from dataengine.terminal import say, to_json

    say(to_json(value, indent=1))


def program() -> NoReturn:
    """Be the command `dataengine`: this process is that and nothing else."""
    collect_seldom()
    code = main(own_process=True)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)  # nothing is left to be put away, and taking all modules down takes up to 0.1 s


def main(arguments: Sequence[str] | None = None, *, own_process: bool = False) -> int:
    """Run the command line; returns the exit code. Users' mistakes are said in words, our own are written to a file."""
    from dataengine.terminal import safe_text

    _reopen_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(arguments, prog_name="dataengine", standalone_mode=False, obj=own_process)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        asked = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "dataengine"
        _complain(f"{safe_text(error.format_message(), multiline=True)}\n    see: {asked} --help")
        return error.exit_code
    except DataEngineError as error:
        _complain(safe_text(error, multiline=True))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        return 130
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        _complain(_recorded_fault(error))
        return 1


def _reopen_closed_streams() -> None:
    """Put nothing in the place of closed standard streams: else the next file opened would get their text."""
    handle = os.open(os.devnull, os.O_RDWR)
    while handle <= 2:
        handle = os.open(os.devnull, os.O_RDWR)
    os.close(handle)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def _recorded_fault(error: Exception) -> str:
    """Write the traceback to a private file and say so, with a short id that is the same for the same fault."""
    import hashlib
    import tempfile
    import traceback

    from dataengine.terminal import clip

    trace = "".join(traceback.format_exception(error))
    number = hashlib.sha256("".join(traceback.format_tb(error.__traceback__)).encode()).hexdigest()[:8]
    handle, path = tempfile.mkstemp(prefix=f"dataengine-fault-{number}-", suffix=".txt")
    with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"dataengine {__version__}, Python {sys.version}\n{trace}")
    return (f"this is a fault of dataengine, not yours ({number}): {type(error).__name__}: {clip(error, 300)}\n"
            f"    the details are in {path}; please report it with that file")


if __name__ == "__main__":
    program()
