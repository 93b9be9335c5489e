"""One class of tests for every object store: memory, directory, MinIO."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2a.errors import Retryable
from e2a.storage import DirectoryStore, ObjectStore, S3Store
from e2a.testing import MemoryStore
from tests.servers import MINIO_KEYS


def s3_store(endpoint: str, bucket: str, secret: str = MINIO_KEYS["E2A_S3_SECRET_KEY"]) -> S3Store:
    return S3Store(
        bucket=bucket,
        endpoint=endpoint,
        access_key=MINIO_KEYS["E2A_S3_ACCESS_KEY"],
        secret_key=secret,
        secure=False,
        patience=0.5,
    )


@pytest.fixture(params=["memory", "directory", "minio"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "directory":
        return DirectoryStore(tmp_path / "store")
    return s3_store(request.getfixturevalue("minio"), f"tests-{uuid.uuid4().hex}")


class TestObjectStore:
    def test_gives_back_what_was_put(self, store: ObjectStore) -> None:
        """Bytes come back as they went in, and their size is known."""
        store.check()
        store.put("parts/ab/cd.aac", b"\x00\xff sound")
        assert store.get("parts/ab/cd.aac") == b"\x00\xff sound"
        assert store.size("parts/ab/cd.aac") == 8

    def test_check_may_be_repeated(self, store: ObjectStore) -> None:
        """Checking a store that is in use changes nothing."""
        store.check()
        store.put("key", b"value")
        store.check()
        assert store.get("key") == b"value"

    def test_replaces_an_object(self, store: ObjectStore) -> None:
        """A second put under the same key wins."""
        store.check()
        store.put("key", b"old and long")
        store.put("key", b"new")
        assert store.get("key") == b"new"

    def test_names_what_is_missing(self, store: ObjectStore, tmp_path: Path) -> None:
        """An object that is not there is a KeyError to readers, and has no size."""
        store.check()
        with pytest.raises(KeyError):
            store.get("books/none")
        with pytest.raises(KeyError):
            store.get_file("books/none", tmp_path / "none")
        assert store.size("books/none") is None
        assert list(tmp_path.glob("*none*")) == []

    def test_carries_files(self, store: ObjectStore, tmp_path: Path) -> None:
        """A file put and fetched again is the same file, in a folder made for it."""
        store.check()
        source, target = tmp_path / "source", tmp_path / "folder/target"
        source.write_bytes(b"x" * 100_000)
        store.put_file("books/1/book.m4b", source)
        store.get_file("books/1/book.m4b", target)
        assert target.read_bytes() == source.read_bytes()
        assert [path.name for path in target.parent.iterdir()] == ["target"]

    def test_tells_the_target_from_the_store(self, store: ObjectStore, tmp_path: Path) -> None:
        """A target that cannot be written is an OSError and not the store's fault; a long name is no obstacle."""
        store.check()
        store.put("key", b"value")
        (tmp_path / "file").write_text("no folder")
        for target in (tmp_path / "file/target", Path("/proc/target")):
            with pytest.raises(OSError, match=str(target.parent)):
                store.get_file("key", target)
        store.get_file("key", tmp_path / ("x" * 255))
        assert (tmp_path / ("x" * 255)).read_bytes() == b"value"

    def test_may_be_checked_by_many_at_once(self, store: ObjectStore) -> None:
        """Services that start together all find the store ready."""
        with ThreadPoolExecutor(6) as threads:
            for future in [threads.submit(store.check) for _ in range(6)]:
                future.result()

    def test_deletes(self, store: ObjectStore) -> None:
        """A deleted object is gone, and deleting it again is no error."""
        store.check()
        store.put("key", b"value")
        store.delete("key")
        store.delete("key")
        assert store.size("key") is None


def test_directory_leaves_nothing_behind_when_a_put_fails(tmp_path: Path) -> None:
    """A put that breaks off leaves neither the object nor a temporary file."""
    store = DirectoryStore(tmp_path / "store")
    store.check()
    with pytest.raises(KeyError):
        store.put_file("key", tmp_path / "no such file")
    assert list((tmp_path / "store").iterdir()) == []


def test_directory_keeps_keys_inside(tmp_path: Path) -> None:
    """A key cannot name a file outside the store."""
    store = DirectoryStore(tmp_path / "store")
    for key in ("../outside", "/etc/passwd"):
        with pytest.raises(ValueError, match="leaves the storage directory"):
            store.put(key, b"")


def test_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    """A store whose path is a file says so instead of failing later."""
    path = tmp_path / "file"
    path.write_text("not a directory")
    with pytest.raises(Retryable, match=str(path)):
        DirectoryStore(path).check()


def test_s3_server_that_is_away_is_named() -> None:
    """A server that does not answer is a Retryable with its address, after the patience is spent."""
    with pytest.raises(Retryable, match="object storage 127.0.0.1:1/books"):
        s3_store("127.0.0.1:1", "books").check()


def test_s3_refuses_a_wrong_key_at_once(minio: str) -> None:
    """A wrong secret is reported with the server's own code."""
    with pytest.raises(Retryable, match="SignatureDoesNotMatch|AccessDenied"):
        s3_store(minio, "tests-denied", secret="wrong-secret").get("key")
