"""The web chain as datatrove runs it: FineWeb's published recipe. Started by ``benchmarks.web`` under another Python.

    PYTHON -m benchmarks.datatrove_web WARC_FOLDER GLOB LID_MODEL SAMPLE_TEXT OUT WORKERS

PYTHON has ``datatrove[io,processing] spacy orjson lxml_html_clean``. SAMPLE_TEXT is what its tokenizer is learnt from,
before the clock starts. The last line printed is JSON: wall and CPU seconds, and documents left by stage.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig


def cpu_seconds() -> float:
    """Of this process and all its finished children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def learn_tokenizer(sample: Path, target: Path) -> None:
    """A byte-level BPE of 32,768 tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train([str(sample)], trainers.BpeTrainer(vocab_size=32_768, initial_alphabet=alphabet))
    tokenizer.save(str(target))


def language_filter(model: str) -> LanguageFilter:
    """English at FineWeb's threshold, with a model that lies on the disk."""
    english = LanguageFilter(languages=["en"])
    english.model.MODEL_URL = model
    return english


def main(warcs: str, glob: str, model: str, sample: str, out: str, workers: int) -> None:
    tokenizer = Path(out) / "tokenizer.json"
    tokenizer.parent.mkdir(parents=True, exist_ok=True)
    learn_tokenizer(Path(sample), tokenizer)
    tasks = len(list(Path(warcs).glob(glob)))
    config = MinhashConfig(hash_config=HashConfig(precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5)

    def run(name: str, pipeline: list, tasks: int = tasks) -> None:
        began = time.perf_counter()
        LocalPipelineExecutor(
            pipeline=pipeline, tasks=tasks, workers=workers, logging_dir=f"{out}/logs/{name}", start_method="fork"
        ).run()
        print(f"  datatrove {name}: {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)

    began, cpu = time.perf_counter(), cpu_seconds()
    run("base", [
        WarcReader(warcs, glob_pattern=glob), Trafilatura(favour_precision=True, timeout=10), language_filter(model),
        GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(), JsonlWriter(f"{out}/base"),
    ])
    base = JsonlReader(f"{out}/base")
    run("signatures", [base, MinhashDedupSignature(output_folder=f"{out}/signatures", config=config)])
    run("buckets", [MinhashDedupBuckets(f"{out}/signatures", f"{out}/buckets", config=config)], tasks=14)
    run("clusters", [MinhashDedupCluster(f"{out}/buckets", f"{out}/remove", config=config)], tasks=1)
    run("dedup", [base, MinhashDedupFilter(f"{out}/remove"), JsonlWriter(f"{out}/kept")])
    run("tokens", [JsonlReader(f"{out}/kept"), DocumentTokenizer(
        output_folder=f"{out}/tokens", tokenizer_name_or_path=str(tokenizer), eos_token=None, shuffle_documents=False)])
    print(json.dumps({"wall": time.perf_counter() - began, "cpu": cpu_seconds() - cpu}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main(*sys.argv[1:6], workers=int(sys.argv[6]))
