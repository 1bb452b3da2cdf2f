"""The audit sample: measured by every filter, whatever they think of it; the data is as it would be without."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dataengine import audit, content, open_run, shards, sql, status
from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine.errors import RecipeError
from dataengine.ledger import Ledger
from dataengine.plan import Plan
from tests.engine.inside import CALLS, READ, do, installed, recipe, result
from tests.engine.projects import WORDS, dataengine, documents, plugin, project


@pytest.fixture(autouse=True)
def stages() -> Iterator[None]:
    with installed():
        yield


ALL = "audit = 1.0"
CHAIN = [READ, ("map.sized", {"least": 300}), ("dedup.exact", {}), ("map.vowels", {"least": 60}),
         ("map.shout", {}), ("map.sized", {"least": 700})]


def audited(plan: Plan, segment: str) -> dict[str, dict]:
    """id -> row of the sample at the end of a segment."""
    found = {}
    for task in plan.tasks:
        if task.ref.segment == segment:
            for row in pq.read_table(task.ref.folder(plan.out) / shards.AUDITED).to_pylist():
                assert row["id"] not in found
                found[row["id"]] = row
    return found


def rules(row: dict) -> list[tuple[str, str]]:
    return [(rule["step"], rule["reason"]) for rule in row["__would_drop"]]


def test_every_rule_judges_every_document_of_the_sample_in_all_segments(tmp_path: Path) -> None:
    plan = do(recipe(tmp_path, CHAIN, ALL), tmp_path / "run")
    assert [segment.name for segment in plan.segments if segment.kind == "rows"] == ["web.0-1", "web.2-3", "web.4-5"]
    texts = {}
    for row in audited(plan, "web.0-1").values():
        texts[row["id"]] = row["text"]
        assert rules(row) == ([("web.1", "too_short")] if len(row["text"]) < 300 else [])
    assert len(texts) == len({json.dumps(row) for row in documents(2500, seed=3)}), "the whole of the lane"
    duplicates = {row["id"] for path in (tmp_path / "run").rglob("dropped.parquet")
                  for row in pq.read_table(path).to_pylist() if row["reason"] == "exact_duplicate"}
    last = audited(plan, "web.4-5")
    assert duplicates and last.keys() == texts.keys() - duplicates
    for identity, row in last.items():
        text = texts[identity]
        expected = [("web.1", "too_short")] * (len(text) < 300)
        expected += [("web.3", "few_e")] * (text.count("e") < 60)
        expected += [("web.5", "too_short")] * (len(text) < 700)
        assert rules(row) == expected and row["text"] == text.upper()


def test_the_data_and_its_accounts_are_as_without_it(tmp_path: Path) -> None:
    plain = do(recipe(tmp_path, CHAIN), tmp_path / "plain")
    watched = do(recipe(tmp_path, CHAIN, ALL), tmp_path / "watched")

    def seen(plan: Plan) -> list[object]:
        return [([(name, file) for name, file in sorted(files.items()) if name != shards.AUDITED], accounts)
                for files, accounts, _ in result(plan).values() if "kept.parquet" in files]

    assert seen(plain) == seen(watched)


def test_no_copy_is_a_row_for_which_another_goes(tmp_path: Path) -> None:
    plan = do(recipe(tmp_path, CHAIN, ALL), tmp_path / "run")
    connection = sql.connect(Ledger.open(plan.out))
    stayed = "SELECT duplicate_of FROM dropped WHERE duplicate_of IS NOT NULL"
    wrong = connection.execute(f"SELECT count(*) FROM audit WHERE id IN ({stayed}) AND would_drop[1].step = 'web.1'")
    assert wrong.fetchall() == [(0,)]


def test_a_share_is_chosen_by_seed_and_id_alone(tmp_path: Path) -> None:
    some = audited(do(recipe(tmp_path, CHAIN[:2], "audit = 0.2"), tmp_path / "run"), "web.0-1")
    small = audited(do(recipe(tmp_path, CHAIN[:2], 'audit = 0.2\nworkers = 2').rename(tmp_path / "r2.toml"),
                       tmp_path / "again"), "web.0-1")
    assert some == small and 400 < len(some) < 600
    fewer = audited(do(recipe(tmp_path, CHAIN[:2], "audit = 0.1"), tmp_path / "fewer"), "web.0-1")
    assert fewer.keys() < some.keys()
    text = (tmp_path / "recipe.toml").read_text()
    (tmp_path / "recipe.toml").write_text("seed = 5\n" + text)
    assert audited(do(tmp_path / "recipe.toml", tmp_path / "other"), "web.0-1").keys() != fewer.keys()


@pytest.mark.parametrize("changed", [1, 3, 5])
def test_going_on_from_stored_rows_gives_the_same_sample(tmp_path: Path, changed: int) -> None:
    do(recipe(tmp_path, CHAIN, "audit = 0.3"), tmp_path / "run")
    after = [*CHAIN]
    after[changed] = (CHAIN[changed][0], {"least": CHAIN[changed][1]["least"] + 50})
    path = recipe(tmp_path, after, "audit = 0.3")
    plan = do(path, tmp_path / "run")
    assert CALLS
    assert result(plan) == result(do(path, tmp_path / "fresh"))


def test_copies_that_a_stage_refuses_or_raises_on_leave_the_sample_and_harm_nobody(tmp_path: Path) -> None:
    blocks = [READ, ("map.sized", {"least": 600}), ("map.fussy", {}), ("map.pieces", {}), ("map.vowels", {"least": 9})]
    plan = do(recipe(tmp_path, blocks, ALL), tmp_path / "run")
    first = audited(plan, "web.0-2")
    went = {row["id"] for row in first.values() if rules(row)}
    assert went and not {row["text"].split()[0] for row in first.values()} & {"glass", "river"}
    children = audited(plan, "web.3-4")
    assert {row["parent"] for row in children.values()} & went, "copies have children, which are copies"
    assert all(row["text"].count("e") < 9 or not rules(row) or row["parent"] in went for row in children.values())


def test_a_share_beyond_one_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="audit"):
        recipes.load(recipe(tmp_path, CHAIN, "audit = 1.5"))


def test_plan_says_that_the_sample_is_why_all_is_made_again(tmp_path: Path) -> None:
    from dataengine.why import reasons

    do(recipe(tmp_path, CHAIN[:2]), tmp_path / "run")
    plan = plans.make(recipes.load(recipe(tmp_path, CHAIN[:2], "audit = 0.01")), tmp_path / "run")
    assert reasons(plan) == {"web.0-1": "[run] audit 0 -> 0.01"}


def test_a_copy_that_kills_its_worker_is_found(tmp_path: Path) -> None:
    rows = documents(30)
    rows[7]["text"] = "KILL1 7"  # too short for the filter, so only the copy comes to the stage
    path = project(
        tmp_path,
        'name = "k"\n[run]\nmax_quarantined = 1.0\naudit = 1.0\n'
        '[[data.web]]\nstage = "read.jsonl"\npaths = "docs.jsonl"\n'
        '[[data.web]]\nstage = "filter.gopher"\nmin_words = 5\n[[data.web]]\nstage = "map.trouble"\nsuffix = "1"\n'
        '[[data.more]]\nfrom = "web"\nstage = "map.trouble"\nsuffix = "2"\n', rows)
    rows[8]["text"] = "KILL2 8"
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = dataengine("run", path, "--quiet", "--workers", "1", cwd=tmp_path, env=plugin(tmp_path / "plugin"))
    assert done.returncode == 0, done.stderr
    connection = sql.connect(Ledger.open(tmp_path / "runs/k"))
    lost = connection.execute("SELECT step, reason, text FROM quarantined").fetchall()
    assert lost == [("web.0", "crash", "KILL1 7")]
    counted = connection.execute("SELECT segment, count(*) FROM audit GROUP BY ALL ORDER BY ALL").fetchall()
    assert counted == [("more.0", 28), ("web.0-2", 29)]


# --- whom the rules hit -----------------------------------------------------------------------------------------------


def page(kind: str, rng: random.Random) -> str:
    """A page of words, of LaTeX or of a language with curly brackets."""
    words = [rng.choice(WORDS) for _ in range(60)]
    if kind == "math":
        return " ".join(words) + "".join(f"\nLet $x_{n} = \\frac{{{n}}}{{7}}$ and \\sqrt{{{n}}}." for n in range(9))
    if kind == "code":
        return "\n".join(f"int {rng.choice(words)}{n}(int a) {{\n    return a + {n};\n}}" for n in range(9))
    return " ".join(words) + (" {curly}" if rng.random() < 0.03 else "")


def brackets(folder: Path, share: float = 1.0) -> Plan:
    rng = random.Random(4)
    kinds = ["prose"] * 300 + ["math"] * 40 + ["code"] * 40
    rows = [{"text": page(kind, rng), "kind": kind} for kind in kinds]
    path = project(
        folder,
        f'name = "curly"\n[run]\naudit = {share}\n[[data.web]]\nstage = "read.jsonl"\npaths = "docs.jsonl"\n'
        'keep = ["kind"]\n'
        '[[data.web]]\nstage = "filter.where"\nwhere = "text not like \'%{%\'"\n'
        '[[data.web]]\nstage = "filter.where"\nwhere = "length(text) > 30"\n', rows)
    return do(path, folder / "run")


def test_a_rule_against_curly_brackets_is_warned_of_for_math_and_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger.open(brackets(tmp_path).out)
    found = audit.rates(ledger)
    content_rates = {rate.slice: rate for rate in found if rate.by == "content"}
    assert {name: rate.documents for name, rate in content_rates.items()} == {"prose": 300, "math": 40, "code": 40}
    assert content_rates["math"].rate == content_rates["code"].rate == 1.0
    assert 0 < content_rates["prose"].hits < 20 and content_rates["prose"].high < 0.1
    assert [(each.there.slice, each.there.hits) for each in audit.warnings(found)] == [("code", 40), ("math", 40)]
    audit.show(ledger, found)
    said = " ".join(capsys.readouterr().out.split())
    for kind in ("math", "code"):
        assert f"WARNING: web.1 (filter.where) would drop {kind} out of proportion, by the 40 documents of it" in said
    assert said.count("not_matched 100.0% (91.2-100.0) against") == 2
    assert len(status.summary(ledger)["audit"]) == 2
    look = "SELECT count(*) FROM audit WHERE content = 'math' AND list_contains(would_drop, " \
           "{'step': 'web.1', 'reason': 'not_matched'}) AND kind = 'math'"
    assert sql.connect(ledger).execute(look).fetchall() == [(40,)], "the query of the warning finds them"


def test_a_rule_that_hits_all_alike_is_no_warning_and_few_hits_are_none(tmp_path: Path) -> None:
    def rate(name: str, documents: int, hits: int) -> audit.Rate:
        by = "all" if name == "" else "content"
        low, high = audit.wilson(hits, documents)
        return audit.Rate("s", "web.1", "filter.x", "r", by, name, documents, hits, hits / documents, low, high)

    assert audit.warnings([rate("", 1000, 100), rate("math", 100, 10)]) == []
    assert audit.warnings([rate("", 1000, 4), rate("math", 4, 4)]) == []
    assert len(audit.warnings([rate("", 1000, 60), rate("math", 100, 30)])) == 1
    assert audit.warnings([rate("", 1000, 60), rate("prose", 100, 30)]) == [], "prose may be hit"


@pytest.mark.parametrize(("hits", "documents", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634),
                                                                (40, 40, 0.9124, 1.0), (1, 1000, 0.0002, 0.0056)])
def test_intervals_are_wilsons(hits: int, documents: int, low: float, high: float) -> None:
    assert audit.wilson(hits, documents) == pytest.approx((low, high), abs=1e-4)


def test_the_verb_prints_rates_and_json_and_says_what_to_write_where_there_is_no_sample(tmp_path: Path) -> None:
    run = brackets(tmp_path).out
    done = dataengine("audit", run, cwd=tmp_path)
    assert done.returncode == 0 and "WARNING" in done.stdout and "not_matched" in done.stdout, done.stderr
    assert "web" in dataengine("audit", run, "--by", "source", cwd=tmp_path).stdout.splitlines()[0]
    data = json.loads(dataengine("audit", run, "--json", cwd=tmp_path).stdout)
    assert {rate["by"] for rate in data["rates"]} == {"all", "content", "source"} and len(data["warnings"]) == 2
    plain = do(recipe(tmp_path / "plain", CHAIN[:2]), tmp_path / "plain/run").out
    assert "audit = 0.01" in dataengine("audit", plain, cwd=tmp_path).stdout
    assert sql.connect(Ledger.open(plain)).execute("SELECT would_drop, content FROM audit").fetchall() == []
    assert not [name for name in open_run.Run(Ledger.open(run)).docs().collect_schema() if name.startswith("__")]


@pytest.mark.parametrize(("text", "kind"), [
    ("", "prose"), (None, "prose"), ("The price rose from $5 to $7 that day, and $9 later.", "prose"),
    ("We have $a^2 + b^2 = c^2$, hence \\frac{a}{b} and \\sqrt{2}.", "math"), ("∀x ∈ ℝ: x ≤ 2 ∨ x ≥ 1", "math"),
    ("def f(x):\n    return x + 1\n\nprint(f(2))\n", "code"), ("if (a) {\n  b();\n}\nreturn c;\n", "code"),
    ("Dear all,\n\nwe meet (as always):\nat noon.\nBring cake.\n", "prose"),
])
def test_content_is_told_by_its_signs(text: str | None, kind: str) -> None:
    assert content.kind(text) == kind
