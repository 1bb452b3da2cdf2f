"""Which remote objects a recipe means: addresses, and folders and globs of S3.

The server is asked about each address that the recipe itself names: the answer to a request for its first byte tells
size, ETag and whether parts can be read. S3 tells size and ETag in its listings.
"""

from __future__ import annotations

import re

from dataengine import remote
from dataengine.errors import InputError
from dataengine.remote.policy import in_table
from dataengine.stages.read._found import Found

_PATTERN = re.compile(r"[*?\[]")


def addressed(text: str, endings: tuple[str, ...]) -> list[Found]:
    """The objects that an address means: itself, or for S3 what lies below it or matches it.

    Raises InputError for an address that is not allowed, or where there is nothing; Unreachable where the server is in
    trouble.
    """
    address, policy = remote.parse(text), remote.current()
    policy.check(address)
    if address.scheme == "s3" and (_PATTERN.search(address.path) or address.path.endswith("/") or not address.path):
        return _listing(text, address.path, endings)
    if address.scheme != "s3" and re.search(r"[*\[]", address.path):
        raise InputError("a server of http has no listing that a pattern could match", where=address.shown,
                         expected="whole addresses, or a list of them", write='paths = "https://.../warc.paths.gz"')
    from dataengine.remote.file import RemoteFile
    from dataengine.remote.http import Refused

    try:
        with RemoteFile(address) as file:
            facts = file.facts()
    except Refused as refused:
        closed = re.search(r"\b40[13]\b", refused.why) is not None and address.entry not in policy.tokens
        raise InputError(refused.why, where=address.shown, expected="an object that can be read",
                         write=in_table(f'tokens = {{ "{address.entry}" = {{ env = "NAME" }} }}') if closed else "",
                         ) from None
    return [Found(text, text, facts.size, mark=facts.stamp, ranges=facts.ranges)]


def _listing(text: str, path: str, endings: tuple[str, ...]) -> list[Found]:
    """Of a folder what has one of the endings; of a glob what it matches, and of a final ``**`` as of a folder."""
    from dataengine.remote.file import Patience
    from dataengine.remote.http import Broken, Refused
    from dataengine.remote.s3 import Store

    policy, patience = remote.current(), Patience(remote.current(), text)
    while True:
        try:
            found = Store(policy).list(text)
            break
        except Refused as refused:
            raise InputError(refused.why, where=text, expected="a bucket that can be listed") from None
        except Broken as broken:
            patience.wait(broken)
    by_ending = not _PATTERN.search(path) or path.endswith("**")
    chosen = [
        Found(name, name, size, mark=f"{size} {validator}")
        for name, (size, validator) in sorted(found.items())
        if not by_ending or name.lower().endswith(endings)
    ]
    if not chosen:
        raise InputError("the bucket holds nothing of this format there", where=text,
                         expected=f"objects named {' '.join('*' + ending for ending in endings[:12])}")
    return chosen
