"""When books are ready, as a range: pure functions of what was measured."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from e2a.checkpoint import BookRecord, WorkerRecord
from e2a.topics import EXPRESS_SECONDS
from monitor.progress import Summary

LATELY = 600.0
"""Seconds of wall time over which it is measured how fast a book comes on."""

Range = tuple[float, float]


def etas(
    books: Sequence[tuple[BookRecord, Summary]], workers: Iterable[WorkerRecord], made: Mapping[str, float], now: float
) -> dict[str, Range]:
    """Return in how many seconds of wall time the last part of each book is done, at the least and at the most.

    Two things are known of a book: how fast its workers are, and how fast it came on lately. By the first, all workers
    of its engine that take parts speak what is left of it, and of the books that go before it, at the speed that each
    was measured at. By the second, it comes on as it did in the last `LATELY` seconds, or since it was submitted; of a
    book that did not, all books together do, and it comes last of those before it. The range is between the two, and
    never ends before what is certain: as many of the fastest workers as it has parts left do nothing else.

    A book of which nobody can say is left out: it is not being spoken, has nothing left, or no worker for it was
    measured, or is there.

    Args:
        books: in the order of submission.
        workers: all.
        made: seconds of audio of each book that were made `since`.
        now: Unix time in seconds.
    """
    fleets = _fleets(workers, now)
    spoken = [(book, known) for book, known in books if book.stage == "synthesising"]
    paces = {book.book_id: _pace(book, made, now) for book, _known in books}
    together = sum(paces.values())
    ahead: dict[str, float] = dict.fromkeys(fleets, 0.0)
    found: dict[str, Range] = {}
    for book, known in sorted(spoken, key=_turn):
        left, speeds = known.numbers.seconds_pending, fleets.get(book.engine)
        if not left or not speeds:
            continue
        queue = ahead[book.engine] + left
        pace = paces[book.book_id]
        guesses = [queue / sum(speeds)]
        if pace:
            guesses.append(left / pace)
        elif together:
            guesses.append(queue / together)
        pending = known.numbers.parts - known.numbers.done - known.numbers.failed
        certain = left / sum(speeds[:pending])
        found[book.book_id] = max(min(guesses), certain), max(*guesses, certain)
        ahead[book.engine] = queue
    return found


def since(book: BookRecord, now: float) -> float:
    """Return from when on it counts how much of a book was made: lately, and after it was submitted last."""
    return max(book.resumed_at, now - LATELY)


def _fleets(workers: Iterable[WorkerRecord], now: float) -> dict[str, list[float]]:
    """Return the speeds of the workers of each engine, the fastest first; one not measured yet is as fast as others."""
    measured: dict[str, list[float | None]] = {}
    for worker in workers:
        if worker.takes_parts(now):
            speed = worker.audio_seconds / worker.work_seconds if worker.work_seconds and worker.audio_seconds else None
            measured.setdefault(worker.engine, []).append(speed)
    fleets = {}
    for engine, speeds in measured.items():
        if known := [speed for speed in speeds if speed is not None]:
            usual = statistics.median(known)
            fleets[engine] = sorted((speed or usual for speed in speeds), reverse=True)
    return fleets


def _pace(book: BookRecord, made: Mapping[str, float], now: float) -> float:
    """Return how many seconds of audio of a book were made a second of wall time lately."""
    wall = now - since(book, now)
    return made.get(book.book_id, 0.0) / wall if wall > 0 else 0.0


def _turn(each: tuple[BookRecord, Summary]) -> tuple[bool, bool]:
    """Return what sorts books as they are spoken: urgent and short ones have a topic of their own."""
    book, known = each
    return not book.urgent, known.numbers.seconds_total > EXPRESS_SECONDS
