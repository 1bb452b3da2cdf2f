"""Recipes: what is right loads, what is wrong is said at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_stages

from dataengine import recipe
from dataengine.errors import DataEngineError

HERE = Path(__file__).parent
WRONG = sorted((HERE / "recipes_wrong").glob("*.toml"))


@pytest.fixture(autouse=True)
def _tiny_stages():
    with tiny_stages.installed():
        yield


def arguments(file: Path) -> tuple[list[str], str | None]:
    """The ``--set`` and ``--profile`` that a wrong recipe asks for in its first comments."""
    comments = [line[2:].split(" ", 1) for line in file.read_bytes().decode(errors="replace").splitlines()
                if line.startswith("# --")]
    overrides = [text for option, text in comments if option == "--set"]
    return overrides, next((text for option, text in comments if option == "--profile"), None)


@pytest.mark.parametrize("file", WRONG, ids=lambda file: file.stem)
def test_a_wrong_recipe_is_answered_with_exactly_this_message(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    with pytest.raises(DataEngineError) as caught:
        recipe.load(Path(file.name), *arguments(file))
    assert str(caught.value) + "\n" == file.with_suffix(".txt").read_text()
    assert caught.value.exit_code == 2
