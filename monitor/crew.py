"""The workers, and what they are at."""

from collections.abc import Mapping
from typing import NamedTuple

from e2a.checkpoint import Checkpoint, Wish, WorkerRecord
from monitor.records import Span


class Crew(NamedTuple):
    """All workers as they were read."""

    workers: tuple[WorkerRecord, ...] = ()
    """By name."""
    wishes: Mapping[str, Wish] = {}
    """What is wanted of each, by name."""
    seen: Mapping[tuple[str, str, int], float] = {}
    """When somebody was first seen at a part, Unix time in seconds; by worker, book and part."""

    def heard(self, now: float) -> list[WorkerRecord]:
        """Return those that are not silent."""
        return [worker for worker in self.workers if not worker.is_silent(now)]

    def at(self, book_id: str, now: float) -> list[WorkerRecord]:
        """Return those that say that they are at a book, and are not silent."""
        return [worker for worker in self.heard(now) if worker.book_id == book_id]

    def spans(self, titles: Mapping[str, str], now: float) -> list[Span]:
        """Return the parts in hand, each from when it was first seen until now."""
        return [
            Span(
                worker=worker.worker,
                book_id=worker.book_id,
                title=titles.get(worker.book_id, ""),
                part=worker.part,
                start=min(now, self.seen.get(_part(worker), now)),
                end=now,
                outcome="running",
            )
            for worker in self.heard(now)
            if worker.book_id
        ]


def read_crew(checkpoint: Checkpoint, before: Crew, now: float) -> Crew:
    """Return the workers that there are now. Raises `Unavailable`.

    Args:
        checkpoint: where they are recorded.
        before: who was there the last time, and since when they were seen at what they are at.
        now: Unix time in seconds.
    """
    workers = tuple(checkpoint.workers())
    at_work = map(_part, (worker for worker in workers if worker.book_id))
    return Crew(
        workers=workers,
        wishes={worker.worker: checkpoint.wish(worker.worker) for worker in workers},
        seen={part: before.seen.get(part, now) for part in at_work},
    )


def _part(worker: WorkerRecord) -> tuple[str, str, int]:
    return worker.worker, worker.book_id, worker.part
