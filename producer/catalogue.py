"""What e2a-books shows: books, their chapters and parts, and dead letters, for people and as JSON."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rich.table import Column

from e2a.checkpoint import PartRecord, WorkerRecord
from e2a.deadletters import Entry
from e2a.plan import Chapter, Plan
from e2a.shelf import Shelved
from producer.delivery import duration
from producer.terminal import title_column


class ChapterState(NamedTuple):
    """How far a chapter is."""

    number: int
    """From 1."""
    title: str
    state: str
    """`done`, `failed`, `in work` or `waiting`."""
    parts: int
    done: int
    seconds: float
    """Of audio that is done."""
    workers: tuple[str, ...]
    """Who is at it."""


class PartTrouble(NamedTuple):
    """A part that failed, at least once."""

    part: int
    """Index in the book, from 0."""
    chapter: int
    """Number, from 1."""
    state: str
    """`failed`, or `pending` when it is to be tried again."""
    attempts: int
    retry_in: float
    """Seconds until it is tried again; 0 when no time is set."""
    worker: str
    reason: str


SHORT_ID = 8
"""Characters of an id that are shown in the list of books; they stand for it on the command line."""
BOOK_COLUMNS = (
    title_column("title"),
    Column("id", no_wrap=True),
    Column("stage", no_wrap=True),
    Column("done", justify="right", no_wrap=True),
    Column("chapters", justify="right", no_wrap=True),
    Column(overflow="fold"),
)
CHAPTER_COLUMNS = (
    Column("no.", justify="right"),
    title_column("chapter"),
    Column("state"),
    Column("parts", justify="right"),
    Column("length", justify="right"),
    Column("workers", overflow="fold"),
)
PART_COLUMNS = (
    Column("part", justify="right"),
    Column("chapter", justify="right"),
    Column("state"),
    Column("failed", justify="right"),
    Column("worker"),
    Column("why", overflow="fold"),
)
LETTER_COLUMNS = (
    Column("no.", justify="right"),
    Column("time"),
    title_column("book"),
    Column("chapter/part", justify="right"),
    Column("tries", justify="right"),
    Column("since"),
    Column("why", overflow="fold"),
)


def book_row(book: Shelved) -> list[str]:
    """Return what the list of books says of one."""
    numbers = book.numbers
    notes = [
        "urgent" if book.urgent else "",
        f"{numbers.chapters_failed} failed" if numbers and numbers.chapters_failed else "",
        f"{book.retries} to be tried again" if book.retries else "",
    ]
    return [
        book.title or "?",
        book.book_id[:SHORT_ID],
        book.condition,
        f"{numbers.fraction:.1%}" if numbers else "",
        f"{numbers.chapters_done}/{numbers.chapters}" if numbers else "",
        ", ".join(filter(None, notes)),
    ]


def book_json(book: Shelved) -> dict[str, Any]:
    """Return a book as plain JSON values."""
    return {
        "book_id": book.book_id,
        "title": book.title,
        "stage": book.condition,
        "urgent": book.urgent,
        "reason": book.reason,
        "percent": round(100 * book.numbers.fraction, 1) if book.numbers else None,
        "progress": book.numbers.model_dump() if book.numbers else None,
        "retries": book.retries,
    }


def chapter_states(plan: Plan, parts: dict[int, PartRecord], workers: Sequence[WorkerRecord]) -> list[ChapterState]:
    """Return how far each chapter of a book is."""
    return [_chapter_state(chapter, parts, workers) for chapter in plan.chapters]


def chapter_row(chapter: ChapterState) -> list[str]:
    """Return what the list of chapters says of one."""
    length = duration(chapter.seconds) if chapter.seconds else ""
    workers = ", ".join(chapter.workers)
    return [str(chapter.number), chapter.title, chapter.state, f"{chapter.done}/{chapter.parts}", length, workers]


def troubles(parts: dict[int, PartRecord], now: float) -> list[PartTrouble]:
    """Return the parts that have failed, for good or for now, in order; `now` is Unix time in seconds."""
    return [
        PartTrouble(
            index,
            part.chapter + 1,
            part.state,
            part.attempts,
            max(0.0, part.retry_at - now) if part.retry_at else 0.0,
            part.worker,
            part.reason,
        )
        for index, part in parts.items()
        if part.state == "failed" or (part.state == "pending" and (part.attempts or part.retry_at))
    ]


def trouble_row(trouble: PartTrouble) -> list[str]:
    """Return what the list of parts says of one."""
    state = trouble.state
    if state == "pending":
        state = f"again in {trouble.retry_in:.0f} s" if trouble.retry_in else "tried again"
    times = "once" if trouble.attempts == 1 else f"{trouble.attempts} times" if trouble.attempts else ""
    return [str(trouble.part), str(trouble.chapter), state, times, trouble.worker, trouble.reason]


def letter_row(entry: Entry) -> list[str]:
    """Return what the list of dead letters says of one."""
    number, published, said = entry.letter
    where = "" if said.part is None else f"{entry.chapter or '?'}/{said.part}"
    tries = str(said.attempts or "")
    return [str(number), clock(published), entry.title or said.book_id, where, tries, entry.since, said.reason]


def letter_json(entry: Entry) -> dict[str, Any]:
    """Return a dead letter as plain JSON values."""
    number, published, said = entry.letter
    return {
        "number": number,
        "time": published,
        "title": entry.title,
        "chapter": entry.chapter,
        "since": entry.since,
        **said.model_dump(exclude={"type", "version"} if said.payload else {"type", "version", "payload"}),
    }


def letter_lines(entry: Entry) -> Iterable[str]:
    """Yield what there is to say of a dead letter but for its payload."""
    number, published, said = entry.letter
    yield f"dead letter {number} of {clock(published)}"
    if said.book_id:
        yield f"book: {entry.title!r} ({said.book_id})"
    if said.part is not None:
        where = f" in chapter {entry.chapter}" if entry.chapter else ""
        yield f"part: {said.part}{where}, {entry.since}"
    if said.attempts:
        yield f"tries: {said.attempts}"
    yield f"from: {said.source}"
    yield f"why: {said.reason}"


def clock(seconds: float) -> str:
    """Return a Unix time in seconds as people of this place read it."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _chapter_state(chapter: Chapter, parts: dict[int, PartRecord], workers: Sequence[WorkerRecord]) -> ChapterState:
    records = [parts[part.index] for part in chapter.parts if part.index in parts]
    done = [record for record in records if record.state == "done"]
    names = tuple(worker.worker for worker in workers if worker.chapter == chapter.index)
    if len(done) == len(chapter.parts):
        state = "done"
    elif any(record.state == "failed" for record in records):
        state = "failed"
    else:
        state = "in work" if names else "waiting"
    seconds = sum(record.audio_seconds for record in done)
    return ChapterState(chapter.index + 1, chapter.full_title, state, len(chapter.parts), len(done), seconds, names)
