"""What the merger does: one function an event, one for the sweep. No Faust here.

The merger is the only writer of a book's records. Whatever it misses in Redis it reads again from storage, so
an empty Redis costs one look at each part.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from e2a import log, metrics
from e2a.bus import Publisher
from e2a.checkpoint import BookRecord, Checkpoint, LeaseKeeper, NotRecorded, PartRecord, new_book
from e2a.messages import BookDone, BookFailed, BookPlanned, Event, PartDone, PartFailed, PartialWanted, chapter_job
from e2a.plan import Part, Plan
from e2a.report import Report
from e2a.storage import ObjectStore, keys, read_master, read_plan, read_report, read_sidecar
from e2a.topics import CHAPTERS, EVENTS
from merger.assembly import assemble
from merger.excerpt import PARTIAL, assemble_finished
from merger.faults import AssemblyFailed, CorruptParts, TextLost
from merger.fold import again, fold, lost, missing, verdict

ASSEMBLY_ATTEMPTS = 3
"""How often an assembly may fail before its book is failed."""
REMAKES = 3
"""How often a part may be made anew because it was found missing or damaged, before its book is failed."""

Work = Callable[[], None]
"""What is to be done after an event, and takes longer than one; may raise `Retryable`."""

logger = log.get(__name__)


class Merger:
    """Keeps the checkpoint and assembles books. Thread-safe; every method raises `Retryable` when a server is away.

    Args:
        store: where plans, parts and books live.
        checkpoint: how far every book has got.
        publisher: where `BookDone`, `BookFailed` and jobs for parts that have to be made again go.
        leases: keeps two mergers off the same book.
        partitions: of the chapters topic, over which jobs are spread.
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        checkpoint: Checkpoint,
        publisher: Publisher,
        leases: LeaseKeeper,
        partitions: int = 1,
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._publisher = publisher
        self._leases = leases
        self._partitions = partitions
        self._failures: Counter[str] = Counter()
        self._cancelled = threading.Event()

    def on_event(self, event: Event) -> Work | None:
        """Fold an event into the checkpoint; return what is to be done now, if anything."""
        work: Work | None = None
        if isinstance(event, PartialWanted):
            work = partial(self.excerpt, event.book_id)
        elif isinstance(event, BookPlanned):
            self._seed(event.book_id)
            work = self._next(event.book_id)
        elif isinstance(event, PartDone | PartFailed):
            self._fold(event)
            work = self._next(event.book_id)
        metrics.EVENTS.labels(event.type).inc()
        return work

    def cancel(self) -> None:
        """End all assemblies that are under way, and leave nothing of them behind; for the end of the process."""
        self._cancelled.set()

    def unconcluded(self) -> list[str]:
        """Return books whose assembly was cut short, or has not begun although nothing of them is pending."""
        books = [self._checkpoint.book(book_id) for book_id in self._checkpoint.books()]
        return [book.book_id for book in books if book and self._is_left(book)]

    def _is_left(self, book: BookRecord) -> bool:
        if book.stage == "synthesising":
            return not self._checkpoint.pending(book.book_id)
        return book.stage == "assembling"

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

    def excerpt(self, book_id: str) -> None:
        """Assemble the chapters that are finished so far, from the first on, unless somebody else does."""
        lease = f"excerpt/{book_id}"
        if not self._leases.claim(lease):
            return
        try:
            plan = read_plan(self._store, book_id)
            if plan is None:
                logger.warning("merge.no_plan", book=book_id)
                return
            report = assemble_finished(plan, self._store, self._cancelled)
            self._store.put(keys.partial_report(book_id), report.model_dump_json(indent=2).encode())
            logger.info("merge.excerpt", book=book_id, chapters=len(report.chapters), of=len(plan.chapters))
        finally:
            self._leases.release(lease)

    def _next(self, book_id: str) -> Work | None:
        """Return the book's conclusion when nothing of it is pending any more."""
        return None if self._checkpoint.pending(book_id) else partial(self.conclude, book_id)

    def _seed(self, book_id: str) -> None:
        """Record a book as storage shows it: what was failed or forgotten is pending again, a whole book is done."""
        plan = read_plan(self._store, book_id)
        if plan is None:
            logger.warning("merge.no_plan", book=book_id)
            return
        known = self._checkpoint.book(book_id)
        done = read_report(self._store, book_id)
        parts = {part.index: self._record(part, plan.output.bitrate) for part in plan.parts}
        update: dict[str, object] = {"resumed_seconds": sum(record.audio_seconds for record in parts.values())}
        update |= {"start_time": known.start_time} if known else {}
        update |= _outcome(done) if done else {}
        self._checkpoint.seed(new_book(plan, time.time()).model_copy(update=update), parts)

    def _record(self, part: Part, bitrate: int) -> PartRecord:
        """Return the record of a part as storage shows it."""
        record = PartRecord(chapter=part.chapter, estimate=part.estimate)
        sidecar = read_sidecar(self._store, part.digest, bitrate)
        if sidecar is None:
            return record
        return record.model_copy(
            update={
                "state": "done",
                "audio_seconds": sidecar.seconds,
                "audio_bytes": sidecar.aac[bitrate].size,
                "worker": sidecar.worker,
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
        parts = self._checkpoint.parts(book_id)
        state = verdict(parts.values())
        if book.stage == "done" or (state == "open" and book.stage != "assembling"):
            return
        if state == "incomplete":
            if book.stage != "failed":
                self._fail(book_id, missing(parts.values()))
            return
        plan = read_plan(self._store, book_id)
        if plan is None:
            self._fail(book_id, f"storage holds no plan {keys.book(book_id, keys.PLAN)}")
        elif state == "complete":
            self._assemble(plan)
        else:  # a merger died while it had parts made anew
            pending = [part for part in plan.parts if parts[part.index].state == "pending"]
            self._publish(plan, pending)
            self._await(plan, pending)

    def _assemble(self, plan: Plan) -> None:
        book_id = plan.book_id
        self._update(book_id, stage="assembling")
        try:
            with metrics.ASSEMBLY_SECONDS.time():
                report = read_report(self._store, book_id) or assemble(plan, self._store, cancelled=self._cancelled)
        except CorruptParts as error:
            self._remake(plan, error)
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
        self._announce(report)

    def _announce(self, report: Report) -> None:
        book_id = report.book_id
        self._store.put(keys.report(book_id), report.model_dump_json(indent=2).encode())
        done = BookDone(
            book_id=book_id,
            output=report.output,
            audio_seconds=report.audio_seconds,
            audio_bytes=report.audio_bytes,
        )
        self._publisher.send(EVENTS, [done])
        self._update(book_id, **_outcome(report))
        for key in (keys.partial_report(book_id), keys.output(book_id, f"{PARTIAL}.m4b")):
            self._store.delete(key)
        metrics.BOOKS.labels("done").inc()
        logger.info(
            "merge.book_done", book=book_id, audio_seconds=round(report.audio_seconds, 1), bytes=report.audio_bytes
        )

    def _remake(self, plan: Plan, error: CorruptParts) -> None:
        """Have parts made anew, or fail the book when one of them was made anew too often.

        First storage forgets them, so that no worker takes them for done; then the jobs; then the records, for a book
        with a pending part is waited for. A merger that dies in between leaves a book that the sweep finds.
        """
        records = self._checkpoint.parts(plan.book_id)
        if not records:
            raise NotRecorded(plan.book_id)
        for part in error.parts:
            self._forget(part, plan.output.bitrate, again=records[part.index].remade > 0)
        spent = [part for part in error.parts if records[part.index].remade >= REMAKES]
        if spent:
            advice = "check the storage, then run e2a-produce again"
            reason = f"{CorruptParts(spent)}, although made anew {REMAKES} times; {advice}"
            for part in error.parts:
                self._checkpoint.update_part(plan.book_id, part.index, lambda record: lost(record, reason))
            self._fail(plan.book_id, reason)
            return
        logger.warning("merge.parts_remade", book=plan.book_id, parts=[part.index for part in error.parts])
        self._publish(plan, error.parts)
        for part in error.parts:
            self._checkpoint.update_part(plan.book_id, part.index, again)
        self._await(plan, error.parts)

    def _forget(self, part: Part, bitrate: int, *, again: bool) -> None:
        """Let a part count as missing; at first only its AAC, which a worker makes of the master if that is intact."""
        sidecar = None if again else read_master(self._store, part.digest)
        if sidecar is None:
            self._store.delete(keys.part_sidecar(part.digest))
        else:
            kept = {rate: blob for rate, blob in sidecar.aac.items() if rate != bitrate}
            left = sidecar.model_copy(update={"aac": kept})
            self._store.put(keys.part_sidecar(part.digest), left.model_dump_json().encode())

    def _publish(self, plan: Plan, parts: Sequence[Part]) -> None:
        jobs = [chapter_job(plan, part) for part in parts]
        self._publisher.send(CHAPTERS, jobs, [number % self._partitions for number in range(len(jobs))])

    def _await(self, plan: Plan, parts: Sequence[Part]) -> None:
        """Wait for parts that are pending; a worker may have made some before their records said that they are."""
        for part in parts:
            made = self._record(part, plan.output.bitrate)
            if made.state == "done":
                self._checkpoint.update_part(plan.book_id, part.index, partial(_keep_count, made))
        self._update(plan.book_id, stage="synthesising")

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


def _keep_count(made: PartRecord, record: PartRecord) -> PartRecord:
    return made.model_copy(update={"remade": record.remade})
