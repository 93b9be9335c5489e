"""Whether a topic is still the one that it was: librdkafka goes on with the old offsets in one that was made anew."""

import time
from collections.abc import Sequence
from concurrent.futures import Future

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient, TopicDescription  # type: ignore[attr-defined]

from e2a.bus.config import KafkaServer, client

PERIOD = 2.0
"""Seconds between two looks."""


class TopicIds:
    """Looks at the ids that Kafka gives to topics, and never waits for an answer.

    Args:
        server: where Kafka is.
        topics: names.
    """

    def __init__(self, server: KafkaServer, topics: Sequence[str]) -> None:
        self._client = AdminClient(client(server))
        self._topics = TopicCollection(list(topics))
        self._known: dict[str, str] = {}
        self._asked: dict[str, Future[TopicDescription]] = {}
        self._ask_after = 0.0

    def changed(self) -> set[str]:
        """Return the topics that were made anew since this was last asked."""
        if not self._asked:
            if time.monotonic() >= self._ask_after:
                self._asked = self._client.describe_topics(self._topics)
            return set()
        if not all(answer.done() for answer in self._asked.values()):
            return set()
        # a topic that is missing, or a Kafka that is away, has no id
        seen = {name: str(each.result().topic_id) for name, each in self._asked.items() if each.exception() is None}
        changed = {name for name, topic_id in seen.items() if self._known.get(name, topic_id) != topic_id}
        self._known |= seen
        self._asked = {}
        self._ask_after = time.monotonic() + PERIOD
        return changed
