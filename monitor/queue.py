"""What waits in Kafka and what is wrong, as a page shows it: pure functions of what was read."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from e2a.bus import Letter
from e2a.checkpoint import PartRecord, QueuedWork, QueueRecord, WorkerRecord
from e2a.deadletters import entries
from e2a.topics import CHAPTERS, EXPRESS
from monitor.ledger import Known
from monitor.records import PartitionRow, QueuePage, RetryRow


class Parts(NamedTuple):
    """Where it is looked up what became of dead letters: what `e2a.deadletters` needs of a shelf."""

    titles: Mapping[str, str]
    """Of books, by id."""
    found: Mapping[str, Mapping[int, PartRecord] | None]
    """Records of parts by book; None where nobody can say."""
    problem: str = ""

    def title(self, book_id: str) -> str:
        """Return the title of a book; empty where nobody knows it."""
        return self.titles.get(book_id, "")

    def records(self, book_id: str) -> Mapping[int, PartRecord] | None:
        """Return the parts of a book that were looked up."""
        return self.found.get(book_id, {})


def queue_page(
    queue: QueueRecord | None,
    workers: Iterable[WorkerRecord],
    books: Mapping[str, Known],
    *,
    letters: Iterable[Letter],
    parts: Parts,
    now: float,
) -> QueuePage:
    """Return what waits and what is wrong.

    Args:
        queue: what the merger saw when it last looked at Kafka; None when it never did.
        workers: all.
        books: all that are recorded.
        letters: the last of each part, oldest first.
        parts: where those are looked up.
        now: Unix time in seconds.
    """
    crew = list(workers)
    owners = _owners(crew, now)
    work = queue.work if queue else ()
    return QueuePage(
        taken=queue.taken if queue else None,
        partitions=tuple(_partition(each, owners.get((each.topic, each.partition), "")) for each in work),
        skew=_skew([each.seconds for each in work if each.topic == CHAPTERS]),
        rebalances=max((worker.rebalances for worker in crew), default=0),
        retries=_retries(books),
        letters=tuple(reversed(entries(letters, parts))),
    )


def _owners(workers: Iterable[WorkerRecord], now: float) -> dict[tuple[str, int], str]:
    """Return who has each partition; of two that say so, the one who was heard of last."""
    heard = sorted((worker for worker in workers if not worker.is_silent(now)), key=lambda worker: worker.last_seen)
    owned = {(EXPRESS, number): worker.worker for worker in heard for number in worker.express}
    return owned | {(CHAPTERS, number): worker.worker for worker in heard for number in worker.partitions}


def _partition(work: QueuedWork, owner: str) -> PartitionRow:
    return PartitionRow(
        topic=work.topic,
        partition=work.partition,
        owner=owner,
        parts=work.parts,
        seconds=work.seconds,
        committed=work.committed,
        end=work.end,
    )


def _skew(seconds: list[float]) -> float | None:
    return max(seconds) * len(seconds) / sum(seconds) if sum(seconds) else None


def _retries(books: Mapping[str, Known]) -> tuple[RetryRow, ...]:
    """Return what waits to be tried again, the next first."""
    found = [
        RetryRow(
            book_id=book_id,
            title=known.book.title,
            part=index,
            attempts=part.attempts,
            due=part.retry_at,
            worker=part.worker,
            reason=part.reason,
        )
        for book_id, known in books.items()
        for index, part in known.parts.retries
    ]
    return tuple(sorted(found, key=lambda row: row.due))
