"""Tokenizers and token shards."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import CorruptShard, InputError, RunFailed
from dataengine.learn_tokenizer import learn
from dataengine.tasks.tokens import shares_of
from dataengine.tokens import END, MODEL_FILE, ROLES, SPACE, Tokenizer, TokenShard, TokenWriter, dtype_of

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "looked", "at", "moon", "while", "rain", "over", "hills"]
MARKS = ["</s>", "<s>", "<unk>", "<pad>", END, "<0x41>", "<0x0A>", *ROLES.values()]


def corpus(count: int = 400, seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    coined = ["".join(draw.choices(["ka", "lo", "mi", "ru", "ten", "sto"], k=draw.randrange(2, 4))) for _ in range(150)]
    texts = [" ".join(draw.choices(WORDS + coined, k=30)) for _ in range(count)]
    code = [f"def f{i}(x):\n    if x:\n        return {i}\n" for i in range(50)]
    return texts + code + [" ".join(MARKS)] * 50  # marks are frequent, so that a careless tokenizer would learn them


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp(request.param)
    learn(corpus(), folder, vocabulary=400, kind=request.param, sample_bytes=1 << 20)
    return Tokenizer.load(folder / MODEL_FILE)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
ODD = [SPACE, " ", "   ", "\n", "\r\n", "\t", "\0", "\x7f", "\u2047", "é", "🎉"]
NASTY = st.lists(st.one_of(st.sampled_from([*MARKS, *ODD, *WORDS]), TEXTS), max_size=12).map("".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(NASTY, max_size=4))
def test_text_comes_back_exactly_whatever_it_holds(tokenizer: Tokenizer, texts: list[str]) -> None:
    ids = tokenizer.encode(texts)
    assert [tokenizer.decode(document) for document in ids] == texts
    assert [int(tokenizer.piece_bytes[document].sum()) for document in ids] == [len(text.encode()) for text in texts]


@settings(max_examples=200, deadline=None)
@given(NASTY)
def test_no_text_becomes_the_id_of_a_mark(tokenizer: Tokenizer, text: str) -> None:
    marks = {tokenizer.eos, tokenizer.bos, tokenizer.pad, tokenizer.end, 0, *range(4, 4 + len(ROLES) + 1)}
    assert not marks & set(tokenizer.encode([text])[0].tolist())


@pytest.mark.parametrize("mark", MARKS)
def test_the_words_of_a_mark_are_spelt_out(tokenizer: Tokenizer, mark: str) -> None:
    ids = tokenizer.encode([mark])[0]
    assert len(ids) > 1 and tokenizer.decode(ids) == mark


def test_a_lone_surrogate_is_refused_in_words(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        tokenizer.encode(["a\ud800b"])


def test_ten_megabytes_without_a_space_are_read_in_seconds(tokenizer: Tokenizer) -> None:
    text = "ab\0" * 1_000_000
    assert tokenizer.decode(tokenizer.encode([text])[0]) == text


def test_a_document_ends_with_its_mark_and_nowhere_else(tokenizer: Tokenizer) -> None:
    plain, ended = tokenizer.encode(["the cat"])[0], tokenizer.encode(["the cat"], eos=True)[0]
    assert ended.tolist() == [*plain.tolist(), tokenizer.eos]
    assert tokenizer.encode([""], eos=True)[0].tolist() == [tokenizer.eos]


def test_a_chat_takes_loss_on_what_the_assistant_says_and_its_end_alone(tokenizer: Tokenizer) -> None:
    chat = [{"role": "system", "content": "be brief"}, {"role": "user", "content": f"the cat {END}"},
            {"role": "assistant", "content": "sat on"}, {"role": "user", "content": "and"},
            {"role": "assistant", "content": ""}]
    ids, mask = tokenizer.encode_chat(chat)
    assert len(ids) == len(mask)
    said = [tokenizer.encode([text])[0].tolist() for text in ("sat on", "")]
    assert ids[mask == 1].tolist() == [*said[0], tokenizer.end, *said[1], tokenizer.end]
    assert (ids == tokenizer.end).sum() == len(chat), "the user's own words do not end a turn"
    assert ids[-1] == tokenizer.eos and mask[-1] == 0
    prompt = tokenizer.encode_prompt(chat[:2])
    assert ids[:len(prompt)].tolist() == prompt.tolist() and mask[:len(prompt)].sum() == 0


def test_an_unknown_role_is_refused_with_the_roles_there_are(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="'narrator'") as refused:
        tokenizer.encode_chat([{"role": "narrator", "content": "x"}])
    assert "assistant" in str(refused.value)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_learning_twice_gives_the_same_file(tmp_path: Path, kind: str) -> None:
    figures = [learn(corpus(), tmp_path / run, vocabulary=350, kind=kind, sample_bytes=1 << 20) for run in "ab"]
    assert (tmp_path / "a" / MODEL_FILE).read_bytes() == (tmp_path / "b" / MODEL_FILE).read_bytes()
    assert figures[0] == figures[1] and figures[0]["bytes_per_token"] > 2
    assert [path.name for path in (tmp_path / "a").iterdir()] == [MODEL_FILE]


def test_only_the_first_bytes_of_the_texts_are_read(tmp_path: Path) -> None:
    def texts():
        yield from corpus()
        raise AssertionError("read on")

    size = len("".join(corpus()).encode()) - 5
    figures = learn(texts(), tmp_path, vocabulary=350, kind="bpe", sample_bytes=size)
    assert figures["sample_bytes"] == size


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_too_little_text_says_how_large_the_vocabulary_can_be(tmp_path: Path, kind: str) -> None:
    with pytest.raises(RunFailed, match="too little") as refused:
        learn(["the cat sat on the mat"] * 3, tmp_path, vocabulary=5_000, kind=kind, sample_bytes=1 << 20)
    largest = int(refused.value.write.split("=")[1])
    assert learn(["the cat sat on the mat"] * 3, tmp_path, vocabulary=largest, kind=kind, sample_bytes=1 << 20)
    with pytest.raises(RunFailed):
        learn(["the cat sat on the mat"] * 3, tmp_path, vocabulary=largest + 1, kind=kind, sample_bytes=1 << 20)


def test_too_small_a_vocabulary_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="256 bytes") as refused:
        learn(corpus(), tmp_path, vocabulary=100, kind="bpe", sample_bytes=1 << 20)
    wanted = int(refused.value.write.split("=")[1])
    assert learn(corpus(), tmp_path, vocabulary=wanted, kind="bpe", sample_bytes=1 << 20)["vocabulary"] == wanted


@pytest.mark.parametrize("texts", [[], [""], ["  \n "]])
def test_no_text_is_said_in_words(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises(RunFailed, match="no text"):
        learn(texts, tmp_path, vocabulary=400, kind="bpe", sample_bytes=1 << 20)


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.model").write_bytes(b"not a model")
    with pytest.raises(InputError, match="not a SentencePiece model"):
        Tokenizer.load(tmp_path / "a.model")
    with pytest.raises(InputError, match="No such file"):
        Tokenizer.load(tmp_path / "b.model")


# --- shards -----------------------------------------------------------------------------------------------------------

def read_by_the_book(path: Path) -> tuple[list[list[int]], str]:
    """A second reader, after Megatron-LM's description of the format, byte by byte."""
    index = Path(f"{path}.idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, documents = struct.unpack("<QBQQ", index[9:34])
    assert version == 1
    letter, width = {4: ("i", 4), 8: ("H", 2)}[code]
    lengths = struct.unpack(f"<{sequences}i", index[34:34 + 4 * sequences])
    pointers = struct.unpack(f"<{sequences}q", index[34 + 4 * sequences:34 + 12 * sequences])
    bounds = struct.unpack(f"<{documents}q", index[34 + 12 * sequences:])
    assert bounds == tuple(range(sequences + 1)), "each sequence is a document"
    data = Path(f"{path}.bin").read_bytes()
    assert len(data) == sum(lengths) * width
    places = zip(lengths, pointers, strict=True)
    return [list(struct.unpack(f"<{n}{letter}", data[p:p + n * width])) for n, p in places], letter


@settings(max_examples=40, deadline=None)
@given(documents=st.lists(st.lists(st.integers(0, 69_999), max_size=20), max_size=8), wide=st.booleans())
def test_two_readers_agree_on_what_was_written(tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]],
                                               wide: bool) -> None:
    vocabulary = 70_000 if wide else 65_536
    documents = [[min(token, vocabulary - 1) for token in document] for document in documents]
    path = tmp_path_factory.mktemp("shard") / "part.0"
    with TokenWriter(path, vocabulary=vocabulary) as writer:
        for document in documents:
            writer.append(np.array(document, dtype=np.int32))
    shard = TokenShard(path)
    assert read_by_the_book(path) == (documents, "i" if wide else "H")
    assert [shard.document(i).tolist() for i in range(len(shard))] == documents
    assert shard.tokens == writer.tokens == sum(map(len, documents))
    assert shard.stream.tolist() == list(chain.from_iterable(documents))
    assert shard.lengths.tolist() == [len(document) for document in documents]


def test_masks_stand_beside_their_tokens(tmp_path: Path) -> None:
    with TokenWriter(tmp_path / "a", vocabulary=100, masks=True) as writer:
        writer.append(np.array([1, 2, 3]), np.array([0, 1, 1]))
        writer.append(np.array([], int), np.array([], int))
        writer.append(np.array([4]), np.array([1]))
        with pytest.raises(ValueError, match="one per token"):
            writer.append(np.array([4]), np.array([1, 1]))
    shard = TokenShard(tmp_path / "a")
    assert [shard.mask(i).tolist() for i in range(3)] == [[0, 1, 1], [], [1]]
    with TokenWriter(tmp_path / "b", vocabulary=100) as writer:
        writer.append(np.array([1, 2]))
    assert TokenShard(tmp_path / "b").mask(0).tolist() == [1, 1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=6), max_size=6), st.integers(0, 6),
       st.booleans())
def test_many_documents_at_once_are_written_as_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[tuple[int, bool]]], first: int, masks: bool
) -> None:
    folder = tmp_path_factory.mktemp("shard")
    pairs = [np.array(document, np.int32).reshape(-1, 2).T for document in documents]
    with TokenWriter(folder / "one", vocabulary=100, masks=masks) as one:
        for ids, mask in pairs:
            one.append(ids, mask if masks else None)
    with TokenWriter(folder / "all", vocabulary=100, masks=masks) as all_:
        for group in (pairs[:first], pairs[first:]):
            ids, mask = np.concatenate([np.empty((2, 0), np.int32), *group], axis=1)
            all_.append_all(ids, np.array([len(ids) for ids, _ in group], np.int64), mask if masks else None)
    assert one.tokens == all_.tokens
    for suffix in ("bin", "idx", *(["mask"] if masks else [])):
        assert (folder / f"one.{suffix}").read_bytes() == (folder / f"all.{suffix}").read_bytes()


def test_shares_follow_from_the_first_digits_of_the_ids() -> None:
    draw = random.Random(3)
    ids = [f"{draw.randrange(2**128):032x}" for _ in range(200)] + ["0" * 32, "f" * 32, "0123456789abcdef" * 2]
    expected = [int(identity[:8], 16) / 2**32 for identity in ids]
    assert shares_of(pa.array(ids)).tolist() == expected
    assert shares_of(pa.array(ids)[5:9]).tolist() == expected[5:9]
    assert shares_of(pa.array([], pa.string())).tolist() == []


def test_the_narrowest_type_holds_every_id() -> None:
    assert [dtype_of(size) for size in (300, 65_536, 65_537)] == ["uint16", "uint16", "int32"]


@pytest.mark.parametrize("bad", [100, -1, 65_536 + 5])
def test_an_id_out_of_range_is_an_error_and_leaves_no_shard(tmp_path: Path, bad: int) -> None:
    with pytest.raises(RunFailed, match="token id"), TokenWriter(tmp_path / "a", vocabulary=100) as writer:
        writer.append(np.array([5, bad]))
    with pytest.raises(InputError, match="No such file"):
        TokenShard(tmp_path / "a")


@pytest.mark.parametrize("suffix", ["bin", "idx", "mask"])
@pytest.mark.parametrize("cut", [1, 1_000])
def test_a_shard_cut_short_is_found_when_it_is_opened(tmp_path: Path, suffix: str, cut: int) -> None:
    with TokenWriter(tmp_path / "a", vocabulary=100, masks=True) as writer:
        writer.append(np.arange(50), np.ones(50, int))
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(file.read_bytes()[:-cut])
    with pytest.raises(CorruptShard):
        TokenShard(tmp_path / "a")


def test_importing_these_modules_brings_nothing_heavy() -> None:
    heavy = ("torch", "pyarrow", "polars", "numba", "numpy", "sentencepiece", "pydantic")
    program = ("import dataengine.tokens, dataengine.mixture, trainer.cli, sys;"
               f"print([name for name in {heavy} if name in sys.modules])")
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
