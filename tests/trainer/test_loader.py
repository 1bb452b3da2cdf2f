"""Batches: the same whatever was read before, and for any number of ranks."""

from __future__ import annotations

import numpy as np
import torch
from tiny_languages import stories, sums

from dataengine.tokens import TokenShard
from trainer.loader import Loader


def test_windows_are_the_stream_of_documents_across_shards(tmp_path, write_mixture) -> None:
    texts = stories(30, 1)
    path = write_mixture(tmp_path, {"a": [texts[:10], texts[10:11], [], texts[11:]]})
    loader = Loader(path, 32)
    stream = np.concatenate([TokenShard(tmp_path / "tokens" / f"a-{i}").stream for i in range(4)]).astype(int)
    windows = loader.sources[0]
    assert len(windows) == (len(stream) - 1) // 32
    assert all(windows[j].tolist() == stream[32 * j:32 * j + 33].tolist() for j in range(len(windows)))


def test_every_window_is_read_once_in_an_epoch(tmp_path, write_mixture) -> None:
    loader = Loader(write_mixture(tmp_path, {"a": [stories(40, 1)], "b": [stories(9, 2)]}), 16)
    windows = [tuple(map(int, source[j])) for source in loader.sources for j in range(len(source))]
    drawn = [tuple(row) for row in loader.batch(0, len(loader)).ids.tolist()]
    assert sorted(drawn) == sorted(windows) and drawn != windows


def test_a_batch_does_not_depend_on_what_was_read_before(tmp_path, write_mixture) -> None:
    path = write_mixture(tmp_path, {"a": [stories(40, 1)], "b": [stories(40, 2)]}, weights={"a": 0.7, "b": 0.3})
    steady = [Loader(path, 16).batch(n, 4).ids for n in range(0, 40, 4)]
    fresh = Loader(path, 16)
    for n in reversed(range(0, 40, 4)):
        assert torch.equal(fresh.batch(n, 4).ids, steady[n // 4])


def test_the_global_order_is_the_same_for_one_two_and_four_ranks(tmp_path, write_mixture) -> None:
    loader = Loader(write_mixture(tmp_path, {"a": [stories(60, 1)], "b": [stories(60, 2)]}), 16)
    whole = loader.batch(8, 8).ids
    for world in (2, 4):
        together = torch.empty_like(whole)
        for rank in range(world):
            together[rank::world] = loader.batch(8, 8, rank=rank, world=world).ids
        assert torch.equal(together, whole)


def test_conversations_are_packed_whole_with_masks_and_documents(tmp_path, write_mixture, tokenizer) -> None:
    chats = sums(20, 3)
    chats[4] = [{"role": "user", "content": "say much"}, {"role": "assistant", "content": "the red cat. " * 40}]
    loader = Loader(write_mixture(tmp_path, {"a": [chats[:7], chats[7:]]}, kind="messages"), 48)
    expected = [tokenizer.encode_chat(chat) for chat in chats]
    found = []
    for j in range(len(loader.sources[0])):
        ids, mask, documents = loader.sources[0][j]
        for document in range(documents.max() + 1):
            inside = documents == document
            found.append((ids[inside].tolist(), mask[inside].tolist()))
        assert not mask[documents < 0].any()
    assert found == [(ids[:49].tolist(), mask[:49].tolist()) for ids, mask in expected]


def test_targets_never_cross_documents_and_answers_are_the_assistants(tmp_path, write_mixture, tokenizer) -> None:
    chats = sums(30, 3)
    loader = Loader(write_mixture(tmp_path, {"a": [chats]}, kind="messages"), 64)
    batch = loader.batch(0, len(loader))
    said = sum(int(tokenizer.encode_chat(chat)[1].sum()) for chat in chats)
    assert int(batch.answered.sum()) == said, "every answer token is a target, since no answer begins a document"
    tokens = sum(len(tokenizer.encode_chat(chat)[0]) for chat in chats)
    assert int(batch.real.sum()) == tokens - len(chats), "all tokens but each document's first"
    assert set(batch.targets[batch.answered].tolist()) <= {
        *(int(i) for chat in chats for i in tokenizer.encode([chat[1]["content"]])[0]), tokenizer.end}
