"""Sequential mode: the functions of all three services in one process, without any server; the same bytes.

Beside the `__main__`s this is the only place where services meet.
"""

import threading
import time
from collections.abc import Sequence

from e2a.bus import Handler
from e2a.checkpoint import BookRecord, Checkpoint, LeaseKeeper, progress
from e2a.errors import ExitCode, Unavailable, UserError
from e2a.messages import ChapterJob, Event, PartDone
from e2a.placement import even
from e2a.plan import Part, Plan
from e2a.report import Report
from e2a.scratch import remove_abandoned
from e2a.settings import SynthSettings
from e2a.storage import ObjectStore
from e2a.testing import MemoryBroker, MemoryCheckpoint
from e2a.topics import EVENTS, QUEUES
from merger import ffmpeg
from merger.books import Books
from merger.excerpt import assemble_finished
from merger.jobs import Jobs
from merger.merge import Merger
from producer.follow import Show
from producer.ingest import publish
from synth_consumer import engines, recognition
from synth_consumer.speaker import Speaker
from synth_consumer.status import Status
from synth_consumer.worker import Worker

WORKER = "sequential"


class Maker:
    """Makes books, one after another, with one engine.

    Args:
        settings: of the worker.

    Raises:
        UserError: the engine or ffmpeg is missing.
    """

    def __init__(self, settings: SynthSettings) -> None:
        ffmpeg.check()
        remove_abandoned("merge")
        self._engine = engines.create(settings)
        recogniser = recognition.create(settings)  # first, for an engine may take all memory of the GPU that is left
        self._engine.load()
        self._status = Status(WORKER, self._engine)
        self._speaker = Speaker(self._engine, recogniser, self._status.took)

    def make(self, plan: Plan, parts: Sequence[Part], store: ObjectStore, show: Show) -> BookRecord:
        """Make a book and return its last record.

        Args:
            plan: of the book, which is in storage.
            parts: those that are to be made.
            store: where they go.
            show: called after every part.

        Raises:
            UserError: storage went away while a part was made (exit code UNAVAILABLE).
            Retryable: storage cannot be reached.
        """
        broker, checkpoint = MemoryBroker(), MemoryCheckpoint(time.monotonic)
        leases = LeaseKeeper(checkpoint, WORKER)
        merger, jobs = _merger(store, checkpoint, broker, leases)
        handle = self._handler(store, leases)
        publish(plan, parts, broker, dict.fromkeys(QUEUES, even(1)))
        while True:
            for event in broker.take(EVENTS):
                if isinstance(event, Event):
                    merger.on_event(event)
            jobs.retry(plan.book_id)
            numbers = progress(checkpoint.parts(plan.book_id).values())
            show(numbers, "")
            if broker.step(handle, WORKER):
                continue
            if checkpoint.pending(plan.book_id):  # what was handed back
                break
            show(numbers, "assembling")
            merger.conclude(plan.book_id)
            if not checkpoint.pending(plan.book_id):  # else parts were damaged, and are made again
                break
        book = checkpoint.book(plan.book_id)
        assert book is not None, "the announcement was folded before the first job"
        return book

    def _handler(self, store: ObjectStore, leases: LeaseKeeper) -> Handler:
        """Return what makes a part. That storage is away ends the command: it is no failure of the part."""
        worker = Worker(
            name=WORKER,
            engine=self._engine,
            speaker=self._speaker,
            store=store,
            leases=leases,
            status=self._status,
            patient=False,
        )

        def handle(job: ChapterJob, abandoned: threading.Event) -> PartDone | None:
            try:
                return worker.handle(job, abandoned)
            except Unavailable as error:
                raise UserError(str(error), ExitCode.UNAVAILABLE) from error

        return handle


def _merger(
    store: ObjectStore, checkpoint: Checkpoint, broker: MemoryBroker, leases: LeaseKeeper
) -> tuple[Merger, Jobs]:
    """Return a merger that has failed parts tried again at once, and what does that."""
    books = Books(store, checkpoint, time.time)
    jobs = Jobs(
        store=store,
        checkpoint=checkpoint,
        books=books,
        publisher=broker,
        partitions=lambda: dict.fromkeys(QUEUES, 1),
        clock=time.time,
    )
    merger = Merger(
        store=store,
        checkpoint=checkpoint,
        books=books,
        jobs=jobs,
        publisher=broker,
        leases=leases,
        first_wait=0.0,
    )
    return merger, jobs


def partial(plan: Plan, store: ObjectStore) -> Report:
    """Assemble the finished chapters of a book in this process, and return their report; one without files for none.

    Raises:
        UserError: ffmpeg is missing.
        Retryable: storage cannot be reached, or ffmpeg failed.
    """
    ffmpeg.check()
    remove_abandoned("merge")
    return assemble_finished(plan, store, threading.Event())
