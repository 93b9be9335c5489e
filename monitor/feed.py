"""One reader of the checkpoint for any number of viewers: a snapshot that is kept for a moment."""

import threading
from collections.abc import Callable

from e2a import log
from e2a.checkpoint import BookRecord, Checkpoint
from e2a.errors import Retryable
from e2a.plan import Frozen
from monitor.progress import BookRow, WorkerRow, book_row, by_interest, elapsed, worker_row

logger = log.get(__name__)


class Snapshot(Frozen):
    """What was known at one moment; ages and speeds are as of then."""

    books: tuple[BookRow, ...] = ()
    workers: tuple[WorkerRow, ...] = ()
    taken: float | None = None
    """Unix time in seconds at which the rows were read; None when nothing could ever be read."""
    error: str = ""
    """Why the source cannot be read now; empty when it can."""


class Feed:
    """Reads the checkpoint when the last reading is old; thread-safe.

    While one viewer reads, the others get the last snapshot: a source that hangs holds up one of them.

    Args:
        checkpoint: the source.
        clock: Unix time in seconds.
        keep: seconds for which a reading is served again.
    """

    def __init__(self, checkpoint: Checkpoint, clock: Callable[[], float], keep: float) -> None:
        self._checkpoint = checkpoint
        self._clock = clock
        self._keep = keep
        self._lock = threading.Lock()
        self._snapshot = Snapshot()
        self._read_at: float | None = None
        self._finished: dict[BookRecord, BookRow] = {}

    def read(self) -> Snapshot:
        """Return the newest snapshot; a source that is away leaves the rows as they were and sets `error`."""
        if self._lock.acquire(blocking=self._read_at is None):
            try:
                self._refresh()
            finally:
                self._lock.release()
        return self._snapshot

    def _refresh(self) -> None:
        # A clock that was set back must not freeze the page, hence the lower bound.
        if self._read_at is not None and 0 <= self._clock() - self._read_at < self._keep:
            return
        try:
            self._snapshot = self._take(self._clock())
        except Retryable as error:
            if not self._snapshot.error:
                logger.warning("monitor.source_away", reason=str(error))
            self._snapshot = self._snapshot.model_copy(update={"error": str(error)})
        self._read_at = self._clock()

    def _take(self, now: float) -> Snapshot:
        known = (self._checkpoint.book(book_id) for book_id in self._checkpoint.books())
        books = [self._row(book, now) for book in known if book is not None]
        titles = {row.book_id: row.title for row in books}
        workers = [worker_row(worker, titles, now) for worker in self._checkpoint.workers()]
        return Snapshot(books=by_interest(books), workers=tuple(workers), taken=now)

    def _row(self, book: BookRecord, now: float) -> BookRow:
        if book.stage != "done":
            return book_row(book, self._checkpoint.parts(book.book_id), now)
        # A library of finished books would cost a hundred thousand part records a reading.
        if book not in self._finished:
            self._finished[book] = book_row(book, self._checkpoint.parts(book.book_id), now)
        return self._finished[book].model_copy(update={"age": elapsed(book.last_update, now)})
