"""What the checkpoint holds, as frozen records, and the views that are computed from them. No Redis here."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from e2a.plan import Frozen, Part, Plan, Retake, Sidecar

PartState = Literal["pending", "done", "failed"]
Stage = Literal["synthesising", "assembling", "done", "failed", "paused", "cancelled"]
ACTIVE: frozenset[Stage] = frozenset(["synthesising", "assembling"])
"""Stages in which somebody works on a book, or should."""
WorkerState = Literal["working", "draining", "drained"]
"""Whether it takes parts, ends those in hand and takes no others, or has none left and waits to be told to go on."""
Wish = Literal["work", "drain", "stop"]
"""What its owner wants of a worker."""
STOPPED: frozenset[Stage | None] = frozenset(["paused", "cancelled"])
"""Stages of a book that is not wanted."""
SILENT = 10.0
"""Seconds without a heartbeat after which a worker counts as silent."""


class NotRecorded(Exception):
    """The checkpoint knows no such book or part: it was never seeded, or Redis was emptied."""


class PartRecord(Frozen):
    """How far a part has got."""

    chapter: int
    estimate: float
    """Expected seconds of audio."""
    state: PartState = "pending"
    audio_seconds: float = 0.0
    audio_bytes: int = 0
    worker: str = ""
    reason: str = ""
    """Why it failed, for good or the last time."""
    attempts: int = 0
    """How often it failed for reasons that may pass."""
    retry_at: float = 0.0
    """Unix time in seconds from which on it is to be tried again; 0 when it waits for nothing but a worker."""
    remade: int = 0
    """How often it was found missing or damaged in storage, and made anew."""
    retakes: tuple[Retake, ...] = ()
    """Sentences that were said more than once."""


class BookRecord(Frozen):
    """How far a book has got."""

    book_id: str
    title: str
    authors: tuple[str, ...]
    engine: str
    chapter_titles: tuple[str, ...]
    stage: Stage = "synthesising"
    start_time: float
    """Unix time of the first submission, in seconds."""
    resumed_at: float = 0.0
    """Unix time of the last submission, or of the last rebuilding from storage."""
    resumed_seconds: float = 0.0
    """Audio seconds that were in storage then."""
    last_update: float
    output: str = ""
    """Storage key of the finished file."""
    audio_seconds: float = 0.0
    audio_bytes: int = 0
    reason: str = ""
    urgent: bool = False
    """Whether it goes before other books."""


class QueuedWork(Frozen):
    """What waits in a partition of a topic of jobs."""

    topic: str
    partition: int
    parts: int
    seconds: float
    """Expected seconds of audio."""
    committed: int = 0
    """Offset of the first job that is not committed."""
    end: int = 0
    """Offset that the next job will get."""


class QueueRecord(Frozen):
    """What waits in all partitions."""

    taken: float
    """Unix time in seconds."""
    work: tuple[QueuedWork, ...] = ()


class GpuRecord(Frozen):
    """A GPU as its driver sees it, with all processes that use it."""

    name: str
    use: float
    """Share of the last moments in which it worked, 0 to 1."""
    memory_used: int
    """In bytes."""
    memory_total: int
    """In bytes."""
    temperature: float | None = None
    """In degrees Celsius."""
    power: float | None = None
    """In watts."""


class WorkerRecord(Frozen):
    """What a worker says of itself every few seconds."""

    worker: str
    engine: str
    model: str = ""
    device: str = ""
    """Where the engine runs, such as `cuda:0 NVIDIA H100`."""
    memory: int = 0
    """GPU memory in use, in bytes."""
    at_once: int = 1
    """Sentences that the engine says at the same time."""
    started: float
    """Unix time in seconds."""
    last_seen: float
    last_take: float = 0.0
    """Unix time at which the last take was made, in seconds; 0 before the first."""
    partitions: tuple[int, ...] = ()
    """Of the chapters topic."""
    express: tuple[int, ...] = ()
    """Partitions of the express topic."""
    host: str = ""
    """Name of its machine."""
    process: int = 0
    """Number of its process there."""
    cpu: float = 0.0
    """Cores that its process kept busy lately."""
    resident: int = 0
    """Memory of its process, in bytes."""
    gpu: GpuRecord | None = None
    """The GPU that its engine runs on."""
    state: WorkerState = "working"
    rebalances: int = 0
    """How often its partitions have changed."""
    problem: str = ""
    """What it waits for, such as storage that is away; empty when nothing is wrong."""
    book_id: str = ""
    """Book of the part in hand; empty when the worker waits."""
    chapter: int = 0
    part: int = 0
    sentence: int = 0
    sentences: int = 0
    done: int = 0
    failed: int = 0
    audio_seconds: float = 0.0
    characters: int = 0
    """That it has said, in parts that are done."""
    work_seconds: float = 0.0
    """Seconds in which the engine was speaking, until the last part was done."""
    retaken: int = 0
    """Sentences that were said more than once."""
    doubtful: int = 0
    """Sentences whose best take was kept although it is not good."""

    def is_silent(self, now: float) -> bool:
        """Say whether it has not been heard of for too long at `now`, Unix time in seconds."""
        return now - self.last_seen > SILENT

    def takes_parts(self, now: float) -> bool:
        """Say whether it works at `now`, Unix time in seconds: it is neither silent nor drained, nor about to be."""
        return self.state == "working" and not self.is_silent(now)


class Progress(Frozen):
    """A book in numbers. Seconds are audio seconds: real ones for parts that are done, estimates for the rest.

    Estimates are corrected by how long the parts that are done became.
    """

    parts: int
    done: int
    failed: int
    chapters: int
    chapters_done: int
    chapters_failed: int
    seconds_done: float
    seconds_pending: float
    seconds_total: float

    @property
    def fraction(self) -> float:
        """Share of the book's audio that is done, 0 to 1."""
        return self.seconds_done / self.seconds_total if self.seconds_total else 1.0


def new_book(plan: Plan, now: float) -> BookRecord:
    """Return the record of a book that was just planned."""
    return BookRecord(
        book_id=plan.book_id,
        title=plan.title,
        authors=plan.authors,
        engine=plan.speech.engine,
        chapter_titles=tuple(chapter.full_title for chapter in plan.chapters),
        start_time=now,
        resumed_at=now,
        last_update=now,
    )


def part_record(part: Part, sidecar: Sidecar | None, bitrate: int) -> PartRecord:
    """Return the record of a part as storage shows it.

    Args:
        part: of a plan.
        sidecar: of its audio; None when it is still to be made.
        bitrate: of its AAC, in bits a second.
    """
    record = PartRecord(chapter=part.chapter, estimate=part.estimate)
    if sidecar is None:
        return record
    return record.model_copy(
        update={
            "state": "done",
            "audio_seconds": sidecar.seconds,
            "audio_bytes": sidecar.aac[bitrate].size,
            "worker": sidecar.worker,
            "retakes": sidecar.retakes,
        }
    )


def progress(parts: Iterable[PartRecord]) -> Progress:
    """Add up the parts of a book."""
    records = list(parts)
    chapters = _by_chapter(records)
    done = [record for record in records if record.state == "done"]
    seconds_done = sum(record.audio_seconds for record in done)
    estimated = sum(record.estimate for record in done)
    correction = seconds_done / estimated if estimated else 1.0
    pending = correction * sum(record.estimate for record in records if record.state == "pending")
    failed = correction * sum(record.estimate for record in records if record.state == "failed")
    return Progress(
        parts=len(records),
        done=len(done),
        failed=sum(record.state == "failed" for record in records),
        chapters=len(chapters),
        chapters_done=sum(_all_done(members) for members in chapters.values()),
        chapters_failed=sum(_any_failed(members) for members in chapters.values()),
        seconds_done=seconds_done,
        seconds_pending=pending,
        seconds_total=seconds_done + pending + failed,
    )


def view(
    book: BookRecord, parts: Mapping[int, PartRecord], workers: Iterable[WorkerRecord], now: float
) -> dict[str, Any]:
    """Return the checkpoint of a book at `now` as plain JSON values, a chapter the unit; chapters count from 0.

    A chapter in progress names one of the workers that are at it and were heard of lately.
    """
    chapters = _by_chapter(parts.values())
    done = {number: members for number, members in chapters.items() if _all_done(members)}
    return {
        "stage": book.stage,
        "reason": book.reason,
        "total_chapters": len(chapters),
        "converted": sorted(done),
        "failed": sorted(number for number, members in chapters.items() if _any_failed(members)),
        "in_progress": {
            worker.chapter: worker.worker
            for worker in workers
            if worker.book_id == book.book_id and not worker.is_silent(now)
        },
        "chapter_metadata": {
            number: {
                "duration": round(sum(record.audio_seconds for record in members), 3),
                "size_mb": round(sum(record.audio_bytes for record in members) / 1e6, 3),
            }
            for number, members in done.items()
        },
        "start_time": book.start_time,
        "last_update": book.last_update,
    }


def _by_chapter(parts: Iterable[PartRecord]) -> dict[int, list[PartRecord]]:
    chapters: dict[int, list[PartRecord]] = {}
    for record in parts:
        chapters.setdefault(record.chapter, []).append(record)
    return chapters


def _all_done(parts: list[PartRecord]) -> bool:
    return all(record.state == "done" for record in parts)


def _any_failed(parts: list[PartRecord]) -> bool:
    return any(record.state == "failed" for record in parts)
