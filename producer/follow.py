"""Following a book until it ends: a progress bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from e2a.checkpoint import BookRecord, Checkpoint, progress
from e2a.checkpoint import Progress as Numbers
from e2a.errors import Retryable
from e2a.report import Report
from e2a.storage import ObjectStore, keys, read_report

POLL = 0.5
LINE_EVERY = 5.0
"""Seconds between plain lines."""
BAR_WIDTH = 24
"""Width of the progress bar, in characters: beside it the numbers still fit in 80."""
PATIENCE = 10.0
"""Seconds without progress after which the reader is told who is missing."""

_NO_MERGER = "waiting for the merger: is e2a-merge running?"

Show = Callable[[Numbers, str], None]


def follow(checkpoint: Checkpoint, store: ObjectStore, book_id: str, *, before: BookRecord | None, show: Show) -> str:
    """Show a book's progress until it ends; return why it is not whole, or an empty string.

    A book whose report is in storage has ended, whatever the checkpoint has forgotten.

    Args:
        checkpoint: how far every book has got.
        store: where the report will be.
        book_id: of the book.
        before: its record before it was announced; whatever happens to it does not count until the merger has answered.
        show: called twice a second.
    """
    done, changed = 0, time.monotonic()
    while True:
        try:
            found = checkpoint.book(book_id)
            answered = found is not None and (before is None or found.resumed_at != before.resumed_at)
            book = found if answered else None
            numbers = progress(checkpoint.parts(book_id).values() if book else ())
            if numbers.done != done:
                done, changed = numbers.done, time.monotonic()
            note = _note(checkpoint, book, time.monotonic() - changed)
            ended = book is None and read_report(store, book_id) is not None
        except Retryable as error:
            book, numbers, note, ended = None, progress(()), f"waiting: {error}", False
        show(numbers, note)
        if ended or (book is not None and book.stage in {"done", "failed"}):
            return book.reason if book else ""
        time.sleep(POLL)


def follow_partial(store: ObjectStore, book_id: str, *, ask: Callable[[], object], show: Show) -> Report:
    """Have the merger put the finished chapters of a book into storage; return their report.

    Args:
        store: where the report will be.
        book_id: of the book.
        ask: asks the merger; again every `PATIENCE` seconds, for a merger that dies forgets what it was asked.
        show: called twice a second.
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
        except Retryable as error:
            note = f"waiting: {error}"
        show(progress(()), note)
        time.sleep(POLL)


def _note(checkpoint: Checkpoint, book: BookRecord | None, waited: float) -> str:
    if book is not None and book.stage == "assembling":
        return "assembling"
    if waited < PATIENCE:
        return ""
    if book is None:
        return _NO_MERGER
    at_work = {worker.book_id for worker in checkpoint.workers() if not worker.is_silent(time.time())}
    if not at_work:
        return "waiting for a worker: is e2a-synth running?"
    others = sorted(at_work - {"", book.book_id})
    if not others or book.book_id in at_work:
        return ""
    other = checkpoint.book(others[0])
    return f"waiting: the workers are at {other.title if other else others[0]!r}"


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
def display(console: Console, title: str) -> Iterator[Show]:
    """Yield a function that shows progress as suits the console."""
    clock = _Clock()
    if not console.is_terminal:
        yield _lines(console, clock)
        return
    console.print(title, style="bold", highlight=False, markup=False)
    columns = (
        BarColumn(BAR_WIDTH),
        TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold")),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=1.0)

        def show(numbers: Numbers, note: str) -> None:
            bar.update(
                task, completed=numbers.fraction if numbers.parts else 0.0, description=note or clock.line(numbers)
            )

        yield show


def _lines(console: Console, clock: "_Clock") -> Show:
    last_note, last_time = "", -LINE_EVERY

    def show(numbers: Numbers, note: str) -> None:
        nonlocal last_note, last_time
        now = time.monotonic()
        if now - last_time >= LINE_EVERY or note not in {"", last_note}:
            console.print(note or clock.line(numbers), highlight=False, soft_wrap=True, markup=False)
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
