"""Every benchmark, small: ``python -m benchmarks``.

``DATATROVE`` in the environment names a Python that has datatrove; the whole chain is then run beside it.
"""

import os
import shutil
import subprocess
import sys

RUNS = [["river", "--size", "100MB"], ["dedup", "--documents", "10000"],
        ["semantic", "--documents", "10000"], ["readers"], ["remote"], ["stages"],
        ["addresses", "--domains", "500000"], ["wikipedia", "--size", "5MB"], ["startup"], ["language"],
        ["heuristics"], ["pii"], ["contaminated"], ["trainer"]]

if shutil.which("apt-get"):  # the pages are of Debian's packages
    beside = ["--datatrove", os.environ["DATATROVE"]] if "DATATROVE" in os.environ else []
    RUNS.append(["web", "--shards", "1", *beside])

for module, *arguments in RUNS:
    print(f"\n== benchmarks.{module} {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *arguments], check=True)
