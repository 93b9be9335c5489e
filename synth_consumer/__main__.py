"""e2a-synth: settings, engine, consumer; wired here and nowhere else."""

import logging
import os
import socket
import sys

from e2a import log, metrics, service
from e2a.bus import Admin, JobConsumer, KafkaPublisher
from e2a.checkpoint import LeaseKeeper, RedisCheckpoint
from e2a.errors import ExitCode, Retryable
from e2a.settings import SynthSettings, load
from e2a.storage import open_store
from e2a.topics import topics
from synth_consumer import engines, recognition
from synth_consumer.speaker import Speaker
from synth_consumer.status import Status
from synth_consumer.worker import Worker

PUBLISH_PATIENCE = 10.0
"""Seconds to wait for an acknowledgement before the consumer is polled again; the event is not given up."""

SENTENCES = 20
"""In a part, at least: what a part in hand gives an engine that says several at once."""

logger = log.get(__name__)


def run() -> int:
    settings = load(SynthSettings, sys.argv[1:])
    log.configure(settings.log_level, settings.log_format)
    name = settings.worker_id or f"{socket.gethostname()}-{os.getpid()}"
    engine = engines.create(settings)
    recogniser = recognition.create(settings)  # first, for an engine may take all memory of the GPU that is left
    engine.load()
    status = Status(name, engine)
    metrics.serve(settings.metrics_port, status.health)
    store = open_store(settings)
    store.check()
    Admin(settings.kafka_bootstrap, settings.patience).ensure_topics(topics(settings.partitions))
    checkpoint = RedisCheckpoint(settings.redis_url)
    consumer: JobConsumer | None = None

    def beat() -> None:
        partitions = () if consumer is None else consumer.partitions
        metrics.PARTITIONS.set(len(partitions))
        checkpoint.heartbeat(status.snapshot(partitions))

    with LeaseKeeper(checkpoint, name, beat) as leases:
        speaker = Speaker(engine, recogniser, status.took)
        worker = Worker(name=name, engine=engine, speaker=speaker, store=store, leases=leases, status=status)
        consumer = JobConsumer(
            bootstrap=settings.kafka_bootstrap,
            publisher=KafkaPublisher(settings.kafka_bootstrap, PUBLISH_PATIENCE),
            handle=worker.handle,
            hands=2 + (engine.at_once - 1) // SENTENCES,
            worker=name,
            session_timeout=settings.session_timeout,
            grace=settings.grace,
        )
        logger.info("synth.ready", worker=name, engine=engine.name, licence=engine.licence)
        consumer.run(service.stop_on_signals())
    try:
        checkpoint.sign_off(name)
    except Retryable as error:
        logger.warning("synth.not_signed_off", reason=str(error))
    return ExitCode.OK


def main() -> None:
    code = service.run("e2a-synth", run)
    logging.shutdown()
    os._exit(code)  # a thread that still waits for storage does not hold the process


if __name__ == "__main__":
    main()
