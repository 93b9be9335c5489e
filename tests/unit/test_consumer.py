"""The loop on a scripted Kafka client: when partitions are paused, and what a commit that is refused leads to."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from e2a.bus import consumer
from e2a.bus.consumer import JobConsumer
from e2a.messages import ChapterJob, Event, encode
from e2a.testing import MemoryBroker
from e2a.topics import CHAPTERS, EVENTS
from tests.unit.builders import a_job, a_part, a_part_done


class Record:
    """A message of one partition."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self) -> None:
        return None

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return encode(a_job(a_part(self._offset)))


class Script:
    """Stands for confluent_kafka.Consumer: one partition with some jobs; a paused partition gives none."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.polls = 0
        self.delivered = 0
        self.paused = False
        self.committed = 0
        self.refusals = 0
        self.after_poll: Callable[[], object] = lambda: None

    def subscribe(self, _topics: list[str], *, on_assign: Callable[..., None], **_others: object) -> None:
        on_assign(self, [TopicPartition(CHAPTERS, 0)])

    def incremental_assign(self, _partitions: object) -> None:
        return

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(CHAPTERS, 0)]

    def pause(self, _partitions: object) -> None:
        self.paused = True

    def resume(self, _partitions: object) -> None:
        self.paused = False

    def poll(self, _timeout: float) -> Record | None:
        self.polls += 1
        self.after_poll()
        if self.paused or self.delivered == self.jobs:
            return None
        self.delivered += 1
        return Record(self.delivered - 1)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        assert not asynchronous
        if self.refusals:
            self.refusals -= 1
            raise KafkaException(KafkaError(KafkaError.REBALANCE_IN_PROGRESS))
        self.committed = offsets[0].offset
        return offsets

    def close(self) -> None:
        return


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., MemoryBroker]:
    """Return a function that runs the loop on a script until `stop` is set."""

    def start(script: Script, handle: Callable[..., Event | None], stop: threading.Event) -> MemoryBroker:
        monkeypatch.setattr(consumer, "Consumer", lambda _config: script)
        monkeypatch.setattr(consumer, "COMMIT_PAUSE", 0.0)
        broker = MemoryBroker()
        options: dict[str, Any] = {"bootstrap": "nowhere", "worker": "w0", "session_timeout": 6, "grace": 0}
        JobConsumer(publisher=broker, handle=handle, **options).run(stop)
        return broker

    return start


def done(job: ChapterJob, _abandoned: threading.Event) -> Event:
    return a_part_done(job.part)


def test_partitions_are_paused_while_two_jobs_are_in_hand(run: Callable[..., MemoryBroker]) -> None:
    """With both hands full no third job is taken, however often Kafka is polled."""
    script, stop = Script(jobs=5), threading.Event()
    script.after_poll = lambda: script.polls > 20 and stop.set()

    def wait(_job: ChapterJob, abandoned: threading.Event) -> None:
        abandoned.wait(30)

    run(script, wait, stop)
    assert script.delivered == 2
    assert script.committed == 0


def test_a_refused_commit_is_tried_again(run: Callable[..., MemoryBroker]) -> None:
    """A commit that a rebalance refuses is made later, and the event is published once."""
    script, stop = Script(jobs=1), threading.Event()
    script.refusals = 3

    def finish() -> None:
        time.sleep(0)  # lets the job's thread run
        if script.committed == 1 or script.polls == 100_000:
            stop.set()

    script.after_poll = finish
    broker = run(script, done, stop)
    assert script.committed == 1
    assert len(broker.messages(EVENTS)) == 1
