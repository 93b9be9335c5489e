"""What the merger does: one function an event, one for the sweep. No Faust here.

The merger is the only writer of a book's records. Whatever it misses in Redis it reads again from storage, so
an empty Redis costs one look at each part.
"""

import time
from collections import Counter

from e2a import log, metrics
from e2a.bus import Publisher
from e2a.checkpoint import Checkpoint, LeaseKeeper, NotRecorded, PartRecord, new_book
from e2a.messages import BookDone, BookFailed, BookPlanned, Event, PartDone, PartFailed
from e2a.plan import Part
from e2a.report import Report
from e2a.storage import ObjectStore, keys, read_plan, read_report, read_sidecar
from e2a.topics import EVENTS
from merger.assembly import AssemblyFailed, CorruptPart, TextLost, assemble
from merger.fold import fold, missing, verdict

ASSEMBLY_ATTEMPTS = 3
"""How often an assembly may fail before its book is failed."""

logger = log.get(__name__)


class Merger:
    """Keeps the checkpoint and assembles books. Thread-safe; every method raises `Retryable` when a server is away.

    Args:
        store: where plans, parts and books live.
        checkpoint: how far every book has got.
        publisher: where `BookDone` and `BookFailed` go.
        leases: keeps two mergers off the same book.
    """

    def __init__(
        self, *, store: ObjectStore, checkpoint: Checkpoint, publisher: Publisher, leases: LeaseKeeper
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._publisher = publisher
        self._leases = leases
        self._failures: Counter[str] = Counter()

    def on_event(self, event: Event) -> bool:
        """Fold an event into the checkpoint; True when nothing of its book is pending any more."""
        if isinstance(event, BookPlanned):
            self._seed(event.book_id)
        elif isinstance(event, PartDone | PartFailed):
            self._fold(event)
        ready = not isinstance(event, BookDone | BookFailed) and self._checkpoint.pending(event.book_id) == 0
        metrics.EVENTS.labels(event.type).inc()
        return ready

    def unconcluded(self) -> list[str]:
        """Return books with nothing pending that were not concluded: their assembly was cut short."""
        books = [self._checkpoint.book(book_id) for book_id in self._checkpoint.books()]
        return [
            book.book_id
            for book in books
            if book and book.stage not in {"done", "failed"} and not self._checkpoint.pending(book.book_id)
        ]

    def conclude(self, book_id: str) -> None:
        """Assemble a book that has all its parts, or fail one that never will, unless somebody else does."""
        lease = f"assembly/{book_id}"
        if not self._leases.claim(lease):
            return
        try:
            self._conclude(book_id)
        except NotRecorded:
            logger.warning("merge.not_recorded", book=book_id)
            self._seed(book_id)
        finally:
            self._leases.release(lease)

    def _seed(self, book_id: str) -> None:
        """Record a book as storage shows it: what was failed or forgotten is pending again, a whole book is done."""
        plan = read_plan(self._store, book_id)
        if plan is None:
            logger.warning("merge.no_plan", book=book_id)
            return
        known = self._checkpoint.book(book_id)
        done = read_report(self._store, book_id)
        parts = {part.index: self._record(part) for part in plan.parts}
        update: dict[str, object] = {"resumed_seconds": sum(record.audio_seconds for record in parts.values())}
        update |= {"start_time": known.start_time} if known else {}
        update |= _outcome(done) if done else {}
        self._checkpoint.seed(new_book(plan, time.time()).model_copy(update=update), parts)

    def _record(self, part: Part) -> PartRecord:
        record = PartRecord(chapter=part.chapter, estimate=part.estimate)
        sidecar = read_sidecar(self._store, part.digest)
        if sidecar is None:
            return record
        return record.model_copy(
            update={
                "state": "done",
                "audio_seconds": sidecar.seconds,
                "audio_bytes": sidecar.audio_bytes,
                "retakes": sidecar.retakes,
            }
        )

    def _fold(self, event: PartDone | PartFailed) -> None:
        """Record what happened to a part; a book that the checkpoint has forgotten is read from storage before."""
        if self._fold_into_record(event):
            return
        if self._checkpoint.book(event.book_id) is None:
            self._seed(event.book_id)
            if self._fold_into_record(event):
                return
        logger.warning("merge.unknown_part", book=event.book_id, part=event.part)

    def _fold_into_record(self, event: PartDone | PartFailed) -> bool:
        try:
            self._checkpoint.update_part(event.book_id, event.part, lambda record: fold(record, event))
            self._update(event.book_id)
        except NotRecorded:
            return False
        return True

    def _conclude(self, book_id: str) -> None:
        book = self._checkpoint.book(book_id)
        if book is None:
            raise NotRecorded(book_id)
        parts = self._checkpoint.parts(book_id).values()
        state = verdict(parts)
        if book.stage == "done":
            return
        if state == "complete":
            self._assemble(book_id)
        elif state == "incomplete" and book.stage != "failed":
            self._fail(book_id, missing(parts))

    def _assemble(self, book_id: str) -> None:
        plan = read_plan(self._store, book_id)
        if plan is None:
            self._fail(book_id, f"storage holds no plan {keys.book(book_id, keys.PLAN)}")
            return
        self._update(book_id, stage="assembling")
        try:
            with metrics.ASSEMBLY_SECONDS.time():
                report = assemble(plan, self._store)
        except CorruptPart as error:
            self._store.delete(keys.part_sidecar(error.part.digest))
            lost = PartRecord(
                chapter=error.part.chapter, estimate=error.part.estimate, state="failed", reason=str(error)
            )
            self._checkpoint.update_part(book_id, error.part.index, lambda _record: lost)
            self._fail(book_id, f"{error}; run e2a-produce again to make it anew")
            return
        except TextLost as error:
            self._fail(book_id, str(error))
            return
        except AssemblyFailed as error:
            self._failures[book_id] += 1
            if self._failures[book_id] < ASSEMBLY_ATTEMPTS:
                raise
            del self._failures[book_id]
            self._fail(book_id, str(error))
            return
        self._failures.pop(book_id, None)
        self._store.put(keys.report(book_id), report.model_dump_json(indent=2).encode())
        done = BookDone(
            book_id=book_id,
            output=report.output,
            audio_seconds=report.audio_seconds,
            audio_bytes=report.audio_bytes,
        )
        self._publisher.send(EVENTS, [done])
        self._update(book_id, **_outcome(report))
        metrics.BOOKS.labels("done").inc()
        logger.info(
            "merge.book_done", book=book_id, audio_seconds=round(report.audio_seconds, 1), bytes=report.audio_bytes
        )

    def _fail(self, book_id: str, reason: str) -> None:
        self._publisher.send(EVENTS, [BookFailed(book_id=book_id, reason=reason)])
        self._update(book_id, stage="failed", reason=reason)
        metrics.BOOKS.labels("failed").inc()
        logger.warning("merge.book_failed", book=book_id, reason=reason)

    def _update(self, book_id: str, **values: object) -> None:
        update = values | {"last_update": time.time()}
        self._checkpoint.update_book(book_id, lambda book: book.model_copy(update=update))


def _outcome(report: Report) -> dict[str, object]:
    """Return what a finished book changes in its record."""
    return {
        "stage": "done",
        "output": report.output,
        "audio_seconds": report.audio_seconds,
        "audio_bytes": report.audio_bytes,
    }
