"""One worker's part in one consumer group: what it owns of a topic, what waits, what is in hand, what is committed.

A job is published and committed in the order of its partition, and only while the partition has been ours without a
break since the job was received (docs/adr/0003).
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from e2a import log
from e2a.bus.config import Config
from e2a.bus.handling import Outcome
from e2a.errors import ExitCode, Retryable, UserError

LOOK_AHEAD = 64
"""Most jobs that wait to be begun, a few kilobytes each, and most that are in hand, of which few are at work. A resumed
partition needs about a second to deliver again."""
REVOKE_PATIENCE = 10.0
"""Seconds that a part in hand may take to finish when its partition moves to another worker."""
COMMIT_PAUSE = 0.25
"""Seconds before a refused commit is tried again."""

_SESSION = (
    "set E2A_SESSION_TIMEOUT to what the brokers allow, or change their group.min and group.max.session.timeout.ms"
)
_PROTOCOL = "give all workers the same E2A_GROUP_PROTOCOL, one that the brokers know"
_RIGHTS = "allow this worker to read the topic as a member of the group"
_HOPELESS = {
    KafkaError.INVALID_SESSION_TIMEOUT: _SESSION,
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: _PROTOCOL,
    KafkaError.UNSUPPORTED_VERSION: _PROTOCOL,
    KafkaError._UNSUPPORTED_FEATURE: _PROTOCOL,
    KafkaError._FATAL: _PROTOCOL,
    KafkaError.GROUP_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _RIGHTS,
}
"""Errors that waiting does not mend, and what to do."""
_GROUP_GONE = "The group id does not exist"
"""Fatal under KIP-848: the broker has removed the group, as it does when its topic is, while we were in it."""

logger = log.get(__name__)

Publish = Callable[[Outcome, str], None]
"""Publishes an outcome of what came from a source; raises `Retryable`."""


class Position(NamedTuple):
    """Where a job stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Job(NamedTuple):
    """A message that was received."""

    position: Position
    epoch: int
    """Number of the assignment under which it came."""
    raw: bytes


class Work(NamedTuple):
    """A job in hand."""

    position: Position
    epoch: int
    abandoned: threading.Event
    future: Future[Outcome]


class Membership:
    """A member of one consumer group. Nothing here is thread-safe: only the thread that polls uses it.

    Args:
        config: of the consumer.
        topic: of jobs.
        publish: called with each outcome before its offset is committed.
        moved: called whenever its partitions have changed.
    """

    def __init__(self, config: Config, topic: str, publish: Publish, moved: Callable[[], object]) -> None:
        self.topic = topic
        self.waiting: deque[Job] = deque()
        self.in_hand: list[Work] = []
        self._group = config["group.id"]
        self._config = config
        self._consumer = Consumer(config)
        self._dead: list[Consumer] = []
        self._publish = publish
        self._moved = moved
        self._let_go: list[Future[Outcome]] = []
        self._epochs: dict[int, int] = {}
        self._epoch = 0
        self._paused = False
        self._uncommitted: dict[int, int] = {}
        self._commit_after = 0.0
        self._refused = False

    @property
    def partitions(self) -> tuple[int, ...]:
        """Partitions owned now."""
        return tuple(sorted(self._epochs))

    @property
    def at_work(self) -> list[Future[Outcome]]:
        """What is in hand and not done."""
        return [work.future for work in self.in_hand if not work.future.done()]

    def join(self) -> None:
        """Ask for partitions; they come while `receive` is called."""
        self._consumer.subscribe(
            [self.topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _join_anew(self) -> None:
        """Join with another consumer: one that has met a fatal error is of no use."""
        logger.warning("bus.group_gone", group=self._group)
        self._forget(set(self._epochs))
        self._dead.append(self._consumer)  # to close it would call back into what is the next one's
        self._consumer = Consumer(self._config)
        self._paused = False
        self.join()

    def leave(self) -> None:
        """Give all partitions away, with what is in hand; returns when the group knows."""
        self.abandon()
        self.in_hand.clear()
        self._consumer.close()

    def receive(self, timeout: float) -> bool:
        """Let the next message wait, or see to what the group wants; say whether there was anything.

        Raises:
            UserError: the brokers do not let us in, and never will.
        """
        message = self._consumer.poll(timeout)
        if message is None:
            return False
        if error := message.error():
            if error.code() == KafkaError._FATAL and _GROUP_GONE in error.str():
                self._join_anew()
                return True
            if (remedy := _HOPELESS.get(error.code())) is not None:
                raise UserError(f"Kafka, group {self._group}: {error.str()}; {remedy}", ExitCode.CONFIG)
            logger.warning("bus.consumer_error", code=error.name(), message=error.str())
            return True
        position = _position(message, self.topic)
        if epoch := self._epochs.get(position.partition):
            self.waiting.append(Job(position, epoch, message.value() or b""))
        return True

    def begin(self, start: Callable[[Job, threading.Event], Future[Outcome]]) -> bool:
        """Take the next job in hand unless none waits, or too many are done and wait for their turn."""
        if not self.waiting or len(self.in_hand) >= LOOK_AHEAD:
            return False
        job, abandoned = self.waiting.popleft(), threading.Event()
        self.in_hand.append(Work(job.position, job.epoch, abandoned, start(job, abandoned)))
        return True

    def settle(self) -> None:
        """Publish and commit what is done, each partition in its order; a bug in the handler is raised.

        Raises:
            Retryable: an outcome was not published; it stays in hand.
        """
        unfinished: set[int] = set()
        for work in list(self.in_hand):
            if work.position.partition in unfinished:
                continue
            if not work.future.done():
                unfinished.add(work.position.partition)
                continue
            self._finish(work)
            self.in_hand.remove(work)

    def watch_let_go(self) -> None:
        """Raise a bug also in a job that was let go: its lease runs out only when the process ends."""
        ended = [future for future in self._let_go if future.done()]
        self._let_go = [future for future in self._let_go if future not in ended]
        for future in ended:
            future.result()

    def abandon(self) -> None:
        """Tell what is in hand to end."""
        for work in self.in_hand:
            work.abandoned.set()

    def commit(self, *, now: bool = False) -> None:
        """Commit what is published. A refusal, as in the middle of a rebalance, is tried again while we own it.

        Args:
            now: also when a commit was refused just before.
        """
        if not self._uncommitted or (time.monotonic() < self._commit_after and not now):
            return
        offsets = [TopicPartition(self.topic, *position) for position in self._uncommitted.items()]
        try:
            for result in self._consumer.commit(offsets=offsets, asynchronous=False) or ():
                if result.error is not None:
                    raise KafkaException(result.error)
            self._uncommitted.clear()
            self._refused = False
        except KafkaException as error:
            if not self._refused:
                logger.warning("bus.commit_refused", offsets=self._uncommitted, code=error.args[0].name())
            self._refused = True
            self._commit_after = time.monotonic() + COMMIT_PAUSE

    def set_paused(self) -> None:
        """Pause when enough jobs wait, resume when half of them are gone."""
        wanted = len(self.waiting) > (LOOK_AHEAD // 2 if self._paused else LOOK_AHEAD - 1)
        if wanted != self._paused:
            (self._consumer.pause if wanted else self._consumer.resume)(self._consumer.assignment())
            self._paused = wanted

    def start_anew(self) -> None:
        """Read the topic from its beginning, since it was made anew: offsets of the old one mean nothing in it."""
        owned = {each.partition for each in self._consumer.assignment()}
        self._forget(owned)
        self._own(owned)
        self._uncommitted = dict.fromkeys(owned, 0)
        for partition in owned:
            try:
                self._consumer.seek(TopicPartition(self.topic, partition, OFFSET_BEGINNING))
            except KafkaException as error:  # it is not fetched yet, and then begins with what is committed: 0
                logger.warning("bus.seek_refused", partition=partition, code=error.args[0].name())
        self.commit(now=True)
        logger.warning("bus.topic_made_anew", topic=self.topic, partitions=sorted(owned))

    def _finish(self, work: Work) -> None:
        """Publish, then commit."""
        outcome = work.future.result()
        if outcome.handed_back or self._epochs.get(work.position.partition) != work.epoch:
            self._disown(work)
            return
        self._publish(outcome, str(work.position))
        self._uncommitted[work.position.partition] = work.position.offset + 1
        self.commit()

    def _disown(self, work: Work) -> None:
        """Leave a job on the topic: whatever follows it in its partition must not be committed either."""
        self._epochs.pop(work.position.partition, None)
        logger.info("bus.not_committed", source=str(work.position))

    def _own(self, partitions: set[int]) -> None:
        self._epoch += 1
        self._epochs |= dict.fromkeys(partitions, self._epoch)

    def _on_assign(self, kafka: Consumer, partitions: list[TopicPartition]) -> None:
        self._own({partition.partition for partition in partitions})
        kafka.incremental_assign(partitions)
        # also when it need not be paused: librdkafka remembers a pause from before it was taken away
        (kafka.pause if self._paused else kafka.resume)(partitions)
        logger.info("bus.assigned", topic=self.topic, partitions=self.partitions)
        if partitions:
            self._moved()

    def _on_revoke(self, _kafka: Consumer, partitions: list[TopicPartition]) -> None:
        leaving = {partition.partition for partition in partitions}
        deadline = time.monotonic() + REVOKE_PATIENCE
        self._commit_after = 0.0
        for work in [work for work in self.in_hand if work.position.partition in leaving]:
            wait([work.future], timeout=max(0.0, deadline - time.monotonic()))
            try:
                if work.future.done():
                    self._finish(work)
                else:
                    self._disown(work)
            except Retryable as error:
                logger.warning("bus.publish_refused", reason=str(error))
                self._disown(work)
        self.commit()
        self._forget(leaving)
        logger.info("bus.revoked", topic=self.topic, partitions=sorted(leaving))
        self._moved()

    def _on_lost(self, _kafka: Consumer, partitions: list[TopicPartition]) -> None:
        lost = {partition.partition for partition in partitions}
        self._forget(lost)
        logger.warning("bus.lost", topic=self.topic, partitions=sorted(lost))
        self._moved()

    def _forget(self, partitions: set[int]) -> None:
        """Let go of partitions and of every job from them."""
        for partition in partitions:
            self._epochs.pop(partition, None)
            self._uncommitted.pop(partition, None)
        self.waiting = deque(job for job in self.waiting if job.position.partition not in partitions)
        for work in [work for work in self.in_hand if work.position.partition in partitions]:
            work.abandoned.set()
            self.in_hand.remove(work)
            self._let_go.append(work.future)


def _position(message: Message, topic: str) -> Position:
    partition, offset = message.partition(), message.offset()
    assert partition is not None, "librdkafka sets it on every message without error"
    assert offset is not None, "librdkafka sets it on every message without error"
    return Position(topic, partition, offset)
