"""The line that every table of figures begins with: when, and on what machine."""

import os
import platform
import time


def environment() -> dict[str, str]:
    """Of a process that is measured: modules are compiled once, as pip does it, not at each start."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def stamp() -> str:
    """``2026-11-22  x86_64, 2 cores, Python 3.11.7``."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{time.strftime('%Y-%m-%d')}  {machine}"
