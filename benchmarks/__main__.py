"""Every benchmark, small: ``python -m benchmarks``."""

import subprocess
import sys

RUNS = [["river", "--size", "100MB"], ["dedup", "--documents", "10000"], ["readers"], ["remote"], ["stages"],
        ["addresses", "--domains", "500000"], ["wikipedia", "--size", "5MB"], ["startup"], ["language"],
        ["heuristics"], ["trainer"]]

for module, *arguments in RUNS:
    print(f"\n== benchmarks.{module} {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *arguments], check=True)
