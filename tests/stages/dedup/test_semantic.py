"""dedup.semantic: its choice against brute force over all pairs, what it finds against theory, hostile vectors."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataengine import stage
from dataengine.errors import InputError, RecipeError
from dataengine.stages.dedup._bands import SURE
from dataengine.stages.dedup.semantic import agreement
from tests.engine.projects import dataengine, digests, write_jsonl
from tests.gathering import gathered
from tests.kernels.test_vectors import pairs_at
from tests.stages.dedup.test_minhash import kept_by_brute_force
from tests.static_model import WORDS, static_model

SEMANTIC = stage.load("dedup.semantic")
NEVER_MISSED = {"bands": 400, "rows": 5}
"""At a cosine of .9 a pair is missed once in 10^130."""


def families(count: int, size: int, seed: int, spread: float = 0.25) -> np.ndarray:
    """Unit vectors, float32 (count, size): families about random centres, their members wandering off from one another;
    in random order."""
    draw, rows = np.random.default_rng(seed), []
    while len(rows) < count:
        row = draw.normal(size=size)
        for _ in range(draw.choice([1, 1, 2, 3, 6])):
            row = row / np.linalg.norm(row) + draw.uniform(0, spread) * draw.normal(size=size) / math.sqrt(size)
            rows.append(row / np.linalg.norm(row))
    draw.shuffle(rows)
    return np.array(rows[:count], np.float32)


def rows_of(vectors: np.ndarray) -> list[dict]:
    return [{"text": f"text {row}", "vector": vector} for row, vector in enumerate(vectors.tolist())]


def gone(folder: Path, vectors: np.ndarray, **config) -> dict:
    return gathered(folder, rows_of(vectors), "dedup.semantic", types={"vector": "list<float>"}, vectors="vector",
                    **config)


def near_pairs(vectors: np.ndarray, threshold: float) -> dict[int, dict[int, float]]:
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    cosines = exact @ exact.T
    assert np.abs(cosines - threshold).min() > 1e-7, "no pair so close to the threshold that rounding decides"
    np.fill_diagonal(cosines, -1)
    return {row: {int(other): float(cosines[row, other]) for other in np.flatnonzero(cosines[row] >= threshold)}
            for row in range(len(vectors))}


@pytest.mark.parametrize("files", [1, 5])
def test_brute_force_over_all_pairs_makes_the_same_choice(tmp_path, files):
    vectors = families(1500, 24, seed=1)
    pairs = near_pairs(vectors, 0.97)
    found = gone(tmp_path, vectors, files=files, threshold=0.97, **NEVER_MISSED)
    kept = kept_by_brute_force(list(range(1500)), pairs)
    assert set(range(1500)) - found.keys() == kept and len(found) > 200
    for row, one in found.items():
        assert one.stays in kept and one.similarity == pytest.approx(pairs[row][one.stays], abs=1e-6)


def test_components_are_those_of_all_near_pairs(tmp_path):
    vectors = families(500, 24, seed=2)
    pairs, root = near_pairs(vectors, 0.97), list(range(500))
    for _ in range(20):
        for row in range(500):
            root[row] = min([root[row], *(root[other] for other in pairs[row])])
    found = gone(tmp_path, vectors, threshold=0.97, clusters="components", **NEVER_MISSED)
    assert {row: one.stays for row, one in found.items()} == {row: to for row, to in enumerate(root) if row != to}


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95, 0.99])
def test_planted_pairs_at_the_threshold_are_found_as_promised(threshold):
    """At the threshold 99 of 100, above it more: asked of the stage itself, as a plan would configure it."""
    config = SEMANTIC.config(vectors="vector", threshold=threshold)
    assert 1 - (1 - agreement(threshold) ** config.rows) ** config.bands >= SURE
    for at, least in ((threshold, SURE - 0.01), (1 - (1 - threshold) / 3, 0.999)):
        keys = [SEMANTIC(vector_batch(part), config).keys for part in pairs_at(np.full(2000, at), 200, seed=7)]
        assert (keys[0] == keys[1]).any(axis=1).mean() >= least


def vector_batch(rows, kind: str = "float") -> pa.RecordBatch:
    values = [None if row is None else list(row) for row in rows]
    return pa.record_batch({"vector": pa.array(values, pa.list_(pa.type_for_alias(kind)))})


HOSTILE = [None, [], [0.0, 0.0], [math.nan, 1.0], [1.0, math.inf], [1.0, None], [1.0], [1.0, 0.0], [1e-40, 0.0],
           [1.0, 0.0, 0.0], [-1.0, 0.0], [2.0, 0.0], [1e30, 0.0]]


def test_vectors_without_a_direction_are_alone_and_lengths_of_two_kinds_never_meet(tmp_path):
    found = SEMANTIC(vector_batch(HOSTILE), SEMANTIC.config(vectors="vector"))
    assert found.alone.tolist() == [row < 6 for row in range(len(HOSTILE))]
    for row in range(len(HOSTILE)):
        one = SEMANTIC(vector_batch(HOSTILE[row : row + 1]), SEMANTIC.config(vectors="vector"))
        assert one.keys.tolist() == found.keys[row : row + 1].tolist()
        assert one.elements.tolist() == found.elements[found.sets[row] : found.sets[row + 1]].tolist()
    table = pa.table({"text": [str(row) for row in range(len(HOSTILE))], "vector": vector_batch(HOSTILE)["vector"]})
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "r.toml").write_text(
        'name = "g"\n[[data.web]]\nstage = "read.parquet"\npaths = "a.parquet"\nkeep = ["vector"]\n'
        'types = { vector = "list<float>" }\n[[data.web]]\nstage = "dedup.semantic"\nvectors = "vector"\n'
    )
    done = dataengine("run", "r.toml", "--quiet", "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for query, expected in (
        ("SELECT text FROM duplicates JOIN dropped USING (id) ORDER BY text",
         [{"text": "11"}, {"text": "12"}, {"text": "8"}]),
        ("SELECT value FROM figures WHERE name = 'alone'", [{"value": 6.0}]),
    ):
        assert json.loads(dataengine("sql", "run", query, "--json", cwd=tmp_path).stdout) == expected


@given(st.lists(st.none() | st.lists(st.floats(width=32) | st.none(), max_size=4), min_size=1, max_size=8),
       st.integers(0, 8))
@settings(max_examples=100, deadline=None)
def test_the_sketch_does_not_depend_on_how_rows_are_cut(rows, cut):
    config = SEMANTIC.config(vectors="vector", bands=3, rows=9)
    batch = vector_batch(rows)
    whole, parts = SEMANTIC(batch, config), [SEMANTIC(batch.slice(0, cut), config), SEMANTIC(batch.slice(cut), config)]
    for name in ("alone", "same", "keys", "elements"):
        assert getattr(whole, name).tolist() == [row for part in parts for row in getattr(part, name).tolist()]


def test_twenty_thousand_copies_and_near_copies_of_one_vector_go_for_it(tmp_path):
    draw = np.random.default_rng(5)
    first = draw.normal(size=64)
    vectors = np.array([first] * 15_000 + [first + 0.01 * draw.normal(size=64) for _ in range(5_000)], np.float32)
    found = gone(tmp_path, vectors, files=2)
    assert set(found) == set(range(1, 20_000)) and {one.stays for one in found.values()} == {0}


def test_a_small_memory_gives_the_same_answer(tmp_path):
    vectors = families(1000, 64, seed=6)
    small = gone(tmp_path / "small", vectors, files=2, run={"memory_per_worker": "100kB"})
    assert small == gone(tmp_path / "large", vectors) and len(small) > 100


def test_the_best_stays(tmp_path):
    vector = families(1, 16, seed=7)[0]
    rows = [{"text": "a", "vector": vector.tolist(), "score": score} for score in (1, 3, 2)]
    found = gathered(tmp_path, rows, "dedup.semantic", types={"vector": "list<float>", "score": "int64"},
                     vectors="vector", keep="best", column="score")
    assert {row: one.stays for row, one in found.items()} == {0: 1, 2: 1}


def test_a_later_corpus_against_an_index_is_what_it_would_be_behind_the_earlier_one(tmp_path):
    vectors = families(600, 32, seed=8)
    early, late = vectors[:400], vectors[400:]
    alone = gone(tmp_path / "early", early, files=2, index="../index")
    later = gone(tmp_path / "late", late, files=3, against=["../index"])
    kept = np.array([vector for row, vector in enumerate(early) if row not in alone])
    both = gone(tmp_path / "both", np.concatenate([kept, late]))
    assert {row - len(kept) for row in both} == set(later) and len(later) > 30
    assert {row: one.similarity for row, one in later.items()} == {
        row - len(kept): one.similarity for row, one in both.items()
    }
    with pytest.raises(RecipeError, match="made with seed = 0"):
        gone(tmp_path / "other", late, against=["../index"], seed=1)


def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", rows_of(families(400, 16, seed=9)))
    (tmp_path / "r.toml").write_text(
        'name = "g"\n[run]\nsplit_bytes = "20kB"\n[[data.web]]\nstage = "read.jsonl"\npaths = "a.jsonl"\n'
        'keep = ["vector"]\ntypes = { vector = "list<float>" }\n[[data.web]]\nstage = "dedup.semantic"\n'
        'vectors = "vector"\n'
    )
    for workers in (1, 3):
        done = dataengine("run", "r.toml", "--quiet", "--workers", str(workers), "--out", str(workers), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "1") == digests(tmp_path / "3")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "neither of vectors and model"),
        ({"vectors": "v", "model": "m.safetensors"}, "both of vectors and model"),
        ({"vectors": "v", "tokenizer": "t.json"}, "a tokenizer without a model"),
        ({"vectors": "v", "bands": 3}, "bands and rows go together"),
        ({"vectors": "v", "rows": 65, "bands": 1}, "less than or equal to 64"),
        ({"vectors": "v", "threshold": 1.0}, "less than 1"),
    ],
)
def test_wrong_configurations_are_refused(wrong, words):
    with pytest.raises(ValidationError, match=words):
        SEMANTIC.config(**wrong)


def test_a_column_that_is_no_list_of_numbers_is_said_with_what_to_write(tmp_path):
    with pytest.raises(RecipeError, match=r'"vector" is string; expected list<float>.* \{ vector = "list<float>" \}'):
        gathered(tmp_path, rows_of(families(3, 4, seed=1)), "dedup.semantic", vectors="vector")
    with pytest.raises(RecipeError, match='reads column "embedding"'):
        gathered(tmp_path, ["a"], "dedup.semantic", vectors="embedding")


# --- static models ----------------------------------------------------------------------------------------------------

TEXTS = ["The river sings", "the STREAM sings", "a river runs", "the stone", "the rock unheard", "nothing known", ""]


def sketched(model: Path, texts: list[str | None], **config) -> stage.Sketch:
    batch = pa.record_batch({"text": pa.array(texts, pa.string())})
    return SEMANTIC(batch, SEMANTIC.config(model=str(model), **config))


def test_paraphrases_go_and_texts_of_unknown_words_are_alone(tmp_path):
    model = static_model(tmp_path / "model")
    found = gathered(tmp_path / "run", [*TEXTS, "nothing else"], "dedup.semantic", model=str(model), threshold=0.98)
    assert {row: one.stays for row, one in found.items()} == {1: 0, 4: 3}
    assert all(0.98 <= one.similarity < 1 for one in found.values())


@pytest.mark.parametrize(
    "config", [{}, {"name": "embedding.weight", "kind": "float16"}, {"kind": "int8"}, {"quantized": True}], ids=str
)
def test_a_texts_vector_is_the_mean_of_its_tokens_vectors(tmp_path, config):
    from safetensors.numpy import load_file

    model = static_model(tmp_path, **config)
    tensors = load_file(model)
    table = tensors[config.get("name", "embeddings")].astype(np.float64)
    if config.get("quantized"):
        table = table[tensors["mapping"]] * tensors["weights"][:, None]
    found = sketched(model, [*TEXTS, None])
    assert found.alone.tolist() == [False] * 5 + [True] * 3
    for row, text in enumerate(TEXTS[:5]):
        mean = np.mean([table[WORDS.index(word)] for word in text.lower().split() if word in WORDS], axis=0)
        own = found.elements[found.sets[row] : found.sets[row + 1]].view(np.float32)
        assert np.allclose(own, mean / np.linalg.norm(mean), atol=1e-6)


def test_only_the_beginning_of_a_text_counts(tmp_path):
    model = static_model(tmp_path)
    found = sketched(model, ["stone", "stone " * 1000 + "river", "stone river"], max_characters=200)
    assert found.keys[0].tolist() == found.keys[1].tolist() != found.keys[2].tolist()


def test_models_agree_with_the_package_that_makes_them(tmp_path):
    """Model2Vec itself, where it is installed."""
    model2vec = pytest.importorskip("model2vec")
    model = static_model(tmp_path, quantized=True)
    (tmp_path / "config.json").write_text("{}")
    theirs = model2vec.StaticModel.from_pretrained(tmp_path, normalize=True).encode(TEXTS[:5])
    found = sketched(model, TEXTS[:5])
    assert np.allclose(found.elements.view(np.float32).reshape(5, -1), theirs, atol=1e-6)


def test_another_model_under_the_same_name_is_another_task(tmp_path):
    model = static_model(tmp_path / "model")
    rows = [*TEXTS[:2], "the rock"]
    assert gathered(tmp_path / "run", rows, "dedup.semantic", model=str(model), threshold=0.98) != {}
    from safetensors.numpy import save_file

    save_file({"embeddings": np.eye(8, 16, dtype=np.float32)}, model)
    assert gathered(tmp_path / "run", rows, "dedup.semantic", model=str(model), threshold=0.98) == {}


def test_what_is_wrong_with_a_model_is_said_before_anything_runs(tmp_path):
    from safetensors.numpy import save_file

    model = static_model(tmp_path)

    def refused(match: str) -> None:
        with pytest.raises(RecipeError, match=match):
            gathered(tmp_path / "run", ["a"], "dedup.semantic", model=str(model))

    save_file({"embeddings": np.zeros((3, 4), np.float32)}, model)
    refused("the tokenizer has 8 tokens, the model vectors for 3")
    save_file({"encoder.layer.0": np.zeros((3, 4), np.float32)}, model)
    refused(r"no static embedding model: it holds encoder\.layer\.0 \[3, 4\]")
    save_file({"embeddings": np.zeros((8, 4), np.int32)}, model)
    refused("its numbers are I32")
    whole = model.read_bytes()
    model.write_bytes(whole[:-5])
    refused("not a whole safetensors file")
    static_model(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    refused("not a tokenizer of the package tokenizers")
    (tmp_path / "tokenizer.json").unlink()
    refused(r"tokenizer\.json cannot be read: No such file")
    with pytest.raises(InputError, match="cannot be read"):
        sketched(model, ["a"])


def test_a_package_that_is_not_installed_is_named_with_what_to_write(tmp_path, monkeypatch):
    import sys

    model = static_model(tmp_path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RecipeError, match=r"needs the package tokenizers; pip install 'dataengine\[semantic\]'"):
        gathered(tmp_path / "run", ["a"], "dedup.semantic", model=str(model))
