"""When books are ready: a range that follows from what was measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a.checkpoint import BookRecord, WorkerRecord
from monitor.eta import LATELY, Range, etas, since
from monitor.progress import Summary, summary
from tests.unit.builders import a_book_record, a_part_record, a_worker_record

NOW = 10_000.0
FIRST, SECOND, THIRD = "aaaa000000000001", "aaaa000000000002", "aaaa000000000003"


def a_book(book_id: str = FIRST, left: int = 100, **changes: object) -> tuple[BookRecord, Summary]:
    """Return a book that was submitted long ago and has so many parts of 60 seconds left."""
    parts = {index: a_part_record(estimate=60.0) for index in range(left)}
    parts[left] = a_part_record("done", estimate=60.0, audio_seconds=60.0)
    return a_book_record(book_id, **({"resumed_at": 0.0} | changes)), summary(parts)


def a_worker(name: str = "a", speed: float | None = 10.0, **changes: object) -> WorkerRecord:
    """Return a worker that speaks so much faster than life; one not measured yet at None."""
    measured = {"audio_seconds": 60.0 * (speed or 0.0), "work_seconds": 60.0 if speed else 0.0}
    return a_worker_record(name, **({"last_seen": NOW} | measured | changes))


def ready(
    *books: tuple[BookRecord, Summary], workers: list[WorkerRecord], made: dict[str, float] | None = None
) -> dict[str, Range]:
    return etas(books, workers, made or {}, NOW)


def test_by_how_fast_workers_are_and_by_how_fast_it_came_on() -> None:
    """With all workers on it a book would be ready sooner than at the speed of lately; the range is between the two."""
    found = ready(a_book(), workers=[a_worker("a"), a_worker("b", 20.0)], made={FIRST: 15.0 * LATELY})
    assert found == {FIRST: (pytest.approx(6000 / 30), pytest.approx(6000 / 15))}


def test_book_that_came_on_faster_than_measured() -> None:
    """When more was made lately than these workers make, as there were more, the range says so."""
    found = ready(a_book(), workers=[a_worker()], made={FIRST: 40.0 * LATELY})
    assert found == {FIRST: (pytest.approx(600.0), pytest.approx(600.0))}


@pytest.mark.parametrize(("submitted", "counts"), [(60.0, 60.0), (LATELY * 3, LATELY)])
def test_what_counts(submitted: float, counts: float) -> None:
    """What was made counts for ten minutes, or since the book was submitted last."""
    assert since(a_book(resumed_at=NOW - submitted)[0], NOW) == NOW - counts


def test_lately_begins_with_the_submission() -> None:
    """Of a book that was submitted a minute ago, speed is measured over that minute."""
    found = ready(a_book(resumed_at=NOW - 60), workers=[a_worker()], made={FIRST: 300.0})
    assert found[FIRST] == (pytest.approx(600.0), pytest.approx(1200.0))


def test_books_in_line() -> None:
    """A book that nobody is at comes after those before it, at the speed with which all come on."""
    found = ready(a_book(FIRST), a_book(SECOND), workers=[a_worker()], made={FIRST: 5.0 * LATELY})
    assert found[SECOND] == (pytest.approx(1200.0), pytest.approx(2400.0))


def test_short_and_urgent_books_go_first() -> None:
    """Books of less than ten minutes, and urgent ones before them, do not wait for a long one."""
    short, urgent = a_book(SECOND, left=5), a_book(THIRD, urgent=True)
    found = ready(a_book(FIRST), short, urgent, workers=[a_worker()])
    assert [round(found[each][0]) for each in (THIRD, SECOND, FIRST)] == [600, 630, 1230]


@pytest.mark.parametrize(
    "changes",
    [{"last_seen": NOW - 60}, {"state": "draining"}, {"engine": "xtts"}, {"audio_seconds": 0.0}],
    ids=["silent", "draining", "another engine", "not measured"],
)
def test_nobody_can_say(changes: dict[str, object]) -> None:
    """Without a worker for it of which anything was measured, nobody can say when a book is ready."""
    assert ready(a_book(), workers=[a_worker(**changes)], made={FIRST: 100.0}) == {}


@pytest.mark.parametrize("stage", ["assembling", "done", "failed", "paused", "cancelled"])
def test_books_that_are_not_spoken(stage: str) -> None:
    """There is nothing to wait for in a book that nobody speaks, and others do not wait for it."""
    found = ready(a_book(stage=stage), a_book(SECOND), workers=[a_worker()])
    assert found == {SECOND: (pytest.approx(600.0), pytest.approx(600.0))}


def test_nothing_left() -> None:
    """A book of which all parts are done is about to be assembled."""
    assert ready(a_book(left=0), workers=[a_worker()]) == {}


def test_new_worker_is_as_fast_as_others() -> None:
    """One that has not spoken yet counts like the others."""
    found = ready(a_book(), workers=[a_worker("a"), a_worker("b", None)])
    assert found[FIRST][0] == pytest.approx(300.0)


def test_one_part_has_one_worker() -> None:
    """However many workers there are, the last part is spoken by one of them."""
    workers = [a_worker(f"w{number}") for number in range(64)]
    assert ready(a_book(left=1), workers=workers, made={FIRST: 600.0 * LATELY})[FIRST][1] >= 6.0


@given(
    st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1e6), st.booleans()), min_size=1, max_size=3),
    st.lists(st.one_of(st.none(), st.floats(0.1, 100.0)), min_size=1, max_size=5),
)
def test_range_never_ends_before_what_is_certain(
    books: list[tuple[int, float, bool]], speeds: list[float | None]
) -> None:
    """No range is upside down, or ends before all workers could have spoken what is left."""
    ids = [FIRST, SECOND, THIRD]
    shelf = [a_book(book_id, left, urgent=urgent) for book_id, (left, _made, urgent) in zip(ids, books, strict=False)]
    made = {book_id: seconds for book_id, (_left, seconds, _urgent) in zip(ids, books, strict=False)}
    workers = [a_worker(f"w{number}", speed) for number, speed in enumerate(speeds)]
    fastest = max((speed for speed in speeds if speed), default=0.0)
    for book_id, (low, high) in ready(*shelf, workers=workers, made=made).items():
        left = 60.0 * books[ids.index(book_id)][0]
        assert 0 < low <= high
        assert high >= left / (fastest * len(speeds)) - 1e-6
        assert high >= 60.0 / fastest - 1e-6
