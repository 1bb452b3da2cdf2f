"""dedup.minhash: its bands against theory and datasketch, its choice against brute force, its quality on real pages."""

from __future__ import annotations

import gzip
import json
import lzma
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataengine import stage
from dataengine.stages.dedup._bands import SURE, best_bands, error_area, sure_bands
from tests.gathering import gathered

MINHASH = stage.load("dedup.minhash")
DATA = Path(__file__).parents[4] / "shared" / "data" / "dedup"
TEXTS = [
    "The quick brown fox jumps over the lazy dog.", "", None, "one two", "ONE, two!", " \n\t", "x" * 5000,
    "日本語のテキストを数える", "the quick brown fox jumps over the lazy dog", "\x00 \x01",
]
NEVER_MISSED = {"bands": 80, "rows": 3}
"""At J = 0.8 a pair is missed once in 10^25."""


def batch(texts: list[str | None], kind: pa.DataType | None = None) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, kind or pa.string())})


def grams(text: str, ngram: int = 5) -> frozenset[tuple[str, ...]]:
    words = text.split()
    return frozenset(tuple(words[i : i + ngram]) for i in range(len(words) - ngram + 1))


def edited_families(count: int, seed: int, words: tuple[int, int] = (20, 90)) -> list[str]:
    """Texts of families whose members are edited copies of one another, shuffled; strangers share almost nothing."""
    draw, texts = random.Random(seed), []
    while len(texts) < count:
        family = [[f"w{draw.randrange(5000)}" for _ in range(draw.randint(*words))]]
        for _ in range(draw.choice([0, 0, 1, 1, 2, 5])):
            copy = list(draw.choice(family))
            for _ in range(draw.choice([0, 1, 1, 2, 3, 5])):
                copy[draw.randrange(len(copy))] = f"w{draw.randrange(5000)}"
            family.append(copy)
        texts += [" ".join(one) for one in family]
    draw.shuffle(texts)
    return texts[:count]


def similar_pairs(texts: list[str], threshold: float = 0.8) -> dict[int, dict[int, float]]:
    """All pairs of at least this similarity, by brute force: every pair that shares an n-gram, and equal texts."""
    sets, holders = [grams(text) for text in texts], defaultdict(list)
    for row, one in enumerate(sets):
        for gram in one or {("whole", texts[row])}:
            holders[gram].append(row)
    found: dict[int, dict[int, float]] = defaultdict(dict)
    seen: set[tuple[int, int]] = set()
    for rows in holders.values():
        for place, b in enumerate(rows):
            for a in rows[:place]:
                if (a, b) not in seen:
                    seen.add((a, b))
                    union = len(sets[a] | sets[b])
                    value = len(sets[a] & sets[b]) / union if union else 1.0
                    if value >= threshold:
                        found[a][b] = found[b][a] = value
    return found


def kept_by_brute_force(order: list[int], pairs: dict[int, dict[int, float]]) -> set[int]:
    kept: set[int] = set()
    for row in order:
        if not kept & pairs[row].keys():
            kept.add(row)
    return kept


def test_brute_force_gives_the_same_verified_pairs_and_the_same_choice_on_five_thousand_documents(tmp_path):
    texts = edited_families(5000, seed=1)
    pairs = similar_pairs(texts)
    kept = kept_by_brute_force(list(range(5000)), pairs)
    gone = gathered(tmp_path, texts, files=7, **NEVER_MISSED)
    assert set(range(5000)) - gone.keys() == kept
    assert len(gone) > 1000
    for row, (stays, similarity, _) in gone.items():
        assert stays in kept and similarity == pairs[row][stays]


def test_components_are_those_of_all_verified_pairs(tmp_path):
    texts = edited_families(600, seed=2)
    pairs = similar_pairs(texts)
    expected: dict[int, int] = {}
    for row in range(len(texts)):
        if row in expected:
            continue
        front = [row]
        while front:
            at = front.pop()
            if at not in expected:
                expected[at] = row
                front += pairs[at]
    gone = gathered(tmp_path, texts, clusters="components", **NEVER_MISSED)
    assert {row: one.stays for row, one in gone.items()} == {row: root for row, root in expected.items() if row != root}


@pytest.mark.parametrize("files", [1, 3, 11])
def test_the_answer_does_not_depend_on_how_documents_lie_in_shards(tmp_path, files):
    texts = edited_families(400, seed=3)
    assert gathered(tmp_path, texts, files=files) == gathered(tmp_path / "one", texts)


def test_the_order_of_documents_decides_only_who_stays(tmp_path):
    """Backwards: no two who stay are similar, nobody goes without a partner that stays; it is another greedy choice."""
    texts = edited_families(400, seed=4)
    pairs, backwards = similar_pairs(texts), texts[::-1]
    gone = gathered(tmp_path, backwards, **NEVER_MISSED)
    kept = kept_by_brute_force(list(range(399, -1, -1)), pairs)
    assert {399 - row for row in range(400) if row not in gone} == kept


FAMILY = " ".join(f"word{i}" for i in range(60))


@pytest.mark.parametrize(
    ("config", "stays"),
    [
        ({}, 0),
        ({"keep": "longest"}, 2),
        ({"keep": "newest", "column": "day"}, 1),
        ({"keep": "best", "column": "score"}, 3),
    ],
)
@pytest.mark.parametrize("stage_name", ["dedup.minhash", "dedup.exact"])
def test_the_survivor_is_the_one_asked_for(tmp_path, config, stays, stage_name):
    tails = ["", "", " tail", ""] if stage_name == "dedup.minhash" else ["", "", "", ""]
    rows = [
        {"text": FAMILY + tails[0], "day": "2023-01-05", "score": -0.5},
        {"text": FAMILY + tails[1], "day": "2024-06-10T00:00:00Z", "score": None},
        {"text": FAMILY + tails[2], "day": None, "score": 0.0},
        {"text": FAMILY + tails[3], "day": "Tue, 03 Jan 2023 10:00:00 GMT", "score": 2.5},
    ]
    if stage_name == "dedup.exact" and config.get("keep") == "longest":
        stays = 0  # they are equally long
    gone = gathered(tmp_path, rows, stage_name, files=2, types={"score": "float64"}, **config)
    assert {one.stays for one in gone.values()} == {stays} and len(gone) == 3


def test_ranked_choice_is_greedy_in_the_order_of_rank(tmp_path):
    texts = edited_families(300, seed=5)
    scores = random.Random(6).choices(range(40), k=300)
    rows = [{"text": text, "score": score} for text, score in zip(texts, scores, strict=True)]
    gone = gathered(tmp_path, rows, files=3, types={"score": "int64"}, keep="best", column="score", **NEVER_MISSED)
    order = sorted(range(300), key=lambda row: (-scores[row], row))
    assert set(range(300)) - gone.keys() == kept_by_brute_force(order, similar_pairs(texts))


def test_empty_and_tiny_documents_form_no_giant_cluster(tmp_path):
    tiny = ["", " . ", "yes", "Yes!", "no", "one two three four five six seven", "one two three four five six eight"]
    gone = gathered(tmp_path, [*tiny, *[f"page {n}" for n in range(200)], "...", ""])
    assert gone == {3: (2, 1.0, None)}


def test_ten_thousand_copies_of_one_document_go_for_it(tmp_path):
    near = FAMILY.replace("word30", "other")
    gone = gathered(tmp_path, [FAMILY] * 10_000 + [near] * 5_000, files=2)
    assert set(gone) == set(range(1, 15_000)) and {one.stays for one in gone.values()} == {0}
    assert {one.similarity for row, one in gone.items() if row < 10_000} == {1.0}
    assert {one.similarity for row, one in gone.items() if row >= 10_000} == {51 / 61}


def test_a_small_memory_gives_the_same_answer(tmp_path):
    """One gigabyte or one megabyte: ranges are matched in parts, and sets lie in a mapped file."""
    texts = edited_families(3000, seed=8)
    small = gathered(tmp_path / "small", texts, files=2, run={"memory_per_worker": "100kB"})
    assert small == gathered(tmp_path / "large", texts, files=2)
    assert not list((tmp_path / "small").rglob("sets.tmp"))


def test_without_verification_meeting_in_a_band_is_enough(tmp_path):
    draw = random.Random(9)
    texts = [f"{FAMILY} " + " ".join(f"x{draw.random()}" for _ in range(30)) for _ in range(30)]
    sloppy = {"verify": False, "bands": 40, "rows": 1}
    gone = gathered(tmp_path / "a", texts, **sloppy)
    assert len(gone) == 29 and {one.similarity for one in gone.values()} == {None}
    assert {one.stays for one in gathered(tmp_path / "b", texts, **sloppy, clusters="components").values()} == {0}
    assert gathered(tmp_path / "c", texts) == {}


def test_characters_see_what_words_do_not(tmp_path):
    one, two = "abcdefghij" * 20 + "1", "ABCDE fghij" + "abcdefghij" * 19 + "2"
    assert gathered(tmp_path / "words", [one, two]) == {}
    found = gathered(tmp_path / "characters", [one, two], of="characters", ngram=4, threshold=0.5)
    assert list(found) == [1] and 0.5 < found[1].similarity < 1


def test_copies_but_for_case_and_punctuation_are_the_same_and_empty_rows_are_alone():
    sketch = MINHASH(batch(TEXTS), MINHASH.config())
    assert sketch.keys.shape == (len(TEXTS), 16) and sketch.keys.dtype == np.uint64
    assert sketch.alone.tolist() == [text is None or not any(c.isalnum() for c in text) for text in TEXTS]
    assert sketch.same[0].tolist() == sketch.same[8].tolist() and sketch.same[3].tolist() == sketch.same[4].tolist()
    assert sketch.copies_only.tolist() == [row not in (0, 7, 8) for row in range(len(TEXTS))]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_the_sketch_does_not_depend_on_how_rows_are_cut(kind):
    whole = batch(TEXTS, kind)
    config = MINHASH.config(ngram=2, bands=3, rows=2)
    sketch = MINHASH(whole, config)
    for start in range(len(TEXTS)):
        part = MINHASH(whole.slice(start, 3), config)
        assert part.keys.tolist() == sketch.keys[start : start + 3].tolist()
        assert part.alone.tolist() == sketch.alone[start : start + 3].tolist()
    assert whole.equals(batch(TEXTS, kind))
    assert MINHASH(whole.slice(0, 0), config).keys.shape == (0, 3)


def test_another_seed_gives_other_keys():
    keys = [MINHASH(batch(TEXTS[:1]), MINHASH.config(seed=seed)).keys.tolist() for seed in (0, 0, 1)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("hashes", [32, 112, 256])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9])
def test_unverified_bands_from_a_threshold_are_as_good_as_datasketchs(threshold, hashes):
    datasketch = pytest.importorskip("datasketch")
    theirs = datasketch.MinHashLSH(threshold=threshold, num_perm=hashes)
    ours = best_bands(threshold, hashes)
    assert ours[0] * ours[1] <= hashes
    best, other = error_area(threshold, *ours, steps=2000), error_area(threshold, theirs.b, theirs.r, steps=2000)
    assert best <= other * 1.001
    if abs(best - other) > 1e-9:  # they integrate in steps of 0.001 and may stop a hair from the best
        assert best < other
    assert MINHASH.config(threshold=threshold, hashes=hashes, verify=False).bands == ours[0]


@given(st.floats(0.1, 0.98), st.integers(16, 256))
@settings(max_examples=60, deadline=None)
def test_verified_bands_find_almost_all_pairs_at_the_threshold_with_the_most_rows(threshold, hashes):
    bands, rows = sure_bands(threshold, hashes)
    finds = [1 - (1 - threshold**r) ** (hashes // r) for r in range(1, hashes + 1)]
    if max(finds) < SURE:
        assert (bands, rows) == (hashes, 1)
        return
    assert bands * rows <= hashes and 1 - (1 - threshold**rows) ** bands >= SURE
    assert 1 - (1 - threshold**rows) ** (bands - 1) < SURE
    assert all(found < SURE for found in finds[rows:])


def test_the_area_of_errors_is_that_of_a_fine_integral():
    s = (np.arange(200_000) + 0.5) / 200_000
    meets = 1 - (1 - s**8) ** 14
    area = (np.where(s < 0.75, meets, 1 - meets)).mean()
    assert error_area(0.75, 14, 8) == pytest.approx(area, rel=1e-3)


def test_a_config_survives_being_written_and_read():
    for given_ in ({}, {"threshold": 0.7}, {"bands": 26, "rows": 11}, {"verify": False}, {"keep": "longest"}):
        config = MINHASH.config(**given_)
        assert MINHASH.config.model_validate_json(stage.canonical(config)) == config
        assert config.bands and config.rows


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bands": 14}, "bands and rows go together"),
        ({"threshold": 1.5}, "less than 1"),
        ({"threshold": "high"}, "valid number"),
        ({"ngram": 0}, "greater than or equal to 1"),
        ({"bands": 0, "rows": 3}, "greater than or equal to 1"),
        ({"band": 3}, "Extra inputs"),
        ({"keep": "newest"}, "without a column"),
        ({"column": "score"}, "the others take none"),
        ({"of": "lines"}, "'words', 'characters' or 'tokens'"),
    ],
)
def test_wrong_configurations_are_refused(wrong, words):
    with pytest.raises(ValidationError, match=words):
        MINHASH.config(**wrong)


def test_a_column_of_the_wrong_type_is_said_before_any_data_moves():
    said = MINHASH.check(MINHASH.config(keep="best", column="tag"), {"tag": "string"})
    assert said and 'column "tag" is string' in said
    assert MINHASH.check(MINHASH.config(keep="newest", column="tag"), {"tag": "string"}) is None
    assert MINHASH.check(MINHASH.config(), {}) is None


def real(name: str) -> tuple[list[dict], list[dict]]:
    """Documents, and pairs of them with their Jaccard similarity.

    That was computed with other words than ours (punctuation is part of them), so that the two differ here and there.
    """
    if not DATA.is_dir():
        pytest.skip("no evaluation data beside the repository")
    with lzma.open(DATA / f"{name}.docs.jsonl.xz", "rt", encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    with gzip.open(DATA / f"{name}.gold.jsonl.gz", "rt", encoding="utf-8") as lines:
        return documents, [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", ["extractors", "mail"])
def test_real_near_duplicates_are_found(name, tmp_path):
    """Of the pairs of J >= .8 at most one in a hundred is both kept; almost all who go have a partner of J >= .7."""
    documents, gold = real(name)
    gone = gathered(tmp_path, [document["text"] for document in documents])
    names = [document["id"] for document in documents]
    removed = {names[row] for row in gone}
    similar = [pair for pair in gold if pair["jaccard"] >= 0.8]
    missed = sum(pair["a"] not in removed and pair["b"] not in removed for pair in similar) / len(similar)
    near = {frozenset((pair["a"], pair["b"])) for pair in gold if pair["jaccard"] >= 0.7}
    right = sum(frozenset((names[row], names[one.stays])) in near for row, one in gone.items()) / len(gone)
    print(f"{name}: both kept {missed:.4f}, partner of J >= .7 {right:.4f}")
    assert missed <= 0.01 and right >= 0.995


@pytest.mark.parametrize("name", ["extractors", "mail"])
def test_components_put_real_near_duplicates_into_one_cluster(name, tmp_path):
    """Two of J >= .8 may go for two that stay, and are then in no one cluster, but for components."""
    documents, gold = real(name)
    gone = gathered(tmp_path, [document["text"] for document in documents], clusters="components")
    cluster = {document["id"]: gone[row].stays if row in gone else row for row, document in enumerate(documents)}
    similar = [pair for pair in gold if pair["jaccard"] >= 0.8]
    assert sum(cluster[pair["a"]] == cluster[pair["b"]] for pair in similar) >= 0.998 * len(similar)
