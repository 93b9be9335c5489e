"""What the tests of the command share: books in storage, as the merger leaves them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from e2a.messages import BookPlanned
from e2a.plan import Output, Plan
from e2a.report import Report, ReportedChapter, ReportedFile
from e2a.settings import SynthSettings
from e2a.storage import DirectoryStore, ObjectStore, keys, read_plan
from e2a.testing import MemoryBroker, MemoryCheckpoint
from e2a.topics import EVENTS, QUEUES
from producer import ingest
from producer.making import Servers
from tests.stores import directory_store
from tests.unit.builders import a_book_record, a_part_record, put_part

Produce = Callable[..., int]
Complaint = Callable[[], str]
M4B = Output()


class Asked(list[tuple[Plan, SynthSettings]]):
    """Books that sequential mode is asked for, and how it would speak."""

    makers = 0
    reason = "not made"
    """Why they are not whole."""


def finish(book: Path, storage: Path, *, names: tuple[str, ...] = (".m4b",), output: Output = M4B, **said: Any) -> None:
    """Put a book into storage as the merger does when it is finished; its report says what is said."""
    store = directory_store(storage)
    options = ingest.Options(engine="simulated", output=output)
    put_files(store, ingest.store_book(ingest.prepare(book, options), store).book_id, names, **said)


def put_files(store: ObjectStore, book_id: str, names: tuple[str, ...] = (".m4b",), **said: Any) -> None:
    """Put the files of a finished book into storage, and a report that says what is said."""
    files = [
        ReportedFile(format=name.rpartition(".")[2], key=keys.output(book_id, f"{number}"), name=name, size=4)
        for number, name in enumerate(names)
    ]
    for file in files:
        store.put(file.key, b"book")
    given = {"book_id": book_id, "output": files[0].key, "audio_seconds": 3661.2, "audio_bytes": 4, "files": files}
    store.put(keys.report(book_id), Report(**(given | said)).model_dump_json().encode())


class Merger:
    """Kafka and Redis in memory, and a merger for whom one book is finished each time that somebody sleeps.

    It stands for the module `time` of `producer.follow`. Books with a title that is in `failures` fail.
    """

    def __init__(self, storage: Path) -> None:
        self.store = directory_store(storage)
        self.broker = MemoryBroker(2)
        self.checkpoint = MemoryCheckpoint(self.time)
        self.failures: dict[str, str] = {}
        self.waiting: list[str] = []
        self.now = 1000.0

    def servers(self) -> Servers:
        admin = SimpleNamespace(partitions=lambda: dict.fromkeys(QUEUES, 2))
        return Servers(admin, self.broker, self.checkpoint)  # type: ignore[arg-type]

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        announced = [each.book_id for each in self.broker.take(EVENTS) if isinstance(each, BookPlanned)]
        self.waiting += announced
        assert self.waiting, "somebody waits for nothing"
        self.conclude(self.waiting.pop(0))

    def conclude(self, book_id: str) -> None:
        plan = read_plan(self.store, book_id)
        assert plan
        reason = self.failures.get(plan.title, "")
        if not reason:
            put_files(self.store, book_id)
        record = a_book_record(
            book_id, title=plan.title, stage="failed" if reason else "done", reason=reason, resumed_at=self.now
        )
        states = {part.index: "failed" if reason and part.index else "done" for part in plan.parts}
        parts = {part.index: a_part_record(states[part.index], chapter=part.chapter) for part in plan.parts}
        self.checkpoint.seed(record, parts)


def submit(book: Path, storage: Path, chapters: int) -> tuple[Plan, DirectoryStore]:
    """Put a book into storage of which so many chapters are finished."""
    store = directory_store(storage)
    plan = ingest.store_book(ingest.prepare(book, ingest.Options(engine="simulated")), store)
    for chapter in plan.chapters[:chapters]:
        for part in chapter.parts:
            put_part(store, part)
    return plan, store


def excerpt(plan: Plan, store: ObjectStore, chapters: int) -> Report:
    """Put the first chapters of a book into storage as the merger does."""
    key = keys.output(plan.book_id, "partial.m4b")
    store.put(key, b"some")
    report = Report(
        book_id=plan.book_id,
        output=key if chapters else "",
        audio_seconds=61.0,
        audio_bytes=4,
        files=(ReportedFile(format="m4b", key=key, name=".m4b", size=4),) if chapters else (),
        chapters=tuple(ReportedChapter(title=f"{number}", start=0.0, seconds=1.0) for number in range(chapters)),
    )
    store.put(keys.partial_report(plan.book_id), report.model_dump_json().encode())
    return report
