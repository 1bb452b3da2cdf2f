from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataengine.remote import http
from tests.remote.server import Server, serving

CERTIFICATE = Path(__file__).with_name("certificates") / "localhost.pem"
"""Made for these tests with openssl, for the name localhost alone; nobody else trusts it."""


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
