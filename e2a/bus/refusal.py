"""Why brokers do not let a client in. librdkafka says so by the way; of a call it only says that it took too long."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from e2a.bus.config import KafkaServer
from e2a.errors import Refused, Unavailable

_REMEDIES = {
    KafkaError._AUTHENTICATION: "look at E2A_KAFKA_USERNAME and E2A_KAFKA_PASSWORD",
    KafkaError._SSL: "look at E2A_CA_FILE and E2A_KAFKA_TLS",
}
_NO_TLS = "PLAINTEXT broker listener"
"""In what librdkafka says when it suspects that the other side speaks no TLS; a broker that ends looks the same."""
_DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


class Refusal:
    """Remembers why brokers refuse a client, until they let it in.

    Args:
        server: who refuses.
    """

    def __init__(self, server: KafkaServer) -> None:
        self._server = server
        self._reason = ""
        self._suspicion = ""

    def note(self, error: KafkaError) -> None:
        """Take in what is the matter with a connection: librdkafka's `error_cb`."""
        if error.code() in _REMEDIES:
            self._reason = f"{error.str()}; {_REMEDIES[error.code()]}"
        elif _NO_TLS in error.str():
            self._suspicion = f" ({error.str()}; {_REMEDIES[KafkaError._SSL]})"

    def clear(self) -> None:
        """Forget it: a call has been answered."""
        self._reason = self._suspicion = ""

    def failure(self, reason: KafkaError | str, where: str = "") -> Unavailable:
        """Return what is raised for a call that failed: `Refused` where trying again does not help.

        Args:
            reason: that the call had.
            where: what it was about, such as `topic e2a.events`.
        """
        place = f"Kafka {self._server}: {where + ': ' if where else ''}"
        if isinstance(reason, KafkaError):
            if is_denied(reason):
                return Refused(f"{place}{reason.str()}: user {self._server.username!r} has no right to this")
            reason = reason.str()
        if self._reason:
            return Refused(f"{place}{self._reason}")
        return Unavailable(f"{place}{reason}{self._suspicion}")

    @contextmanager
    def watch(self, client: AdminClient) -> Iterator[None]:
        """Raise `Refused` in place of what a call of this client fails with, while brokers refuse it."""
        try:
            yield
        except (KafkaException, TimeoutError) as error:
            client.poll(0)  # has the notes made
            if self._reason:
                raise self.failure("") from error
            raise
        self.clear()


def is_denied(error: KafkaError) -> bool:
    """Say whether a user lacks a right."""
    return error.code() in _DENIED
