"""A remote object reads like the file it is, whatever the connection does."""

from __future__ import annotations

import io
import random
import time
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataengine.errors import InputError, RunFailed, Unreachable
from dataengine.remote.file import RemoteFile
from dataengine.remote.http import Refused
from tests.remote.server import Server, etag, serving

DATA = random.Random(7).randbytes(200_000)


def test_it_is_read_to_its_end_with_few_requests(server: Server) -> None:
    with RemoteFile(server.put("/a", DATA * 10), policy=server.policy()) as file:
        assert b"".join(iter(lambda: file.read(50_000), b"")) == DATA * 10
        assert file.read(10) == b"" and file.tell() == len(DATA) * 10
    assert len(server.asked) <= 4 and server.connections == 1
    assert server.served["/a"] == len(DATA) * 10


def test_one_object_after_the_other_comes_over_one_connection(server: Server) -> None:
    policy = server.policy()
    for number in range(5):
        with RemoteFile(server.put(f"/{number}", DATA[:number]), policy=policy) as file:
            assert file.facts().size == number
            assert file.read(10) == DATA[:number]
    assert server.connections == 1


def test_any_place_can_be_read_and_costs_little_more_than_was_asked_for(server: Server) -> None:
    with RemoteFile(server.put("/a", DATA * 10), policy=server.policy()) as file:
        assert file.seek(-100, io.SEEK_END) == len(DATA) * 10 - 100
        assert file.read(100) == (DATA * 10)[-100:]
        file.seek(123_456)
        assert file.read(1000) == (DATA * 10)[123_456:124_456]
        assert file.seek(10, io.SEEK_CUR) == 124_466
    assert server.served["/a"] < 70_000


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 60_000), seed=st.integers(0, 99), ranges=st.booleans(), chunked=st.booleans(),
       length=st.integers(0, 50_000))
def test_a_connection_cut_at_any_byte_loses_and_repeats_nothing(cut, seed, ranges, chunked, length) -> None:
    with serving() as server:
        server.cut, server.cuts, server.rng = cut, 3, random.Random(seed)
        server.ranges, server.chunked = ranges, chunked
        with RemoteFile(server.put("/a", DATA[:length]), policy=server.policy()) as file:
            assert file.read() == DATA[:length]


def test_what_came_before_a_cut_is_not_fetched_again(server: Server) -> None:
    server.cut = 20_000
    with RemoteFile(server.put("/a", DATA), policy=server.policy()) as file:
        assert file.read() == DATA
    assert server.served["/a"] == len(DATA)


def test_a_body_that_ends_before_its_stated_length_is_not_the_end_of_the_object(server: Server) -> None:
    url, server.ranges = server.put("/a", DATA[:1000]), False
    server.headers["/a"] = {"Content-Length": "2000", "Connection": "close"}
    with RemoteFile(url, policy=server.policy(timeout=0.2, retries=1)) as file:
        assert file.read(1000) == DATA[:1000]
        with pytest.raises(Unreachable, match=r"ended early|no answer"):
            file.read()


def test_connections_that_bring_nothing_at_all_come_to_an_end(server: Server) -> None:
    url, server.cut, server.cuts = server.put("/a", DATA), 1, 50
    server.rng = SimpleNamespace(randint=lambda low, high: low)
    with RemoteFile(url, policy=server.policy()) as file, pytest.raises(Unreachable, match="5 attempts"):
        file.read()
    assert len(server.asked) == 5


def test_a_range_other_than_the_one_asked_for_is_not_taken(server: Server) -> None:
    url = server.put("/a", DATA[:1000])
    server.headers["/a"] = {"Content-Range": "bytes 100-1099/2000"}
    with RemoteFile(url, policy=server.policy(retries=1)) as file, pytest.raises(Unreachable, match="not what was"):
        file.read(10)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_trouble_that_passes_is_waited_for(server: Server, status: int) -> None:
    url = server.put("/a", DATA)
    server.errors["/a"] = [status] * 3
    with RemoteFile(url, policy=server.policy()) as file:
        assert file.read() == DATA


def test_trouble_that_stays_ends_with_words(server: Server) -> None:
    url = server.put("/a", DATA)
    server.errors["/a"] = [503] * 99
    with RemoteFile(url, policy=server.policy()) as file, pytest.raises(Unreachable) as caught:
        file.read()
    assert "503" in caught.value.found and caught.value.where == url and "again" in caught.value.write
    assert len(server.asked) == 5


def test_a_server_that_says_how_long_to_wait_is_obeyed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr("dataengine.remote.file.time.sleep", rests.append)
    url = server.put("/a", DATA)
    server.errors["/a"], server.headers["/a"] = [429, 503], {"Retry-After": "7"}
    with RemoteFile(url, policy=server.policy()) as file:
        assert file.read() == DATA
    assert rests == [7.0, 7.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_final_word_about_an_object_is_taken_at_once(server: Server, status: int) -> None:
    url = server.put("/a", DATA)
    server.errors["/a"] = [status]
    with RemoteFile(url, policy=server.policy()) as file, pytest.raises(Refused, match=str(status)):
        file.read()
    assert len(server.asked) == 1


def test_an_object_that_changes_in_the_middle_is_never_mixed(server: Server) -> None:
    url = server.put("/a", DATA)
    server.cut, server.cuts = 5000, 1
    with RemoteFile(url, policy=server.policy()) as file:
        file.read(1)
        server.put("/a", DATA[::-1])
        with pytest.raises(InputError, match="changed while it was being read"):
            file.read()


def test_an_object_other_than_the_planned_one_is_told(server: Server) -> None:
    url = server.put("/a", DATA)
    with RemoteFile(url, policy=server.policy()) as file:
        stamp = file.facts().stamp
    assert stamp == f"{len(DATA)} {etag(DATA)}"
    server.put("/a", DATA[::-1])
    with RemoteFile(url, stamp, server.policy()) as file, pytest.raises(InputError, match="since the run was planned"):
        file.read(1)


def test_a_server_without_ranges_can_be_read_from_the_beginning_alone(server: Server) -> None:
    server.ranges = False
    url = server.put("/a", DATA)
    with RemoteFile(url, policy=server.policy()) as file:
        assert file.facts().ranges is False
        assert file.read() == DATA
    with RemoteFile(url, policy=server.policy()) as file, pytest.raises(Refused, match="byte ranges"):
        file.seek(1000)
        file.read(10)


def test_bytes_that_are_packed_for_the_way_are_given_as_they_came(server: Server) -> None:
    server.headers["/a"] = {"Content-Encoding": "gzip"}
    with RemoteFile(server.put("/a", DATA[:100]), policy=server.policy()) as file:
        assert file.read() == DATA[:100]
    assert server.seen[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("stated", [True, False])
def test_an_object_that_is_too_large_is_refused_before_or_while_it_comes(server: Server, stated: bool) -> None:
    server.chunked = server.ranges = not stated
    server.ranges = stated
    with RemoteFile(server.put("/a", DATA * 20), policy=server.policy(max_bytes=100_000)) as file:
        with pytest.raises(Refused, match="max_bytes") as caught:
            file.read()
        assert caught.value.reason == "too_large"
    assert server.served["/a"] < 10_000_000


def test_a_server_that_drips_is_given_up(server: Server) -> None:
    server.slow = 0.05
    started = time.monotonic()
    policy = server.policy(timeout=0.3, retries=1)
    with RemoteFile(server.put("/a", DATA), policy=policy) as file, pytest.raises(Unreachable, match="slower"):
        file.read()
    assert time.monotonic() - started < 10


def test_a_server_that_drips_its_head_is_given_up(server: Server) -> None:
    server.slow_head = 0.05
    started = time.monotonic()
    policy = server.policy(timeout=0.2, retries=1)
    with RemoteFile(server.put("/a", DATA), policy=policy) as file, pytest.raises(Unreachable):
        file.read()
    assert time.monotonic() - started < 5


def test_time_that_the_reader_takes_is_not_held_against_the_server(server: Server) -> None:
    with RemoteFile(server.put("/a", DATA[:60_000]), policy=server.policy(timeout=0.1)) as file:
        start = file.read(10)
        time.sleep(0.4)
        assert start + file.read(5) == DATA[:15]
        time.sleep(0.4)
        assert file.read() == DATA[15:60_000]
    assert len(server.asked) == 1


def test_no_server_at_all_is_said_in_words(server: Server) -> None:
    policy = server.policy(retries=1, allow=["127.0.0.1:1"])
    with RemoteFile("http://127.0.0.1:1/a", policy=policy) as file, pytest.raises(Unreachable, match="refused"):
        file.read()


def test_an_empty_object_has_no_bytes(server: Server) -> None:
    with RemoteFile(server.put("/a", b""), policy=server.policy()) as file:
        assert file.facts().size == 0
        assert file.read() == b""


def test_a_name_that_does_not_resolve_is_trouble_that_may_pass(server: Server, monkeypatch) -> None:
    def nothing(*arguments, **more):
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", nothing)
    policy = server.policy(allow=["nowhere.example"], retries=1)
    with RemoteFile("https://nowhere.example/a", policy=policy) as file, pytest.raises(Unreachable, match="nowhere"):
        file.read()


def test_a_token_goes_to_its_own_host_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "canary-5f2e")
    with serving() as other:
        server.redirects["/a"] = other.put("/b", DATA[:10])
        policy = server.policy(allow=[server.host, other.host], tokens={server.host: {"env": "A_TOKEN"}})
        assert "canary" not in policy.model_dump_json() + repr(policy)
        with RemoteFile(server.url("/a"), policy=policy) as file:
            assert file.read() == DATA[:10]
        assert server.seen[0]["Authorization"] == "Bearer canary-5f2e"
        assert all("Authorization" not in headers for headers in other.seen)


def test_a_certificate_that_proves_nothing_stops_the_run(tls_server: Server) -> None:
    policy = tls_server.policy(allow=[f"localhost:{tls_server.port}"])
    address = f"https://localhost:{tls_server.port}/a"
    with RemoteFile(address, policy=policy) as file, pytest.raises(RunFailed, match="certificate"):
        file.read()


def test_a_certificate_of_a_trusted_authority_is_taken(tls_server: Server, trusted: None) -> None:
    tls_server.put("/a", DATA)
    policy = tls_server.policy(allow=[f"localhost:{tls_server.port}", f"127.0.0.1:{tls_server.port}"])
    with RemoteFile(f"https://localhost:{tls_server.port}/a", policy=policy) as file:
        assert file.read() == DATA
    other = RemoteFile(f"https://127.0.0.1:{tls_server.port}/a", policy=policy)
    with other as file, pytest.raises(RunFailed, match=r"does not prove that this is 127\.0\.0\.1"):
        file.read()


def test_plain_http_where_tls_was_expected_is_said(server: Server) -> None:
    address = f"https://127.0.0.1:{server.port}/a"
    with RemoteFile(address, policy=server.policy(retries=1)) as file, pytest.raises(Unreachable, match="TLS"):
        file.read()
