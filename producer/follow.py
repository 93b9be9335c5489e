"""Following books until they end: progress bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column

from e2a.checkpoint import STOPPED, BookRecord, Checkpoint, PartRecord, progress
from e2a.checkpoint import Progress as Numbers
from e2a.errors import ExitCode, Retryable, UserError
from e2a.report import Report
from e2a.storage import ObjectStore, has_plan, keys, read_report
from producer.terminal import printable

POLL = 0.5
LINE_EVERY = 5.0
"""Seconds between plain lines."""
BAR_WIDTH = 24
"""Width of the progress bar, in characters: beside it the numbers still fit in 80."""
TITLE_WIDTH = 16
"""Most characters of a title beside its bar, where several books have one each."""
PATIENCE = 10.0
"""Seconds without progress after which the reader is told who is missing."""

_NO_MERGER = "waiting for the merger: is e2a-merge running?"

Show = Callable[[Numbers, str], None]


class Look(NamedTuple):
    """A book at a moment."""

    numbers: Numbers
    note: str
    """What to say of it beside the numbers, or empty."""
    ended: bool = False
    reason: str = ""
    """Why it is not whole although it has ended."""


class Follower:
    """Looks at a book until it ends. One whose report is in storage has ended, whatever the checkpoint has forgotten;
    one whose plan is not there was removed.

    Args:
        checkpoint: how far every book has got.
        store: where the report will be.
        book_id: of the book.
        before: its record before it was announced; whatever happens to it does not count until the merger has answered.
    """

    def __init__(self, checkpoint: Checkpoint, store: ObjectStore, book_id: str, *, before: BookRecord | None) -> None:
        self._checkpoint = checkpoint
        self._store = store
        self._book_id = book_id
        self._before = before
        self._done = 0
        self._changed = time.monotonic()

    def look(self) -> Look:
        """Return how the book is now; a server that is away is waited for, which is said."""
        try:
            return self._look()
        except Retryable as error:
            return Look(progress(()), f"waiting: {error}")

    def _look(self) -> Look:
        found = self._checkpoint.book(self._book_id)
        answered = found is not None and (self._before is None or found.resumed_at != self._before.resumed_at)
        book = found if answered else None
        parts = self._checkpoint.parts(self._book_id) if book else {}
        numbers = progress(parts.values())
        if numbers.done != self._done:
            self._done, self._changed = numbers.done, time.monotonic()
        note = self._note(book, list(parts.values()))
        if (book is None or book.stage in STOPPED) and read_report(self._store, self._book_id) is not None:
            return Look(numbers, note, ended=True)
        if book is not None:
            return Look(numbers, note, *_end(book))
        if not has_plan(self._store, self._book_id):
            return Look(numbers, note, ended=True, reason="it was removed")
        return Look(numbers, note)

    def _note(self, book: BookRecord | None, parts: Sequence[PartRecord]) -> str:
        waited = time.monotonic() - self._changed >= PATIENCE
        if book is None:
            return _NO_MERGER if waited else ""
        if book.stage == "assembling":
            return "assembling"
        if book.stage == "paused":
            return f"paused: e2a-books resume {book.book_id}"
        pending = [part for part in parts if part.state == "pending"]
        retries = sum(part.retry_at > 0 for part in pending)
        if retries and (waited or retries == len(pending)):
            return "1 part waits to be tried again" if retries == 1 else f"{retries} parts wait to be tried again"
        return self._workers(book) if waited else ""

    def _workers(self, book: BookRecord) -> str:
        """Return why nothing is heard of a book for so long, as far as workers can be blamed."""
        workers = [worker for worker in self._checkpoint.workers() if not worker.is_silent(time.time())]
        if not workers:
            return "waiting for a worker: is e2a-synth running?"
        if all(worker.state == "drained" for worker in workers):
            return "waiting for a worker: all of them are drained"
        if troubled := [worker for worker in workers if worker.problem]:
            return f"{troubled[0].worker} waits: {troubled[0].problem}"
        others = sorted({worker.book_id for worker in workers} - {""})
        if not others or book.book_id in others:
            return ""
        other = self._checkpoint.book(others[0])
        return f"waiting: the workers are at {other.title if other else others[0]!r}"


def follow(followed: Iterable[tuple[Follower, Show]]) -> Iterator[tuple[int, Look]]:
    """Show the progress of books until all have ended, twice a second; yield each of them as soon as it has.

    Yields:
        The book's place among those followed, from 0, and how it was at the end.
    """
    left = dict(enumerate(followed))
    while left:
        for number, (follower, show) in list(left.items()):
            look = follower.look()
            show(look.numbers, look.note)
            if look.ended:
                del left[number]
                yield number, look
        if left:
            time.sleep(POLL)


def _end(book: BookRecord) -> tuple[bool, str]:
    """Return whether a book has ended, and why it is not whole."""
    if book.stage == "cancelled":
        return True, "it was cancelled; the same command again goes on"
    return book.stage in {"done", "failed"}, book.reason


def follow_partial(store: ObjectStore, book_id: str, *, ask: Callable[[], object], show: Show) -> Report:
    """Have the merger put the finished chapters of a book into storage; return their report.

    Args:
        store: where the report will be.
        book_id: of the book.
        ask: asks the merger; again every `PATIENCE` seconds, for a merger that dies forgets what it was asked.
        show: called twice a second.

    Raises:
        UserError: the book was removed (exit code NO_INPUT).
    """
    began = time.monotonic()
    asked: float | None = None
    while True:
        now = time.monotonic()
        note = "assembling" if now - began < PATIENCE else _NO_MERGER
        try:
            if asked is None or now - asked >= PATIENCE:
                ask()
                asked = now
            if report := read_report(store, book_id, keys.partial_report):
                return report
            if not has_plan(store, book_id):
                raise UserError(f"book {book_id} was removed", ExitCode.NO_INPUT)
        except Retryable as error:
            note = f"waiting: {error}"
        show(progress(()), note)
        time.sleep(POLL)


def remaining(numbers: Numbers, elapsed: float, at_start: float) -> tuple[float, float | None]:
    """Return the speed in audio seconds a second since following began, and the seconds left; None if unknown.

    Args:
        numbers: the book now.
        elapsed: seconds since following began.
        at_start: audio seconds that were done then.
    """
    speed = (numbers.seconds_done - at_start) / elapsed if elapsed > 0 else 0.0
    left = numbers.seconds_total - numbers.seconds_done
    return speed, left / speed if speed > 0 else None


def describe(numbers: Numbers, speed: float, left: float | None) -> str:
    """Return one line: chapters, percent by audio seconds, speed, time left."""
    eta = "-:--:--" if left is None else str(timedelta(seconds=round(left)))
    chapters = f"{numbers.chapters_done}/{numbers.chapters} chapters"
    pace = f"{speed:5.1f}" if speed > 0 else "    -"
    return f"{chapters}  {numbers.fraction:6.1%}  {pace}x real time  {eta} left"


@contextmanager
def display(console: Console, titles: Sequence[str]) -> Iterator[list[Show]]:
    """Yield for each book a function that shows its progress as suits the console."""
    titles = [printable(title) for title in titles]
    if not console.is_terminal:
        every = LINE_EVERY * len(titles)
        yield [_lines(console, _Clock(), f"{title}: " if len(titles) > 1 else "", every) for title in titles]
        return
    bar, description = BarColumn(BAR_WIDTH), _text("{task.description}", Column(overflow="fold"))
    columns: list[ProgressColumn] = [bar, description]
    if len(titles) == 1:
        console.print(titles[0], style="bold", highlight=False, markup=False)
    else:
        bar.bar_width = BAR_WIDTH // 3
        title = Column(no_wrap=True, overflow="ellipsis", max_width=TITLE_WIDTH)
        columns = [_text("{task.fields[title]}", title), bar, description]
    with Progress(*columns, console=console) as bars:
        yield [_bar(bars, _Clock(), title) for title in titles]


def _text(template: str, column: Column) -> TextColumn:
    return TextColumn(template, markup=False, table_column=column)


def _bar(bars: Progress, clock: "_Clock", title: str) -> Show:
    task = bars.add_task("", total=1.0, title=title)

    def show(numbers: Numbers, note: str) -> None:
        bars.update(task, completed=numbers.fraction if numbers.parts else 0.0, description=note or clock.line(numbers))

    return show


def _lines(console: Console, clock: "_Clock", head: str, every: float) -> Show:
    last_note, last_time = "", -every

    def show(numbers: Numbers, note: str) -> None:
        nonlocal last_note, last_time
        now = time.monotonic()
        if now - last_time >= every or note not in {"", last_note}:
            console.print(head + (note or clock.line(numbers)), highlight=False, soft_wrap=True, markup=False)
            last_note, last_time = note, now

    return show


class _Clock:
    """Remembers what there was when the first numbers came."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None

    def line(self, numbers: Numbers) -> str:
        if not numbers.parts:
            return "starting"
        now = time.monotonic()
        if self._began is None or numbers.seconds_done < self._began[1]:
            self._began = now, numbers.seconds_done
        return describe(numbers, *remaining(numbers, now - self._began[0], self._began[1]))
