"""The laws of every stage: judged as its fixture says, blind to how batches are cut and to what came before."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataengine import stage
from dataengine.prune import Units
from dataengine.stage import Sketch, canonical
from dataengine.tasks import Job
from dataengine.tasks.asked import answers
from dataengine.tasks.columns import visible
from dataengine.tasks.fused import Cursor, attempt
from dataengine.tasks.head import placed
from tests.stages import laws

BUILTIN = sorted(stage.builtin_names())
ROWWISE = [name for name in BUILTIN if stage.load(name).kind in ("map", "filter", "expand")]
GATHERS = [name for name in BUILTIN if stage.load(name).kind == "gather"]
PRUNES = [name for name in BUILTIN if stage.load(name).kind == "prune"]
READS = [name for name in BUILTIN if stage.load(name).kind == "read"]
FIXED = ROWWISE + GATHERS + PRUNES


def by_config(name: str) -> list[list[laws.Case]]:
    """The cases of a stage, those of one config and the same columns together."""

    def key(case: laws.Case) -> str:
        return canonical(case.config) + repr(case.columns)

    return [list(group) for _, group in groupby(sorted(laws.cases(name), key=key), key)]


def plain(result: Any) -> Any:
    """What a stage gave, as lists, so that two answers can be compared."""
    if isinstance(result, Sketch | Units):
        return laws.sketched(result)
    if isinstance(result, tuple):
        return [plain(part) for part in result]
    if isinstance(result, Mapping):
        return {name: plain(column) for name, column in result.items()}
    return list(result) if isinstance(result, list) else result.tolist()


@pytest.mark.parametrize("name", BUILTIN)
def test_every_stage_says_what_it_does_and_what_each_setting_means(name: str) -> None:
    found = stage.load(name)
    assert found.summary.endswith(".")
    for field, info in stage.with_help(found.config).model_fields.items():
        assert info.description, f"{name}: {field} has no help"


@pytest.mark.parametrize("name", ROWWISE)
def test_every_case_comes_out_as_its_fixture_says(name: str) -> None:
    for case in laws.cases(name):
        outcome = laws.apply(case, laws.batch_of([case]))
        found = laws.rows_of(outcome)
        if "reason" in case.expected:
            assert [row["reason"] for row in found["dropped"]] == (
                [case.expected["reason"]] if case.expected["reason"] else []
            ), case.row
        if "refused" in case.expected:
            assert [row["reason"] for row in found["quarantined"]] == [case.expected["refused"]], case.row
        if "output" in case.expected:
            assert {column: found["kept"][0][column] for column in case.expected["output"]} == case.expected["output"]
        if "children" in case.expected:
            assert len(found["kept"]) == case.expected["children"]
        outcome.accounts[0].check()


@pytest.mark.parametrize("name", ROWWISE)
def test_every_declared_reason_is_seen(name: str) -> None:
    found = stage.load(name)
    expected = [case.expected for case in laws.cases(name)]
    assert {rule.reason for rule in found.rules} <= {case.get("reason") for case in expected}
    assert set(found.refuses) <= {case.get("refused") for case in expected}


@pytest.mark.parametrize("name", ROWWISE)
def test_the_answer_does_not_depend_on_how_rows_are_cut_into_batches(name: str) -> None:
    rng = random.Random(name)
    for group in by_config(name):
        group = group * 3
        whole = laws.batch_of(group)
        expected = laws.rows_of(laws.apply(group[0], whole))
        cuts = sorted(rng.choices(range(len(group) + 1), k=3))
        parts = [whole.slice(first, end - first) for first, end in zip([0, *cuts], [*cuts, len(group)], strict=True)]
        found = [laws.rows_of(laws.apply(group[0], part)) for part in parts if part.num_rows]
        assert {key: [row for part in found for row in part[key]] for key in expected} == expected


@pytest.mark.parametrize("name", GATHERS)
def test_a_sketch_does_not_depend_on_how_rows_are_cut_into_batches(name: str) -> None:
    for group in by_config(name):
        group = group * 2
        whole = laws.batch_of(group)
        expected = group[0].stage.function(whole, group[0].config)
        for row in range(whole.num_rows):
            found = group[0].stage.function(whole.slice(row, 1), group[0].config)
            for name in ("alone", "same", "keys", "copies_only", "rank"):
                if getattr(expected, name) is not None:
                    assert getattr(found, name).tolist() == getattr(expected, name)[row : row + 1].tolist()
            if expected.sets is not None:
                own = expected.elements[expected.sets[row] : expected.sets[row + 1]]
                assert (found.elements.tolist(), found.sets.tolist()) == (own.tolist(), [0, len(own)])


@pytest.mark.parametrize("name", PRUNES)
def test_the_parts_of_a_row_are_those_of_its_fixture_and_do_not_depend_on_the_rows_around_it(name: str) -> None:
    for group in by_config(name):
        whole = group[0].stage.function(laws.batch_of(group * 2), group[0].config)
        assert (whole.starts < whole.ends).all()
        for row, case in enumerate(group * 2):
            own = case.stage.function(laws.batch_of(group * 2).slice(row, 1), case.config)
            here = whole.rows == row
            assert own.rows.tolist() == [0] * int(here.sum())
            for column in ("starts", "ends", "keys"):
                assert getattr(own, column).tolist() == getattr(whole, column)[here].tolist()
            if "parts" in case.expected:
                found = [[*span] for span in zip(own.starts.tolist(), own.ends.tolist(), strict=True)]
                assert found == case.expected["parts"], case.row


@pytest.mark.parametrize("name", ROWWISE)
def test_a_row_on_which_a_stage_raises_is_quarantined_and_all_others_are_as_if_it_were_not_there(name: str) -> None:
    rng = random.Random(name)
    for group in by_config(name):
        whole = laws.batch_of(group * 3)
        bad = rng.randrange(whole.num_rows)
        others = np.delete(np.arange(whole.num_rows), bad)
        expected = laws.rows_of(laws.apply(group[0], whole.take(pa.array(others))))
        step = laws.failing(group[0], whole["id"][bad].as_py())
        cursor = Cursor(lambda batch, row: None)
        outcome = attempt(placed(whole, 0), np.arange(whole.num_rows), [step], 0, cursor)
        for batches in (outcome.kept, outcome.dropped, outcome.quarantined):
            batches[:] = map(visible, batches)
        found = laws.rows_of(outcome)
        (error,) = [row for row in found["quarantined"] if row["reason"] == "error"]
        assert (error["id"], error["detail"]) == (whole["id"][bad].as_py(), "ValueError: no good")
        found["quarantined"].remove(error)
        assert found == expected
        outcome.accounts[0].check()


@pytest.mark.parametrize("name", GATHERS + PRUNES)
def test_a_row_about_which_there_is_no_answer_is_refused_and_all_others_are_asked_about(name: str) -> None:
    rng = random.Random(name)
    job = Job(Path(), "", "", "", [], {})
    for group in by_config(name):
        whole = laws.batch_of(group * 3)
        bad, rows = rng.randrange(whole.num_rows), np.arange(whole.num_rows)
        step, refused = laws.failing(group[0], whole["id"][bad].as_py()), {}
        asked = answers(whole, rows, job, step, Cursor(lambda batch, row: None), refused,
                        lambda part, _, step=step: step.stage.function(part, step.config))
        found = list(asked)
        assert refused == {bad: ("error", "ValueError: no good")}
        assert [number for _, own in found for number in own.tolist()] == np.delete(rows, bad).tolist()
        for answer, own in found:
            alone = group[0].stage.function(whole.take(pa.array(own)), group[0].config)
            assert repr(plain(answer)) == repr(plain(alone))


@pytest.mark.parametrize("name", FIXED)
def test_the_input_is_left_as_it_was_and_the_answer_is_the_same_twice(name: str) -> None:
    for group in by_config(name):
        batch = laws.batch_of(group)
        before = pa.ipc.read_record_batch(batch.serialize(), batch.schema)
        first, second = (plain(group[0].stage.function(batch, group[0].config)) for _ in range(2))
        assert repr(first) == repr(second)
        assert batch.equals(before)


@pytest.mark.parametrize("name", ROWWISE)
def test_only_declared_columns_are_added(name: str) -> None:
    for group in by_config(name):
        found, config = group[0].stage, group[0].config
        result = found.function(laws.batch_of(group), config)
        columns = result[0] if found.kind == "expand" else result
        assert set(columns) - {"refused"} == set(found.adds(config))


@pytest.mark.parametrize("name", FIXED)
def test_a_changed_output_needs_a_new_version(name: str) -> None:
    pinned = next((line["golden"] for line in laws.lines(name) if "golden" in line), None)
    now = {"version": stage.load(name).version, "sha256": laws.digest(name)}
    assert pinned == now, (
        f"the output of {name} changed: raise its version, then python -m tests.stages.golden {name}"
    )


@pytest.mark.parametrize("name", READS)
def test_a_reader_has_a_test_of_its_own(name: str) -> None:
    verb, noun = name.split(".")
    assert (laws.FOLDER / verb / f"test_{noun}.py").exists()
