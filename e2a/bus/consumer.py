"""The only loop: poll, hand to a thread, publish, commit.

The main thread polls all the time, so the group never loses sight of a worker that is busy for minutes.
Two or more jobs are in hand at once: while one is encoded and stored, the next is spoken. More wait behind them, not
begun, so the engine never waits for Kafka; partitions are paused while enough of them wait. A job is published and
committed in the order of its partition, and only by the worker that has owned the partition without a break since
it was received (docs/adr/0003).
"""

import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from e2a import log
from e2a.bus.config import consumer
from e2a.bus.handling import Handler, Outcome, process
from e2a.bus.publisher import Publisher
from e2a.errors import Retryable
from e2a.topics import CHAPTERS, DEAD_LETTERS, EVENTS, SYNTH_GROUP

HANDS = 2
"""Jobs done at once where the handler is not better off with more."""
LOOK_AHEAD = 64
"""Most jobs that wait to be begun, a few kilobytes each, and most that are in hand, of which few are at work. A resumed
partition needs about a second to deliver again."""
REVOKE_PATIENCE = 10.0
"""Seconds that a part in hand may take to finish when its partition moves to another worker."""

HAND_BACK_PATIENCE = 5.0
"""Seconds for an abandoned part to come to the end of its sentence."""
COMMIT_PAUSE = 0.25
"""Seconds before a refused commit is tried again."""

_POLL = 0.02

logger = log.get(__name__)


class _Position(NamedTuple):
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{CHAPTERS}/{self.partition}/{self.offset}"


class _Job(NamedTuple):
    position: _Position
    epoch: int
    raw: bytes


class _Work(NamedTuple):
    position: _Position
    epoch: int
    abandoned: threading.Event
    future: Future[Outcome]


class JobConsumer:
    """Runs a handler over the chapters topic as one member of the synthesis group.

    Args:
        bootstrap: host:port of a Kafka broker.
        publisher: where events and dead letters go.
        handle: does a job; called from as many threads as there are hands.
        hands: how many jobs are at work at once.
        worker: name of this worker.
        session_timeout: seconds of silence after which the group gives its partitions away.
        grace: seconds to finish a job in hand after `stop` is set.
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        publisher: Publisher,
        handle: Handler,
        hands: int = HANDS,
        worker: str,
        session_timeout: float,
        grace: float,
    ) -> None:
        self._consumer = Consumer(consumer(bootstrap, SYNTH_GROUP, session_timeout))
        self._publisher = publisher
        self._handle = handle
        self._hands = hands
        self._worker = worker
        self._grace = grace
        self._threads = ThreadPoolExecutor(max_workers=hands, thread_name_prefix="part")
        self._waiting: deque[_Job] = deque()
        self._in_hand: list[_Work] = []
        self._let_go: list[Future[Outcome]] = []
        self._epochs: dict[int, int] = {}
        self._epoch = 0
        self._paused = False
        self._uncommitted: dict[int, int] = {}
        self._commit_after = 0.0

    @property
    def partitions(self) -> tuple[int, ...]:
        """Partitions owned now."""
        return tuple(sorted(self._epochs))

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then finish or hand back what is in hand and leave the group."""
        self._consumer.subscribe(
            [CHAPTERS], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        try:
            while not stop.is_set():
                self._receive(self._consumer.poll(_POLL if self._in_hand else 0.2))
                self._settle()
                self._watch_let_go()
                self._commit()
                self._begin()
                self._set_paused()
            self._drain()
        finally:
            for work in self._in_hand:
                work.abandoned.set()
            self._in_hand.clear()
            self._consumer.close()
            self._threads.shutdown(wait=False)

    def _receive(self, message: Message | None) -> None:
        if message is None:
            return
        if error := message.error():
            logger.warning("bus.consumer_error", code=error.name(), message=error.str())
            return
        position = _position(message)
        if epoch := self._epochs.get(position.partition):
            self._waiting.append(_Job(position, epoch, message.value() or b""))

    def _begin(self) -> None:
        """Take jobs in hand while there is room; one that is done and only waits for its turn takes little of it."""
        while self._waiting and len(self._at_work()) < self._hands and len(self._in_hand) < LOOK_AHEAD:
            job = self._waiting.popleft()
            abandoned = threading.Event()
            future = self._threads.submit(
                process,
                job.raw,
                source=str(job.position),
                worker=self._worker,
                handle=self._handle,
                abandoned=abandoned,
            )
            self._in_hand.append(_Work(job.position, job.epoch, abandoned, future))

    def _at_work(self) -> list[Future[Outcome]]:
        return [work.future for work in self._in_hand if not work.future.done()]

    def _settle(self) -> None:
        """Publish and commit what is done, each partition in its order; a bug in the handler is raised."""
        unfinished: set[int] = set()
        for work in list(self._in_hand):
            if work.position.partition in unfinished:
                continue
            if not work.future.done():
                unfinished.add(work.position.partition)
                continue
            try:
                self._finish(work)
            except Retryable as error:
                logger.warning("bus.publish_delayed", reason=str(error))
                return
            self._in_hand.remove(work)

    def _watch_let_go(self) -> None:
        """Raise a bug also in a job that was let go: its lease runs out only when the process ends."""
        ended = [future for future in self._let_go if future.done()]
        self._let_go = [future for future in self._let_go if future not in ended]
        for future in ended:
            future.result()

    def _finish(self, work: _Work) -> None:
        """Publish, then commit."""
        outcome = work.future.result()
        if outcome.handed_back or not self._owns(work):
            self._disown(work)
            return
        if outcome.dead_letter is not None:
            logger.warning("bus.dead_letter", source=str(work.position), reason=outcome.dead_letter.reason)
            self._publisher.send(DEAD_LETTERS, [outcome.dead_letter])
        if outcome.event is not None:
            self._publisher.send(EVENTS, [outcome.event])
        self._uncommitted[work.position.partition] = work.position.offset + 1
        self._commit()

    def _owns(self, work: _Work) -> bool:
        return self._epochs.get(work.position.partition) == work.epoch

    def _disown(self, work: _Work) -> None:
        """Leave a job on the topic: whatever follows it in its partition must not be committed either."""
        self._epochs.pop(work.position.partition, None)
        logger.info("bus.not_committed", source=str(work.position))

    def _commit(self) -> None:
        """Commit what is published. A refusal, as in the middle of a rebalance, is tried again while we own it."""
        if not self._uncommitted or time.monotonic() < self._commit_after:
            return
        offsets = [TopicPartition(CHAPTERS, *position) for position in self._uncommitted.items()]
        try:
            for result in self._consumer.commit(offsets=offsets, asynchronous=False) or ():
                if result.error is not None:
                    raise KafkaException(result.error)
            self._uncommitted.clear()
        except KafkaException as error:
            logger.warning("bus.commit_refused", offsets=self._uncommitted, code=error.args[0].name())
            self._commit_after = time.monotonic() + COMMIT_PAUSE

    def _drain(self) -> None:
        """Finish the job that ends first within the grace period, hand back the others."""
        wait(self._at_work(), timeout=self._grace, return_when=FIRST_COMPLETED)
        for work in self._in_hand:
            work.abandoned.set()
        wait(self._at_work(), timeout=HAND_BACK_PATIENCE)
        self._commit_after = 0.0
        self._settle()
        self._commit()

    def _set_paused(self) -> None:
        """Pause when enough jobs wait, resume when half of them are gone."""
        wanted = len(self._waiting) > (LOOK_AHEAD // 2 if self._paused else LOOK_AHEAD - 1)
        if wanted != self._paused:
            (self._consumer.pause if wanted else self._consumer.resume)(self._consumer.assignment())
            self._paused = wanted

    def _on_assign(self, kafka: Consumer, partitions: list[TopicPartition]) -> None:
        self._epoch += 1
        self._epochs |= {partition.partition: self._epoch for partition in partitions}
        kafka.incremental_assign(partitions)
        # also when it need not be paused: librdkafka remembers a pause from before it was taken away
        (kafka.pause if self._paused else kafka.resume)(partitions)
        logger.info("bus.assigned", partitions=self.partitions)

    def _on_revoke(self, _kafka: Consumer, partitions: list[TopicPartition]) -> None:
        leaving = {partition.partition for partition in partitions}
        deadline = time.monotonic() + REVOKE_PATIENCE
        self._commit_after = 0.0
        for work in [work for work in self._in_hand if work.position.partition in leaving]:
            wait([work.future], timeout=max(0.0, deadline - time.monotonic()))
            try:
                if work.future.done():
                    self._finish(work)
                else:
                    self._disown(work)
            except Retryable as error:
                logger.warning("bus.publish_refused", reason=str(error))
                self._disown(work)
        self._commit()
        self._forget(leaving)
        logger.info("bus.revoked", partitions=sorted(leaving))

    def _on_lost(self, _kafka: Consumer, partitions: list[TopicPartition]) -> None:
        lost = {partition.partition for partition in partitions}
        self._forget(lost)
        logger.warning("bus.lost", partitions=sorted(lost))

    def _forget(self, partitions: set[int]) -> None:
        """Let go of partitions and of every job from them."""
        for partition in partitions:
            self._epochs.pop(partition, None)
            self._uncommitted.pop(partition, None)
        self._waiting = deque(job for job in self._waiting if job.position.partition not in partitions)
        for work in [work for work in self._in_hand if work.position.partition in partitions]:
            work.abandoned.set()
            self._in_hand.remove(work)
            self._let_go.append(work.future)


def _position(message: Message) -> _Position:
    partition, offset = message.partition(), message.offset()
    assert partition is not None, "librdkafka sets it on every message without error"
    assert offset is not None, "librdkafka sets it on every message without error"
    return _Position(partition, offset)
