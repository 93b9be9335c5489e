"""Object storage: the only thing that must be kept. MinIO, S3 or a directory behind one protocol."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from e2a.errors import ExitCode, UserError
from e2a.plan import Order, Plan, Sidecar
from e2a.report import Report
from e2a.settings import Settings
from e2a.storage import keys
from e2a.storage.directory import DirectoryStore
from e2a.storage.s3 import S3Store

__all__ = [
    "DirectoryStore",
    "ObjectStore",
    "S3Store",
    "book_ids",
    "has_audio",
    "has_plan",
    "keys",
    "open_store",
    "read_master",
    "read_order",
    "read_plan",
    "read_report",
    "read_sidecar",
]


class ObjectStore(Protocol):
    """Objects under slash-separated keys. A put is atomic: readers see the old object, the new one, or none.

    Every method raises `Unavailable` when the store cannot be reached or written, and every read of an object
    that is not there raises `KeyError`.
    """

    def check(self) -> None:
        """Raise `Unavailable`, naming the address, unless the store can be written."""

    def put(self, key: str, data: bytes) -> None:
        """Store bytes."""

    def put_file(self, key: str, path: Path) -> None:
        """Store a file without reading it into memory.

        Raises:
            OSError: `path` cannot be read.
        """

    def get(self, key: str) -> bytes:
        """Return the object."""

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Return a piece of the object: fewer bytes than `length` where it ends before, none past its end."""

    def get_file(self, key: str, path: Path) -> None:
        """Write the object to `path`: under a temporary name beside it first, then renamed.

        Raises:
            OSError: `path` cannot be written.
        """

    def size(self, key: str) -> int | None:
        """Return the object's size in bytes, or None when there is no such object."""

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when there is none."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys of the objects directly below a prefix, and the prefixes below it, which end in a slash.

        Args:
            prefix: empty for everything, else it ends in a slash; nothing is below one that is not there.
        """


def open_store(settings: Settings) -> ObjectStore:
    """Return the store that the settings name.

    Raises:
        UserError: the S3 settings cannot be used together (exit code CONFIG).
    """
    if not settings.storage.startswith("s3://"):
        return DirectoryStore(Path(settings.storage), settings.patience)
    try:
        return S3Store(
            bucket=settings.storage.removeprefix("s3://"),
            endpoint=settings.s3_endpoint,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=settings.s3_secure,
            ca_file=settings.ca_file,
            patience=settings.patience,
        )
    except ValueError as error:
        raise UserError(f"settings E2A_S3_*: {error}", ExitCode.CONFIG) from error


def book_ids(store: ObjectStore) -> Iterator[str]:
    """Yield the ids of all books of which anything is in storage.

    Raises:
        Unavailable: the store cannot be reached.
    """
    return (prefix.removeprefix(keys.BOOKS).rstrip("/") for prefix in store.list(keys.BOOKS) if prefix.endswith("/"))


def read_order(store: ObjectStore, book_id: str) -> Order:
    """Return what is wanted of a book; a book without an order that can be read is wanted.

    Raises:
        Unavailable: the store cannot be reached.
    """
    try:
        return Order.model_validate_json(store.get(keys.book(book_id, keys.ORDER)))
    except (KeyError, ValidationError):
        return Order()


def has_plan(store: ObjectStore, book_id: str) -> bool:
    """Say whether there is a plan of a book, also one that cannot be read.

    Raises:
        Unavailable: the store cannot be reached.
    """
    return store.size(keys.book(book_id, keys.PLAN)) is not None


def read_plan(store: ObjectStore, book_id: str, name: str = keys.PLAN) -> Plan | None:
    """Return the plan of a book, or None when there is none that can be read.

    Args:
        store: where books live.
        book_id: of the book.
        name: `keys.REMOVED` for the plan of a book that is being removed.

    Raises:
        Unavailable: the store cannot be reached.
    """
    try:
        return Plan.model_validate_json(store.get(keys.book(book_id, name)))
    except (KeyError, ValidationError):
        return None


def read_sidecar(store: ObjectStore, digest: str, bitrate: int) -> Sidecar | None:
    """Return the sidecar of a part that is done: master and AAC are there, and as long as they should be.

    Args:
        store: where parts live.
        digest: of the part.
        bitrate: of the AAC, in bits a second.

    Raises:
        Unavailable: the store cannot be reached.
    """
    sidecar = read_master(store, digest)
    return sidecar if sidecar and has_audio(store, sidecar, bitrate) else None


def has_audio(store: ObjectStore, sidecar: Sidecar, bitrate: int) -> bool:
    """Say whether the AAC of a part is there, and as long as its sidecar says.

    Raises:
        Unavailable: the store cannot be reached.
    """
    aac = sidecar.aac.get(bitrate)
    return aac is not None and store.size(keys.part_audio(sidecar.digest, bitrate)) == aac.size


def read_master(store: ObjectStore, digest: str) -> Sidecar | None:
    """Return the sidecar of a part whose master is there, and as long as it should be, whatever AAC there is of it.

    Raises:
        Unavailable: the store cannot be reached.
    """
    try:
        sidecar = Sidecar.model_validate_json(store.get(keys.part_sidecar(digest)))
    except (KeyError, ValidationError):
        return None
    return sidecar if store.size(keys.part_master(digest)) == sidecar.master.size else None


def read_report(store: ObjectStore, book_id: str, key: Callable[[str], str] = keys.report) -> Report | None:
    """Return the report of a finished book, also one of an older version; None when there is no finished book.

    Args:
        store: where books live.
        book_id: of the book.
        key: `keys.partial_report` for what is finished of a book.

    Raises:
        Unavailable: the store cannot be reached.
    """
    try:
        report = Report.model_validate_json(store.get(key(book_id)))
    except (KeyError, ValidationError):
        return None
    return report if all(store.size(file.key) == file.size for file in report.files) else None
