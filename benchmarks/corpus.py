"""Real pages that nobody here wrote: documentation packages of Debian, as a web crawl.

    python -m benchmarks.corpus FOLDER        # needs Debian's apt-get and dpkg-deb; installs nothing

The packages are downloaded and unpacked into ``FOLDER/packages``; their HTML files, in the order of a hash that mixes
packages and some twenty languages, become the records of ``FOLDER/warc/part-*.warc.gz``: about 16,000 pages, 360 MB of
HTML. What is there already is not made again.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGES = {
    "debian-handbook": 90, "installation-guide-amd64": 30, "sagemath-doc": 70, "rust-doc": 45, "python3.11-doc": 30,
    "postgresql-doc-15": 15, "linux-doc-6.1": 50, "developers-reference": 10, "libboost1.81-doc": 20, "r-doc-html": 5,
    "python-django-doc": 20, "debmake-doc": 10, "debian-faq": 5, "maint-guide": 5, "libreoffice-help-de": 12,
    "debian-reference-it": 2, "debian-reference-fr": 2, "debian-reference-ja": 2, "debian-reference-de": 2,
    "debian-reference-en": 2,
}
"""Package -> most MB of its HTML that go in, so that no one package is the corpus."""
SUFFIXES = (".html", ".htm", ".html.gz", ".xhtml")
MAX_PAGE = 1_000_000


def fetch(folder: Path) -> Path:
    """Download and unpack the packages; returns the folder with one folder a package."""
    archives, roots = folder / "archives", folder / "packages"
    archives.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if not list(archives.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", "--quiet", package], cwd=archives, check=True)
        for archive in archives.glob(f"{package}_*.deb"):
            if not (root := roots / package).exists():
                part = roots / f"{package}.part"
                part.mkdir(parents=True, exist_ok=True)
                subprocess.run(["dpkg-deb", "-x", archive, part], check=True)
                part.rename(root)
    return roots


def pages(roots: Path) -> Iterator[tuple[str, bytes]]:
    """(url, HTML) of each page, in the order of the hash of the urls."""
    found = []
    for package in PACKAGES:
        for path in (roots / package).rglob("*"):
            if path.name.endswith(SUFFIXES) and path.is_file() and not path.is_symlink():
                url = f"http://{package}.example/{path.relative_to(roots / package)}".removesuffix(".gz")
                found.append((hashlib.blake2b(url.encode(), digest_size=8).hexdigest(), url, package, path))
    left = Counter({package: megabytes * 1_000_000 for package, megabytes in PACKAGES.items()})
    for _, url, package, path in sorted(found):
        page = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
        if len(page) <= min(MAX_PAGE, left[package]):
            left[package] -= len(page)
            yield url, page


def write_warc(folder: Path, shards: int = 8) -> list[Path]:
    """The pages as WARC files, one gzip member a record, as Common Crawl has them. Returns the files."""
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    target = folder / "warc"
    files = [target / f"part-{number:02d}.warc.gz" for number in range(shards)]
    if all(file.exists() for file in files):
        return files
    roots = fetch(folder)
    target.mkdir(exist_ok=True)
    sinks = [file.with_suffix(".part").open("wb") for file in files]
    writers = [WARCWriter(sink, gzip=True) for sink in sinks]
    for number, (url, page) in enumerate(pages(roots)):
        http = StatusAndHeaders(
            "200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))],
            protocol="HTTP/1.1",
        )
        name = hashlib.blake2b(url.encode(), digest_size=6).hexdigest()
        headers = {
            "WARC-Record-ID": f"<urn:uuid:00000000-0000-4000-8000-{name}>",
            "WARC-Date": "2023-06-10T00:00:00Z",
            "WARC-Identified-Payload-Type": "text/html",  # without it datatrove passes over XHTML pages
        }
        writer = writers[number % shards]
        writer.write_record(writer.create_warc_record(
            url, "response", payload=io.BytesIO(page), http_headers=http, warc_headers_dict=headers))
    for sink, file in zip(sinks, files, strict=True):
        sink.close()
        file.with_suffix(".part").rename(file)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    for file in write_warc(parser.parse_args().folder.resolve()):
        print(f"{file}  {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
