"""Progress and views, computed from records."""

import json

import pytest

from e2a.checkpoint import new_book, progress, view
from tests.unit.builders import BOOK, a_book_record, a_part_record, a_plan, a_speech, a_worker_record

DONE = a_part_record("done", estimate=100.0, audio_seconds=100.0, audio_bytes=2_500_000)
PENDING = a_part_record(chapter=1, estimate=200.0)
FAILED = a_part_record("failed", chapter=2, estimate=100.0, reason="no voice")


def test_new_book() -> None:
    """The record of a book is what its plan says, and begins now."""
    book = new_book(a_plan(title="Persuasion", speech=a_speech(engine="simulated")), now=5.0)
    assert (book.title, book.authors, book.engine) == ("Persuasion", ("Jane Austen",), "simulated")
    assert book.chapter_titles == ("Chapter 1", "Chapter 2")
    assert (book.stage, book.start_time, book.last_update) == ("synthesising", 5.0, 5.0)


def test_progress_counts() -> None:
    """Parts and chapters are counted by state."""
    numbers = progress([DONE, PENDING, FAILED])
    assert (numbers.parts, numbers.done, numbers.failed) == (3, 1, 1)
    assert (numbers.chapters, numbers.chapters_done, numbers.chapters_failed) == (3, 1, 1)


def test_progress_in_seconds() -> None:
    """A done part counts with its real length, any other with its estimate."""
    numbers = progress([DONE, PENDING, FAILED])
    assert numbers.seconds_done == 100.0
    assert numbers.seconds_total == 400.0
    assert numbers.fraction == 0.25


def test_estimates_are_corrected() -> None:
    """When parts became half as long as estimated, so will the rest."""
    shorter = DONE.model_copy(update={"estimate": 2 * DONE.audio_seconds})
    numbers = progress([shorter, PENDING, FAILED])
    assert numbers.seconds_pending == PENDING.estimate / 2
    assert numbers.seconds_total == DONE.audio_seconds + (PENDING.estimate + FAILED.estimate) / 2


def test_chapter_is_done_with_its_last_part() -> None:
    """A chapter of which one part is missing is not done; one failed part makes a chapter failed."""
    halves = [DONE, a_part_record("pending")]
    assert progress(halves).chapters_done == 0
    assert progress([DONE, DONE]).chapters_done == 1
    assert progress([DONE, a_part_record("failed")]).chapters_failed == 1


def test_chapters_out_of_order() -> None:
    """Parts of a chapter need not follow each other."""
    numbers = progress([DONE, PENDING, DONE])
    assert (numbers.chapters, numbers.chapters_done) == (2, 1)


@pytest.mark.parametrize(("records", "fraction"), [((), 1.0), ((PENDING,), 0.0), ((DONE,), 1.0)])
def test_fraction_at_the_ends(records: tuple[object, ...], fraction: float) -> None:
    """Nothing to do is all done, and does not divide by zero."""
    assert progress(records).fraction == fraction  # type: ignore[arg-type]


def test_in_progress() -> None:
    """Only workers that are on this book and were heard of lately are listed, by chapter."""
    workers = [
        a_worker_record("gpu-0", book_id="b", chapter=3, last_seen=990.0),
        a_worker_record("gpu-1", book_id="other", chapter=4, last_seen=1000.0),
        a_worker_record("gpu-2", last_seen=1000.0),
        a_worker_record("gpu-3", book_id="b", chapter=5, last_seen=989.9),
    ]
    assert view(a_book_record("b"), {}, workers, now=1000.0)["in_progress"] == {3: "gpu-0"}


def test_view() -> None:
    """The view has exactly these keys, chapters count from 0, and only a whole chapter is converted."""
    book = a_book_record("b", stage="assembling", start_time=1000.0, last_update=1040.0)
    second = a_part_record("done", audio_seconds=0.1234, audio_bytes=499)
    parts = {0: DONE, 1: second, 2: PENDING, 3: PENDING.model_copy(update={"state": "done"}), 4: FAILED}
    workers = [a_worker_record("gpu-0", book_id="b", chapter=1)]
    assert view(book, parts, workers, now=5.0) == {
        "stage": "assembling",
        "reason": "",
        "total_chapters": 3,
        "converted": [0],
        "failed": [2],
        "in_progress": {1: "gpu-0"},
        "chapter_metadata": {0: {"duration": 100.123, "size_mb": 2.5}},
        "start_time": 1000.0,
        "last_update": 1040.0,
    }


def test_view_is_json() -> None:
    """The view can be written as JSON and says the same afterwards; chapters are strings there."""
    shown = view(a_book_record(), {0: DONE, 1: FAILED}, [a_worker_record(book_id=BOOK)], now=5.0)
    again = json.loads(json.dumps(shown))
    assert list(again) == list(shown)
    assert again["chapter_metadata"] == {"0": {"duration": 100.0, "size_mb": 2.5}}
    assert again["in_progress"] == {"0": "gpu-0"}


def test_view_of_an_empty_book() -> None:
    """A book without records has a view without chapters."""
    shown = view(a_book_record(), {}, [], now=5.0)
    assert (shown["total_chapters"], shown["converted"], shown["chapter_metadata"]) == (0, [], {})
