"""Imports go one way, floor by floor, and what must start fast imports nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS = [
    {"cli", "__main__", "__init__"},
    {
        "show_plan",
        "show_rows",
        "show_stages",
        "status",
        "show_funnel",
        "show_learned",
        "inspect_run",
        "explain",
        "explain_cuts",
        "audit",
        "gc",
        "verify",
        "doctor",
        "init",
        "init_dataset",
        "schema",
        "progress",
        "open_run",
    },
    {"run", "run_folder", "executors", "worker", "nursery"},
    {"tasks"},
    {"why", "judged", "going_on"},
    {"plan", "plan_gather", "plan_prune", "plan_splits", "plan_tokenizer", "planned", "sql"},
    {"recipe", "ledger"},
    {"classifier"},
    {"compose", "variables", "document", "recipe_file", "tables", "references", "typed", "words", "locate"},
    {"stages"},
    {"stage", "prune", "shards", "index", "tokens", "token_columns", "learn_tokenizer", "sentencepiece_file", "mixture",
     "terminal", "content", "fasttext_model", "fasttext_weights", "fasttext_file", "pii", "remote"},
    {"kernels", "compiling", "errors", "faults", "version", "threads", "secret"},
]
"""From the top. A module may import from its own floor and from those below."""

TRAINER_MAY = {"dataengine.tokens", "dataengine.mixture", "dataengine.errors"}
HEAVY = ("torch", "ray", "polars", "numba", "duckdb", "pyarrow")


def imports(file: Path) -> set[str]:
    """The dotted names of all modules that a file imports anywhere, functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == "dataengine" or (ROOT / Path(*node.module.split("."))).is_dir()
            found |= {f"{node.module}.{name.name}" for name in node.names} if whole else {node.module}
    return found


def floor_of(module: str) -> int:
    """The floor on which a part of dataengine lives."""
    part = module.split(".")[1] if "." in module else "__init__"
    return next(number for number, parts in enumerate(FLOORS) if part in parts)


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


ENGINE = sorted((ROOT / "dataengine").rglob("*.py"))


@pytest.mark.parametrize("file", ENGINE, ids=module_of)
def test_a_module_imports_only_from_its_own_floor_and_below(file: Path) -> None:
    mine = module_of(file)
    known = {part for parts in FLOORS for part in parts}
    assert mine.split(".")[1] in known, "a new module needs a floor"
    for name in imports(file):
        if name.startswith("dataengine.") and name.split(".")[1] in known:
            assert floor_of(name) >= floor_of(mine), f"{mine} imports {name}, which is above it"


def test_stages_know_nothing_of_what_runs_them() -> None:
    for file in sorted((ROOT / "dataengine/stages").rglob("*.py")):
        named = {name.split(".")[1] for name in imports(file) if name.startswith("dataengine.")}
        assert not named & {"run", "tasks", "plan", "ledger", "recipe", "executors"}, file


def test_the_trainer_knows_tokens_mixtures_and_errors_of_the_engine_and_no_more() -> None:
    for file in sorted((ROOT / "trainer").rglob("*.py")):
        assert {name for name in imports(file) if name.startswith("dataengine")} <= TRAINER_MAY | {
            "dataengine.version"
        }, file


def test_the_engine_never_imports_torch_or_the_trainer() -> None:
    for file in ENGINE:
        assert not {name for name in imports(file) if name.split(".")[0] in ("torch", "trainer")}, file


def test_nothing_unpickles() -> None:
    for folder in ("dataengine", "trainer"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            assert not {name.split(".")[0] for name in imports(file)} & {
                "pickle",
                "dill",
                "joblib",
                "cloudpickle",
                "shelve",
            }, file


RECIPE = """
name = "light"
[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
[[data.web]]
stage = "filter.gopher"
[[data.web]]
stage = "filter.repetition"
[[data.web]]
stage = "filter.where"
where = "words between 100 and 20_000 and length(text) > 5"
[[data.web]]
stage = "dedup.minhash"
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["check", "recipe.toml"], ["plan", "recipe.toml"]], ids=lambda words: words[0]
)
def test_what_must_start_fast_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "docs.jsonl").write_text('{"text": "a"}\n')
    script = (
        "import sys; from dataengine.cli import main; code = main(sys.argv[1:]);"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stderr
