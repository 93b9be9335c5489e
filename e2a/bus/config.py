"""Connection settings of librdkafka; the reasons are measured and stand in docs/adr/0003."""

import logging
import time
from typing import Any

Config = dict[str, Any]


class RateLimit(logging.Filter):
    """Lets a kind of librdkafka line through once in `period` seconds: a lost broker writes dozens a second."""

    def __init__(self, period: float = 30.0) -> None:
        super().__init__()
        self._period = period
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.getMessage().split(" ", 1)[0]
        now = time.monotonic()
        if now - self._last.get(kind, -self._period) < self._period:
            return False
        self._last[kind] = now
        return True


def client(bootstrap: str) -> Config:
    """Return what every client needs."""
    logger = logging.getLogger("librdkafka")
    if not logger.filters:
        logger.addFilter(RateLimit())
    return {
        "bootstrap.servers": bootstrap,
        "client.id": "e2a",
        "logger": logger,
        "reconnect.backoff.ms": 250,
        "reconnect.backoff.max.ms": 3000,
    }


def producer(bootstrap: str, patience: float) -> Config:
    """Return the settings of a producer; Faust hashes keys with murmur2, so we do too.

    Args:
        bootstrap: host:port of a broker.
        patience: seconds after which a message that is not acknowledged is given up.
    """
    return client(bootstrap) | {
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "linger.ms": 0,
        "message.timeout.ms": int(patience * 1000),
    }


def consumer(bootstrap: str, group: str, session_timeout: float) -> Config:
    """Return the settings of a consumer that works for minutes on one message.

    Args:
        bootstrap: host:port of a broker.
        group: consumer group.
        session_timeout: seconds of silence after which the group moves the partitions on.
    """
    return client(bootstrap) | {
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": int(session_timeout * 1000),
        "heartbeat.interval.ms": int(session_timeout * 1000 / 4),
        "max.poll.interval.ms": 900_000,
        "queued.min.messages": 1,
        "fetch.queue.backoff.ms": 10,
        "topic.metadata.refresh.interval.ms": 1000,
    }
