"""How far every book has got, who works on what, and leases. Redis holds a view that can be rebuilt from storage."""

from collections.abc import Callable, Mapping
from typing import Protocol

from e2a.checkpoint.leases import LeaseKeeper
from e2a.checkpoint.records import (
    BookRecord,
    NotRecorded,
    PartRecord,
    Progress,
    WorkerRecord,
    new_book,
    progress,
    view,
)
from e2a.checkpoint.redis import RedisCheckpoint

__all__ = [
    "BookRecord",
    "Checkpoint",
    "LeaseKeeper",
    "NotRecorded",
    "PartRecord",
    "Progress",
    "RedisCheckpoint",
    "WorkerRecord",
    "new_book",
    "progress",
    "view",
]


class Checkpoint(Protocol):
    """Every method raises `Retryable` when the server cannot be reached."""

    def check(self) -> None:
        """Raise `Retryable`, naming the address, unless the server answers."""

    def seed(self, book: BookRecord, parts: Mapping[int, PartRecord]) -> None:
        """Set all records of a book at once, whatever was there."""

    def books(self) -> list[str]:
        """Return the ids of all books, the first submitted first."""

    def book(self, book_id: str) -> BookRecord | None:
        """Return a book, or None when it is not known."""

    def parts(self, book_id: str) -> dict[int, PartRecord]:
        """Return the parts of a book by index, in order; empty when it is not known."""

    def pending(self, book_id: str) -> int:
        """Return how many parts are neither done nor failed."""

    def update_book(self, book_id: str, change: Callable[[BookRecord], BookRecord]) -> BookRecord:
        """Replace a book's record atomically. Raises `NotRecorded` when it is not known."""

    def update_part(self, book_id: str, index: int, change: Callable[[PartRecord], PartRecord]) -> PartRecord:
        """Replace a part's record atomically. Raises `NotRecorded` when it is not known."""

    def claim(self, name: str, holder: str, ttl: float) -> int:
        """Take a lease for `ttl` seconds.

        Returns the number of this attempt, from 1, or 0 when somebody else holds the lease. A release forgets
        the attempts, so they count holders that died; a holder that claims again has died in between.
        """

    def deaths(self, name: str, holder: str) -> int:
        """Return how many holders died with a lease that `holder` could take now; 0 while somebody else holds it."""

    def renew(self, name: str, holder: str, ttl: float) -> bool:
        """Hold a lease for `ttl` seconds more; False when it is no longer ours."""

    def release(self, name: str, holder: str) -> None:
        """Give a lease back and forget its attempts; nothing happens when it is not ours."""

    def heartbeat(self, worker: WorkerRecord) -> None:
        """Say what a worker does; it is listed for five minutes."""

    def sign_off(self, worker: str) -> None:
        """Take a worker off the list."""

    def workers(self) -> list[WorkerRecord]:
        """Return all workers heard of in the last five minutes, by name."""
