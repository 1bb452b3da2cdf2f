"""MinHash: plain twins, datasketch as an oracle for the estimate, theory for the S-curve."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.minhash import EMPTY, band_keys, keys_of, lower, permutations, signatures
from dataengine.kernels.sets import BLOCK, sets_of
from tests.kernels.interpreted import interpreted


def buffer(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    raw = [text.encode() for text in texts]
    return np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)])


def signed(texts: list[str], count: int = 16, ngram: int = 3, seed: int = 0, function=signatures) -> np.ndarray:
    found = sets_of(*buffer(texts), ngram=ngram)
    out = np.empty((len(texts), count), np.uint32)
    function(found.elements, found.starts, permutations(count, seed), out)
    return out


def keys_and_counts(texts: list[str], ngram: int = 5, **more: int) -> tuple[np.ndarray, np.ndarray]:
    found = sets_of(*buffer(texts), ngram=ngram)
    return keys_of(found.elements, found.starts, **more), found.counts


def vocabulary(size: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choice("abcdefghijklmnop") for _ in range(6)) for _ in range(size)]


def families(count: int, similarity: float, seed: int) -> tuple[list[str], np.ndarray]:
    """`count` pairs of texts, one after the other, and the exact Jaccard similarity of each pair's word 5-grams.

    The second text is the first with its end replaced by new words; all words of a pair differ.
    """
    draw, texts, exact = random.Random(seed), [], []
    for number in range(count):
        size = draw.randint(60, 200)
        kept = round((size - 4) * 2 * similarity / (1 + similarity)) + 4
        first = [f"w{number}x{i}" for i in range(size)]
        second = first[:kept] + [f"v{number}x{i}" for i in range(size - kept)]
        grams = [{tuple(text[i : i + 5]) for i in range(size - 4)} for text in (first, second)]
        exact.append(len(grams[0] & grams[1]) / len(grams[0] | grams[1]))
        texts += [" ".join(first), " ".join(second)]
    return texts, np.array(exact)


@given(st.lists(st.text("ab c.é日", max_size=40), max_size=4), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_the_kernel_and_its_plain_twin_agree_bit_for_bit(texts, ngram, seed):
    fast = signed(texts, 6, ngram, seed)
    assert fast.tolist() == signed(texts, 6, ngram, seed, interpreted(signatures)).tolist()
    keys = np.zeros((2, len(texts), 3), np.uint64)
    band_keys(fast, 3, 2, keys[0])
    interpreted(band_keys)(fast, 3, 2, keys[1])
    assert keys[0].tolist() == keys[1].tolist()


@pytest.mark.parametrize("size", [1, 7, 8, 50])
@pytest.mark.parametrize("count", [1, 4, 7, 96])
def test_a_signature_is_the_least_value_of_each_permutation(size, count):
    block = np.random.default_rng(size).integers(0, 2**32, size + 5, dtype=np.uint32)
    factors = permutations(count, 3)
    signature = np.full(count, EMPTY, np.uint32)
    lower(block, 2, 2 + size, factors, signature)
    expected = [min(int(h) * int(factor) % 2**32 for h in block[2 : 2 + size]) for factor in factors]
    assert signature.tolist() == expected


def test_a_long_document_is_signed_as_a_whole():
    """The blocks in which words are read make no difference: the answer is that of all shingles at once."""
    text = " ".join(vocabulary(3 * BLOCK + 17, 1))
    elements = sets_of(*buffer([text]), ngram=5).elements
    assert len(elements) == 3 * BLOCK + 13
    signature = np.full(16, EMPTY, np.uint32)
    lower(elements, 0, len(elements), permutations(16, 0), signature)
    assert signed([text], ngram=5)[0].tolist() == signature.tolist()


def test_neither_order_nor_neighbours_nor_repetition_of_ngrams_matter():
    text = "the quick brown fox jumps over the lazy dog and runs away"
    alone = signed([text])[0].tolist()
    assert signed(["something else", text, ""])[1].tolist() == alone
    assert signed([f"{text.upper()}!!!"])[0].tolist() == alone
    cycle = "one two three four five six"
    assert signed([f"{cycle} {cycle} one two"])[0].tolist() == signed([f"{cycle} {cycle} {cycle} one two"])[0].tolist()


def test_documents_shorter_than_an_ngram_have_no_shingles():
    found = signed(["a b", "", " ...\x00", "one two three four five"], ngram=5)
    assert (found[:3] == EMPTY).all() and not (found[3] == EMPTY).any()


def test_permutations_are_odd_and_follow_from_the_seed():
    factors = permutations(50, 7)
    assert (factors % 2 == 1).all() and len(set(factors.tolist())) == 50
    assert permutations(60, 7)[:50].tolist() == factors.tolist() != permutations(50, 8).tolist()
    assert permutations(1, 0).tolist() == [0xE220A839]  # first output of splitmix64 from 0, its high half


def test_bands_of_equal_values_have_different_keys():
    keys = np.zeros((1, 4), np.uint64)
    band_keys(np.zeros((1, 8), np.uint32), 4, 2, keys)
    assert len(set(keys[0].tolist())) == 4


@pytest.mark.parametrize("similarity", [0.2, 0.5, 0.8])
def test_estimates_agree_with_datasketch_and_with_the_truth(similarity):
    datasketch = pytest.importorskip("datasketch")
    texts, exact = families(20, similarity, seed=5)
    ours = signed(texts, 512, ngram=5)
    mine = (ours[::2] == ours[1::2]).mean(axis=1)
    theirs = []
    for text in texts:
        parts = text.split()
        sketched = datasketch.MinHash(512, seed=1)
        sketched.update_batch([" ".join(parts[i : i + 5]).encode() for i in range(len(parts) - 4)])
        theirs.append(sketched)
    oracle = np.array([a.jaccard(b) for a, b in zip(theirs[::2], theirs[1::2], strict=True)])
    error = np.sqrt(similarity * (1 - similarity) / (20 * 512))  # of the mean over all pairs
    assert abs((mine - exact).mean()) < 4 * error
    assert abs((mine - oracle).mean()) < 4 * np.sqrt(2) * error


@pytest.mark.parametrize("similarity", [0.4, 0.6, 0.7, 0.8, 0.9])
def test_pairs_meet_as_often_as_theory_says(similarity):
    """1 - (1 - s^8)^14, within four standard errors of the sample."""
    texts, exact = families(1500, similarity, seed=int(similarity * 100))
    met, expected = np.zeros(len(exact)), 1 - (1 - exact**8) ** 14
    for seed in range(2):
        keys, _ = keys_and_counts(texts, bands=14, rows=8, seed=seed)
        met += (keys[::2] == keys[1::2]).any(axis=1) / 2
    # the two seeds share their pairs; the error of the mean is at most that of one seed
    error = np.sqrt((expected * (1 - expected)).sum()) / len(exact)
    assert abs(met.mean() - expected.mean()) < 4 * error + 1e-9


def test_strangers_do_not_meet():
    texts = [" ".join(f"{n}q{i}" for i in range(80)) for n in range(2000)]
    keys, _ = keys_and_counts(texts, bands=14, rows=8)
    assert all(len(set(keys[:, band].tolist())) == 2000 for band in range(14))
