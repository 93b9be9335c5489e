"""Sequential mode: the functions of all three services in one process, without any server; the same bytes.

Beside the `__main__`s this is the only place where services meet.
"""

import time

from e2a.checkpoint import BookRecord, LeaseKeeper, progress
from e2a.messages import Event
from e2a.plan import Plan
from e2a.settings import SynthSettings
from e2a.storage import ObjectStore
from e2a.testing import MemoryBroker, MemoryCheckpoint
from e2a.topics import EVENTS
from merger.assembly import check_programs
from merger.merge import Merger
from producer.follow import Show
from producer.ingest import publish
from synth_consumer import engines, recognition
from synth_consumer.speaker import Speaker
from synth_consumer.status import Status
from synth_consumer.worker import Worker

WORKER = "sequential"


def run(plan: Plan, store: ObjectStore, settings: SynthSettings, show: Show) -> BookRecord:
    """Make a book in this process and return its last record.

    Raises:
        UserError: the engine or ffmpeg is missing.
        Retryable: storage cannot be reached.
    """
    check_programs()
    engine = engines.create(settings)
    recogniser = recognition.create(settings)  # first, for an engine may take all memory of the GPU that is left
    engine.load()
    status = Status(WORKER, engine)
    broker = MemoryBroker()
    checkpoint = MemoryCheckpoint(time.monotonic)
    leases = LeaseKeeper(checkpoint, WORKER)
    merger = Merger(store=store, checkpoint=checkpoint, publisher=broker, leases=leases)
    worker = Worker(
        name=WORKER,
        engine=engine,
        speaker=Speaker(engine, recogniser, status.took),
        store=store,
        leases=leases,
        status=status,
    )
    publish(plan, store, broker, speeds=[1.0])
    while True:
        for event in broker.take(EVENTS):
            if isinstance(event, Event):
                merger.on_event(event)
        show(progress(checkpoint.parts(plan.book_id).values()), "")
        if not broker.step(worker.handle, WORKER):
            break
    merger.conclude(plan.book_id)
    book = checkpoint.book(plan.book_id)
    assert book is not None, "the announcement was folded before the first job"
    return book
