"""Publishing: a message counts only when the broker has acknowledged it."""

from collections.abc import Callable, Iterable
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Delivery

from e2a.bus.config import KafkaServer, producer
from e2a.bus.refusal import Refusal
from e2a.messages import Message, encode


class Publisher(Protocol):
    """Where messages are published."""

    def send(self, topic: str, messages: Iterable[Message], partitions: Iterable[int] | None = None) -> None:
        """Publish messages and wait until all are acknowledged.

        Args:
            topic: name of the topic.
            messages: in the order in which a partition will hold them.
            partitions: one explicit partition a message; by default the book's key decides.

        Raises:
            Unavailable: not all were acknowledged in time. Some may have been: publish again.
        """


class KafkaPublisher:
    """`Publisher` on Kafka. Thread-safe.

    Args:
        server: where Kafka is.
        patience: seconds to wait for the acknowledgements of one `send`.
    """

    def __init__(self, server: KafkaServer, patience: float) -> None:
        self._refusal = Refusal(server)
        self._producer = Producer(producer(server, patience) | {"error_cb": self._refusal.note})

    def send(self, topic: str, messages: Iterable[Message], partitions: Iterable[int] | None = None) -> None:
        batch = list(messages)
        targets = [-1] * len(batch) if partitions is None else list(partitions)
        answers: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _delivery: Delivery) -> None:
            answers.append(error)

        for message, partition in zip(batch, targets, strict=True):
            self._produce(topic, message, partition, delivered)
        while len(answers) < len(batch):  # librdkafka answers for each, at the latest after message.timeout.ms
            self._producer.poll(0.1)
        if refused := [error for error in answers if error is not None]:
            raise self._refusal.failure(refused[0], f"{len(refused)} of {len(batch)} messages not acknowledged")
        self._refusal.clear()

    def _produce(
        self, topic: str, message: Message, partition: int, delivered: Callable[[KafkaError | None, Delivery], None]
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    topic,
                    encode(message),
                    key=message.book_id.encode(),
                    partition=partition,
                    on_delivery=delivered,
                )
                return
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                if error.args[0].fatal() or error.args[0].code() == KafkaError._FATAL:
                    raise
                raise self._refusal.failure(error.args[0]) from error
