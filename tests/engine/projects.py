"""Small recipes and stages that the engine's tests run: real files, real workers, a few hundred rows."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROSE = (
    "the be to of and that have with river stone light walking carefully through many rooms of glass where nobody had "
    "ever sung before about seven strange machines and their patient makers who loved every turning wheel"
)
WORDS = PROSE.split()

RECIPE = """
name = "small"
seed = 7

[run]
split_bytes = "130kB"
record_deadline = 3.0

[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
[[data.web]]
stage = "filter.gopher"
min_words = 30

[[data.corpus]]
from = ["web"]
stage = "dedup.exact"
[[data.corpus]]
stage = "dedup.minhash"

[tokenizer]
learn_from = "corpus"
vocabulary = 400

[mix.all]
from = "corpus"
tokens = "5k"
"""

PLUGIN = '''
"""Fail in the way the text asks for (a stage of the test suite)."""

from __future__ import annotations

import os
import time

from dataengine.stage import StageConfig, at_row, map


class Config(StageConfig):
    cursor: bool = False
    """Whether the stage says which row it is on."""
    suffix: str = ""
    """It fails at KILL with this behind it."""
    warm: float = 0.0
    """Seconds of CPU that the first call in a process takes."""


warmed = False


@map(reads=["text"], adds={"shouted": "string"}, version=1)
def trouble(batch, config):
    global warmed
    end = time.process_time() + config.warm
    while not warmed and time.process_time() < end:
        pass
    warmed = True
    shouted = []
    for row, text in enumerate(batch["text"].to_pylist()):
        if config.cursor:
            at_row(row)
        if "KILL" + config.suffix in text:
            os._exit(9)
        end = time.process_time() + 0.02
        while "SLOW" in text and time.process_time() < end:
            pass
        while "STALL" in text:
            pass
        if "HOG" in text:
            hoard = bytearray(3 << 30)
            hoard[::4096] = b"x" * len(hoard[::4096])
        if "BIG" in text:
            bytearray(1200 << 20)
        if "RAISE" in text:
            raise ValueError("no good")
        shouted.append(text.upper())
    return {"shouted": shouted}
'''


def documents(count: int = 600, seed: int = 1) -> list[dict[str, str]]:
    """Documents of 10 to 200 words, one in ten a copy of an earlier one."""
    rng = random.Random(seed)
    rows: list[dict[str, str]] = []
    for number in range(count):
        if rows and rng.random() < 0.1:
            text = rng.choice(rows)["text"]
        else:
            text = " ".join(rng.choice(WORDS) for _ in range(rng.choice([10, 60, 120, 200])))
        rows.append({"text": text, "url": f"http://example.org/{number}"})
    return rows


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    """One object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def project(folder: Path, recipe: str = RECIPE, rows: list[dict[str, str]] | None = None) -> Path:
    """A folder with ``docs.jsonl`` and ``recipe.toml``; returns the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_jsonl(folder / "docs.jsonl", documents() if rows is None else rows)
    path = folder / "recipe.toml"
    path.write_text(textwrap.dedent(recipe), encoding="utf-8")
    return path


def plugin(folder: Path, name: str = "map.trouble", module: str = "trouble", source: str = PLUGIN) -> dict[str, str]:
    """Install a stage as another package would: a module and its entry point. Returns the environment to run with."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    noun = name.split(".")[1]
    (info / "entry_points.txt").write_text(f"[dataengine.stages]\n{name} = {module}:{noun}\n", encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def command(*arguments: str | Path) -> list[str]:
    """The command line, run from this checkout."""
    return [sys.executable, "-m", "dataengine", *map(str, arguments)]


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """Of a test's process: this checkout first on the path."""
    return os.environ | {"PYTHONPATH": str(ROOT)} | (extra or {})


def dataengine(
    *arguments: str | Path, cwd: Path, env: dict[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(env), capture_output=True, text=True, timeout=timeout, check=False
    )


def digests(run: Path) -> dict[str, str]:
    """sha256 of every committed file but the manifests, which hold times."""
    return {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((run / "steps").rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def manifests(run: Path) -> list[dict]:
    """All manifests of a run."""
    return [json.loads(path.read_text()) for path in sorted((run / "steps").rglob("manifest.json"))]
