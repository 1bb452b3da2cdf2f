"""After a change at step k the steps before it do not run again, and the bytes are those of a run from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine import run as runner
from dataengine import shards, show_plan
from dataengine.plan import Plan
from tests.engine.inside import CALLS, READ, do, installed, recipe, result
from tests.engine.projects import dataengine, digests, documents, plugin, project


@pytest.fixture(autouse=True)
def stages() -> Iterator[None]:
    with installed():
        yield


def again(tmp_path: Path, before: list[tuple[str, dict]], after: list[tuple[str, dict]]) -> tuple[list[str], Plan]:
    """Run `before`, then `after` in the same place and from nothing: the same bytes. Returns which stages ran."""
    do(recipe(tmp_path, before), tmp_path / "run")
    plan = do(recipe(tmp_path, after), tmp_path / "run")
    ran = list(dict.fromkeys(CALLS))
    assert result(plan) == result(do(recipe(tmp_path, after), tmp_path / "fresh"))
    return ran, plan


CHAIN = [READ, ("map.sized", {"least": 60}), ("map.fussy", {}), ("map.vowels", {"least": 10}),
         ("map.sized", {"least": 400}), ("map.vowels", {"least": 30})]


@pytest.mark.parametrize("changed", [1, 2, 3, 4, 5])
def test_a_threshold_changed_anywhere_runs_what_follows_and_nothing_before(tmp_path: Path, changed: int) -> None:
    after = [*CHAIN]
    after[changed] = (CHAIN[changed][0], {"least": CHAIN[changed][1].get("least", 0) + 7})
    ran, plan = again(tmp_path, CHAIN, after)
    assert ran == [f"{name} {number}" for number, (name, _) in enumerate(CHAIN) if number >= changed]
    accounts = [manifest[1] for manifest in result(plan).values()]
    assert len(accounts) > 1, "several tasks"
    assert sum(account[0].quarantined["bad_json"] for account in accounts) == 40
    assert any(account[2].quarantined.get("odd") for account in accounts)
    assert changed == 2 or any(account[2].quarantined.get("error") for account in accounts)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([*CHAIN, ("map.sized", {"least": 500})], [6]),
        (CHAIN[:4], []),
        ([*CHAIN[:3], *CHAIN[4:]], [3, 4]),
        ([*CHAIN[:2], ("map.vowels", {"least": 20}), *CHAIN[2:]], [2, 3, 4, 5, 6]),
        ([*CHAIN[:3], ("filter.where", {"where": "size > 500"})], [3]),
    ],
    ids=["added at the end", "taken from the end", "taken from the middle", "added in the middle", "replaced"],
)
def test_steps_may_come_and_go(tmp_path: Path, after: list[tuple[str, dict]], expected: list[int]) -> None:
    ran, _ = again(tmp_path, CHAIN, after)
    assert ran == [f"{after[number][0]} {number}" for number in expected if after[number][0] != "filter.where"]


REWRITING = [READ, ("map.sized", {"least": 60}), ("map.shout", {}), ("map.sized", {"least": 70}),
             ("map.vowels", {"least": 0})]


@pytest.mark.parametrize("changed", [1, 2, 3, 4])
def test_a_text_that_a_map_replaces_is_stored_as_it_was(tmp_path: Path, changed: int) -> None:
    after = [*REWRITING]
    after[changed] = (REWRITING[changed][0], {"least": 300})
    ran, plan = again(tmp_path, REWRITING, after)
    assert [segment.name for segment in plan.segments] == ["web.0-1", "web.2-4"]
    assert ran == [f"{name} {number}" for number, (name, _) in enumerate(REWRITING) if number >= changed]


def test_a_scrub_before_any_filter_leaves_no_text_of_before_it_anywhere(tmp_path: Path) -> None:
    blocks = [READ, ("map.shout", {}), ("map.sized", {"least": 60}), ("map.vowels", {})]
    ran, plan = again(tmp_path, blocks, [*blocks[:3], ("map.vowels", {"least": 1})])
    assert ran == ["map.vowels 3"] and [segment.name for segment in plan.segments] == ["web.0-3"]
    ran, _ = again(tmp_path, blocks, [READ, ("map.shout", {"least": 1}), *blocks[2:]])
    assert ran == ["map.shout 1", "map.sized 2", "map.vowels 3"], "so its own change begins at the input"
    for name in ("kept", "dropped", "whole"):
        for path in tmp_path.rglob(f"{name}.parquet"):
            for batch in shards.read_batches(path):
                assert all(text == text.upper() for text in batch["text"].to_pylist())


EXPANDING = [READ, ("map.sized", {"least": 60}), ("map.pieces", {}), ("map.sized", {"least": 190}),
             ("map.vowels", {"least": 15})]


@pytest.mark.parametrize("changed", [1, 2, 3, 4])
def test_children_are_gone_on_with_in_their_order(tmp_path: Path, changed: int) -> None:
    after = [*EXPANDING]
    after[changed] = (EXPANDING[changed][0], {"least": EXPANDING[changed][1].get("least", 0) + 5})
    ran, plan = again(tmp_path, EXPANDING, after)
    assert ran == [f"{name} {number}" for number, (name, _) in enumerate(EXPANDING) if number >= changed]
    account = next(manifest[1][0] for key, manifest in result(plan).items() if key.startswith("web.2"))
    assert account.rows_created > 100 and account.dropped["no_children"] > 10


def test_children_whose_step_raised_are_made_again(tmp_path: Path) -> None:
    blocks = [READ, ("map.pieces", {}), ("map.fussy", {}), ("map.sized", {})]
    ran, _ = again(tmp_path, blocks, [*blocks[:3], ("map.sized", {"least": 200})])
    assert ran == ["map.pieces 1", "map.fussy 2", "map.sized 3"]


def test_decisions_of_a_gather_are_copied(tmp_path: Path) -> None:
    blocks = [READ, ("dedup.exact", {}), ("map.sized", {"least": 60}), ("map.vowels", {"least": 10})]
    ran, plan = again(tmp_path, blocks, [*blocks[:3], ("map.vowels", {"least": 40})])
    assert ran == ["map.vowels 3"]
    assert sum(manifest[1][1].dropped.get("exact_duplicate", 0) for key, manifest in result(plan).items()
               if key.startswith("web.0-3/")) > 50


def test_settings_can_go_there_and_back_and_to_a_third_value(tmp_path: Path) -> None:
    ran = {}
    for least in (10, 20, 10, 30):
        blocks = [*CHAIN[:3], ("map.vowels", {"least": least}), ("map.sized", {"least": least})]
        do(recipe(tmp_path, blocks), tmp_path / "run")
        ran[least] = list(dict.fromkeys(CALLS))
    assert ran == {10: [], 20: ["map.vowels 3", "map.sized 4"], 30: ["map.vowels 3", "map.sized 4"]}


def test_plan_says_where_each_segment_goes_on_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    do(recipe(tmp_path, CHAIN), tmp_path / "run")
    after = [*CHAIN[:3], ("map.vowels", {"least": 11}), *CHAIN[4:]]
    plan = plans.make(recipes.load(recipe(tmp_path, after)), tmp_path / "run")
    (entry,) = show_plan.summary(plan)["segments"]
    assert entry["why"] == "web.3 map.vowels: least 10 -> 11"
    assert entry["goes_on"] == [{"tasks": entry["tasks"], "kept_steps": ["web.0", "web.1", "web.2"],
                                 "steps": ["web.3", "web.4", "web.5"]}]
    show_plan.show(plan)
    said = " ".join(capsys.readouterr().out.split())
    assert "because web.3 map.vowels: least 10 -> 11" in said
    assert "goes on from web.3 with the rows stored before it; web.0-2 does not run again" in said


# --- with real workers ------------------------------------------------------------------------------------------------

POISONED = """
name = "poisoned"
[run]
split_bytes = "60kB"
max_quarantined = 1.0
[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
[[data.web]]
stage = "filter.gopher"
min_words = 30
[[data.web]]
stage = "map.trouble"
suffix = "2"
cursor = true
"""


def test_poison_is_found_and_blamed_as_in_a_run_from_nothing(tmp_path: Path) -> None:
    rows = documents(40)
    for place, word in {3: "KILL1", 25: "KILL2"}.items():
        rows[place]["text"] = f"{word} " + rows[0]["text"] + " the be to of and that have with " * 5
    path = project(tmp_path, POISONED, rows)
    env = plugin(tmp_path / "plugin")
    for out, suffix in (("run", "2"), ("run", "1"), ("fresh", "1")):
        done = dataengine("run", path, "--quiet", "--workers", "1", "--out", out, "--set",
                          f"data.web.2.suffix='{suffix}'", cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
    run, fresh = digests(tmp_path / "run"), digests(tmp_path / "fresh")
    assert fresh and {name: run.get(name) for name in fresh} == fresh


def test_stored_rows_that_are_damaged_or_gone_are_made_again_without_a_word(tmp_path: Path) -> None:
    where = POISONED.replace("map.trouble", "filter.where").replace('suffix = "2"\ncursor = true', 'where = "true"')
    path = project(tmp_path, where)

    def run(where: str, out: str) -> Plan:
        plan = plans.make(recipes.load(path, [f"data.web.2.where='{where}'"]), tmp_path / out)
        runner.run(plan, workers=1)
        return plan

    folders = [task.ref.folder(tmp_path / "run") for task in run("true", "run").tasks]
    assert len(folders) > 2
    kept = bytearray((folders[0] / shards.KEPT).read_bytes())
    kept[200:300] = bytes(100)
    (folders[0] / shards.KEPT).write_bytes(kept)
    (folders[1] / shards.MANIFEST).write_text("{")
    assert result(run("words > 70", "run")) == result(run("words > 70", "fresh"))
