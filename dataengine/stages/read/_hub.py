"""Which files a folder laid out as a dataset of the Hugging Face hub means: subsets, splits, formats.

Four layouts are told apart by what lies in the folder:

    datasets--owner--name/refs, snapshots     the hub's cache: the snapshot that refs/main names
    dataset_dict.json, or state.json          written by `save_to_disk`: Arrow files, by split
    README.md that begins with ---            a repository: `configs`, each with its `data_files`
    neither                                   a repository: splits by names, data/train-00000-of-00005.parquet

(huggingface.co/docs/hub/datasets-data-files-configuration.) Loading scripts are never run, nothing is downloaded.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataengine import remote
from dataengine.errors import InputError
from dataengine.stages.read._files import CODEC_ENDINGS, find, shown, suffixes
from dataengine.stages.read._found import Found

FORMATS = {
    ".parquet": "parquet", ".arrow": "arrow", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv",
    ".tsv": "tsv", ".txt": "text",
}
"""Ending -> format. All but the first two may be packed too."""
KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Split -> words that stand for it in names of files and folders."""

_MOST_TEXT = 4 << 20
_SHARD = re.compile(r"data/([A-Za-z0-9_.]+(?:-[A-Za-z0-9_.]+)*?)-[0-9]{5}-of-[0-9]{5}[^/]*")
_NOT_DATA = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json")

Splits = dict[str, list[Found]]


@dataclass(frozen=True)
class Tree:
    """The files below a folder: relative path, with slashes -> file. Hidden ones are left out."""

    where: str
    files: Mapping[str, Found]
    read: Callable[[Found], bytes]

    def text(self, name: str) -> str | None:
        """A small file's text, or None where there is none of this name."""
        if name not in self.files:
            return None
        data = self.read(self.files[name])
        if len(data) > _MOST_TEXT:
            raise InputError(f"{name} is longer than {_MOST_TEXT} bytes", where=self.where)
        return data.decode("utf-8", errors="replace")

    def json(self, name: str) -> Any:
        text = self.text(name)
        try:
            return None if text is None else json.loads(text)
        except ValueError as error:
            raise InputError(f"{name} is not JSON: {error}", where=self.where) from None

    def below(self, folder: str) -> Tree:
        """The files of an inner folder, under names that start there."""
        start = folder.rstrip("/") + "/"
        inner = {name[len(start):]: file for name, file in self.files.items() if name.startswith(start)}
        return Tree(f"{self.where.rstrip('/')}/{folder}", inner, self.read)


def tree(folder: str, base: Path) -> Tree:
    """What lies in a folder on disk or below a prefix of S3."""
    endings = (*suffixes(*FORMATS), ".md", ".py", "/main")
    if remote.is_remote(folder):
        start = folder.rstrip("/") + "/"
        found = find(start, base, endings)
    else:
        start = os.path.normpath(os.path.join(os.path.abspath(base), os.path.expanduser(folder))) + os.sep
        if not os.path.isdir(start):
            raise InputError("no such folder", where=shown(folder), expected="the folder of a dataset",
                             write='git clone, or `huggingface-cli download --repo-type dataset`, brings one')
        found = find(folder, base, endings)
    files = {file.path[len(start):].replace(os.sep, "/"): file for file in found}
    return Tree(shown(folder), files, _content)


def _content(file: Found) -> bytes:
    from dataengine.stages.read._found import whole
    from dataengine.stages.read._open import Damage, opened

    try:
        with opened(whole(file)) as raw:
            return raw.read(_MOST_TEXT + 1)
    except Damage as damage:
        raise InputError(damage.detail, where=file.origin) from None


def splits(files: Tree, subset: str) -> Splits:
    """Split -> its files, in the order of their names. Raises InputError, with what there is, for a subset that is not.

    The subset "" is the one that is marked as default, or named so, or the only one.
    """
    if any(name.startswith("snapshots/") for name in files.files):
        files = _snapshot(files)
    saved = files.json("dataset_dict.json")
    if isinstance(saved, dict) and isinstance(saved.get("splits"), list):
        return {str(name): _saved(files.below(str(name))) for name in saved["splits"]}
    if (state := files.json("state.json")) is not None:
        name = state.get("_split") if isinstance(state, dict) else None
        return {str(name or "train"): _saved(files)}
    configs = [config for config in _configs(files) if config.get("data_files") or config.get("data_dir")]
    if configs:
        chosen = _chosen(configs, subset, files)
        inner = files.below(str(chosen["data_dir"])) if chosen.get("data_dir") else files
        return _by_config(chosen["data_files"], inner) if chosen.get("data_files") else _by_name(inner)
    if subset:
        inner = files.below(subset)
        if not inner.files:
            there = sorted({name.split("/")[0] for name in files.files if "/" in name})
            raise InputError(f'there is no subset "{subset}"', where=files.where,
                             expected=f"one of {', '.join(there)}" if there else "no subset")
        return _by_name(inner)
    return _by_name(files)


def is_marked(files: Tree) -> bool:
    """Whether something but names of files says that this is a dataset."""
    cached = "refs/main" in files.files and any(name.startswith("snapshots/") for name in files.files)
    return cached or "dataset_dict.json" in files.files or "state.json" in files.files or bool(_configs(files))


def format_of(path: str) -> str:
    """The format that a name promises, or nothing."""
    stem = path.lower()
    root, ending = os.path.splitext(stem)
    packed = ending in CODEC_ENDINGS
    found = FORMATS.get(os.path.splitext(root)[1] if packed else ending, "")
    return "" if packed and found in ("parquet", "arrow") else found


# --- layouts ----------------------------------------------------------------------------------------------------------


def _snapshot(files: Tree) -> Tree:
    """The revision of a cache that refs/main names, or the only one."""
    revisions = sorted({name.split("/")[1] for name in files.files if name.startswith("snapshots/")})
    said = (files.text("refs/main") or "").strip()
    if said in revisions:
        return files.below(f"snapshots/{said}")
    if len(revisions) == 1:
        return files.below(f"snapshots/{revisions[0]}")
    raise InputError(f"the cache holds {len(revisions)} revisions, and refs/main names none of them", where=files.where,
                     expected="the folder of one revision", write=f'folder = "{files.where}/snapshots/{revisions[-1]}"')


def _saved(files: Tree) -> list[Found]:
    """The Arrow files of a dataset that `save_to_disk` wrote, as its state.json lists them."""
    state = files.json("state.json")
    listed = state.get("_data_files") if isinstance(state, dict) else None
    names = [entry.get("filename") for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    if not names:
        raise InputError("state.json lists no files", where=files.where, expected="a dataset written by save_to_disk")
    missing = [name for name in names if name not in files.files]
    if missing:
        raise InputError(f"state.json lists {missing[0]!r}, which is not there", where=files.where,
                         expected="all files that save_to_disk wrote")
    return [files.files[name] for name in names]


def _configs(files: Tree) -> list[dict[str, Any]]:
    """The `configs` of the front matter of README.md."""
    import yaml

    text = files.text("README.md") or ""
    front = re.match(r"\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", text, re.DOTALL)
    if not front:
        return []
    try:
        said = yaml.safe_load(front[1])
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        line = f":{where.line + 2}" if where else ""
        raise InputError(f"the front matter is not YAML: {getattr(error, 'problem', None) or error}",
                         where=f"{files.where}/README.md{line}") from None
    configs = said.get("configs") if isinstance(said, dict) else None
    return [config for config in configs if isinstance(config, dict)] if isinstance(configs, list) else []


def _chosen(configs: list[dict[str, Any]], subset: str, files: Tree) -> dict[str, Any]:
    names = [str(config.get("config_name", "default")) for config in configs]
    if subset in names:
        return configs[names.index(subset)]
    if not subset:
        marked = [config for config in configs if config.get("default") is True]
        if marked or len(configs) == 1 or "default" in names:
            return marked[0] if marked else configs[names.index("default") if "default" in names else 0]
    found = f'there is no subset "{subset}"' if subset else f"the dataset has {len(names)} subsets, none the default"
    raise InputError(found, where=files.where, expected=f"one of {', '.join(names)}", write=f'subset = "{names[0]}"')


def _by_config(data_files: Any, files: Tree) -> Splits:
    """A config's `data_files`: a pattern, several, or one entry a split."""
    if isinstance(data_files, dict) and not {"path", "split"} & data_files.keys():
        data_files = [{"split": split, "path": path} for split, path in data_files.items()]
    entries = data_files if isinstance(data_files, list) else [data_files]
    found: Splits = {}
    for entry in entries:
        split, patterns = ("train", entry) if not isinstance(entry, dict) else (
            str(entry.get("split", "train")), entry.get("path"))
        for pattern in patterns if isinstance(patterns, list) else [patterns]:
            matched = [files.files[name] for name in sorted(_matching(str(pattern), files.files))]
            if not matched:
                raise InputError(f'no file matches "{pattern}", which README.md names', where=files.where,
                                 expected="all files of the dataset")
            found.setdefault(split, []).extend(matched)
    return {split: list(dict.fromkeys(group)) for split, group in found.items()}


def _matching(pattern: str, names: Iterable[str]) -> Iterator[str]:
    """Names a pattern matches, part by part; ``**`` stands for any folders."""
    parts = pattern.removeprefix("./").split("/")
    for name in names:
        if _match(parts, name.split("/")):
            yield name


def _match(pattern: list[str], name: list[str]) -> bool:
    """Whether the parts match. Keeps the set of places reached, so that there is no back-tracking."""
    reached = {0}
    for index, part in enumerate(pattern):
        if part == "**" and index == len(pattern) - 1:
            return bool(reached) and min(reached) < len(name)
        if part == "**":
            reached = set(range(min(reached), len(name) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(name) and fnmatch.fnmatchcase(name[at], part)}
    return len(name) in reached


def _by_name(files: Tree) -> Splits:
    """Splits told by names: of shards, else of folders, else of files; else all is ``train``."""
    data = [name for name in sorted(files.files) if format_of(name) and name.rsplit("/", 1)[-1] not in _NOT_DATA]
    if not data:
        script = next((name for name in files.files if name.endswith(".py")), "")
        raise InputError(
            f"the folder holds a loading script, {script}, and no data: scripts are never run" if script
            else "the folder holds no data in a format that is known", where=files.where,
            expected=f"files named {' '.join('*' + ending for ending in FORMATS)}")
    for told in (_by_shard, _by_folder, _by_file):
        named = {name: told(name) for name in data}
        if any(named.values()):
            found: Splits = {}
            for name, split in named.items():
                if split:
                    found.setdefault(split, []).append(files.files[name])
            return found
    return {"train": [files.files[name] for name in data]}


def _by_shard(name: str) -> str:
    shard = _SHARD.fullmatch(name)
    return shard[1] if shard else ""


def _by_folder(name: str) -> str:
    return next(filter(None, map(_keyword, name.split("/")[:-1])), "")


def _by_file(name: str) -> str:
    return _keyword(name.rsplit("/", 1)[-1])


def _keyword(text: str) -> str:
    """The split whose word stands in a name, in lower case, set off by ``-._`` , a space or a digit."""
    words = re.split(r"[-._ 0-9]+", text)
    return next((split for split, names in KEYWORDS.items() if any(name in words for name in names)), "")
