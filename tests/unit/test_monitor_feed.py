"""The feed: what all pages read, of one cluster in memory."""

import threading
from collections.abc import Callable, Iterator

import pytest

from e2a.checkpoint import BookRecord, PartRecord, QueuedWork, QueueRecord, Stage, WorkerRecord
from e2a.errors import Unavailable
from e2a.messages import DeadLetter
from e2a.plan import Accounting, Retake
from e2a.report import Report, ReportedChapter, ReportedFile
from e2a.settings import MonitorSettings
from e2a.shelf import change_order
from e2a.storage import keys
from e2a.testing import Clock, MemoryBroker, MemoryCheckpoint, MemoryStore
from e2a.topics import CHAPTERS, DEAD_LETTERS, EVENTS
from monitor import feed as module
from monitor.feed import Feed, open_feed
from monitor.records import Agreement, BookPage
from tests.servers import wait_until
from tests.unit.builders import (
    BOOK,
    a_book_record,
    a_part_done,
    a_part_record,
    a_plan,
    a_worker_record,
    put_part,
    put_plan,
)

OTHER = "aaaa000000000001"
PLAN = a_plan((2, 1), accounting=Accounting(characters=9, spoken=9), problems=("odd",))
RETAKE = Retake(sentence=0, start=0.5, text="No.", takes=2, flaws=("too-short",))


class Checkpoint(MemoryCheckpoint):
    """A checkpoint that goes away when told to."""

    away = ""

    def _refuse(self) -> None:
        if self.away:
            raise Unavailable(self.away)

    def stages(self) -> dict[str, Stage]:
        self._refuse()
        return super().stages()

    def book(self, book_id: str) -> BookRecord | None:
        self._refuse()
        return super().book(book_id)

    def workers(self) -> list[WorkerRecord]:
        self._refuse()
        return super().workers()

    def queue(self) -> QueueRecord | None:
        self._refuse()
        return super().queue()

    def parts(self, book_id: str) -> dict[int, PartRecord]:
        self._refuse()
        return super().parts(book_id)


class Store(MemoryStore):
    """A store that goes away when told to."""

    away = ""

    def get(self, key: str) -> bytes:
        if self.away:
            raise Unavailable(self.away)
        return super().get(key)

    def list(self, prefix: str) -> Iterator[str]:
        if self.away:
            raise Unavailable(self.away)
        return super().list(prefix)


class Cluster:
    """One book with a part that is done, one in hand and one to be tried again."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.now = 1010.0
        self.checkpoint = Checkpoint(self.clock)
        self.store = Store()
        self.broker = MemoryBroker(2, self.clock)
        put_plan(self.store, PLAN)
        put_part(self.store, PLAN.parts[0])
        self.checkpoint.seed(
            a_book_record(last_update=1009.0),
            {
                0: a_part_record("done", audio_seconds=9.0, worker="gpu-0", retakes=(RETAKE,)),
                1: a_part_record(),
                2: a_part_record(chapter=1, attempts=1, retry_at=1020.0, reason="out of memory", worker="gpu-0"),
            },
        )
        self.broker.send(EVENTS, [a_part_done(audio_seconds=9.0, work_seconds=3.0)])
        self.clock.now += 1
        self.work()
        self.feed = self.open()

    def open(self) -> Feed:
        return Feed(
            checkpoint=self.checkpoint,
            store=self.store,
            events=self.broker.event_tail(),
            letters=self.broker.letter_tail(),
            clock=self.clock,
            keep=1.0,
        )

    def work(self, **changes: object) -> None:
        """Let the worker say that it is at the second part."""
        at = {"book_id": BOOK, "part": 1, "last_seen": self.clock.now, "audio_seconds": 9.0, "work_seconds": 3.0}
        self.checkpoint.heartbeat(a_worker_record(**(at | changes)))

    def page(self) -> BookPage:
        found = self.feed.book(BOOK)
        assert found is not None
        return found


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    cluster.feed.read()
    return cluster


def test_shelf(cluster: Cluster) -> None:
    """A row has what the checkpoint says, who is at the book, and when it is ready."""
    (row,) = cluster.feed.shelf()
    assert (row.title, row.condition, row.parts, row.parts_done, row.retries) == ("Emma", "synthesising", 3, 1, 1)
    assert (row.chapters, row.chapters_running, row.chapters_queued) == (2, 1, 1)
    assert row.eta == (pytest.approx(18 / 3), pytest.approx(18 / (9 / 11)))


def test_book(cluster: Cluster) -> None:
    """A page has the same row, all chapters and parts, what was said again, and what the plan says."""
    page = cluster.page()
    assert page.row == cluster.feed.shelf()[0]
    assert [cell.state for cell in page.cells] == ["done", "running", "retry"]
    assert [(row.title, row.state) for row in page.chapters] == [("Chapter 1", "running"), ("Chapter 2", "retry")]
    assert [retake.text for retake in page.retakes] == ["No."]
    assert (page.accounting, page.problems) == (PLAN.accounting, ("odd",))


def test_book_that_is_finished(cluster: Cluster) -> None:
    """A finished book has its files, how loud its chapters are, and what it lacks."""
    key = keys.output(BOOK, "book.m4b")
    report = Report(
        book_id=BOOK,
        title="Emma",
        output=key,
        audio_seconds=9.0,
        audio_bytes=5,
        files=(ReportedFile(format="m4b", key=key, name=".m4b", size=5),),
        problems=("odd", "no captions"),
        chapters=tuple(ReportedChapter(title="", start=0.0, seconds=1.0, loudness=each) for each in (-19.0, -18.0)),
    )
    cluster.store.put(key, bytes(5))
    cluster.store.put(keys.report(BOOK), report.model_dump_json().encode())
    cluster.checkpoint.update_book(BOOK, lambda book: book.model_copy(update={"stage": "done"}))
    cluster.feed.read()
    page = cluster.page()
    assert (page.row.condition, page.row.files) == ("done", report.files)
    assert [chapter.loudness for chapter in page.chapters] == [-19.0, -18.0]
    assert page.problems == ("odd", "no captions")


def test_book_that_nobody_knows(cluster: Cluster) -> None:
    """There is no page of a book that is neither recorded nor stored, nor of its parts."""
    assert cluster.feed.book("../../etc") is None
    assert cluster.feed.part(OTHER, 0) is None
    assert cluster.feed.part(BOOK, 99) is None
    nothing = Agreement(book_id="../..", title="", parts=0, recorded=0, told=0, stored=0)
    assert cluster.feed.agreement("../..") == nothing


def test_book_that_only_storage_knows(cluster: Cluster) -> None:
    """Of a Redis that was emptied the books are still shown, without their parts."""
    cluster.checkpoint.lose()
    cluster.feed.read()
    cluster.clock.now += 2
    cluster.feed.read()
    (row,) = cluster.feed.shelf()
    assert (row.title, row.condition, row.parts, row.age) == ("Emma", "submitted", 0, None)
    assert cluster.page() == BookPage(row=row, chapters=(), cells=(), retakes=())


def test_what_happens_is_shown(cluster: Cluster) -> None:
    """What is done meanwhile is on the page once the reading is old, and not before."""
    cluster.page()
    cluster.checkpoint.update_part(BOOK, 1, lambda part: part.model_copy(update={"state": "done"}))
    assert cluster.page().row.parts_done == 1
    cluster.clock.now += 1.1
    assert cluster.page().row.parts_done == cluster.feed.shelf()[0].parts_done == 2


def test_part(cluster: Cluster) -> None:
    """A part has its text, where it is stored, and what became of it."""
    part = cluster.feed.part(BOOK, 0)
    assert part is not None
    assert (part.cell.state, part.digest, part.bitrate) == ("done", PLAN.parts[0].digest, PLAN.output.bitrate)
    assert part.text == ("This is part 0.",)
    assert [(event.time, event.outcome) for event in part.history] == [(1010.0, "done")]


def test_workers(cluster: Cluster) -> None:
    """A worker's row has the title of its book, and what is wanted of it."""
    cluster.checkpoint.set_wish("gpu-0", "drain")
    (row,) = cluster.feed.workers()
    assert (row.worker, row.state, row.title, row.wish) == ("gpu-0", "speaking", "Emma", "drain")


def test_timeline(cluster: Cluster) -> None:
    """A part in hand goes on from when it was first seen; parts that are done are there since they were told."""
    cluster.feed.workers()
    cluster.clock.now += 4
    cluster.work()
    found = cluster.feed.timeline(None)
    assert [(span.part, span.start, span.end, span.outcome) for span in found.spans] == [
        (0, 1007.0, 1010.0, "done"),
        (1, 1011.0, 1015.0, "running"),
    ]
    assert {span.title for span in found.spans} == {"Emma"}
    assert [(usage.worker, usage.busy) for usage in found.usage] == [("gpu-0", 7.0)]


def test_timeline_of_a_stretch_and_of_a_book(cluster: Cluster) -> None:
    """Only the last seconds, or only one book, are shown where that is asked."""
    cluster.broker.send(EVENTS, [a_part_done(book_id=OTHER, worker="gpu-1", audio_seconds=9.0, work_seconds=1.0)])
    cluster.feed.read()
    assert [span.book_id for span in cluster.feed.timeline(0.5).spans] == [OTHER, BOOK]
    last = cluster.feed.timeline(0.5)
    assert (last.start, last.end) == (1010.5, 1011.0)
    assert [span.outcome for span in cluster.feed.timeline(None, BOOK).spans] == ["done", "running"]
    assert {usage.worker for usage in cluster.feed.timeline(None, BOOK).usage} == {"gpu-0"}
    assert cluster.feed.timeline(None, "nobody's").spans == ()


def test_silent_worker_is_at_nothing(cluster: Cluster) -> None:
    """What a worker says that was not heard of for too long is not so any more."""
    cluster.clock.now += 60
    assert [cell.state for cell in cluster.page().cells] == ["done", "waiting", "retry"]
    assert [span.outcome for span in cluster.feed.timeline(None).spans] == ["done"]
    assert cluster.feed.shelf()[0].eta is None


def test_queue(cluster: Cluster) -> None:
    """The page of what waits has partitions, parts that are tried again, and dead letters."""
    work = QueuedWork(topic=CHAPTERS, partition=0, parts=2, seconds=20.0)
    cluster.checkpoint.set_queue(QueueRecord(taken=1005.0, work=(work,)))
    cluster.work(partitions=(0,))
    letters = [DeadLetter(book_id=BOOK, part=part, reason="no", source="merger", payload="") for part in (0, 1)]
    cluster.broker.send(DEAD_LETTERS, letters)
    put_plan(cluster.store, a_plan(book_id=OTHER))
    other = letters[0].model_copy(update={"book_id": OTHER})
    cluster.broker.send(DEAD_LETTERS, [other])
    cluster.feed.read()
    page = cluster.feed.queue()
    assert [(each.owner, each.parts) for each in page.partitions] == [("gpu-0", 2)]
    assert [(each.title, each.part, each.due) for each in page.retries] == [("Emma", 2, 1020.0)]
    assert [(entry.title, entry.since) for entry in page.letters] == [
        ("Emma", "not known"),  # of a book that only storage knows
        ("Emma", "waiting"),
        ("Emma", "done"),
    ]


def test_agreement(cluster: Cluster) -> None:
    """Checkpoint, events and storage are compared when somebody asks."""
    assert cluster.feed.agreement(BOOK) == Agreement(book_id=BOOK, title="Emma", parts=3, recorded=1, told=1, stored=1)
    put_part(cluster.store, PLAN.parts[2])
    assert cluster.feed.agreement(BOOK).unrecorded == (2,)


def test_redis_goes_away_and_comes_back(cluster: Cluster) -> None:
    """While Redis is away all rows stay, and the reason is said; then they are read again."""
    before = cluster.feed.shelf(), cluster.page(), cluster.feed.workers(), cluster.feed.queue()
    assert cluster.feed.reading("redis").taken == 1011.0
    cluster.checkpoint.away = "Redis r: refused"
    cluster.clock.now += 2
    rows, page, workers, queue = cluster.feed.shelf(), cluster.page(), cluster.feed.workers(), cluster.feed.queue()
    assert (rows[0].parts_done, page.cells, queue) == (1, before[1].cells, before[3])
    assert [worker.worker for worker in workers] == ["gpu-0"]
    assert cluster.feed.reading("redis").problem == "Redis r: refused"
    assert cluster.feed.reading("redis").taken == 1011.0
    with pytest.raises(Unavailable, match="refused"):
        cluster.feed.agreement(BOOK)
    cluster.checkpoint.away = ""
    cluster.clock.now += 2
    cluster.feed.shelf()
    cluster.feed.workers()
    assert (cluster.feed.reading("redis").taken, cluster.feed.reading("redis").problem) == (1015.0, "")


def test_redis_that_was_never_there(cluster: Cluster) -> None:
    """Without Redis the books of storage are shown, and nothing else is known."""
    cluster.checkpoint.away = "Redis r: refused"
    feed = cluster.open()
    feed.read()
    (row,) = feed.shelf()
    assert (row.title, row.condition) == ("Emma", "submitted")
    page = feed.book(BOOK)
    assert page is not None
    assert page.cells == ()
    assert (feed.workers(), feed.queue().taken) == ((), None)
    assert feed.reading("redis").taken is None


def test_storage_goes_away(cluster: Cluster) -> None:
    """While storage is away books and parts stay; only what was not read before is missing."""
    feed = cluster.open()
    cluster.store.away = "storage s: refused"
    feed.read()
    page, part = feed.book(BOOK), feed.part(BOOK, 0)
    assert page is not None
    assert part is not None
    assert (page.row.title, len(page.cells), page.accounting) == ("Emma", 3, None)
    assert (part.cell.state, part.text, part.digest) == ("done", (), "")
    assert feed.reading("storage").problem == "storage s: refused"
    with pytest.raises(Unavailable, match="refused"):
        feed.agreement(BOOK)


def test_orders_of_storage(cluster: Cluster) -> None:
    """A book that was paused shows as such, also when no merger runs that would record it."""
    change_order(cluster.store, BOOK, state="paused")
    cluster.feed.read()
    assert [row.condition for row in cluster.feed.shelf()] == ["paused"]


def opened(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Return a feed of the cluster that reads by itself."""
    made: dict[str, Callable[..., object]] = {
        "open_checkpoint": lambda _settings: cluster.checkpoint,
        "open_store": lambda _settings: cluster.store,
        "event_tail": lambda _server, _patience: cluster.broker.event_tail(),
        "letter_tail": lambda _server, _patience: cluster.broker.letter_tail(),
    }
    for name, make in made.items():
        monkeypatch.setattr(module, name, make)
    return open_feed(MonitorSettings(monitor_refresh=0.002))


def test_threads_read_all_the_time(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An opened feed reads events by itself, and storage whenever somebody looks, until it is closed."""
    monkeypatch.setattr(module, "PAUSE", 0.001)
    monkeypatch.setattr(module, "STORAGE_PAUSE", 0.001)
    before = threading.active_count()
    feed = opened(cluster, monkeypatch)
    wait_until(lambda: feed.agreement(BOOK).told == 1)
    cluster.broker.send(EVENTS, [a_part_done(part=1)])
    wait_until(lambda: feed.agreement(BOOK).told == 2)
    change_order(cluster.store, BOOK, urgent=True)
    wait_until(lambda: feed.shelf()[0].urgent)
    feed.close()
    wait_until(lambda: threading.active_count() == before)


def test_what_a_viewer_changed_is_looked_at_at_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who changes storage has it looked at now, however long it is until the next look."""
    monkeypatch.setattr(module, "STORAGE_PAUSE", 3600.0)
    feed = opened(cluster, monkeypatch)
    wait_until(lambda: feed.reading("storage").taken is not None)
    change_order(cluster.store, BOOK, urgent=True)
    feed.look_again()
    wait_until(lambda: feed.shelf()[0].urgent)
    feed.close()
