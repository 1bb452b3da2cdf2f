"""One near-duplicate remover that a user might pick instead, Parquet to Parquet: run by `benchmarks.dedup`, with the
Python that has it.

    python benchmarks/dedup_peer.py PEER IN.parquet OUT.parquet

IN has the columns ``id`` and ``text``; OUT gets the rows that are kept. Each is used as its README does: word 5-grams,
112 hashes in 14 bands of 8 where it lets one choose. The peer ``copy`` keeps every row and looks at none: what reading
and writing alone cost with pyarrow, which no contender can do without.
"""

import json
import sys
import tempfile
from pathlib import Path

BANDS, ROWS, NGRAM = 14, 8, 5


def grams(text):
    words = text.lower().split()
    return [" ".join(words[i : i + NGRAM]) for i in range(max(1, len(words) - NGRAM + 1))]


class Clusters:
    """Union-find; the first of a cluster is kept."""

    def __init__(self, count):
        self.parent = list(range(count))

    def root(self, x):
        while self.parent[x] != x:
            self.parent[x] = self.parent[self.parent[x]]
            x = self.parent[x]
        return x

    def join(self, a, b):
        a, b = self.root(a), self.root(b)
        self.parent[max(a, b)] = min(a, b)

    def kept(self):
        return [x for x in range(len(self.parent)) if self.root(x) == x]


def datasketch(texts):
    from datasketch import MinHash, MinHashLSH

    index, clusters = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS)), Clusters(len(texts))
    for row, text in enumerate(texts):
        sketch = MinHash(num_perm=BANDS * ROWS)
        sketch.update_batch([gram.encode() for gram in grams(text)])
        for other in index.query(sketch):
            clusters.join(other, row)
        index.insert(row, sketch)
    return clusters.kept()


def rensa(texts):
    from rensa import RMinHash, RMinHashLSH

    index, clusters = RMinHashLSH(threshold=0.8, num_perm=BANDS * ROWS, num_bands=BANDS), Clusters(len(texts))
    for row, text in enumerate(texts):
        sketch = RMinHash(num_perm=BANDS * ROWS, seed=42)
        sketch.update(grams(text))
        for other in index.query(sketch):
            clusters.join(other, row)
        index.insert(row, sketch)
    return clusters.kept()


def rensa_checked(texts):
    from rensa import RMinHash, RMinHashDeduplicator

    seen = RMinHashDeduplicator(threshold=0.8, num_perm=BANDS * ROWS, use_lsh=True, num_bands=BANDS, seed=42)
    kept = []
    for row, text in enumerate(texts):
        sketch = RMinHash(num_perm=BANDS * ROWS, seed=42)
        sketch.update(grams(text))
        if seen.add(str(row), sketch):
            kept.append(row)
    return kept


def gaoya(texts):
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(
        hash_size=32, jaccard_threshold=0.75, num_bands=BANDS, band_size=ROWS, num_hashes=BANDS * ROWS, analyzer="word",
        lowercase=True, ngram_range=(NGRAM, NGRAM),
    )
    kept = []
    for row, text in enumerate(texts):
        if not index.query(text):
            index.insert_document(row, text)
            kept.append(row)
    return kept


def datatrove(texts):
    """Its four stages over JSONL files, one worker."""
    import gzip

    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers.jsonl import JsonlWriter
    from datatrove.utils.hashing import HashConfig

    config = MinhashConfig(
        hash_config=HashConfig(precision=64, hash_fc="sha1"), num_buckets=BANDS, hashes_per_bucket=ROWS, n_grams=NGRAM
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        with (folder / "in" / "0.jsonl").open("w") as file:
            file.writelines(json.dumps({"id": str(row), "text": text}) + "\n" for row, text in enumerate(texts))
        signatures, buckets, remove = (str(folder / part) for part in ("signatures", "buckets", "remove"))
        reader = JsonlReader(str(folder / "in"))
        for number, (steps, tasks) in enumerate((
            ([reader, MinhashDedupSignature(output_folder=signatures, config=config)], 1),
            ([MinhashDedupBuckets(input_folder=signatures, output_folder=buckets, config=config)], BANDS),
            ([MinhashDedupCluster(input_folder=buckets, output_folder=remove, config=config)], 1),
            ([reader, MinhashDedupFilter(input_folder=remove), JsonlWriter(str(folder / "out"))], 1),
        )):
            LocalPipelineExecutor(
                pipeline=steps, tasks=tasks, workers=1, logging_dir=str(folder / "logs" / str(number))
            ).run()
        kept = []
        for file in (folder / "out").glob("*.jsonl.gz"):
            with gzip.open(file, "rt") as lines:
                kept += [int(json.loads(line)["id"]) for line in lines]
    return sorted(kept)


def text_dedup(texts):
    """Its command, over a Parquet file, in one process."""
    import os

    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as name:
        os.environ["HF_HOME"], os.environ["HF_HUB_OFFLINE"] = name, "1"
        from datasets import load_from_disk
        from text_dedup.minhash import main

        pq.write_table(pa.table({"row": list(range(len(texts))), "text": texts}), f"{name}/in.parquet")
        main(standalone_mode=False, args=[
            "--path", "parquet", "--data_files", f"{name}/in.parquet", "--split", "train", "--cache_dir", name,
            "--output", f"{name}/out", "--column", "text", "--ngram", str(NGRAM), "--num_perm", str(BANDS * ROWS),
            "--b", str(BANDS), "--r", str(ROWS), "--num_proc", "1",
        ])
        return list(load_from_disk(f"{name}/out")["row"])


PEERS = {"rensa": rensa, "rensa_checked": rensa_checked, "gaoya": gaoya, "datasketch": datasketch,
         "text_dedup": text_dedup, "datatrove": datatrove}

if __name__ == "__main__":
    import pyarrow.parquet as pq

    peer, source, target = sys.argv[1:]
    table = pq.read_table(source, columns=["id", "text"])
    if peer != "copy":
        table = table.take(PEERS[peer](table["text"].to_pylist()))
    pq.write_table(table, target, compression="zstd")
