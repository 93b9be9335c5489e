"""The sweep: whatever fell between events, jobs, leases and servers is found and taken up again, without a person.

A part that is to be made and that nobody is at, neither a worker by its lease nor a message in Kafka, fell between:
its worker was killed, its message was passed over or lost, or was never sent, or its event was lost. The reason does
not matter: storage has the part, or its job is published again.
"""

import math
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Protocol

from e2a import log
from e2a.bus import Backlog
from e2a.checkpoint import PART, Checkpoint, LeaseKeeper, NotRecorded, QueuedWork, QueueRecord, part_lease
from e2a.checkpoint.records import SILENT
from e2a.errors import Retryable
from e2a.plan import Plan
from e2a.storage import ObjectStore, book_ids, has_plan, keys, read_plan
from e2a.topics import Topic, topics
from merger.books import Books
from merger.jobs import Jobs
from merger.merge import Merger, Work

LEASE = "sweep"
GRACE = 10.0
"""Seconds after the announcement of a book in which its jobs are still being published."""
SLICE = 1.0
"""Seconds for which a sweep compares checkpoint and storage, before it looks after what else there is."""
PERIOD = 60.0
"""Seconds between two comparisons of a checkpoint that is whole, for which little is read of each book: whether it has
a plan, and what is wanted of it."""

logger = log.get(__name__)


class Topics(Protocol):
    """The part of `Admin` that a sweep needs."""

    def partitions(self) -> Mapping[str, int]: ...

    def ensure_topics(self, wanted: Collection[Topic]) -> None: ...


class Sweep:
    """Looks after everything that nobody is at although somebody should be.

    What it remembers from one sweep to the next is only whom it suspects; to lose that costs one sweep.

    Args:
        store: where plans and parts live; its patience is how long a step waits for it.
        checkpoint: how far every book has got.
        books: its records.
        jobs: publishes what is to be made again.
        merger: tries again and concludes.
        leases: keeps two mergers from sweeping at the same time.
        backlog: what waits in the topics of jobs.
        admin: of the topics.
        partitions: least number of partitions of the topics of jobs; there are as many as workers have lived at a time.
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
        self._revived: dict[str, int] = {}
        """Leases of parts that were published again since their holder died, and how many had died then."""
        self._digests: dict[str, tuple[str, ...]] = {}
        self._unread: list[str] | None = None
        self._read: set[str] = set()
        self._compare_after = 0.0
        self._count_since = math.inf
        self._least_alive = 0
        self._waits: dict[str, str] = {}
        """Steps that wait for a server that is away, and why."""

    @property
    def problem(self) -> str:
        """What it waits for that is away; empty when nothing is wrong."""
        return next(iter(tuple(self._waits.values())), "")

    def sweep(self) -> list[Work]:
        """Look after everything once, unless another merger does; return what takes longer.

        A server that is away is waited for by whatever needs it, and by nothing else; everything needs the checkpoint.
        """
        if not self._try("checkpoint", self._checkpoint.check) or not self._leases.claim(LEASE):
            return []
        works: list[Work] = []
        try:
            self._try("storage", self._compare)
            if self._try("topics", self._look_after_topics) and self._try("queue", self._look_at_queue):
                self._try("fallen", self._look_after_fallen)
                self._try("retries", self._look_after_retries)
            self._try("books", lambda: works.extend(self._merger.unconcluded()))
        finally:
            self._leases.release(LEASE)
        return works

    def compare_soon(self) -> None:
        """Have the next sweep compare the checkpoint with storage: announcements may be lost."""
        self._compare_after = 0.0

    def _try(self, step: str, call: Callable[[], None]) -> bool:
        """Do a step unless a server is away, and say when it begins and when it ends to wait for one."""
        try:
            call()
        except Retryable as error:
            if step not in self._waits:
                logger.warning("sweep.waits", step=step, reason=str(error))
            self._waits[step] = str(error)
            return False
        if step in self._waits:
            logger.info("sweep.goes_on", step=step)
        self._waits.pop(step, None)
        return True

    def _compare(self) -> None:
        """Compare the checkpoint with storage, a slice at a time, at once when it was emptied: unfinished books first.

        Storage may hold books that were never announced, or not any more, and lack some whose removal was not; what is
        wanted of a book may have changed without a word.
        """
        if self._unread is None:
            if self._checkpoint.is_whole() and self._clock() < self._compare_after:
                return
            self._unread = self._list()
            self._read = set()
            self._compare_after = self._clock() + PERIOD
        until = self._clock() + SLICE
        while self._unread:
            if self._match(self._unread[-1]):
                self._read.add(self._unread[-1])
            self._unread.pop()
            if self._clock() >= until:
                return
        self._unread = None
        if not self._checkpoint.is_whole() and self._read <= self._checkpoint.stages().keys():  # else emptied meanwhile
            self._checkpoint.declare_whole()
            logger.info("sweep.rebuilt", books=len(self._read))

    def _list(self) -> list[str]:
        """Return all books of checkpoint and storage, those last that are to be recorded first."""
        known = self._checkpoint.stages()
        unknown = [book_id for book_id in book_ids(self._store) if book_id not in known]
        sizes = {book_id: self._store.size(keys.report(book_id)) for book_id in unknown}
        if not self._checkpoint.is_whole():
            logger.info("sweep.rebuild", books=len(unknown))
        return [*known, *sorted(sizes, key=lambda book_id: sizes[book_id] is None)]

    def _match(self, book_id: str) -> bool:
        """Record a book that has a plan, or what is wanted of it, forget one without; say whether it is recorded."""
        stage = self._checkpoint.stage(book_id)
        if has_plan(self._store, book_id):
            if stage is None:
                return self._books.seed(book_id, unless_known=True)
            if stage != "done":
                with suppress(NotRecorded):
                    self._merger.heed(book_id)
            return True
        if stage is not None:
            self._checkpoint.forget(book_id)
            logger.info("sweep.removed", book=book_id)
        return False

    def _look_after_topics(self) -> None:
        """Make topics anew that are gone, and grow those of jobs to a partition for each worker."""
        self._count_workers()
        wanted = topics(self._partitions)
        there = self._admin.partitions()
        if lacking := [topic.name for topic in wanted if there.get(topic.name, 0) < topic.partitions]:
            self._admin.ensure_topics(wanted)
            logger.warning("sweep.topics_made", topics=lacking, partitions=self._partitions)

    def _count_workers(self) -> None:
        """Want as many partitions as there were workers for so long that none of them was dead already."""
        now = self._clock()
        alive = sum(worker.takes_parts(now) for worker in self._checkpoint.workers())
        if now - self._count_since > SILENT:
            self._partitions = max(self._partitions, min(self._least_alive, alive))
            self._count_since = math.inf
        self._least_alive = alive if self._count_since == math.inf else min(self._least_alive, alive)
        self._count_since = min(self._count_since, now)

    def _look_at_queue(self) -> None:
        self._backlog.refresh()
        work = [
            QueuedWork(
                topic=lag.topic,
                partition=lag.partition,
                parts=lag.end - lag.committed,
                seconds=lag.seconds,
                committed=lag.committed,
                end=lag.end,
            )
            for lag in self._backlog.lags()
        ]
        self._checkpoint.set_queue(QueueRecord(taken=self._clock(), work=tuple(work)))

    def _look_after_fallen(self) -> None:
        """Take up parts that nobody is at, once two sweeps in a row have seen it, and at once those of the dead."""
        queued = self._backlog.queued()
        dead = {lease: deaths for lease, deaths in self._checkpoint.dead().items() if lease.startswith(PART)}
        self._revived = {lease: deaths for lease, deaths in self._revived.items() if lease in dead}
        orphans = {lease for lease, deaths in dead.items() if self._revived.get(lease) != deaths}
        active = self._active()
        self._digests = {book_id: self._digests[book_id] for book_id in active if book_id in self._digests}
        suspects: set[tuple[str, int]] = set()
        for book_id in active:
            ready = self._ready(book_id)
            lost = self._orphaned(book_id, ready, orphans) if orphans else []
            idle = [index for index in ready if (book_id, index) not in queued and index not in lost]
            fallen = self._fallen(book_id, idle, suspects)
            plan = read_plan(self._store, book_id) if lost or fallen else None
            if plan and lost:  # by themselves: few, so by express
                self._take_up(plan, lost)
                self._revived |= {name: dead[name] for index in lost if (name := self._lease(book_id, index))}
            if plan and fallen:
                self._take_up(plan, fallen)
        self._suspects = suspects

    def _ready(self, book_id: str) -> list[int]:
        """Return the parts of a book that are to be made; none while storage has no plan of them."""
        ready = self._checkpoint.ready(book_id)
        digests = self._digests.get(book_id, ())
        if ready and ready[-1] >= len(digests):
            plan = read_plan(self._store, book_id)
            digests = self._digests[book_id] = tuple(part.digest for part in plan.parts) if plan else ()
        return [index for index in ready if index < len(digests)]

    def _orphaned(self, book_id: str, ready: list[int], orphans: Collection[str]) -> list[int]:
        """Return the parts of a book whose last holder died: their message may wait behind many others."""
        return [index for index in ready if self._lease(book_id, index) in orphans]

    def _fallen(self, book_id: str, idle: list[int], suspects: set[tuple[str, int]]) -> list[int]:
        """Return which of the parts of a book that are not queued are fallen; add those to suspect to `suspects`."""
        book = self._checkpoint.book(book_id) if idle else None
        if book is None:
            return []
        leases = {index: self._lease(book_id, index) for index in idle}
        held = self._checkpoint.held(list(leases.values()))
        free = [index for index in idle if leases[index] not in held]
        suspects.update((book_id, index) for index in free)
        is_young = self._clock() - book.resumed_at < GRACE
        return [] if is_young else [index for index in free if (book_id, index) in self._suspects]

    def _lease(self, book_id: str, index: int) -> str:
        return part_lease(self._digests[book_id][index])

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
