"""Recipe -> Plan: lanes resolved, columns checked, stages fused into segments, every task given its address.

Pure but for looking at file names, sizes and times, and at which manifests exist: it reads no data. An address is the
hash of what makes a task's bytes (see docs/architecture.md), so "have" and "to do" are a matter of looking it up.

    lane web:    read.warc  extract.html  filter.gopher | dedup.exact  filter.where
                 └────────── web.0-2 ──────────────────┘└ web.3.sketch, .match, .cluster, then web.3-4
    lane books:  read.parquet  dedup.exact  dedup.minhash
                 └ books.1.sketch, .match, .cluster, books.2.sketch, .match, .cluster, then books.0-2
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataengine import plan_gather, plan_prune, plan_splits, plan_tokenizer, shards
from dataengine.errors import Problem, RecipeError
from dataengine.plan_gather import Gathered
from dataengine.plan_prune import Pruned
from dataengine.planned import Plan, Segment, Share, Step, Task, TaskRef, address, digest, places, stored
from dataengine.recipe import Block, Recipe
from dataengine.stage import BASE_COLUMNS, MadeBy, Piece, canonical, marks

__all__ = ["Piece", "Plan", "Segment", "Step", "Task", "TaskRef", "address", "digest", "make"]

ROWS_LAYOUT = 2
"""Raised when a ``rows`` task stores its rows in another way."""


@dataclass(frozen=True)
class LaneEnd:
    """What a finished lane offers: the tasks that hold its rows, and their columns."""

    tasks: tuple[TaskRef, ...]
    columns: Mapping[str, str]


def make(recipe: Recipe, out: Path) -> Plan:
    """The plan of a recipe for a run in `out`. Raises RecipeError with all that is wrong."""
    return _Planner(recipe, out).plan()


class _Planner:
    """Walks the recipe once; holds what has been resolved so far."""

    def __init__(self, recipe: Recipe, out: Path) -> None:
        self.recipe, self.out = recipe, out
        self.segments: list[Segment] = []
        self.lanes: dict[str, LaneEnd] = {}
        self.made: dict[tuple[str, str], TaskRef] = {}
        self.tokens: dict[tuple[str, str, float], tuple[Task, ...]] = {}
        self.problems: list[Problem] = []
        self.pruned: dict[str, Pruned] = {}
        """Step -> what it has decided, for every prune."""
        self.indexes: dict[str, str] = {}
        """Folder of an index -> the step that writes it."""
        share = recipe.run.audit
        self.audit = {"share": share, "seed": recipe.seed} if share else None

    def plan(self) -> Plan:
        for lane in self.recipe.lanes:
            self.lane(lane)
        for name in self.recipe.classifiers:
            self.classifier(name)
        if self.recipe.tokenizer:
            self.tokenizer()
        for name in self.recipe.mixes:
            self.mix(name)
        for name in self.recipe.trains:
            self.train(name)
        if self.problems:
            raise RecipeError(self.problems)
        return Plan(self.recipe, self.out, tuple(self.segments))

    def problem(self, path: str, found: str, expected: str = "", write: str = "", *, show_line: bool = True) -> None:
        """Note what is wrong, once: the block of a gather or prune is looked at as it decides and as it is applied."""
        problem = self.recipe.problem(path, found, expected, write, show_line=show_line)
        if problem not in self.problems:
            self.problems.append(problem)

    def add(
        self,
        name: str,
        kind: str,
        lane: str,
        steps: tuple[Step, ...],
        bodies: Iterable[tuple[tuple[TaskRef, ...], Any, dict]],
        final: bool = False,
        sources: Iterable[str] | None = None,
        columns: Mapping[str, str] | None = None,
        rewrites: tuple[bool, ...] = (),
    ) -> tuple[TaskRef, ...]:
        """Add a segment; each body is (inputs, what besides the steps and inputs decides the output, body)."""
        audit = self.audit if kind == "rows" else None
        layout = [] if columns is None else [ROWS_LAYOUT, sorted(columns.items()), *([audit] if audit else [])]
        chain = digest([shards.FORMAT, kind, lane, [step.fingerprint() for step in steps], *layout])
        made = tuple(made for step in steps for made in step.made.values())
        births = iter(sources) if sources is not None else None
        tasks = []
        shared: tuple[TaskRef, ...] | None = None
        parents = ""
        for inputs, identity, body in bodies:
            if inputs is not shared:  # the match tasks of a gather all have the same long tuple: it is hashed once
                shared, parents = inputs, digest([ref.address for ref in inputs])
            read = digest([parents, identity])
            ref = TaskRef(name, address(chain, read), next(births) if births else lane)
            tasks.append(Task(ref, kind, inputs + made, body, read))
        all_tasks = tuple(tasks)
        self.segments.append(Segment(name, kind, lane, steps, all_tasks, final, chain, columns or {}, rewrites, audit))
        return tuple(task.ref for task in tasks)

    # --- lanes ---

    def lane(self, name: str) -> LaneEnd:
        """Plan a lane, after the lanes it is from. The recipe has made sure that there are no cycles."""
        if name in self.lanes:
            return self.lanes[name]
        blocks = self.recipe.lanes[name]
        if blocks[0].stage.kind == "read":
            end = LaneEnd((), {})
            shares = plan_splits.shares(self, blocks[0])
        else:
            end = self.joined(blocks[0], [self.lane(source) for source in blocks[0].sources])
            shares = stored(end.tasks)
        fused: list[Block] = []
        gathers: list[Gathered] = []
        for block in blocks:
            if _begins_segment(block, fused, end.columns, shares):
                end = self.rows(name, fused, end.columns, shares, gathers, final=False)
                fused, gathers, shares = [], [], stored(end.tasks)
            if block.stage.kind == "gather":
                reader = next((before for before in fused if before.stage.kind == "read"), None)
                columns = self.flow(reader, {}) if reader else end.columns
                gathers.append(plan_gather.gather(self, block, columns, shares, reader, gathers))
            elif block.stage.kind == "prune":
                self.pruned[block.step] = plan_prune.prune(self, block, end)
            fused.append(block)
        taken = any(name in block.sources for lane in self.recipe.lanes.values() for block in lane)
        self.lanes[name] = self.rows(name, fused, end.columns, shares, gathers, final=not taken)
        return self.lanes[name]

    def joined(self, block: Block, ends: list[LaneEnd]) -> LaneEnd:
        """Several lanes as one: their tasks in the order of `from`, the union of their columns."""
        columns: dict[str, str] = {}
        for source, end in zip(block.sources, ends, strict=True):
            for column, kind in end.columns.items():
                if columns.setdefault(column, kind) != kind:
                    self.problem(
                        f"data.{block.lane}[0].from",
                        f'column "{column}" is {columns[column]} in one lane and {kind} in "{source}"',
                        "one type for a column in all lanes that are joined",
                    )
        return LaneEnd(tuple(ref for end in ends for ref in end.tasks), columns)

    def rows(
        self, lane: str, blocks: list[Block], before: Mapping[str, str], shares: tuple[Share, ...],
        gathers: list[Gathered], final: bool,
    ) -> LaneEnd:
        """A segment of fused steps, a task for each share; the decisions of its gathers are applied on the way."""
        steps = tuple(self.step(block) for block in blocks)
        self.originals(blocks)
        columns = dict(before)
        all_columns, rewrites = dict(columns), []
        for block in blocks:
            rewrites.append(_rewrites(block, columns))
            columns = self.flow(block, columns)
            all_columns |= columns | (dict(block.stage.adds(block.config)) if block.stage.kind == "gather" else {})
        common = {
            "lane": lane,
            "steps": [step.body() for step in steps],
            "columns_in": dict(before),
            "columns_out": columns,
            "columns_all": all_columns,
            "audit": self.audit,
        }
        if blocks[0].stage.kind == "read" and self.recipe.network.allow:
            common["network"] = self.recipe.network.model_dump(mode="json")  # secrets by their names
        first, last = blocks[0].index, blocks[-1].index
        name = f"{lane}.{first}" if first == last else f"{lane}.{first}-{last}"
        clusters, pruned = tuple(gathered.cluster for gathered in gathers), self.pruned.get(steps[0].name)
        decided, bodies = (pruned.cuts,) if pruned else clusters, []
        for number, share in enumerate(shares):
            identity, body = share.identity, common | share.body
            if decided:
                identity = number if identity is None else [number, identity]
            if pruned:
                body |= pruned.body(number)
            elif gathers:
                body |= {
                    "shard": number,
                    "clusters": places(clusters),
                    "sketches": places(gathered.sketches[number] for gathered in gathers),
                }
            bodies.append(((*share.inputs, *decided), identity, body))
        sources = [share.source for share in shares]
        refs = self.add(name, "rows", lane, steps, bodies, final, sources, before, tuple(rewrites))
        return LaneEnd(refs, columns)

    def originals(self, blocks: list[Block]) -> None:
        """A problem where a stage scrubs rows that an earlier segment has stored with what it removes, or whose words
        an earlier gather has stored as hashes.
        """
        gathers = next((number for number, block in enumerate(blocks) if block.stage.kind == "gather"), len(blocks))
        for block in blocks[gathers:] if blocks[0].stage.kind == "read" else blocks:
            if block.stage.scrubs and not getattr(block.config, "keep_originals", False):
                self.problem(
                    f"data.{block.lane}[{block.index}].stage",
                    f"{block.stage.name} comes after steps that store the rows with all that it is to remove",
                    "a place where nothing has been stored yet",
                    "the block right behind the reader or extractor, before the first filter and any dedup; or "
                    "keep_originals = true, and remove the shards of the earlier steps yourself",
                )

    # --- steps and columns ---

    def step(self, block: Block) -> Step:
        """The block with its files found: what it loads is hashed, what another table makes is linked."""
        loaded, hashes, made = {}, {}, {}
        for name, mark in marks(block.stage.config):
            value = getattr(block.config, name)
            if value is None:
                continue
            if isinstance(mark, MadeBy):
                made[name] = self.made_by(mark.table, value)
                continue
            field = f"data.{block.lane}[{block.index}].{name}"
            if isinstance(value, str):
                loaded[name], hashes[name] = self.file(value, field)
            elif value:
                files = [self.file(each, field) for each in value]
                loaded[name], hashes[name] = [path for path, _ in files], [digest for _, digest in files]
        return Step(
            block.step,
            block.lane,
            block.stage.name,
            block.stage.version,
            json.loads(canonical(block.config)),
            loaded,
            hashes,
            made,
        )

    def file(self, value: str, field: str) -> tuple[str, str]:
        """A file that a stage loads: its absolute path and sha256. A problem at `field` where it cannot be read."""
        path = (self.recipe.base / value).expanduser()
        try:
            return str(path), shards.sha256_of(path)
        except OSError as error:
            expected = "a file; relative paths start at the recipe's folder"
            self.problem(field, f"{path} cannot be read: {error.strerror}", expected)
            return str(path), ""

    def flow(self, block: Block, columns: dict[str, str]) -> dict[str, str]:
        """The columns after this block; problems for columns that are missing or change their type."""
        stage, path = block.stage, f"data.{block.lane}[{block.index}]"
        if stage.kind == "read":
            columns = BASE_COLUMNS | dict(stage.adds(block.config))
            if own := [column for column in columns if shards.hidden(column)]:
                self.problem(path, f'{stage.name} adds column "{own[0]}"; names that begin with __ are the engine\'s')
            return columns
        missing = [column for column in stage.reads(block.config) if column not in columns]
        for column in missing:
            self.problem(
                f"{path}.stage",
                f'{stage.name} reads column "{column}", but the lane has only {", ".join(sorted(columns))}',
                write=_cure(column, columns),
            )
        if not missing and stage.check and (wrong := stage.check(block.config, columns)):
            self.problem(path, wrong)
        adds = stage.adds(block.config)
        if stage.kind == "gather":
            adds = {name: "int64"} if (name := stage.count(block.config)) else {}
            if name in columns:
                self.problem(f"{path}.count", f'the lane has a column "{name}" already', "a name of its own")
                adds = {}  # nor is anything said of its type
        after = {name: kind for name, kind in columns.items() if name not in stage.uses_up(block.config)}
        for column, kind in adds.items():
            if shards.hidden(column):
                self.problem(path, f'{stage.name} adds column "{column}"; names that begin with __ are the engine\'s')
            if column in BASE_COLUMNS:
                self.problem(path, f'{stage.name} would replace column "{column}", which the engine keeps')
            if after.get(column, kind) != kind:
                self.problem(
                    path, f'{stage.name} makes column "{column}" {kind}, but an earlier step made it {after[column]}'
                )
            after[column] = kind
        return after | ({"parent": "string"} if stage.kind == "expand" else {})

    # --- what is made from lanes ---

    def made_by(self, table: str, name: str) -> TaskRef:
        """The task that makes what ``[table.name]`` describes."""
        return {"classifier": self.classifier, "train": self.train}[table](name)

    def ends(self, lanes: Iterable[str], path: str, column: str = "text") -> list[TaskRef]:
        """The tasks of these lanes, whose rows must have `column`."""
        refs: list[TaskRef] = []
        for lane in lanes:
            end = self.lane(lane)
            if column not in end.columns:
                self.problem(
                    path,
                    f'lane "{lane}" has no column "{column}", only {", ".join(sorted(end.columns))}',
                    write=_cure(column, end.columns),
                )
            refs += end.tasks
        return refs

    def product(
        self,
        name: str,
        kind: str,
        config: Mapping[str, Any],
        inputs: Iterable[TaskRef],
        body: dict[str, Any],
        identity: Any = None,
        hashes: Mapping[str, str] | None = None,
    ) -> TaskRef:
        """A segment of one task that makes one thing of many inputs."""
        if (kind, name) not in self.made:
            step = Step(name, "", kind, 1, config, hashes=hashes or {})
            self.made[kind, name] = self.add(name, kind, "", (step,), [(tuple(inputs), identity, body)])[0]
        return self.made[kind, name]

    def classifier(self, name: str) -> TaskRef:
        config = self.recipe.classifiers[name]
        path = f"classifier.{name}"
        positive = self.ends(config.positive, f"{path}.positive")
        negative = self.ends(config.negative, f"{path}.negative")
        body = {
            "name": path,
            "config": config.model_dump(mode="json"),
            "positive": places(positive),
            "negative": places(negative),
        }
        return self.product(path, "classifier", body["config"], (*positive, *negative), body, len(positive))

    def tokenizer(self) -> TaskRef:
        return plan_tokenizer.tokenizer(self)

    def tokenized(self, lane: str, form: str, heldout: float) -> tuple[TaskRef, ...]:
        """The token shards of a lane: one task a shard, shared by all mixes that want them in the same form."""
        key = (lane, form, heldout)
        if key not in self.tokens:
            tokenizer = self.tokenizer()
            inputs = self.ends([lane], f"data.{lane}", "text" if form == "text" else "messages")
            config = {"format": form, "heldout": heldout}
            name = f"tokens.{lane}.{form}.{heldout:g}"
            refs = self.add(
                name,
                "tokens",
                lane,
                (Step(f"tokens.{lane}", lane, "tokens", 1, config),),
                [
                    (
                        (ref, tokenizer),
                        None,
                        config
                        | {"parent": [ref.segment, ref.address], "tokenizer": [tokenizer.segment, tokenizer.address]},
                    )
                    for ref in inputs
                ],
                sources=[ref.source for ref in inputs],
            )
            self.tokens[key] = refs
        return self.tokens[key]

    def mix(self, name: str) -> TaskRef:
        config, path = self.recipe.mixes[name], f"mix.{name}"
        tokenizer = self.tokenizer()
        if config.format == "messages":
            plan_tokenizer.chats(self, name)
        given = [(ref, ref.source if config.by == "source" else lane) for lane in config.sources
                 for ref in self.tokenized(lane, config.format, config.heldout)]
        inputs = [ref for ref, _ in given]
        body = {
            "name": path,
            "config": config.model_dump(mode="json"),
            "seed": self.recipe.seed,
            "tokenizer": [tokenizer.segment, tokenizer.address],
            "shards": [[ref.segment, ref.address, source] for ref, source in given],
        }
        return self.product(path, "mix", body["config"] | {"seed": self.recipe.seed}, (tokenizer, *inputs), body)

    def train(self, name: str) -> TaskRef:
        config, path = self.recipe.trains[name], f"train.{name}"
        mix = self.mix(config.mix)
        init = self.train(config.init) if config.init else None
        body = {
            "name": path,
            "config": config.model_dump(mode="json"),
            "seed": self.recipe.seed,
            "mix": [mix.segment, mix.address],
            "init": [init.segment, init.address] if init else None,
        }
        fingerprint = body["config"] | {"seed": self.recipe.seed}
        return self.product(path, "train", fingerprint, (mix, *([init] if init else [])), body)


def _begins_segment(
    block: Block, fused: list[Block], columns: Mapping[str, str], shares: tuple[Share, ...]
) -> bool:
    """Whether what the steps before this block made must be stored before it.

    A prune needs a whole lane, stored; a gather stored or read again: what stands before it may be other gathers, whose
    decisions are known by then, and a reader of what is cheap to read again; but not what they count, where it reads
    that. An expand makes other rows of those before it, and a map that replaces a column takes from those before it
    what they read: a later plan could not go on from there. Where no filter stands before such a map nothing is lost,
    and nothing is stored: text is not kept that a scrub at the head of a lane is to remove.
    """
    if block.stage.kind == "gather":
        counted = {before.stage.count(before.config) for before in fused if before.stage.kind == "gather"}
        return bool(counted.intersection(block.stage.reads(block.config))) or not all(
            before.stage.kind == "gather" or plan_splits.cheap_again(before, shares) for before in fused)
    if not fused or block.stage.kind in ("prune", "expand"):
        return bool(fused)
    there = set(columns).union(*(before.stage.adds(before.config) for before in fused))
    return _replaces(block, there) and any(before.stage.kind in ("filter", "gather", "prune") for before in fused)


def _replaces(block: Block, there: Collection[str]) -> bool:
    """Whether the block replaces a column. What filters measure anew is kept beside it, so they do not count."""
    return block.stage.kind in ("map", "expand") and any(name in there for name in block.stage.adds(block.config))


def _rewrites(block: Block, there: Collection[str]) -> bool:
    """Whether rows are no longer what they were before this block, so that nothing can go on from a step before it.

    That what a map uses up is gone is no reason to store it first: pages take several times the room of their text, and
    can be read again.
    """
    return _replaces(block, there) or any(name in there for name in block.stage.uses_up(block.config))


def _cure(column: str, columns: Mapping[str, str]) -> str:
    """What to write when a column is missing."""
    if column == "text" and "html" in columns:
        return "an extract.* stage before it"
    if column == "html" and "extractor" in columns:
        return "keep_html = true in extract.html, behind which the page is gone"
    if column == "html":
        return "a stage that reads pages, such as read.warc or read.html, at the head of the lane"
    return f'a stage that adds "{column}" before it; `dataengine stages list` shows what each adds'
