"""The loop on a scripted Kafka client: when partitions are paused, and what a commit that is refused leads to."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from e2a.bus import consumer
from e2a.bus.consumer import HANDS, LOOK_AHEAD, JobConsumer
from e2a.messages import ChapterJob, Event, encode
from e2a.testing import MemoryBroker
from e2a.topics import CHAPTERS, EVENTS
from tests.unit.builders import a_job, a_part, a_part_done


class Record:
    """A message of a job whose part has the number of its turn."""

    def __init__(self, partition: int, offset: int, turn: int) -> None:
        self._partition = partition
        self._offset = offset
        self._turn = turn

    def error(self) -> None:
        return None

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return encode(a_job(a_part(self._turn)))


class Script:
    """Stands for confluent_kafka.Consumer: jobs that come from these partitions in turn, and none while paused."""

    def __init__(self, *partitions: int) -> None:
        self.jobs = list(partitions)
        self.polls = 0
        self.deadline = time.monotonic() + 30
        self.delivered = 0
        self.owned = set(partitions)
        self.paused: set[int] = set()
        self.committed = dict.fromkeys(partitions, 0)
        self.refusals = 0
        self.after_poll: Callable[[], object] = lambda: None
        self.on_assign: Callable[..., None]
        self.on_lost: Callable[..., None]

    def subscribe(self, _topics: list[str], **callbacks: Callable[..., None]) -> None:
        self.on_assign, self.on_lost = callbacks["on_assign"], callbacks["on_lost"]
        self.on_assign(self, self.assignment())

    def incremental_assign(self, _partitions: object) -> None:
        """Leave paused what is paused, as librdkafka does also when a partition comes back."""

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(CHAPTERS, partition) for partition in self.owned]

    def lose(self, partition: int) -> None:
        """Say that a partition was given to another member."""
        self.owned.discard(partition)
        self.on_lost(self, [TopicPartition(CHAPTERS, partition)])

    def give(self, partition: int) -> None:
        """Say that a partition comes from another member."""
        self.owned.add(partition)
        self.on_assign(self, [TopicPartition(CHAPTERS, partition)])

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused |= {each.partition for each in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= {each.partition for each in partitions}

    def poll(self, _timeout: float) -> Record | None:
        self.polls += 1
        assert time.monotonic() < self.deadline, "the loop should have ended"
        self.after_poll()
        if self.delivered == len(self.jobs) or self.jobs[self.delivered] not in self.owned - self.paused:
            return None
        turn, self.delivered = self.delivered, self.delivered + 1
        return Record(self.jobs[turn], self.jobs[:turn].count(self.jobs[turn]), turn)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        assert not asynchronous
        if self.refusals:
            self.refusals -= 1
            raise KafkaException(KafkaError(KafkaError.REBALANCE_IN_PROGRESS))
        self.committed |= {offset.partition: offset.offset for offset in offsets}
        return offsets

    def close(self) -> None:
        return


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., MemoryBroker]:
    """Return a function that runs the loop on a script until `stop` is set."""

    def start(
        script: Script, handle: Callable[..., Event | None], stop: threading.Event, grace: float = 0
    ) -> MemoryBroker:
        monkeypatch.setattr(consumer, "Consumer", lambda _config: script)
        monkeypatch.setattr(consumer, "COMMIT_PAUSE", 0.0)
        broker = MemoryBroker()
        options: dict[str, Any] = {"bootstrap": "nowhere", "worker": "w0", "session_timeout": 6, "grace": grace}
        JobConsumer(publisher=broker, handle=handle, **options).run(stop)
        return broker

    return start


def done(job: ChapterJob, _abandoned: threading.Event) -> Event:
    return a_part_done(job.part)


def test_partitions_are_paused_while_enough_jobs_wait(run: Callable[..., MemoryBroker]) -> None:
    """With both hands full a few more jobs are taken but not begun, however often Kafka is polled."""
    script, stop, begun = Script(*[0] * 100), threading.Event(), []
    script.after_poll = lambda: script.polls > 200 and stop.set()

    def wait(job: ChapterJob, abandoned: threading.Event) -> None:
        begun.append(job.part.index)
        abandoned.wait(30)

    run(script, wait, stop)
    assert script.delivered == HANDS + LOOK_AHEAD
    assert sorted(begun) == [0, 1]
    assert script.committed == {0: 0}


def test_partitions_are_resumed_before_the_last_job(run: Callable[..., MemoryBroker]) -> None:
    """A resumed partition needs a second to deliver, so it is resumed while jobs still wait; all are done in order."""
    script, stop, paused = Script(*[0] * 150), threading.Event(), threading.Event()
    script.after_poll = lambda: (script.paused and paused.set(), script.committed == {0: 150} and stop.set())
    left: list[int] = []
    resume = script.resume

    def watch(partitions: list[TopicPartition]) -> None:
        left.extend([script.delivered - script.committed[0]] if script.paused else [])
        resume(partitions)

    def first_waits(job: ChapterJob, abandoned: threading.Event) -> Event:
        assert paused.wait(30)
        return done(job, abandoned)

    script.resume = watch  # type: ignore[method-assign]
    broker = run(script, first_waits, stop)
    assert [event.part for event in broker.messages(EVENTS)] == list(range(150))  # type: ignore[union-attr]
    assert left[0] >= LOOK_AHEAD // 2


def test_a_partition_that_comes_back_is_not_paused(run: Callable[..., MemoryBroker]) -> None:
    """A partition that was paused when it was taken away delivers again when it is given back."""
    script, stop, returned = Script(*[0] * 150), threading.Event(), threading.Event()

    def after_poll() -> None:
        if not script.owned:
            script.delivered = 0
            script.give(0)
            returned.set()
        elif script.paused and not returned.is_set():
            script.lose(0)
        if script.committed == {0: 150}:
            stop.set()

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        if returned.wait(30) and abandoned.is_set():
            return None
        return done(job, abandoned)

    script.after_poll = after_poll
    run(script, handle, stop)
    assert script.committed == {0: 150}


def test_a_job_that_waits_is_dropped_with_its_partition(run: Callable[..., MemoryBroker]) -> None:
    """What waits of a partition that moves away is not begun: the new owner is given it."""
    script, stop, begun = Script(0, 0, 0, 1), threading.Event(), []
    script.after_poll = lambda: (script.delivered == 4 and script.lose(0), script.committed[1] == 1 and stop.set())

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        begun.append(job.part.index)
        if job.part.index == 3:
            return done(job, abandoned)
        abandoned.wait(30)
        return None

    run(script, handle, stop)
    assert sorted(begun) == [0, 1, 3]
    assert script.committed == {0: 0, 1: 1}


def test_a_refused_commit_is_tried_again(run: Callable[..., MemoryBroker]) -> None:
    """A commit that a rebalance refuses is made later, and the event is published once."""
    script, stop = Script(0), threading.Event()
    script.refusals = 3
    script.after_poll = lambda: script.committed == {0: 1} and stop.set()
    broker = run(script, done, stop)
    assert script.refusals == 0
    assert len(broker.messages(EVENTS)) == 1


def test_a_job_that_waits_does_not_hold_up_other_partitions(run: Callable[..., MemoryBroker]) -> None:
    """While one job waits, as for another worker's part, the jobs of other partitions are done and committed."""
    script, stop = Script(0, 1, 1, 1), threading.Event()
    script.after_poll = lambda: script.committed[1] == 3 and stop.set()

    def first_waits(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        if job.part.index > 0:
            return done(job, abandoned)
        abandoned.wait(30)
        return None

    broker = run(script, first_waits, stop)
    assert script.committed == {0: 0, 1: 3}
    assert [event.part for event in broker.messages(EVENTS)] == [1, 2, 3]  # type: ignore[union-attr]


def test_a_job_that_takes_long_leaves_the_other_hand_free(run: Callable[..., MemoryBroker]) -> None:
    """What is done but waits for its turn to be committed holds no hand: the engine goes on with the next, within
    bounds."""
    script, stop, enough = Script(*[0] * 200), threading.Event(), threading.Event()
    order: list[int] = []

    def after_poll() -> None:
        if script.paused and len(order) == LOOK_AHEAD - 1:
            enough.set()
        if script.committed == {0: 200}:
            stop.set()

    def first_waits(job: ChapterJob, abandoned: threading.Event) -> Event:
        assert job.part.index or enough.wait(10)
        order.append(job.part.index)
        return done(job, abandoned)

    script.after_poll = after_poll
    broker = run(script, first_waits, stop)
    assert order.index(0) == LOOK_AHEAD - 1
    assert [event.part for event in broker.messages(EVENTS)] == list(range(200))  # type: ignore[union-attr]


def test_what_was_done_before_does_not_use_up_the_grace(run: Callable[..., MemoryBroker]) -> None:
    """A worker that stops waits for a job at work, not for one that has long been done and waits for its turn."""
    script, stop, second = Script(0, 0), threading.Event(), threading.Event()
    script.after_poll = lambda: second.is_set() and stop.set()

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        if job.part.index:
            second.set()
        elif second.wait(30) and stop.wait(30) and abandoned.wait(0.2):
            return None
        return done(job, abandoned)

    run(script, handle, stop, grace=30)
    assert script.committed == {0: 2}


def test_a_bug_in_a_job_that_was_let_go_ends_the_worker(run: Callable[..., MemoryBroker]) -> None:
    """A job that crashes after its partition has moved crashes the worker all the same: its lease must run out."""
    script, stop, begun = Script(0), threading.Event(), threading.Event()
    script.after_poll = lambda: begun.is_set() and script.lose(0)

    def crash(_job: ChapterJob, abandoned: threading.Event) -> None:
        begun.set()
        assert abandoned.wait(30)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(script, crash, stop)
    assert script.committed == {0: 0}
