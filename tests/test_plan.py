"""The plan: what it hashes, what it shares, and what it costs for many files."""

from __future__ import annotations

import shutil
import time
import tracemalloc
from pathlib import Path

from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine.plan import Plan

RECIPE = """
name = "p"
[run]
split_bytes = {split}
[[data.web]]
stage = "read.text"
paths = "in"
[[data.web]]
stage = "filter.gopher"
[[data.corpus]]
from = "web"
stage = "dedup.minhash"
"""


def planned(folder: Path, files: int, split: int, *overrides: str) -> Plan:
    """The plan for a folder of so many small files."""
    if not (folder / "in").exists():
        (folder / "in").mkdir(parents=True)
        for number in range(files):
            (folder / "in" / f"{number:06}.txt").write_text(f"hello {number}")
    (folder / "recipe.toml").write_text(RECIPE.replace("{split}", str(split)))
    return plans.make(recipes.load(folder / "recipe.toml", overrides), folder / "run")


def addresses(plan: Plan) -> list[str]:
    return [task.ref.address for task in plan.tasks]


def test_match_tasks_share_their_long_list_of_inputs_so_that_a_plan_grows_with_its_shards(tmp_path: Path) -> None:
    plan = planned(tmp_path, 400, 10)
    matches = next(segment for segment in plan.segments if segment.kind == "match").tasks
    assert len(matches) == 50
    assert len({id(task.inputs) for task in matches}) == len({id(task.body["sketches"]) for task in matches}) == 1
    assert len(set(addresses(plan))) == len(addresses(plan))


def test_twenty_thousand_small_files_are_planned_in_little_time_and_memory(tmp_path: Path) -> None:
    planned(tmp_path, 20_000, 1 << 20)
    started = time.process_time()
    tracemalloc.start()
    plan = planned(tmp_path, 20_000, 1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60 << 20
    assert time.process_time() - started < 20  # about 1 s, and three times that under tracemalloc
    first = plan.segments[0].tasks
    assert [len(task.body["split"]) for task in first] == [4096] * 4 + [20_000 - 4 * 4096]


def test_addresses_follow_from_content_and_config_and_not_from_where_things_lie(tmp_path: Path) -> None:
    before = addresses(planned(tmp_path / "here", 20, 30))
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert addresses(planned(tmp_path / "there", 20, 30)) == before
    assert not set(addresses(planned(tmp_path / "there", 20, 30, "data.web.1.min_words=3"))) & set(before)
    changed = addresses(planned(tmp_path / "there", 20, 30, "data.corpus.0.seed=3"))
    readers = len(planned(tmp_path / "there", 20, 30).segments[0].tasks)
    assert changed[:readers] == before[:readers] and not set(changed[readers:]) & set(before)
    (tmp_path / "there/in/000003.txt").write_text("other text")
    assert sum(one != other for one, other in zip(addresses(planned(tmp_path / "there", 20, 30)), before, strict=False))


def test_the_order_of_joined_lanes_is_part_of_what_a_gather_depends_on(tmp_path: Path) -> None:
    text = """
        name = "p"
        [[data.a]]
        stage = "read.text"
        paths = "a.txt"
        [[data.b]]
        stage = "read.text"
        paths = "b.txt"
        [[data.c]]
        from = ["a", "b"]
        stage = "dedup.exact"
        """
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    found = []
    for order in ('["a", "b"]', '["b", "a"]'):
        (tmp_path / "recipe.toml").write_text(text.replace('["a", "b"]', order))
        plan = plans.make(recipes.load(tmp_path / "recipe.toml"), tmp_path / "run")
        found.append({segment.name: {task.ref.address for task in segment.tasks} for segment in plan.segments})
    assert found[0]["a.0"] == found[1]["a.0"]
    assert found[0]["c.0.cluster"].isdisjoint(found[1]["c.0.cluster"])
    assert found[0]["c.0"].isdisjoint(found[1]["c.0"])
