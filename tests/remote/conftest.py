from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataengine.remote import http
from tests.remote.server import Server, serving

CERTIFICATE = Path(__file__).with_name("certificates") / "localhost.pem"
"""Made for these tests with openssl, for the name localhost alone; nobody else trusts it."""


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a check ever fail to refuse an address, the test fails before anything leaves this machine."""
    connect = socket.create_connection

    def guarded(address: tuple[str, int], *arguments: object, **more: object) -> socket.socket:
        assert address[0].startswith("127."), f"a connection to {address[0]} was about to be made"
        return connect(address, *arguments, **more)

    monkeypatch.setattr("socket.create_connection", guarded)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def tls_server() -> Iterator[Server]:
    http._trust.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, CERTIFICATE.with_suffix(".key"))
    with serving(context) as state:
        yield state
    http._trust.cache_clear()


@pytest.fixture
def trusted(tls_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
