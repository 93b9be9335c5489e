"""What is known of a finished book: `book.json` beside it, for people and for the producer."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from e2a.plan import Accounting, BookId, Frozen, Retake, Speech

REPORT_VERSION = 3
"""Version of what a report says. Version 1 was the event `BookDone`; fields that came later have defaults."""


class ReportedFile(Frozen):
    """A file of a finished book."""

    format: str
    """As asked for, such as `m4b`; `vtt` for the captions."""
    key: str
    """Where it is in storage."""
    name: Annotated[str, StringConstraints(pattern=r"^([^/\\\x00-\x1f]*/)?[^/\\\x00-\x1f]+$")]
    """What comes after the name of the book in its name, such as `.m4b`, or `/03 The Pool of Tears.mp3` in a folder."""
    size: int
    """In bytes."""


class ReportedWorker(Frozen):
    """What a worker did for a book."""

    worker: str
    parts: int
    audio_seconds: float
    work_seconds: float


class ReportedChapter(Frozen):
    """A chapter as players show it. Times are in seconds, to the millisecond."""

    title: str
    """With the titles of what it is part of."""
    start: float
    """Where it begins in the book."""
    seconds: float
    loudness: float | None = None
    """In LUFS: the mean of its parts' loudness by energy, the longer counting for more."""


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
    """Storage key of the first file."""
    audio_seconds: float
    audio_bytes: int
    """Size of the first file."""
    files: tuple[ReportedFile, ...] = ()
    """All files that the book was made as."""
    accounting: Accounting | None = None
    """Where every character of the book went; None when its plan does not say."""
    problems: tuple[str, ...] = ()
    """What the reader had to read around, and what the book lacks of what was asked for."""
    chapters: tuple[ReportedChapter, ...] = ()
    retakes: tuple[ReportedRetake, ...] = ()
    """Sentences whose first take was not good, in reading order."""
    workers: tuple[ReportedWorker, ...] = ()
    """Who made its parts, by name; parts that another book shares were made for whichever came first."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of the programs that made it."""

    @model_validator(mode="before")
    @classmethod
    def _names_its_only_file(cls, data: Any) -> Any:
        """Add the file of a report of version 1 or 2, which has one."""
        if not isinstance(data, dict) or "files" in data or not {"output", "audio_bytes"} <= data.keys():
            return data
        return data | {"files": [{"format": "m4b", "key": data["output"], "name": ".m4b", "size": data["audio_bytes"]}]}


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
