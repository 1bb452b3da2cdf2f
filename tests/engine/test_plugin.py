"""A stage of another package, 25 lines in all, is a stage like any other: listed, planned, in the schema, and run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.projects import dataengine, plugin, project

SHOUTING = '''
"""Drop text that shouts: too large a share of capital letters."""

from dataengine.stage import Rule, StageConfig, filter


class Config(StageConfig):
    max_capital_ratio: float = 0.3
    """Largest share of letters that are capitals."""


RULES = [Rule("shouts", "capital_ratio", ">", "max_capital_ratio")]


@filter(reads=["text"], measures={"capital_ratio": "float64"}, rules=RULES, version=1)
def shouting(batch, config):
    return {"capital_ratio": [capital_ratio(text or "") for text in batch["text"].to_pylist()]}


def capital_ratio(text):
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter.isupper() for letter in letters) / max(len(letters), 1)
'''

RECIPE = """
name = "loud"
[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
[[data.web]]
stage = "filter.shouting"
max_capital_ratio = 0.5
"""


@pytest.fixture
def installed(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with a recipe that uses the plugin, and the environment in which it is installed."""
    rows = [{"text": "PLEASE BUY"}, {"text": "a quiet word"}, {"text": "NOW OR NEVER"}, {"text": ""}]
    project(tmp_path, RECIPE, rows)
    return tmp_path, plugin(tmp_path / "packages", "filter.shouting", "shouting", SHOUTING)


def test_a_plugin_is_25_lines_long() -> None:
    assert len(SHOUTING.strip().splitlines()) <= 25


def test_a_plugin_is_listed_and_shown_with_its_help(installed: tuple[Path, dict[str, str]]) -> None:
    folder, env = installed
    assert "filter.shouting" in dataengine("stages", "list", cwd=folder, env=env).stdout
    shown = dataengine("stages", "show", "filter.shouting", cwd=folder, env=env).stdout
    assert "Largest share of letters that are capitals." in shown and "shouts" in shown


def test_a_plugin_is_in_the_schema(installed: tuple[Path, dict[str, str]]) -> None:
    folder, env = installed
    schema = json.loads(dataengine("schema", cwd=folder, env=env).stdout)
    assert "filter.shouting" in json.dumps(schema) and "max_capital_ratio" in json.dumps(schema)


def test_a_plugin_is_planned_and_run_and_its_rules_judge(installed: tuple[Path, dict[str, str]]) -> None:
    folder, env = installed
    assert "filter.shouting" in dataengine("plan", "recipe.toml", cwd=folder, env=env).stdout
    done = dataengine("run", "recipe.toml", "--quiet", cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    answer = dataengine(
        "sql",
        "runs/loud",
        "select text, reason, capital_ratio from dropped order by text",
        "--json",
        cwd=folder,
        env=env,
    )
    assert json.loads(answer.stdout) == [
        {"text": "NOW OR NEVER", "reason": "shouts", "capital_ratio": 1.0},
        {"text": "PLEASE BUY", "reason": "shouts", "capital_ratio": 1.0},
    ]


def test_without_the_package_the_recipe_is_refused_at_its_line(installed: tuple[Path, dict[str, str]]) -> None:
    folder, _ = installed
    refused = dataengine("check", "recipe.toml", cwd=folder)
    assert refused.returncode == 2 and "recipe.toml:7:9" in refused.stderr and "filter.shouting" in refused.stderr
