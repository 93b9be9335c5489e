"""Books of the checkpoint, read cheaply and all the same right."""

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from e2a.checkpoint import PartRecord
from e2a.errors import Retryable
from e2a.messages import BookChanged, BookPlanned, PartsWanted
from e2a.shelf import change_order
from e2a.testing import Clock, MemoryCheckpoint
from monitor.ledger import BUDGET, FINISHED, Ledger, open_book
from monitor.progress import UNREAD, summary
from tests.unit.builders import BOOK, a_book_record, a_part_record
from tests.unit.mergers import PLAN, Scene

OTHER = "aaaa000000000001"
DONE = a_part_record("done", audio_seconds=9.0)


class Counting(MemoryCheckpoint):
    """A checkpoint that counts readings of parts, and lets a test act during one."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.read: list[str] = []
        self.during: Callable[[], object] = lambda: None

    def parts(self, book_id: str) -> dict[int, PartRecord]:
        self.read.append(book_id)
        self.during()
        return super().parts(book_id)

    def pending(self, book_id: str) -> int:
        return sum(part.state == "pending" for part in super().parts(book_id).values())

    def retries(self, book_id: str) -> dict[int, float]:
        return {index: part.retry_at for index, part in super().parts(book_id).items() if part.retry_at}


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = 1000.0
    return clock


@pytest.fixture
def checkpoint(clock: Clock) -> Counting:
    checkpoint = Counting(clock)
    checkpoint.seed(a_book_record(), {0: DONE, 1: a_part_record(chapter=1)})
    return checkpoint


@pytest.fixture
def ledger(checkpoint: Counting, clock: Clock) -> Ledger:
    return Ledger(checkpoint, clock)


def test_parts_are_read_once(ledger: Ledger, checkpoint: Counting) -> None:
    """Parts of a book to which nothing happens are read once."""
    assert ledger.read()[BOOK].parts.numbers.done == 1
    assert ledger.read()[BOOK].parts.numbers.done == 1
    assert checkpoint.read == [BOOK]


def test_whatever_happens_to_a_part_is_seen(ledger: Ledger, checkpoint: Counting) -> None:
    """A change of the book's record, of what is pending, or of what waits to be tried again has parts read again."""
    ledger.read()
    checkpoint.update_part(BOOK, 1, lambda part: part.model_copy(update={"retry_at": 1010.0}))
    assert [index for index, _part in ledger.read()[BOOK].parts.retries] == [1]
    checkpoint.update_part(BOOK, 1, lambda part: part.model_copy(update={"retry_at": 1020.0}))
    assert [part.retry_at for _index, part in ledger.read()[BOOK].parts.retries] == [1020.0]
    checkpoint.update_part(BOOK, 1, lambda _part: DONE)
    assert ledger.read()[BOOK].parts.numbers.done == 2
    checkpoint.update_book(BOOK, lambda book: book.model_copy(update={"last_update": 1001.0}))
    assert ledger.read()[BOOK].book.last_update == 1001.0
    assert len(checkpoint.read) == 5


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_checkpoint_whatever_the_merger_does(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """After any course of events, failures, retries, orders, damage and sweeps the ledger knows what is recorded."""
    scene, chance = Scene(monkeypatch), random.Random(seed)
    merger, part = scene.merger, lambda: chance.randrange(len(PLAN.parts))

    def conclude() -> None:
        for work in merger.unconcluded():
            work.run()

    def order(state: str) -> None:
        change_order(scene.store, BOOK, state=state)
        merger.on_event(BookChanged(book_id=BOOK))

    happen: list[Callable[[], object]] = [
        lambda: scene.make(part()),
        lambda: scene.fail(part()),
        lambda: scene.fail(part(), retryable=True, attempt=chance.randrange(1, 4)),
        lambda: scene.sweep(chance.randrange(1, 20)),
        lambda: scene.damage(part()),
        lambda: setattr(scene, "failure", None),
        lambda: merger.on_event(PartsWanted(book_id=BOOK)),
        lambda: merger.on_event(BookPlanned(book_id=BOOK)),
        lambda: order(chance.choice(["paused", "cancelled", "wanted"])),
        conclude,
    ]
    scene.planned()
    ledger = Ledger(scene.checkpoint, scene.clock)
    for _step in range(60):
        scene.clock.now += 0.001  # no two records are written at the same time
        with suppress(Retryable):
            chance.choice(happen)()
        if chance.random() < 0.7:
            assert ledger.read()[BOOK].parts == summary(scene.checkpoint.parts(BOOK))


def test_finished_books_are_looked_at_now_and_then(ledger: Ledger, checkpoint: Counting, clock: Clock) -> None:
    """A finished book is looked at once a minute, and at once when it is not finished any more."""
    checkpoint.seed(a_book_record(stage="done"), {0: DONE})
    ledger.read()
    checkpoint.update_book(BOOK, lambda book: book.model_copy(update={"last_update": 1001.0}))
    clock.now += FINISHED - 1
    assert ledger.read()[BOOK].book.last_update == 1000.0
    clock.now += 1
    assert ledger.read()[BOOK].book.last_update == 1001.0
    checkpoint.update_book(BOOK, lambda book: book.model_copy(update={"stage": "synthesising"}))
    assert ledger.read()[BOOK].book.stage == "synthesising"


def test_books_come_and_go(ledger: Ledger, checkpoint: Counting) -> None:
    """Books are in the order of the checkpoint, urgent ones first; what is forgotten is gone."""
    checkpoint.seed(a_book_record(OTHER, urgent=True, start_time=2000.0), {})
    assert list(ledger.read()) == [OTHER, BOOK]
    checkpoint.forget(OTHER)
    assert list(ledger.read()) == [BOOK]


def test_no_reading_takes_for_ever(ledger: Ledger, checkpoint: Counting, clock: Clock) -> None:
    """Books that were not reached come the next time, those first whose parts were read longest ago."""

    def take_time() -> None:
        clock.now += BUDGET * 0.6

    for number in range(4):
        checkpoint.seed(a_book_record(f"aaaa00000000000{number}", start_time=float(number)), {0: DONE})
    checkpoint.during = take_time
    books = ledger.read()
    assert [books[book_id].parts is UNREAD for book_id in books] == [False, False, True, True, True]
    checkpoint.update_book("aaaa000000000000", lambda book: book.model_copy(update={"last_update": 1001.0}))
    assert ledger.read()["aaaa000000000000"].book.last_update == 1001.0
    ledger.read()
    assert checkpoint.read == [*(f"aaaa00000000000{number}" for number in range(4)), BOOK, "aaaa000000000000"]


def test_finished_books_are_read_last(ledger: Ledger, checkpoint: Counting) -> None:
    """At the beginning books that are being made are known before those that are finished."""
    checkpoint.seed(a_book_record(OTHER, stage="done", start_time=0.0), {0: DONE})
    ledger.read()
    assert checkpoint.read == [BOOK, OTHER]


def test_a_book_that_is_opened(checkpoint: Counting) -> None:
    """All parts of a book that is looked at are read, and again only when something has happened to them."""
    opened = open_book(checkpoint, BOOK, None)
    assert opened is not None
    assert list(opened.parts) == [0, 1]
    assert open_book(checkpoint, BOOK, opened) is opened
    checkpoint.update_part(BOOK, 1, lambda _part: DONE)
    again = open_book(checkpoint, BOOK, opened)
    assert again is not None
    assert again.parts[1] == DONE
    assert open_book(checkpoint, OTHER, None) is None
    checkpoint.forget(BOOK)
    assert open_book(checkpoint, BOOK, opened) is None
