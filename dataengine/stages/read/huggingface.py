"""Read a dataset in the layout of the Hugging Face hub: a clone, the hub's cache, or what `save_to_disk` wrote.

Which files make up a subset and a split is read from the front matter of README.md, from state.json or from names
(`data/train-00000-of-00005.parquet`), as the `datasets` library does; the files may be Parquet, Arrow, JSON Lines,
JSON, CSV or text (a line a document), on disk or below `s3://`. Only the columns that are named are read: images, audio
and other large columns are passed over. Loading scripts are never run, and nothing is downloaded; the Parquet files of
a dataset on the hub are read by `read.parquet` from their addresses
(`https://huggingface.co/datasets/OWNER/NAME/resolve/main/data/train-00000-of-00005.parquet`).

With `messages`, rows are conversations: `role` and `content`, or `from` and `value` (human and gpt become user and
assistant), and `text` is what was said, turn after turn, blank lines between. What is no conversation of text is
quarantined as `bad_messages`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ByteSize, Field, model_validator

from dataengine.errors import InputError
from dataengine.stage import MESSAGES, Piece, Refused, StageConfig, read
from dataengine.stages.read._files import CODEC_ENDINGS, Found, Size, ranges, whole
from dataengine.stages.read._found import cheap_again, ends
from dataengine.stages.read._open import FILE_REFUSES, Damage, opened
from dataengine.stages.read._rows import KeptType, Rows, check_keep, keep_columns

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    """Which dataset, and which of its columns."""

    folder: str
    """The dataset's folder: where README.md or `dataset_dict.json` lies, or `datasets--owner--name` in the hub's cache.
    """
    subset: str = ""
    """Which of its configurations; the default one, if nothing is said."""
    split: str | Annotated[tuple[str, ...], Field(min_length=1)] = "train"
    """Which split, or several, one after the other."""
    text: str = "text"
    """The column that holds the document; dots reach into structs: `content.body`."""
    url: str = "url"
    """The column that holds its address; null where there is none."""
    messages: str = ""
    """The column that holds a conversation, instead of `text`: often `messages` or `conversations`."""
    keep: tuple[str, ...] | dict[str, str] = ()
    """More columns to keep: `["title"]`, or `{ column = "field" }` to name them anew. Scalars only."""
    types: dict[str, KeptType] = Field(default={})
    """Types of kept columns; the others become strings. A value that does not fit becomes null."""
    max_record_bytes: Size = ByteSize(20 * 2**20)
    """Longest record. A longer one is quarantined as `too_large`."""
    split_bytes: Size = ByteSize(64 * 2**20)
    """About how much of a file is read as one piece, where its format can be cut."""

    @model_validator(mode="after")
    def _keep_is_possible(self) -> Self:
        check_keep(self.keep, self.types)
        return self

    @property
    def fields(self) -> list[str]:
        """All fields that are read."""
        return [self.messages or self.text, self.url, *keep_columns(self.keep).values()]


def _pieces(config: Config, base: Path) -> Iterator[Piece]:
    from dataengine.stages.read import _hub

    files = _hub.tree(config.folder, base)
    there = _hub.splits(files, config.subset)
    checked = False
    for split in (config.split,) if isinstance(config.split, str) else config.split:
        if split not in there:
            raise InputError(f'there is no split "{split}"', where=files.where, expected=f"one of {', '.join(there)}",
                             write=f'split = "{next(iter(there))}"')
        for file in there[split]:
            form = _hub.format_of(file.path)
            if not form:
                raise InputError("a format that is not known", where=file.origin,
                                 expected=f"files named {' '.join('*' + ending for ending in _hub.FORMATS)}")
            yield from _cut(file, form, config, not checked)
            checked = True


def _cut(file: Found, form: str, config: Config, check: bool) -> Iterator[Piece]:
    """The pieces of a file; raises InputError where it is to be checked and lacks the columns."""
    from dataengine.stages.read import parquet
    from dataengine.stages.read.parquet import mismatch, opened_parquet, row_groups

    packed = ends(file.path, CODEC_ENDINGS)
    try:
        if form == "parquet":
            with opened(whole(file)) as raw:
                footer = opened_parquet(raw).metadata
            if check:
                schema = footer.schema.to_arrow_schema()
                _check(file, schema.names, config)
                if not config.messages and (wrong := mismatch(schema, _settings(parquet, config, file.path))):
                    raise InputError(wrong, where=file.origin, expected="columns of text, numbers or truth values")
            yield from row_groups(file, footer, config.split_bytes)
            return
        if check and form in ("arrow", "csv", "tsv"):
            _check(file, _names(file, form, config), config)
    except Damage:
        yield whole(file)  # reading it will say so
        return
    cuts = form in ("jsonl", "text") and not packed and file.size > config.split_bytes
    yield from ranges(file, config.split_bytes) if cuts else [whole(file)]


def _names(file: Found, form: str, config: Config) -> list[str]:
    """The columns of an Arrow or CSV file."""
    import pyarrow as pa

    from dataengine.stages.read._records import header_of, schema_of

    with opened(whole(file)) as raw:
        try:
            return schema_of(raw).names if form == "arrow" else header_of(raw, whole(file), form)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Damage("corrupt", str(error)) from None


def _check(file: Found, names: list[str], config: Config) -> None:
    for field in (config.messages or config.text, *keep_columns(config.keep).values()):
        if field in names or field.split(".")[0] in names:
            continue
        chat = next((name for name in ("messages", "conversations", "conversation") if name in names), "")
        near = next((name for name in ("content", "body", "raw_content", "article", "document") if name in names), "")
        write = ""
        if field == (config.messages or config.text):
            write = f'messages = "{chat}"' if chat else f'text = "{near}"' if near else ""
        raise InputError(f'no column "{field}" among {", ".join(names[:30])}', where=file.origin,
                         expected="the name of a column", write=write)


def _columns(config: Config) -> dict[str, str]:
    kept = {name: config.types.get(name, "string") for name in keep_columns(config.keep)}
    said = {"messages": MESSAGES} if config.messages else {}
    return {"url": "string", "text": "string"} | said | kept


@read(pieces=_pieces, columns=_columns, version=1,
      again=lambda piece, config: _by_another(piece, config) and cheap_again(piece),
      refuses=(*FILE_REFUSES, "bad_json", "bad_unicode", "not_an_object", "no_text", "bad_csv", "bad_messages",
               "corrupt_parquet", "wrong_schema"))
def huggingface(piece: Piece, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    """The rows of a piece, by the reader of its format."""
    from dataengine.stages.read import _hub
    from dataengine.stages.read._records import records

    form = _hub.format_of(piece.path)
    if _by_another(piece, config):
        yield from _by_its_own(piece, form, config)
        return
    rows = Rows(_columns(config))
    top = [part for field in config.fields for part in (field, field.split(".")[0])]
    for found in records(piece, form, top, config.max_record_bytes):
        row = found if isinstance(found, Refused) else _row(*found, config, form in ("csv", "tsv"))
        if isinstance(row, Refused):
            yield row
        elif rows.add(found[1], *row):
            yield rows.take()
    if len(rows):
        yield rows.take()


def _by_another(piece: Piece, config: Config) -> bool:
    """Whether the reader of the piece's format does all that is to be done."""
    from dataengine.stages.read import _hub

    return not config.messages and _hub.format_of(piece.path) in ("parquet", "jsonl")


def _by_its_own(piece: Piece, form: str, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    from dataengine.stages.read import jsonl, parquet

    module = {"parquet": parquet, "jsonl": jsonl}[form]
    yield from getattr(module, form)(piece, _settings(module, config, piece.path))


def _settings(module: Any, config: Config, path: str) -> Any:
    """The config of the reader of a format."""
    same = ("text", "url", "keep", "types", "max_record_bytes", "split_bytes")
    return module.Config(paths=path, **{name: getattr(config, name) for name in same})


def _row(origin: str, size: int, record: dict[str, Any], config: Config, parse: bool) -> tuple[Any, ...] | Refused:
    """A record in our columns, or why it is refused."""
    from dataengine.stages.read._messages import BadMessages, conversation
    from dataengine.stages.read.jsonl import field_of

    said: tuple[Any, ...] = ()
    if config.messages:
        try:
            turns = conversation(field_of(record, config.messages))
        except BadMessages as bad:
            return Refused(origin, "bad_messages", str(bad))
        said, text = (turns,), "\n\n".join(turn["content"] for turn in turns)
    else:
        text = field_of(record, config.text)
    if type(text) is not str:
        found = "null or no such field" if text is None else f"found {type(text).__name__}"
        return Refused(origin, "no_text", f'expected a string in "{config.text}", {found}')
    if len(text) * 4 > config.max_record_bytes and len(text.encode("utf-8", "replace")) > config.max_record_bytes:
        return Refused(origin, "too_large", f"longer than max_record_bytes = {config.max_record_bytes}",
                       text[:250].encode("utf-8", "replace"))
    url = field_of(record, config.url)
    kept = (_kept(field_of(record, path), config.types.get(name, "string"), parse)
            for name, path in keep_columns(config.keep).items())
    return (origin, url if type(url) is str else None, text, *said, *kept)


def _kept(value: Any, kind: str, parse: bool) -> Any:
    """A kept value in its column's type; of CSV, where all is text, the number or truth that the text writes."""
    from dataengine.stages.read.jsonl import typed

    if parse and kind != "string":
        try:
            value = {"true": True, "false": False}.get(value.lower()) if kind == "bool" else (
                int(value) if kind == "int64" else float(value))
        except ValueError:
            return None
    return typed(value, kind)
