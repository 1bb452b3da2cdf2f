"""Replace personal data and secrets: addresses, numbers of phones, cards, accounts and people, keys, passwords.

Put it right behind the reader or extractor, before the first filter: what an earlier step stores on disk would hold
the original, so the plan refuses any other place (unless ``keep_originals`` says that this is wanted). Rows that were
dropped or quarantined before it are scrubbed as well, and so are all other columns of text, ``url`` and ``title`` too;
columns of bytes such as ``html`` are emptied, and of what was quarantined before it no text is stored.

How often each kind was found in `columns` is stored as ``pii_email``, ``pii_phone`` and so on. To drop documents with
too much of it, put ``filter.where`` behind: ``where = "pii_phone < 20"``.

Numbers have to pass their check digits, and ambiguous ones need a word beside them that says what they are, so names,
street addresses and dates of birth, which have neither, are not found.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from dataengine.pii.kinds import KINDS, Kind
from dataengine.stage import BASE_COLUMNS, MESSAGES, Columns, StageConfig, map

if TYPE_CHECKING:
    import pyarrow as pa

    from dataengine.pii.scrub import Scrubber

LIKE_DATATROVE: tuple[Kind, ...] = ("email", "ip")


class Config(StageConfig):
    kinds: tuple[Kind, ...] = Field(KINDS, min_length=1)
    """What to look for. email; phone; credit_card; iban; bank: routing and account numbers; ssn: US social security;
    national_id: identity, tax, health and passport numbers of some forty countries; ip and mac: addresses of machines;
    crypto: wallets; key: keys and tokens of services, private keys; password: what is given as one; login: user and
    password in a URL."""
    columns: tuple[str, ...] = Field(("text",), min_length=1)
    """The columns whose findings are counted: text, or messages for conversations. All other columns of text are
    scrubbed with them, uncounted."""
    replacement: str = "<{KIND}>"
    """What to write in the place of what was found; {KIND} and {kind} stand for its kind, in capitals and small."""
    replacements: Mapping[Kind, str] = Field(default_factory=dict)
    """Another replacement for a kind: { email = "someone@example.org" }."""
    allow: tuple[str, ...] = ()
    """Values that stay ("support@example.com", "8.8.8.8"), and hosts whose mail addresses stay ("example.com")."""
    private_addresses: bool = False
    """Whether IP addresses that are not routed in public (10.0.0.1, 127.0.0.1, fe80::1) are replaced too."""
    compat: Literal["datatrove"] | None = None
    """"datatrove": mail and public IP addresses, found and replaced as datatrove 0.10 does; replacement is not used."""
    keep_originals: bool = False
    """Allow earlier steps to store shards that still hold the originals; without it the plan refuses such a place."""

    @model_validator(mode="after")
    def _own_columns(self) -> Config:
        kept = [column for column in self.columns if column in BASE_COLUMNS]
        if kept:
            raise ValueError(f'"{kept[0]}" is scrubbed always; expected columns such as "text" or "messages"')
        return self

    def wanted(self) -> tuple[Kind, ...]:
        """The kinds in their fixed order; those that datatrove knows, with its compat."""
        return tuple(
            kind for kind in KINDS if kind in self.kinds and (self.compat is None or kind in LIKE_DATATROVE)
        )


def adds(config: Config) -> Columns:
    """The columns, cleaned, and a count for each kind."""
    cleaned = {column: MESSAGES if column == "messages" else "string" for column in config.columns}
    return cleaned | {f"pii_{kind}": "int64" for kind in config.wanted()}


def others(batch: pa.RecordBatch, config: Config, columns: tuple[str, ...]) -> pa.RecordBatch:
    """The batch with these columns cleaned: what the engine asks for all that is stored beside `Config.columns`."""
    import pyarrow as pa

    scrubber = scrubber_of(config.model_dump_json())
    for name in columns:
        place = batch.schema.get_field_index(name)
        values = batch.column(place)
        if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
            cleaned = pa.nulls(len(values), values.type)  # in bytes of any encoding it could hide
        else:
            cleaned = scrubber.column(values)[0]
        batch = batch.set_column(place, batch.schema.field(place), cleaned)
    return batch


@map(reads=lambda config: config.columns, adds=adds, version=1, scrubs=others)
def pii(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    """Null stays null. Linear in the text; 6 µs for a mail address, 50 to 90 for a number that has to be judged."""
    import pyarrow as pa

    scrubber = scrubber_of(config.model_dump_json())
    result: dict[str, Any] = {}
    counts: Any = 0
    for column in config.columns:
        result[column], found = scrubber.column(batch[column])
        counts = counts + found
    for number, kind in enumerate(scrubber.kinds):
        result[f"pii_{kind}"] = pa.array(counts[:, number], pa.int64())
    return result


@lru_cache(maxsize=16)
def scrubber_of(config: str) -> Scrubber:
    """The scrubber of a config, given as JSON: a config holds a mapping, so it has no hash."""
    from dataengine.pii import datatrove
    from dataengine.pii.scrub import Scrubber

    wanted = Config.model_validate_json(config)
    kinds = wanted.wanted()
    if wanted.compat == "datatrove":
        written: dict[Any, tuple[str, ...]] = {"email": datatrove.EMAILS, "ip": datatrove.ADDRESSES}
    else:
        written = {kind: (_filled_in(wanted.replacements.get(kind, wanted.replacement), kind),) for kind in kinds}
    allowed = frozenset(value.lower() for value in wanted.allow)
    return Scrubber(kinds, written, wanted.private_addresses, allowed, wanted.compat == "datatrove")


def _filled_in(replacement: str, kind: str) -> str:
    return replacement.replace("{KIND}", kind.upper()).replace("{kind}", kind)
