"""Lists of paths: files whose name ends in `.paths`, also packed, with one path a line (as Common Crawl has them).

A line is relative to `prefix`, or an address of its own. Of a list of remote objects a plan asks the server about
three at most, to know that the prefix is right and about how large they are: 90,000 questions would be too many. So
what a list names is taken to stay as it is; that no object changes while it is read is still checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from dataengine import remote
from dataengine.errors import InputError
from dataengine.stages.read._found import Found, ends, whole
from dataengine.stages.read._open import Damage, Stream, opened

LIST_ENDINGS = tuple(".paths" + codec for codec in ("", ".gz", ".bz2", ".xz", ".zst"))
MOST_BYTES, LONGEST_LINE = 512 << 20, 4096
UNKNOWN_SIZE = 1 << 30
"""What a listed object is taken to weigh where its server does not say: about a WARC of Common Crawl."""
LOOKS = 3

_ODD = re.compile(r"[\x00-\x1f\x7f\\]")


def is_list(path: str) -> bool:
    """Whether a path of a recipe names a list, or a pattern of lists."""
    return ends(path, LIST_ENDINGS)


def listed(file: Found, prefix: str, local: Callable[[str], list[Found]]) -> list[Found]:
    """The files that a list names, in its order. `local` finds those that are no addresses.

    Raises InputError for a list that cannot be read or names what is none; Unreachable where a server is in trouble.
    """
    found = targets(file, prefix, lines_of(file), local)
    if not found:
        raise InputError("the list is empty", where=file.origin, expected="one path a line")
    return found


def targets(
    file: Found, prefix: str, names: Iterable[tuple[int, str]], local: Callable[[str], list[Found]]
) -> list[Found]:
    """The files of these names, given with the lines they stand on; each is one."""
    if not prefix and remote.is_remote(file.path):
        address = remote.parse(file.path)
        prefix = f"{address.scheme}://{address.entry.removeprefix('s3://')}/"
    if prefix:
        prefix = prefix.rstrip("/") + "/"
    found: list[Found] = []
    for number, line in names:
        target = line if remote.is_remote(line) else prefix + line.lstrip("/") if prefix else line
        _check(target, f"{file.origin}:{number}")
        if remote.is_remote(target):
            found.append(Found(target, target, UNKNOWN_SIZE, ranges=False))
        else:
            found += local(target)
    return found


def weighed(files: list[Found]) -> list[Found]:
    """The files, with a size for those of them that a list names: that of the first one the server knows."""
    unknown = [file for file in files if not file.ranges and not file.mark]
    if not unknown:
        return files
    size = _size_of_one(unknown)
    return [file._replace(size=size) if not file.ranges and not file.mark else file for file in files]


def lines_of(file: Found) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without blank ones and comments."""
    try:
        with opened(whole(file)) as raw:
            parts, size = [], 0
            for block in Stream(raw, file.path).blocks():
                parts.append(block)
                size += len(block)
                if size > MOST_BYTES:
                    raise Damage("too_large", f"longer than {MOST_BYTES} bytes")
        text = b"".join(parts).decode("utf-8-sig")
    except (Damage, UnicodeDecodeError) as error:
        raise InputError(f"the list cannot be read: {error}", where=file.origin,
                         expected="text in UTF-8, one path a line") from None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line


def _check(target: str, where: str) -> None:
    """Raise InputError for a line that is no path or leads out of its prefix."""
    if len(target) > LONGEST_LINE or _ODD.search(target) or ".." in target.split("/"):
        raise InputError(f"this line is no path: {target[:100]!a}", where=where,
                         expected="a path below the prefix, or a whole address")
    if remote.is_remote(target):
        remote.current().check(remote.parse(target))


def _size_of_one(files: list[Found]) -> int:
    from dataengine.remote.file import RemoteFile
    from dataengine.remote.http import Refused

    why = ""
    for file in islice((files[0], files[len(files) // 2], files[-1]), LOOKS):
        try:
            with RemoteFile(file.path) as opened_file:
                return opened_file.facts().size or UNKNOWN_SIZE
        except Refused as refused:
            why = refused.why
    raise InputError(f"none of the objects that were asked for is there: {why}",
                     where=remote.parse(files[0].path).shown, expected="prefix + line to be an address",
                     write='prefix = "https://data.commoncrawl.org/"')
