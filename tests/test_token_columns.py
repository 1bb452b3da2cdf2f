"""Whole columns to ids: the ids of `Tokenizer.encode`, which are SentencePiece's, whatever model, text or batch."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import sentencepiece_file as files
from dataengine import token_columns
from dataengine.errors import InputError
from dataengine.kernels import bpe
from dataengine.tokens import CHAT_MARKS, ROLES, SPACE, Tokenizer
from tests.test_tokens import MARKS, WORDS, corpus

CHINESE = [
    "我们的分词器把文本变成数字,而且不会丢失任何东西。", "東京都は日本の首都である。", "我们 的 文本", "數字 123,45 ①②",
] * 40
RUSSIAN = ["Мы читаем слова и пишем числа, потому что это быстро.", "Ёлка, ещё раз: «ёлка»!"] * 60


def learnt(texts: Sequence[str], **options: object) -> Tokenizer:
    """A model learnt as ours are, but for these options."""
    model = io.BytesIO()
    ours = {
        "model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity", "add_dummy_prefix": False,
        "remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True, "split_digits": True, "pad_id": 3,
        "control_symbols": list(CHAT_MARKS), "hard_vocab_limit": False, "vocab_size": 600,
    }
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=model, minloglevel=3, **ours | options
    )
    return Tokenizer(model.getvalue())


MODELS = {
    "ours": lambda: learnt(corpus()),
    "ours, several languages": lambda: learnt(corpus() + CHINESE + RUSSIAN, vocab_size=900),
    "no space, no newline": lambda: learnt([text.replace(" ", "") for text in CHINESE]),
    "across words": lambda: learnt(corpus(), split_by_whitespace=False, split_by_unicode_script=False,
                                   split_by_number=False, split_digits=False),
    "space before every text": lambda: learnt(corpus(), add_dummy_prefix=True, allow_whitespace_only_pieces=False),
    "unigram": lambda: learnt(corpus(), model_type="unigram"),
    "normalizing": lambda: learnt(corpus(), normalization_rule_name="nfkc", remove_extra_whitespaces=True,
                                  byte_fallback=False),
    "symbols of its user": lambda: learnt(corpus(), user_defined_symbols=["ca", "\n\n", "  "]),
    "space behind": lambda: learnt(corpus(), treat_whitespace_as_suffix=True, add_dummy_prefix=True),
}
BY_PARTS = {"ours", "ours, several languages", "no space, no newline", "across words", "space before every text"}


@pytest.fixture(scope="module", params=MODELS)
def named(request: pytest.FixtureRequest) -> tuple[str, Tokenizer]:
    return request.param, MODELS[request.param]()


@pytest.fixture(scope="module")
def ours() -> Tokenizer:
    return MODELS["ours"]()


ODD = [SPACE, " ", "  ", "   " * 9, "\n", "\r\n", "\t", "\0", "\x7f", "é", "e\u0301", "\u3000", "\ufffd", "\ufeff",
       "🎉", "\U0010ffff", "日本", "ёлка", "1234", "a" * 70, "=" * 100, "我们的" * 30]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
KNOWN = [*MARKS, *ODD, *WORDS, *CHINESE[:4], *RUSSIAN[:2]]
NASTY = st.lists(st.one_of(st.sampled_from(KNOWN), TEXTS), max_size=14).map("".join)


def agree(tokenizer: Tokenizer, texts: Sequence[str], *, eos: bool = True) -> None:
    made = token_columns.texts(tokenizer, pa.array(texts, pa.string()), eos=eos)
    expected = tokenizer.encode(texts, eos=eos)
    assert [made.ids[start:end].tolist() for start, end in zip(made.bounds, made.bounds[1:], strict=False)] == [
        ids.tolist() for ids in expected]
    assert made.sizes.tolist() == [len(text.encode()) for text in texts]
    assert made.ids.dtype == np.int32 and made.bounds.dtype == made.sizes.dtype == np.int64


def test_only_models_whose_text_can_be_cut_are_encoded_by_parts(named: tuple[str, Tokenizer]) -> None:
    name, tokenizer = named
    assert token_columns.by_parts(files.parse(tokenizer.model)) == (name in BY_PARTS)


@settings(max_examples=100, deadline=None)
@given(st.lists(NASTY, max_size=4), st.booleans())
def test_a_column_has_the_ids_of_its_texts_one_by_one(
    named: tuple[str, Tokenizer], texts: list[str], eos: bool
) -> None:
    agree(named[1], texts, eos=eos)


def test_real_sentences_in_several_languages(named: tuple[str, Tokenizer]) -> None:
    agree(named[1], [*corpus(60), *CHINESE[:8], *RUSSIAN[:4], __doc__, Path(__file__).read_text(encoding="utf-8")])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), NASTY), max_size=6), st.integers(0, 3))
def test_nulls_are_empty_and_a_slice_is_what_it_shows(ours: Tokenizer, texts: list[str | None], start: int) -> None:
    column = pa.array(texts, pa.string())[start:]
    made = token_columns.texts(ours, column)
    expected = ours.encode([text or "" for text in texts[start:]], eos=True)
    assert made.ids.tolist() == [token for ids in expected for token in ids.tolist()]


def test_what_is_remembered_changes_nothing_however_little_room_there_is(
    ours: Tokenizer,
) -> None:
    alike = [f" kalomiru{one}{two}" for one in ("ka", "lo", "ru") for two in ("mi", "ka", "kalomiruka", "lokalomiru")]
    texts = corpus(80) + CHINESE[:3] + alike + ["x" * 40 + " " + "y" * 31 + " " + "z" * 33, "\0a\0\0a \0"]
    expected = [token for ids in ours.encode(texts, eos=True) for token in ids.tolist()]
    for slots in (2, 4, 64):
        encoder = token_columns.encoder_of(files.parse(ours.model))
        encoder.lines = np.zeros((slots, 8), np.uint64)
        for _ in range(2):
            made = token_columns.texts(ours, pa.array(texts), encoder=encoder)
            assert made.ids.tolist() == expected
        assert encoder.lines.any()


def test_large_columns_are_encoded_in_pieces(ours: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["", *corpus(50), "", "the cat" * 40, ""]
    for chunk in (1, 100, 5_000):
        monkeypatch.setattr(token_columns, "CHUNK", chunk)
        agree(ours, texts)
        agree(ours, [])
        agree(ours, [""])


@pytest.mark.parametrize("text", ["=" * 3_000, "ab" * 3_000, " " * 3_000, "\n" * 3_000, "the" * 2_000, "我们" * 2_000,
                                  "1234567890" * 300, "thecatsatonamat" * 300, SPACE * 300, "\0" * 300])
def test_long_parts_without_a_place_to_cut(named: tuple[str, Tokenizer], text: str) -> None:
    agree(named[1], [text, text[:-1], f"a{text}", f" {text} "])


# --- models nobody would learn ----------------------------------------------------------------------------------------


def message(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer that has a length."""
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + content


def crafted(pieces: Sequence[tuple[str, float]], *, prefix: bool = False, end: str = "</s>") -> bytes:
    """A BPE model of these pieces and scores, with the bytes."""
    def entry(piece: str, score: float, kind: int) -> bytes:
        return message(1, message(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + bytes([0x18, kind]))

    special = [entry("<unk>", 0, files.UNKNOWN), entry(end, 0, files.CONTROL)]
    raw = [entry(f"<0x{byte:02X}>", 0, files.BYTE) for byte in range(256)]
    normal = [entry(piece.replace(" ", SPACE), score, files.NORMAL) for piece, score in pieces]
    trainer = message(2, bytes([0x18, files.BPE]) + b"\x98\x02\x01")  # model_type = 3, byte_fallback = 35
    normalizer = message(3, message(1, b"identity") + bytes([0x18, int(prefix), 0x20, 0]))
    return b"".join([*special, *raw, *normal, trainer, normalizer])


LETTERS = "ab é日 "
PIECES = st.dictionaries(st.text(LETTERS, min_size=1, max_size=6), st.sampled_from([-1.0, -2.0, -2.5, 0.0, 3.0]),
                         min_size=1, max_size=25)


@settings(max_examples=150, deadline=None)
@given(PIECES, st.lists(st.text(LETTERS + "c" + SPACE, max_size=70), max_size=4), st.booleans())
def test_pieces_with_parts_that_are_none_and_equal_scores_merge_as_sentencepiece_merges_them(
    pieces: dict[str, float], texts: list[str], prefix: bool
) -> None:
    tokenizer = Tokenizer(crafted(list(pieces.items()), prefix=prefix))
    assert token_columns.by_parts(files.parse(tokenizer.model))
    agree(tokenizer, [*texts, "".join(texts) * 20, "ab" * 40, "a" * 99])


@pytest.mark.parametrize("seed", range(60))
def test_long_parts_with_many_equal_scores(seed: int) -> None:
    draw = random.Random(seed)
    pieces = {"".join(draw.choices("abc", k=draw.randrange(1, 6))): float(draw.randrange(2)) for _ in range(30)}
    tokenizer = Tokenizer(crafted(list(pieces.items())))
    agree(tokenizer, ["".join(draw.choices("abc", k=draw.randrange(30, 400))) for _ in range(20)])


def test_a_model_with_a_space_inside_a_piece_or_a_mark_of_one_letter_is_left_to_sentencepiece() -> None:
    plain = crafted([("a", 0.0), ("xy", 0.0)])
    assert token_columns.by_parts(files.parse(plain))
    assert not token_columns.by_parts(files.parse(plain.replace(b"xy", b"x ")))
    assert not token_columns.by_parts(files.parse(crafted([("a", 0.0)], end="日")))
    assert not token_columns.by_parts(files.parse(crafted([("a", float("nan"))])))
    assert not token_columns.by_parts(files.parse(crafted([("a", 0.0), ("b", -0.0)])))
    assert not token_columns.by_parts(files.parse(crafted([("a", 0.0), ("</s>", 0.0)])))


@pytest.mark.parametrize("model", [
    crafted([("a\0", 0.0)]), crafted([("a", 0.0), ("a", 1.0)]), crafted([("", 0.0)]),
    crafted([("a", 0.0)]).replace(b"<0x41>", b"<0x4G>"), crafted([("a", 0.0)]).replace(b"\x98\x02\x01", b""),
    crafted([("a", 0.0)]) + crafted([("b", 0.0)]),
])
def test_what_the_library_refuses_is_refused(model: bytes) -> None:
    with pytest.raises(RuntimeError):
        sentencepiece.SentencePieceProcessor(model_proto=model)
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        files.parse(model)


def test_the_file_is_read_as_the_library_reads_it(named: tuple[str, Tokenizer]) -> None:
    _, tokenizer = named
    read, library = files.parse(tokenizer.model), sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    everything = list(range(len(library)))
    assert [piece.decode() for piece in read.pieces] == library.id_to_piece(everything)
    assert read.scores == library.get_score(everything)
    assert [kind == files.CONTROL for kind in read.types] == library.is_control(everything)
    assert [kind == files.BYTE for kind in read.types] == library.is_byte(everything)
    assert (read.eos, read.control(read.marks["pad"])) == (library.eos_id(), library.pad_id())


# --- conversations ----------------------------------------------------------------------------------------------------

CHATS = st.lists(st.one_of(st.none(), st.lists(
    st.fixed_dictionaries({"role": st.sampled_from([*ROLES]), "content": NASTY}), max_size=4)), max_size=5)
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


@settings(max_examples=80, deadline=None)
@given(CHATS, st.integers(0, 2))
def test_conversations_have_the_ids_and_the_mask_of_each_alone(
    ours: Tokenizer, chats: list[list[dict[str, str]] | None], start: int
) -> None:
    made = token_columns.conversations(ours, pa.array(chats, MESSAGES)[start:])
    expected = [ours.encode_chat(chat or []) for chat in chats[start:]]
    assert made.ids.tolist() == [token for ids, _ in expected for token in ids.tolist()]
    assert made.mask is not None and made.mask.tolist() == [bit for _, mask in expected for bit in mask.tolist()]
    assert made.bounds.tolist() == np.cumsum([0, *(len(ids) for ids, _ in expected)]).tolist()
    assert made.sizes.tolist() == [
        sum(len(said["content"].encode()) for said in chat or [] if said["role"] == "assistant")
        for chat in chats[start:]]


@pytest.mark.parametrize("role", ["narrator", "", None])
def test_an_unknown_role_is_refused(ours: Tokenizer, role: str | None) -> None:
    with pytest.raises(InputError, match="role"):
        token_columns.conversations(ours, pa.array([[], [{"role": role, "content": "x"}]], MESSAGES))


def test_the_table_of_parts_is_as_large_as_it_says() -> None:
    lines = bpe.memory()
    assert lines.nbytes == bpe.SLOTS * 64 and lines.ctypes.data % 64 == 0 and not lines.any()
