"""What waits in Kafka and what is wrong, as the page shows it."""

import pytest

from e2a.bus import Letter
from e2a.checkpoint import PartRecord, QueuedWork, QueueRecord, WorkerRecord
from e2a.messages import DeadLetter
from e2a.topics import CHAPTERS, EXPRESS
from monitor.ledger import Known
from monitor.progress import summary
from monitor.queue import Parts, queue_page
from monitor.records import QueuePage
from tests.unit.builders import BOOK, a_book_record, a_part_record, a_worker_record

NOW = 1000.0
OTHER = "aaaa000000000001"


def work(partition: int, seconds: float = 60.0, topic: str = CHAPTERS) -> QueuedWork:
    return QueuedWork(topic=topic, partition=partition, parts=2, seconds=seconds, committed=5, end=7)


def page(
    *queued: QueuedWork,
    workers: list[WorkerRecord] | None = None,
    books: dict[str, dict[int, PartRecord]] | None = None,
    letters: list[Letter] | None = None,
    parts: Parts | None = None,
) -> QueuePage:
    known = {book_id: Known(a_book_record(book_id), summary(records)) for book_id, records in (books or {}).items()}
    queue = QueueRecord(taken=990.0, work=queued) if queued else None
    return queue_page(queue, workers or [], known, letters=letters or [], parts=parts or Parts({}, {}), now=NOW)


def a_worker(name: str, **changes: object) -> WorkerRecord:
    return a_worker_record(name, **({"last_seen": NOW} | changes))


def test_partitions() -> None:
    """A partition has its owner, what waits in it in parts and seconds, and how far it is committed."""
    workers = [a_worker("a", partitions=(0,), express=(1,)), a_worker("b", partitions=(1,))]
    found = page(work(0), work(1, 30.0), work(0, topic=EXPRESS), work(1, topic=EXPRESS), workers=workers)
    assert found.taken == 990.0
    assert [(each.topic, each.partition, each.owner, each.seconds) for each in found.partitions] == [
        (CHAPTERS, 0, "a", 60.0),
        (CHAPTERS, 1, "b", 30.0),
        (EXPRESS, 0, "", 60.0),
        (EXPRESS, 1, "a", 60.0),
    ]
    assert (found.partitions[0].parts, found.partitions[0].committed, found.partitions[0].end) == (2, 5, 7)


def test_owner_that_is_silent() -> None:
    """A partition of a worker that is silent belongs to whoever says so now, or to nobody."""
    silent = a_worker("a", partitions=(0, 1), last_seen=NOW - 60)
    found = page(work(0), work(1), workers=[silent, a_worker("b", partitions=(0,))])
    assert [each.owner for each in found.partitions] == ["b", ""]


def test_two_that_say_they_own_it() -> None:
    """Right after a rebalance the one who was heard of last is believed."""
    workers = [a_worker("a", partitions=(0,)), a_worker("b", partitions=(0,), last_seen=NOW - 2)]
    assert page(work(0), workers=workers).partitions[0].owner == "a"


@pytest.mark.parametrize(("seconds", "skew"), [((90.0, 30.0, 0.0), 2.25), ((10.0, 10.0), 1.0), ((0.0, 0.0), None)])
def test_skew(seconds: tuple[float, ...], skew: float | None) -> None:
    """The fullest partition of the chapters topic over the mean of all; the express topic does not count."""
    queued = [work(number, each) for number, each in enumerate(seconds)]
    assert page(*queued, work(0, 9999.0, EXPRESS)).skew == skew


def test_nobody_has_looked() -> None:
    """Before the merger has looked at Kafka nothing is known."""
    assert page() == QueuePage(taken=None)


def test_rebalances() -> None:
    """All workers of a group see the same rebalances, the oldest of them the most."""
    assert page(workers=[a_worker("a", rebalances=3), a_worker("b", rebalances=1)]).rebalances == 3


def test_retries() -> None:
    """What waits to be tried again is listed over all books, the next first."""
    retry = {"reason": "out of memory", "worker": "gpu-1", "attempts": 2}
    books = {
        BOOK: {0: a_part_record(retry_at=1200.0, **retry), 1: a_part_record()},
        OTHER: {7: a_part_record(retry_at=1100.0, **retry)},
    }
    found = page(books=books).retries
    assert [(each.book_id, each.part, each.due) for each in found] == [(OTHER, 7, 1100.0), (BOOK, 0, 1200.0)]
    assert (found[0].title, found[0].attempts, found[0].worker, found[0].reason) == (
        "Emma",
        2,
        "gpu-1",
        "out of memory",
    )


def test_dead_letters() -> None:
    """Dead letters come newest first, with what became of their parts since."""

    def letter(number: int, book_id: str, part: int | None) -> Letter:
        said = DeadLetter(book_id=book_id, part=part, reason="no voice", source="merger", payload="")
        return Letter(number, 900.0 + number, said)

    lost = "aaaa000000000002"
    letters = [letter(0, BOOK, 0), letter(1, BOOK, 1), letter(2, OTHER, 4), letter(3, lost, 4), letter(4, "", None)]
    parts = Parts({BOOK: "Emma"}, {BOOK: {0: a_part_record("failed"), 1: a_part_record("done")}, OTHER: None})
    found = page(letters=letters, parts=parts).letters
    assert [(each.letter.number, each.title, each.since) for each in found] == [
        (4, "", "not of a book"),
        (3, "", "book gone"),
        (2, "", "not known"),
        (1, "Emma", "done"),
        (0, "Emma", "still failed"),
    ]
