"""Drop documents by their address: lists of domains, hosts and pages, words, and patterns matched in linear time.

RefinedWeb's and FineWeb's first step (arXiv:2306.01116, section 3.1 and app. G.1; arXiv:2406.17557). No list is built
in: name yours, such as the University of Toulouse's blocklists, in `domain_files` and the others. A list of five
million domains takes 40 MB and 3 s to load in each worker. Hosts are compared as browsers compare them: upper case,
international names (IDNA), user names, ports and percent signs make no difference. Words are runs of letters and
digits, in lower case (datatrove looks at the address as written, so that `Casino` escapes it). An address costs about
1 µs, 9 µs with lists of words and substrings too.

A document without an address, or with one that names no host, has `url_valid` false and is kept unless
`drop_invalid` says otherwise; words, substrings and patterns look at it all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, field_validator

from dataengine.stage import Columns, LoadedFile, Rule, StageConfig, filter

if TYPE_CHECKING:
    import pyarrow as pa

Files = Annotated[tuple[str, ...], LoadedFile()]
MOST_TOGETHER = 500
"""Substrings in one pattern: RE2 keeps the states of more than that no longer in its cache."""
LONGEST_TOGETHER = 200
"""Characters of a substring in such a pattern: RE2 refuses patterns of more than a few hundred thousand."""


class Config(StageConfig):
    domains: tuple[str, ...] = ()
    """Domains to drop, with all below them: `example.com` means `www.example.com` too."""
    domain_files: Files = ()
    """Files of such domains, one a line, plain or packed; hosts files (`0.0.0.0 ads.example`) will do."""
    hosts: tuple[str, ...] = ()
    """Hosts to drop, without those below them."""
    host_files: Files = ()
    """Files of such hosts."""
    urls: tuple[str, ...] = ()
    """Pages to drop: host, path and query; scheme, port, closing slash and what follows `#` make no difference."""
    url_files: Files = ()
    """Files of such pages."""
    allow: tuple[str, ...] = ()
    """Domains, with all below them, for which nothing else here counts: all their other measures are 0."""
    allow_files: Files = ()
    """Files of such domains."""
    words: tuple[str, ...] = ()
    """Words of which an address may hold `max_words`."""
    word_files: Files = ()
    """Files of such words."""
    max_words: int | None = Field(0, ge=0)
    """Most different ones of `words` in an address."""
    soft_words: tuple[str, ...] = ()
    """Words that say little alone: an address may hold `max_soft_words` of them."""
    soft_word_files: Files = ()
    """Files of such words."""
    max_soft_words: int | None = Field(1, ge=0)
    """Most different ones of `soft_words`; 1 is the threshold 2 of RefinedWeb and datatrove."""
    substrings: tuple[str, ...] = ()
    """Looked for in the address's letters and digits run together, in lower case: `example` is in `ex-am.ple.com`."""
    substring_files: Files = ()
    """Files of such substrings."""
    patterns: tuple[str, ...] = ()
    """Regular expressions in RE2's syntax, looked for in the address as written; `(?i)` for any case."""
    drop_invalid: bool = False
    """Whether to drop documents whose address is missing or names no host."""

    listed: ClassVar[bool] = True
    """What the measures of the lists must not be."""

    @field_validator("domains", "hosts", "allow")
    @classmethod
    def _are_hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        from dataengine.stages.filter._hosts import split

        for name in names:
            host, behind = split(name.removeprefix("*."))
            if not host or behind:
                raise ValueError(f'{name!r} is no host; write it like "example.com"')
        return names

    @field_validator("urls")
    @classmethod
    def _name_a_host(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        from dataengine.stages.filter._hosts import split

        for url in urls:
            if not split(url)[0]:
                raise ValueError(f'{url!r} names no host; write it like "example.com/page"')
        return urls

    @field_validator("words", "soft_words")
    @classmethod
    def _are_words(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            if not all(char.isalnum() or not char.isascii() for char in word) or not word:
                raise ValueError(f"{word!r} could never match: a word is a run of letters and digits")
        return words

    @field_validator("substrings")
    @classmethod
    def _are_substrings(cls, substrings: tuple[str, ...]) -> tuple[str, ...]:
        for text in substrings:
            if not squeezed(text):
                raise ValueError(f"{text!r} holds no letter or digit, and these alone are looked at")
        return substrings


RULES = [
    Rule("invalid_url", "url_valid", "<", "drop_invalid"),
    Rule("blocked_domain", "url_domain_listed", "==", "listed"),
    Rule("blocked_host", "url_host_listed", "==", "listed"),
    Rule("blocked_url", "url_listed", "==", "listed"),
    Rule("blocked_words", "url_words", ">", "max_words"),
    Rule("blocked_soft_words", "url_soft_words", ">", "max_soft_words"),
    Rule("blocked_substring", "url_substring_listed", "==", "listed"),
    Rule("blocked_pattern", "url_pattern_matches", "==", "listed"),
]

MEASURES = {
    "url_host": "string",
    "url_valid": "bool",
    "url_allowed": "bool",
    "url_domain_listed": "bool",
    "url_host_listed": "bool",
    "url_listed": "bool",
    "url_words": "int64",
    "url_soft_words": "int64",
    "url_substring_listed": "bool",
    "url_pattern_matches": "bool",
}

LISTS = ("domains", "hosts", "urls", "words", "soft_words", "substrings", "patterns")


def check(config: Config, columns: Columns) -> str | None:
    """There is something to look for, and RE2 can compile the patterns."""
    files = ("domain_files", "host_files", "url_files", "word_files", "soft_word_files", "substring_files")
    if not config.drop_invalid and not any(getattr(config, name) for name in (*LISTS, *files)):
        return f"nothing to drop is named: give one of {', '.join(LISTS)}, or drop_invalid = true"
    return _not_linear(config.patterns) if config.patterns else None


def _not_linear(patterns: tuple[str, ...]) -> str | None:
    """What RE2 says of the first pattern it does not take."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for pattern in patterns:
        try:
            pc.match_substring_regex(pa.array([""]), pattern)
        except pa.ArrowInvalid as error:
            why = str(error).removeprefix("Invalid regular expression: ")
            return (f"the pattern {pattern!r} is not in RE2's syntax, which leaves out what cannot be matched in linear"
                    f" time, such as look-around and back-references: {why}")
    return None


@filter(reads=["url"], measures=MEASURES, rules=RULES, version=1, check=check)
def url(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    import numpy as np

    from dataengine.stages.filter._lists import Parsed, table

    column = batch["url"]
    parsed = Parsed(column)
    allowed = parsed.under(table(config.allow, config.allow_files, "host"))
    hosts, pages = (table(config.hosts, config.host_files, "host"), table(config.urls, config.url_files, "page"))
    nowhere = np.zeros(batch.num_rows, np.bool_)
    listed = {
        "url_domain_listed": parsed.under(table(config.domains, config.domain_files, "host")),
        "url_host_listed": parsed.among(parsed.host_hashes(), hosts) if len(hosts) else nowhere,
        "url_listed": parsed.among(parsed.page_hashes(), pages) if len(pages) else nowhere,
        "url_words": _words(parsed, config.words, config.word_files),
        "url_soft_words": _words(parsed, config.soft_words, config.soft_word_files),
        "url_substring_listed": _substrings(parsed, config),
        "url_pattern_matches": _patterns(column, config.patterns),
    }
    return {
        "url_host": parsed.names,
        "url_valid": np.diff(parsed.ends) > 0,
        "url_allowed": allowed,
        **{name: np.where(allowed, values.dtype.type(0), values) for name, values in listed.items()},
    }


def _words(parsed: Any, words: tuple[str, ...], files: tuple[str, ...]) -> Any:
    """How many different ones of the words each URL holds: int64, shape (n,)."""
    import numpy as np

    from dataengine.kernels.hosts import count_words, word_hashes
    from dataengine.stages.filter import _lists

    counts = np.zeros(len(parsed.ends) - 1, np.int64)
    if words or files:
        count_words(parsed.data, parsed.offsets, word_hashes(_lists.words(words, files)), counts)
    return counts


def squeezed(text: str) -> str:
    """A text as substrings are compared: ASCII letters and digits, and all that is not ASCII, in lower case."""
    return "".join(char for char in text if char.isalnum() or not char.isascii()).lower()


def _substrings(parsed: Any, config: Config) -> Any:
    """Whether each URL holds one of the substrings: bool, shape (n,)."""
    import re

    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from dataengine.kernels.hosts import squeeze
    from dataengine.stages.filter import _lists

    wanted = [text for line in _lists.words(config.substrings, config.substring_files) if (text := squeezed(line))]
    if not wanted:
        return np.zeros(len(parsed.ends) - 1, np.bool_)
    out = np.empty(int(parsed.offsets[-1] - parsed.offsets[0]), np.uint8)
    ends = np.zeros(len(parsed.offsets), np.int64)
    squeeze(parsed.data, parsed.offsets, out, ends)
    texts = pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(out))
    short = [text for text in wanted if len(text) <= LONGEST_TOGETHER]
    groups = [short[i:i + MOST_TOGETHER] for i in range(0, len(short), MOST_TOGETHER)]
    found = _patterns(texts, ["|".join(map(re.escape, group)) for group in groups])
    for text in wanted:
        if len(text) > LONGEST_TOGETHER:
            found |= pc.match_substring(texts, text).to_numpy(zero_copy_only=False)
    return found


def _patterns(column: Any, patterns: Any) -> Any:
    """Whether each text matches one of the patterns: bool, shape (n,). A null matches none."""
    import numpy as np
    import pyarrow.compute as pc

    found = np.zeros(len(column), np.bool_)
    for pattern in patterns:
        found |= pc.match_substring_regex(column, pattern).fill_null(False).to_numpy(zero_copy_only=False)
    return found
