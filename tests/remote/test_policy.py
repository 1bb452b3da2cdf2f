"""Nothing is fetched that the recipe does not name, and no name leads inside."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import pytest

from dataengine import recipe
from dataengine.errors import InputError, RecipeError
from dataengine.remote import NetworkConfig, parse
from dataengine.remote.file import RemoteFile
from dataengine.remote.http import Refused
from dataengine.remote.policy import forbidden, resolve
from tests.remote.server import Server, serving


def allows(entry: str, address: str) -> bool:
    return NetworkConfig(allow=(entry,)).allows(parse(address))


@pytest.mark.parametrize(
    ("entry", "address", "expected"),
    [
        ("a.example", "https://a.example/x", True),
        ("a.example", "http://A.EXAMPLE./x", True),
        ("a.example", "https://a.example:443/x", True),
        ("a.example", "https://a.example:8443/x", False),
        ("a.example:8443", "https://a.example:8443/x", True),
        ("a.example:8443", "https://a.example/x", False),
        ("a.example", "https://b.a.example/x", False),
        ("*.a.example", "https://b.a.example/x", True),
        ("*.a.example", "https://a.example/x", False),
        ("*.a.example", "https://evila.example/x", False),
        ("a.example", "https://a.example.evil.example/x", False),
        ("a.example", "https://evil.example/a.example", False),
        ("a.example", "s3://a.example/x", False),
        ("s3://bucket", "s3://bucket/x", True),
        ("s3://bucket", "s3://bucket-of-another/x", False),
        ("s3://bucket", "https://bucket/x", False),
        ("[::1]:80", "http://[::1]/x", False),
        ("[::1]", "http://[::1]/x", True),
        ("xn--bcher-kva.example", "https://bücher.example/x", True),
    ],
)
def test_only_what_is_named_is_allowed(entry: str, address: str, expected: bool) -> None:
    assert allows(entry, address) is expected


@pytest.mark.parametrize("entry", ["*", "https://a.example", "a.example/x", "s3://", "A.Example", "a b", "", "*.*.com"])
def test_what_is_no_host_cannot_be_allowed(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a host nor"):
        NetworkConfig(allow=(entry,))


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd", "ftp://a.example/x", "gopher://a.example/x", "data://text", "https:///x", "https://",
        "https://a.example\\@b.example/x", "https://a.example/\r\nHost: b.example", "https://a.example:99999/x",
        "https://[::1/x", "https://a.example/x y", "jar:https://a.example/x://y",
    ],
)
def test_what_is_no_address_of_ours_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://user:canary@a.example/x", "https://canary@a.example/x", "https://a.example/x?X-Amz-Signature=canary",
        "https://a.example/x?sig=canary", "https://a.example/x?access_token=canary", "https://a.example/x?apikey=canary",
    ],
)
def test_credentials_in_an_address_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("machine", "open_to_all", "open_to_private"),
    [
        ("93.184.216.34", True, True),
        ("2606:2800:220:1:248:1893:25c8:1946", True, True),
        ("127.0.0.1", False, True),
        ("127.255.255.254", False, True),
        ("10.1.2.3", False, True),
        ("172.16.0.1", False, True),
        ("192.168.1.1", False, True),
        ("100.64.0.1", False, True),
        ("::1", False, True),
        ("fc00::1", False, True),
        ("169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("fd00:ec2::254", False, False),
        ("100.100.100.200", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("255.255.255.255", False, False),
        ("::ffff:127.0.0.1", False, True),
        ("::ffff:169.254.169.254", False, False),
        ("::ffff:93.184.216.34", True, True),
        ("64:ff9b::7f00:1", False, True),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:7f00:1::", False, True),
        ("2002:a9fe:a9fe::", False, False),
    ],
)
def test_addresses_of_the_inside_are_told_however_they_are_written(machine, open_to_all, open_to_private) -> None:
    address = ipaddress.ip_address(machine)
    assert (forbidden(address, False) == "") is open_to_all
    assert (forbidden(address, True) == "") is open_to_private


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1"])
def test_other_ways_to_write_127_0_0_1_lead_nowhere(host: str) -> None:
    policy = NetworkConfig(allow=(host,))
    with pytest.raises(InputError, match="private address"):
        resolve(parse(f"http://{host}/x"), policy)


def answers(monkeypatch: pytest.MonkeyPatch, *machines: str) -> list[str]:
    """Have every name resolve to each of these in turn; gives the list of names asked for."""
    asked: list[str] = []

    def getaddrinfo(host, port, *rest, **more):
        if host == "127.0.0.1":  # the connection itself, to an address in numbers
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        machine = machines[min(len(asked), len(machines) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in machine.split()]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    return asked


def test_a_public_name_that_leads_inside_is_refused_before_a_connection(server: Server, monkeypatch) -> None:
    asked = answers(monkeypatch, "127.0.0.1")
    policy = NetworkConfig(allow=(f"public.example:{server.port}",))
    with RemoteFile(f"http://public.example:{server.port}/a", policy=policy) as file, pytest.raises(
        InputError, match=r"leads to 127\.0\.0\.1, a private address"
    ) as caught:
        file.read()
    assert "allow_private = true" in caught.value.write
    assert asked == ["public.example"] and not server.asked


def test_one_inner_address_among_public_ones_is_enough_to_refuse(monkeypatch) -> None:
    answers(monkeypatch, "93.184.216.34 10.0.0.1")
    with pytest.raises(InputError, match=r"10\.0\.0\.1"):
        resolve(parse("https://public.example/a"), NetworkConfig(allow=("public.example",)))


def test_a_name_is_resolved_once_and_the_connection_goes_to_the_answer(server: Server, monkeypatch) -> None:
    """What the name says a moment later, when nobody judges it, is not asked."""
    asked = answers(monkeypatch, "127.0.0.1", "127.0.0.9")
    server.put("/a", b"data")
    policy = server.policy(allow=[f"flips.example:{server.port}"])
    with RemoteFile(f"http://flips.example:{server.port}/a", policy=policy) as file:
        assert file.read() == b"data"
    assert asked == ["flips.example"]


def test_metadata_services_are_never_reached(server: Server) -> None:
    server.redirects["/a"] = "http://169.254.169.254/latest/meta-data/"
    policy = server.policy(allow=[server.host, "169.254.169.254"])
    with RemoteFile(server.url("/a"), policy=policy) as file, pytest.raises(InputError, match="metadata address"):
        file.read()


def test_a_redirect_leads_only_to_hosts_that_are_named(server: Server) -> None:
    with serving() as other:
        server.redirects["/a"] = other.put("/b", b"data") + "?X-Amz-Signature=canary"
        with RemoteFile(server.url("/a"), policy=server.policy()) as file, pytest.raises(
            InputError, match=f"redirects to {other.host}"
        ) as caught:
            file.read()
        assert f'"{other.host}"' in caught.value.write and "canary" not in str(caught.value)
        assert not other.asked
        other.objects["/b?X-Amz-Signature=canary"] = b"data"
        both = server.policy(allow=[server.host, other.host])
        with RemoteFile(server.url("/a"), policy=both) as file:
            assert file.read() == b"data"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "s3://bucket/x"])
def test_a_redirect_does_not_leave_http(server: Server, target: str) -> None:
    server.redirects["/a"] = target
    with RemoteFile(server.url("/a"), policy=server.policy()) as file, pytest.raises(InputError):
        file.read()


def test_redirects_in_a_circle_end(server: Server) -> None:
    server.redirects |= {"/a": "/b", "/b": "/a"}
    with RemoteFile(server.url("/a"), policy=server.policy(max_redirects=3)) as file, pytest.raises(
        Refused, match="more than 3 redirects"
    ):
        file.read()
    assert len(server.asked) == 4


RECIPE = """
name = "far"
[[data.web]]
stage = "read.jsonl"
paths = "https://a.example/docs.jsonl"
"""


def test_a_recipe_that_names_no_host_is_wrong_at_the_line_of_the_address(tmp_path: Path) -> None:
    from dataengine import plan

    (tmp_path / "recipe.toml").write_text(RECIPE)
    with pytest.raises(RecipeError) as caught:
        plan.make(recipe.load(tmp_path / "recipe.toml"), tmp_path / "run")
    told = str(caught.value)
    assert "recipe.toml:5:9" in told and "a.example is not among the hosts" in told
    assert 'allow = ["a.example"]' in told


def test_a_password_in_an_address_is_not_shown_with_its_line(tmp_path: Path) -> None:
    from dataengine import plan

    (tmp_path / "recipe.toml").write_text(RECIPE.replace("https://", "https://me:canary@"))
    with pytest.raises(RecipeError) as caught:
        plan.make(recipe.load(tmp_path / "recipe.toml"), tmp_path / "run")
    assert "recipe.toml:5:9" in str(caught.value) and "canary" not in str(caught.value)


def test_a_wrong_entry_and_a_secret_in_the_open_are_wrong_at_their_lines(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(
        RECIPE + '[network]\nallow = ["https://a.example/x"]\ntokens = { "a.example" = "canary-77" }\n'
    )
    with pytest.raises(RecipeError) as caught:
        recipe.load(tmp_path / "recipe.toml")
    told = str(caught.value)
    assert 'write "a.example"' in told and "recipe.toml:7:" in told
    assert "recipe.toml:8:" in told and "canary" not in told
