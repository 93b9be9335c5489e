"""The sweep: whatever fell between events, jobs, leases and servers is found and taken up again, without a person.

A part that is to be made and that nobody is at, neither a worker by its lease nor a message in Kafka, fell between:
its worker was killed, its message was passed over or lost, or was never sent, or its event was lost. The reason does
not matter: storage has the part, or its job is published again.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from e2a import log
from e2a.bus import Backlog
from e2a.checkpoint import Checkpoint, LeaseKeeper, NotRecorded, QueuedWork, QueueRecord
from e2a.errors import Retryable
from e2a.plan import Plan
from e2a.storage import ObjectStore, book_ids, keys, read_plan
from e2a.topics import Topic, topics
from merger.books import Books
from merger.jobs import Jobs
from merger.merge import Merger, Work

LEASE = "sweep"
GRACE = 10.0
"""Seconds after the announcement of a book in which its jobs are still being published."""
SLICE = 1.0
"""Seconds for which a sweep fills an empty checkpoint, before it looks after what else there is."""

logger = log.get(__name__)


class Topics(Protocol):
    """The part of `Admin` that a sweep needs."""

    def partitions(self) -> Mapping[str, int]: ...

    def ensure_topics(self, wanted: Collection[Topic]) -> None: ...


class Sweep:
    """Looks after everything that nobody is at although somebody should be.

    What it remembers from one sweep to the next is only whom it suspects; to lose that costs one sweep.

    Args:
        store: where plans and parts live.
        checkpoint: how far every book has got.
        books: its records.
        jobs: publishes what is to be made again.
        merger: tries again and concludes.
        leases: keeps two mergers from sweeping at the same time.
        backlog: what waits in the topics of jobs.
        admin: of the topics.
        partitions: least number of partitions of the topics of jobs; there are as many as workers live.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        checkpoint: Checkpoint,
        books: Books,
        jobs: Jobs,
        merger: Merger,
        leases: LeaseKeeper,
        backlog: Backlog,
        admin: Topics,
        partitions: int,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._books = books
        self._jobs = jobs
        self._merger = merger
        self._leases = leases
        self._backlog = backlog
        self._admin = admin
        self._partitions = partitions
        self._clock = clock
        self._suspects: set[tuple[str, int]] = set()
        self._digests: dict[str, tuple[str, ...]] = {}
        self._unread: list[str] | None = None
        self._read: set[str] = set()
        self._waits: set[str] = set()
        self._made_anew: set[str] = set()

    def sweep(self) -> list[Work]:
        """Look after everything once, unless another merger does; return what takes longer.

        A server that is away is waited for by whatever needs it, and by nothing else; everything needs the checkpoint.
        """
        if not self._try("checkpoint", self._checkpoint.check) or not self._leases.claim(LEASE):
            return []
        works: list[Work] = []
        try:
            self._try("rebuild", self._rebuild)
            if self._try("topics", self._look_after_topics) and self._try("queue", self._look_at_queue):
                self._try("fallen", self._look_after_fallen)
                self._try("retries", self._look_after_retries)
            self._try("books", lambda: works.extend(self._merger.unconcluded()))
        finally:
            self._leases.release(LEASE)
        return works

    def take_made_anew(self, topic: str) -> bool:
        """Say whether a sweep has made a topic anew since this was last asked of it."""
        was_made = topic in self._made_anew
        self._made_anew.discard(topic)
        return was_made

    def _try(self, step: str, call: Callable[[], None]) -> bool:
        """Do a step unless a server is away, and say when it begins and when it ends to wait for one."""
        try:
            call()
        except Retryable as error:
            if step not in self._waits:
                logger.warning("sweep.waits", step=step, reason=str(error))
            self._waits.add(step)
            return False
        if step in self._waits:
            logger.info("sweep.goes_on", step=step)
        self._waits.discard(step)
        return True

    def _rebuild(self) -> None:
        """Fill a checkpoint that was emptied from storage, a slice at a time: unfinished books first."""
        if self._checkpoint.is_whole():
            self._unread = None
            return
        if self._unread is None:
            sizes = {book_id: self._store.size(keys.report(book_id)) for book_id in book_ids(self._store)}
            self._unread = sorted(sizes, key=lambda book_id: sizes[book_id] is None)  # taken from the end
            self._read = set()
            logger.info("sweep.rebuild", books=len(self._unread))
        until = self._clock() + SLICE
        while self._unread:
            if self._books.seed(self._unread[-1], unless_known=True):
                self._read.add(self._unread[-1])
            self._unread.pop()
            if self._clock() >= until:
                return
        self._unread = None
        if self._read <= self._checkpoint.stages().keys():  # else it was emptied again meanwhile
            self._checkpoint.declare_whole()
            logger.info("sweep.rebuilt", books=len(self._read))

    def _look_after_topics(self) -> None:
        """Make topics anew that are gone, and grow those of jobs to a partition for each worker."""
        alive = sum(not worker.is_silent(self._clock()) for worker in self._checkpoint.workers())
        wanted = topics(max(self._partitions, alive))
        there = self._admin.partitions()
        if lacking := [topic.name for topic in wanted if there.get(topic.name, 0) < topic.partitions]:
            self._admin.ensure_topics(wanted)
            self._made_anew |= {topic for topic in lacking if topic not in there}
            logger.warning("sweep.topics_made", topics=lacking, workers=alive)

    def _look_at_queue(self) -> None:
        self._backlog.refresh()
        work = [
            QueuedWork(topic=lag.topic, partition=lag.partition, parts=lag.end - lag.committed, seconds=lag.seconds)
            for lag in self._backlog.lags()
        ]
        self._checkpoint.set_queue(QueueRecord(taken=self._clock(), work=tuple(work)))

    def _look_after_fallen(self) -> None:
        """Take up parts that nobody is at, once two sweeps in a row have seen it."""
        queued = self._backlog.queued()
        active = self._active()
        self._digests = {book_id: self._digests[book_id] for book_id in active if book_id in self._digests}
        suspects: set[tuple[str, int]] = set()
        for book_id in active:
            idle = [index for index in self._checkpoint.ready(book_id) if (book_id, index) not in queued]
            if fallen := self._fallen(book_id, idle, suspects):
                plan = read_plan(self._store, book_id)
                if plan:
                    self._take_up(plan, fallen)
        self._suspects = suspects

    def _fallen(self, book_id: str, idle: list[int], suspects: set[tuple[str, int]]) -> list[int]:
        """Return which of the parts of a book that are not queued are fallen; add those to suspect to `suspects`."""
        book = self._checkpoint.book(book_id) if idle else None
        digests = self._digests_of(book_id) if book else ()
        if book is None or not digests:
            return []
        leases = {index: f"part/{digests[index]}" for index in idle}
        held = self._checkpoint.held(list(leases.values()))
        free = [index for index in idle if leases[index] not in held]
        suspects.update((book_id, index) for index in free)
        is_young = self._clock() - book.resumed_at < GRACE
        return [
            index
            for index in free
            if (not is_young and (book_id, index) in self._suspects) or self._leases.deaths(leases[index])
        ]

    def _digests_of(self, book_id: str) -> tuple[str, ...]:
        if book_id not in self._digests:
            plan = read_plan(self._store, book_id)
            self._digests[book_id] = tuple(part.digest for part in plan.parts) if plan else ()
        return self._digests[book_id]

    def _take_up(self, plan: Plan, fallen: list[int]) -> None:
        try:
            self._jobs.recover(plan, fallen)
        except NotRecorded:
            logger.info("sweep.forgotten", book=plan.book_id)

    def _look_after_retries(self) -> None:
        for book_id in self._active():
            try:
                self._jobs.retry(book_id)
            except NotRecorded:
                logger.info("sweep.forgotten", book=book_id)

    def _active(self) -> list[str]:
        """Return the books whose parts are to be made, urgent ones first."""
        return [book_id for book_id, stage in self._checkpoint.stages().items() if stage == "synthesising"]
