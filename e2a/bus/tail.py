"""Topics read from their beginning, and then whatever comes; no group is joined, nothing is taken or committed.

    tail = event_tail(server, patience)          # or MemoryBroker().event_tail()
    tail.poll()                                     # a batch; raises Unavailable, and goes on when called again
    tail.behind()                                   # 0 when all is read that was there at the last look

Kafka that is away is waited for by whoever calls again; a topic that is made anew is read anew.
"""

import time
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition

from e2a.bus.config import KafkaServer, reader
from e2a.bus.inspector import EARLIEST, LATEST, Inspector, Where, is_missing
from e2a.bus.letters import Letter, read_letter
from e2a.bus.refusal import Refusal, is_denied
from e2a.errors import Poison
from e2a.messages import ChapterJob, DeadLetter, Event, decode
from e2a.topics import DEAD_LETTERS, EVENTS

BATCH = 1000
"""Most messages of a batch."""
PERIOD = 2.0
"""Seconds between two looks at where the topic begins and ends."""
_POLL = 0.1

Item = TypeVar("Item")


class Record(NamedTuple):
    """A message as it lies in its partition."""

    offset: int
    time: float
    """Unix time in seconds at which it was published."""
    value: bytes


class Dated(NamedTuple):
    """An event and when it was told, Unix time in seconds."""

    time: float
    event: Event


class Tail(Protocol[Item]):
    """A topic that is followed. Not thread-safe."""

    def poll(self) -> list[Item]:
        """Return the next messages that can be read, at most `BATCH`: of a partition in order; none when none came.

        Raises:
            Unavailable: Kafka does not answer. The next call goes on where this one began.
        """

    def behind(self) -> int | None:
        """Return how many messages were there at the last look and are not read yet; None before the first."""

    def generation(self) -> int:
        """Return how often the topic was made anew: what was read in an earlier generation is in no topic any more."""


def event_tail(server: KafkaServer, patience: float) -> "KafkaTail[Dated]":
    """Return the events of a cluster; `patience` is how many seconds a look waits for an answer."""
    return KafkaTail(server, EVENTS, read_event, patience)


def letter_tail(server: KafkaServer, patience: float) -> "KafkaTail[Letter]":
    """Return the dead letters of a cluster; `patience` is how many seconds a look waits for an answer."""
    return KafkaTail(server, DEAD_LETTERS, read_dated_letter, patience)


def read_event(record: Record) -> Dated | None:
    """Return the event of a record, or None when it is none that can be read."""
    try:
        message = decode(record.value)
    except Poison:
        return None
    return None if isinstance(message, ChapterJob | DeadLetter) else Dated(record.time, message)


def read_dated_letter(record: Record) -> Letter:
    """Return the dead letter of a record."""
    return Letter(record.offset, record.time, read_letter(record.value, record.offset))


class KafkaTail(Generic[Item]):
    """`Tail` of a topic on Kafka. One that is missing is empty; partitions that come later are read whole.

    Args:
        server: where Kafka is.
        topic: its name.
        read: a record as what it says, or None for one that is passed over.
        patience: seconds that a look waits for an answer.
    """

    def __init__(self, server: KafkaServer, topic: str, read: Callable[[Record], Item | None], patience: float) -> None:
        self._server = server
        self._topic = topic
        self._read = read
        self._refusal = Refusal(server)
        self._inspector = Inspector(server, patience)
        self._consumer: Consumer | None = None
        self._id = ""
        self._generation = 0
        self._positions: dict[Where, int] = {}
        """Offsets of what is read next."""
        self._ends: dict[Where, int] | None = None
        self._look_after = 0.0

    def poll(self) -> list[Item]:
        if time.monotonic() >= self._look_after:
            self._look()
            self._look_after = time.monotonic() + PERIOD
        found = []
        for message in self._consumer.consume(BATCH, _POLL) if self._consumer else ():
            if error := message.error():
                if is_denied(error):
                    raise self._refusal.failure(error)
                continue  # what is wrong for longer is found by a look
            offset = message.offset() or 0
            self._positions[self._topic, message.partition() or 0] = offset + 1
            item = self._read(Record(offset, message.timestamp()[1] / 1000, message.value() or b""))
            if item is not None:
                found.append(item)
        return found

    def behind(self) -> int | None:
        if self._ends is None:
            return None
        return sum(max(0, end - self._positions[where]) for where, end in self._ends.items())

    def generation(self) -> int:
        return self._generation

    def _look(self) -> None:
        """Take in where the topic begins and ends, and whether it is still the one that it was."""
        topic_id, lows, ends = self._inspector.patiently(self._bounds)
        shrunk = any(ends.get(where, position) < position for where, position in self._positions.items())
        if topic_id and (shrunk or self._id not in {"", topic_id}):
            self._generation += 1
            self._positions = {}
        self._id = topic_id or self._id
        grown = lows.keys() - self._positions.keys()
        # what was dropped before it was read is not waited for
        self._positions |= {where: max(low, self._positions.get(where, low)) for where, low in lows.items()}
        self._ends = ends
        if grown:
            self._assign()

    def _bounds(self) -> tuple[str, dict[Where, int], dict[Where, int]]:
        """Return the topic's id, and where its partitions begin and end; nothing of a topic that is missing."""
        try:
            found = self._inspector.describe([self._topic])[self._topic]
        except KafkaException as error:
            if not is_missing(error):
                raise
            return "", {}, {}
        partitions = [(self._topic, each.id) for each in found.partitions]
        lows = self._inspector.offsets(partitions, EARLIEST)
        return str(found.topic_id), lows, self._inspector.offsets(partitions, LATEST)

    def _assign(self) -> None:
        """Read on from the positions, with a new consumer: one that knew an older topic of that name misreads it."""
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = Consumer(reader(self._server))
        self._consumer.assign([TopicPartition(*where, position) for where, position in self._positions.items()])
