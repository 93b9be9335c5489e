"""The only loop: poll, hand to a thread, publish, commit.

The main thread polls all the time, so the groups never lose sight of a worker that is busy for minutes.
Two or more jobs are in hand at once: while one is encoded and stored, the next is spoken. More wait behind them, not
begun, so the engine never waits for Kafka; partitions are paused while enough of them wait. The worker is a member of
one group a topic of jobs, and begins express jobs before others; they have a hand of their own, since all others may be
at jobs that wait for the engine (docs/adr/0003).
"""

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import cycle

from e2a import log, metrics
from e2a.bus.admin import Admin
from e2a.bus.config import KafkaServer, Protocol, consumer
from e2a.bus.handling import Handler, Outcome, perform, process
from e2a.bus.identity import TopicIds
from e2a.bus.membership import Job, Membership
from e2a.bus.publisher import Publisher
from e2a.bus.stealing import SOURCE, Find, Stealing
from e2a.errors import ExitCode, Retryable, UserError
from e2a.messages import ChapterJob, PartDone, PartFailed
from e2a.topics import CHAPTERS, DEAD_LETTERS, EVENTS, EXPRESS, QUEUES

HANDS = 2
"""Jobs done at once where the handler is not better off with more."""
EXPRESS_HANDS = 1
"""Jobs more that are done at once when they are express jobs."""
PUBLISH_PAUSE = 1.0
"""Seconds before what could not be published is tried again."""
HAND_BACK_PATIENCE = 5.0
"""Seconds for an abandoned part to come to the end of its sentence."""
LEAVE_PATIENCE = 5.0
"""Seconds for the groups to let us go; a Kafka that is away, or a broker that is lost while we join, never does."""
ADMIN_PATIENCE = 30.0
"""Seconds to wait for Kafka when groups are set up."""

_POLL = 0.02

logger = log.get(__name__)


class JobConsumer:
    """Runs a handler over both topics of jobs as one member of the group of each.

    Args:
        server: where Kafka is.
        publisher: where events and dead letters go.
        handle: does a job; called from as many threads as there are hands.
        hands: how many jobs are at work at once; `EXPRESS_HANDS` more when express jobs come.
        worker: name of this worker.
        session_timeout: seconds of silence after which the groups give its partitions away.
        grace: seconds to finish a job in hand after `stop` is set.
        protocol: of the groups; `consumer` is that of KIP-848.
        find: looks for a job that waits for another worker, when none waits for this one; None never steals.
        brake: failures in a row, of the kind that may pass, after which the worker ends; 0 for never.
        moved: called whenever its partitions have changed.
    """

    def __init__(
        self,
        *,
        server: KafkaServer,
        publisher: Publisher,
        handle: Handler,
        hands: int = HANDS,
        worker: str,
        session_timeout: float,
        grace: float,
        protocol: Protocol = "classic",
        find: Find | None = None,
        brake: int = 0,
        moved: Callable[[], object] = lambda: None,
    ) -> None:
        self._server = server
        self._session_timeout = session_timeout
        self._protocol = protocol
        self._memberships = {
            topic: Membership(consumer(server, group, session_timeout, protocol), topic, self._publish, moved)
            for topic, group in QUEUES.items()
        }
        self._ids = TopicIds(server, list(QUEUES))
        self._publisher = publisher
        self._handle = handle
        self._hands = hands
        self._worker = worker
        self._grace = grace
        # one more, for what looks for jobs of others
        self._threads = ThreadPoolExecutor(max_workers=hands + EXPRESS_HANDS + 1, thread_name_prefix="part")
        self._stealing = Stealing(
            find,
            most=hands,
            look=self._threads.submit,
            start=self._perform,
            publish=self._publish,
        )
        self._brake = brake
        self._failures = 0
        self._publish_after = 0.0
        self._reason = ""
        self._turn = cycle(self._memberships.values())

    @property
    def partitions(self) -> tuple[int, ...]:
        """Partitions of the chapters topic owned now."""
        return self._memberships[CHAPTERS].partitions

    @property
    def express(self) -> tuple[int, ...]:
        """Partitions of the express topic owned now."""
        return self._memberships[EXPRESS].partitions

    def run(self, stop: threading.Event, drain: threading.Event | None = None) -> None:
        """Work until `stop` is set, then finish or hand back what is in hand and leave the groups. Only once.

        Args:
            stop: set when it is to end, in its grace period.
            drain: while it is set nothing is begun, and once nothing is in hand any more that is the end too.

        Raises:
            UserError: too many parts failed in a row (exit code FAILING), or Kafka never lets us in (CONFIG).
            Unavailable: Kafka cannot be reached when the groups are set up.
        """
        if self._protocol == "consumer":
            Admin(self._server, ADMIN_PATIENCE).set_session_timeout(QUEUES.values(), self._session_timeout)
        try:
            for membership in self._all:
                membership.join()
            while not stop.is_set() and not self._failing:
                draining = drain is not None and drain.is_set()
                if draining and not any(each.in_hand for each in self._holders):
                    break
                self._step(begin=not draining)
            failure = self._failure() if self._failing else None
            self._finish(0.0 if failure else self._grace)
        finally:
            self._leave()
        if failure is not None:
            raise failure

    @property
    def _all(self) -> Collection[Membership]:
        return self._memberships.values()

    @property
    def _holders(self) -> tuple[Membership | Stealing, ...]:
        return (*self._all, self._stealing)

    @property
    def _failing(self) -> bool:
        return 0 < self._brake <= self._failures

    def _failure(self) -> UserError:
        return UserError(
            f"{self._failures} parts in a row failed, the last: {self._reason}; other workers try them again: look at"
            " the engine, memory and logs of this one before it is started again",
            ExitCode.FAILING,
        )

    def _step(self, *, begin: bool) -> None:
        self._receive()
        self._settle()
        for membership in self._all:
            membership.watch_let_go()
            membership.commit()
        if begin:
            self._begin()
        for membership in self._all:
            membership.set_paused()
        for topic in self._ids.changed():
            self._memberships[topic].start_anew()

    def _receive(self) -> None:
        """Take what has come; when nothing has, wait a moment for one topic, and the next time for the other."""
        arrived = [membership.receive(0) for membership in self._all]
        if not any(arrived):
            next(self._turn).receive(_POLL)

    def _begin(self) -> None:
        """Take jobs in hand while there is room; one that is done and only waits for its turn takes little of it."""
        if self._failing:
            return
        free = self._hands - len(self._at_work())
        for topic, membership in self._memberships.items():
            reserved = 0 if topic == EXPRESS else EXPRESS_HANDS
            while free + EXPRESS_HANDS > reserved and membership.begin(self._process):
                free -= 1
        if free > 0:
            self._stealing.steal()

    def _process(self, job: Job, abandoned: threading.Event) -> Future[Outcome]:
        return self._threads.submit(
            process,
            job.raw,
            source=str(job.position),
            worker=self._worker,
            handle=self._handle,
            abandoned=abandoned,
        )

    def _perform(self, job: ChapterJob, abandoned: threading.Event) -> Future[Outcome]:
        return self._threads.submit(
            perform, job, source=SOURCE, worker=self._worker, handle=self._handle, abandoned=abandoned
        )

    def _at_work(self) -> list[Future[Outcome]]:
        return [future for each in self._holders for future in each.at_work]

    def _settle(self) -> None:
        """Publish and commit what is done; what cannot be published now is tried again."""
        if time.monotonic() < self._publish_after:
            return
        try:
            for each in self._holders:
                each.settle()
        except Retryable as error:
            logger.warning("bus.publish_delayed", reason=str(error))
            self._publish_after = time.monotonic() + PUBLISH_PAUSE

    def _publish(self, outcome: Outcome, source: str) -> None:
        if outcome.dead_letter is not None:
            logger.warning("bus.dead_letter", source=source, reason=outcome.dead_letter.reason)
            self._publisher.send(DEAD_LETTERS, [outcome.dead_letter])
            metrics.DEAD_LETTERS.labels("job").inc()
        if outcome.event is not None:
            self._publisher.send(EVENTS, [outcome.event])
        if isinstance(outcome.event, PartDone) and outcome.event.work_seconds:
            self._failures = 0
        elif isinstance(outcome.event, PartFailed) and outcome.event.retryable:
            self._failures += 1
            self._reason = outcome.event.reason

    def _finish(self, grace: float) -> None:
        """Finish the job that ends first within the grace period, hand back the others."""
        wait(self._at_work(), timeout=grace, return_when=FIRST_COMPLETED)
        for each in self._holders:
            each.abandon()
        wait(self._at_work(), timeout=HAND_BACK_PATIENCE)
        self._publish_after = 0.0
        self._settle()
        for membership in self._all:
            membership.commit(now=True)

    def _leave(self) -> None:
        """Leave the groups, all at once: each takes a second. A group that does not answer finds out by itself."""
        self._stealing.abandon()
        leaving = [threading.Thread(target=membership.leave, daemon=True) for membership in self._all]
        for thread in leaving:
            thread.start()
        deadline = time.monotonic() + LEAVE_PATIENCE
        for thread in leaving:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads.shutdown(wait=False)
