"""The topic of dead letters, read without a group: nothing is taken from it."""

from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from e2a.bus.config import KafkaServer, reader
from e2a.bus.refusal import Refusal
from e2a.errors import Poison
from e2a.messages import ChapterJob, DeadLetter, dead_letter, decode
from e2a.topics import DEAD_LETTERS

_MISSING = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}


class Letter(NamedTuple):
    """A dead letter where it lies."""

    number: int
    """Its offset; the topic has one partition."""
    time: float
    """Unix time in seconds at which it was published."""
    letter: DeadLetter


def read_letters(server: KafkaServer, patience: float, first: int = 0) -> Iterator[Letter]:
    """Yield the dead letters that there are now, the oldest first; none while there is no topic.

    Args:
        server: where Kafka is.
        patience: seconds to wait for the cluster to answer.
        first: number to begin with.

    Raises:
        Unavailable: the cluster did not answer; the message names its address.
    """
    refusal = Refusal(server)
    consumer = Consumer(reader(server) | {"error_cb": refusal.note})
    try:
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(DEAD_LETTERS, 0), timeout=patience)
        except KafkaException as error:
            if error.args[0].code() in _MISSING:
                return
            consumer.poll(0)  # has the notes made
            raise refusal.failure(error.args[0]) from error
        number = max(low, first)
        if number >= high:
            return
        consumer.assign([TopicPartition(DEAD_LETTERS, 0, number)])
        while number < high:
            message = consumer.poll(patience)
            if message is None:
                raise refusal.failure(f"no answer in {patience} s")
            if problem := message.error():
                raise refusal.failure(problem)
            number = (message.offset() or 0) + 1
            yield Letter(number - 1, message.timestamp()[1] / 1000, read_letter(message.value() or b"", number - 1))
    finally:
        consumer.close()


def read_letter(raw: bytes, number: int) -> DeadLetter:
    """Return a dead letter; of one of version 1 book and part are read in its payload, what is none is made one."""
    try:
        letter = decode(raw)
    except Poison as error:
        return dead_letter(raw, reason=f"not a dead letter: {error}", source=f"{DEAD_LETTERS}/0/{number}")
    if not isinstance(letter, DeadLetter):
        return dead_letter(raw, reason="not a dead letter", source=f"{DEAD_LETTERS}/0/{number}")
    if letter.part is not None:
        return letter
    try:
        job = decode(letter.payload.encode())
    except Poison:
        return letter
    if not isinstance(job, ChapterJob):
        return letter
    return letter.model_copy(update={"book_id": job.book_id, "part": job.part.index, "attempts": job.attempt})
