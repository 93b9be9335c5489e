"""Rows computed from records, and the words for numbers."""

import pytest

from e2a.checkpoint import BookRecord, PartRecord, WorkerRecord
from e2a.plan import Retake
from monitor.progress import (
    LISTED,
    ago,
    book_row,
    by_interest,
    chapters,
    duration,
    gigabytes,
    percent,
    times,
    worker_row,
)

BOOK = BookRecord(
    book_id="b",
    title="Emma",
    authors=("Jane Austen", "A. Editor"),
    engine="espeak",
    chapter_titles=("I", "II"),
    start_time=1000.0,
    resumed_at=1000.0,
    last_update=1040.0,
)
PARTS = {
    0: PartRecord(chapter=0, estimate=100.0, state="done", audio_seconds=100.0),
    1: PartRecord(chapter=1, estimate=200.0),
    2: PartRecord(chapter=1, estimate=100.0, state="failed", reason="no voice"),
}
AGAIN = Retake(sentence=3, start=12.5, text="Where am I?", takes=2, flaws=("too-short",))
DOUBTFUL = Retake(sentence=9, start=80.0, text="Here.", takes=4, flaws=("loop",), doubtful=("cut",))
ONLY = Retake(sentence=1, start=1.0, text="No.", takes=1, flaws=("loop",), doubtful=("loop",))
WORKER = WorkerRecord(
    worker="gpu-0",
    engine="espeak",
    started=900.0,
    last_seen=1000.0,
    partitions=(0, 3),
    book_id="b",
    chapter=2,
    sentence=12,
    sentences=40,
    done=7,
    failed=1,
    audio_seconds=200.0,
    work_seconds=50.0,
)


def test_book_in_numbers() -> None:
    """A book's row counts audio seconds and chapters, and names its authors in one line."""
    row = book_row(BOOK, PARTS, now=1050.0)
    assert (row.title, row.authors, row.stage) == ("Emma", "Jane Austen, A. Editor", "synthesising")
    assert (row.chapters, row.chapters_done, row.chapters_failed) == (2, 1, 1)
    assert row.audio_seconds == 100.0
    assert row.fraction == pytest.approx(100 / 400)
    assert row.age == 10.0


def test_speed_and_eta_of_a_running_book() -> None:
    """While a book is synthesised its speed falls with the clock, and what failed is not waited for."""
    row = book_row(BOOK, PARTS, now=1050.0)
    assert row.speed == pytest.approx(2.0)
    assert row.eta == pytest.approx(100.0)


@pytest.mark.parametrize("stage", ["assembling", "done", "failed"])
def test_speed_stays_once_synthesis_is_over(stage: str) -> None:
    """After synthesis speed is measured up to the last update, and there is nothing to wait for."""
    row = book_row(BOOK.model_copy(update={"stage": stage}), PARTS, now=9000.0)
    assert row.speed == pytest.approx(100 / 40)
    assert row.eta is None


@pytest.mark.parametrize(
    ("parts", "now"), [({1: PARTS[1]}, 1050.0), (PARTS, 1000.0), (PARTS, 900.0)], ids=["none done", "now", "skew"]
)
def test_unknown_speed(parts: dict[int, PartRecord], now: float) -> None:
    """Before anything is done, or when clocks disagree, speed and ETA are unknown and no age is negative."""
    row = book_row(BOOK, parts, now)
    assert (row.speed, row.eta) == (None, None)
    assert row.age >= 0


def test_speed_of_a_resumed_book() -> None:
    """What was there before the last submission, and the time before it, do not count."""
    resumed = BOOK.model_copy(update={"start_time": 0.0, "resumed_at": 1000.0, "resumed_seconds": 60.0})
    row = book_row(resumed, PARTS, now=1020.0)
    assert row.speed == pytest.approx(2.0)
    assert row.eta == pytest.approx(100.0)
    assert book_row(resumed.model_copy(update={"resumed_seconds": 100.0}), PARTS, now=1020.0).speed is None


def test_nothing_left_has_no_eta() -> None:
    """A book whose parts are all done or failed has no ETA before it is assembled."""
    assert book_row(BOOK, {0: PARTS[0], 2: PARTS[2]}, now=1050.0).eta is None


def with_retakes(**parts: tuple[Retake, ...]) -> dict[int, PartRecord]:
    """Return parts, named `part_2` and so on, of which sentences were not good at once."""
    records = {int(name.removeprefix("part_")): retakes for name, retakes in parts.items()}
    return {
        index: PartRecord(chapter=index // 2, estimate=100.0, state="done", audio_seconds=100.0, retakes=retakes)
        for index, retakes in records.items()
    }


def test_retakes_of_a_book() -> None:
    """Retried and doubtful sentences are counted each for itself: an engine may have nothing else to try."""
    row = book_row(BOOK, with_retakes(part_0=(AGAIN, DOUBTFUL), part_3=(ONLY,)), now=1050.0)
    assert (row.retaken, row.doubtful) == (2, 2)
    assert book_row(BOOK, PARTS, now=1050.0).retakes == ()


def test_list_of_retakes() -> None:
    """Retakes are listed with chapter, from 1, and part, the doubtful ones first, else in reading order."""
    row = book_row(BOOK, with_retakes(part_2=(DOUBTFUL, AGAIN), part_0=(AGAIN, ONLY)), now=1050.0)
    assert [(each.chapter, each.title, each.part, each.text) for each in row.retakes] == [
        (1, "I", 0, "No."),
        (2, "II", 2, "Here."),
        (1, "I", 0, "Where am I?"),
        (2, "II", 2, "Where am I?"),
    ]
    first = row.retakes[1]
    assert (first.start, first.takes, first.flaws, first.doubtful) == (80.0, 4, ("loop",), ("cut",))


def test_long_list_of_retakes() -> None:
    """However many there are, all are counted, and what is kept of them is bounded and holds the doubtful ones."""
    row = book_row(BOOK, with_retakes(part_0=(AGAIN,) * LISTED, part_1=(DOUBTFUL,) * 2), now=1050.0)
    assert (row.retaken, row.doubtful) == (LISTED + 2, 2)
    assert [each.text for each in row.retakes] == ["Here."] * 2 + ["Where am I?"] * (LISTED - 2)


def test_worker_at_work() -> None:
    """A worker's row says chapter, from 1, and sentence, the book's title and its real-time factor."""
    row = worker_row(WORKER, {"b": "Emma"}, now=1010.0)
    assert row.activity == "chapter 3, sentence 12 of 40"
    assert (row.worker, row.engine, row.book) == ("gpu-0", "espeak", "Emma")
    assert (row.done, row.failed, row.partitions) == (7, 1, (0, 3))
    assert row.real_time_factor == pytest.approx(0.25)
    assert row.age == 10.0


def test_engine_of_a_worker() -> None:
    """A worker's row says what its engine runs, where, and how its takes are."""
    update = {"model": "xtts_v2", "device": "cuda:0 NVIDIA H100", "memory": 5_300_000_000, "at_once": 16}
    update |= {"last_take": 1004.0, "retaken": 5, "doubtful": 2}
    row = worker_row(WORKER.model_copy(update=update), {}, now=1010.0)
    assert (row.model, row.device, row.memory, row.at_once) == ("xtts_v2", "cuda:0 NVIDIA H100", 5_300_000_000, 16)
    assert (row.last_take, row.retaken, row.doubtful) == (6.0, 5, 2)


@pytest.mark.parametrize(("last_take", "age"), [(0.0, None), (1030.0, 0.0)], ids=["none", "skew"])
def test_age_of_the_last_take(last_take: float, age: float | None) -> None:
    """Before the first take there is no age, and when clocks disagree none is negative."""
    assert worker_row(WORKER.model_copy(update={"last_take": last_take}), {}, now=1010.0).last_take == age


@pytest.mark.parametrize(
    ("changes", "now", "activity"),
    [
        ({"sentence": 0, "sentences": 0}, 1000.0, "chapter 3"),
        ({"book_id": ""}, 1000.0, "waiting"),
        ({"book_id": ""}, 1010.5, "silent for 10 s"),
        ({}, 1042.0, "silent for 42 s"),
    ],
)
def test_what_a_worker_does(changes: dict[str, object], now: float, activity: str) -> None:
    """A worker works, waits, or is silent once its heartbeat is older than ten seconds."""
    assert worker_row(WORKER.model_copy(update=changes), {}, now).activity == activity


def test_worker_without_audio() -> None:
    """A worker that made nothing yet has no real-time factor, and an unknown book has no title."""
    row = worker_row(WORKER.model_copy(update={"audio_seconds": 0.0}), {}, now=1000.0)
    assert (row.real_time_factor, row.book) == (None, "")


def test_order_of_books() -> None:
    """Running books come first in the order of submission, then the latest failures, then the latest done."""
    stages = {"a": "done", "b": "failed", "c": "synthesising", "d": "done", "e": "failed", "f": "assembling"}
    rows = [
        book_row(BOOK.model_copy(update={"book_id": book_id, "stage": stage}), PARTS, 1050.0)
        for book_id, stage in stages.items()
    ]
    assert [row.book_id for row in by_interest(rows)] == ["c", "f", "e", "b", "d", "a"]


def test_stopped_books_are_listed() -> None:
    """Books that are paused or cancelled stand behind those that need somebody, before those that are done."""
    stages = {"a": "paused", "b": "done", "c": "failed", "d": "cancelled", "e": "synthesising"}
    rows = [
        book_row(BOOK.model_copy(update={"book_id": book_id, "stage": stage}), PARTS, 1050.0)
        for book_id, stage in stages.items()
    ]
    assert [row.book_id for row in by_interest(rows)] == ["e", "c", "d", "a", "b"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0:00"),
        (59.6, "1:00"),
        (123.4, "2:03"),
        (3723.0, "1:02:03"),
        (360_000.0, "100:00:00"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    """Durations read as a clock, with hours only where there are any."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.9, "59 s"), (60.0, "1 min"), (3599.0, "59 min"), (7200.0, "2 h"), (200_000.0, "2 d")],
)
def test_ago(seconds: float, text: str) -> None:
    """Ages are given in their largest whole unit."""
    assert ago(seconds) == text


@pytest.mark.parametrize(("fraction", "text"), [(0.0, "0 %"), (0.29, "29 %"), (0.999, "99 %"), (1.0, "100 %")])
def test_percent(fraction: float, text: str) -> None:
    """Percent are rounded down, so 100 % is said of a finished book only."""
    assert percent(fraction) == text


def test_gigabytes() -> None:
    """Memory is given in gigabytes; none is a dash."""
    assert (gigabytes(5_349_000_000), gigabytes(0)) == ("5.3 GB", "-")


def test_chapters_and_times() -> None:
    """Chapters name failures only where there are any, and an unknown speed is a dash."""
    row = book_row(BOOK, PARTS, now=1050.0)
    assert chapters(row) == "1 of 2 chapters, 1 failed"
    assert chapters(row.model_copy(update={"chapters_failed": 0})) == "1 of 2 chapters"
    assert (times(12.54), times(None)) == ("12.5x", "-")
