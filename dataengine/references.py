"""What one part of a recipe says of another: names lead somewhere, nothing goes in a circle, weights can be met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from dataengine import words
from dataengine.document import Document
from dataengine.locate import render
from dataengine.recipe_file import Place
from dataengine.stage import MadeBy, Stage, StageConfig, marks
from dataengine.tables import ClassifierConfig, MixConfig, TokenizerConfig, TrainConfig

Node = tuple[str, ...]
"""A part of a recipe: ``("data", "web")``, ``("mix", "broad")``, ``("tokenizer",)``."""

NOUNS = {"data": "lane", "classifier": "classifier", "mix": "mix", "train": "train"}


@dataclass(frozen=True)
class Draft:
    """A block as far as it could be read; what is wrong with the rest has been reported."""

    stage: Stage | None
    config: StageConfig | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Parts:
    """A recipe's parts, each as far as it could be read."""

    lanes: Mapping[str, Sequence[Draft]]
    classifiers: Mapping[str, ClassifierConfig]
    tokenizer: TokenizerConfig | None
    mixes: Mapping[str, MixConfig]
    trains: Mapping[str, TrainConfig]


@dataclass(frozen=True)
class Edge:
    """`user` waits for `used`, because the text at `place` says so."""

    user: Node
    used: Node
    place: Place


def check(document: Document, parts: Parts) -> None:
    """Report every name that leads nowhere, every circle and every mixture that cannot be made."""
    declared = {table: _names(document, table) for table in NOUNS}
    edges = []
    for edge in _edges(document, parts):
        table, name = edge.used
        if name in declared[table]:
            edges.append(edge)
        else:
            others = [other for other in declared[table] if (table, other) != edge.user]
            near = words.nearest(name, others)
            document.report(edge.place, f"there is no {NOUNS[table]} {words.clipped(words.toml(name))}",
                            f"a {NOUNS[table]}: {words.one_of(others)}" if others else f"a table [{table}.NAME]",
                            words.toml(near) if near else "")
    _check_circles(document, [*edges, *_through_tokenizer(parts)])
    _check_twice(document, parts)
    for name, mix in parts.mixes.items():
        _check_weights(document, parts, name, mix)
    _check_tokenizer(document, parts)
    _check_objectives(document, parts)


def _names(document: Document, table: str) -> list[str]:
    """The names in the text: a table with a fault of its own still exists for those who name it."""
    inner = document.tree.get(table)
    return list(inner) if isinstance(inner, dict) else []


def _edges(document: Document, parts: Parts) -> Iterator[Edge]:
    for lane, drafts in parts.lanes.items():
        for index, draft in enumerate(drafts):
            place: Place = ("data", lane, index)
            if index == 0:
                yield from _lane_edges(document, ("data", lane), draft.sources, (*place, "from"))
            if draft.config is not None:
                for field, mark in marks(type(draft.config)):
                    name = getattr(draft.config, field)
                    if isinstance(mark, MadeBy) and name is not None and mark.table in NOUNS:
                        yield Edge(("data", lane), (mark.table, name), (*place, field))
    for name, classifier in parts.classifiers.items():
        for side in ("positive", "negative"):
            lanes = getattr(classifier, side)
            yield from _lane_edges(document, ("classifier", name), lanes, ("classifier", name, side))
    if parts.tokenizer and parts.tokenizer.learn_from:
        yield from _lane_edges(document, ("tokenizer",), parts.tokenizer.learn_from, ("tokenizer", "learn_from"))
    for name, mix in parts.mixes.items():
        yield from _lane_edges(document, ("mix", name), mix.sources, ("mix", name, "from"))
    for name, train in parts.trains.items():
        yield Edge(("train", name), ("mix", train.mix), ("train", name, "mix"))
        if train.init is not None:
            yield Edge(("train", name), ("train", train.init), ("train", name, "init"))


def _lane_edges(document: Document, user: Node, lanes: Sequence[str], place: Place) -> Iterator[Edge]:
    for index, lane in enumerate(lanes):
        yield Edge(user, ("data", lane), _item(document, place, index))


def _item(document: Document, place: Place, index: int) -> Place:
    """Where the text has the `index`-th lane: a single one may stand without a list."""
    value: Any = document.tree
    for part in place:
        value = value[part]
    return (*place, index) if isinstance(value, list) else place


def _through_tokenizer(parts: Parts) -> Iterator[Edge]:
    if parts.tokenizer:
        for name in parts.mixes:
            yield Edge(("mix", name), ("tokenizer",), ("mix", name))


def _check_circles(document: Document, edges: Sequence[Edge]) -> None:
    """Report each circle once, at the line that closes it."""
    waiting = {}
    for edge in edges:
        waiting.setdefault(edge.user, {}).setdefault(edge.used, edge)
    while True:
        try:
            TopologicalSorter({user: list(used) for user, used in waiting.items()}).prepare()
            return
        except CycleError as error:
            circle: list[Node] = error.args[1][::-1]  # now each waits for the next; the first stands at the end again
        start = circle.index(min(circle))
        circle = [*circle[start:-1], *circle[:start], circle[start]]
        closing = waiting[circle[-2]].pop(circle[-1])
        path = ", which needs ".join(render(node) for node in circle[1:])
        document.report(closing.place, f"a circle: {render(circle[0])} needs {path}",
                        "parts that do not wait for themselves")


def _check_twice(document: Document, parts: Parts) -> None:
    lists: list[tuple[Sequence[str], Place]]
    lists = [(mix.sources, ("mix", name, "from")) for name, mix in parts.mixes.items()]
    lists += [(drafts[0].sources, ("data", lane, 0, "from")) for lane, drafts in parts.lanes.items() if drafts]
    if parts.tokenizer and parts.tokenizer.learn_from:
        lists.append((parts.tokenizer.learn_from, ("tokenizer", "learn_from")))
    for name, classifier in parts.classifiers.items():
        lists += [(getattr(classifier, side), ("classifier", name, side)) for side in ("positive", "negative")]
        for index, lane in enumerate(classifier.negative):
            if lane in classifier.positive:
                document.report(_item(document, ("classifier", name, "negative"), index),
                                f"lane {words.toml(lane)} is on both sides, so there is nothing to tell apart",
                                "lanes that are not among `positive`")
    for lanes, place in lists:
        for index, lane in enumerate(lanes):
            if lane in lanes[:index]:
                document.report(_item(document, place, index), f"lane {words.toml(lane)} stands here twice",
                                "each lane once", f"{place[-1]} = {words.toml(list(dict.fromkeys(lanes)))}")


def _check_weights(document: Document, parts: Parts, name: str, mix: MixConfig) -> None:
    """Weights go by the lane a document was born in, or comes from; one that cannot reach the mix would be a hole."""
    born = births(parts, mix.sources) if mix.by == "source" else list(mix.sources)
    if born is None:
        return
    for field in ("weights", "max_epochs"):
        for source in getattr(mix, field):
            if source not in born:
                if mix.by == "lane":
                    why, expected = "is no lane of this mix", "a lane that `from` names"
                else:
                    takes = any(draft.sources for draft in parts.lanes.get(source, ())[:1])
                    why = "takes its documents from other lanes" if takes else (
                        "is no lane whose documents reach this mix")
                    expected = "the lane they were read in"
                write = 'by = "lane"' if source in mix.sources else words.did_you_mean(source, born)
                document.report(("mix", name, field, source), f"{words.toml(source)} {why}",
                                f"{expected}: {words.one_of(born)}", write, at_key=True)
    if mix.weights and not any(mix.weights.get(source) for source in born):
        document.report(("mix", name, "weights"), "no source of this mix has a weight above zero", words.one_of(born))


def _check_tokenizer(document: Document, parts: Parts) -> None:
    if parts.mixes and "tokenizer" not in document.tree:
        name, mix = next(iter(parts.mixes.items()))
        document.report(("mix", name), "a mix is counted in tokens, but there is no [tokenizer]",
                        "a tokenizer learnt from a lane",
                        words.lines("[tokenizer]", f"learn_from = {words.toml(mix.sources[0])}"))
    given = document.tree.get("tokenizer")
    if not isinstance(given, dict):
        return
    if "model" in given:
        for field in [name for name in given if name != "model" and name in TokenizerConfig.model_fields]:
            document.report(("tokenizer", field), f"{words.string(field)} is said of learning, but there is a model",
                            "`model` alone, or `learn_from` and no model", at_key=True)
    elif "learn_from" not in given and not any(words.nearest(name, ["learn_from", "model"]) for name in given):
        lanes = [name for mix in parts.mixes.values() for name in mix.sources] or _names(document, "data")
        document.report(("tokenizer",), '[tokenizer] needs "learn_from" or "model"',
                        "lanes to learn from, or the file of a SentencePiece model",
                        f"learn_from = {words.toml(lanes[0])}" if lanes else 'model = "tokenizer.model"')


def _check_objectives(document: Document, parts: Parts) -> None:
    for name, train in parts.trains.items():
        mix = document.tree["mix"].get(train.mix) if train.mix in parts.mixes else None
        if mix and train.objective == "sft" and mix.get("format", "text") == "text":
            document.report(("train", name, "objective"),
                            f'"sft" learns from conversations, but [mix.{train.mix}] is made of text',
                            f'[mix.{train.mix}] with format = "messages"', 'objective = "next_token"')


def births(parts: Parts, lanes: Sequence[str]) -> list[str] | None:
    """The lanes that read among `lanes` and all they take from, in order; None when some could not be read."""
    found, to_visit, seen = [], list(lanes), set()
    while to_visit:
        lane = to_visit.pop(0)
        if lane in seen:
            continue
        seen.add(lane)
        drafts = parts.lanes.get(lane)
        if not drafts or drafts[0].stage is None:
            return None
        if drafts[0].stage.kind == "read":
            found.append(lane)
        to_visit += drafts[0].sources
    return found
