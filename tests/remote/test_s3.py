"""S3 through s3fs, against a small server of our own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataengine import remote, stage
from dataengine.errors import InputError, Unreachable
from dataengine.remote import NetworkConfig
from dataengine.remote.file import RemoteFile
from dataengine.remote.http import Refused
from tests.remote.s3_server import S3Server, serving_s3
from tests.stages.read.reading import read
from tests.stages.read.test_remote import lines, parquet

pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'dataengine[remote]'")

DATA = random.Random(7).randbytes(100_000)


def policy(server: S3Server, **more: object) -> NetworkConfig:
    given = {"allow": ["s3://bucket", f"127.0.0.1:{server.port}"], "allow_private": True, "first_wait": 0.001,
             "timeout": 3.0, "retries": 3,
             "s3": {"endpoint": server.endpoint, "region": "us-east-1", "access_key": {"env": "S3_KEY"},
                    "secret_key": {"env": "S3_SECRET"}}}
    return NetworkConfig.model_validate(given | more)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    monkeypatch.setenv("S3_KEY", "canary-key")
    monkeypatch.setenv("S3_SECRET", "canary-secret")
    with serving_s3() as state, remote.using(policy(state)):
        yield state


def test_an_object_is_read_to_its_end_and_at_any_place(server: S3Server) -> None:
    server.objects["bucket/a b?.bin"] = DATA
    with RemoteFile("s3://bucket/a b?.bin") as file:
        assert file.read() == DATA
        file.seek(-10, 2)
        assert file.read(10) == DATA[-10:]


def test_a_body_that_is_cut_is_asked_for_again(server: S3Server) -> None:
    server.objects["bucket/a"], server.cut = DATA, 2
    with RemoteFile("s3://bucket/a") as file:
        assert file.read() == DATA
    assert server.cut == 0


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (503, "SlowDown"), (503, "ServiceUnavailable")])
def test_trouble_that_passes_is_waited_for_and_trouble_that_stays_ends(server: S3Server, status, code) -> None:
    server.objects["bucket/a"], server.errors = DATA, [(status, code)] * 2
    with RemoteFile("s3://bucket/a") as file:
        assert file.read() == DATA
    server.errors = [(status, code)] * 99
    with RemoteFile("s3://bucket/a") as file, pytest.raises(Unreachable, match=code):
        file.read()


def test_what_is_not_there_or_not_for_us_is_final(server: S3Server) -> None:
    server.objects["bucket/a"] = DATA
    server.refused.add("bucket/a")
    with RemoteFile("s3://bucket/none") as file, pytest.raises(Refused, match="no such object"):
        file.read()
    with RemoteFile("s3://bucket/a") as file, pytest.raises(Refused, match="refuses access"):
        file.read()
    assert len(server.seen) == 2


def test_an_object_that_changes_in_the_middle_is_never_mixed(server: S3Server) -> None:
    server.objects["bucket/a"] = DATA * 2
    with RemoteFile("s3://bucket/a") as file:
        file.read(10)
        server.objects["bucket/a"] = DATA[::-1] * 2
        file.seek(150_000)
        with pytest.raises(InputError, match="changed while"):
            file.read(10)


def test_an_empty_object_has_no_bytes(server: S3Server) -> None:
    server.objects["bucket/a"] = b""
    with RemoteFile("s3://bucket/a") as file:
        assert file.read() == b""


@pytest.mark.parametrize("paths", ["s3://bucket/data/", "s3://bucket/data/*.jsonl", "s3://bucket/**/*.jsonl",
                                   "s3://bucket/data/**"])
def test_folders_and_patterns_find_what_is_there(server: S3Server, tmp_path: Path, paths: str) -> None:
    server.objects |= {"bucket/data/a.jsonl": lines(5), "bucket/data/b.jsonl": lines(7), "bucket/data/c.png": b"x"}
    rows, refused = read("read.jsonl", tmp_path, paths=paths)
    origins = [row["origin"].rpartition(":")[0] for row in rows]
    assert origins == ["s3://bucket/data/a.jsonl"] * 5 + ["s3://bucket/data/b.jsonl"] * 7
    assert not refused
    found = stage.load("read.jsonl")
    weights = {piece.weight for piece in found.pieces(found.config(paths=paths), tmp_path)}
    assert weights == {len(lines(5)), len(lines(7))}


def test_nothing_there_is_said(server: S3Server, tmp_path: Path) -> None:
    for paths in ("s3://bucket/none/", "s3://bucket/*.jsonl", "s3://bucket/none.jsonl"):
        with pytest.raises(InputError, match=r"nothing of this format|no such object"):
            read("read.jsonl", tmp_path, paths=paths)


def test_parquet_is_read_by_its_row_groups(server: S3Server, tmp_path: Path) -> None:
    server.objects["bucket/a.parquet"] = parquet()
    rows, refused = read("read.parquet", tmp_path, paths="s3://bucket/a.parquet", split_bytes=200_000)
    assert len(rows) == 3000 and not refused


def test_a_dataset_of_the_hub_may_lie_in_a_bucket(server: S3Server, tmp_path: Path) -> None:
    card = b"---\nconfigs:\n- config_name: default\n  data_files: few/*.jsonl\n---\n"
    server.objects |= {"bucket/ds/README.md": card, "bucket/ds/few/a.jsonl": lines(5), "bucket/ds/b.jsonl": lines(7)}
    rows, refused = read("read.huggingface", tmp_path, folder="s3://bucket/ds")
    assert len(rows) == 5 and not refused and rows[0]["origin"].startswith("s3://bucket/ds/few/a.jsonl")


def test_a_list_may_name_objects_of_a_bucket(server: S3Server, tmp_path: Path) -> None:
    server.objects |= {"bucket/data/a.jsonl": lines(5), "bucket/data/b.jsonl": lines(7)}
    (tmp_path / "some.paths").write_text("data/a.jsonl\ndata/b.jsonl\ndata/none.jsonl\n")
    rows, refused = read("read.jsonl", tmp_path, paths="some.paths", prefix="s3://bucket/")
    assert len(rows) == 12 and [item.reason for item in refused] == ["unreachable"]


def test_other_buckets_and_endpoints_are_not_touched(server: S3Server) -> None:
    with RemoteFile("s3://other/a") as file, pytest.raises(InputError, match="not among the hosts"):
        file.read()
    outside = policy(server, allow=["s3://bucket"])
    with RemoteFile("s3://bucket/a", policy=outside) as file, pytest.raises(InputError, match="not among the hosts"):
        file.read()
    inside = policy(server, allow_private=False)
    with RemoteFile("s3://bucket/a", policy=inside) as file, pytest.raises(InputError, match="private address"):
        file.read()
    assert not server.seen


def test_credentials_sign_and_are_shown_nowhere(server: S3Server) -> None:
    with RemoteFile("s3://bucket/none") as file, pytest.raises(Refused) as caught:
        file.read()
    (_, headers), = server.seen
    assert "canary-key" in headers["Authorization"] and "canary-secret" not in str(headers)
    shown = str(caught.value) + repr(remote.current()) + remote.current().model_dump_json()
    assert "canary" not in shown


def test_anonymous_reading_signs_nothing(server: S3Server) -> None:
    server.objects["bucket/a"] = DATA
    open_to_all = policy(server, s3={"endpoint": server.endpoint, "anonymous": True})
    with RemoteFile("s3://bucket/a", policy=open_to_all) as file:
        assert file.read() == DATA
    assert all("Authorization" not in headers for _, headers in server.seen)
