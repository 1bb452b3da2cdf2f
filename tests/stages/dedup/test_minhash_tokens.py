"""dedup.minhash over tokens: by a tokenizer learnt here, against brute force over the tokenizer's own ids."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from dataengine import stage
from dataengine.errors import InputError, RecipeError
from dataengine.learn_tokenizer import learn
from dataengine.tokens import MODEL_FILE, Tokenizer
from tests.gathering import gathered
from tests.stages.dedup.test_minhash import NEVER_MISSED, kept_by_brute_force

MINHASH = stage.load("dedup.minhash")
WORDS = ["under", "standing", "stand", "over", "look", "looking", "tokens", "token", "ize", "izer", "a", "b", "c"]


def sentences(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(5, 60))) for _ in range(count)]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[str]:
    """Two tokenizers."""
    paths = []
    for seed, kind in enumerate(("bpe", "unigram")):
        folder = tmp_path_factory.mktemp(kind)
        learn(sentences(200, seed), folder, vocabulary=300, kind=kind, sample_bytes=100_000)
        paths.append(str(folder / MODEL_FILE))
    return paths


def families(count: int, seed: int) -> list[str]:
    draw, texts = random.Random(seed), []
    while len(texts) < count:
        words = draw.choices(WORDS, k=draw.randint(40, 90))
        for _ in range(draw.randint(1, 4)):
            texts.append(" ".join(words))
            words = list(words)
            words[draw.randrange(len(words))] = draw.choice(["else", "other", "more"])
    draw.shuffle(texts)
    return texts[:count]


def test_brute_force_over_the_tokenizers_ids_makes_the_same_choice(tmp_path, models):
    texts = families(300, seed=1)
    ids = [tuple(one.tolist()) for one in Tokenizer.load(Path(models[0])).encode(texts)]
    sets = [{one[at : at + 5] for at in range(len(one) - 4)} for one in ids]
    pairs = {
        row: {other: len(mine & theirs) / len(mine | theirs) for other, theirs in enumerate(sets)
              if other != row and len(mine & theirs) >= 0.8 * len(mine | theirs)}
        for row, mine in enumerate(sets)
    }
    gone = gathered(tmp_path, texts, files=3, of="tokens", tokenizer=models[0], **NEVER_MISSED)
    assert set(range(300)) - gone.keys() == kept_by_brute_force(list(range(300)), pairs)
    assert len(gone) > 60
    assert all(one.similarity == pairs[row][one.stays] for row, one in gone.items())


def test_tokens_see_case_and_punctuation_and_blank_texts_have_none(models):
    texts = ["look at a token", "look at a token", "Look at a token", "look, at a token", "", " \n ", None, "\x00"]
    batch = pa.record_batch({"text": pa.array(texts, pa.string())})
    found = MINHASH(batch, MINHASH.config(of="tokens", tokenizer=models[0], ngram=2, bands=3, rows=2))
    assert found.alone.tolist() == [False] * 4 + [True] * 3 + [False]
    assert len({tuple(same) for same in found.same[:4].tolist()}) == 3
    for row in range(len(texts)):
        one = MINHASH(batch.slice(row, 1), MINHASH.config(of="tokens", tokenizer=models[0], ngram=2, bands=3, rows=2))
        assert np.array_equal(one.keys[0], found.keys[row]) and np.array_equal(one.same[0], found.same[row])
        assert np.array_equal(one.elements, found.elements[found.sets[row] : found.sets[row + 1]])


def test_an_index_knows_the_tokenizer_by_its_content_not_by_its_place(tmp_path, models):
    texts = families(40, seed=2)
    gathered(tmp_path / "a", texts, index="index", of="tokens", tokenizer=models[0])
    moved = shutil.copy(models[0], tmp_path / "moved.model")
    late = gathered(tmp_path / "b", texts, against=["../a/index"], of="tokens", tokenizer=str(moved))
    assert len(late) == 40
    with pytest.raises(RecipeError, match="made with tokenizer = "):
        gathered(tmp_path / "c", texts, against=["../a/index"], of="tokens", tokenizer=models[1])


def test_a_tokenizer_goes_with_tokens_and_with_nothing_else():
    with pytest.raises(ValidationError, match='of = "tokens" without a tokenizer'):
        MINHASH.config(of="tokens")
    with pytest.raises(ValidationError, match='of = "words" with a tokenizer'):
        MINHASH.config(tokenizer="x.model")


def test_what_is_no_model_is_said_before_anything_runs(tmp_path):
    wrong = tmp_path / "wrong.model"
    wrong.write_text("no model")
    with pytest.raises(RecipeError, match="not a SentencePiece model"):
        gathered(tmp_path / "a", ["a text"], of="tokens", tokenizer=str(wrong))
    with pytest.raises(RecipeError, match=r"nowhere\.model cannot be read"):
        gathered(tmp_path / "b", ["a text"], of="tokens", tokenizer="nowhere.model")
    with pytest.raises(InputError, match="not a SentencePiece model"):
        MINHASH(pa.record_batch({"text": ["a"]}), MINHASH.config(of="tokens", tokenizer=str(wrong)))
