"""What is known of a finished book: `book.json` beside it, for people and for the producer."""

from e2a.plan import Accounting, BookId, Frozen, Retake, Speech

REPORT_VERSION = 2
"""Version of what a report says. Version 1 was the event `BookDone`; fields that came later have defaults."""


class ReportedChapter(Frozen):
    """A chapter as players show it. Times are in seconds, to the millisecond."""

    title: str
    """With the titles of what it is part of."""
    start: float
    """Where it begins in the book."""
    seconds: float


class ReportedRetake(Frozen):
    """A sentence whose first take was not good."""

    chapter: int
    """Number of its chapter as readers count, from 1."""
    title: str
    """Of its chapter."""
    part: int
    """Index of its part in the plan, from 0."""
    start: float
    """Where it begins in the book, or in its part while there is no book; in seconds, to the millisecond."""
    text: str
    """What was said."""
    takes: int
    """How many takes were made, the first included."""
    flaws: tuple[str, ...]
    """What the first take had, such as `too-short`."""
    doubtful: tuple[str, ...] = ()
    """What the take that was kept still has; empty when it is good."""


class Report(Frozen):
    """A finished book. Of version 1 only the lengths and the storage key are known."""

    version: int = REPORT_VERSION
    book_id: BookId
    title: str = ""
    authors: tuple[str, ...] = ()
    speech: Speech | None = None
    output: str
    """Storage key of the finished file."""
    audio_seconds: float
    audio_bytes: int
    accounting: Accounting | None = None
    """Where every character of the book went; None when its plan does not say."""
    problems: tuple[str, ...] = ()
    """What the reader had to read around."""
    chapters: tuple[ReportedChapter, ...] = ()
    retakes: tuple[ReportedRetake, ...] = ()
    """Sentences whose first take was not good, in reading order."""


def reported(retake: Retake, *, chapter: int, title: str, part: int, offset: float = 0.0) -> ReportedRetake:
    """Return a retake with the place that it has in its book.

    Args:
        retake: of a part.
        chapter: index of its chapter, from 0.
        title: of its chapter.
        part: index of its part.
        offset: where the part begins in the book, in seconds; 0 for a place in the part.
    """
    return ReportedRetake(
        chapter=chapter + 1,
        title=title,
        part=part,
        start=round(offset + retake.start, 3),
        text=retake.text,
        takes=retake.takes,
        flaws=retake.flaws,
        doubtful=retake.doubtful,
    )
