"""What all pages read: Redis when they ask and the last reading is old, Kafka and storage in threads of their own.

One feed serves any number of viewers. None of its methods raises because a source is away: they give what was known
last, and `reading` says why that is all (docs/adr/0019).
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from pydantic import ValidationError

from e2a.bus import Dated, KafkaServer, Letter, Tail, event_tail, letter_tail
from e2a.checkpoint import BookRecord, Checkpoint, PartRecord, open_checkpoint
from e2a.errors import Unavailable
from e2a.settings import MonitorSettings
from e2a.storage import ObjectStore, open_store
from monitor.agreement import agreement
from monitor.archive import Archive
from monitor.crew import Crew, read_crew
from monitor.eta import Range, etas, since
from monitor.grid import cells, chapter_rows, retakes
from monitor.history import History
from monitor.kept import Kept, KeptByKey
from monitor.ledger import Known, Ledger, Opened, open_book
from monitor.once import once
from monitor.progress import Summary, by_interest, recorded_row, stored_row, summary, worker_row
from monitor.queue import Parts, queue_page
from monitor.records import (
    Agreement,
    BookPage,
    BookRow,
    PartPage,
    QueuePage,
    Reading,
    Source,
    Timeline,
    WorkerRow,
)
from monitor.timeline import timeline

PATIENCE = 5.0
"""Seconds to wait for Kafka or storage before it counts as away."""
PAUSE = 0.5
"""Seconds between two looks at the topics while nothing more is there."""
STORAGE_PAUSE = 3.0
"""Seconds between two looks at storage; ten times as long as a look takes where that is more."""
OPEN = 20
"""Most books, and most timelines, that are kept for viewers: of a book of 1,200 parts that takes 3 MB."""


class Feed:
    """Thread-safe.

    Args:
        checkpoint: how far books have got, who works and what waits.
        store: where books live.
        events: what has happened.
        letters: dead letters.
        clock: Unix time in seconds.
        keep: seconds for which a reading is served again.
    """

    def __init__(
        self,
        *,
        checkpoint: Checkpoint,
        store: ObjectStore,
        events: Tail[Dated],
        letters: Tail[Letter],
        clock: Callable[[], float] = time.time,
        keep: float = 1.0,
    ) -> None:
        self._checkpoint = checkpoint
        self._store = store
        self._clock = clock
        self._keep = keep
        self._history = History(events, letters, clock)
        self._archive = Archive(store, clock)
        self._closed = threading.Event()
        self._asked = threading.Event()
        self._asked.set()
        self._hurry = threading.Event()
        self._crew = Kept(self._read_crew, Crew(), clock, keep)
        self._books: Kept[Mapping[str, Known]] = Kept(Ledger(checkpoint, clock).read, {}, clock, keep)
        self._queue = Kept(self._read_queue, QueuePage(taken=None), clock, keep)
        self._shelf: Kept[tuple[BookRow, ...]] = Kept(self._make_shelf, (), clock, keep)
        self._pages: KeptByKey[str, BookPage | None] = KeptByKey(self._kept_page, OPEN)
        self._timelines: KeptByKey[tuple[float | None, str], Timeline] = KeptByKey(self._kept_timeline, OPEN)

    def read(self) -> None:
        """Read storage once, and Kafka to its end as of the last look at that: what `follow` does in threads."""
        while self._history.read():
            pass
        self._archive.read(self._books.get().keys())

    def follow(self) -> None:
        """Start the threads that read Kafka and storage from now on; they end with the process, or by `close`."""
        threading.Thread(target=self._follow_topics, name="topics", daemon=True).start()
        threading.Thread(target=self._follow_storage, name="storage", daemon=True).start()

    def close(self) -> None:
        """End the threads when they are done with what they are reading; what was read stays."""
        self._closed.set()
        self.look_again()

    def look_again(self) -> None:
        """Look at storage now, and not when it is time again: something there was changed."""
        self._asked.set()
        self._hurry.set()

    def reading(self, source: Source) -> Reading:
        """Return when a source was read last, and why it cannot be now."""
        if source == "kafka":
            return self._history.reading
        if source == "storage":
            return self._archive.reading
        kept: list[Kept[Crew] | Kept[Mapping[str, Known]] | Kept[QueuePage]] = [self._crew, self._books, self._queue]
        taken = max((each.taken for each in kept if each.taken is not None), default=None)
        return Reading(taken=taken, problem=max(kept, key=lambda each: each.tried or 0.0).problem)

    def shelf(self) -> tuple[BookRow, ...]:
        """Return all books in order of interest."""
        self._asked.set()
        return self._shelf.get()

    def book(self, book_id: str) -> BookPage | None:
        """Return a book, or None when there is none; of one that the checkpoint does not know only the row is known."""
        self._asked.set()
        return self._pages.get(book_id)

    def part(self, book_id: str, index: int) -> PartPage | None:
        """Return a part, or None when there is none; without text and digest where its plan cannot be read now."""
        page = self.book(book_id)
        cell = next((cell for cell in page.cells if cell.part == index), None) if page else None
        if cell is None:
            return None
        script = self._archive.script(book_id)
        history = self._history.of_part(book_id, index)
        if script is None or not 0 <= index < len(script.digests):
            return PartPage(cell=cell, digest="", bitrate=0, text=(), history=history)
        digest, text = script.digests[index], script.texts[index]
        return PartPage(cell=cell, digest=digest, bitrate=script.bitrate, text=text, history=history)

    def workers(self) -> tuple[WorkerRow, ...]:
        """Return all workers by name."""
        crew, titles, now = self._crew.get(), self._titles(), self._clock()
        return tuple(worker_row(each, crew.wishes.get(each.worker, "work"), titles, now) for each in crew.workers)

    def timeline(self, seconds: float | None, book_id: str = "") -> Timeline:
        """Return what happened in the last so many seconds, or in all that is known; of one book where one is named."""
        return self._timelines.get((seconds, book_id))

    def queue(self) -> QueuePage:
        """Return what waits, and what is wrong."""
        return self._queue.get()

    def agreement(self, book_id: str) -> Agreement:
        """Compare what checkpoint, events and storage say of a book now; nothing is said of one without a plan.

        Raises:
            Unavailable: the checkpoint or storage is away, or holds records of a version to come.
        """
        row = self._row(book_id)
        script = self._archive.script(book_id) if row else None
        if script is None and self._archive.reading.problem:
            raise Unavailable(self._archive.reading.problem)
        if row is None or script is None:
            return Agreement(book_id=book_id, title=row.title if row else "", parts=0, recorded=0, told=0, stored=0)
        try:
            parts = self._checkpoint.parts(book_id)
        except ValidationError as error:
            raise Unavailable(f"the records of {book_id} cannot be read: {error}") from error
        told = self._history.told(book_id)
        return agreement(row, script, parts, told=told, store=self._store)

    def _read_crew(self) -> Crew:
        return read_crew(self._checkpoint, self._crew.value, self._clock())

    def _read_queue(self) -> QueuePage:
        books, letters = self._books.get(), self._history.letters
        parts = Parts(self._titles(), self._records_of(letters, books), self._books.problem)
        queue, workers = self._checkpoint.queue(), self._crew.get().workers
        return queue_page(queue, workers, books, letters=letters, parts=parts, now=self._clock())

    def _records_of(
        self, letters: Sequence[Letter], books: Mapping[str, Known]
    ) -> dict[str, dict[int, PartRecord] | None]:
        """Return the records of the parts of letters, by book: None for a book that only storage knows."""
        found: dict[str, dict[int, PartRecord]] = defaultdict(dict)
        for letter in letters:
            book_id, index = letter.letter.book_id, letter.letter.part
            if index is not None and book_id in books and (part := self._checkpoint.part(book_id, index)):
                found[book_id][index] = part
        return dict.fromkeys(self._archive.facts.keys() - books.keys()) | found

    def _titles(self) -> dict[str, str]:
        return {row.book_id: row.title for row in self._shelf.get()}

    def _row(self, book_id: str) -> BookRow | None:
        return next((row for row in self._shelf.get() if row.book_id == book_id), None)

    def _make_shelf(self) -> tuple[BookRow, ...]:
        books, facts, now = self._books.get(), self._archive.facts, self._clock()
        made = self._history.made({book_id: since(each.book, now) for book_id, each in books.items()})
        ready = etas([(each.book, each.parts) for each in books.values()], self._crew.get().workers, made, now)
        recorded = [self._recorded(each.book, each.parts, ready.get(book_id)) for book_id, each in books.items()]
        return by_interest(
            [*recorded, *(stored_row(each, facts[each]) for each in sorted(facts.keys() - books.keys()))]
        )

    def _recorded(self, book: BookRecord, parts: Summary, eta: Range | None) -> BookRow:
        now = self._clock()
        at = {worker.chapter for worker in self._crew.get().at(book.book_id, now)}
        looked, facts = self._archive.reading.taken or 0.0, self._archive.facts.get(book.book_id)
        return recorded_row(book, parts, facts, looked=looked, at=at, eta=eta, now=now)

    def _kept_page(self, book_id: str) -> Kept[BookPage | None]:
        opened: Opened | None = None

        def read() -> BookPage | None:
            nonlocal opened
            opened = open_book(self._checkpoint, book_id, opened)
            return self._page(opened) if opened else self._bare(book_id)

        return Kept(read, self._bare(book_id), self._clock, self._keep)

    def _bare(self, book_id: str) -> BookPage | None:
        """Return what is known of a book without its parts."""
        row = self._row(book_id)
        return BookPage(row=row, chapters=(), cells=(), retakes=()) if row else None

    def _page(self, opened: Opened) -> BookPage:
        book, parts = opened.look.book, opened.parts
        row, script, facts = self._row(book.book_id), self._archive.script(book.book_id), self._archive.facts
        finished = facts[book.book_id].finished if book.book_id in facts else None
        at = {worker.part: worker.worker for worker in self._crew.get().at(book.book_id, self._clock())}
        found = cells(parts, at)
        return BookPage(
            row=self._recorded(book, summary(parts), row.eta if row else None),
            chapters=chapter_rows(book, found, finished.loudness if finished else ()),
            cells=found,
            retakes=retakes(book, parts),
            accounting=script.accounting if script else None,
            problems=finished.problems if finished else script.problems if script else (),
        )

    def _kept_timeline(self, key: tuple[float | None, str]) -> Kept[Timeline]:
        seconds, book_id = key
        now = self._clock()
        return Kept(
            lambda: self._read_timeline(seconds, book_id), Timeline(start=now, end=now), self._clock, self._keep
        )

    def _read_timeline(self, seconds: float | None, book_id: str) -> Timeline:
        now, crew, titles = self._clock(), self._crew.get(), self._titles()
        happenings, running = self._history.happenings, crew.spans(titles, now)
        live = {worker.worker: worker.started for worker in crew.heard(now)}
        if book_id:
            happenings = [each for each in happenings if each.book_id == book_id]
            running, live = [span for span in running if span.book_id == book_id], {}
        since = None if seconds is None else now - seconds
        return timeline(happenings, running, titles=titles, live=live, since=since, now=now)

    def _follow_topics(self) -> None:
        while not self._closed.is_set():
            if not self._history.read():
                self._closed.wait(PAUSE)

    def _follow_storage(self) -> None:
        """Look at storage for as long as somebody looks at books."""
        while not self._closed.is_set():
            self._asked.wait()
            self._asked.clear()
            self._hurry.clear()
            began = time.monotonic()
            self._archive.read(self._books.get().keys())
            self._hurry.wait(max(STORAGE_PAUSE, 10 * (time.monotonic() - began)))


@once
def shared(settings: MonitorSettings) -> Feed:
    """Return the feed of this process. Raises `UserError` when settings cannot be used together."""
    return open_feed(settings)


def open_feed(settings: MonitorSettings) -> Feed:
    """Return the feed of a cluster, which reads from now on. Raises `UserError` when settings cannot be used together.

    Whoever opens one keeps it: each has threads, and a memory, of its own.
    """
    feed = Feed(
        checkpoint=open_checkpoint(settings),
        store=open_store(settings.model_copy(update={"patience": PATIENCE})),
        events=event_tail(KafkaServer.of(settings), PATIENCE),
        letters=letter_tail(KafkaServer.of(settings), PATIENCE),
        keep=settings.monitor_refresh / 2,
    )
    feed.follow()
    return feed
