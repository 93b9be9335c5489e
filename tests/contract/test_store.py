"""One class of tests for every object store: memory, directory, MinIO."""

import errno
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import stamina

from e2a.errors import Retryable, Unavailable
from e2a.storage import DirectoryStore, ObjectStore, S3Store, book_ids
from e2a.testing import MemoryStore
from tests.servers import MINIO_KEYS
from tests.stores import directory_store


def s3_store(endpoint: str, bucket: str, secret: str = MINIO_KEYS["E2A_S3_SECRET_KEY"]) -> S3Store:
    return S3Store(
        bucket=bucket,
        endpoint=endpoint,
        access_key=MINIO_KEYS["E2A_S3_ACCESS_KEY"],
        secret_key=secret,
        secure=False,
        patience=0.5,
    )


@pytest.fixture(params=["memory", "directory", "minio", "secure"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "secure":
        return request.getfixturevalue("secure").store(bucket=f"tests-{uuid.uuid4().hex}")
    if request.param == "directory":
        return directory_store(tmp_path / "store")
    return s3_store(request.getfixturevalue("minio"), f"tests-{uuid.uuid4().hex}")


class TestObjectStore:
    def test_gives_back_what_was_put(self, store: ObjectStore) -> None:
        """Bytes come back as they went in, and their size is known."""
        store.check()
        store.put("parts/ab/cd.aac", b"\x00\xff sound")
        assert store.get("parts/ab/cd.aac") == b"\x00\xff sound"
        assert store.size("parts/ab/cd.aac") == 8

    def test_reads_a_piece(self, store: ObjectStore) -> None:
        """From an offset, as many bytes as are wanted or there are; a piece of nothing is a KeyError."""
        store.check()
        store.put("parts/ab/cd.aac", b"0123456789")
        pieces = [store.read("parts/ab/cd.aac", *piece) for piece in ((0, 3), (8, 1), (8, 100), (10, 1), (99, 1))]
        assert pieces == [b"012", b"8", b"89", b"", b""]
        with pytest.raises(KeyError):
            store.read("parts/ab/ef.aac", 0, 1)

    def test_check_may_be_repeated(self, store: ObjectStore) -> None:
        """Checking a store that is in use changes nothing."""
        store.check()
        store.put("key", b"value")
        store.check()
        assert store.get("key") == b"value"

    def test_lists_what_is_directly_below(self, store: ObjectStore) -> None:
        """A prefix has objects, and prefixes that end in a slash; what is deeper is not told."""
        store.check()
        for key in ("books/b1/plan.json", "books/b1/output/book.m4b", "books/b2/plan.json", "note"):
            store.put(key, b"x")
        assert sorted(store.list("")) == ["books/", "note"]
        assert sorted(store.list("books/")) == ["books/b1/", "books/b2/"]
        assert sorted(store.list("books/b1/")) == ["books/b1/output/", "books/b1/plan.json"]
        assert list(store.list("voices/")) == []
        assert sorted(book_ids(store)) == ["b1", "b2"]

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

    def test_tells_the_source_from_the_store(self, store: ObjectStore, tmp_path: Path) -> None:
        """A file that cannot be read is an OSError and not the store's fault, and no object."""
        store.check()
        with pytest.raises(FileNotFoundError, match="no such file"):
            store.put_file("key", tmp_path / "no such file")
        assert store.size("key") is None

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


def failing_once(call: Callable[..., Any], number: int) -> Callable[..., Any]:
    """Return a function that raises OSError the first time and is `call` afterwards."""
    failures = [OSError(number, os.strerror(number))]

    def wrapped(*args: object, **kwargs: object) -> Any:
        if failures:
            raise failures.pop()
        return call(*args, **kwargs)

    return wrapped


def files(folder: Path) -> list[Path]:
    """Return all files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_directory_leaves_nothing_behind_when_a_put_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A put that breaks off is a Retryable, and leaves neither the object nor a temporary file."""
    monkeypatch.setattr(os, "fsync", failing_once(os.fsync, errno.ENOSPC))
    with stamina.set_testing(True), pytest.raises(Retryable, match="store: key: No space left on device"):
        directory_store(tmp_path / "store", patience=60).put("key", b"value")
    assert files(tmp_path) == []


@pytest.mark.parametrize(("days", "is_left"), [(0.9, True), (1.1, False)])
def test_directory_removes_what_a_killed_writer_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float, is_left: bool
) -> None:
    """What was being written when its writer was killed is no object, and is removed by another's check a day later."""
    store = directory_store(tmp_path / "store")
    monkeypatch.setattr(Path, "replace", lambda _self, _target: None)
    monkeypatch.setattr(Path, "unlink", lambda _self, **_options: None)
    store.put("parts/ab/cd.aac", b"half a p")
    monkeypatch.undo()
    (left,) = files(tmp_path)
    os.utime(left, (then := time.time() - days * 86_400, then))
    DirectoryStore(tmp_path / "store", patience=0.01).check()
    assert (files(tmp_path), list(store.list(""))) == ([left] if is_left else [], ["parts/"])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ESTALE])
def test_directory_waits_for_a_disk_that_is_full_or_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A put or get that fails for now is tried again."""
    store = directory_store(tmp_path / "store", patience=60)
    with stamina.set_testing(True, attempts=2):
        monkeypatch.setattr(os, "fsync", failing_once(os.fsync, number))
        store.put("key", b"value")
        monkeypatch.setattr(Path, "read_bytes", failing_once(Path.read_bytes, number))
        assert store.get("key") == b"value"
    assert files(tmp_path) == [tmp_path / "store/key"]


def requests_of(store: ObjectStore) -> tuple[Callable[[], object], ...]:
    """Return what may be asked of a store of which one object is known."""
    return (
        lambda: store.get("books/b1/plan.json"),
        lambda: store.size("books/b1/plan.json"),
        lambda: list(store.list("books/")),
        lambda: store.put("books/b1/order.json", b"{}"),
        lambda: store.delete("books/b1/plan.json"),
    )


@pytest.mark.parametrize("is_mount_point", [False, True])
def test_directory_that_is_away_is_not_empty(tmp_path: Path, is_mount_point: bool) -> None:
    """One that is gone, or that is no longer mounted, has not lost its objects, and takes none: it is waited for."""
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    store = directory_store(root)
    store.put("books/b1/plan.json", b"{}")
    root.rename(elsewhere)
    if is_mount_point:
        root.mkdir()
    for request in requests_of(store):
        with stamina.set_testing(True), pytest.raises(Unavailable, match="directory is not there: mount it"):
            request()
    assert files(root) == []
    shutil.rmtree(root, ignore_errors=True)
    elsewhere.rename(root)
    assert store.get("books/b1/plan.json") == b"{}"


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_directory_on_a_dead_mount_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Where nothing but an error comes of a directory any more, it is waited for."""
    store = directory_store(tmp_path / "store")
    store.put("books/b1/plan.json", b"{}")

    def dead(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    for name in ("stat", "open", "read_bytes", "iterdir", "touch", "unlink"):
        monkeypatch.setattr(Path, name, dead)
    for request in (*requests_of(store), store.check):
        with stamina.set_testing(True), pytest.raises(Unavailable):
            request()


def test_directory_that_goes_stale_while_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an entry is, is asked again when it could not be said."""
    store = directory_store(tmp_path / "store", patience=60)
    store.put("books/b1/plan.json", b"{}")
    with stamina.set_testing(True, attempts=2):
        monkeypatch.setattr(Path, "is_dir", failing_once(Path.is_dir, errno.ESTALE))
        assert list(store.list("books/")) == ["books/b1/"]


def test_directory_keeps_keys_inside(tmp_path: Path) -> None:
    """A key cannot name a file outside the store."""
    store = DirectoryStore(tmp_path / "store", patience=0.01)
    for key in ("../outside", "/etc/passwd"):
        with pytest.raises(ValueError, match="leaves the storage directory"):
            store.put(key, b"")


def test_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    """A store whose path is a file says so instead of failing later."""
    path = tmp_path / "file"
    path.write_text("not a directory")
    with pytest.raises(Retryable, match=str(path)):
        DirectoryStore(path, patience=0.01).check()


def test_s3_server_that_is_away_is_named() -> None:
    """A server that does not answer is a Retryable with its address, after the patience is spent."""
    with pytest.raises(Retryable, match="object storage 127.0.0.1:1/books"):
        s3_store("127.0.0.1:1", "books").check()


class CutOff(BaseHTTPRequestHandler):
    """An S3 server that promises more than it sends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")

    def log_message(self, *_arguments: object) -> None:
        return


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[S3Store]:
    """Yield a store whose server answers so."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield s3_store(f"127.0.0.1:{server.server_port}", "tests")
        finally:
            server.shutdown()


def test_s3_download_that_is_cut_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """A download that ends early is a Retryable, and leaves no file under any name."""
    with (
        served(CutOff) as store,
        stamina.set_testing(True),
        pytest.raises(Retryable, match="object storage"),
    ):
        store.get_file("key", tmp_path / "target")
    assert files(tmp_path) == []


class Pages(BaseHTTPRequestHandler):
    """An S3 server that lists one object a page."""

    def do_GET(self) -> None:
        page = int(parse_qs(urlsplit(self.path).query).get("continuation-token", ["0"])[0])
        more = f"<NextContinuationToken>{page + 1}</NextContinuationToken>" if page < 2 else ""
        body = (
            f"<ListBucketResult><Name>tests</Name><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}"
            f"<Contents><Key>books/{page}</Key><LastModified>2026-11-26T00:00:00Z</LastModified><Size>1</Size></Contents>"
            "</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        return


def test_s3_lists_all_pages() -> None:
    """A listing that the server gives in pieces, as one of thousands of objects, is whole."""
    with served(Pages) as store:
        assert list(store.list("books/")) == ["books/0", "books/1", "books/2"]


def test_s3_bucket_that_is_gone_is_named(minio: str) -> None:
    """Without its bucket a put or a get is a Retryable at once: no object is missing, the store is."""
    store = s3_store(minio, "tests-gone")
    for request in (lambda: store.put("key", b"value"), lambda: store.get("key")):
        with pytest.raises(Retryable, match="tests-gone: NoSuchBucket"):
            request()


def test_s3_refuses_a_wrong_key_at_once(minio: str) -> None:
    """A wrong secret is reported with the server's own code."""
    with pytest.raises(Retryable, match="SignatureDoesNotMatch|AccessDenied"):
        s3_store(minio, "tests-denied", secret="wrong-secret").get("key")
