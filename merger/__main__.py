"""e2a-merge: settings, merger, Faust worker; wired here and nowhere else."""

import logging
import os
import socket
import sys
import time
from typing import NoReturn

import stamina
from aiokafka.errors import KafkaConnectionError
from faust import Worker

from e2a import log, metrics, scratch, service
from e2a.bus import Admin, KafkaBacklog, KafkaPublisher, KafkaServer, Publisher
from e2a.checkpoint import Checkpoint, LeaseKeeper, open_checkpoint
from e2a.errors import Unavailable, may_pass
from e2a.settings import MergerSettings, load
from e2a.storage import ObjectStore, open_store
from e2a.topics import topics
from merger import ffmpeg
from merger.app import build
from merger.books import Books
from merger.census import Census
from merger.jobs import Jobs
from merger.merge import Merger
from merger.sweep import Sweep

SWEEP_PATIENCE = 5.0
"""Seconds that a sweep waits for Kafka: the next one comes soon."""
STORE_PATIENCE = 2.0
"""Seconds that one of its steps waits for storage, and an event, which is folded again and again."""


def run() -> NoReturn:
    settings = load(MergerSettings, sys.argv[1:])
    log.configure(settings.log_level, settings.log_format)
    service.end_on_bugs_in_threads()
    for library in ("aiokafka", "faust", "mode"):
        logging.getLogger(library).setLevel(logging.ERROR)
    checkpoint = open_checkpoint(settings)
    sweep: Sweep | None = None

    def health() -> dict[str, object]:
        if sweep is None:
            return {"service": "e2a-merge", "state": "starting", "problem": "waits for its servers"}
        return {"service": "e2a-merge", "state": "working", "problem": sweep.problem}

    metrics.MERGER.register(Census(checkpoint))
    metrics.serve(settings.metrics_port, health, metrics.MERGER)
    ffmpeg.check()
    scratch.remove_abandoned("merge")
    store = open_store(settings)
    store.check()
    Admin(KafkaServer.of(settings), settings.patience).ensure_topics(topics(settings.partitions))
    for attempt in stamina.retry_context(on=may_pass, attempts=None, timeout=settings.patience, wait_max=1.0):
        with attempt:
            checkpoint.check()
    publisher = KafkaPublisher(KafkaServer.of(settings), settings.patience)
    with LeaseKeeper(checkpoint, f"merger-{socket.gethostname()}-{os.getpid()}") as leases:
        merger, sweep = compose(settings, store, checkpoint, publisher, leases)
        app = build(settings, merger, sweep, publisher)
        worker = Worker(app, override_logging=False, redirect_stdouts=False, quiet=True)
        try:
            worker.execute_from_commandline()  # ends with SystemExit
        except SystemExit as ended:
            if isinstance(ended.__context__, KafkaConnectionError):  # Kafka has gone since its topics were looked at
                raise Unavailable(f"Kafka {settings.kafka_bootstrap}: {ended.__context__}") from ended
            raise
        finally:
            merger.cancel()
    raise AssertionError("unreachable: Faust's worker exits")


def compose(
    settings: MergerSettings,
    store: ObjectStore,
    checkpoint: Checkpoint,
    publisher: Publisher,
    leases: LeaseKeeper,
) -> tuple[Merger, Sweep]:
    """Return a merger and its sweep.

    Args:
        settings: where the servers are.
        store: for as long as it takes; what must not wait opens it again.
        checkpoint: how far every book has got.
        publisher: where events and jobs go.
        leases: of this merger.
    """
    admin = Admin(KafkaServer.of(settings), SWEEP_PATIENCE)
    quick = open_store(settings.model_copy(update={"patience": STORE_PATIENCE}))
    books = Books(quick, checkpoint, time.time)
    jobs = Jobs(
        store=quick,
        checkpoint=checkpoint,
        books=books,
        publisher=publisher,
        partitions=admin.partitions,
        clock=time.time,
    )
    merger = Merger(
        store=store,
        checkpoint=checkpoint,
        books=books,
        jobs=jobs,
        publisher=publisher,
        leases=leases,
        first_wait=settings.backoff,
    )
    sweep = Sweep(
        store=quick,
        checkpoint=checkpoint,
        books=books,
        jobs=jobs,
        merger=merger,
        leases=leases,
        backlog=KafkaBacklog(KafkaServer.of(settings), SWEEP_PATIENCE),
        admin=admin,
        partitions=settings.partitions,
        clock=time.time,
    )
    return merger, sweep


def main() -> None:
    sys.exit(service.run("e2a-merge", run))  # waits for what was cancelled, which removes what it has half made


if __name__ == "__main__":
    main()
