"""TOML -> a typed, frozen Recipe, or everything that is wrong in its text, with file, line, column and what to write.

A recipe is read in three steps, each of which collects problems rather than stop at the first:

    document    files, profile, --set and variables become one tree that knows where each value came from
    typed       tables and blocks become frozen configs
    references  every name that names another table exists, nothing goes in a circle, weights can be met

Nothing here touches data: which columns a lane has, and whether input files are there, is found by `dataengine.plan`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from dataengine import compose, locate, recipe_file, references, stage, typed, words
from dataengine.document import Document
from dataengine.errors import InputError, Problem, RecipeError
from dataengine.recipe_file import Place
from dataengine.references import Draft, Parts
from dataengine.remote.policy import NetworkConfig
from dataengine.tables import (
    ClassifierConfig,
    Lanes,
    MixConfig,
    ModelConfig,
    RunConfig,
    TableConfig,
    TokenizerConfig,
    TrainConfig,
)

__all__ = [
    "Block", "ClassifierConfig", "MixConfig", "ModelConfig", "Recipe", "RunConfig", "TokenizerConfig", "TrainConfig",
    "load",
]

Model = TypeVar("Model", bound=BaseModel)

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""A recipe's name becomes a folder."""
PART_NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,99}"
"""Names of lanes, mixtures ... become parts of steps' names (``web.3``, ``mix.broad``), where a dot divides."""

NAMED = {"classifier": ClassifierConfig, "mix": MixConfig, "train": TrainConfig}
"""Tables of tables: ``[mix.broad]``."""


class Head(TableConfig):
    """What stands at the top of a recipe."""

    name: str = Field(pattern=f"^{NAME}$", examples=["quickstart"])
    """Name of the recipe and of the folder its runs go to: letters, digits and ``- _ .``."""
    seed: int = Field(0, ge=0, lt=2**63)
    """From which all randomness follows, together with the ids of documents."""


@dataclass(frozen=True)
class Block:
    """One ``[[data.NAME]]`` entry: a stage with its config."""

    lane: str
    index: int
    stage: stage.Stage
    config: stage.StageConfig
    sources: tuple[str, ...] = ()
    """``from``: the lanes it takes its rows from. Only a lane's head may have them."""

    @property
    def step(self) -> str:
        return f"{self.lane}.{self.index}"


@dataclass(frozen=True)
class Recipe:
    """A recipe in whose text nothing is wrong."""

    name: str
    seed: int
    file: Path
    base: Path
    """The recipe's folder, absolute: relative paths in the recipe start here, also those it inherits."""
    lanes: Mapping[str, tuple[Block, ...]]
    classifiers: Mapping[str, ClassifierConfig]
    tokenizer: TokenizerConfig | None
    mixes: Mapping[str, MixConfig]
    trains: Mapping[str, TrainConfig]
    run: RunConfig
    network: NetworkConfig
    _document: Document = field(repr=False, compare=False)

    def problem(
        self, path: str, found: str, expected: str = "", write: str = "", *, show_line: bool = True
    ) -> Problem:
        """A problem at `path` (``data.web[3].min_words``, ``mix.broad.weights.web``), with its place in the text.

        For those who find what is wrong later, such as the planner. What is not in the text is shown at the nearest
        table around it.
        """
        return self._document.problem(locate.parse(path), found, expected, write, show_line=show_line)


def load(path: Path, overrides: Sequence[str] = (), profile: str | None = None) -> Recipe:
    """The recipe in this file, with ``--set`` overrides (``data.web.3.min_words=40``) and a profile laid over it.

    Raises RecipeError with all problems at once, InputError for a file that cannot be read.
    """
    path = Path(path)
    document = compose.compose(path, overrides, profile)
    for other in document.profiles:  # what only another profile holds is part of the text too
        if other != profile:
            unchosen = compose.compose(path, overrides, other)
            _read(unchosen, path)
            document.problems += unchosen.problems
    recipe = _read(document, path)
    document.finish()
    assert recipe is not None  # else there was something to raise
    return recipe


def _read(document: Document, path: Path) -> Recipe | None:
    """The recipe in a document, or None after problems were reported to it."""
    base = path.absolute().parent
    _known_tables(document)
    tree = document.tree
    head = typed.validate(document, Head, {key: tree[key] for key in ("name", "seed") if key in tree}, (), "the recipe")
    run = _single(document, "run", RunConfig)
    network = _single(document, "network", NetworkConfig)
    parts = Parts(
        lanes=_drafts(document),
        classifiers=_named(document, "classifier"), mixes=_named(document, "mix"), trains=_named(document, "train"),
        tokenizer=_single(document, "tokenizer", TokenizerConfig) if "tokenizer" in tree else None,
    )
    references.check(document, parts)
    trains = _shapes(document, parts.trains, base)
    if document.problems:
        return None
    assert head is not None and run is not None and network is not None  # else there was a problem
    return Recipe(
        name=head.name, seed=head.seed, file=path, base=base,
        lanes={lane: _blocks(lane, drafts, head.seed) for lane, drafts in parts.lanes.items()},
        classifiers=parts.classifiers, tokenizer=parts.tokenizer, mixes=parts.mixes, trains=trains, run=run,
        network=network,
        _document=document,
    )


TOP = {
    "name": "name = ...", "seed": "seed = ...", "vars": "[vars]", "extends": "extends = ...",
    "profiles": "[profiles.NAME]", "data": "[[data.NAME]]", "classifier": "[classifier.NAME]",
    "tokenizer": "[tokenizer]", "mix": "[mix.NAME]", "train": "[train.NAME]", "run": "[run]", "network": "[network]",
}
"""What a recipe may hold, and how it is written."""


def _known_tables(document: Document) -> None:
    for name, value in document.tree.items():
        if name not in TOP:
            near = words.nearest(name, TOP)
            meant = TOP.get(near, "").replace("...", words.clipped(words.toml(value), 100))
            found = f"a recipe has no {words.string(name)}"
            document.report((name,), found, words.one_of(list(TOP)), meant, at_key=True)


# --- tables -----------------------------------------------------------------------------------------------------------


def _single(document: Document, table: str, model: type[Model]) -> Model | None:
    """``[tokenizer]``, ``[run]`` or ``[network]``."""
    values = document.tree.get(table, {})
    if not isinstance(values, dict):
        document.report((table,), f"{words.a_value(values)} where a table stands", f"a table [{table}]")
        return None
    return typed.validate(document, model, values, (table,), f"[{table}]")


def _named(document: Document, table: str) -> dict[str, Any]:
    """``[mix.NAME]`` and the like: those in which nothing is wrong."""
    tables = document.tree.get(table, {})
    if not isinstance(tables, dict):
        document.report((table,), f"{words.a_value(tables)} where tables stand", f"tables [{table}.NAME]")
        return {}
    found = {}
    for name, values in tables.items():
        place = (table, name)
        _check_name(document, place)
        if isinstance(values, dict):
            found[name] = typed.validate(document, NAMED[table], values, place, f"[{locate.render(place)}]")
        else:
            fields = NAMED[table].model_json_schema()["properties"]
            meant = name in fields or words.nearest(name, fields)
            document.report(place, f"{words.a_value(values)} where a table [{table}.NAME] stands",
                            f"a name for the {table}: [{table}.NAME]",
                            words.lines(f"[{table}.NAME]", f"{name} = {words.toml(values)}") if meant else "")
    return {name: config for name, config in found.items() if config is not None}


def _check_name(document: Document, place: Place) -> None:
    name = str(place[-1])
    if not re.fullmatch(PART_NAME, name):
        better = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-")[:100]
        better = better if re.fullmatch(PART_NAME, better) else f"_{better}"
        document.report(place, f"{words.clipped(words.toml(name))} cannot be a name: it becomes part of file names",
                        "a letter, then letters, digits, - and _", better, at_key=True)


# --- lanes ------------------------------------------------------------------------------------------------------------


class From(TableConfig):
    """What a block says beside its stage's own config."""

    sources: Lanes = Field(alias="from")
    """Lanes whose rows the block takes."""


def _drafts(document: Document) -> dict[str, list[Draft]]:
    """All lanes, wrong blocks included: a name that leads to a wrong block is not wrong itself."""
    lanes = document.tree.get("data", {})
    if not isinstance(lanes, dict) or not lanes:
        document.report(("data",), "the recipe has no lane", "at least one lane that reads",
                        words.lines("[[data.web]]", 'stage = "read.jsonl"', 'paths = "documents/*.jsonl"'))
        return {}
    return {lane: _lane(document, lane, blocks) for lane, blocks in lanes.items()}


def _lane(document: Document, lane: str, blocks: Any) -> list[Draft]:
    place = ("data", lane)
    _check_name(document, place)
    header = f"[[{locate.render(place)}]]"
    if isinstance(blocks, dict):
        document.report(place, "a lane is a list of blocks", f"two brackets, for each block: {header}", header)
        return []
    if not isinstance(blocks, list) or not blocks or not all(isinstance(block, dict) for block in blocks):
        document.report(place, f"{words.a_value(blocks)} where blocks stand",
                        f"one table for each block: {header}", header)
        return []
    return [_block(document, (*place, index), block) for index, block in enumerate(blocks)]


def _block(document: Document, place: Place, block: dict[str, Any]) -> Draft:
    _, lane, index = place
    known = _stage(document, place, block)
    values = {key: value for key, value in block.items() if key not in ("stage", "from")}
    config = typed.validate(document, known.config, values, place, known.name) if known else None
    for field_name, _ in stage.marks(known.config) if known else ():
        value = values.get(field_name)
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str) and "\0" in name:
                found = f"{words.clipped(words.toml(name))} is no file name"
                document.report((*place, field_name), found, "the name of a file")
    sources: tuple[str, ...] = ()
    if "from" in block:
        taken = typed.validate(document, From, {"from": block["from"]}, place, f"lane {lane}")
        sources = taken.sources if taken else ()
    if index > 0 and "from" in block:
        document.report((*place, "from"), "only the first block of a lane takes from other lanes",
                        f"this line in block 0 of {lane}, or a lane of its own", at_key=True)
    elif index > 0 and known and known.kind == "read":
        document.report((*place, "stage"), f"{known.name} reads, so it stands first in its lane",
                        "a lane of its own, which others take from",
                        words.lines("[[data.NAME]]", f"stage = {words.toml(known.name)}"))
    elif index == 0 and known and known.kind == "read" and "from" in block:
        document.report((*place, "from"), f"{known.name} reads, so it takes nothing from other lanes",
                        "a lane that either reads or takes from others", at_key=True)
    elif index == 0 and known and known.kind != "read" and "from" not in block:
        others = [name for name in document.tree["data"] if name != lane]
        document.report(place, f"lane {lane} has no input: {known.name} does not read, and there is no `from`",
                        "a read stage, or `from` with the lanes it takes from",
                        f"from = {words.toml(others[0])}" if others else 'stage = "read.jsonl"')
    return Draft(known, config, sources)


def _stage(document: Document, place: Place, block: dict[str, Any]) -> stage.Stage | None:
    name = block.get("stage")
    if not isinstance(name, str):
        found = "a block needs a stage" if name is None else f"{words.a_value(name)} is no stage"
        document.report((*place, "stage"), found, "the name of a stage", 'stage = "filter.gopher"')
        return None
    if name not in stage.builtin_names() and name not in stage.plugin_targets():
        near = words.nearest(name, stage.names())
        verb = name.partition(".")[0]
        same = [other for other in stage.names() if other.startswith(f"{verb}.")]
        document.report((*place, "stage"), f"there is no stage {words.clipped(words.toml(name))}",
                        words.one_of(same or stage.names()), f"stage = {words.toml(near)}" if near else "")
        return None
    try:
        return stage.load(name)
    except (ImportError, AttributeError, TypeError) as error:
        why = words.clipped(f"{type(error).__name__}: {error}", 200)
        document.report((*place, "stage"), f"the stage {words.toml(name)} cannot be loaded: {why}",
                        "a package whose stage can be imported")
        return None


def _blocks(lane: str, drafts: Sequence[Draft], seed: int) -> tuple[Block, ...]:
    blocks = []
    for index, draft in enumerate(drafts):
        assert draft.stage is not None and draft.config is not None  # else there was something to raise
        blocks.append(Block(lane, index, draft.stage, _seeded(draft.config, seed), draft.sources))
    return tuple(blocks)


def _seeded(config: stage.StageConfig, seed: int) -> stage.StageConfig:
    """A stage that leaves its seed open gets the recipe's."""
    open_seed = "seed" in type(config).model_fields and config.seed is None
    return config.model_copy(update={"seed": seed}) if open_seed else config


# --- models -----------------------------------------------------------------------------------------------------------


def _shapes(document: Document, trains: Mapping[str, TrainConfig], base: Path) -> dict[str, TrainConfig]:
    """The trains with the shape of their model: written, read from its file, or that of the train they start from."""
    shapes = {name: _own_shape(document, name, train, base) for name, train in trains.items()}
    done = {}
    for name, train in trains.items():
        seen, start = {name}, train
        while shapes[name] is None and start.init in trains and start.init not in seen:
            seen.add(start.init)
            shapes[name], start = shapes[start.init], trains[start.init]
        first = shapes.get(train.init or "")
        if train.model is not None and first is not None and shapes[name] not in (None, first):
            document.report(("train", name, "model"),
                            f"train.{train.init}, whose weights it starts from, has another shape",
                            "no model, or the same shape")
        if not {"model", "init"} & document.tree["train"][name].keys():
            document.report(("train", name), f'[train.{name}] needs "model" or "init"',
                            "the shape of a model, a TOML file that holds one, or a train to start from",
                            "model = { width = 512, layers = 8, heads = 8 }")
        done[name] = train.model_copy(update={"model": shapes[name]})
    return done


def _own_shape(document: Document, name: str, train: TrainConfig, base: Path) -> ModelConfig | None:
    if not isinstance(train.model, str):
        return train.model
    place, expected = ("train", name, "model"), "a TOML file that holds the shape of a model"
    if not train.model or "\0" in train.model:
        document.report(place, f"{words.toml(train.model)} is no file name", expected)
        return None
    try:
        source, tree = recipe_file.read(base / train.model, train.model)
    except InputError as error:
        document.report(place, f"{words.toml(train.model)}: {error.found}", expected,
                        f"model = {words.toml(error.write)}" if error.write else "")
        return None
    except RecipeError as error:
        document.problems.extend(error.problems)
        return None
    inner = Document(source)
    inner.merge(tree, source)
    shape = typed.validate(inner, ModelConfig, tree, (), "the model")
    document.problems.extend(inner.problems)
    return shape
