"""What the tests of the command share: books in storage, as the merger leaves them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2a.plan import Output, Plan
from e2a.report import Report, ReportedChapter, ReportedFile
from e2a.settings import SynthSettings
from e2a.storage import DirectoryStore, ObjectStore, keys
from producer import ingest
from tests.unit.builders import put_part

Produce = Callable[..., int]
Complaint = Callable[[], str]
Asked = list[tuple[Plan, SynthSettings]]
M4B = Output()


def finish(book: Path, storage: Path, *, names: tuple[str, ...] = (".m4b",), output: Output = M4B, **said: Any) -> None:
    """Put a book into storage as the merger does when it is finished; its report says what is said."""
    store = DirectoryStore(storage, patience=0.01)
    options = ingest.Options(engine="simulated", output=output)
    book_id = ingest.store_book(ingest.prepare(book, options), store).book_id
    files = [
        ReportedFile(format=name.rpartition(".")[2], key=keys.output(book_id, f"{number}"), name=name, size=4)
        for number, name in enumerate(names)
    ]
    for file in files:
        store.put(file.key, b"book")
    given = {"book_id": book_id, "output": files[0].key, "audio_seconds": 3661.2, "audio_bytes": 4, "files": files}
    store.put(keys.report(book_id), Report(**(given | said)).model_dump_json().encode())


def submit(book: Path, storage: Path, chapters: int) -> tuple[Plan, DirectoryStore]:
    """Put a book into storage of which so many chapters are finished."""
    store = DirectoryStore(storage, patience=0.01)
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
