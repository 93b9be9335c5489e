"""Objects in MinIO or any S3 server. The only home of the minio package."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import stamina
import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError, SSLError

from e2a.errors import Refused, Unavailable
from e2a.storage.directory import CHUNK, renamed

Result = TypeVar("Result")
_MISSING = {"NoSuchKey", "NoSuchObject"}
_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch"}
_REFUSED = {"AccessDenied", "NoSuchBucket"} | _KEYS
"""What trying again does not change."""


class _PastTheEnd(Exception):
    """A piece that begins where the object has ended."""


class S3Store:
    """`ObjectStore` in one bucket, which is made when it is missing. Thread-safe.

    Args:
        bucket: name of the bucket.
        endpoint: host:port of the server.
        access_key: S3 access key.
        secret_key: S3 secret key.
        secure: whether to speak TLS.
        ca_file: PEM of the authority that signed its certificate; empty: those that the system trusts.
        patience: seconds to go on trying when the server does not answer; one try is always made.
    """

    def __init__(
        self,
        *,
        bucket: str,
        endpoint: str,
        access_key: str,
        secret_key: str,
        secure: bool,
        patience: float,
        ca_file: str = "",
    ) -> None:
        http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5, read=60),
            retries=False,
            maxsize=10,
            cert_reqs="CERT_REQUIRED",
            ca_certs=ca_file or None,
        )
        self._client = Minio(endpoint, access_key=access_key, secret_key=secret_key, secure=secure, http_client=http)
        self._bucket = bucket
        self._where = f"object storage {endpoint}/{bucket}"
        self._patience = patience

    def check(self) -> None:
        if not self._call(lambda: self._client.bucket_exists(self._bucket)):
            self._call(self._make_bucket)

    def put(self, key: str, data: bytes) -> None:
        self._call(lambda: self._client.put_object(self._bucket, key, io.BytesIO(data), len(data)))

    def put_file(self, key: str, path: Path) -> None:
        self._call(lambda: self._client.fput_object(self._bucket, key, str(path)))

    def get(self, key: str) -> bytes:
        return self._call(lambda: b"".join(self._chunks(key)))

    def read(self, key: str, offset: int, length: int) -> bytes:
        try:
            return self._call(lambda: b"".join(self._chunks(key, offset, length)))
        except _PastTheEnd:
            return b""

    def get_file(self, key: str, path: Path) -> None:
        def download() -> None:
            with temporary.open("wb") as file:
                file.writelines(self._chunks(key))

        with renamed(path) as temporary:
            self._call(download)

    def size(self, key: str) -> int | None:
        try:
            return self._call(lambda: self._client.stat_object(self._bucket, key)).size
        except KeyError:
            return None

    def delete(self, key: str) -> None:
        self._call(lambda: self._client.remove_object(self._bucket, key))

    def list(self, prefix: str) -> Iterator[str]:
        found = self._call(lambda: list(self._client.list_objects(self._bucket, prefix=prefix)))
        yield from (each.object_name for each in found if each.object_name and each.object_name != prefix)

    def _chunks(self, key: str, offset: int = 0, length: int = 0) -> Iterator[bytes]:
        response = self._client.get_object(self._bucket, key, offset=offset, length=length)
        try:
            yield from response.stream(CHUNK)
        finally:
            response.close()
            response.release_conn()

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou":  # another service was quicker
                raise

    def _call(self, request: Callable[[], Result]) -> Result:
        with self._errors():
            for attempt in stamina.retry_context(on=_is_transient, attempts=None, timeout=self._patience, wait_max=1.0):
                with attempt:
                    return request()
        raise AssertionError("unreachable: the retry context returns or raises")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            if error.code == "InvalidRange":
                raise _PastTheEnd from error
            if error.code in _MISSING:
                raise KeyError(error.object_name) from error
            kind = Refused if error.code in _REFUSED else Unavailable
            remedy = "; look at E2A_S3_ACCESS_KEY and E2A_S3_SECRET_KEY" if error.code in _KEYS else ""
            raise kind(f"{self._where}: {error.code}: {error.message}{remedy}") from error
        except SSLError as error:
            raise Refused(f"{self._where}: {error}; look at E2A_CA_FILE and E2A_S3_SECURE") from error
        except (HTTPError, MinioException) as error:  # an OSError is a local file's: urllib3 wraps those of sockets
            raise Unavailable(f"{self._where}: {error}") from error


def _is_transient(error: Exception) -> bool:
    if isinstance(error, S3Error):
        return error.code not in _MISSING | _REFUSED | {"InvalidRange"}
    return isinstance(error, HTTPError | MinioException) and not isinstance(error, SSLError)
