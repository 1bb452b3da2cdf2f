"""Which servers a run may read from: the recipe's ``[network]`` table, and the checks each address has to pass.

Nothing is fetched that the table does not allow by name, and no name leads into the private network of the machine
(server-side request forgery): every hop's name is resolved here, all addresses it has are judged, and the connection
is made to an address that was judged, so that a name which changes its answer in between gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from pydantic import ByteSize, Field, field_validator

from dataengine.errors import CredentialsShown, InputError, Unreachable
from dataengine.secret import Secret
from dataengine.stage import StageConfig

SCHEMES = ("http", "https", "s3")
PORTS = {"http": 80, "https": 443}

_HOST = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
_ENTRY = re.compile(rf"(\*\.)?{_HOST}(:[0-9]{{1,5}})?|\[[0-9a-f:.]+\](:[0-9]{{1,5}})?|s3://[a-z0-9][a-z0-9._-]{{1,62}}")
_SECRET_QUERY = re.compile(r"sig|signature|.*token|.*key|.*secret|password|credential|.*accesskeyid|x-(amz|goog|ms)-.*")
_METADATA = tuple(ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16"))
"""Cloud metadata services outside the link-local range (Amazon over IPv6, Alibaba, Azure)."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class S3Config(StageConfig):
    """How S3 is reached. What is left out comes from where AWS's own tools look: environment, profile, role."""

    anonymous: bool = False
    """Send no credentials: for buckets that anybody may read."""
    endpoint: str = Field("", pattern=r"^(https?://.+)?$")
    """Another server that speaks S3, such as `https://minio.example.org`. Its host must stand in `allow` too."""
    region: str = ""
    """Region of the buckets."""
    access_key: Secret | None = None
    """Access key: `{ env = "NAME" }`."""
    secret_key: Secret | None = None
    """Secret key: `{ env = "NAME" }`."""


class NetworkConfig(StageConfig):
    """Which servers a run may read from, and with what patience. Without it, none. Nothing here changes what comes out.
    """

    allow: tuple[str, ...] = ()
    """Hosts (`"data.commoncrawl.org"`, `"*.example.org"`, `"host:8080"`) and buckets (`"s3://commoncrawl"`)."""
    allow_private: bool = False
    """Whether the hosts above may be machines of the private network, or this one. Metadata services never are."""
    tokens: dict[str, Secret] = Field(default={})
    """Host -> token, `{ env = "NAME" }`, sent to that host alone, over https, as `Authorization: Bearer`."""
    timeout: float = Field(30.0, gt=0, le=600)
    """Seconds without an answer, or with less than 1 kB a second, after which a connection is given up."""
    retries: int = Field(6, ge=0, le=20)
    """How often a request is made again that brought nothing; one that broke off goes on where it stopped."""
    first_wait: float = Field(0.5, gt=0, le=60)
    """Seconds before the first of them; each further one waits twice as long, at most a minute."""
    max_bytes: Annotated[ByteSize, Field(gt=0)] = ByteSize(50 * 10**9)
    """Largest object. A larger one is refused as `too_large`."""
    max_redirects: int = Field(5, ge=0, le=20)
    """How many redirects one request may follow, each to a host that is allowed."""
    s3: S3Config = S3Config()
    """How S3 is reached."""

    @field_validator("allow")
    @classmethod
    def _are_hosts(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        for entry in allow:
            if not _ENTRY.fullmatch(entry):
                near = _as_entry(entry)
                better = f'; write "{near}"' if near else ""
                raise ValueError(f'"{entry[:100]}" is neither a host nor s3://bucket{better}')
        return allow

    def allows(self, address: Address) -> bool:
        """Whether the recipe names this host or bucket."""
        return any(_covers(entry, address) for entry in self.allow)

    def check(self, address: Address) -> None:
        """Raise InputError, with what to write, for an address that is not allowed."""
        if self.allows(address):
            return
        allowed = ", ".join(f'"{entry}"' for entry in (*self.allow, address.entry))
        raise InputError(
            f"{address.entry} is not among the hosts the recipe may read from",
            where=address.shown,
            expected="a host that [network] allow names; nothing else is ever fetched",
            write=in_table(f"allow = [{allowed}]"),
        )


@dataclass(frozen=True)
class Address:
    """A remote object's address, in parts. Made by `parse`."""

    scheme: str
    host: str
    """For S3 the bucket."""
    port: int
    path: str
    """With its leading slash, percent-encoded; for S3 the key, as it is."""
    query: str = ""

    @property
    def entry(self) -> str:
        """What `allow` has to hold."""
        if self.scheme == "s3":
            return f"s3://{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """For messages: without its query, which may hold a signature."""
        entry = self.entry.removeprefix("s3://")
        return f"{self.scheme}://{entry}{self.path if self.scheme != 's3' else '/' + self.path}"

    @property
    def url(self) -> str:
        """All of it."""
        return self.shown + (f"?{self.query}" if self.query else "")


def in_table(line: str, table: str = "network") -> str:
    """A line to write into a table of the recipe, as a message shows it."""
    return f"[{table}]\n              {line}"


def is_remote(path: str) -> bool:
    """Whether a path is an address, of whatever scheme."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.\-]*://", path) is not None


def parse(text: str, *, redirected: bool = False) -> Address:
    """The parts of an address. Raises InputError for what is none, or holds credentials in the open.

    An address that a server redirects to may carry a signature: it is used once and never stored.
    """
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip(".").encode("idna").decode(), parts.port
    except ValueError as error:
        raise InputError(f"this is no address: {error}", where=_blunt(text)) from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        raise InputError(f"{scheme}:// cannot be read", where=_blunt(text), expected="https://, http:// or s3://")
    if not host or re.search(r"[\x00-\x1f\x7f]" if scheme == "s3" else r"[\x00-\x20\x7f\\]", text):
        raise InputError("this is no address", where=_blunt(text), expected=f"{scheme}://host/path")
    if parts.username is not None or parts.password is not None:
        raise CredentialsShown(
            "an address with a name or password in it would stand in the ledger for all to read",
            where=_blunt(text), write=in_table(f'tokens = {{ "{host}" = {{ env = "NAME" }} }}'))
    if scheme == "s3":
        return Address(scheme, host, 0, text.split("/", 3)[3] if text.count("/") > 2 else "")
    if not redirected:
        _refuse_signed(parts, host)
    path = quote(parts.path or "/", safe="/%:=&~+!$,;'@()*[]|")
    return Address(scheme, host, port or PORTS[scheme], path, quote(parts.query, safe="/%:=&?~+!$,;'@()*[]|"))


def _refuse_signed(parts: SplitResult, host: str) -> None:
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if _SECRET_QUERY.fullmatch(name.lower()):
            raise CredentialsShown(
                f'an address with "{name[:40]}" in it is signed: it runs out, and would stand in the ledger for all',
                where=f"{parts.scheme}://{host}{parts.path}",
                expected="an address without credentials",
                write=in_table(f'tokens = {{ "{host}" = {{ env = "NAME" }} }}'))


def _blunt(text: str) -> str:
    """An address for a message, without what may be secret in it."""
    head, _, _ = text.partition("?")
    return re.sub(r"//[^/@]*@", "//", head)[:300]


def _as_entry(text: str) -> str:
    """What somebody meant who wrote a whole address, or capitals, into `allow`."""
    try:
        parts = urlsplit(text.lower() if "://" in text else f"https://{text.lower()}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    near = f"s3://{host}" if parts.scheme == "s3" else f"{host}:{port}" if port else host
    return near if _ENTRY.fullmatch(near) else ""


def _covers(entry: str, address: Address) -> bool:
    if entry.startswith("*."):
        host, _, port = entry[1:].partition(":")
        same = address.scheme != "s3" and address.host.endswith(host)
        return same and address.port == (int(port) if port else PORTS[address.scheme])
    return entry == address.entry


# --- addresses of machines --------------------------------------------------------------------------------------------


def resolve(address: Address, policy: NetworkConfig) -> list[str]:
    """The machine's addresses, all of them judged. Raises InputError for one that is not to be reached.

    Raises Unreachable where the name cannot be resolved.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unreachable(f"the name {address.host} cannot be resolved: {reason}", where=address.shown) from None
    machines = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for machine in machines:
        if what := forbidden(ipaddress.ip_address(machine.partition("%")[0]), policy.allow_private):
            curable = what.startswith("private")
            raise InputError(
                f"{address.host} leads to {machine}, a {what} address",
                where=address.shown,
                expected="a public address",
                write=in_table("allow_private = true") if curable else "")
    return machines


def forbidden(machine: IP, allow_private: bool) -> str:
    """What kind of address this is, where it is not to be reached; empty where it may be."""
    inner = _inner(machine)
    if inner is not None:
        return forbidden(inner, allow_private)
    if machine.is_link_local or machine in _METADATA:
        return "link-local or metadata"
    if machine.is_multicast or machine.is_unspecified or (machine.is_reserved and not machine.is_loopback):
        return "reserved"
    if not machine.is_global and not allow_private:
        return "private"
    return ""


def _inner(machine: IP) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address carries (mapped, 6to4, Teredo, NAT64), or None."""
    if isinstance(machine, ipaddress.IPv4Address):
        return None
    if machine in _NAT64:
        return ipaddress.IPv4Address(int(machine) & 0xFFFFFFFF)
    return machine.ipv4_mapped or machine.sixtofour or (machine.teredo[1] if machine.teredo else None)


# --- the policy in force ----------------------------------------------------------------------------------------------

_current = NetworkConfig()


def current() -> NetworkConfig:
    """The policy of the recipe at work; by default nothing is allowed."""
    return _current


def use(policy: NetworkConfig) -> None:
    """Put a policy in force, for this process."""
    global _current
    if policy != _current:  # an equal one keeps its connections
        _current = policy


@contextmanager
def using(policy: NetworkConfig) -> Iterator[None]:
    """Put a policy in force for a while."""
    before = current()
    use(policy)
    try:
        yield
    finally:
        use(before)
