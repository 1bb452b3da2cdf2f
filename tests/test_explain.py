from __future__ import annotations

import pyarrow as pa
import pytest

from dataengine import stage as stages
from dataengine.errors import CorruptShard, QueryRefused
from dataengine.explain import ends, explain
from dataengine.inspect_run import choose, samples
from dataengine.judged import judge
from dataengine.ledger import Ledger, Step
from dataengine.stage import Rule, StageConfig
from tests.fake_run import FakeRun, doc_id, row, small_run


class Config(StageConfig):
    min_words: int = 50
    """Fewest words."""
    max_words: int | None = None
    """Most words."""


def _never(batch, config):
    raise AssertionError("readers of a run never call a stage")


@pytest.fixture(autouse=True)
def gopher(monkeypatch):
    """A gopher of our own, so that these tests stand whatever becomes of the real one."""
    rules = (Rule("too_few_words", "words", "<", "min_words"), Rule("too_many_words", "words", ">", "max_words"))
    stage = stages.Stage("filter.gopher", "filter", _never, Config, 1, lambda config: ("text",),
                         lambda config: {"words": "int64"}, rules)
    real = stages.load
    monkeypatch.setattr(stages, "load", lambda name: stage if name == "filter.gopher" else real(name))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("explain") / "words=9" / "r [1]*")


@pytest.fixture
def ledger(run):
    return Ledger.open(run)


def verdicts(explanation):
    return [(verdict.step, verdict.outcome, verdict.reason) for passage in explanation.passages
            for verdict in passage.verdicts]


def test_a_dropped_document_says_by_which_rule_and_by_how_much(ledger):
    found = explain(ledger, doc_id(3))
    assert (found.source, found.origin) == ("web", "crawl/a.jsonl:3")
    assert verdicts(found) == [("web.0", "passed", ""), ("web.1", "dropped", "too_few_words")]
    first, second = found.passages[0].verdicts[1].rules
    assert (first["value"], first["threshold"], first["broken"]) == (10, 50, True)
    assert (second["value"], second["threshold"], second["broken"]) == (10, 100_000, False)


def test_a_kept_document_is_followed_to_the_end_of_its_lane_and_into_the_tokens(ledger):
    found = explain(ledger, doc_id(1))
    assert verdicts(found) == [("web.0", "passed", ""), ("web.1", "passed", ""), ("corpus.0", "passed", "")]
    assert [(passage.outcome, passage.final) for passage in found.passages] == [("kept", False), ("kept", True)]
    assert found.twins == [doc_id(5)] and found.duplicate_of is None
    assert [(place["document"], place["tokens"]) for place in found.tokens] == [(0, 3)]
    for passage in found.passages:
        assert (ledger.folder / passage.shard).is_file()


def test_a_duplicate_names_its_twin_with_its_origin(ledger):
    found = explain(ledger, doc_id(5))
    assert verdicts(found)[-1] == ("corpus.0", "dropped", "same_text")
    assert found.duplicate_of == {"id": doc_id(1), "origin": "crawl/a.jsonl:1", "url": "https://a.example/1"}


def test_a_quarantined_record_says_why_and_that_later_steps_never_saw_it(ledger):
    found = explain(ledger, doc_id(4))
    assert verdicts(found) == [("web.0", "quarantined", "bad_json"), ("web.1", "not reached", "")]
    assert found.passages[0].verdicts[0].detail == "line 4: expected a value"


def test_the_beginning_of_an_id_is_enough_when_it_is_unique(ledger):
    assert explain(ledger, doc_id(7)[:3].upper()).id == doc_id(7)
    ids = [doc_id(number) for number in (1, 2, 3, 4, 5, 6, 7)]
    shared = next(a[:1] for a in ids if sum(b[:1] == a[:1] for b in ids) > 1)
    with pytest.raises(QueryRefused, match="documents or more begin so"):
        explain(ledger, shared)


@pytest.mark.parametrize("identity", ["f" * 32, "", "xyz", "' OR 1=1 --", "%", "a" * 33, "\x1b[31m"])
def test_an_id_that_is_not_there_is_an_error_in_words(ledger, identity):
    with pytest.raises(QueryRefused, match="no document has this id") as caught:
        explain(ledger, identity)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(("number", "outcome"), [
    (1, ["kept at the end of lane corpus"]),
    (3, ["dropped by web.1 (filter.gopher) for too_few_words: words = 10, dropped if < min_words (50): drops"]),
    (4, ["quarantined by web.0 (read.jsonl) for bad_json: line 4: expected a value"]),
    (5, [f"dropped by corpus.0 (dedup.exact) for same_text: {doc_id(1)} stayed"]),
])
def test_the_outcome_is_said_in_one_sentence(ledger, number, outcome):
    assert ends(explain(ledger, doc_id(number))) == outcome


def test_a_condition_that_did_not_hold_is_quoted(tmp_path):
    run = FakeRun(tmp_path / "r")
    segment = run.segment("web.0", "web", [("web.0", "filter.where", {"where": "words > 5 and lang = 'en'"})])
    lost = row(1, matched=False, step="web.0", stage="filter.where", reason="not_matched")
    run.task(segment, more={"matched": pa.bool_()}, dropped=[lost])
    (outcome,) = ends(explain(Ledger.open(run.save()), doc_id(1)))
    assert outcome == "dropped by web.0 (filter.where) for not_matched: where = words > 5 and lang = 'en'"


def test_an_empty_run_explains_nothing(tmp_path):
    with pytest.raises(QueryRefused):
        explain(Ledger.open(FakeRun(tmp_path / "r").save()), doc_id(1))


def test_a_damaged_shard_is_said_so(tmp_path):
    run = small_run(tmp_path / "r")
    shard = Ledger.open(run).kept()[0]
    shard.path.unlink()
    with pytest.raises(CorruptShard):
        explain(Ledger.open(run), doc_id(1))


def test_rules_of_a_stage_that_is_gone_or_of_missing_values_judge_nothing():
    assert judge(Step("a.0", "a", "plugin.gone"), {"words": 1}) == []
    assert judge(Step("a.0", "a", "filter.gopher"), {"other": 1}) == []
    (rule,) = judge(Step("a.0", "a", "filter.gopher"), {"words": None})
    assert (rule.broken, rule.threshold) == (False, 50)


def test_samples_come_by_group_and_are_the_same_however_often_asked(ledger):
    found = samples(ledger, n=1, seed=3)
    assert [sample.group for sample in found] == [
        "kept corpus", "quarantined web.0.bad_json", "dropped web.1.too_few_words", "dropped corpus.0.same_text"]
    assert [sample.row["id"] for sample in samples(ledger, n=1, seed=3)] == [sample.row["id"] for sample in found]


def test_samples_depend_on_id_and_seed_and_not_on_how_the_run_was_cut(tmp_path):
    def chosen(cuts, seed):
        fake = FakeRun(tmp_path / f"r{cuts}{seed}")
        segment = fake.segment("web.0", "web", [("web.0", "read.jsonl", {})])
        rows = [row(number) for number in range(40)]
        for part in range(cuts):
            fake.task(segment, kept=rows[part::cuts])
        return [sample.row["id"] for sample in samples(Ledger.open(fake.save()), n=5, seed=seed)]

    assert chosen(1, 0) == chosen(7, 0)
    assert chosen(1, 1) != chosen(2, 0)


@pytest.mark.parametrize("why", ["dropped:web.1.too_few_words", "dropped:too_few_words", "too_few_words",
                                 "gopher.too_few_words", "dropped:filter.gopher.too_few_words"])
def test_a_reason_may_be_named_in_several_ways(ledger, why):
    (reason,) = choose(ledger, why)
    assert (reason.step, reason.rows) == ("web.1", 2)
    found = samples(ledger, reasons=[reason], kept=False, n=9)
    assert {sample.row["id"] for sample in found} == {doc_id(3), doc_id(6)}
    assert all("words = " in sample.broken[0] and sample.broken[0].endswith("drops") for sample in found)
    assert {sample.measured["words"] for sample in found} == {10, 20}


@pytest.mark.parametrize("why", ["kept:too_few_words", "quarantined:too_few_words", "dropped:web.0.too_few_words", ""])
def test_an_unknown_reason_is_answered_with_those_there_are(ledger, why):
    with pytest.raises(QueryRefused) as caught:
        choose(ledger, why)
    assert "dropped:web.1.too_few_words" in caught.value.expected


def test_samples_can_be_of_one_lane_or_one_step(ledger):
    assert {sample.group for sample in samples(ledger, lane="corpus")} == {"kept corpus", "dropped corpus.0.same_text"}
    assert {sample.group for sample in samples(ledger, step="web.1")} == {"dropped web.1.too_few_words"}
    with pytest.raises(QueryRefused, match="no such lane"):
        samples(ledger, lane="nowhere")
