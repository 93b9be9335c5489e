"""Where the partitions of topics begin and end, asked without a group, again and again until Kafka answers."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

import stamina
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec, TopicDescription  # type: ignore[attr-defined]

from e2a.bus.config import KafkaServer, client
from e2a.bus.refusal import Refusal
from e2a.errors import Unavailable

ANSWER = 2.0
"""Seconds before a request is made again: now and then librdkafka forgets one that a new cluster cannot answer yet."""
EARLIEST = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]

Where = tuple[str, int]
"""Topic and partition."""
Answer = TypeVar("Answer")


class Inspector:
    """Looks at topics. What it asks is to be called by `patiently`.

    Args:
        server: where Kafka is.
        patience: seconds to wait for an answer.
    """

    def __init__(self, server: KafkaServer, patience: float) -> None:
        self._server = server
        self._patience = patience
        self._refusal = Refusal(server)
        self._client = AdminClient(client(server) | {"error_cb": self._refusal.note})

    def patiently(self, look: Callable[[], Answer]) -> Answer:
        """Return what a look finds; a failed one is repeated within the patience.

        Raises:
            Unavailable: Kafka did not answer, or a topic is missing; the message names the address.
        """
        try:
            for attempt in stamina.retry_context(
                on=_may_pass, attempts=None, timeout=self._patience, wait_initial=0.05, wait_max=1.0
            ):
                with attempt, self._refusal.watch(self._client):
                    return look()
        except KafkaException as error:
            raise self._refusal.failure(error.args[0]) from error
        except TimeoutError as error:
            raise Unavailable(f"Kafka {self._server}: no answer in {self._patience:g} s") from error
        raise AssertionError("unreachable: the retry context returns or raises")

    @property
    def request_timeout(self) -> float:
        """Seconds to wait for the answer to one request."""
        return min(ANSWER, self._patience)

    def describe(self, topics: Iterable[str]) -> dict[str, TopicDescription]:
        """Return what Kafka says of topics, by name."""
        asked = self._client.describe_topics(TopicCollection(list(topics)), request_timeout=self.request_timeout)
        return self._answers(asked)

    def offsets(self, partitions: Iterable[Where], wanted: OffsetSpec) -> dict[Where, int]:
        """Return where partitions begin (`EARLIEST`) or end (`LATEST`)."""
        asked = {TopicPartition(*where): wanted for where in partitions}
        answers = self._answers(self._client.list_offsets(asked, request_timeout=self.request_timeout))
        return {(each.topic, each.partition): answer.offset for each, answer in answers.items()}

    def _answers(self, futures: "dict[Any, Future[Answer]]") -> dict[Any, Answer]:
        deadline = time.monotonic() + self.request_timeout
        return {name: each.result(max(0.1, deadline - time.monotonic())) for name, each in futures.items()}


def is_missing(error: KafkaException) -> bool:
    """Say whether a topic is not there."""
    return bool(error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, KafkaException):
        return not is_missing(error)
    return isinstance(error, TimeoutError)
