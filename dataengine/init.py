"""A first recipe for a folder of somebody's own files: what is in it is looked at, every line is explained.

Which files a format means is asked of its reader, so that the recipe reads what was counted here. A few records are
opened to find the fields that hold text and address; nothing is read in full.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine import stage
from dataengine.errors import InputError
from dataengine.locate import key, shown, string
from dataengine.terminal import number, plural, size
from dataengine.words import clipped

if TYPE_CHECKING:
    from dataengine.stages.read._files import Found

TEXT_FIELDS = ("text", "content", "body", "document", "article", "markdown", "raw_content", "page_content", "passage",
               "story", "message", "code", "abstract", "description")
URL_FIELDS = ("url", "uri", "link", "source_url", "page_url", "permalink", "href")
JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
PARQUET_ENDINGS = (".parquet", ".pq", ".parq")
SAMPLED_FILES, SAMPLED_RECORDS, HEAD = 3, 100, 256 << 10
MOST_SNIFFED = 500
"""Files ending in ``.json`` or ``.xml`` that are opened to see whether they are JSON Lines, or dumps of a wiki."""
MOST_LISTED = 20
"""Files that a recipe names one by one; more are named by patterns."""
MOST_ENDINGS = 8
"""Endings of files left aside that are named."""

_ADDRESS = re.compile(r"https?://\S+$")

Record = dict[str, Any]


@dataclass(frozen=True)
class Lane:
    """One kind of file, and the blocks that make clean text of it."""

    name: str
    about: str
    sizes: Mapping[str, int]
    """Bytes of every file, by its path."""
    blocks: str

    @property
    def size(self) -> int:
        return sum(self.sizes.values())

    @property
    def summary(self) -> str:
        return f"{plural(len(self.sizes), 'file')}, {size(self.size)}"


def write_recipe(folder: Path, out: Path) -> str:
    """Write a recipe for the files in `folder` to `out`, and say what was found and what to do next.

    Raises InputError where there is nothing to read, or `out` is there already.
    """
    if not folder.is_dir():
        found = "this is not a folder" if folder.exists() else "there is no such folder"
        raise InputError(found, where=str(folder), expected="a folder with documents")
    base = out.absolute().parent
    if not base.is_dir():
        raise InputError("there is no such folder", where=str(base), write=f"mkdir -p {base}")
    where = _beside(os.path.relpath(folder.absolute(), base))
    if not _is_unicode(where):
        raise InputError("the folder's name is not UTF-8, so no recipe can name it", where=shown(repr(where)),
                         expected="a folder with another name, or a link to it")
    lanes = list(_lanes(where, base))
    if not lanes:
        raise InputError("no file of a format that dataengine reads was found", where=str(folder),
                         expected="JSON Lines, Parquet, text, HTML, source code, WARC, WET or a wiki's XML")
    unread = _unread(lanes, where, base)
    text = _recipe(_name(folder), where, lanes, unread)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError("there is a file of this name already", where=str(out), write="--out another.toml") from None
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(out)) from None
    found = "\n".join(f"  {lane.name}: {lane.about}, {lane.summary}" for lane in lanes)
    left = f"\n  not read: {unread}" if unread else ""
    return f"wrote {out}:\n{found}{left}\nnext: dataengine plan {out}, then dataengine run {out}"


# --- what is there ----------------------------------------------------------------------------------------------------


def _lanes(where: str, base: Path) -> Iterator[Lane]:
    if dataset := _dataset_lane(where, base):
        yield dataset
        return
    yield from _json_lanes(where, base)
    yield from _parquet_lanes(where, base)
    for name, reader, about, stages in (
        ("texts", "read.text", "text files, one document each", (_prose,)),
        ("pages", "read.html", "HTML files, one page each", (_extract, _prose)),
        ("code", "read.code", "source code, in trees and archives", ()),
        ("crawl", "read.warc", "WARC archives of web pages", (_extract, _prose)),
    ):
        weights = _weights(reader, where, base)
        if weights:
            blocks = _read(name, reader, [where]) + "".join(then(name) for then in stages)
            yield Lane(name, about, weights, blocks)
    yield from _wiki_lanes(where, base)
    weights = _weights("read.wet", where, base, only=".wet")
    if weights:
        paths = [where] if not _weights("read.warc", where, base) else [f"{_literal(where)}/**/*.wet*"]
        blocks = _read("wet", "read.wet", paths) + _prose("wet")
        yield Lane("wet", "WET archives, the text of web pages", weights, blocks)


def _dataset_lane(where: str, base: Path) -> Lane | None:
    """The one lane of a folder that is a dataset of the Hugging Face hub."""
    from dataengine.init_dataset import find_dataset

    found = find_dataset(where, base)
    if found is None:
        return None
    settings = [("split", string(found.split), f"there is {', '.join(found.splits)}")]
    if found.chat:
        settings.append(("messages", string(found.chat), "the column that holds the conversation"))
    else:
        settings += _fields(_text_field(found.records), _url_field(found.records))
    blocks = _table("[[data.dataset]]", 'the lane "dataset": its first block reads', [
        ("stage", '"read.huggingface"', "its README.md, state.json or file names say which files make up a split"),
        ("folder", string(_plain(where)), "relative paths start at this recipe's folder"), *settings,
    ])
    return Lane("dataset", "a dataset in the layout of the Hugging Face hub", found.sizes,
                blocks + ("" if found.chat else _prose("dataset")))


def _sizes(files: Sequence[Found]) -> dict[str, int]:
    return {file.path: file.size for file in files}


def _unread(lanes: Sequence[Lane], where: str, base: Path) -> str:
    """How many files of the folder no lane reads, by their endings; nothing where all are read."""
    taken = {path for lane in lanes for path in lane.sizes}
    left = [file.path for file in _found(where, base, ("",)) if file.path not in taken]
    if not left:
        return ""
    endings = Counter(os.path.splitext(path)[1].lower() or "without an ending" for path in left)
    said = ", ".join(f"{shown(ending)} {number(count)}" for ending, count in endings.most_common(MOST_ENDINGS))
    more = f" and {len(endings) - MOST_ENDINGS} more" if len(endings) > MOST_ENDINGS else ""
    return f"{plural(len(left), 'file')} of other kinds: {said}{more}"


def _weights(reader: str, where: str, base: Path, only: str = "") -> dict[str, int]:
    """The sizes of the files that this reader would read, in bytes."""
    found = stage.load(reader)
    assert found.pieces is not None, "a reader has pieces"
    try:
        pieces = list(found.pieces(found.config(paths=where), base))  # type: ignore[call-arg]
    except InputError:  # there is none of this format
        return {}
    sizes: dict[str, int] = {}
    for piece in pieces:
        if only in piece.origin.lower():
            sizes[piece.path] = sizes.get(piece.path, 0) + piece.weight
    return sizes


def _found(where: str, base: Path, endings: tuple[str, ...]) -> list[Found]:
    from dataengine.stages.read import _files

    try:
        return [file for file in _files.find(where, base, endings) if file.regular]
    except InputError:
        return []


def _json_lanes(where: str, base: Path) -> Iterator[Lane]:
    from dataengine.stages.read._files import suffixes

    files = _found(where, base, suffixes(*JSON_ENDINGS))
    lines = [file for number, file in enumerate(files) if _is_json_lines(file, number)]
    if not lines:
        return
    records = [record for file in lines[:SAMPLED_FILES] for record in islice(_objects(_head(file)), SAMPLED_RECORDS)]
    text, url = _text_field(records), _url_field(records)
    paths = [where] if len(lines) == len(files) else _chosen(lines, where, base)
    blocks = _read("records", "read.jsonl", paths, _fields(text, url)) + _prose("records")
    yield Lane("records", "JSON Lines, one document a line", _sizes(lines), blocks)


def _is_json_lines(file: Found, number: int) -> bool:
    """A ``.json`` file often is one object over many lines, or a list: that is not JSON Lines."""
    if not re.search(r"\.json(\.|$)", file.path.lower()):
        return True
    return number < MOST_SNIFFED and next(_objects(_head(file)), None) is not None


def _chosen(files: Sequence[Found], where: str, base: Path) -> list[str]:
    """Paths of some of the files: one by one, or by their endings where there are many."""
    relative = [os.path.relpath(file.path, base) for file in files]
    if len(files) <= MOST_LISTED and all(map(_is_unicode, relative)):
        return relative
    endings = {re.sub(r"^[^.]*", "", os.path.basename(file.path)) for file in files}
    return [f"{_literal(where)}/**/*{_literal(ending)}" for ending in sorted(filter(_is_unicode, endings))]


def _wiki_lanes(where: str, base: Path) -> Iterator[Lane]:
    """Of XML files those that are dumps of a wiki."""
    from dataengine.stages.read._files import suffixes

    files = _found(where, base, suffixes(".xml"))
    dumps = [file for file in files[:MOST_SNIFFED] if b"<mediawiki" in _head(file)[:4096]]
    if dumps:
        paths = [where] if len(dumps) == len(files) else _chosen(dumps, where, base)
        blocks = _read("wiki", "read.wikipedia", paths) + _prose("wiki")
        yield Lane("wiki", "dumps of a wiki, one article a page", _sizes(dumps), blocks)


def _parquet_lanes(where: str, base: Path) -> Iterator[Lane]:
    files = _found(where, base, PARQUET_ENDINGS)
    if not files:
        return
    records = _parquet_records(files[0].path)
    text, url = _text_field(records), _url_field(records)
    blocks = _read("tables", "read.parquet", [where], _fields(text, url)) + _prose("tables")
    yield Lane("tables", "Parquet files, one document a row", _sizes(files), blocks)


def _head(file: Found) -> bytes:
    """The first bytes of a file, unpacked; of a damaged one what came before the damage."""
    from dataengine.stages.read import _files
    from dataengine.stages.read._open import Damage, Stream, opened

    head = b""
    try:
        with opened(_files.whole(file)) as raw:
            for block in Stream(raw, file.path).blocks():
                head += block[: HEAD - len(head)]
                if len(head) >= HEAD:
                    break
    except Damage:
        pass  # the run will say so
    return head


def _objects(head: bytes) -> Iterator[Record]:
    """The objects that stand on lines of their own, up to the first line that holds none."""
    lines = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for line in lines if len(head) < HEAD else lines[:-1]:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(record, dict):
            return
        yield record


def _parquet_records(path: str) -> list[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = [field.name for field in file.schema_arrow
                 if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
        batch = next(file.iter_batches(SAMPLED_RECORDS, columns=names), None)
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return []  # the run will say so
    return batch.to_pylist() if batch is not None else []


# --- which field is the text ------------------------------------------------------------------------------------------


def _text_field(records: Iterable[Record]) -> str:
    """The field that most likely holds the document: one with a telling name, else the one with the longest strings."""
    lengths: dict[str, int] = {}
    for record in records:
        for name, value in _strings(record):
            if not _ADDRESS.match(value):
                lengths[name] = lengths.get(name, 0) + len(value)
    if not lengths:
        return "text"
    telling = [name for wanted in TEXT_FIELDS for name in lengths if name.lower().rsplit(".", 1)[-1] == wanted]
    longest = max(lengths, key=lambda name: lengths[name])
    return telling[0] if telling and lengths[telling[0]] * 10 >= lengths[longest] else longest


def _url_field(records: Iterable[Record]) -> str:
    """The field that most likely holds an address, or nothing."""
    names = [name for record in records for name, value in _strings(record) if _ADDRESS.match(value)]
    telling = [name for wanted in URL_FIELDS for name in names if name.lower().rsplit(".", 1)[-1] == wanted]
    return telling[0] if telling else ""


def _strings(record: Record) -> Iterator[tuple[str, str]]:
    """The strings of a record, also one level down: ``meta.url``. A name that holds a dot cannot be addressed."""
    for name, value in record.items():
        inner = value.items() if isinstance(value, dict) else ()
        for path, leaf in ((name, value), *((f"{name}.{below}", leaf) for below, leaf in inner)):
            if isinstance(leaf, str) and path.count(".") == (path != name) and _is_unicode(path):
                yield path, leaf


# --- the text of the recipe -------------------------------------------------------------------------------------------

Setting = tuple[str, str, str]
"""A field, its value as TOML, and what it is for."""


def _table(header: str, why: str, settings: Sequence[Setting]) -> str:
    """One table, its comments in a column."""
    lines = [(header, why), *((f"{name} = {value}", comment) for name, value, comment in settings)]
    width = max(len(line) for line, _ in lines if len(line) <= 60)
    return "\n" + "".join(f"{line.ljust(width)}  # {comment}\n" for line, comment in lines)


def _read(lane: str, reader: str, paths: Sequence[str], more: Sequence[Setting] = ()) -> str:
    written = [string(_plain(path)) for path in paths]
    value = written[0] if len(written) == 1 else "[" + ", ".join(written) + "]"
    return _table(f"[[data.{lane}]]", f'the lane "{lane}": its first block reads', [
        ("stage", string(reader), stage.load(reader).summary.split(" (")[0].rstrip(".")),
        ("paths", value, "files, folders or patterns; relative paths start at this recipe's folder"), *more,
    ])


def _fields(text: str, url: str) -> list[Setting]:
    settings = [("text", string(text), "the field that holds the document")]
    return [*settings, ("url", string(url), "the field that holds its address")] if url else settings


def _extract(lane: str) -> str:
    return _table(f"[[data.{lane}]]", "HTML becomes text: the main content, without menus and footers", [
        ("stage", '"extract.html"', "decodes the page by the rules of the web, adds `text`, `title`, `published`"),
    ])


def _prose(lane: str) -> str:
    header = f"[[data.{lane}]]"
    return _table(header, "only text in some languages; delete this block to keep all", [
        ("stage", '"filter.language"', "fastText's lid.176, on the first 1,000 characters"),
        ("keep", '["en"]', "codes of the languages to keep"),
        ("min_confidence", "0.65", "how sure it must be; short or technical text needs less"),
    ]) + _table(header, "only text that reads like prose; what is dropped is kept apart, with its reason", [
        ("stage", '"filter.gopher"', "word counts, symbols, bullet points, stop words (arXiv:2112.11446)"),
        ("min_words", "50", "fewest words"),
        ("min_alphabetic_word_ratio", "0.8", "share of words that hold a letter; technical text has less"),
        ("min_stop_words", "2", "fewest English stop words; 0 for other languages"),
    ]) + _table(header, "only text that does not repeat itself", [
        ("stage", '"filter.repetition"', "lines, paragraphs and n-grams that come again (arXiv:2112.11446)"),
    ])


def _recipe(name: str, where: str, lanes: Sequence[Lane], unread: str) -> str:
    size = sum(lane.size for lane in lanes)
    found = "".join(f"# {lane.about}: {lane.summary}\n" for lane in lanes)
    found += f"# not read: {unread}\n" if unread else ""
    head = (
        f"# A recipe for {clipped(shown(where), 80)}, written by `dataengine init`. Change what you like.\n#\n"
        f"{found}#\n"
        "# A lane is a list of blocks, run from top to bottom; to see what a block does, delete it and run again.\n"
        "# What a block may be told: dataengine stages show filter.gopher\n"
    )
    names = [lane.name for lane in lanes]
    taken = string(names[0]) if len(names) == 1 else "[" + ", ".join(map(string, names)) + "]"
    return head + _table(f"name = {string(name)}", "runs go to runs/NAME", [
        ("seed", "1729", "all randomness follows from it"),
    ]) + "".join(f"\n# {f' {lane.about} '.center(100, '-')}\n{lane.blocks}" for lane in lanes) + (
        f"\n# {' everything together '.center(100, '-')}\n"
    ) + _table("[[data.corpus]]", "a lane that takes the rows of others", [
        ("from", taken, "the lanes, in this order: of equal texts the first stays"),
        ("stage", '"dedup.exact"', "one of all rows whose text is the same"),
        ("of", '"normalized"', "also where only case, white space or punctuation differs"),
    ]) + _table("[[data.corpus]]", "then the texts that are nearly the same", [
        ("stage", '"dedup.minhash"', "MinHash over 5-grams of words"),
        ("threshold", "0.8", "a text goes if it shares so much with one that stays (Jaccard similarity)"),
    ]) + _table("[tokenizer]", "learnt from the corpus itself", [
        ("learn_from", '"corpus"', "the lane whose text it learns from"),
        ("vocabulary", str(_vocabulary(size)), "tokens; a small corpus cannot fill many"),
    ]) + _table("[mix.all]", "what a model is trained on", [
        ("from", '"corpus"', "the lanes whose documents are mixed"),
        ("max_epochs", _each(names), "how often each source may be repeated"),
        ("heldout", _heldout(size), "share of the documents that are kept to measure the model on"),
    ]) + (
        "\n# To train a small model on it, take the marks of comment away (it needs torch: dataengine doctor):\n"
        "# [train.base]\n# mix = \"all\"\n# model = { width = 128, layers = 4, heads = 4 }\n"
        "# prompts = [\"The\"]\n"
    )


def _each(names: Sequence[str]) -> str:
    return "{ " + ", ".join(f"{key(name)} = 1" for name in names) + " }"


def _vocabulary(size: int) -> int:
    """About what SentencePiece can fill from a corpus of this many bytes."""
    limits = ((200_000, 400), (2_000_000, 1_000), (20_000_000, 4_096), (200_000_000, 16_384))
    return next((vocabulary for limit, vocabulary in limits if size < limit), 32_768)


def _heldout(size: int) -> str:
    """A share that leaves some documents of every source to measure on, and does not waste a large corpus."""
    return "0.1" if size < 2_000_000 else "0.05" if size < 20_000_000 else "0.01" if size > 2_000_000_000 else "0.02"


def _name(folder: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.absolute().name).strip("-._")[:60].rstrip("-._")
    return name or "corpus"


def _plain(path: str) -> str:
    """A path that a recipe reads as it stands: no variable, no home folder."""
    return _beside(path).replace("${", "$${")


def _beside(path: str) -> str:
    """A relative path that no reader takes for somebody's home."""
    return f"./{path}" if path.startswith("~") else path


def _literal(path: str) -> str:
    """A path in which no character is a wildcard."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def _is_unicode(text: str) -> bool:
    return not any(0xD800 <= ord(char) <= 0xDFFF for char in text)
