"""A merger on an in-memory kernel, whose assembly only counts: what the tests of the merger play with."""

import threading
from collections.abc import Callable, Collection, Iterable

import pytest
import structlog

from e2a.checkpoint import LeaseKeeper, PartRecord
from e2a.messages import BookDone, BookPlanned, ChapterJob, Message
from e2a.plan import Part, Plan
from e2a.report import Report, ReportedFile
from e2a.storage import ObjectStore, keys
from e2a.testing import Clock, MemoryBroker, MemoryCheckpoint, MemoryStore
from e2a.topics import DEAD_LETTERS, EVENTS, QUEUES, Topic
from merger import books, excerpt, jobs, merge, sweep
from merger.books import Books
from merger.faults import CorruptParts
from merger.jobs import Jobs
from merger.merge import Merger
from merger.sweep import GRACE, Sweep
from tests.unit.builders import BOOK, a_part_done, a_part_failed, a_plan, put_part, put_plan

PLAN = a_plan(parts=(2, 1))
OUTPUT = keys.output(BOOK, "book.m4b")
LEASE = f"assembly/{BOOK}"
DONE = BookDone(book_id=BOOK, output=OUTPUT, audio_seconds=3.0, audio_bytes=3000)
FILE = ReportedFile(format="m4b", key=OUTPUT, name=".m4b", size=3000)
REPORT = Report(book_id=BOOK, title="Emma", output=OUTPUT, audio_seconds=3.0, audio_bytes=3000, files=(FILE,))


class Broker(MemoryBroker):
    """A broker that remembers which objects were in the store when it was given a message."""

    def __init__(self, store: MemoryStore, partitions: int) -> None:
        super().__init__(partitions)
        self._store = store
        self.stored: set[str] = set()

    def send(self, topic: str, messages: Iterable[Message], partitions: Iterable[int] | None = None) -> None:
        self.stored = set(self._store.objects)
        super().send(topic, messages, partitions)


class Topics:
    """The topics of a cluster: how many partitions each has, as far as anybody has asked for them."""

    def __init__(self) -> None:
        self.existing = dict.fromkeys(QUEUES, 2) | {EVENTS: 8, DEAD_LETTERS: 1}

    def partitions(self) -> dict[str, int]:
        return dict(self.existing)

    def ensure_topics(self, wanted: Collection[Topic]) -> None:
        self.existing |= {topic.name: topic.partitions for topic in wanted}


class Player:
    """A merger and its sweep on a kernel that it may share with others.

    Args:
        store: of the kernel.
        checkpoint: of the kernel.
        broker: of the kernel.
        clock: of the kernel.
        name: under which it holds leases.
        topics: of the kernel.
    """

    def __init__(
        self,
        store: MemoryStore,
        checkpoint: MemoryCheckpoint,
        broker: MemoryBroker,
        clock: Clock,
        name: str,
        topics: Topics,
    ) -> None:
        self.leases = LeaseKeeper(checkpoint, name)
        self.books = Books(store, checkpoint, clock)
        self.jobs = Jobs(
            store=store,
            checkpoint=checkpoint,
            books=self.books,
            publisher=broker,
            partitions=topics.partitions,
            clock=clock,
        )
        self.merger = Merger(
            store=store,
            checkpoint=checkpoint,
            books=self.books,
            jobs=self.jobs,
            publisher=broker,
            leases=self.leases,
            first_wait=8.0,
            clock=clock,
            jitter=lambda: 0.5,
        )
        self.sweep = Sweep(
            store=store,
            checkpoint=checkpoint,
            books=self.books,
            jobs=self.jobs,
            merger=self.merger,
            leases=self.leases,
            backlog=broker,
            admin=topics,
            partitions=2,
            clock=clock,
        )


class Scene:
    """A merger on an in-memory kernel, with an assembly that only counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = MemoryStore()
        self.clock = Clock()
        self.clock.now = 2000.0
        self.checkpoint = MemoryCheckpoint(self.clock)
        self.broker = Broker(self.store, partitions=2)
        self.topics = Topics()
        self.assembled: list[str] = []
        self.failure: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        """Called in the middle of an assembly."""
        player = self.player("merger-1")
        self.leases, self.books, self.jobs = player.leases, player.books, player.jobs
        self.merger, self.sweeper = player.merger, player.sweep
        monkeypatch.setattr(merge, "assemble", self.assemble)
        monkeypatch.setattr(excerpt, "assemble", self.assemble)
        for module in (books, jobs, merge, sweep):
            monkeypatch.setattr(module, "logger", structlog.get_logger())

    def player(self, name: str) -> Player:
        """Return one more merger on the same servers."""
        return Player(self.store, self.checkpoint, self.broker, self.clock, name, self.topics)

    def assemble(
        self,
        plan: Plan,
        store: ObjectStore,
        *,
        stem: str = "book",
        cancelled: threading.Event | None = None,
        fence: Callable[[], object] = lambda: None,
    ) -> Report:
        """Stand for the real assembly."""
        self.assembled.append(plan.book_id if stem == "book" else f"{stem}: {plan.title}")
        assert cancelled is not None
        if self.failure is not None:
            raise self.failure
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        fence()
        store.put(OUTPUT, bytes(3000))
        return REPORT

    def planned(self, *made: int) -> bool:
        """Announce the book, of which some parts are in storage already; say whether anything is to be done then."""
        put_plan(self.store, PLAN)
        for index in made:
            put_part(self.store, PLAN.parts[index])
        return self.merger.on_event(BookPlanned(book_id=BOOK)) is not None

    def make(self, index: int) -> bool:
        """Make a part, and let the merger hear of it."""
        put_part(self.store, PLAN.parts[index])
        return self.merger.on_event(a_part_done(PLAN.parts[index])) is not None

    def fail(self, index: int, **changes: object) -> bool:
        """Let the merger hear that a part cannot be made."""
        return self.merger.on_event(a_part_failed(PLAN.parts[index], **changes)) is not None

    def settle(self) -> None:
        """Let the time pass in which the jobs of a book are published."""
        self.clock.now += GRACE

    def sweep(self, times: int = 1) -> None:
        """Sweep as often, a second apart, and do what is to be done then."""
        for _ in range(times):
            self.clock.now += 1.0
            for work in self.sweeper.sweep():
                work.run()

    def during_the_reading(self, happen: Callable[[], object]) -> None:
        """Let something happen when the last part of the book has just been looked up in storage."""
        as_stored = self.books.as_stored

        def last(part: Part, bitrate: int) -> PartRecord:
            record = as_stored(part, bitrate)
            if part == PLAN.parts[-1]:
                self.books.as_stored = as_stored  # type: ignore[method-assign]
                happen()
            return record

        self.books.as_stored = last  # type: ignore[method-assign]

    def lose_after(self, question: str) -> None:
        """Let the checkpoint forget everything as soon as it has answered a question, a method, once more."""
        answer = getattr(self.checkpoint, question)

        def last(*arguments: object) -> object:
            setattr(self.checkpoint, question, answer)
            said = answer(*arguments)
            self.checkpoint.lose()
            return said

        setattr(self.checkpoint, question, last)

    def damage(self, *indices: int) -> None:
        """Let the next assembly find parts damaged."""
        self.failure = CorruptParts([PLAN.parts[index] for index in indices])

    @property
    def states(self) -> list[str]:
        return [record.state for record in self.checkpoint.parts(BOOK).values()]

    @property
    def record(self) -> PartRecord:
        """What is recorded of the first part."""
        return self.checkpoint.parts(BOOK)[0]

    def jobs_sent(self) -> list[tuple[str, int, int]]:
        """Return topic, part and attempt of each job that was published since the last time."""
        return [
            (topic, job.part.index, job.attempt)
            for topic in QUEUES
            for job in self.broker.take(topic)
            if isinstance(job, ChapterJob)
        ]

    @property
    def left(self) -> list[str]:
        """Books that the sweep finds are to be concluded."""
        return [work.name.removeprefix("assembly/") for work in self.merger.unconcluded()]

    @property
    def stage(self) -> str:
        book = self.checkpoint.book(BOOK)
        return book.stage if book else "unknown"

    @property
    def published(self) -> list[Message]:
        return self.broker.messages(EVENTS)
