"""Chapters and parts of a book, each in its state."""

import pytest

from e2a.checkpoint import PartRecord
from e2a.plan import Retake
from monitor.grid import LISTED, cells, chapter_rows, retakes
from tests.unit.builders import a_book_record, a_part_record

BOOK = a_book_record(chapter_titles=("I", "II", "III"))
AGAIN = Retake(sentence=3, start=12.5, text="Where am I?", takes=2, flaws=("too-short",))
DOUBTFUL = Retake(sentence=9, start=80.0, text="Here.", takes=4, flaws=("loop",), doubtful=("cut",))
ONLY = Retake(sentence=1, start=1.0, text="No.", takes=1, flaws=("loop",), doubtful=("loop",))
DONE = a_part_record("done", audio_seconds=9.0, worker="gpu-0", retakes=(AGAIN, DOUBTFUL, ONLY))


def test_cells() -> None:
    """A part says where it is, what it is at, with whom, and what came of it."""
    parts = {
        2: a_part_record(chapter=1, attempts=1, retry_at=1100.0, reason="out of memory", worker="gpu-1"),
        0: DONE,
        1: a_part_record(chapter=0),
        3: a_part_record("failed", chapter=1, reason="no voice", worker="gpu-2"),
        4: a_part_record(chapter=2),
    }
    found = cells(parts, {1: "gpu-3"})
    assert [(cell.part, cell.chapter, cell.place, cell.state, cell.worker) for cell in found] == [
        (0, 0, 0, "done", "gpu-0"),
        (1, 0, 1, "running", "gpu-3"),
        (2, 1, 0, "retry", "gpu-1"),
        (3, 1, 1, "failed", "gpu-2"),
        (4, 2, 0, "waiting", ""),
    ]
    assert (found[0].seconds, found[1].seconds, found[0].retaken, found[0].doubtful) == (9.0, 10.0, 2, 2)
    assert (found[2].attempts, found[2].due, found[2].reason) == (1, 1100.0, "out of memory")
    assert found[4].due is None


def test_part_that_is_done_is_not_running() -> None:
    """What a worker says a moment late does not take back what is done, nor who did it."""
    (cell,) = cells({0: DONE}, {0: "gpu-9"})
    assert (cell.state, cell.worker) == ("done", "gpu-0")


def test_part_that_is_tried_again_is_running() -> None:
    """A part that failed before is running with whom it is now."""
    (cell,) = cells({0: a_part_record(attempts=1, worker="gpu-1")}, {0: "gpu-2"})
    assert (cell.state, cell.worker, cell.attempts) == ("running", "gpu-2", 1)


PENDING, RETRY, FAILED = a_part_record(), a_part_record(retry_at=1.0), a_part_record("failed")


@pytest.mark.parametrize(
    ("parts", "running", "state"),
    [
        ([DONE, DONE], False, "done"),
        ([DONE, PENDING], False, "waiting"),
        ([DONE, PENDING], True, "running"),
        ([RETRY, PENDING], True, "running"),
        ([DONE, RETRY], False, "retry"),
        ([FAILED, PENDING], True, "failed"),
    ],
)
def test_state_of_a_chapter(parts: list[PartRecord], running: bool, state: str) -> None:
    """A chapter is done with all its parts, failed with one, running with one that somebody is at."""
    book = a_book_record(chapter_titles=("I",))
    (row,) = chapter_rows(book, cells(dict(enumerate(parts)), {1: "gpu-0"} if running else {}))
    assert row.state == state


def test_chapters() -> None:
    """A chapter has its number, from 1, its title, how many parts it has and how many seconds of them are done."""
    parts = {0: DONE, 1: DONE, 2: a_part_record(chapter=1)}
    rows = chapter_rows(BOOK, cells(parts, {}))
    assert [(row.number, row.title, row.parts, row.parts_done, row.seconds, row.loudness) for row in rows] == [
        (1, "I", 2, 2, 18.0, None),
        (2, "II", 1, 0, 0.0, None),
        (3, "III", 0, 0, 0.0, None),
    ]


def test_loudness_of_chapters() -> None:
    """Chapters have their loudness where it is known of all: a report of other chapters is of another book."""
    assert [row.loudness for row in chapter_rows(BOOK, (), (-19.0, None, -18.5))] == [-19.0, None, -18.5]
    assert [row.loudness for row in chapter_rows(BOOK, (), (-19.0,))] == [None, None, None]


def test_list_of_retakes() -> None:
    """Retakes have chapter, from 1, part and place in that part; the doubtful ones first, else in reading order."""
    parts = {
        2: DONE.model_copy(update={"chapter": 1, "retakes": (DOUBTFUL, AGAIN)}),
        0: DONE.model_copy(update={"retakes": (AGAIN, ONLY)}),
    }
    found = retakes(BOOK, parts)
    assert [(each.chapter, each.title, each.part, each.text, each.start) for each in found] == [
        (1, "I", 0, "No.", 1.0),
        (2, "II", 2, "Here.", 80.0),
        (1, "I", 0, "Where am I?", 12.5),
        (2, "II", 2, "Where am I?", 12.5),
    ]


def test_long_list_of_retakes() -> None:
    """However many there are, what is listed is bounded and holds the doubtful ones."""
    parts = {
        0: DONE.model_copy(update={"retakes": (AGAIN,) * LISTED}),
        1: DONE.model_copy(update={"retakes": (DOUBTFUL,) * 2}),
    }
    assert [each.text for each in retakes(BOOK, parts)] == ["Here."] * 2 + ["Where am I?"] * (LISTED - 2)
