"""Gopher, repetition, C4 and FineWeb: what their fixtures cannot say."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from dataengine import stage
from dataengine.stage import Stage
from dataengine.tasks.fused import Cursor, FusedStep, Outcome, through

DATA = Path(__file__).parents[4] / "shared" / "data" / "filters"
HEURISTICS = ("filter.gopher", "filter.repetition", "filter.c4", "filter.fineweb")


def outcome(name: str, texts: list[str | None], config: dict[str, Any]) -> tuple[Outcome, list[dict[str, Any]]]:
    """What becomes of texts in the engine, and the rows in their order; kept ones have no reason."""
    found = stage.load(name)
    step = FusedStep("web.0", "web", found, found.config.model_validate(config))
    batch = pa.RecordBatch.from_pydict(
        {"id": [f"{row:032x}" for row in range(len(texts))], "text": pa.array(texts, pa.string())}
    )
    result = Outcome([step.account()])
    through(batch, np.arange(len(texts)), [step], 0, result, Cursor(lambda number, row: None))
    rows = [row for part in (*result.kept, *result.dropped) for row in part.to_pylist()]
    return result, sorted(rows, key=lambda row: row["id"])


@pytest.mark.parametrize("words", [["of the"], ["don't!"], [""], ["the", "the"], [f"w{i}" for i in range(65)], ["..."]])
def test_stop_words_that_could_never_match_are_refused(words: list[str]) -> None:
    with pytest.raises(ValidationError):
        stage.load("filter.gopher").config(stop_words=words)


def test_a_language_of_its_own_may_have_stop_words_with_accents_and_vowel_signs() -> None:
    rows = outcome("filter.gopher", ["नदी और मिल की ओर, où?"], {"stop_words": ["और", "की", "où"]})[1]
    assert rows[0]["stop_words"] == 3


@pytest.mark.parametrize("name", HEURISTICS)
@pytest.mark.parametrize("compat", ["paper", "datatrove"])
def test_measures_that_divide_by_nothing_are_finite(name: str, compat: str) -> None:
    for row in outcome(name, ["", "...", None, " \n"], {"compat": compat})[1]:
        assert all(np.isfinite(value) for value in row.values() if isinstance(value, float))


@pytest.mark.parametrize("name", HEURISTICS)
def test_false_switches_each_rule_off(name: str) -> None:
    found = stage.load(name)
    off = {rule.field: False for rule in found.rules}
    assert {row.get("reason") for row in outcome(name, ["", "a { b", "x\nx\nx", "# # #"], off)[1]} == {None}


def test_words_of_scripts_without_spaces_have_no_mean_length_and_mixed_texts_that_of_the_others() -> None:
    rows = outcome("filter.gopher", ["我们去河边", "我们 went to the river", "went to the 河"], {})[1]
    assert [row["mean_word_length"] for row in rows] == [None, 14 / 4, 9 / 3]


def test_c4_edits_what_stays_and_leaves_what_goes_and_the_ledger_has_the_bytes() -> None:
    prose = "One is here. Two is here. Three is here. Four is here. Five is here."
    texts = [f"Menu\n{prose}\nShare", "Menu\nOnly one sentence stays.\nShare", prose]
    result, rows = outcome("filter.c4", texts, {})
    assert [row["text"] for row in rows] == [prose, texts[1], prose]
    assert [(row.get("reason"), row["kept_lines"], row["lines_without_end_mark"]) for row in rows] == [
        (None, 1, 2), ("too_few_sentences", 1, 2), (None, 1, 0),
    ]  # fmt: skip
    account = result.accounts[0]
    account.check()
    assert (account.bytes_in, account.bytes_out) == (sum(map(len, texts)), 2 * len(prose))


def test_c4_keeps_the_type_of_a_column_and_texts_beside_nulls() -> None:
    found: Stage = stage.load("filter.c4")
    sliced = pa.RecordBatch.from_pydict({"text": pa.array(["x", None, "One two three.\nmenu", "é é é."])}).slice(1, 3)
    result = found(sliced, found.config())
    assert result["text"].type == pa.string()
    assert result["text"].to_pylist() == ["", "One two three.", "é é é."]


# --- other people's cases ---------------------------------------------------------------------------------------------

needs_data = pytest.mark.skipif(not DATA.exists(), reason="no evaluation data in ../shared/data")
REASONS = {
    "too_few_words": "gopher_short_doc", "too_many_words": "gopher_long_doc",
    "words_too_short": "gopher_below_avg_threshold",
    "words_too_long": "gopher_above_avg_threshold", "too_many_hashes": "gopher_too_many_hashes",
    "too_many_ellipses": "gopher_too_many_ellipsis", "too_many_bullet_lines": "gopher_too_many_bullets",
    "too_many_ellipsis_lines": "gopher_too_many_end_ellipsis",
    "too_few_alphabetic_words": "gopher_below_alpha_threshold",
    "too_few_stop_words": "gopher_enough_stop_words", "too_many_duplicate_paragraphs": "dup_para_frac",
    "too_much_text_in_duplicate_paragraphs": "dup_para_char_frac", "too_many_duplicate_lines": "dup_line_frac",
    "too_much_text_in_duplicate_lines": "dup_line_char_frac", "too_few_ended_lines": "line_punct_ratio",
    "too_many_short_lines": "short_line_ratio", "too_much_text_in_repeated_lines": "char_dup_ratio",
    "too_many_newlines": "list_ratio",
} | {f"one_{n}gram_too_often": f"top_{n}_gram" for n in (2, 3, 4)} | {
    f"too_many_duplicate_{n}grams": f"duplicated_{n}_n_grams" for n in range(5, 11)
}  # fmt: skip


@needs_data
@pytest.mark.parametrize(
    ("name", "theirs"),
    list(zip(HEURISTICS, ("gopher_quality", "gopher_repetition", "c4", "fineweb"), strict=True)),
)
def test_decisions_reasons_and_texts_are_those_of_datatrove(name: str, theirs: str) -> None:
    with lzma.open(DATA / "datatrove_decisions.jsonl.xz", "rt", encoding="utf-8") as file:
        cases = [json.loads(line) for line in file]
    rows = outcome(name, [case["text"] for case in cases], {"compat": "datatrove"})[1]
    unlike = []
    for case, row in zip(cases, rows, strict=True):
        reason, expected = row.get("reason"), case["datatrove"][theirs]
        found = {"keep": reason is None, "reason": REASONS.get(reason, reason)}
        if "text_sha1" in expected and reason is None:
            found["text_sha1"] = hashlib.sha1(row["text"].encode()).hexdigest()
        if found != {key: expected[key] for key in found}:
            unlike.append((case["id"], found, expected))
    assert len(unlike) <= 0.005 * len(cases), unlike


STATISTICS = {
    "word_count": ("filter.gopher", "words"),
    "median_word_length": ("filter.gopher", "mean_word_length"),
    "symbol_to_word_ratio": ("filter.gopher", "hash_ratio"),
    "fraction_of_words_with_alpha_character": ("filter.gopher", "alphabetic_word_ratio"),
    "required_word_count": ("filter.gopher", "stop_words"),
    "fraction_of_lines_starting_with_bullet_point": ("filter.gopher", "bullet_line_ratio"),
    "fraction_of_lines_ending_with_ellipsis": ("filter.gopher", "ellipsis_line_ratio"),
    "character_count": ("filter.repetition", "characters"),
    "fraction_of_duplicate_lines": ("filter.repetition", "duplicate_line_ratio"),
    "fraction_of_characters_in_duplicate_lines": ("filter.repetition", "duplicate_line_character_ratio"),
} | {
    f"fraction_of_characters_in_{kind}_{n}grams": ("filter.repetition", f"{ours}_{n}gram_ratio")
    for kind, ours, sizes in (("most_common", "top", range(2, 5)), ("duplicate", "duplicate", range(5, 11)))
    for n in sizes
}  # fmt: skip
"""dolma's names for what the filters measure with ``compat = "dolma"``."""
SETTINGS = {
    "min_doc_words": "min_words", "max_doc_words": "max_words", "line_punct_thr": "min_ended_line_ratio",
    "short_line_thr": "max_short_line_ratio", "short_line_length": "short_line",
}  # fmt: skip
PARAGRAPHS = {"min_long_lines": 3, "require_end_mark": False, "min_words_per_line": 0, "max_word_length": False,
              "min_sentences": False, "max_lorem_ipsum": False, "max_curly_brackets": False}  # fmt: skip


def answer(case: dict[str, Any]) -> Any:
    """What our filter says of another project's case: whether it keeps the text, or the value it asks for."""
    text, params = case["text"], case["params"]
    match case["filter"]:
        case "gopher_statistic":
            name, measure = STATISTICS[params["statistic"]]
            return outcome(name, [text], {"compat": "dolma"})[1][0][measure]
        case "c4_attribute":
            measure = {"has_curly_brace": "curly_brackets", "has_lorem_ipsum": "lorem_ipsum"}[params["attribute"]]
            return outcome("filter.c4", [text], {})[1][0][measure] > 0
        case "c4_paragraph":
            return outcome("filter.c4", [text], PARAGRAPHS)[1][0].get("reason") is None
        case "c4_line":
            row = outcome("filter.c4", [text], {"compat": "datatrove", "min_sentences": False})[1][0]
            return params["removed_contains"] not in row["text"]
        case kind:
            name = "filter." + kind.removeprefix("gopher_").replace("quality", "gopher")
            config = {SETTINGS[key]: value for key, value in params.items()} | {"compat": "datatrove"}
            return outcome(name, [text], config)[1][0].get("reason") is None


def cases_of_others() -> list[dict[str, Any]]:
    path = DATA / "unit_cases.jsonl.gz"
    if not path.exists():
        return []
    ours = {"gopher_statistic", "gopher_quality", "gopher_repetition", "fineweb"}
    ours |= {"c4", "c4_attribute", "c4_paragraph", "c4_line"}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [case for case in map(json.loads, file) if case["filter"] in ours]


@needs_data
@pytest.mark.parametrize("case", cases_of_others(), ids=lambda case: case["id"])
def test_other_projects_cases_come_out_as_they_say(case: dict[str, Any]) -> None:
    assert answer(case) == pytest.approx(case["value"] if "value" in case else case["keep"])
