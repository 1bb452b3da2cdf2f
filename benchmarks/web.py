"""From WARC files to tokens, beside datatrove: how many documents a second?

    python -m benchmarks.web [--shards 2] [--workers 2] [--folder DIR] [--datatrove PYTHON]

The pages are those of ``benchmarks.corpus``. The chain is FineWeb's: extraction, English, the rules of Gopher
(repetition, quality), C4 and FineWeb in datatrove's reading, MinHash with 14 bands of 8 rows (ours verifies what it
finds), tokens. Both have a tokenizer of 32,768 tokens that is there before their clock starts: ours, a SentencePiece
BPE, is learnt by a first run over one file, which also compiles the kernels; datatrove's, a byte-level BPE, from the
texts which that run kept. ``--datatrove`` names a Python that has datatrove (see ``benchmarks/datatrove_web.py``); it
runs behind ours on the same files, with as many workers, and the ratio of the two is printed. Ours is a whole process,
start to end; datatrove's imports and the learning of its tokenizer are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dataengine
from benchmarks.corpus import write_warc
from benchmarks.machine import environment, stamp
from benchmarks.river import measured, report

RECIPE = """
name = "web"
[run]
workers = {workers}
[[data.web]]
stage = "read.warc"
paths = {paths}
[[data.web]]
stage = "extract.html"
[[data.web]]
stage = "filter.language"
[[data.web]]
stage = "filter.repetition"
compat = "datatrove"
[[data.web]]
stage = "filter.gopher"
compat = "datatrove"
[[data.web]]
stage = "filter.c4"
compat = "datatrove"
require_end_mark = false
[[data.web]]
stage = "filter.fineweb"
compat = "datatrove"
[[data.web]]
stage = "dedup.minhash"
bands = 14
rows = 8
[mix.web]
from = "web"
[tokenizer]
"""
LEARNT = """learn_from = "web"
vocabulary = 32_768
sample_bytes = "2MB"
"""
GIVEN = """model = "tokenizer.model"
"""


def prepare(files: list[Path], folder: Path, workers: int) -> None:
    """From a run over these files: our ``tokenizer.model``, and ``sample.txt``, from which datatrove's is learnt."""
    ours(files, folder, workers, LEARNT)
    run = dataengine.open(folder / "runs" / "web")
    (model,) = (folder / "runs" / "web" / "steps" / "tokenizer").glob("*/tokenizer.model")
    shutil.copy(model, folder / "tokenizer.model")
    kept = run.docs().select("text").collect()["text"].to_list()
    (folder / "sample.txt").write_text("\n".join(kept), encoding="utf-8")


def ours(files: list[Path], folder: Path, workers: int, tokenizer: str = GIVEN) -> tuple[float, float, int]:
    """(wall seconds, CPU seconds, bytes of the largest process) of our run from nothing."""
    shutil.rmtree(folder / "runs", ignore_errors=True)
    paths = json.dumps([str(file) for file in files])
    (folder / "web.toml").write_text(RECIPE.format(paths=paths, workers=workers) + tokenizer, encoding="utf-8")
    return measured([sys.executable, "-m", "dataengine", "run", "web.toml", "--quiet"], folder)


def theirs(python: str, files: list[Path], folder: Path, workers: int) -> dict[str, float]:
    """Wall and CPU seconds of datatrove's run, without the learning of its tokenizer."""
    from dataengine.fasttext_model import language_model

    out = folder / "datatrove"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    glob = f"part-0[0-{len(files) - 1}].warc.gz"
    command = [python, Path(__file__).with_name("datatrove_web.py"), files[0].parent, glob, language_model(),
               folder / "sample.txt", out, str(workers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment() | {"HF_HUB_OFFLINE": "1"})
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=2, help="how many of the eight WARC files")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--datatrove", metavar="PYTHON", help="a Python that has datatrove")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        files = write_warc(folder)[: options.shards]
        prepare(files[:1], folder, options.workers)
        wall, cpu, peak = ours(files, folder, options.workers)
        run = folder / "runs" / "web"
        report(run, sum(file.stat().st_size for file in files), wall, cpu, peak, options.workers)
        [(documents,)] = dataengine.open(run).sql("SELECT rows_in FROM steps WHERE step = 'web.1'").fetchall()
        print(stamp())
        print(f"  dataengine {documents / wall:8.1f} documents/s ({documents} in {wall:.1f} s, {cpu:.1f} s CPU)")
        if options.datatrove:
            found = theirs(options.datatrove, files, folder, options.workers)
            print(f"  datatrove  {documents / found['wall']:8.1f} documents/s ({found['wall']:.1f} s, "
                  f"{found['cpu']:.1f} s CPU)")
            print(f"  ratio: {found['wall'] / wall:.1f} by wall, {found['cpu'] / cpu:.1f} by CPU")


if __name__ == "__main__":
    main()
