"""Objects as files of a directory: local disk, or NFS shared by several machines."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2a.errors import Retryable


class DirectoryStore:
    """`ObjectStore` in a directory. Thread- and process-safe: writers rename, they never overwrite in place."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def check(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Retryable(f"storage directory {self._root}: {error.strerror}") from error
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise Retryable(f"storage directory {self._root}: not writable")

    def put(self, key: str, data: bytes) -> None:
        with self._errors(key), renamed(self._path(key)) as temporary:
            temporary.write_bytes(data)

    def put_file(self, key: str, path: Path) -> None:
        with self._errors(key), renamed(self._path(key)) as temporary:
            shutil.copyfile(path, temporary)

    def get(self, key: str) -> bytes:
        with self._errors(key):
            return self._path(key).read_bytes()

    def get_file(self, key: str, path: Path) -> None:
        with renamed(path) as temporary, self._errors(key):
            shutil.copyfile(self._path(key), temporary)

    def size(self, key: str) -> int | None:
        try:
            with self._errors(key):
                return self._path(key).stat().st_size
        except KeyError:
            return None

    def delete(self, key: str) -> None:
        with self._errors(key):
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        path = self._root / key
        if not path.is_relative_to(self._root) or ".." in path.parts:
            raise ValueError(f"key {key!r} leaves the storage directory")
        return path

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise KeyError(key) from error
        except OSError as error:
            raise Retryable(f"storage {self._root}: {key}: {error.strerror}") from error


@contextmanager
def renamed(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; flush it to disk and rename it on success, remove it on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    temporary.touch()
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
