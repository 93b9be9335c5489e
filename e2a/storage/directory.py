"""Objects as files of a directory: local disk, or NFS shared by several machines."""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import stamina

from e2a.errors import Unavailable

Result = TypeVar("Result")
CHUNK = 1 << 20
UNFINISHED = ".unfinished"
"""The folder of what is being written. Without it the directory is another than `check` has made: it is not mounted."""
DAY = 86_400
"""Seconds after which the writer of an unfinished file has died: it renames or removes it in minutes."""


class DirectoryStore:
    """`ObjectStore` in a directory. Thread- and process-safe: writers rename, they never overwrite in place. What a
    writer that was killed leaves is removed by the `check` of any other, a day later. Only `check` makes the directory:
    where it is gone, or not mounted, everything else raises `Unavailable`.

    Args:
        root: the directory, which is made when it is missing.
        patience: seconds to go on trying when the disk is full or a share does not answer; one try is always made.
    """

    def __init__(self, root: Path, patience: float) -> None:
        self._root = root.resolve()
        self._patience = patience

    def check(self) -> None:
        try:
            (self._root / UNFINISHED).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"storage directory {self._root}: {error.strerror}") from error
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise Unavailable(f"storage directory {self._root}: not writable")
        for left in (self._root / UNFINISHED).glob("*"):
            with suppress(OSError):  # another removes it, too, or has renamed it
                if left.stat().st_mtime < time.time() - DAY:
                    left.unlink()

    def put(self, key: str, data: bytes) -> None:
        self._write(key, lambda temporary: temporary.write_bytes(data))

    def put_file(self, key: str, path: Path) -> None:
        def copy(temporary: Path) -> None:
            source.seek(0)
            with temporary.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK)

        with path.open("rb") as source:
            self._write(key, copy)

    def get(self, key: str) -> bytes:
        return self._read(key, self._path(key).read_bytes)

    def read(self, key: str, offset: int, length: int) -> bytes:
        def piece() -> bytes:
            with self._path(key).open("rb") as source:
                source.seek(offset)
                return source.read(length)

        return self._read(key, piece)

    def get_file(self, key: str, path: Path) -> None:
        with (
            renamed(path) as temporary,
            self._read(key, lambda: self._path(key).open("rb", buffering=0)) as source,
            temporary.open("wb") as target,
        ):
            while chunk := self._read(key, lambda: source.read(CHUNK)):
                target.write(chunk)

    def size(self, key: str) -> int | None:
        def opened() -> int:
            with self._path(key).open("rb") as source:  # NFS asks the server when a file is opened
                return os.fstat(source.fileno()).st_size

        try:
            return self._read(key, opened)
        except KeyError:
            return None

    def delete(self, key: str) -> None:
        with suppress(KeyError):
            self._read(key, self._path(key).unlink)

    def list(self, prefix: str) -> Iterator[str]:
        def below() -> list[str]:
            shown = (entry for entry in sorted(self._path(prefix).iterdir()) if not entry.name.startswith("."))
            return [f"{prefix}{entry.name}{'/' if entry.is_dir() else ''}" for entry in shown]

        with suppress(KeyError):
            yield from self._read(prefix, below)

    def _path(self, key: str) -> Path:
        path = self._root / key
        if not path.is_relative_to(self._root) or ".." in path.parts:
            raise ValueError(f"key {key!r} leaves the storage directory")
        return path

    def _write(self, key: str, write: Callable[[Path], object]) -> None:
        def put() -> None:
            with renamed(self._path(key), self._root / UNFINISHED) as temporary:
                write(temporary)

        self._call(key, put)

    def _read(self, key: str, request: Callable[[], Result]) -> Result:
        def get() -> Result:
            with suppress(FileNotFoundError):
                return request()
            try:
                self._look_again(key)
                return request()
            except FileNotFoundError as error:
                if not self._is_there:
                    raise
                raise KeyError(key) from error

        return self._call(key, get)

    @property
    def _is_there(self) -> bool:
        try:
            return (self._root / UNFINISHED).is_dir()
        except OSError:  # a mount whose server or client has died
            return False

    def _look_again(self, key: str) -> None:
        """Open the folders of a key: NFS then forgets what it missed in them, and remembers for half a minute."""
        for folder in reversed(self._path(key).relative_to(self._root).parents):
            os.scandir(self._root / folder).close()

    def _call(self, key: str, request: Callable[[], Result]) -> Result:
        try:
            for attempt in stamina.retry_context(on=OSError, attempts=None, timeout=self._patience, wait_max=1.0):
                with attempt:
                    return request()
        except OSError as error:
            reason = error.strerror if self._is_there else "the directory is not there: mount it, or run e2a-init"
            raise Unavailable(f"storage {self._root}: {key}: {reason}") from error
        raise AssertionError("unreachable: the retry context returns or raises")


@contextmanager
def renamed(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """Yield a temporary name; flush it to disk and rename it to `path` on success, remove it on failure.

    Args:
        path: the name in the end; its folder is made.
        folder: of the temporary name, on the same file system; that of `path` when it is None.
    """
    if folder is None:
        folder = path.parent
        folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{uuid.uuid4().hex}.tmp"
    temporary.touch()
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
