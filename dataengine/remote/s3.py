"""Objects of S3, through s3fs of the fsspec family: it knows the credentials, regions and signatures of AWS.

Retries are `RemoteFile`'s, as for http. An `endpoint` of the recipe is judged as any other address; after that boto
makes the connections, so a name that changes its answer in between is not seen here.
"""

from __future__ import annotations

import os
from typing import Any

from dataengine.errors import InputError
from dataengine.remote.http import Broken, Refused, Said
from dataengine.remote.policy import Address, NetworkConfig, in_table, parse, resolve

CHUNK = 8 << 20
"""Most bytes of one request: a chunk is held in memory as a whole."""

_GONE = ("NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404")
_NOT_FOR_US = ("AccessDenied", "AllAccessDisabled", "InvalidObjectState", "InvalidAccessKeyId", "SignatureDoesNotMatch",
               "ExpiredToken", "403", "401")


class Chunk:
    """A part of an object that has come already, under the interface of `http.Body`."""

    def __init__(self, said: Said, data: bytes) -> None:
        self.said, self._data, self._at = said, data, 0

    def read(self, size: int) -> bytes:
        part = self._data[self._at:self._at + size]
        self._at += len(part)
        return part


class Store:
    """S3 as the recipe reaches it, under the interface of `http.Client`."""

    def __init__(self, policy: NetworkConfig) -> None:
        self.policy = policy
        self._system: Any = None

    def get(self, address: Address, start: int, end: int | None, validator: str = "") -> Chunk:
        """The object's bytes from `start` to `end`, at most `CHUNK`. Raises as `http.Client.get` does."""
        self.policy.check(address)
        system = self._connected()
        from fsspec.asyn import sync

        last = start + CHUNK if end is None else min(end, start + CHUNK)
        request = {"Bucket": address.host, "Key": address.path, "Range": f"bytes={start}-{last - 1}"}
        try:
            answer = system.call_s3("get_object", **request)
            data = sync(system.loop, answer["Body"].read, timeout=10 * self.policy.timeout)
        except Exception as error:
            return self._failed(error, address, start)
        size = int(answer.get("ContentRange", f"/{answer['ContentLength']}").rpartition("/")[2])
        said = Said(size, answer.get("ETag", ""), start, start + len(data), True)
        if len(data) != min(last, size) - start:
            raise Broken("the connection was cut")
        return Chunk(said, data)

    def list(self, pattern: str) -> dict[str, tuple[int, str]]:
        """Addresses of the objects that a glob or a folder means, each with its size and ETag."""
        address = parse(pattern)
        self.policy.check(address)
        system = self._connected()
        place = f"{address.host}/{address.path}"
        try:
            if any(sign in address.path for sign in "*?["):
                found = system.glob(place, detail=True)
            else:
                found = system.find(place.rstrip("/"), detail=True)
        except Exception as error:
            self._failed(error, address, -1)
        return {
            f"s3://{name}": (int(entry["size"]), str(entry.get("ETag", "")))
            for name, entry in found.items() if entry["type"] == "file"
        }

    def close(self) -> None:
        """Nothing to do: s3fs keeps its own connections."""

    # --- inside ---

    def _connected(self) -> Any:
        if self._system is not None:
            return self._system
        try:
            from s3fs import S3FileSystem
        except ImportError:
            raise InputError("reading s3:// needs a package that is not installed", where="s3fs",
                             write="pip install 'dataengine[remote]'") from None
        settings, client = self.policy.s3, {}
        if settings.endpoint:
            endpoint = parse(settings.endpoint)
            self.policy.check(endpoint)
            resolve(endpoint, self.policy)
            client["endpoint_url"] = settings.endpoint
        if settings.region:
            client["region_name"] = settings.region
        self._system = S3FileSystem(
            anon=settings.anonymous,
            key=settings.access_key.reveal() if settings.access_key else None,
            secret=settings.secret_key.reveal() if settings.secret_key else None,
            client_kwargs=client,
            config_kwargs={"connect_timeout": self.policy.timeout, "read_timeout": self.policy.timeout,
                           "retries": {"max_attempts": 0}},
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        self._system.retries = 1
        return self._system

    def _failed(self, error: Exception, address: Address, start: int) -> Chunk:
        """What an exception of boto means: the end of the object, a final word, or trouble that may pass."""
        code, said = _code(error)
        if code in ("InvalidRange", "416") and start == 0:  # the first byte of an empty object
            return Chunk(Said(0, "", 0, 0, True), b"")
        if isinstance(error, FileNotFoundError) or code in _GONE:
            raise Refused("unreachable", f"no such object in s3://{address.host}") from None
        if isinstance(error, PermissionError) or code in _NOT_FOR_US:
            raise Refused("unreachable", f"s3://{address.host} refuses access ({code or 'no permission'})") from None
        if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"):
            raise InputError(
                "there are no AWS credentials", where=address.shown,
                expected="credentials where AWS's tools look for them: environment, ~/.aws, role",
                write=in_table("anonymous = true", "network.s3")) from None
        raise Broken(f"S3: {code} {said}"[:200].strip()) from None


def _code(error: BaseException) -> tuple[str, str]:
    """S3's own code for an error, and words."""
    cause = error.__cause__ if hasattr(error.__cause__, "response") else error
    response = getattr(cause, "response", None)
    code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    return str(code), (os.strerror(error.errno) if isinstance(error, OSError) and error.errno and not code
                       else str(error) or type(error).__name__)
