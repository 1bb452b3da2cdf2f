"""Repeated text found by what a user might pick instead: run by `benchmarks.dedup_units`, with the Python that has it.

    python benchmarks/dedup_units_peer.py dolma IN.jsonl.gz OUT_FOLDER        paragraphs (lines) in a Bloom filter
    python benchmarks/dedup_units_peer.py suffix IN.parquet OUT.json LENGTH   suffix array of all texts, in memory

dolma marks lines and removes nothing. The suffix array is that of pydivsufsort (libdivsufsort), its lcp array by kasai;
what is repeated is found from them as `dedup.substring` defines it, and counted.
"""

import importlib.machinery
import importlib.util
import json
import os
import sys
from pathlib import Path


def dolma(source, target):
    """Calls the compiled deduper itself: the package imports taggers that have nothing to do with it."""
    (folder,) = importlib.util.find_spec("dolma").submodule_search_locations
    (library,) = Path(folder).glob("dolma.*.so")
    loader = importlib.machinery.ExtensionFileLoader("dolma", str(library))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("dolma", loader))
    loader.exec_module(module)
    work = Path(target)
    module.deduper_entrypoint(json.dumps({
        "documents": [str(source)],
        "dedupe": {"name": "par", "paragraphs": {"attribute_name": "dup"}, "skip_empty": True, "min_length": 20},
        "bloom_filter": {"file": str(work / "bloom.bin"), "read_only": False, "size_in_bytes": 0,
                         "estimated_doc_count": 5_000_000, "desired_false_positive_rate": 0.0001},
        "processes": 1,
        "work_dir": {"input": str(work / "in"), "output": str(work / "out")},
        "is_s3_volume": False,
        "dryrun": False,
    }))


def suffix(source, target, length):
    import numpy as np
    import pyarrow.parquet as pq
    from pydivsufsort import divsufsort, kasai

    texts = [(text or "").encode() for text in pq.read_table(source, columns=["text"])["text"].to_pylist()]
    joined = b"\xff".join(texts) + b"\xff"
    data = np.frombuffer(joined, np.uint8).copy()
    order = divsufsort(data)
    common = np.asarray(kasai(data, order))
    group = np.concatenate([[0], np.cumsum(common[: len(order) - 1] < length)])
    del common
    ends = np.flatnonzero(data == 0xFF)
    left = ends[np.searchsorted(ends, order)] - order
    fits = left >= length
    order, group = order[fits].astype(np.int64), group[fits]
    first = np.full(int(group[-1]) + 1 if len(group) else 0, np.iinfo(np.int64).max)
    np.minimum.at(first, group, order)
    owner = np.searchsorted(ends, order)
    goes = (np.searchsorted(ends, first[group]) < owner) | (first[group] + length <= order)
    change = np.zeros(len(data) + 1, np.int32)
    np.add.at(change, order[goes], 1)
    np.add.at(change, order[goes] + length, -1)
    Path(target).write_text(json.dumps({"bytes": int((np.cumsum(change) > 0).sum())}))


if __name__ == "__main__":
    if sys.argv[1] == "dolma":
        os.environ["RAYON_NUM_THREADS"] = "1"
        dolma(*sys.argv[2:4])
    else:
        suffix(sys.argv[2], sys.argv[3], int(sys.argv[4]))
