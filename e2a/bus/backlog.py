"""What waits in the topics of jobs, kept up to date by reading them; nothing is committed, no group is joined.

    backlog = KafkaBacklog(server, patience)     # or MemoryBroker()
    backlog.refresh()                               # raises Unavailable; the first one reads all that waits
    backlog.queued(), backlog.lags()                # of that moment, as often as you like

A job waits until the group of its topic has committed its offset, also while somebody works on it.
"""

import sys
import time
from collections import deque
from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol

from confluent_kafka import Consumer, TopicPartition
from pydantic import ValidationError

from e2a.bus.config import KafkaServer, reader
from e2a.bus.inspector import EARLIEST, LATEST, Inspector, Where
from e2a.errors import Unavailable
from e2a.plan import Frozen
from e2a.topics import QUEUES

_BATCH = 1000
_POLL = 0.1


class Lag(NamedTuple):
    """What waits in a partition of a topic of jobs."""

    topic: str
    partition: int
    committed: int
    """Offset of the first job that is not committed."""
    end: int
    """Offset that the next job will get."""
    seconds: float
    """Expected seconds of audio of what waits."""


class Backlog(Protocol):
    """Jobs that are published and not committed yet, read without joining a group."""

    def refresh(self) -> None:
        """Take in what has happened since the last time; whatever was acknowledged before is seen.

        Raises:
            Unavailable: Kafka does not answer, or a topic of jobs is missing.
        """

    def queued(self) -> set[tuple[str, int]]:
        """Return the book and index of every part that waits, as of the last `refresh`."""

    def lags(self) -> list[Lag]:
        """Return what waits in each partition, as of the last `refresh`."""


class _Part(Frozen):
    index: int
    estimate: float


class _Job(Frozen):
    """What is looked at of a `ChapterJob`; the text is by far the most of it."""

    type: Literal["ChapterJob"]
    book_id: str
    part: _Part


class _Waiting(NamedTuple):
    offset: int
    part: tuple[str, int]
    """Book and index."""
    seconds: float


class _Log:
    """What waits in a partition, read up to an offset."""

    def __init__(self, start: int) -> None:
        self.committed = start
        self.end = start
        self.position = start
        """Offset of what is read next."""
        self.waiting: deque[_Waiting] = deque()

    def take(self, offset: int, raw: bytes | None) -> None:
        """Keep a message, unless nobody can read it."""
        self.position = offset + 1
        try:
            job = _Job.model_validate_json(raw or b"")
        except ValidationError:
            return
        part = (sys.intern(job.book_id), job.part.index)
        self.waiting.append(_Waiting(offset, part, job.part.estimate))

    def drop_committed(self) -> None:
        while self.waiting and self.waiting[0].offset < self.committed:
            self.waiting.popleft()


class KafkaBacklog:
    """`Backlog` on Kafka. Not thread-safe.

    Args:
        server: where Kafka is.
        patience: seconds to wait for an answer, or for the next message.
    """

    def __init__(self, server: KafkaServer, patience: float) -> None:
        self._server = server
        self._patience = patience
        self._inspector = Inspector(server, patience)
        self._groups = {name: Consumer(reader(server) | {"group.id": group}) for name, group in QUEUES.items()}
        self._consumer: Consumer | None = None
        self._ids: dict[str, str] = {}
        self._logs: dict[Where, _Log] = {}

    def refresh(self) -> None:
        partitions, committed, lows, ends = self._inspector.patiently(self._look)
        moved = [self._follow(where, committed.get(where, 0), lows[where], ends[where]) for where in partitions]
        self._logs = {where: self._logs[where] for where in partitions}
        if any(moved) or self._consumer is None:
            self._read_anew()
        self._catch_up()

    def queued(self) -> set[tuple[str, int]]:
        return {job.part for log in self._logs.values() for job in log.waiting}

    def lags(self) -> list[Lag]:
        return [
            Lag(*where, log.committed, log.end, sum(job.seconds for job in log.waiting))
            for where, log in self._logs.items()
        ]

    def _look(self) -> tuple[list[Where], dict[Where, int], dict[Where, int], dict[Where, int]]:
        """Return all partitions, and of each where its group is, where it begins and where it ends."""
        partitions = self._partitions()
        committed = self._committed(partitions)
        lows = self._inspector.offsets(partitions, EARLIEST)
        return partitions, committed, lows, self._inspector.offsets(partitions, LATEST)

    def _partitions(self) -> list[Where]:
        """Return all partitions of the topics of jobs; what was read of a topic that was made anew is forgotten."""
        topics = self._inspector.describe(QUEUES)
        ids = {name: str(topic.topic_id) for name, topic in topics.items()}
        if any(self._ids.get(name, ids[name]) != ids[name] for name in ids):
            self._logs = {}
            self._consumer = None
        self._ids = ids
        return [(name, each.id) for name in QUEUES for each in topics[name].partitions]

    def _committed(self, partitions: Iterable[Where]) -> dict[Where, int]:
        """Ask as a member of each group would: the admin client ends the process when the broker dies meanwhile."""
        found: list[TopicPartition] = []
        for name, consumer in self._groups.items():
            asked = [TopicPartition(*where) for where in partitions if where[0] == name]
            found += consumer.committed(asked, timeout=self._inspector.request_timeout)
        return {(each.topic, each.partition): each.offset for each in found}

    def _follow(self, where: Where, committed: int, low: int, end: int) -> bool:
        """Take in where a partition begins and ends; say whether it is to be read from another place than before."""
        start = low if committed > end else max(committed, low)  # past the end: an offset of an older topic
        log = self._logs.get(where)
        moved = log is None or start < log.committed or end < log.position or low > log.position
        if log is None or moved:
            log = self._logs[where] = _Log(start)
        log.committed, log.end = start, end
        log.drop_committed()
        return moved

    def _read_anew(self) -> None:
        self._consumer = Consumer(reader(self._server))
        self._consumer.assign([TopicPartition(*where, log.position) for where, log in self._logs.items()])

    def _catch_up(self) -> None:
        """Read until nothing is missing of what was there at the beginning."""
        assert self._consumer is not None, "refresh has made it"
        deadline = time.monotonic() + self._patience
        reason = "no message"
        while missing := sum(max(0, log.end - log.position) for log in self._logs.values()):
            for message in self._consumer.consume(min(missing, _BATCH), _POLL):
                if error := message.error():
                    reason = error.str()
                    continue
                log = self._logs[message.topic() or "", message.partition() or 0]
                log.take(message.offset() or 0, message.value())
                log.drop_committed()
                deadline = time.monotonic() + self._patience
            if time.monotonic() > deadline:
                raise Unavailable(f"Kafka {self._server}: {reason} in {self._patience:g} s")
        for log in self._logs.values():
            log.end = max(log.end, log.position)
