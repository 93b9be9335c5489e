"""The chapters and parts of a book, each in its state, from the checkpoint's records."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from e2a.checkpoint import BookRecord, PartRecord
from e2a.report import ReportedRetake, reported
from monitor.records import Cell, ChapterRow, PartState

LISTED = 200
"""Most retakes of a book that are listed; the report of the finished book has all."""


def cells(parts: Mapping[int, PartRecord], at: Mapping[int, str]) -> tuple[Cell, ...]:
    """Return the parts of a book in their order; `at` are workers by the index of the part that they are at."""
    place: dict[int, int] = defaultdict(int)
    found = []
    for index, part in sorted(parts.items()):
        found.append(
            Cell(
                part=index,
                chapter=part.chapter,
                place=place[part.chapter],
                state=_state(part, running=index in at),
                seconds=part.audio_seconds if part.state == "done" else part.estimate,
                worker=part.worker if part.state == "done" else at.get(index, part.worker),
                attempts=part.attempts,
                reason=part.reason,
                due=part.retry_at or None,
                retaken=sum(retake.takes > 1 for retake in part.retakes),
                doubtful=sum(bool(retake.doubtful) for retake in part.retakes),
            )
        )
        place[part.chapter] += 1
    return tuple(found)


def chapter_rows(
    book: BookRecord, parts: Sequence[Cell], loudness: Sequence[float | None] = ()
) -> tuple[ChapterRow, ...]:
    """Return the chapters of a book from its parts; how loud those of a finished book are, when all are known."""
    members: dict[int, list[Cell]] = defaultdict(list)
    for cell in parts:
        members[cell.chapter].append(cell)
    known = loudness if len(loudness) == len(book.chapter_titles) else [None] * len(book.chapter_titles)
    return tuple(
        ChapterRow(
            number=index + 1,
            title=title,
            state=_chapter_state(members[index]),
            parts=len(members[index]),
            parts_done=sum(cell.state == "done" for cell in members[index]),
            seconds=sum(cell.seconds for cell in members[index] if cell.state == "done"),
            loudness=known[index],
        )
        for index, title in enumerate(book.chapter_titles)
    )


def retakes(book: BookRecord, parts: Mapping[int, PartRecord]) -> tuple[ReportedRetake, ...]:
    """Return at most `LISTED` retakes of a book, the doubtful ones first; each begins where it does in its part."""
    return tuple(sorted(_retakes(book, parts), key=lambda retake: not retake.doubtful)[:LISTED])


def _retakes(book: BookRecord, parts: Mapping[int, PartRecord]) -> Iterator[ReportedRetake]:
    for index, part in sorted(parts.items()):
        for retake in part.retakes:
            yield reported(retake, chapter=part.chapter, title=book.chapter_titles[part.chapter], part=index)


def _state(part: PartRecord, *, running: bool) -> PartState:
    if part.state != "pending":
        return part.state
    if running:
        return "running"
    return "retry" if part.retry_at else "waiting"


def _chapter_state(parts: Sequence[Cell]) -> PartState:
    states = {cell.state for cell in parts}
    if states == {"done"}:
        return "done"
    order: tuple[PartState, ...] = ("failed", "running", "retry")
    return next((state for state in order if state in states), "waiting")
