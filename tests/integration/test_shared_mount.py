"""A folder that two machines share as storage: two mounts of it, each with caches of its own."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from e2a.bus import KafkaServer
from e2a.plan import Sidecar
from e2a.report import Report
from tests.epubs import made_epub
from tests.mounts import OBJECTS, mounted, read, write
from tests.servers import require, wait_until
from tests.stack import Stack, stack
from tests.stores import directory_store

TIMES = 30
"""A reader reads each object so often while it is written."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder that is shared."""
    path = tmp_path / "storage"
    path.mkdir()
    return path


@pytest.fixture
def machines(folder: Path, tmp_path: Path) -> Iterator[list[Path]]:
    """Yield the folder as four machines see it."""
    with ExitStack() as mounted_here:
        yield [mounted_here.enter_context(mounted(folder, tmp_path / name)) for name in ("one", "two", "three", "four")]


def test_what_is_overwritten_from_two_machines_is_whole(folder: Path, machines: list[Path], tmp_path: Path) -> None:
    """Two machines put the same objects again and again: two others always find one of those that were put, whole,
    never none, never a part of one or of two; no other file is left."""
    finished = tmp_path / "finished"
    with ProcessPoolExecutor(4, get_context("spawn")) as processes:
        try:
            writers = [processes.submit(write, root, root.name, finished) for root in machines[:2]]
            store = directory_store(folder, patience=1)
            wait_until(lambda: all(store.size(key) for key in OBJECTS) or any(writer.done() for writer in writers))
            readers = [processes.submit(read, root, tmp_path / f"read by {root.name}", TIMES) for root in machines[2:]]
            makers = [reader.result() for reader in readers]
        finally:
            finished.touch()
        assert all(writer.result() > TIMES for writer in writers)
    assert makers == [{"one", "two"}, {"one", "two"}]
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(OBJECTS)


def test_who_reads_what_is_overwritten_reads_on(machines: list[Path]) -> None:
    """Who has an object open when his own machine puts another goes on in the one that he has; the name that the mount
    keeps it under is no object."""
    store = directory_store(machines[0])
    store.put("voices/one.clip", b"the old one")
    with (machines[0] / "voices/one.clip").open("rb", buffering=0) as reading:
        assert reading.read(4) == b"the "
        store.put("voices/one.clip", b"another")
        assert reading.read() == b"old one"
        assert list(store.list("voices/")) == ["voices/one.clip"]
        assert store.get("voices/one.clip") == b"another"


def test_machines_see_at_once_what_others_have_done(machines: list[Path]) -> None:
    """An object is there for a machine that has just missed it as soon as another has put it; its size is that of what
    was put last, and when it is deleted it is gone."""
    one, two = (directory_store(root) for root in machines[:2])
    key = "books/b1/order.json"
    assert (two.size(key), list(two.list("books/b1/"))) == (None, [])
    for data in (b"short", b"and longer", b"not so"):
        one.put(key, data)
        assert (two.size(key), two.get(key)) == (len(data), data)
        assert list(two.list("books/b1/")) == [key]
    one.delete(key)
    assert (two.size(key), list(two.list("books/b1/"))) == (None, [])
    with pytest.raises(KeyError):
        two.get(key)


def test_what_was_missed_is_looked_for_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of NFS goes on missing a name, or a folder, until what it lies in is opened: all is, from the top. Nor
    does it ask for the size of a file that is not opened: it is."""
    store = directory_store(tmp_path)
    store.put("books/b1/plan.json", b"{}")
    folders = [tmp_path, tmp_path / "books", tmp_path / "books/b1"]
    opened: list[Path] = []

    def look_into(folder: Path) -> Any:
        opened.append(folder)
        return scandir(folder)

    def find(path: Path, *arguments: Any, **options: Any) -> Any:
        if opened != folders:
            raise FileNotFoundError(path)
        return open_file(path, *arguments, **options)

    scandir, open_file = os.scandir, Path.open
    monkeypatch.setattr(os, "scandir", look_into)
    monkeypatch.setattr(Path, "open", find)
    for request, expected in ((store.get, b"{}"), (store.size, 2)):
        opened.clear()
        assert (request("books/b1/plan.json"), opened) == (expected, folders)


def worker_of(sidecar: Path) -> str:
    """Return who has spoken a part."""
    return Sidecar.model_validate_json(sidecar.read_bytes()).worker


def test_workers_on_two_machines_make_the_same_book(
    folder: Path, machines: list[Path], kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """Two workers, each on its own mount, one of which is killed in the middle, make the bytes of sequential
    mode; merger and producer have the folder itself."""
    require("ffmpeg")
    book = made_epub(tmp_path / "book.epub", chapters=6, characters=300)
    alone = Stack(tmp_path, KafkaServer("127.0.0.1:1"), "redis://127.0.0.1:1/0", STORAGE=tmp_path / "unused")
    with stack(tmp_path, kafka, redis, workers=0, partitions=2, STORAGE=folder, SIMULATED_RTF=0.03) as running:
        doomed, _ = (running.start("e2a-synth", WORKER_ID=root.name, STORAGE=root) for root in machines[:2])
        wait_until(lambda: len([worker for worker in running.checkpoint.workers() if worker.partitions]) == 2)
        producing = running.start("e2a-produce", str(book), "--output-dir", str(tmp_path / "together"))
        wait_until(lambda: "one" in {worker_of(sidecar) for sidecar in folder.glob("parts/*/*.json")})
        doomed.kill()
        expected = alone.produce(book, "--sequential", "--output-dir", tmp_path / "alone")
        assert producing.wait(120) == 0
    assert expected.returncode == 0, expected.stderr
    report = Report.model_validate_json((tmp_path / "together/book.report.json").read_bytes())
    assert {worker.worker for worker in report.workers} == {"one", "two"}
    assert (tmp_path / "together/book.m4b").read_bytes() == (tmp_path / "alone/book.m4b").read_bytes()
