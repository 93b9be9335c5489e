"""The feed: one reading for many viewers, and a source that may be away."""

import threading
from collections.abc import Callable

import pytest

from e2a.checkpoint import BookRecord, PartRecord, WorkerRecord
from e2a.errors import Retryable
from e2a.plan import Retake
from e2a.testing import Clock, MemoryCheckpoint
from monitor.feed import Feed, Snapshot

BOOK = BookRecord(
    book_id="b",
    title="Emma",
    authors=("Jane Austen",),
    engine="espeak",
    chapter_titles=("I",),
    start_time=0.0,
    resumed_at=0.0,
    last_update=50.0,
)
DONE = PartRecord(chapter=0, estimate=100.0, state="done", audio_seconds=100.0)
WORKER = WorkerRecord(worker="gpu-0", engine="espeak", started=0.0, last_seen=95.0, book_id="b")


class Source(MemoryCheckpoint):
    """A checkpoint that counts readings, goes away when told to, and lets a test act in the middle of one."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.readings = 0
        self.parts_read = 0
        self.away = ""
        self.during: Callable[[], object] = lambda: None

    def books(self) -> list[str]:
        self.readings += 1
        self.during()
        if self.away:
            raise Retryable(self.away)
        return super().books()

    def parts(self, book_id: str) -> dict[int, PartRecord]:
        self.parts_read += 1
        return super().parts(book_id)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = 100.0
    return clock


@pytest.fixture
def source(clock: Clock) -> Source:
    source = Source(clock)
    source.seed(BOOK, {0: DONE})
    source.heartbeat(WORKER)
    return source


def test_snapshot(source: Source, clock: Clock) -> None:
    """A snapshot holds the rows of all books and workers and the time at which it was taken."""
    snapshot = Feed(source, clock, keep=1.0).read()
    assert [(row.title, row.speed, row.age) for row in snapshot.books] == [("Emma", 1.0, 50.0)]
    assert [(row.worker, row.book, row.activity) for row in snapshot.workers] == [("gpu-0", "Emma", "chapter 1")]
    assert (snapshot.taken, snapshot.error) == (100.0, "")


def test_one_reading_serves_many(source: Source, clock: Clock) -> None:
    """Within the keeping time viewers share a reading; after it the source is read again."""
    feed = Feed(source, clock, keep=1.0)
    first = feed.read()
    clock.now += 0.9
    assert feed.read() is first
    assert source.readings == 1
    clock.now += 0.1
    assert feed.read().taken == clock.now
    assert source.readings == 2


def test_clock_set_back(source: Source, clock: Clock) -> None:
    """A clock that is set back does not freeze the feed."""
    feed = Feed(source, clock, keep=1.0)
    feed.read()
    clock.now -= 3600
    assert feed.read().taken == clock.now


def test_source_goes_away_and_comes_back(source: Source, clock: Clock) -> None:
    """While the source is away its last rows stay with their time, and the reason is a value, not a raise."""
    feed = Feed(source, clock, keep=1.0)
    good = feed.read()
    source.away = "Redis redis://r: refused"
    clock.now += 5
    assert feed.read() == good.model_copy(update={"error": "Redis redis://r: refused"})
    source.away = ""
    clock.now += 5
    snapshot = feed.read()
    assert (snapshot.error, snapshot.taken) == ("", 110.0)


def test_source_never_there(source: Source, clock: Clock) -> None:
    """A source that was never there leaves a snapshot without rows or time, and is not asked again at once."""
    source.away = "Redis redis://r: refused"
    feed = Feed(source, clock, keep=1.0)
    assert feed.read() == Snapshot(error="Redis redis://r: refused")
    assert feed.read().taken is None
    assert source.readings == 1


def test_slow_failure_is_not_repeated_at_once(source: Source, clock: Clock) -> None:
    """The keeping time starts when a reading ends, so time-outs do not follow each other without a pause."""

    def time_out() -> None:
        clock.now += 8

    source.away, source.during = "Redis redis://r: timeout", time_out
    feed = Feed(source, clock, keep=1.0)
    feed.read()
    feed.read()
    assert source.readings == 1


def test_viewers_do_not_wait_for_a_reading(source: Source, clock: Clock) -> None:
    """While one viewer reads a source that hangs, another gets the last snapshot at once."""
    feed = Feed(source, clock, keep=1.0)
    first = feed.read()
    clock.now += 2
    seen: list[Snapshot] = []

    def second_viewer() -> None:
        thread = threading.Thread(target=lambda: seen.append(feed.read()), daemon=True)
        thread.start()
        thread.join(timeout=5)

    source.during = second_viewer
    assert feed.read().taken == 102.0
    assert seen == [first]


def test_bug_does_not_lock_the_feed(source: Source, clock: Clock) -> None:
    """An exception that is nobody's plan goes up, and the next viewer reads again."""

    def fail() -> None:
        raise ZeroDivisionError

    feed = Feed(source, clock, keep=1.0)
    source.during = fail
    with pytest.raises(ZeroDivisionError):
        feed.read()
    source.during = lambda: None
    assert feed.read().taken == 100.0


def test_finished_books_are_read_once(source: Source, clock: Clock) -> None:
    """The parts of a finished book are read once, its age goes on, and a new record of it is read anew."""
    source.update_book("b", lambda book: book.model_copy(update={"stage": "done"}))
    feed = Feed(source, clock, keep=1.0)
    feed.read()
    clock.now += 10
    assert feed.read().books[0].age == 60.0
    assert source.parts_read == 1
    source.seed(BOOK.model_copy(update={"last_update": 110.0}), {0: DONE})
    clock.now += 10
    assert feed.read().books[0].stage == "synthesising"
    assert source.parts_read == 2


def test_retakes_of_finished_books_are_kept(source: Source, clock: Clock) -> None:
    """What was said again in a finished book is shown from the one reading of its parts, without a copy."""
    retake = Retake(sentence=0, start=0.5, text="No.", takes=2, flaws=("too-short",))
    source.seed(BOOK.model_copy(update={"stage": "done"}), {0: DONE.model_copy(update={"retakes": (retake,)})})
    feed = Feed(source, clock, keep=1.0)
    first = feed.read().books[0]
    clock.now += 10
    assert [each.text for each in first.retakes] == ["No."]
    assert feed.read().books[0].retakes is first.retakes
    assert source.parts_read == 1


def test_book_that_vanishes_is_left_out(source: Source, clock: Clock) -> None:
    """A book that is listed but has no record is not shown."""
    source.book = lambda book_id: None  # type: ignore[method-assign, assignment]
    assert Feed(source, clock, keep=1.0).read().books == ()


def test_parts_of_a_running_book_are_read_each_time(source: Source, clock: Clock) -> None:
    """A part that is done shows in the next reading, whether or not its book's record changed."""
    source.seed(BOOK, {0: DONE, 1: PartRecord(chapter=1, estimate=100.0)})
    feed = Feed(source, clock, keep=1.0)
    assert feed.read().books[0].fraction == 0.5
    source.update_part("b", 1, lambda _: DONE)
    clock.now += 1
    assert feed.read().books[0].fraction == 1.0
