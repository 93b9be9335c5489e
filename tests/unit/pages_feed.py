"""A feed, uploads and a desk that say what a test puts into them, and rows to put there."""

from collections.abc import Iterable, Sequence
from typing import Any

from e2a.bus import Letter
from e2a.checkpoint import GpuRecord
from e2a.deadletters import Entry, Retried
from e2a.errors import Unavailable
from e2a.messages import DeadLetter
from e2a.plan import Accounting
from e2a.report import ReportedFile, ReportedRetake
from e2a.shelf import Removal
from monitor.records import (
    Agreement,
    Bin,
    BookPage,
    BookRow,
    Cell,
    ChapterRow,
    PartEvent,
    PartitionRow,
    PartPage,
    QueuePage,
    Reading,
    RetryRow,
    Source,
    Span,
    Throughput,
    Timeline,
    Usage,
    WorkerRow,
)
from monitor.uploads import Upload, UploadOptions

NOW = 1_700_000_000.0
HOSTILE = (
    '<b onclick="x()">T</b> ![x](http://y) $z$ :red[r] :smile: `c`\n# h \u202eevil\u202c </div><script>x()</script>'
)
"""What a title may be."""


class FakeFeed:
    """A feed that says what it is given."""

    def __init__(self) -> None:
        self.readings: dict[Source, Reading] = {
            source: Reading(taken=NOW - 1) for source in ("redis", "kafka", "storage")
        }
        self.rows: tuple[BookRow, ...] = ()
        self.pages: dict[str, BookPage] = {}
        self.parts: dict[tuple[str, int], PartPage] = {}
        self.worker_rows: tuple[WorkerRow, ...] = ()
        self.time = Timeline(start=NOW - 600, end=NOW)
        self.waiting = QueuePage(taken=NOW - 2)
        self.agreed: Agreement | Unavailable | None = None
        self.asked: list[tuple[float | None, str]] = []

    def look_again(self) -> None:
        """Nothing is behind these figures."""

    def reading(self, source: Source) -> Reading:
        return self.readings[source]

    def shelf(self) -> tuple[BookRow, ...]:
        return self.rows

    def book(self, book_id: str) -> BookPage | None:
        return self.pages.get(book_id)

    def part(self, book_id: str, index: int) -> PartPage | None:
        return self.parts.get((book_id, index))

    def workers(self) -> tuple[WorkerRow, ...]:
        return self.worker_rows

    def timeline(self, seconds: float | None, book_id: str = "") -> Timeline:
        self.asked.append((seconds, book_id))
        return self.time

    def queue(self) -> QueuePage:
        return self.waiting

    def agreement(self, book_id: str) -> Agreement:
        if isinstance(self.agreed, Unavailable):
            raise self.agreed
        assert self.agreed is not None
        return self.agreed


class FakeUploads:
    """Uploads of which some have come to something."""

    def __init__(self) -> None:
        self.uploads: tuple[Upload, ...] = ()

    def listed(self) -> tuple[Upload, ...]:
        return self.uploads


class FakeDesk:
    """A desk that notes what it is asked for, and fails when it is told to."""

    def __init__(self, *, may_change: bool = True) -> None:
        self.may_change = may_change
        self.viewer = "ann@example.org"
        self.asked: list[tuple[Any, ...]] = []
        self.fault: Exception | None = None
        self.removal = Removal(3)
        self.retried = Retried(1, [], [])
        self.table = "chapters"

    def pause(self, book_id: str) -> None:
        self._note("pause", book_id)

    def resume(self, book_id: str) -> None:
        self._note("resume", book_id)

    def cancel(self, book_id: str) -> None:
        self._note("cancel", book_id)

    def set_urgent(self, book_id: str, urgent: bool) -> None:
        self._note("set_urgent", book_id, urgent)

    def retry(self, book_id: str, parts: Sequence[int] = ()) -> None:
        self._note("retry", book_id, tuple(parts))

    def remove(self, book_id: str) -> Removal:
        self._note("remove", book_id)
        return self.removal

    def redrive(self, entries: Iterable[Entry]) -> Retried:
        self._note("redrive", *(entry.letter.number for entry in entries))
        return self.retried

    def wish(self, worker: str, wish: str) -> None:
        self._note("wish", worker, wish)

    def preview(self, name: str, data: bytes, options: UploadOptions) -> str:
        self._note("preview", name, data, options)
        return self.table

    def send(self, name: str, data: bytes, options: UploadOptions) -> None:
        self._note("send", name, data, options)

    def _note(self, *deed: Any) -> None:
        if self.fault is not None:
            raise self.fault
        self.asked.append(deed)


def a_book_id(number: int = 0) -> str:
    """Return the id of a book."""
    return f"{number:016x}"


def a_book(number: int = 0, **changes: Any) -> BookRow:
    """Return a book of four chapters that is being made."""
    given: dict[str, Any] = {
        "book_id": a_book_id(number),
        "title": "Emma",
        "authors": "Jane Austen",
        "condition": "synthesising",
        "fraction": 0.425,
        "chapters": 4,
        "chapters_done": 1,
        "chapters_running": 1,
        "parts": 8,
        "parts_done": 3,
        "audio_seconds": 3_723.0,
        "total_seconds": 8_760.0,
        "speed": 12.5,
        "eta": (720.0, 1_080.0),
        "age": 3.0,
    }
    return BookRow(**(given | changes))


def a_finished_book(number: int = 0, **changes: Any) -> BookRow:
    """Return a book that is done, with an m4b and its captions."""
    files = (
        ReportedFile(format="m4b", key="k.m4b", name=".m4b", size=5_300_000),
        ReportedFile(format="vtt", key="k.vtt", name=".vtt", size=20_000),
    )
    given: dict[str, Any] = {"condition": "done", "fraction": 1.0, "chapters_done": 4, "chapters_running": 0}
    given |= {"parts_done": 8, "audio_seconds": 8_760.0, "eta": None, "files": files}
    return a_book(number, **(given | changes))


def a_cell(part: int = 0, **changes: Any) -> Cell:
    """Return a part that is done, the second of each chapter being odd."""
    given: dict[str, Any] = {"part": part, "chapter": part // 2, "place": part % 2, "state": "done", "seconds": 61.0}
    return Cell(**(given | {"worker": "gpu-0"} | changes))


def a_book_page(row: BookRow | None = None, **changes: Any) -> BookPage:
    """Return a book of four chapters of two parts, in one state each."""
    states = ("done", "done", "done", "running", "waiting", "waiting", "failed", "retry")
    chapters = tuple(
        ChapterRow(
            number=number + 1, title=f"Chapter {number + 1}", state=state, parts=2, parts_done=done, seconds=61.0
        )
        for number, (state, done) in enumerate([("done", 2), ("running", 1), ("waiting", 0), ("failed", 0)])
    )
    cells = tuple(a_cell(part, state=state) for part, state in enumerate(states))
    account = Accounting(characters=1_000, spoken=900, skipped={"head": 60, "navigation": 40})
    given: dict[str, Any] = {"row": row or a_book(), "chapters": chapters, "cells": cells, "retakes": ()}
    return BookPage(**(given | {"accounting": account} | changes))


def a_part_page(cell: Cell | None = None, **changes: Any) -> PartPage:
    """Return a part of two sentences with its past."""
    events = (
        PartEvent(time=NOW - 90, worker="gpu-1", outcome="failed", reason="out of memory"),
        PartEvent(time=NOW - 60, worker="gpu-0", outcome="done", work_seconds=7.0),
    )
    given: dict[str, Any] = {"cell": cell or a_cell(), "digest": "d" * 64, "bitrate": 64_000}
    return PartPage(**(given | {"text": ("One.", "Two."), "history": events} | changes))


def a_retake(**changes: Any) -> ReportedRetake:
    """Return a sentence that was said twice, and is good."""
    given: dict[str, Any] = {"chapter": 1, "title": "Chapter 1", "part": 0, "start": 65.0, "text": "Where am I?"}
    return ReportedRetake(**(given | {"takes": 2, "flaws": ("too-short",)} | changes))


def a_gpu(**changes: Any) -> GpuRecord:
    """Return a GPU at work."""
    given: dict[str, Any] = {"name": "NVIDIA H100", "use": 0.98, "memory_used": 40_000_000_000}
    return GpuRecord(**(given | {"memory_total": 80_000_000_000, "temperature": 64.0, "power": 420.0} | changes))


def a_worker(worker: str = "gpu-0", **changes: Any) -> WorkerRow:
    """Return a worker that speaks."""
    given: dict[str, Any] = {
        "worker": worker,
        "host": "node-1",
        "state": "speaking",
        "engine": "xtts",
        "model": "xtts_v2",
        "device": "cuda:0 NVIDIA H100",
        "at_once": 64,
        "book_id": a_book_id(),
        "title": "Emma",
        "chapter": 2,
        "sentence": 12,
        "sentences": 40,
        "problem": "",
        "partitions": (0, 3),
        "express": (1,),
        "done": 17,
        "failed": 2,
        "retaken": 4,
        "doubtful": 1,
        "real_time_factor": 0.01,
        "characters_per_second": 1_593.0,
        "cpu": 1.2,
        "resident": 3_100_000_000,
        "memory": 5_300_000_000,
        "gpu": a_gpu(),
        "uptime": 7_260.0,
        "last_take": 0.4,
        "age": 1.0,
    }
    return WorkerRow(**(given | changes))


def a_timeline(workers: int = 2, parts: int = 6, **changes: Any) -> Timeline:
    """Return ten minutes in which some workers made some parts each; the last of each is being spoken."""
    spans, step = [], 600 / parts
    for worker in range(workers):
        for part in range(parts):
            start = NOW - 600 + part * step
            outcome = "running" if part == parts - 1 else "failed" if part == 2 and worker == 1 else "done"
            spans.append(
                Span(
                    worker=f"gpu-{worker}",
                    book_id=a_book_id(),
                    title="Emma",
                    part=worker * parts + part,
                    start=start,
                    end=start + step * (0.9 if outcome == "done" else 0.5),
                    outcome=outcome,
                    audio_seconds=step * 10,
                )
            )
    given: dict[str, Any] = {
        "start": NOW - 600,
        "end": NOW,
        "spans": tuple(spans),
        "usage": tuple(
            Usage(worker=f"gpu-{worker}", busy=540.0, wall=600.0, share=0.9, parts=parts) for worker in range(workers)
        ),
        "throughput": tuple(Throughput(time=NOW - 600 + 10 * step, speed=9.0 + step % 7) for step in range(60)),
        "mean": 61.0,
        "durations": tuple(Bin(low=10.0 * low, high=10.0 * low + 10, count=low + 1) for low in range(8)),
        "factors": tuple(Bin(low=low / 100, high=(low + 1) / 100, count=9 - low) for low in range(8)),
        "speed_up": tuple((count, count * 0.97) for count in range(1, workers + 1)),
    }
    return Timeline(**(given | changes))


def a_letter(number: int = 0, **changes: Any) -> Entry:
    """Return the dead letter of a part that has still failed."""
    letter = DeadLetter(
        book_id=a_book_id(),
        part=number,
        attempts=3,
        reason="no such voice",
        source=f"e2a.chapters/0/{number}",
        payload="",
    )
    letter = letter.model_copy(update=changes.pop("letter", {}))
    given: dict[str, Any] = {"title": "Emma", "chapter": 1, "since": "still failed"}
    return Entry(letter=Letter(number, NOW - 60 - number, letter), **(given | changes))


def a_queue(**changes: Any) -> QueuePage:
    """Return four partitions of which one is nobody's, a part that is tried again and a dead letter."""
    partitions = tuple(
        PartitionRow(
            topic="e2a.chapters",
            partition=partition,
            owner="" if partition == 3 else f"gpu-{partition}",
            parts=partition,
            seconds=60.0 * partition,
            committed=10 * partition,
            end=11 * partition,
        )
        for partition in range(4)
    )
    retry = RetryRow(
        book_id=a_book_id(),
        title="Emma",
        part=7,
        attempts=1,
        due=NOW + 12,
        worker="gpu-1",
        reason="out of memory",
    )
    given: dict[str, Any] = {"taken": NOW - 2, "partitions": partitions, "skew": 2.0, "rebalances": 3}
    return QueuePage(**(given | {"retries": (retry,), "letters": (a_letter(),)} | changes))
