"""The benchmark's corpus of any size: a document is the same wherever it is made, pairs are as similar as is said."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq

from benchmarks import families as module
from benchmarks.families import Families
from benchmarks.known_pairs import grams


def test_a_document_is_the_same_however_the_corpus_is_cut_and_depends_on_the_seed(tmp_path, monkeypatch):
    made = Families(700)
    whole = made.texts(0, 700).to_pylist()
    assert [made.texts(place, place + 1)[0].as_py() for place in (0, 3, 699)] == [whole[0], whole[3], whole[699]]
    assert Families(700, seed=8).texts(0, 1)[0].as_py() != whole[0]
    monkeypatch.setattr(module, "FILE_ROWS", 300)
    tables = [pq.read_table(Families(700).write(tmp_path, number)) for number in (2, 0, 1)]
    assert [text for table in (tables[1], tables[2], tables[0]) for text in table["text"].to_pylist()] == whole
    assert sorted(row for table in tables for row in table["row"].to_pylist()) == list(range(700))


def test_pairs_are_as_similar_as_sets_of_their_words_say_and_strangers_are_not():
    made = Families(400)
    texts = dict(zip(made.slots(0, 400).tolist(), made.texts(0, 400).to_pylist(), strict=True))
    sets = {slot: grams(text.split()) for slot, text in texts.items()}
    ((slots, jaccard),) = made.pairs(np.arange(len(made.starts) - 1))
    assert len(slots) > 300 and (jaccard >= 0.8).sum() > 30
    for (one, other), said in zip(slots.tolist(), jaccard.tolist(), strict=True):
        assert said == len(sets[one] & sets[other]) / len(sets[one] | sets[other])
    family = np.searchsorted(made.starts, np.arange(400), side="right")
    strangers = [(a, b) for a in range(0, 400, 7) for b in range(400) if family[a] != family[b]]
    assert max(len(sets[a] & sets[b]) for a, b in strangers) <= 2
    assert 90 <= min(len(text.split()) for text in texts.values()) <= max(len(t.split()) for t in texts.values()) <= 290
