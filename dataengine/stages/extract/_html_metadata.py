"""What a page says of itself: title, date, language."""

from __future__ import annotations

import datetime
import html
import re
from typing import TYPE_CHECKING, NamedTuple

from dataengine.kernels import elements as e
from dataengine.stages.extract._html_attributes import attributes

if TYPE_CHECKING:
    from dataengine.kernels.tree import Tree

MAX_TAG = 4096
MAX_SCRIPT = 200_000
"""Bytes of a tag, and of a script with JSON-LD, that are looked at."""
MAX_MARKS = 200
"""Tags that are looked at."""

TITLES = ("og:title", "twitter:title", "dc.title")
LANGUAGES = ("content-language", "language", "dc.language", "inlanguage", "og:locale")
DATES = (
    "article:published_time", "og:published_time", "datepublished", "rnews:datepublished", "article.published",
    "citation_publication_date", "citation_date", "parsely-pub-date", "sailthru.date", "cxenseparse:recs:publishtime",
    "publish_date", "publish-date", "publishdate", "published_time", "pubdate", "dc.date.issued", "dcterms.created",
    "dcterms.date", "date.created", "dc.date", "date",
)
"""Names of ``<meta>``, the surest first."""

JSON_DATE = re.compile(r'"datePublished"\s*:\s*"([^"]{8,40})"')
ISO = re.compile(r"\b((?:19|20)\d\d)[-/.]?(0[1-9]|1[0-2])[-/.]?(0[1-9]|[12]\d|3[01])(?!\d)")
IN_URL = re.compile(r"/((?:19|20)\d\d)[/-]?(0[1-9]|1[0-2])[/-]?(0[1-9]|[12]\d|3[01])(?=[/_-]|$)")
WRITTEN = re.compile(r"\b(\d{1,2})?\.?\s*([A-Za-z]{3})[a-z]*\.?\s+(?:(\d{1,2})(?:st|nd|rd|th)?,?\s+)?((?:19|20)\d\d)\b")
MONTHS = {name: number for number, name in enumerate(
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1)}
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")


class Metadata(NamedTuple):
    """Each None where the page does not say."""

    title: str | None
    published: str | None
    """ISO 8601 date: ``2019-11-18``."""
    language: str | None
    """BCP 47 in lower case: ``pt-br``."""


def read_metadata(content: bytes, parsed: Tree, url: str | None) -> Metadata:
    """The metadata of a page in UTF-8, from its ``<meta>``, JSON-LD, ``<title>``, ``<time>`` and address."""
    metas: dict[str, str] = {}
    title = language = linked = shown = None
    for node in parsed.marked[:MAX_MARKS].tolist():
        number = parsed.tag[node]
        start, stop = int(parsed.start[node]), int(parsed.stop[node])
        if number == e.TITLE:
            title = title or _line(content[stop:min(int(parsed.finish[node]), stop + MAX_TAG)])
        elif number == e.META:
            said = attributes(content[start:min(stop, start + MAX_TAG)])
            for key in ("property", "name", "http-equiv", "itemprop"):
                if key in said and said.get("content"):
                    metas.setdefault(said[key].strip().lower(), said["content"])
        elif number == e.HTML:
            said = attributes(content[start:min(stop, start + MAX_TAG)])
            language = language or said.get("lang") or said.get("xml:lang")
        elif number == e.TIME and shown is None:
            said = attributes(content[start:min(stop, start + MAX_TAG)])
            shown = as_date(said.get("datetime", ""))
        elif number == e.SCRIPT and linked is None:
            source = content[stop:min(int(parsed.finish[node]), stop + MAX_SCRIPT)].decode("utf-8", "replace")
            if match := JSON_DATE.search(source):
                linked = as_date(match[1])
    published = next(filter(None, (as_date(metas[name]) for name in DATES if name in metas)), None)
    languages = [language, *(metas[name] for name in LANGUAGES if name in metas)]
    said_title = next((text for name in TITLES if name in metas and (text := _line(metas[name].encode()))), None)
    return Metadata(
        said_title or title, published or linked or shown or _date_in(url),
        next(filter(None, (as_language(said) for said in languages if said)), None))


def _line(text: bytes) -> str | None:
    """Text on one line, references resolved."""
    return " ".join(html.unescape(text.decode("utf-8", "replace")).replace("\0", "").split()) or None


def as_date(text: str) -> str | None:
    """An ISO date out of what stands for one: ``2019-11-18T10:00Z``, ``20191118``, ``18 November 2019``, or None."""
    text = text[:64]
    if match := ISO.search(text):
        return _checked(int(match[1]), int(match[2]), int(match[3]))
    if match := WRITTEN.search(text):
        month, day = MONTHS.get(match[2].lower()), match[1] or match[3]
        if month and day:
            return _checked(int(match[4]), month, int(day))
    return None


def _date_in(url: str | None) -> str | None:
    match = IN_URL.search(url[:2048]) if url else None
    return _checked(int(match[1]), int(match[2]), int(match[3])) if match else None


def _checked(year: int, month: int, day: int) -> str | None:
    try:
        return datetime.date(year, month, day).isoformat()
    except ValueError:
        return None


def as_language(text: str) -> str | None:
    """A language tag in lower case, out of ``pt_BR``, ``en-US`` or ``de, en`` (the first counts), or None."""
    match = LANGUAGE.match(text.strip().lower().replace("_", "-")[:35])
    return match[0] if match else None
