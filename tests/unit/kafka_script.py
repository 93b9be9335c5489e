"""A Kafka client that follows a script, for tests of the loop over jobs."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from e2a.bus import KafkaServer, consumer, membership
from e2a.bus.consumer import JobConsumer
from e2a.messages import ChapterJob, Event, encode
from e2a.testing import MemoryBroker
from e2a.topics import CHAPTERS, EXPRESS, QUEUES
from tests.unit.builders import a_job, a_part


class Record:
    """A message of a job whose part has the number of its turn, or an error."""

    def __init__(self, partition: int, offset: int, turn: int, error: KafkaError | None = None) -> None:
        self._partition = partition
        self._offset = offset
        self._turn = turn
        self._error = error

    def error(self) -> KafkaError | None:
        return self._error

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return encode(a_job(a_part(self._turn)))


class Script:
    """Stands for confluent_kafka.Consumer: jobs that come from these partitions in turn, and none while paused.

    Args:
        partitions: of each job in turn.
        topic: that they are in.
        first: number of the first job's part.
    """

    def __init__(self, *partitions: int, topic: str = CHAPTERS, first: int = 0) -> None:
        self.jobs = list(partitions)
        self.topic = topic
        self.first = first
        self.polls = 0
        self.subscribed = 0
        self.deadline = time.monotonic() + 30
        self.delivered = 0
        self.owned = set(partitions)
        self.paused: set[int] = set()
        self.committed = dict.fromkeys(partitions, 0)
        self.commits: list[dict[int, int]] = []
        self.refusals = 0
        self.made_anew = False
        self.closed = False
        self.errors: list[KafkaError] = []
        self.after_poll: Callable[[], object] = lambda: None
        self.on_assign: Callable[..., None]
        self.on_lost: Callable[..., None]

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        self.subscribed += 1
        assert topics == [self.topic]
        self.on_assign, self.on_lost = callbacks["on_assign"], callbacks["on_lost"]
        self.on_assign(self, self.assignment())

    def incremental_assign(self, _partitions: object) -> None:
        """Leave paused what is paused, as librdkafka does also when a partition comes back."""

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(self.topic, partition) for partition in self.owned]

    def lose(self, partition: int) -> None:
        """Say that a partition was given to another member."""
        self.owned.discard(partition)
        self.on_lost(self, [TopicPartition(self.topic, partition)])

    def give(self, partition: int) -> None:
        """Say that a partition comes from another member."""
        self.owned.add(partition)
        self.on_assign(self, [TopicPartition(self.topic, partition)])

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused |= {each.partition for each in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= {each.partition for each in partitions}

    def poll(self, _timeout: float) -> Record | None:
        self.polls += 1
        assert time.monotonic() < self.deadline, "the loop should have ended"
        self.after_poll()
        if self.errors:
            return Record(0, 0, 0, self.errors.pop(0))
        if self.delivered == len(self.jobs) or self.jobs[self.delivered] not in self.owned - self.paused:
            return None
        turn, self.delivered = self.delivered, self.delivered + 1
        return Record(self.jobs[turn], self.jobs[:turn].count(self.jobs[turn]), self.first + turn)

    def seek(self, partition: TopicPartition) -> None:
        """Deliver again from the beginning; a script knows no other place."""
        assert partition.offset == membership.OFFSET_BEGINNING
        self.delivered = 0

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        assert not asynchronous
        if self.refusals:
            self.refusals -= 1
            raise KafkaException(KafkaError(KafkaError.REBALANCE_IN_PROGRESS))
        assert {offset.topic for offset in offsets} == {self.topic}
        self.commits.append({offset.partition: offset.offset for offset in offsets})
        self.committed |= self.commits[-1]
        return offsets

    def close(self) -> None:
        self.closed = True


class Identities:
    """Stands for `TopicIds`: a topic was made anew when its script says so."""

    def __init__(self, scripts: list[Script]) -> None:
        self._scripts = scripts

    def changed(self) -> set[str]:
        changed = {script.topic for script in self._scripts if script.made_anew}
        for script in self._scripts:
            script.made_anew = False
        return changed


class Loop:
    """Runs the loop on scripts.

    Args:
        monkeypatch: takes Kafka away.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.broker = MemoryBroker()

    def __call__(
        self,
        script: Script,
        handle: Callable[[ChapterJob, threading.Event], Event | None],
        stop: threading.Event,
        *,
        express: Script | None = None,
        drain: threading.Event | None = None,
        **options: Any,
    ) -> MemoryBroker:
        """Run it until `stop` is set, or it has drained, and return where it published."""
        express = express or Script(topic=EXPRESS)
        groups = {QUEUES[each.topic]: each for each in (script, express)}
        self._patch.setattr(membership, "Consumer", lambda config: groups[config["group.id"]])
        self._patch.setattr(membership, "COMMIT_PAUSE", 0.0)
        self._patch.setattr(consumer, "TopicIds", lambda *_: Identities([script, express]))
        given: dict[str, Any] = {"server": KafkaServer("nowhere"), "worker": "w0", "session_timeout": 6, "grace": 0.0}
        JobConsumer(publisher=self.broker, handle=handle, **(given | options)).run(stop, drain)
        return self.broker
