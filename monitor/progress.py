"""Books and workers as rows to show, from what checkpoint and storage say of them: pure functions."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple

from e2a.checkpoint import ACTIVE, STOPPED, BookRecord, PartRecord, Progress, Wish, WorkerRecord, progress
from e2a.shelf import Condition
from monitor.archive import Facts
from monitor.records import BookRow, WorkerRow


class Summary(NamedTuple):
    """What is remembered of the parts of a book, of which there may be thousands."""

    numbers: Progress
    settled: frozenset[int]
    """Chapters that are done, or of which a part has failed."""
    retaken: int = 0
    doubtful: int = 0
    retries: tuple[tuple[int, PartRecord], ...] = ()
    """Parts that wait to be tried again, by their index."""


UNREAD = Summary(progress([]), frozenset())
"""What is known of parts that nobody has read yet."""


def summary(parts: Mapping[int, PartRecord]) -> Summary:
    """Add up the parts of a book."""
    records = parts.values()
    retakes = [retake for record in records for retake in record.retakes]
    failed = {record.chapter for record in records if record.state == "failed"}
    return Summary(
        numbers=progress(records),
        settled=frozenset(failed | ({record.chapter for record in records} - _open(records))),
        retaken=sum(retake.takes > 1 for retake in retakes),
        doubtful=sum(bool(retake.doubtful) for retake in retakes),
        retries=tuple((index, record) for index, record in parts.items() if record.retry_at),
    )


def _open(records: Iterable[PartRecord]) -> set[int]:
    return {record.chapter for record in records if record.state != "done"}


def recorded_row(
    book: BookRecord,
    known: Summary,
    facts: Facts | None,
    *,
    looked: float,
    at: Collection[int] = (),
    eta: tuple[float, float] | None = None,
    now: float,
) -> BookRow:
    """Return how far a book of the checkpoint has got; the speed of one that is not being spoken stays.

    Args:
        book: its record.
        known: its parts.
        facts: what storage said of it; None when nothing.
        looked: when storage said so, Unix time in seconds.
        at: chapters that somebody is at.
        eta: when it is ready.
        now: Unix time in seconds.
    """
    numbers, said = known.numbers, condition(book, facts, looked)
    is_done = said == "done"
    wall = (now if book.stage == "synthesising" else book.last_update) - book.resumed_at
    made = numbers.seconds_done - book.resumed_seconds
    order = facts.order if facts and book.last_update <= looked else None
    finished = facts.finished if facts else None
    return BookRow(
        book_id=book.book_id,
        title=book.title,
        authors=", ".join(book.authors),
        condition=said,
        reason=book.reason,
        urgent=order.urgent if order else book.urgent,
        fraction=1.0 if is_done else numbers.fraction if numbers.parts else 0.0,
        chapters=len(book.chapter_titles),
        chapters_done=len(book.chapter_titles) if is_done else numbers.chapters_done,
        chapters_running=len(set(at) - known.settled),
        chapters_failed=numbers.chapters_failed,
        parts=numbers.parts,
        parts_done=numbers.done,
        audio_seconds=numbers.seconds_done if numbers.parts else book.audio_seconds,
        total_seconds=numbers.seconds_total if numbers.parts else book.audio_seconds,
        speed=made / wall if wall > 0 and made > 0 else None,
        eta=eta,
        age=elapsed(book.last_update, now),
        retries=len(known.retries),
        retaken=known.retaken,
        doubtful=known.doubtful,
        cover=bool(facts and facts.cover),
        files=finished.files if finished and is_done else (),
    )


def stored_row(book_id: str, facts: Facts) -> BookRow:
    """Return a book that only storage knows: how far its parts are nobody can say, but whether it is done."""
    done, name = facts.finished, facts.name
    chapters = len(done.loudness) if done else 0
    return BookRow(
        book_id=book_id,
        title=done.title if done else name.title if name else "",
        authors=done.authors if done else ", ".join(name.authors) if name else "",
        condition=condition(None, facts, 0.0),
        urgent=facts.order.urgent,
        fraction=1.0 if done else 0.0,
        chapters=chapters,
        chapters_done=chapters,
        audio_seconds=done.audio_seconds if done else 0.0,
        total_seconds=done.audio_seconds if done else 0.0,
        cover=facts.cover,
        files=done.files if done else (),
    )


def condition(book: BookRecord | None, facts: Facts | None, looked: float) -> Condition:
    """Return the condition of a book as `e2a.shelf.Shelf` says it, from what was read of it.

    What storage said is believed for as long as the merger has recorded nothing newer: it reads what is wanted of a
    book in storage before it records it, and pages read storage less often than records.

    Args:
        book: its record; None when there is none.
        facts: what storage said of it; None when nothing: one that was just submitted.
        looked: when storage said so, Unix time in seconds.
    """
    if facts is None or (book and book.last_update > looked):
        return book.stage if book else "incomplete"
    if not facts.has_plan:
        return "removing" if facts.is_retired else "incomplete"
    if facts.finished or (book and book.stage == "done"):
        return "done"
    if facts.order.state != "wanted":
        return facts.order.state
    if book:
        return book.stage
    return "submitted" if facts.name else "incomplete"


def worker_row(worker: WorkerRecord, wish: Wish, titles: Mapping[str, str], now: float) -> WorkerRow:
    """Return what a worker does at `now`; `titles` holds the titles of books by id."""
    work = worker.work_seconds
    return WorkerRow(
        worker=worker.worker,
        host=worker.host,
        state=_state(worker, now),
        engine=worker.engine,
        model=worker.model,
        device=worker.device,
        at_once=worker.at_once,
        book_id=worker.book_id,
        title=titles.get(worker.book_id, ""),
        chapter=worker.chapter + 1 if worker.book_id else 0,
        sentence=worker.sentence,
        sentences=worker.sentences,
        problem=worker.problem,
        partitions=worker.partitions,
        express=worker.express,
        done=worker.done,
        failed=worker.failed,
        retaken=worker.retaken,
        doubtful=worker.doubtful,
        real_time_factor=work / worker.audio_seconds if worker.audio_seconds else None,
        characters_per_second=worker.characters / work if worker.characters and work else None,
        cpu=worker.cpu,
        resident=worker.resident,
        memory=worker.memory,
        gpu=worker.gpu,
        uptime=elapsed(worker.started, now),
        last_take=elapsed(worker.last_take, now) if worker.last_take else None,
        age=elapsed(worker.last_seen, now),
        wish=wish,
    )


def by_interest(rows: Iterable[BookRow]) -> tuple[BookRow, ...]:
    """Sort books, given first in line first: those that are made, that wait or lack something, the last failed, the
    last stopped, the last done."""
    given = tuple(rows)
    backwards = given[::-1]
    others = tuple(row for row in given if row.condition in {"submitted", "incomplete", "removing"})
    running = tuple(row for row in given if row.condition in ACTIVE)
    failed = tuple(row for row in backwards if row.condition == "failed")
    stopped = tuple(row for row in backwards if row.condition in STOPPED)
    return running + failed + others + stopped + tuple(row for row in backwards if row.condition == "done")


def elapsed(since: float, now: float) -> float:
    """Return the seconds from `since` to `now`; 0 where another machine's clock is ahead of ours."""
    return max(0.0, now - since)


def _state(worker: WorkerRecord, now: float) -> Literal["speaking", "waiting", "draining", "drained", "silent"]:
    if worker.is_silent(now):
        return "silent"
    if worker.state != "working":
        return worker.state
    return "speaking" if worker.book_id else "waiting"
