"""make.procedural: items that follow from their number alone, and the checker that catches wrong ones."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from pydantic import ValidationError

from dataengine import stage
from dataengine.stages.make import _families
from dataengine.stages.make._families import FAMILIES, arithmetic, equations, fault, quantities
from dataengine.stages.make._families.draws import Draws

PROCEDURAL = stage.load("make.procedural")
HERE = Path(".")


def made(**config) -> list[dict]:
    chosen = PROCEDURAL.config(**config)
    found = [batch for piece in PROCEDURAL.pieces(chosen, HERE) for batch in PROCEDURAL(piece, chosen)]
    assert all(isinstance(batch, pa.RecordBatch) for batch in found)
    return pa.Table.from_batches(found).to_pylist()


def items(name: str, count: int, level: int | None = None) -> list:
    module = _families.family(name)
    return [module.make(Draws(7919 * i + 1), level or i % 7 + 1) for i in range(count)]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_item_is_right_in_answer_and_in_steps(name):
    module = _families.family(name)
    for item in items(name, 3000):
        assert fault(module, item) is None, item
        assert item.steps and "=" in "".join(item.steps)
        assert "  " not in item.problem and "{" not in item.problem + "".join(item.steps)


@pytest.mark.parametrize("name", FAMILIES)
def test_any_digit_changed_in_an_equation_is_noticed(name):
    module = _families.family(name)
    for item in items(name, 60):
        assert fault(module, replace(item, answer=str(Fraction(item.answer) + 1)))
        side = rf"(?:[-+*/() \d.]|\b\d*{item.unknown or '!'}\b)*"
        for number, step in enumerate(item.steps):
            spans = [found.span() for found in re.finditer(f"{side}(?:={side})+", step)]
            for at in [at for start, end in spans for at in range(start, end) if step[at].isdigit()]:
                wrong = step[:at] + str((int(step[at]) + 1) % 10) + step[at + 1 :]
                changed = replace(item, steps=[*item.steps[:number], wrong, *item.steps[number + 1 :]])
                assert fault(module, changed) or re.search(r"\b0 \*|\* 0\b", step), (step, wrong)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_generator_that_errs_is_refused_item_by_item(name, monkeypatch):
    module = _families.family(name)

    def erring(draws, level):
        item = module.make(draws, level)
        return replace(item, answer="-77") if len(item.problem) % 2 else item

    planted = SimpleNamespace(make=erring, solve=module.solve)
    monkeypatch.setattr(_families, "family", lambda _: planted)
    config = PROCEDURAL.config(families=[name], count=40)
    found = [x for piece in PROCEDURAL.pieces(config, HERE) for x in PROCEDURAL(piece, config)]
    refused = [x for x in found if isinstance(x, stage.Refused)]
    rows = [row for x in found if isinstance(x, pa.RecordBatch) for row in x.to_pylist()]
    assert refused and rows and len(refused) + len(rows) == 40
    assert {r.reason for r in refused} == {"wrong_answer"} == set(PROCEDURAL.refuses)
    assert all(len(r.raw.decode()) % 2 and "-77" in r.detail for r in refused)
    assert not {r.origin for r in refused} & {row["origin"] for row in rows}


def test_wrong_steps_are_refused_though_the_answer_is_right():
    item = items("arithmetic", 1, level=2)[0]
    assert "false" in fault(arithmetic, replace(item, steps=[*item.steps, "Note that 2 + 2 = 5."]))


@pytest.mark.parametrize(
    ("module", "problem", "answer"),
    [
        (arithmetic, "What is 12 + 30?", "42"),
        (arithmetic, "Subtract 8 from 50.", "42"),
        (arithmetic, "How many times does 7 go into 294?", "42"),
        (arithmetic, "What remainder does 100 leave when divided by 7?", "2"),
        (equations, "Solve for x: 3(2x - 5) + 4 = 2x + 9.", "5"),
        (equations, "Let 3t = 2. Work out t.", "2/3"),
        (equations, "Find a if -a + 1 = 4(a - 1).", "1"),
        (
            quantities,
            "Ada has 10 figs at home. Then Ada buys 2 bags of 4 figs each. Later Ada sells a third of the figs."
            " How many figs does Ada have in the end?",
            "12",
        ),
        (
            quantities,
            "Ada shops at home: 2 pens at $1.25 each, 1 cap at $4 each. Today there is 10% off."
            " What is the change from $10?",
            "4.15",
        ),
        (
            quantities,
            "Ada and Ben take a van: 2 hours at 30 km/h, then 1 hours at 45 km/h. What is the average speed in km/h?",
            "35",
        ),
        (quantities, "Ada, Ben and Zoe share 60 figs in the ratio 1:2:3. What is Ben's share?", "20"),
        (
            quantities,
            "Ada runs 2 machines; each turns out 5 rods an hour. They run 3 hours a day for 4 days."
            " Inspection rejects 9 rods. A box holds 10 rods. How many boxes can be filled?",
            "11",
        ),
    ],
)
def test_solvers_read_problems_that_a_person_wrote(module, problem, answer):
    assert module.solve(problem) == answer


def test_an_item_follows_from_seed_family_and_number_alone():
    few, many = made(count=30, seed=5), made(count=6000, seed=5, families=["quantities"])
    by_origin = {row["origin"]: row for row in many}
    assert len(by_origin) == 6000
    for row in few:
        if row["family"] == "quantities":
            assert by_origin[row["origin"]] == row
    assert made(count=30, seed=6)[0] != few[0] == made(count=30, seed=5)[0]


def test_the_first_items_never_change():
    """Fails whoever changes a generator without raising the version of the stage."""
    from xxhash import xxh3_64_hexdigest

    texts = "\n".join(row["text"] for row in made(count=200, seed=0))
    assert (PROCEDURAL.version, xxh3_64_hexdigest(texts.encode())) == (1, "5d43cf542ae752cb")


def test_rows_have_the_declared_columns():
    config = PROCEDURAL.config(count=3)
    batch = next(PROCEDURAL(next(iter(PROCEDURAL.pieces(config, HERE))), config))
    assert set(batch.schema.names) == {"origin", *PROCEDURAL.adds(config)}
    assert str(batch.schema.field("messages").type) == "list<item: struct<role: string, content: string>>"
    row = batch.to_pylist()[0]
    user, assistant = row["messages"]
    assert (user["role"], assistant["role"]) == ("user", "assistant")
    assert row["text"] == f"{user['content']}\n{assistant['content']}"
    assert assistant["content"].endswith(f"\nAnswer: {row['answer']}")


def test_pieces_cover_every_item_once_and_their_stamp_follows_the_config():
    config = PROCEDURAL.config(count=12_001)
    pieces = list(PROCEDURAL.pieces(config, HERE))
    for name in FAMILIES:
        own = [piece for piece in pieces if piece.origin == f"procedural/{name}"]
        assert [n for piece in own for n in range(piece.start, piece.end)] == list(range(12_001))
    assert all(piece.path == "" and piece.weight > 0 for piece in pieces)
    other = next(iter(PROCEDURAL.pieces(PROCEDURAL.config(seed=3), HERE)))
    assert other.stamp != pieces[0].stamp


def test_levels_stay_between_their_bounds():
    assert {row["level"] for row in made(count=60, min_level=2, max_level=3)} == {2, 3}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"families": []}, "at least 1"),
        ({"families": ["algebra"]}, "arithmetic"),
        ({"families": ["arithmetic", "arithmetic"]}, "named twice"),
        ({"min_level": 4, "max_level": 2}, "above max_level"),
        ({"count": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_configurations_are_refused(wrong, words):
    with pytest.raises(ValidationError, match=words):
        PROCEDURAL.config(**wrong)


def test_few_items_are_near_duplicates_of_others(tmp_path):
    from tests.gathering import gathered

    texts = [row["text"] for row in made(count=2000, seed=1)]
    assert len(gathered(tmp_path, texts)) < 0.05 * len(texts)


def test_draws_are_those_of_splitmix64_and_stay_in_range():
    assert Draws(0).below(1 << 64) == 0xE220A8397B1DCDAF
    draws = Draws(5)
    assert {draws.between(-2, 2) for _ in range(200)} == {-2, -1, 0, 1, 2}
    assert sorted(draws.several("abc", 3)) == ["a", "b", "c"]
