"""Connection settings of librdkafka; the reasons are measured and stand in docs/adr/0003."""

import logging
import time
from typing import Any, Literal

Config = dict[str, Any]
Protocol = Literal["classic", "consumer"]
"""Of a consumer group; `consumer` is that of KIP-848."""


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


def consumer(bootstrap: str, group: str, session_timeout: float, protocol: Protocol = "classic") -> Config:
    """Return the settings of a consumer that works for minutes on one message.

    Args:
        bootstrap: host:port of a broker.
        group: consumer group.
        session_timeout: seconds of silence after which the group moves the partitions on. Under KIP-848 the group
            itself has it, as `Admin.set_session_timeout` sets it, and librdkafka refuses to be told.
        protocol: of the group; `consumer` is that of KIP-848.
    """
    spread: Config = {"partition.assignment.strategy": "cooperative-sticky"} | session(session_timeout)
    return (
        client(bootstrap)
        | {
            "group.id": group,
            "group.protocol": protocol,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "max.poll.interval.ms": 900_000,
            "queued.min.messages": 1,
            "fetch.queue.backoff.ms": 10,
            "topic.metadata.refresh.interval.ms": 1000,
        }
        | (spread if protocol == "classic" else {})
    )


def session(timeout: float) -> dict[str, int]:
    """Return the settings of a session that ends after so many seconds of silence: room for four heartbeats."""
    return {"session.timeout.ms": int(timeout * 1000), "heartbeat.interval.ms": int(timeout * 1000 / 4)}


def reader(bootstrap: str) -> Config:
    """Return the settings of a consumer that is in no group: it looks at what is there, and commits nothing."""
    return client(bootstrap) | {
        "group.id": "e2a.reader",  # librdkafka wants one; nobody joins it
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "fetch.queue.backoff.ms": 10,
        "queued.max.messages.kbytes": 16_384,
        "topic.metadata.refresh.interval.ms": 1000,
    }
