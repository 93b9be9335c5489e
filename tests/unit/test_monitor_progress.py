"""Books and workers as rows, from what checkpoint and storage say of them."""

from typing import Any

import pytest

from e2a.checkpoint import BookRecord, PartRecord
from e2a.plan import Order, Retake
from e2a.report import ReportedFile
from e2a.shelf import Shelf, change_order
from e2a.storage import keys
from e2a.testing import Clock, MemoryBroker, MemoryCheckpoint, MemoryStore
from monitor.archive import Archive, Facts, Finished, Name
from monitor.progress import UNREAD, by_interest, condition, recorded_row, stored_row, summary, worker_row
from monitor.records import BookRow
from tests.unit.builders import BOOK, a_book_record, a_part_record, a_plan, a_worker_record, put_plan

NOW = 1050.0
RECORD = a_book_record(
    authors=("Jane Austen", "A. Editor"), chapter_titles=("I", "II", "III"), last_update=1040.0, urgent=True
)
PARTS = {
    0: a_part_record("done", chapter=0, estimate=100.0, audio_seconds=100.0),
    1: a_part_record(chapter=1, estimate=200.0),
    2: a_part_record("failed", chapter=1, estimate=100.0, reason="no voice"),
    3: a_part_record(chapter=2, estimate=100.0, retry_at=1100.0, attempts=1),
}
FILE = ReportedFile(format="m4b", key=keys.output(BOOK, "book.m4b"), name=".m4b", size=3000)
FINISHED = Finished(100, "Emma", "Jane Austen", 432.0, (FILE,), (), (-19.0, -19.5))


def a_row(
    record: BookRecord = RECORD,
    parts: dict[int, PartRecord] | None = None,
    facts: Facts | None = None,
    **given: Any,
) -> BookRow:
    return recorded_row(
        record, summary(PARTS if parts is None else parts), facts, **({"looked": 0.0, "now": NOW} | given)
    )


def test_book_in_numbers() -> None:
    """A row counts audio seconds, chapters and parts, and names the authors in one line."""
    row = a_row(at={2}, eta=(3.0, 4.0))
    assert (row.title, row.authors, row.condition, row.urgent) == (
        "Emma",
        "Jane Austen, A. Editor",
        "synthesising",
        True,
    )
    chapters = (row.chapters, row.chapters_done, row.chapters_running, row.chapters_failed, row.chapters_queued)
    assert chapters == (3, 1, 1, 1, 0)
    assert (row.parts, row.parts_done, row.retries) == (4, 1, 1)
    assert (row.audio_seconds, row.total_seconds, row.fraction) == (100.0, 500.0, 0.2)
    assert (row.eta, row.age, row.cover, row.files) == ((3.0, 4.0), 10.0, False, ())


def test_nobody_is_at_what_is_done_or_failed() -> None:
    """A chapter that is done, or failed, does not count as running, although somebody may still be at a part of it."""
    row = a_row(at={0, 1, 2})
    assert (row.chapters_running, row.chapters_queued) == (1, 0)


def test_speed_of_a_running_book() -> None:
    """While a book is being spoken its speed falls with the clock, and counts from its last submission."""
    assert a_row().speed == pytest.approx(2.0)
    resumed = RECORD.model_copy(update={"start_time": 0.0, "resumed_at": 1000.0, "resumed_seconds": 60.0})
    assert a_row(resumed, now=1020.0).speed == pytest.approx(2.0)
    assert a_row(resumed.model_copy(update={"resumed_seconds": 100.0})).speed is None


@pytest.mark.parametrize("stage", ["assembling", "done", "failed", "paused"])
def test_speed_stays_once_nobody_speaks(stage: str) -> None:
    """Once a book is not spoken any more its speed is measured up to the last update."""
    assert a_row(RECORD.model_copy(update={"stage": stage}), now=9000.0).speed == pytest.approx(100 / 40)


@pytest.mark.parametrize(
    ("parts", "now"), [({1: PARTS[1]}, 1050.0), (PARTS, 1000.0), (PARTS, 900.0)], ids=["none done", "now", "skew"]
)
def test_unknown_speed(parts: dict[int, PartRecord], now: float) -> None:
    """Before anything is done, or when clocks disagree, there is no speed, and no age is negative."""
    row = a_row(parts=parts, now=now)
    assert row.speed is None
    assert row.age >= 0


def test_retakes_are_counted() -> None:
    """Retried and doubtful sentences are counted each for itself: an engine may have nothing else to try."""
    again = Retake(sentence=3, start=12.5, text="Where am I?", takes=2, flaws=("too-short",))
    doubtful = again.model_copy(update={"takes": 4, "doubtful": ("cut",)})
    only = again.model_copy(update={"takes": 1, "doubtful": ("loop",)})
    row = a_row(
        parts={
            0: PARTS[0].model_copy(update={"retakes": (again, doubtful)}),
            1: PARTS[0].model_copy(update={"retakes": (only,)}),
        }
    )
    assert (row.retaken, row.doubtful) == (2, 2)


def test_finished_book() -> None:
    """A finished book has its files, its cover, and all of its chapters, also before its record says so."""
    facts = Facts(True, False, cover=True, finished=FINISHED)
    row = a_row(facts=facts, looked=NOW)
    assert (row.condition, row.fraction, row.chapters_done, row.cover, row.files) == ("done", 1.0, 3, True, (FILE,))


def test_book_whose_parts_are_not_read_yet() -> None:
    """Of a book whose parts nobody has read yet only its record is shown."""
    row = recorded_row(
        RECORD.model_copy(update={"stage": "done", "audio_seconds": 9.0}), UNREAD, None, looked=0.0, now=NOW
    )
    assert (row.fraction, row.chapters, row.chapters_done, row.audio_seconds) == (1.0, 3, 3, 9.0)
    row = recorded_row(RECORD, UNREAD, None, looked=0.0, now=NOW)
    assert (row.fraction, row.chapters, row.chapters_done, row.parts) == (0.0, 3, 0, 0)


def test_book_that_only_storage_knows() -> None:
    """Of a book that is not recorded its name, what is wanted of it, and its finished files are known."""
    row = stored_row(
        BOOK, Facts(True, False, Order(urgent=True), cover=True, name=Name(title="Emma", authors=("A", "B")))
    )
    assert (row.title, row.authors, row.condition, row.urgent) == ("Emma", "A, B", "submitted", True)
    assert (row.cover, row.fraction, row.chapters) == (True, 0.0, 0)
    row = stored_row(BOOK, Facts(True, False, finished=FINISHED))
    assert (row.title, row.authors, row.condition) == ("Emma", "Jane Austen", "done")
    assert (row.fraction, row.chapters, row.chapters_done, row.audio_seconds) == (1.0, 2, 2, 432.0)
    assert row.files == (FILE,)
    assert stored_row(BOOK, Facts(True, False)).title == ""


@pytest.mark.parametrize("recorded", ["synthesising", "done", "paused", None])
@pytest.mark.parametrize("order", [Order(), Order(state="paused"), Order(state="cancelled", urgent=True)])
@pytest.mark.parametrize("plan", ["there", "unreadable", "retired", "missing"])
@pytest.mark.parametrize("finished", [True, False])
def test_condition_is_what_the_shelf_says(recorded: str | None, order: Order, plan: str, finished: bool) -> None:
    """Whatever is recorded, stored and wanted, the page says the same of a book as e2a-books does."""
    clock, store = Clock(), MemoryStore()
    clock.now = NOW
    checkpoint = MemoryCheckpoint(clock)
    store.put(keys.book(BOOK, keys.SOURCE), b"epub")
    if plan == "there":
        put_plan(store, a_plan())
    elif plan != "missing":
        store.put(keys.book(BOOK, keys.REMOVED if plan == "retired" else keys.PLAN), b"{}")
    change_order(store, BOOK, **order.model_dump())
    if finished:
        store.put(FILE.key, bytes(FILE.size))
        report = {"book_id": BOOK, "output": FILE.key, "audio_seconds": 1.0, "audio_bytes": FILE.size}
        store.put(keys.report(BOOK), str(report).replace("'", '"').encode())
    if recorded:
        checkpoint.seed(a_book_record(stage=recorded), PARTS)
    archive = Archive(store, clock)
    archive.read(set(checkpoint.stages()))
    record, facts = checkpoint.book(BOOK), archive.facts[BOOK]
    said = Shelf(store, checkpoint, MemoryBroker()).book(BOOK)
    assert condition(record, facts, NOW) == said.condition
    row = recorded_row(record, summary(PARTS), facts, looked=NOW, now=NOW) if record else stored_row(BOOK, facts)
    assert (row.condition, row.urgent) == (said.condition, said.urgent)


def test_orders_that_were_heeded_since_storage_was_read() -> None:
    """A book that was resumed a moment ago goes on, although storage was read last while it was paused."""
    paused = Facts(True, False, Order(state="paused", urgent=True))
    resumed = RECORD.model_copy(update={"last_update": 1040.0, "urgent": False})
    assert (
        a_row(resumed, facts=paused, looked=1041.0).condition,
        a_row(resumed, facts=paused, looked=1041.0).urgent,
    ) == (
        "paused",
        True,
    )
    row = a_row(resumed, facts=paused, looked=1039.0)
    assert (row.condition, row.urgent) == ("synthesising", False)


def test_book_that_was_submitted_since_storage_was_read() -> None:
    """A book that storage did not have when it was read last is in the stage that is recorded."""
    assert condition(RECORD, None, NOW) == "synthesising"


def test_order_of_books() -> None:
    """Books that are made come first, the last failed, what waits or lacks something, the stopped, the last done."""
    conditions = {
        "a": "done", "b": "failed", "c": "synthesising", "d": "done", "e": "failed", "f": "assembling",
        "g": "paused", "h": "submitted", "i": "cancelled", "j": "incomplete", "k": "removing",
    }  # fmt: skip
    rows = [a_row().model_copy(update={"book_id": each, "condition": what}) for each, what in conditions.items()]
    assert "".join(row.book_id for row in by_interest(rows)) == "cfebhjkigda"


WORKER = a_worker_record(
    started=900.0,
    last_seen=1000.0,
    host="box",
    partitions=(0, 3),
    express=(1,),
    book_id=BOOK,
    chapter=2,
    sentence=12,
    sentences=40,
    done=7,
    failed=1,
    audio_seconds=200.0,
    characters=3000,
    work_seconds=50.0,
    cpu=1.5,
    resident=4096,
)


def test_worker_at_work() -> None:
    """A worker's row says the number of its chapter, from 1, its book's title and how fast it is."""
    row = worker_row(WORKER, "drain", {BOOK: "Emma"}, now=1010.0)
    assert (row.state, row.title, row.chapter, row.sentence, row.sentences) == ("speaking", "Emma", 3, 12, 40)
    assert (row.worker, row.host, row.engine, row.partitions, row.express) == ("gpu-0", "box", "espeak", (0, 3), (1,))
    assert (row.done, row.failed, row.wish, row.cpu, row.resident) == (7, 1, "drain", 1.5, 4096)
    assert (row.real_time_factor, row.characters_per_second) == (0.25, 60.0)
    assert (row.age, row.uptime, row.last_take) == (10.0, 110.0, None)


@pytest.mark.parametrize(
    ("changes", "now", "state"),
    [
        ({}, 1000.0, "speaking"),
        ({"book_id": ""}, 1000.0, "waiting"),
        ({"state": "draining"}, 1000.0, "draining"),
        ({"state": "drained", "book_id": ""}, 1000.0, "drained"),
        ({"book_id": ""}, 1010.5, "silent"),
        ({"state": "draining"}, 1042.0, "silent"),
    ],
)
def test_what_a_worker_does(changes: dict[str, object], now: float, state: str) -> None:
    """A worker speaks, waits or drains, or is silent once its heartbeat is older than ten seconds."""
    assert worker_row(WORKER.model_copy(update=changes), "work", {}, now).state == state


def test_worker_that_has_done_nothing() -> None:
    """A worker that made nothing yet has no speed and no chapter, and an unknown book has no title."""
    nothing = {"audio_seconds": 0.0, "work_seconds": 0.0, "book_id": ""}
    row = worker_row(WORKER.model_copy(update=nothing), "work", {}, now=1000.0)
    assert (row.real_time_factor, row.characters_per_second, row.chapter, row.title) == (None, None, 0, "")


@pytest.mark.parametrize(("last_take", "age"), [(1004.0, 6.0), (1030.0, 0.0)], ids=["earlier", "skew"])
def test_age_of_the_last_take(last_take: float, age: float) -> None:
    """No age is negative when clocks disagree."""
    assert worker_row(WORKER.model_copy(update={"last_take": last_take}), "work", {}, now=1010.0).last_take == age
