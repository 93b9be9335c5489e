"""e2a-synth: settings, engine, consumer; wired here and nowhere else."""

import logging
import os
import socket
import sys
import threading
from contextlib import nullcontext

from e2a import log, metrics, service
from e2a.bus import Admin, JobConsumer, KafkaPublisher, KafkaServer
from e2a.checkpoint import LeaseKeeper, RedisCheckpoint, open_checkpoint
from e2a.errors import ExitCode, Unavailable, may_pass
from e2a.settings import SynthSettings, load
from e2a.storage import open_store
from e2a.topics import topics
from synth_consumer import engines, gpus, recognition
from synth_consumer.duty import Duty
from synth_consumer.engines import Engine
from synth_consumer.orders import Orders
from synth_consumer.recognition import Recogniser
from synth_consumer.speaker import Speaker
from synth_consumer.status import Start, Status
from synth_consumer.thief import Thief
from synth_consumer.watchdog import watch
from synth_consumer.worker import Worker

PUBLISH_PATIENCE = 10.0
"""Seconds to wait for an acknowledgement before the consumer is polled again; the event is not given up."""
ONE_TRY = 1e-6
"""Seconds of patience of the store that parts in hand are put into: they have their own, and say what they wait for."""

logger = log.get(__name__)


def run() -> int:
    settings = load(SynthSettings, sys.argv[1:])
    log.configure(settings.log_level, settings.log_format)
    service.end_on_bugs_in_threads()
    name = settings.worker_id or f"{socket.gethostname()}-{os.getpid()}"
    start = Start(name)
    status: Status | None = None

    def health() -> dict[str, object]:
        return status.health() if status else start.health()

    metrics.serve(settings.metrics_port, health, metrics.WORKER)
    store, checkpoint = open_store(settings), open_checkpoint(settings)
    with gpus.leased(checkpoint, name, start.waits) if settings.gpu_lease else nullcontext():
        engine = engines.create(settings)
        recogniser = recognition.create(settings)  # first, for an engine may take all memory of the GPU that is left
        engine.load()
        start.waits("waits for its servers")
        store.check()
        Admin(KafkaServer.of(settings), settings.patience).ensure_topics(topics(settings.partitions))
        sign_in(checkpoint)
        start.waits("")
        status = Status(name, engine)
        try:
            work(settings, engine, recogniser, checkpoint, status)
        finally:
            sign_off(checkpoint, name)
    return ExitCode.OK


def work(
    settings: SynthSettings, engine: Engine, recogniser: Recogniser | None, checkpoint: RedisCheckpoint, status: Status
) -> None:
    """Make parts until a signal comes, or the wish that it ends."""
    speaker = Speaker(engine, recogniser, status.took)
    store = open_store(settings.model_copy(update={"patience": ONE_TRY}))

    def beat() -> None:
        worker.look_after()
        duty.heed()
        checkpoint.heartbeat(status.snapshot(duty.partitions, duty.express, duty.state))

    leases = LeaseKeeper(checkpoint, status.worker, beat)
    worker = Worker(
        name=status.worker,
        engine=engine,
        speaker=speaker,
        store=store,
        leases=leases,
        status=status,
        orders=Orders(checkpoint, store),
        workers=checkpoint.workers,
    )
    watched = (lambda: speaker.silent_seconds, settings.engine_patience, threading.Event())
    threading.Thread(target=watch, args=watched, name="watchdog", daemon=True).start()
    publisher = KafkaPublisher(KafkaServer.of(settings), PUBLISH_PATIENCE)

    def join() -> JobConsumer:
        return JobConsumer(
            server=KafkaServer.of(settings),
            publisher=publisher,
            handle=worker.handle,
            hands=worker.hands,
            worker=status.worker,
            session_timeout=settings.session_timeout,
            grace=settings.grace,
            protocol=settings.group_protocol,
            find=Thief(checkpoint, store, engine, worker.recent).find if settings.steal else None,
            brake=settings.brake,
            moved=status.moved,
        )

    duty = Duty(checkpoint, status.worker, service.stop_on_signals(), join)
    with leases:
        logger.info("synth.ready", worker=status.worker, engine=engine.name, licence=engine.licence)
        duty.run()


def sign_in(checkpoint: RedisCheckpoint) -> None:
    """Look whether the checkpoint lets us in; one that is away may come later. Raises `Refused`."""
    try:
        checkpoint.check()
    except Unavailable as error:
        if not may_pass(error):
            raise
        logger.warning("synth.no_checkpoint", reason=str(error))


def sign_off(checkpoint: RedisCheckpoint, name: str) -> None:
    """Take the worker off the list, if the checkpoint can be reached."""
    try:
        checkpoint.sign_off(name)
    except Unavailable as error:
        logger.warning("synth.not_signed_off", reason=str(error))


def main() -> None:
    code = service.run("e2a-synth", run)
    logging.shutdown()
    os._exit(code)  # a thread that still waits for storage does not hold the process


if __name__ == "__main__":
    main()
