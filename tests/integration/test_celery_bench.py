"""The Celery version that e2a is compared with makes the same book, and nothing twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.celery import app, books, coordinator, said
from e2a.plan import Plan
from e2a.storage import DirectoryStore, keys
from producer.ingest import missing_parts
from tests.stores import directory_store


@pytest.fixture
def stored(redis: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Plan, DirectoryStore]]:
    """Yield a book of two chapters and three parts and where it is stored; tasks run in this process."""
    for name, value in {"REDIS_URL": redis, "STORAGE": tmp_path / "storage", "ENGINE": "counted"}.items():
        monkeypatch.setenv(f"E2A_{name}", str(value))
    said.install(tmp_path / "engine")
    monkeypatch.syspath_prepend(str(tmp_path / "engine"))
    app.app.conf.task_always_eager = True
    plan = books.store(books.make(tmp_path / "book.epub", (1, 2)), tmp_path / "storage")
    yield plan, directory_store(tmp_path / "storage", 5.0)
    app.app.conf.task_always_eager = False


def test_a_book_is_made_once(stored: tuple[Plan, DirectoryStore], redis: str, tmp_path: Path) -> None:
    """The coordinator has every sentence said once; given a book again of which one part is gone, only that part."""
    plan, store = stored
    lines = said.Said(plan, tmp_path / "storage")
    coordinator.wait(plan, store, redis, again=0.0)
    lines.read()
    assert (missing_parts(plan, store), lines.progress, lines.spoken) == ([], 1.0, 1.0)
    lost = plan.parts[1]
    store.delete(keys.part_sidecar(lost.digest))
    coordinator.wait(plan, store, redis, again=0.0)
    said_once = len(lines.lines)
    lines.read()
    assert [line.text for line in lines.lines[said_once:]] == [sentence.say for sentence in lost.sentences]
    assert missing_parts(plan, store) == []
