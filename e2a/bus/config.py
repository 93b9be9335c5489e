"""Connection settings of librdkafka; the reasons are measured and stand in docs/adr/0003."""

import logging
import ssl
import time
from typing import Any, Literal, NamedTuple, Self

from pydantic import SecretStr

from e2a.errors import ExitCode, UserError
from e2a.settings import Settings
from e2a.topics import READER_GROUP

MECHANISM = "SCRAM-SHA-512"
"""How a user name and its password are proved to Kafka."""

Config = dict[str, Any]
Protocol = Literal["classic", "consumer"]
"""Of a consumer group; `consumer` is that of KIP-848."""


class KafkaServer(NamedTuple):
    """Where Kafka is and how to speak to it; its text is the address."""

    bootstrap: str
    """host:port of a broker."""
    tls: bool = False
    username: str = ""
    """Empty: nobody is asked for."""
    password: SecretStr = SecretStr("")
    ca_file: str = ""
    """PEM of the authority that signed the certificate; empty: those that the system trusts."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the Kafka that the settings name.

        Raises:
            UserError: there is a user name without a password, or the other way round (exit code CONFIG).
        """
        username, password = settings.kafka_username, settings.kafka_password
        if bool(username) != bool(password.get_secret_value()):
            missing = "E2A_KAFKA_PASSWORD" if username else "E2A_KAFKA_USERNAME"
            raise UserError(f"{missing} is not set: Kafka wants a user and its password, or neither", ExitCode.CONFIG)
        return cls(settings.kafka_bootstrap, settings.kafka_tls, username, password, settings.ca_file)

    def __str__(self) -> str:
        return self.bootstrap

    @property
    def ssl_context(self) -> ssl.SSLContext | None:
        """What Python's own clients speak TLS with; None for no TLS."""
        return ssl.create_default_context(cafile=self.ca_file or None) if self.tls else None


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


def client(server: KafkaServer) -> Config:
    """Return what every client needs."""
    logger = logging.getLogger("librdkafka")
    if not logger.filters:
        logger.addFilter(RateLimit())
    return {
        "bootstrap.servers": server.bootstrap,
        "client.id": "e2a",
        "logger": logger,
        "reconnect.backoff.ms": 250,
        "reconnect.backoff.max.ms": 3000,
    } | _security(server)


def _security(server: KafkaServer) -> Config:
    protocol = ("SASL_" if server.username else "") + ("SSL" if server.tls else "PLAINTEXT")
    authority = {"ssl.ca.location": server.ca_file} if server.tls and server.ca_file else {}
    user = {
        "sasl.mechanism": MECHANISM,
        "sasl.username": server.username,
        "sasl.password": server.password.get_secret_value(),
    }
    return {"security.protocol": protocol} | authority | (user if server.username else {})


def producer(server: KafkaServer, patience: float) -> Config:
    """Return the settings of a producer; Faust hashes keys with murmur2, so we do too.

    Args:
        server: where Kafka is.
        patience: seconds after which a message that is not acknowledged is given up.
    """
    return client(server) | {
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "linger.ms": 0,
        "message.timeout.ms": int(patience * 1000),
    }


def consumer(server: KafkaServer, group: str, session_timeout: float, protocol: Protocol = "classic") -> Config:
    """Return the settings of a consumer that works for minutes on one message.

    Args:
        server: where Kafka is.
        group: consumer group.
        session_timeout: seconds of silence after which the group moves the partitions on. Under KIP-848 the group
            itself has it, as `Admin.set_session_timeout` sets it, and librdkafka refuses to be told.
        protocol: of the group; `consumer` is that of KIP-848.
    """
    spread: Config = {"partition.assignment.strategy": "cooperative-sticky"} | session(session_timeout)
    return (
        client(server)
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


def reader(server: KafkaServer) -> Config:
    """Return the settings of a consumer that is in no group: it looks at what is there, and commits nothing."""
    return client(server) | {
        "group.id": READER_GROUP,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "fetch.queue.backoff.ms": 10,
        "queued.max.messages.kbytes": 16_384,
        "topic.metadata.refresh.interval.ms": 1000,
    }
