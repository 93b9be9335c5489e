"""Topics: made when missing, grown when more partitions are wanted, never shrunk. And how long a group waits."""

import time
from collections.abc import Iterable

import stamina
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it does not say that it exports them
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic

from e2a.bus.config import KafkaServer, client, session
from e2a.bus.refusal import Refusal
from e2a.errors import ExitCode, Unavailable, UserError, may_pass
from e2a.topics import FOR_EVER, Topic

_RACES = {KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.INVALID_PARTITIONS}
"""Somebody else made or grew the topic in the same moment."""


class Admin:
    """Looks at and changes the topics of a cluster.

    Args:
        server: where Kafka is.
        patience: seconds to wait for the cluster to answer.
    """

    def __init__(self, server: KafkaServer, patience: float) -> None:
        self._server = server
        self._patience = patience
        self._refusal = Refusal(server)
        self._client = AdminClient(client(server) | {"socket.timeout.ms": 10_000, "error_cb": self._refusal.note})

    def partitions(self) -> dict[str, int]:
        """Return the number of partitions of each topic.

        Raises:
            Unavailable: the cluster did not answer; the message names its address. `Refused`: it did.
        """
        return self._partitions(time.monotonic() + self._patience)

    def ensure_topics(self, wanted: Iterable[Topic]) -> None:
        """Make topics that are missing and grow those with too few partitions; return when all can be used.

        Raises:
            Unavailable: the cluster did not answer or refused.
        """
        deadline = time.monotonic() + self._patience
        existing = self._partitions(deadline)
        topics = list(wanted)
        missing = [_new(topic) for topic in topics if topic.name not in existing]
        small = [
            NewPartitions(topic.name, topic.partitions)
            for topic in topics
            if existing.get(topic.name, topic.partitions) < topic.partitions
        ]
        futures = self._client.create_topics(missing) if missing else {}
        futures |= self._client.create_partitions(small) if small else {}
        for name, future in futures.items():
            try:
                future.result(_left(deadline))
            except KafkaException as error:
                if error.args[0].code() not in _RACES:
                    raise self._refusal.failure(error.args[0], f"topic {name}") from error
            except TimeoutError as error:
                raise Unavailable(f"Kafka {self._server}: topic {name}: no answer in {self._patience} s") from error
        self._wait_for(topics, deadline)

    def set_session_timeout(self, groups: Iterable[str], seconds: float) -> None:
        """Set how long groups of KIP-848 wait for a member that is silent; those of the classic protocol do not care.

        Raises:
            UserError: the brokers do not allow it, or do not know such groups (exit code CONFIG).
            Unavailable: the cluster did not answer or refused.
        """
        entries = [
            ConfigEntry(f"consumer.{name}", str(value), incremental_operation=AlterConfigOpType.SET)
            for name, value in session(seconds).items()
        ]
        resources = [ConfigResource(ResourceType.GROUP, group, incremental_configs=entries) for group in groups]
        deadline = time.monotonic() + self._patience
        for resource, future in self._client.incremental_alter_configs(resources).items():
            try:
                future.result(_left(deadline))
            except KafkaException as error:
                if error.args[0].code() in {KafkaError.INVALID_CONFIG, KafkaError.INVALID_REQUEST}:
                    raise UserError(
                        f"Kafka {self._server} refuses E2A_SESSION_TIMEOUT = {seconds:g}, and a heartbeat four times"
                        f" as often: {error.args[0].str()}; change one of the two, or set E2A_GROUP_PROTOCOL=classic",
                        ExitCode.CONFIG,
                    ) from error
                raise self._refusal.failure(error.args[0], f"group {resource.name}") from error
            except TimeoutError as error:
                raise Unavailable(f"Kafka {self._server}: no answer in {self._patience} s") from error

    def _partitions(self, deadline: float) -> dict[str, int]:
        try:
            for attempt in stamina.retry_context(
                on=KafkaException, attempts=None, timeout=_left(deadline), wait_max=1.0
            ):
                with attempt, self._refusal.watch(self._client):
                    # no longer at a time: a signal waits for the end of the call
                    topics = self._client.list_topics(timeout=min(1.0, _left(deadline))).topics
        except KafkaException as error:
            raise self._refusal.failure(error.args[0]) from error
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def _wait_for(self, topics: list[Topic], deadline: float) -> None:
        for attempt in stamina.retry_context(
            on=may_pass, attempts=None, timeout=_left(deadline), wait_initial=0.05, wait_max=1.0
        ):
            with attempt:
                existing = self._partitions(deadline)
                late = [topic.name for topic in topics if existing.get(topic.name, 0) < topic.partitions]
                if late:
                    raise Unavailable(f"Kafka {self._server}: topics not ready: {', '.join(late)}")


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())


def _new(topic: Topic) -> NewTopic:
    retention = topic.retention if topic.retention == FOR_EVER else topic.retention * 1000
    return NewTopic(topic.name, topic.partitions, -1, config={"retention.ms": str(retention)})
