"""The records of books: as storage shows them, and in which stage."""

import threading
from collections.abc import Callable

from e2a import log
from e2a.checkpoint import STOPPED, BookRecord, Checkpoint, PartRecord, Stage, new_book, part_record
from e2a.plan import Order, Part
from e2a.report import Report
from e2a.storage import ObjectStore, read_order, read_plan, read_report, read_sidecar

logger = log.get(__name__)


class Books:
    """Records of books. Thread-safe; every method raises `Unavailable` when a server is away.

    Args:
        store: where plans, parts and books live.
        checkpoint: where they are recorded.
        clock: Unix time in seconds.
    """

    def __init__(self, store: ObjectStore, checkpoint: Checkpoint, clock: Callable[[], float]) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._clock = clock
        self._lock = threading.Lock()

    def seed(self, book_id: str, *, unless_known: bool = False) -> bool:
        """Record a book as storage shows it: what was failed or forgotten is pending again, a whole book is done.

        Args:
            book_id: of the book.
            unless_known: leave a book alone of which anything is recorded: that is newer than what was read here.

        Returns:
            Whether the book is recorded now; storage may hold no plan of it.
        """
        plan = read_plan(self._store, book_id)
        if plan is None:
            logger.info("merge.no_plan", book=book_id)
            return False
        order = read_order(self._store, book_id)
        report = read_report(self._store, book_id)
        parts = {part.index: self.as_stored(part, plan.output.bitrate) for part in plan.parts}
        update: dict[str, object] = {"resumed_seconds": sum(record.audio_seconds for record in parts.values())}
        update |= {"stage": _stage(order, "synthesising"), "urgent": order.urgent}
        with self._lock:
            known = self._checkpoint.book(book_id)
            if known and unless_known:
                return True
            if known and known.stage == "done" and report is None:  # finished just now
                report = read_report(self._store, book_id)
            update |= outcome(report) if report else {}
            update |= {"start_time": known.start_time} if known else {}
            self._checkpoint.seed(new_book(plan, self._clock()).model_copy(update=update), parts)
        return True

    def as_stored(self, part: Part, bitrate: int) -> PartRecord:
        """Return the record of a part as storage shows it."""
        return part_record(part, read_sidecar(self._store, part.digest, bitrate), bitrate)

    def update(self, book_id: str, **values: object) -> None:
        """Change a book's record. Raises `NotRecorded` when it is not known."""
        update = values | {"last_update": self._clock()}
        self._checkpoint.update_book(book_id, lambda book: book.model_copy(update=update))

    def enter(self, book_id: str, stage: Stage, reason: str = "") -> bool:
        """Move a book to a stage, unless it is not wanted; say whether it is there. Raises `NotRecorded`."""
        update = {"stage": stage, "reason": reason, "last_update": self._clock()}

        def change(book: BookRecord) -> BookRecord:
            return book if book.stage in STOPPED else book.model_copy(update=update)

        return self._checkpoint.update_book(book_id, change).stage == stage

    def heed(self, book_id: str, order: Order) -> None:
        """Record what is wanted of a book; one that is done stays done. Raises `NotRecorded` when it is not known."""

        def change(book: BookRecord) -> BookRecord:
            stage = _stage(order, "synthesising" if book.stage in STOPPED else book.stage)
            stage = "done" if book.stage == "done" else stage
            if (stage, order.urgent) == (book.stage, book.urgent):
                return book
            reason = book.reason if stage == book.stage else ""
            update = {"stage": stage, "reason": reason, "urgent": order.urgent, "last_update": self._clock()}
            return book.model_copy(update=update)

        self._checkpoint.update_book(book_id, change)


def outcome(report: Report) -> dict[str, object]:
    """Return what a finished book changes in its record."""
    return {
        "stage": "done",
        "output": report.output,
        "audio_seconds": report.audio_seconds,
        "audio_bytes": report.audio_bytes,
        "reason": "",
    }


def _stage(order: Order, wanted: Stage) -> Stage:
    """Return the stage of a book that is as it is ordered, which is that one when it is wanted."""
    return wanted if order.state == "wanted" else order.state
