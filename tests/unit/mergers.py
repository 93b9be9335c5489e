"""A merger on an in-memory kernel, whose assembly only counts: what the tests of the merger play with."""

import threading
from collections.abc import Iterable

import pytest
import structlog

from e2a.checkpoint import LeaseKeeper
from e2a.messages import BookDone, BookPlanned, Message
from e2a.plan import Plan
from e2a.report import Report, ReportedFile
from e2a.storage import ObjectStore, keys
from e2a.testing import Clock, MemoryBroker, MemoryCheckpoint, MemoryStore
from e2a.topics import EVENTS
from merger import excerpt, merge
from merger.faults import CorruptParts
from merger.merge import Merger
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


class Scene:
    """A merger on an in-memory kernel, with an assembly that only counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = MemoryStore()
        self.checkpoint = MemoryCheckpoint(Clock())
        self.broker = Broker(self.store, partitions=2)
        self.assembled: list[str] = []
        self.failure: Exception | None = None
        leases = LeaseKeeper(self.checkpoint, "merger-1")
        self.merger = Merger(
            store=self.store, checkpoint=self.checkpoint, publisher=self.broker, leases=leases, partitions=2
        )
        monkeypatch.setattr(merge, "assemble", self.assemble)
        monkeypatch.setattr(excerpt, "assemble", self.assemble)
        monkeypatch.setattr(merge, "logger", structlog.get_logger())

    def assemble(
        self, plan: Plan, store: ObjectStore, *, stem: str = "book", cancelled: threading.Event | None = None
    ) -> Report:
        """Stand for the real assembly."""
        self.assembled.append(plan.book_id if stem == "book" else f"{stem}: {plan.title}")
        assert cancelled is not None
        if self.failure is not None:
            raise self.failure
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

    def fail(self, index: int) -> bool:
        """Let the merger hear that a part cannot be made."""
        return self.merger.on_event(a_part_failed(PLAN.parts[index])) is not None

    def damage(self, *indices: int) -> None:
        """Let the next assembly find parts damaged."""
        self.failure = CorruptParts([PLAN.parts[index] for index in indices])

    @property
    def states(self) -> list[str]:
        return [record.state for record in self.checkpoint.parts(BOOK).values()]

    @property
    def stage(self) -> str:
        book = self.checkpoint.book(BOOK)
        return book.stage if book else "unknown"

    @property
    def published(self) -> list[Message]:
        return self.broker.messages(EVENTS)
