"""How far every book has got, who works on what, and leases. Redis holds a view that can be rebuilt from storage."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from e2a.checkpoint.leases import PART, LeaseKeeper, Leases, assembly_lease, excerpt_lease, gpu_lease, part_lease
from e2a.checkpoint.records import (
    ACTIVE,
    STOPPED,
    BookRecord,
    GpuRecord,
    NotRecorded,
    PartRecord,
    Progress,
    QueuedWork,
    QueueRecord,
    Stage,
    Wish,
    WorkerRecord,
    WorkerState,
    new_book,
    part_record,
    progress,
    view,
)
from e2a.checkpoint.redis import RedisCheckpoint
from e2a.settings import Settings

__all__ = [
    "ACTIVE",
    "PART",
    "STOPPED",
    "BookRecord",
    "Checkpoint",
    "GpuRecord",
    "LeaseKeeper",
    "Leases",
    "NotRecorded",
    "PartRecord",
    "Progress",
    "QueueRecord",
    "QueuedWork",
    "RedisCheckpoint",
    "Stage",
    "Wish",
    "WorkerRecord",
    "WorkerState",
    "assembly_lease",
    "excerpt_lease",
    "gpu_lease",
    "new_book",
    "open_checkpoint",
    "part_lease",
    "part_record",
    "progress",
    "view",
]


class Checkpoint(Protocol):
    """Every method raises `Unavailable` when the server cannot be reached."""

    def check(self) -> None:
        """Raise `Unavailable`, naming the address, unless the server answers."""

    def is_whole(self) -> bool:
        """Say whether `declare_whole` was called since the server was empty."""

    def declare_whole(self) -> None:
        """Say that all books of storage are recorded."""

    def seed(self, book: BookRecord, parts: Mapping[int, PartRecord]) -> None:
        """Set all records of a book at once, whatever was there."""

    def forget(self, book_id: str) -> None:
        """Remove all records of a book; nothing happens when it is not known."""

    def books(self) -> list[str]:
        """Return the ids of all books, the first submitted first."""

    def stages(self) -> dict[str, Stage]:
        """Return the stage of each book by its id: urgent books first, then the first submitted first."""

    def stage(self, book_id: str) -> Stage | None:
        """Return the stage of a book, or None when it is not known."""

    def book(self, book_id: str) -> BookRecord | None:
        """Return a book, or None when it is not known."""

    def parts(self, book_id: str) -> dict[int, PartRecord]:
        """Return the parts of a book by index, in order; empty when it is not known."""

    def part(self, book_id: str, index: int) -> PartRecord | None:
        """Return a part, or None when it is not known."""

    def pending(self, book_id: str) -> int:
        """Return how many parts are neither done nor failed."""

    def ready(self, book_id: str) -> list[int]:
        """Return the parts that are neither done nor failed and do not wait to be tried again, in order."""

    def retries(self, book_id: str) -> dict[int, float]:
        """Return the parts that wait to be tried again, and the Unix time in seconds from which each is to be."""

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

    def dead(self) -> dict[str, int]:
        """Return the leases whose last holder died and that nobody holds now, and how many died of each in a row."""

    def survive(self, name: str) -> None:
        """Count one death less of a lease: its holder was only late; nothing happens where none is counted."""

    def renew(self, name: str, holder: str, ttl: float) -> bool:
        """Hold a lease for `ttl` seconds more, also one that has run out and nobody took; False when it is not ours."""

    def held(self, names: Sequence[str]) -> set[str]:
        """Return those of some leases that anybody holds."""

    def release(self, name: str, holder: str) -> None:
        """Give a lease back and forget its attempts; nothing happens when it is not ours."""

    def heartbeat(self, worker: WorkerRecord) -> None:
        """Say what a worker does; it is listed for five minutes."""

    def sign_off(self, worker: str) -> None:
        """Take a worker off the list; what is wanted of it is kept, for when it comes again."""

    def workers(self) -> list[WorkerRecord]:
        """Return all workers heard of in the last five minutes, by name; when, by the clock of this machine."""

    def wish(self, worker: str) -> Wish:
        """Return what is wanted of a worker: that it works, unless somebody has said otherwise."""

    def set_wish(self, worker: str, wish: Wish) -> None:
        """Say what is wanted of a worker; forgotten when it signs off, and after a day in which nobody asks."""

    def queue(self) -> QueueRecord | None:
        """Return what waited in Kafka when somebody last looked, or None when nobody has."""

    def set_queue(self, queue: QueueRecord) -> None:
        """Say what waits in Kafka."""


def open_checkpoint(settings: Settings) -> RedisCheckpoint:
    """Return the checkpoint that the settings name; nothing is asked of it yet."""
    return RedisCheckpoint(settings.redis_url, settings.redis_password.get_secret_value(), settings.ca_file)
