"""What the merger does: one function an event, one for a book that has all its parts. No Faust here.

The merger is the only writer of a book's records. Whatever it misses in Redis it reads again from storage, so
an empty Redis costs one look at each part.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from e2a import log, metrics
from e2a.bus import Publisher
from e2a.checkpoint import STOPPED, Checkpoint, LeaseKeeper, NotRecorded, Stage, assembly_lease, excerpt_lease
from e2a.errors import Retryable
from e2a.messages import (
    BookChanged,
    BookDone,
    BookFailed,
    BookPlanned,
    Event,
    PartDone,
    PartFailed,
    PartialWanted,
    PartsWanted,
)
from e2a.plan import Part, Plan
from e2a.report import Report
from e2a.storage import ObjectStore, has_plan, keys, read_master, read_order, read_plan, read_report
from e2a.topics import EVENTS
from merger.assembly import assemble
from merger.books import Books, outcome
from merger.excerpt import PARTIAL, assemble_finished
from merger.faults import AssemblyFailed, CorruptParts, Superseded, TextLost
from merger.fold import again, backoff, fold, found, is_spent, lost, missing, verdict, wanted
from merger.jobs import Jobs

ASSEMBLY_ATTEMPTS = 3
"""How often an assembly may fail before its book is failed."""
REMAKES = 3
"""How often a part may be made anew because it was found missing or damaged, before its book is failed."""
REST = 5.0
"""Seconds for which the sweep leaves a book alone whose assembly has just failed."""

logger = log.get(__name__)


class Work(NamedTuple):
    """What is to be done after an event or a sweep, and takes longer than one."""

    name: str
    """Of the lease that it takes: what has the same name need not be done twice at a time."""
    run: Callable[[], None]
    """May raise `Retryable`."""


class Merger:
    """Keeps the checkpoint and assembles books. Thread-safe; every method raises `Retryable` when a server is away.

    Args:
        store: where plans, parts and books live.
        checkpoint: how far every book has got.
        books: its records.
        jobs: publishes what is to be made again.
        publisher: where `BookDone` and `BookFailed` go.
        leases: keeps two mergers off the same book.
        first_wait: longest wait before a part that failed once is tried again, in seconds.
        clock: Unix time in seconds.
        jitter: 0 to 1, how much of a wait is waited.
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        checkpoint: Checkpoint,
        books: Books,
        jobs: Jobs,
        publisher: Publisher,
        leases: LeaseKeeper,
        first_wait: float,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._books = books
        self._jobs = jobs
        self._publisher = publisher
        self._leases = leases
        self._first_wait = first_wait
        self._clock = clock
        self._jitter = jitter
        self._failures: Counter[str] = Counter()
        self._rests: dict[str, float] = {}
        self._cancelled = threading.Event()
        self._heeding = threading.Lock()

    def on_event(self, event: Event) -> Work | None:
        """Fold an event into the checkpoint; return what is to be done now, if anything."""
        work: Work | None = None
        if isinstance(event, PartialWanted):
            work = Work(excerpt_lease(event.book_id), partial(self.excerpt, event.book_id))
        elif isinstance(event, PartDone | PartFailed):
            self._fold(event)
            work = self._next(event.book_id)
        elif not isinstance(event, BookDone | BookFailed):
            try:
                self._on_word(event)
            except NotRecorded:  # the checkpoint was emptied meanwhile
                self._books.seed(event.book_id)
            work = self._next(event.book_id)
        metrics.EVENTS.labels(event.type).inc()
        return work

    def _on_word(self, event: BookPlanned | BookChanged | PartsWanted) -> None:
        """Do what an owner says of a book. Raises `NotRecorded`."""
        if isinstance(event, BookPlanned):
            self._books.seed(event.book_id)
        elif isinstance(event, BookChanged):
            self._change(event.book_id)
        else:
            self._try_again(event)

    def heed(self, book_id: str) -> None:
        """Do what is wanted of a book that is recorded: one that has become urgent goes before the others.

        Raises:
            NotRecorded: it is not.
        """
        with self._heeding:  # else the older of two orders may be recorded last
            order = read_order(self._store, book_id)
            book = self._checkpoint.book(book_id) if order.urgent else None
            if book and book.stage == "synthesising" and not book.urgent:
                self._jobs.hasten(book_id)
            self._books.heed(book_id, order)

    def cancel(self) -> None:
        """End all assemblies that are under way, and leave nothing of them behind; for the end of the process."""
        self._cancelled.set()

    def unconcluded(self) -> list[Work]:
        """Return the conclusions of books whose assembly was cut short or has not begun although nothing is pending."""
        return [
            self._conclusion(book_id)
            for book_id, stage in self._checkpoint.stages().items()
            if self._is_left(book_id, stage)
        ]

    def _is_left(self, book_id: str, stage: Stage) -> bool:
        if self._rests.get(book_id, 0.0) > self._clock():
            return False
        return stage == "assembling" or (stage == "synthesising" and not self._checkpoint.pending(book_id))

    def conclude(self, book_id: str) -> None:
        """Assemble a book that has all its parts, or fail one that never will, unless somebody else does."""
        lease = assembly_lease(book_id)
        if not self._leases.claim(lease):
            return
        try:
            self._conclude(book_id)
            self._rests.pop(book_id, None)
        except NotRecorded:
            logger.warning("merge.not_recorded", book=book_id)
            self._books.seed(book_id)
        except Retryable:
            self._rests[book_id] = self._clock() + REST
            raise
        finally:
            self._leases.release(lease)

    def excerpt(self, book_id: str) -> None:
        """Assemble the chapters that are finished so far, from the first on, unless somebody else does."""
        lease = excerpt_lease(book_id)
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

    def _conclusion(self, book_id: str) -> Work:
        return Work(assembly_lease(book_id), partial(self.conclude, book_id))

    def _next(self, book_id: str) -> Work | None:
        """Return the book's conclusion when it is known and nothing of it is pending any more."""
        if self._checkpoint.pending(book_id) or self._checkpoint.stage(book_id) is None:
            return None
        return self._conclusion(book_id)

    def _change(self, book_id: str) -> None:
        """Record what is wanted of a book now; one that was removed from storage is forgotten."""
        if read_plan(self._store, book_id) is None:
            self._checkpoint.forget(book_id)
            logger.info("merge.forgotten", book=book_id)
        elif self._checkpoint.stage(book_id) is None:
            self._books.seed(book_id)
        else:
            self.heed(book_id)
            logger.info("merge.heeded", book=book_id, stage=self._checkpoint.stage(book_id))

    def _try_again(self, event: PartsWanted) -> None:
        """Have failed parts made after all; of a book that is not known all that is missing is pending when it is."""
        if self._checkpoint.stage(event.book_id) is None:
            self._books.seed(event.book_id)
            return
        parts = self._checkpoint.parts(event.book_id)
        named = event.parts or tuple(parts)
        failed = [index for index, record in parts.items() if record.state == "failed" and index in named]
        for index in failed:
            self._checkpoint.update_part(event.book_id, index, wanted)
        plan = read_plan(self._store, event.book_id) if failed else None
        if self._checkpoint.pending(event.book_id) and self._books.enter(event.book_id, "synthesising") and plan:
            self._jobs.publish(plan, [plan.parts[index] for index in failed], "wanted")

    def _fold(self, event: PartDone | PartFailed) -> None:
        """Record what happened to a part; a book that the checkpoint has forgotten is read from storage before."""
        if self._fold_into_record(event):
            return
        is_known = self._checkpoint.stage(event.book_id) is not None
        if not is_known and (not self._books.seed(event.book_id) or self._fold_into_record(event)):
            return
        logger.warning("merge.unknown_part", book=event.book_id, part=event.part)

    def _fold_into_record(self, event: PartDone | PartFailed) -> bool:
        due = backoff(self._clock(), self._first_wait, self._jitter())
        try:
            record = self._checkpoint.update_part(event.book_id, event.part, lambda record: fold(record, event, due))
            self._books.update(event.book_id)
        except NotRecorded:
            return False
        if is_spent(record, event):
            self._jobs.give_up(event.book_id, event.part, record)
        return True

    def _conclude(self, book_id: str) -> None:
        book = self._checkpoint.book(book_id)
        if book is None:
            raise NotRecorded(book_id)
        parts = self._checkpoint.parts(book_id)
        if not parts:
            raise NotRecorded(book_id)
        state = verdict(parts.values())
        if book.stage == "done" or book.stage in STOPPED or (state == "open" and book.stage != "assembling"):
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
            self._jobs.publish(plan, pending, "damaged")
            self._await(plan, pending)

    def _assemble(self, plan: Plan) -> None:
        book_id = plan.book_id
        if not self._books.enter(book_id, "assembling"):
            return
        try:
            report = read_report(self._store, book_id) or self._report(plan)
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

    def _report(self, plan: Plan) -> Report:
        """Make a book and its report; the first report that is put is the one that counts."""
        fence = partial(self._fence, plan.book_id)
        with metrics.ASSEMBLY_SECONDS.time():
            report = assemble(plan, self._store, cancelled=self._cancelled, fence=fence)
        fence()
        if first := read_report(self._store, plan.book_id):
            return first
        self._store.put(keys.report(plan.book_id), report.model_dump_json(indent=2).encode())
        return report

    def _fence(self, book_id: str) -> None:
        """Raise `Superseded` when somebody else is at a book or has finished it, `NotRecorded` when it was removed.

        A lease that ran out and was taken and given back is free again, so the lease alone does not tell.
        """
        stage = self._checkpoint.stage(book_id) if self._leases.holds(assembly_lease(book_id)) else "done"
        if stage == "done":
            raise Superseded(f"{book_id} is another merger's")
        if stage is None and not has_plan(self._store, book_id):
            raise NotRecorded(book_id)

    def _announce(self, report: Report) -> None:
        book_id = report.book_id
        self._fence(book_id)
        done = BookDone(
            book_id=book_id,
            output=report.output,
            audio_seconds=report.audio_seconds,
            audio_bytes=report.audio_bytes,
        )
        self._publisher.send(EVENTS, [done])
        self._books.update(book_id, **outcome(report))
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
        self._fence(plan.book_id)
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
        self._jobs.publish(plan, error.parts, "damaged")
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

    def _await(self, plan: Plan, parts: Sequence[Part]) -> None:
        """Wait for parts that are pending; a worker may have made some before their records said that they are."""
        for part in parts:
            made = self._books.as_stored(part, plan.output.bitrate)
            if made.state == "done":
                self._checkpoint.update_part(plan.book_id, part.index, partial(found, made=made))
        self._books.enter(plan.book_id, "synthesising")

    def _fail(self, book_id: str, reason: str) -> None:
        self._fence(book_id)
        self._publisher.send(EVENTS, [BookFailed(book_id=book_id, reason=reason)])
        self._books.enter(book_id, "failed", reason)
        if self._checkpoint.pending(book_id):  # somebody has just had its parts made after all
            self._books.enter(book_id, "synthesising")
        metrics.BOOKS.labels("failed").inc()
        logger.warning("merge.book_failed", book=book_id, reason=reason)
