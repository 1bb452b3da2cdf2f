"""Recipes: what is right loads, what is wrong is said at its place, and nothing else happens."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataengine import document, locate, recipe, recipe_file, stage, words
from dataengine.errors import DataEngineError, InputError, Problem, RecipeError
from dataengine.secret import Secret
from tests import tiny_stages

HERE = Path(__file__).parent
WRONG = sorted((HERE / "recipes_wrong").glob("*.toml"))
TOML_CASES = HERE.parent.parent / "shared/data/adversarial/toml.jsonl.gz"

ATLAS = """
name = "atlas"
seed = 1729

[vars]
root = "crawl"
words = 40

[[data.web]]
stage = "read.jsonl"
paths = "${root}/*.jsonl"

[[data.web]]
stage = "filter.gopher"
min_words = "${words}"

[[data.web]]
stage = "score.fasttext"
classifier = "quality"

[[data.items]]
stage = "make.items"

[[data.good]]
stage = "read.jsonl"
paths = ["good.jsonl"]

[[data.corpus]]
from  = ["web", "items"]
stage = "dedup.minhash"

[classifier.quality]
positive = "good"
negative = ["items"]

[tokenizer]
learn_from = "corpus"

[mix.broad]
from = "corpus"
tokens = "1.5M"
weights = { web = 3, items = 1 }

[train.base]
mix = "broad"
model = { width = 64, layers = 2, heads = 4 }

[train.next]
mix = "broad"
init = "base"

[run]
memory_per_worker = "1GiB"

[profiles.small]
mix.broad.tokens = 1000
data.web.gopher.max_words = 500
data.items = [ { stage = "make.items", count = 3, seed = 5 } ]
"""


@pytest.fixture(autouse=True)
def _tiny_stages():
    with tiny_stages.installed():
        yield


@pytest.fixture
def atlas(tmp_path) -> Path:
    file = tmp_path / "atlas.toml"
    file.write_text(ATLAS)
    return file


def problems(file: Path, *overrides: str, profile: str | None = None) -> list[Problem]:
    with pytest.raises(RecipeError) as caught:
        recipe.load(file, overrides, profile)
    return caught.value.problems


# --- what is right ----------------------------------------------------------------------------------------------------


def test_a_recipe_becomes_lanes_of_blocks_and_typed_tables(atlas):
    loaded = recipe.load(atlas)
    assert (loaded.name, loaded.seed, loaded.file, loaded.base) == ("atlas", 1729, atlas, atlas.parent)
    assert {lane: [block.stage.name for block in blocks] for lane, blocks in loaded.lanes.items()} == {
        "web": ["read.jsonl", "filter.gopher", "score.fasttext"], "items": ["make.items"], "good": ["read.jsonl"],
        "corpus": ["dedup.minhash"],
    }
    head = loaded.lanes["corpus"][0]
    assert (head.sources, head.step, head.config.bands) == (("web", "items"), "corpus.0", 14)
    assert loaded.classifiers["quality"].positive == ("good",)
    assert loaded.tokenizer.learn_from == ("corpus",)
    assert (loaded.mixes["broad"].sources, loaded.mixes["broad"].tokens) == (("corpus",), 1_500_000)
    assert (loaded.run.memory_per_worker, loaded.run.split_bytes) == (2**30, 32_000_000)


def test_a_variable_that_is_the_whole_string_keeps_its_type(atlas):
    web = recipe.load(atlas).lanes["web"]
    assert (web[0].config.paths, web[1].config.min_words) == ("crawl/*.jsonl", 40)


def test_built_in_variables_name_folders_of_python_and_of_the_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner").mkdir()
    file = tmp_path / "inner/a.toml"
    names = ("python.stdlib", "python.site_packages", "recipe.folder", "cwd")
    file.write_text(f"""name = "a"
        vars.mine = "${{cwd}}/mine"
        [[data.web]]
        stage = "read.jsonl"
        paths = [{", ".join(f'"${{{name}}}"' for name in names)}, "$${{cwd}}", "${{mine}}"]""")
    stdlib, site, folder, cwd, literal, mine = recipe.load(Path("inner/a.toml")).lanes["web"][0].config.paths
    assert Path(stdlib, "json/decoder.py").exists()
    assert Path(site).name == "site-packages"
    assert (folder, cwd, literal) == (str(tmp_path / "inner"), str(tmp_path), "${cwd}")
    assert mine == str(tmp_path / "mine")


def test_a_stage_that_leaves_its_seed_open_gets_the_recipes(atlas):
    assert recipe.load(atlas).lanes["items"][0].config.seed == 1729
    assert recipe.load(atlas, profile="small").lanes["items"][0].config.seed == 5


def test_a_train_that_starts_from_another_has_its_shape(atlas):
    trains = recipe.load(atlas).trains
    assert trains["next"].model == trains["base"].model == recipe.ModelConfig(width=64, layers=2, heads=4)


def test_a_model_may_stand_in_a_file_beside_the_recipe(atlas):
    (atlas.parent / "tiny.toml").write_text("width = 32\nlayers = 1\nheads = 2\n")
    assert recipe.load(atlas, ["train.base.model=tiny.toml"]).trains["base"].model.width == 32


def test_a_profile_is_merged_over_the_rest_and_reaches_into_lanes(atlas):
    loaded = recipe.load(atlas, profile="small")
    assert (loaded.mixes["broad"].tokens, loaded.mixes["broad"].weights) == (1000, {"web": 3, "items": 1})
    assert loaded.lanes["web"][1].config.max_words == 500
    assert loaded.lanes["items"][0].config.count == 3


@pytest.mark.parametrize(("override", "value"), [
    ("data.web.1.min_words=3", lambda r: r.lanes["web"][1].config.min_words == 3),
    ("data.web.gopher.min_words = 3", lambda r: r.lanes["web"][1].config.min_words == 3),
    ("data.web.filter.gopher.min_words=3", lambda r: r.lanes["web"][1].config.min_words == 3),
    ("data.web.jsonl.paths=*.txt", lambda r: r.lanes["web"][0].config.paths == "*.txt"),
    ('data.web.0.paths=["a", "b"]', lambda r: r.lanes["web"][0].config.paths == ["a", "b"]),
    ("data.corpus.0.from=web", lambda r: r.lanes["corpus"][0].sources == ("web",)),
    ("seed=7", lambda r: r.seed == 7),
    ("mix.broad.tokens=2M", lambda r: r.mixes["broad"].tokens == 2_000_000),
    ("mix.broad.weights.items=0.25", lambda r: r.mixes["broad"].weights == {"web": 3, "items": 0.25}),
    ("vars.root=other", lambda r: r.lanes["web"][0].config.paths == "other/*.jsonl"),
    ("run.workers=3", lambda r: r.run.workers == 3),
    ('name="a"\nseed=3', None),
    ("train.base.prompts=[]", lambda r: r.trains["base"].prompts == ()),
])
def test_an_override_reaches(atlas, override, value):
    if override.startswith("data.corpus"):
        override, more = override, ["mix.broad.weights={}"]
    else:
        more = []
    if value is None:  # a second line is no way to set a second thing
        assert [problem.path for problem in problems(atlas, override)] == ["name"]
    else:
        assert value(recipe.load(atlas, [override, *more]))


def test_later_overrides_win_over_earlier_ones_and_over_the_profile(atlas):
    assert recipe.load(atlas, ["mix.broad.tokens=1", "mix.broad.tokens=2"], "small").mixes["broad"].tokens == 2


def test_a_recipe_extends_others_and_replaces_whole_lanes_and_single_fields(atlas):
    (atlas.parent / "sub").mkdir()
    child = atlas.parent / "sub/child.toml"
    child.write_text("""extends = "../atlas.toml"
        seed = 3
        [data.web.gopher]
        min_words = 5
        [[data.good]]
        stage = "make.items"
        [mix.broad]
        heldout = 0.1""")
    (atlas.parent / ".git").mkdir()
    loaded = recipe.load(child)
    assert (loaded.name, loaded.seed, loaded.base) == ("atlas", 3, child.parent)
    assert loaded.lanes["web"][1].config.min_words == 5
    assert [block.stage.name for block in loaded.lanes["good"]] == ["make.items"]
    assert (loaded.mixes["broad"].tokens, loaded.mixes["broad"].heldout) == (1_500_000, 0.1)


def test_without_a_repository_around_it_a_recipe_extends_nothing_outside_its_own_folder(atlas, monkeypatch, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "elsewhere").mkdir()
    child = tmp_path / "sub/child.toml"
    child.write_text('extends = "../atlas.toml"')
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "outside the project" in problems(child)[0].found
    monkeypatch.chdir(tmp_path)
    assert recipe.load(child).name == "atlas"


def test_a_link_that_leads_out_of_the_project_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "secret.toml").write_text('name = "secret"')
    project = tmp_path / "project"
    project.mkdir()
    (project / ".git").mkdir()
    (project / "link.toml").symlink_to("../secret.toml")
    (project / "a.toml").write_text('extends = "link.toml"')
    assert "outside the project" in problems(project / "a.toml")[0].found


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path):
    plain, windows = tmp_path / "a.toml", tmp_path / "b.toml"
    plain.write_text(ATLAS)
    windows.write_bytes(b"\xef\xbb\xbf" + ATLAS.replace("\n", "\r\n").encode())
    assert recipe.load(plain).lanes == recipe.load(windows).lanes
    windows.write_bytes(windows.read_bytes().replace(b"seed = 1729", b"seed = x"))
    assert (problems(windows)[0].where.line, problems(windows)[0].where.column) == (3, 8)


def test_a_recipe_cannot_be_changed(atlas):
    loaded = recipe.load(atlas)
    with pytest.raises(AttributeError):
        loaded.seed = 3
    with pytest.raises(ValueError):
        loaded.mixes["broad"].tokens = 3


# --- what is wrong ----------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("file", WRONG, ids=lambda file: file.stem)
def test_the_caret_of_every_problem_is_under_its_source_line(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    with pytest.raises(DataEngineError) as caught:
        recipe.load(Path(file.name), *arguments(file))
    for problem in getattr(caught.value, "problems", []):
        assert_place(problem, {str(path): path.read_bytes() for path in Path().rglob("*.toml")})


def assert_place(problem: Problem, files: dict[str, bytes]) -> None:
    """The line and column exist, and the line shown is the file's."""
    if problem.where.line:
        lines = files[problem.where.file].removeprefix(b"\xef\xbb\xbf").decode(errors="replace").split("\n")
        line = lines[problem.where.line - 1].rstrip("\r")
        assert 1 <= problem.where.column <= len(line) + 1
        if problem.source_line:
            same = [a == b or not b.isprintable() for a, b in zip(problem.source_line, line, strict=False)]
            assert all(same)
            end = problem.where.column + problem.where.width - 1
            assert problem.where.width == 1 or end <= len(problem.source_line)


def test_a_planner_can_point_at_any_place_of_the_text(atlas):
    loaded = recipe.load(atlas, ["data.web.1.max_words=9"])
    line = {text: number for number, text in reversed([*enumerate(ATLAS.split("\n"), 1)])}
    wanted = {
        "data.web[1].min_words": (line['min_words = "${words}"'], 13),
        "data.web[2].stage": (line['stage = "score.fasttext"'], 9),
        "data.web[0].text": (line["[[data.web]]"], 1),
        "mix.broad.weights.web": (line["weights = { web = 3, items = 1 }"], 19),
        "mix.broad": (line["[mix.broad]"], 1),
        "run": (line["[run]"], 1),
        "data.corpus[0].from[1]": (line['from  = ["web", "items"]'], 17),
    }
    found = {path: loaded.problem(path, "wrong") for path in wanted}
    assert {path: (problem.where.line, problem.where.column) for path, problem in found.items()} == wanted
    assert all(problem.where.file == str(atlas) for problem in found.values())
    assert str(loaded.problem("data.web[1].max_words", "wrong").where) == "--set data.web.1.max_words"
    assert str(loaded.problem("data.nowhere", "wrong").where).startswith(str(atlas))


def test_what_a_message_tells_to_write_is_right(tmp_path, monkeypatch):
    """Each `field = value` that a message proposes, put in the place of what was wrong, is not complained of again."""
    file = HERE / "recipes_wrong/wrong_types.toml"
    lines = file.read_text().split("\n")
    for problem in problems(file):
        lines[problem.where.line - 1] = problem.write
    (tmp_path / "right.toml").write_text("\n".join(lines))
    assert recipe.load(tmp_path / "right.toml").lanes["web"][1].config.min_words == 40


def test_without_toml_rs_a_message_names_the_path_alone(atlas, monkeypatch):
    monkeypatch.setitem(sys.modules, "toml_rs", None)
    atlas.write_text(ATLAS.replace("seed = 1729", 'seed = "x"'))
    [problem] = problems(atlas)
    assert (str(problem.where), problem.path, problem.write) == (str(atlas), "seed", "seed = 0")
    atlas.write_text(ATLAS.replace("seed = 1729", "seed = "))
    assert problems(atlas)[0].where.line == 3  # tomllib's own


@pytest.mark.parametrize("text", [
    "a = 1\n" * 400_000, "x = " + "[" * 3000 + "]" * 3000, "x = " + "{a=" * 3000 + "1" + "}" * 3000,
    ".".join(["a"] * 20_000) + " = 1", "[" + ".".join(["a"] * 20_000) + "]", "x = [\n" * 100_000,
], ids=["2MB", "arrays", "inline tables", "dotted key", "dotted header", "never closed"])
def test_a_monstrous_recipe_is_refused_before_any_parser_sees_it(tmp_path, text):
    file = tmp_path / "a.toml"
    file.write_text(text)
    [problem] = problems(file)
    assert "larger than" in problem.found or "nested more than 64 deep" in problem.found


def test_what_is_no_file_is_an_input_error_and_nobody_waits_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "atlas.toml").write_text(ATLAS)
    for name, found in (("pipe.toml", "not a file"), (".", "not a file"), ("atlsa.toml", "no such file")):
        with pytest.raises(InputError) as caught:
            recipe.load(tmp_path / name)
        assert found in str(caught.value)
    assert caught.value.write == str(tmp_path / "atlas.toml")


def test_a_pipe_is_not_extended(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "a.toml").write_text('extends = "pipe.toml"')
    assert "there is no file" in problems(tmp_path / "a.toml")[0].found


def test_names_with_control_characters_do_not_reach_the_terminal(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('name = "a"\n"\\u001b[31m" = 1\n[[data.web]]\nstage = "\\u001b]0;x\\u0007\\u202e"\n')
    text = "\n".join(map(str, problems(file)))
    assert "\\u001B" in text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_seeds_and_sizes_have_their_limits(atlas):
    assert recipe.load(atlas, [f"seed={2**63 - 1}"]).seed == 2**63 - 1
    assert [problem.path for problem in problems(atlas, f"seed={2**63}")] == ["seed"]
    assert recipe.load(atlas, ["run.split_bytes=1.5MiB"]).run.split_bytes == 1.5 * 2**20
    for wrong in ("0", "-1", "1.5", "0.1B", "one"):
        assert [problem.path for problem in problems(atlas, f"run.split_bytes={wrong}")] == ["run.split_bytes"]


# --- secrets ----------------------------------------------------------------------------------------------------------

HUB = ATLAS + '\n[[data.web]]\nstage = "filter.hub"\ntoken = { env = "DATAENGINE_TEST_TOKEN" }\n'


def test_a_secret_is_read_from_the_environment_and_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("DATAENGINE_TEST_TOKEN", "canary-1729")
    file = tmp_path / "a.toml"
    file.write_text(HUB)
    loaded = recipe.load(file)
    config = loaded.lanes["web"][3].config
    assert config.token.reveal() == "canary-1729"
    shown = [repr(loaded), str(config), str(config.token), stage.canonical(config), repr(config.model_dump())]
    assert not [text for text in shown if "canary" in text]
    assert '{"env":"DATAENGINE_TEST_TOKEN"}' in stage.canonical(config)
    monkeypatch.setenv("DATAENGINE_TEST_TOKEN", "another")
    other = recipe.load(file).lanes["web"][3].config
    assert stage.canonical(other) == stage.canonical(config)
    assert type(config).model_validate_json(stage.canonical(config)).token.reveal() == "another"


def test_a_secret_written_into_a_recipe_or_an_override_is_not_repeated(tmp_path, monkeypatch):
    monkeypatch.setenv("DATAENGINE_TEST_TOKEN", "x")
    file = tmp_path / "a.toml"
    file.write_text(HUB.replace('{ env = "DATAENGINE_TEST_TOKEN" }', '"canary-1729"'))
    assert "canary" not in "\n".join(map(str, problems(file)))
    file.write_text(HUB)
    for override in ("data.web.hub.token=canary", "data.wbe.hub.token=canary", "data.web.3.token.env=CANARY_UNSET"):
        [problem] = problems(file, override)
        assert "canary" not in str(problem)
    assert Secret("NAME", "canary") == Secret("NAME", "other")


# --- any text at all --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not TOML_CASES.exists(), reason="the evaluation data is not here")
def test_a_text_is_called_no_toml_exactly_when_it_is_none(tmp_path):
    file = tmp_path / "a.toml"
    wrong = []
    for line in gzip.decompress(TOML_CASES.read_bytes()).splitlines():
        case = json.loads(line)
        data = case["data"].encode() if "data" in case else base64.b64decode(case["data_b64"])
        file.write_bytes(data)
        for problem in problems(file):
            assert_place(problem, {str(file): data})
        refused = any("not TOML" in problem.found or "not UTF-8" in problem.found for problem in problems(file))
        if refused != (case["expect"] == "reject"):
            wrong.append(case["id"])
    assert wrong == []


JUNK = ["", "[", "]", "{", '"', "'''", "\n", "=", ".", "é", "\t", "-1", "true", "${x}", '"""', "#", "\r\n",
        "[[data.web]]\n", "x = 1\n", "\x00", "1e999"]


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_to_a_recipe_leads_to_anything_but_problems_at_places_that_exist(tmp_path, data):
    text = ATLAS
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 12))
        junk = data.draw(st.sampled_from(JUNK))
        text = text[:start] + junk + text[start + length:]
    file = tmp_path / "a.toml"
    file.write_bytes(text.encode())
    try:
        recipe.load(file)
    except RecipeError as error:
        assert error.problems
        for problem in error.problems:
            assert_place(problem, {str(file): text.encode()})


class Writer:
    """Writes a recipe in one of the many ways to write it, and remembers where the plant stands."""

    def __init__(self, random: Random) -> None:
        self.random, self.text, self.plant = random, "", (0, 0)

    def here(self) -> None:
        self.plant = (self.text.count("\n") + 1, len(self.text) - self.text.rfind("\n"))

    def space(self, *choices: str) -> None:
        self.text += self.random.choice(choices)

    def field(self, name: str, value: object, plant: str = "") -> None:
        self.space("", "  ", "\t")
        if plant == "key":
            self.here()
        self.text += self.random.choice([name, f'"{name}"', f"'{name}'"])
        self.space(" = ", "=", "\t=  ")
        start = len(self.text)
        if plant == "value":
            self.here()
        self.value(value, plant)
        if plant == "variable":  # the caret is under the variable if it begins on the line where its string begins
            line, name, _ = self.text[start:].split("\n")[0].partition("${")
            self.text, rest = self.text[: start + len(line) * bool(name)], self.text[start + len(line) * bool(name):]
            self.here()
            self.text += rest
        self.space("\n", "  # a comment = [with] \"marks\n", " # é日本\n", "\n\n")

    def value(self, value: object, plant: str = "") -> None:
        if isinstance(value, list):
            newline = self.random.choice(["", "\n", "\n    # in between\n"])
            self.text += "[" + newline
            for item in value:
                if plant == "item" and item is value[-1]:
                    self.here()
                self.value(item)
                self.text += ", " + newline
            self.text += "]"
        elif isinstance(value, str):
            styles = [words.toml(value)]
            if "'" not in value:
                styles += [f"'{value}'", f"'''{value}'''", f'"""\\\n  {value}"""', f"'''\n{value}'''"]
            self.text += self.random.choice(styles)
        else:
            self.text += words.toml(value)


PLANTS = {
    # what is wrong, in which part: (lane block or table, field, value, where it is reported)
    "unknown field": ("gopher", "min_wrds", 3, "key"),
    "wrong type": ("gopher", "max_words", "many", "value"),
    "out of range": ("language", "min_confidence", 7.5, "value"),
    "wrong item": ("language", "keep", ["en", "größe", 3], "item"),
    "wrong choice": ("exact", "of", "txt", "value"),
    "unknown lane": ("corpus", "from", ["web", "wbe"], "item"),
    "unknown variable": ("read", "text", "a/${nowhere}", "variable"),
    "run": ("run", "workers", 0, "value"),
    "size": ("run", "split_bytes", "20 megs", "value"),
    "unknown run field": ("run", "worker", 3, "key"),
}


@given(st.sampled_from(sorted(PLANTS)), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_planted_error_is_reported_at_its_own_line_and_column(tmp_path, plant, random):
    part, field, value, where = PLANTS[plant]
    fields = {
        "read": {"stage": "read.jsonl", "paths": ["ä/*.jsonl", "b"], "text": "text"},
        "gopher": {"stage": "filter.gopher", "min_words": 40},
        "language": {"stage": "filter.language", "keep": ["en", "日本"]},
        "exact": {"stage": "dedup.exact"},
        "corpus": {"stage": "dedup.minhash", "from": ["web"], "bands": 3},
        "run": {"max_quarantined": 0.5},
    }
    fields[part] = {name: old for name, old in fields[part].items() if name != field} | {field: value}
    writer = Writer(random)
    writer.field("name", "planted")
    blocks = ["gopher", "language", "exact", "gopher"]
    random.shuffle(blocks)
    blocks.remove("gopher")  # one is enough, wherever it came to stand
    for name in ["read", *blocks, "corpus", "run"]:
        header = {"corpus": "[[data.corpus]]", "run": "[run]"}.get(name, "[[data.web]]")
        writer.text += random.choice([header, header.replace("data", '"data"'), header + " # x", "  " + header]) + "\n"
        items = list(fields[name].items())
        random.shuffle(items)
        for key, item in items:
            writer.field(key, item, where if (name, key) == (part, field) else "")
    tomllib.loads(writer.text)
    file = tmp_path / "planted.toml"
    file.write_text(writer.text)
    [problem] = problems(file)
    assert (problem.where.line, problem.where.column) == writer.plant


# --- cost -------------------------------------------------------------------------------------------------------------


def test_loading_a_recipe_imports_nothing_heavy(atlas):
    program = (
        "import sys; from tests import tiny_stages; from dataengine import recipe, schema\n"
        "with tiny_stages.installed(): recipe.load(sys.argv[1]); schema.recipe_schema()\n"
        "heavy = {'pyarrow', 'numpy', 'duckdb', 'polars', 'numba', 'torch', 'toml_rs', 'ray'} & sys.modules.keys()\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(atlas)], cwd=HERE.parent, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_large_recipe_is_read_in_linear_time(tmp_path):
    import time

    def seconds(blocks: int) -> float:
        file = tmp_path / f"{blocks}.toml"
        body = '[[data.web]]\nstage = "filter.gopher"\nmin_word = 3\n' * blocks
        file.write_text(f'name = "a"\n[[data.web]]\nstage = "read.jsonl"\npaths = "a"\n{body}')
        start = time.process_time()
        assert len(problems(file)) == blocks
        return time.process_time() - start

    seconds(10)
    assert seconds(400) < 20 * seconds(40) + 0.5


def test_a_document_reports_each_problem_once():
    source = recipe_file.Source("a.toml", "x = 1\n")
    merged = document.Document(source)
    merged.merge({"x": 1}, source)
    merged.report(("x",), "wrong")
    merged.report(("x",), "wrong")
    with pytest.raises(RecipeError) as caught:
        merged.finish()
    assert len(caught.value.problems) == 1
    assert locate.render(("x",)) == caught.value.problems[0].path
