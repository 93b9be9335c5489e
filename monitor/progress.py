"""Books and workers as rows to show from the checkpoint's records, and numbers as people say them."""

import math
from collections.abc import Iterable, Iterator, Mapping

from e2a.checkpoint import ACTIVE, STOPPED, BookRecord, PartRecord, Stage, WorkerRecord, progress
from e2a.plan import Frozen
from e2a.report import ReportedRetake, reported

UNKNOWN = "-"
LISTED = 200
"""Most retakes of a book that are listed; the report of the finished book has all."""


class BookRow(Frozen):
    """A book in the numbers that are shown. Seconds are audio seconds where not said otherwise."""

    book_id: str
    title: str
    authors: str
    stage: Stage
    reason: str
    fraction: float
    """Share of its audio that is done, 0 to 1."""
    chapters: int
    chapters_done: int
    chapters_failed: int
    audio_seconds: float
    speed: float | None
    """Seconds of audio made in a second of wall time since it was last submitted; None before any was."""
    eta: float | None
    """Seconds of wall time until the last part is done; None when unknown or nothing is left to do."""
    age: float
    """Seconds of wall time since something happened to it."""
    retaken: int
    """Sentences that were said more than once."""
    doubtful: int
    """Sentences whose best take is not good."""
    retakes: tuple[ReportedRetake, ...]
    """At most `LISTED` of them, the doubtful ones first."""


class WorkerRow(Frozen):
    """A worker in what is shown of it."""

    worker: str
    engine: str
    model: str
    device: str
    memory: int
    """GPU memory in use, in bytes."""
    at_once: int
    """Sentences that its engine says at the same time."""
    activity: str
    book: str
    """Title of the book in hand; empty when it waits or the book is not known."""
    partitions: tuple[int, ...]
    done: int
    failed: int
    real_time_factor: float | None
    """Seconds of work for a second of audio; None before its first audio."""
    retaken: int
    """Sentences that it said more than once."""
    doubtful: int
    """Sentences whose best take is not good."""
    last_take: float | None
    """Seconds since its last take; None before its first."""
    age: float
    """Seconds since its last heartbeat."""


def book_row(book: BookRecord, parts: Mapping[int, PartRecord], now: float) -> BookRow:
    """Return how far a book has got at `now`, Unix time in seconds; the speed of a finished one stays."""
    numbers = progress(parts.values())
    retakes = tuple(_retakes(book, parts))
    synthesising = book.stage == "synthesising"
    wall = (now if synthesising else book.last_update) - book.resumed_at
    made = numbers.seconds_done - book.resumed_seconds
    speed = made / wall if wall > 0 and made > 0 else None
    left = numbers.seconds_pending
    return BookRow(
        book_id=book.book_id,
        title=book.title,
        authors=", ".join(book.authors),
        stage=book.stage,
        reason=book.reason,
        fraction=numbers.fraction,
        chapters=numbers.chapters,
        chapters_done=numbers.chapters_done,
        chapters_failed=numbers.chapters_failed,
        audio_seconds=numbers.seconds_done,
        speed=speed,
        eta=left / speed if synthesising and speed and left else None,
        age=elapsed(book.last_update, now),
        retaken=sum(retake.takes > 1 for retake in retakes),
        doubtful=sum(bool(retake.doubtful) for retake in retakes),
        retakes=tuple(sorted(retakes, key=lambda retake: not retake.doubtful)[:LISTED]),
    )


def worker_row(worker: WorkerRecord, titles: Mapping[str, str], now: float) -> WorkerRow:
    """Return what a worker does at `now`; `titles` holds the titles of books by id."""
    age = elapsed(worker.last_seen, now)
    return WorkerRow(
        worker=worker.worker,
        engine=worker.engine,
        model=worker.model,
        device=worker.device,
        memory=worker.memory,
        at_once=worker.at_once,
        activity=f"silent for {ago(age)}" if worker.is_silent(now) else _work(worker),
        book=titles.get(worker.book_id, ""),
        partitions=worker.partitions,
        done=worker.done,
        failed=worker.failed,
        real_time_factor=worker.work_seconds / worker.audio_seconds if worker.audio_seconds else None,
        retaken=worker.retaken,
        doubtful=worker.doubtful,
        last_take=elapsed(worker.last_take, now) if worker.last_take else None,
        age=age,
    )


def by_interest(rows: Iterable[BookRow]) -> tuple[BookRow, ...]:
    """Sort books, given first submitted first: running ones, then the last failed, the last stopped, the last done."""
    given = tuple(rows)
    running = tuple(row for row in given if row.stage in ACTIVE)
    failed = tuple(row for row in reversed(given) if row.stage == "failed")
    stopped = tuple(row for row in reversed(given) if row.stage in STOPPED)
    return running + failed + stopped + tuple(row for row in reversed(given) if row.stage == "done")


def elapsed(since: float, now: float) -> float:
    """Return the seconds from `since` to `now`; 0 where another machine's clock is ahead of ours."""
    return max(0.0, now - since)


def percent(fraction: float) -> str:
    """Return a share as `42 %`, rounded down: 100 % means all of it."""
    return f"{math.floor(fraction * 100 + 1e-9)} %"


def chapters(row: BookRow) -> str:
    """Return the chapters of a book as `3 of 12 chapters, 1 failed`."""
    failed = f", {row.chapters_failed} failed" if row.chapters_failed else ""
    return f"{row.chapters_done} of {row.chapters} chapters{failed}"


def duration(seconds: float | None) -> str:
    """Return seconds as `1:02:03` or `2:03`."""
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago(seconds: float) -> str:
    """Return an age in its largest whole unit: `42 s`, `5 min`, `3 h`, `2 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def times(factor: float | None) -> str:
    """Return a speed as `12.5x`."""
    return UNKNOWN if factor is None else f"{factor:.1f}x"


def gigabytes(size: int) -> str:
    """Return bytes as `5.3 GB`, and none as unknown."""
    return f"{size / 1e9:.1f} GB" if size else UNKNOWN


def _retakes(book: BookRecord, parts: Mapping[int, PartRecord]) -> Iterator[ReportedRetake]:
    for index, part in sorted(parts.items()):
        for retake in part.retakes:
            yield reported(retake, chapter=part.chapter, title=book.chapter_titles[part.chapter], part=index)


def _work(worker: WorkerRecord) -> str:
    if not worker.book_id:
        return "waiting"
    chapter = f"chapter {worker.chapter + 1}"
    return f"{chapter}, sentence {worker.sentence} of {worker.sentences}" if worker.sentences else chapter
