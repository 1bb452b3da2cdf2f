"""How fast does read.wikipedia turn a dump into text, on one core, and how long does mwparserfromhell take for it?

    python -m benchmarks.wikipedia [--size 20MB]

Makes a multistream dump of articles full of markup, reads it, and cleans the same markup with mwparserfromhell where
that is installed. Prints MB of markup per CPU second, the best of three.
"""

from __future__ import annotations

import argparse
import bz2
import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

from pydantic import ByteSize, TypeAdapter

from benchmarks.machine import stamp
from dataengine import stage
from dataengine.stages.read._wikitext import plain_text

ARTICLE = """{{Short description|An article}}
{{Infobox river|name=River|length={{convert|12|km|mi}}|image=[[File:R.jpg]]}}
'''The River''' ({{lang|la|Fluvius}}) is a [[river]] of the [[Country (nation)|country]].<ref>{{cite book|title=On
rivers|year=1999}}</ref> It runs for 12 km<sup>2</sup> past ''old'' towns, along which people have lived for a long
time, and flows into the [[North Sea|sea]] at its mouth, where ships used to wait for the tide to come in.
== History ==
People have written about it since the year 900.{{citation needed}} [[File:Map.png|thumb|A map of [[river]]s]] In
spring, when the snow melts, the river rises by <math>h = \\frac{v}{a}</math> m, as [http://a.example/ reports] say.
* one mill{{ndash}}now a [[museum]]
* two bridges
{| class="wikitable"
! Town !! People
|-
| [[Upper Town]] || {{formatnum:1200}}
|}
== References ==
{{reflist}}
[[Category:Rivers]]
"""


def dump(size: int) -> tuple[bytes, list[str]]:
    """A multistream dump of about `size` bytes of markup, and its articles."""
    articles = [ARTICLE.replace("River", f"River {number}") for number in range(size // len(ARTICLE))]
    pages = [f"<page><title>R{number}</title><ns>0</ns><id>{number}</id><revision><id>1</id><model>wikitext</model>"
             f"<text>{escape(article)}</text></revision></page>\n" for number, article in enumerate(articles)]
    parts = ["<mediawiki>", *("".join(pages[i:i + 100]) for i in range(0, len(pages), 100)), "</mediawiki>"]
    return b"".join(bz2.compress(part.encode()) for part in parts), articles


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds, the best of three."""
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="20MB")
    size = TypeAdapter(ByteSize).validate_python(parser.parse_args().size)
    print(f"{stamp()}, one thread")
    packed, articles = dump(size)
    total = sum(map(len, articles)) / 1e6
    reader = stage.load("read.wikipedia")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "dump.xml.bz2").write_bytes(packed)

        def read(markup: str) -> int:
            config = reader.config(paths="dump.xml.bz2", markup=markup)
            pieces = reader.pieces(config, Path(folder))
            return sum(batch.num_rows for piece in pieces for batch in reader(piece, config))

        assert read("plain") == len(articles)
        print(f"  {'read.wikipedia':28} {total / seconds(lambda: read('plain')):8.1f} MB/s")
        print(f"  {'the same, markup kept':28} {total / seconds(lambda: read('keep')):8.1f} MB/s")
    some = articles[: max(1, len(articles) // 10)]
    part = sum(map(len, some)) / 1e6
    print(f"  {'plain_text alone':28} {part / seconds(lambda: list(map(plain_text, some))):8.1f} MB/s")
    if importlib.util.find_spec("mwparserfromhell"):
        import mwparserfromhell

        peer = seconds(lambda: [mwparserfromhell.parse(text).strip_code() for text in some])
        print(f"  {'mwparserfromhell.strip_code':28} {part / peer:8.1f} MB/s")


if __name__ == "__main__":
    main()
