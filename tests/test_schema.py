"""The JSON Schema of recipes says of a text what reading it says, as far as one table alone can tell."""

from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest

from dataengine import recipe, schema, stage
from dataengine.errors import DataEngineError
from dataengine.tables import RunConfig, TokenizerConfig
from tests import tiny_stages
from tests.test_recipe import ATLAS, HUB, WRONG, arguments

BEYOND = {  # what is wrong between tables, in names of files, or in a text that is no TOML
    "circle_through_classifier", "from_in_later_block", "from_twice", "from_unknown_lane", "lanes_in_a_circle",
    "mix_without_tokenizer", "tokenizer_two_ways", "tokenizer_from_nothing", "neither_reads_nor_takes",
    "read_not_first", "secrets", "train_in_a_circle",
    "train_model_file", "train_of_another_shape", "train_wrong", "weights_out_of_reach", "weights_all_zero",
    "weights_by_lane",
    "variables", "extends_outside", "extends_missing", "extends_address", "extends_in_a_circle", "extends_broken_base",
    "extends_wrong_values", "profile_unknown", "variable_of_wrong_type", "deep", "deep_dotted",
    "profile_wrong", "profile_not_chosen", "dotted_keys",
}


@pytest.fixture(autouse=True)
def _tiny_stages():
    with tiny_stages.installed():
        yield


def accepts(text: str) -> bool:
    return jsonschema.Draft202012Validator(schema.recipe_schema()).is_valid(tomllib.loads(text))


def test_it_is_a_schema_of_draft_2020_12():
    jsonschema.Draft202012Validator.check_schema(schema.recipe_schema())


@pytest.mark.parametrize("text", [
    ATLAS, HUB, 'extends = "base.toml"',
    'extends = "base.toml"\n[mix.broad]\ntokens = "2B"\n[data.web.gopher]\nmin_words = 3',
    'name = "${where}-a"\ndata.a = [ { stage = "make.items", count = "${many}" } ]\nrun.workers = "${all}"',
])
def test_right_recipes_fit_it(text):
    assert accepts(text)


@pytest.mark.parametrize("file", [file for file in WRONG if file.stem not in BEYOND], ids=lambda file: file.stem)
def test_wrong_tables_do_not_fit_it(file):
    if arguments(file) != ([], None):
        return  # wrong by its overrides alone
    try:
        assert not accepts(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        assert "not TOML" in (message := file.with_suffix(".txt").read_text()) or "not UTF-8" in message


def test_every_field_of_every_table_and_stage_is_in_it_with_its_help():
    made = schema.recipe_schema()
    blocks = {block["properties"]["stage"]["const"]: block for block in made["$defs"]["block"]["oneOf"]}
    assert blocks.keys() == tiny_stages.STAGES.keys()  # the plugin that cannot be imported is left out
    tables = [(made["$defs"][name], model) for name, model in recipe.NAMED.items()]
    tables += [(made["$defs"]["tokenizer"], TokenizerConfig), (made["$defs"]["run"], RunConfig)]
    tables += [(blocks[name], found.config) for name, found in tiny_stages.STAGES.items()]
    for table, model in tables:
        for name, field in model.model_fields.items():
            written = table["properties"][field.alias or name]
            assert written.get("description") == field.description
            assert field.description


def test_our_own_stages_are_in_it_and_their_defaults_fit():
    stage.load.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "plugin_targets", dict)
        patch.setattr(stage, "builtin_names", stage_names)
        made = schema.recipe_schema()
    stage.load.cache_clear()
    validator = jsonschema.Draft202012Validator(made)
    names = [block["title"] for block in made["$defs"]["block"]["oneOf"]]
    assert names == sorted(names) and "filter.gopher" in names
    for block in made["$defs"]["block"]["oneOf"]:
        defaults = {name: field["default"] for name, field in block["properties"].items() if "default" in field}
        if set(block["required"]) == {"stage"}:
            text = {"name": "a", "data": {"a": [{"stage": block["title"], **defaults}]}}
            assert not [error.message for error in validator.iter_errors(text)], block["title"]


def stage_names() -> frozenset[str]:
    return frozenset(f"{file.parent.name}.{file.stem}" for file in stage.FOLDER.glob("*/*.py") if file.stem[0] != "_")


def test_a_config_beyond_json_schema_is_left_open():
    class Odd(stage.StageConfig):
        call: type | None = None

    with pytest.MonkeyPatch.context() as patch:
        odd = stage.Stage("filter.odd", "filter", print, Odd, 1, tuple, dict)
        patch.setattr(stage, "load", lambda name: odd if name == "filter.odd" else tiny_stages.STAGES[name])
        patch.setattr(stage, "names", lambda: ["filter.odd", "make.items"])
        patch.setattr(stage, "plugin_targets", lambda: {"filter.odd": 1, "make.items": 1})
        assert accepts('name = "a"\ndata.a = [ { stage = "make.items" }, { stage = "filter.odd" } ]')


def test_what_fits_is_read(tmp_path):
    file = Path(tmp_path, "a.toml")
    file.write_text(ATLAS)
    assert recipe.load(file).name == "atlas"
    file.write_text("x = 1")
    assert not accepts("x = 1")
    with pytest.raises(DataEngineError):
        recipe.load(file)
