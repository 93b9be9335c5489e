"""Books of the checkpoint, read cheaply: the parts of a book only when something has happened to one of them.

Whatever happens to a part moves the book's record, the number of parts that are pending, or the list of those that wait
to be tried again (docs/adr/0019).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from e2a.checkpoint import BookRecord, Checkpoint, PartRecord
from monitor.progress import UNREAD, Summary, summary

BUDGET = 0.4
"""Seconds after which no more parts are read; those of other books come the next time, what was read longest ago
first."""
FINISHED = 60.0
"""Seconds after which it is looked whether anything has happened to a finished book."""


class Look(NamedTuple):
    """What is different whenever something has happened to a part."""

    book: BookRecord
    pending: int
    retries: Mapping[int, float]


class Known(NamedTuple):
    """What is known of a book."""

    book: BookRecord
    parts: Summary = UNREAD
    look: Look | None = None
    """Of when its parts were read; None before they were."""
    looked: float = 0.0
    """When it was last looked at, Unix time in seconds."""
    read: float = 0.0
    """When its parts were."""


class Opened(NamedTuple):
    """A book with all its parts."""

    look: Look
    parts: Mapping[int, PartRecord]


class Ledger:
    """The books of a checkpoint. Not thread-safe.

    Args:
        checkpoint: where they are recorded.
        clock: Unix time in seconds.
    """

    def __init__(self, checkpoint: Checkpoint, clock: Callable[[], float]) -> None:
        self._checkpoint = checkpoint
        self._clock = clock
        self._known: Mapping[str, Known] = {}

    def read(self) -> Mapping[str, Known]:
        """Return all books by id, urgent ones first, then the first submitted first. Raises `Unavailable`."""
        began = self._clock()
        books: dict[str, Known] = {}
        changed: dict[str, Look] = {}
        for book_id, stage in self._checkpoint.stages().items():
            known = self._known.get(book_id)
            if known and known.look and stage == known.book.stage == "done" and began - known.looked < FINISHED:
                books[book_id] = known
            elif found := look(self._checkpoint, book_id):
                books[book_id] = (known or Known(found.book))._replace(book=found.book, looked=began)
                if books[book_id].look != found:
                    changed[book_id] = found
        for book_id in sorted(changed, key=lambda each: (books[each].read, books[each].book.stage == "done")):
            parts = summary(self._checkpoint.parts(book_id))
            books[book_id] = books[book_id]._replace(parts=parts, look=changed[book_id], read=self._clock())
            if self._clock() - began > BUDGET:
                break
        self._known = books
        return books


def look(checkpoint: Checkpoint, book_id: str) -> Look | None:
    """Look at a book, or return None when it is not recorded: its record first, as that is written last."""
    book = checkpoint.book(book_id)
    if book is None:
        return None
    return Look(book, checkpoint.pending(book_id), checkpoint.retries(book_id))


def open_book(checkpoint: Checkpoint, book_id: str, before: Opened | None) -> Opened | None:
    """Return a book with all its parts, as it was before when nothing has happened; None when it is not recorded."""
    found = look(checkpoint, book_id)
    if found is None or (before and before.look == found):
        return before if found else None
    return Opened(found, checkpoint.parts(book_id))
