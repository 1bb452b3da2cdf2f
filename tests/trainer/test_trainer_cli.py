"""The command, as it is typed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny_languages import stories

from trainer.cli import main

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, write_mixture, write_config) -> Path:
    mixture = write_mixture(tmp_path / "data", {"a": [stories(100, 1)]}, heldout={"a": stories(5, 2)})
    config = write_config(tmp_path, mixture)
    said = CliRunner().invoke(main, ["train", str(config), "--out", str(tmp_path / "out")])
    assert said.exit_code == 0 and said.stdout.strip() == str(tmp_path / "out/final"), said.output
    return tmp_path


def test_a_trained_model_generates_and_is_measured_as_its_run_says(run) -> None:
    final = str(run / "out/final")
    options = ["--prompt", "the red", "--prompt", "the", "--tokens", "9", "--seed", "3", "--json"]
    first, second = (CliRunner().invoke(main, ["generate", final, *options]) for _ in range(2))
    assert first.exit_code == 0 and first.stdout == second.stdout
    assert [row["prompt"] for row in json.loads(first.stdout)] == ["the red", "the"]
    measured = CliRunner().invoke(main, ["evaluate", final, "--mixture", str(run / "data/mixture.json"), "--json"])
    result = json.loads((run / "out/result.json").read_bytes())
    assert json.loads(measured.stdout)["a"]["bits_per_byte"] == result["heldout_after"]["a"]


@pytest.mark.parametrize(("arguments", "said"), [
    (["train", "nowhere.json", "--out", "out"], "cannot read the config"),
    (["generate", "nowhere", "--prompt", "x"], "no checkpoint"),
    (["evaluate", "nowhere", "--mixture", "nowhere.json"], "cannot read the mixture"),
])
def test_mistakes_end_with_code_2_and_no_traceback(tmp_path, monkeypatch, arguments: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 2 and said in answer.stderr and "Traceback" not in answer.output


def test_help_does_not_import_torch() -> None:
    program = ("import sys; from trainer.cli import main\n"
               "try: main(['train', '--help'])\n"
               "finally: print('torch' in sys.modules)")
    said = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "Usage" in said.stdout and said.stdout.splitlines()[-1] == "False"


def imported(node: ast.AST) -> set[str]:
    """Modules of dataengine that a statement imports."""
    if isinstance(node, ast.ImportFrom) and node.module == "dataengine":
        return {f"dataengine.{name.name}" for name in node.names}
    names = {node.module or ""} if isinstance(node, ast.ImportFrom) else (
        {name.name for name in node.names} if isinstance(node, ast.Import) else set())
    return {name for name in names if name.split(".")[0] == "dataengine"}


def test_the_trainer_imports_of_dataengine_tokens_mixture_and_errors_alone() -> None:
    allowed = {"dataengine.tokens", "dataengine.mixture", "dataengine.errors"}
    files = list((REPOSITORY / "trainer").rglob("*.py"))
    found = {name for file in files for node in ast.walk(ast.parse(file.read_text())) for name in imported(node)}
    assert found == allowed
