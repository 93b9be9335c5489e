"""What e2a-produce does beside making books: shows what would be read or how far they are, fetches what is done."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from e2a.bus import Admin, KafkaPublisher, KafkaServer
from e2a.checkpoint import open_checkpoint, view
from e2a.errors import ExitCode, Retryable, UserError
from e2a.messages import PartialWanted
from e2a.plan import Plan
from e2a.report import Report
from e2a.settings import ProducerSettings
from e2a.storage import ObjectStore, keys, open_store, read_plan, read_report
from e2a.topics import EVENTS
from producer import delivery, follow, ingest, making, preview, terminal
from producer.making import PROGRAM, Summary, Wish
from producer.terminal import console, say

Look = Callable[[Wish, Path, bool], None]
"""Does something with a book; the last argument says whether there are several."""


def in_turn(look: Look, wish: Wish, paths: Sequence[Path]) -> int:
    """Do something with one book after another; of several an odd one stops no other. Return the exit code."""
    if len(paths) == 1:
        look(wish, paths[0], False)
        return ExitCode.OK
    codes = []
    for path in paths:
        try:
            look(wish, path, True)
        except (UserError, Retryable) as error:
            terminal.complain(PROGRAM, error, str(path), [str(path)])
            codes.append(terminal.code_for(error))
    return terminal.code_of(codes)


def list_chapters(wish: Wish, path: Path, several: bool) -> None:
    """Show what would be read of a book and why."""
    table = preview.section_table(ingest.draft(path, wish.options))
    _head(path, several)
    console.print(table)


def dry_run(wish: Wish, path: Path, several: bool) -> None:
    """Show where every character of a book would go."""
    summary = preview.summary(ingest.prepare(path, wish.options).plan)
    _head(path, several)
    console.print(summary)


def print_status(wish: Wish, path: Path, several: bool) -> None:
    """Print how far a book has got, as JSON; where there are several each says which it is."""
    plan = ingest.prepare(path, wish.options).plan
    checkpoint = open_checkpoint(wish.settings)
    record = checkpoint.book(plan.book_id)
    if record is None:
        store = open_store(wish.settings)
        if read_plan(store, plan.book_id) is None:
            raise UserError(f"{plan.title!r} was not submitted with these options", ExitCode.NO_INPUT)
        said = "is finished" if read_report(store, plan.book_id) else "is submitted"
        todo = "the checkpoint does not know it: run the same command without --status"
        raise UserError(f"{plan.title!r} {said}, but {todo}", ExitCode.UNAVAILABLE)
    seen = view(record, checkpoint.parts(plan.book_id), checkpoint.workers(), time.time())
    console.print_json(data={"book": str(path), **seen} if several else seen)


def fetch_partial(wish: Wish, path: Path, several: bool) -> None:
    """Fetch the chapters that are finished of a book that was submitted; all of it when it is finished."""
    plan = ingest.prepare(path, wish.options).plan
    base = wish.places.take(path, [delivery.PARTIAL])
    store = making.open_checked_store(wish.settings)
    if read_report(store, plan.book_id):
        making.deliver(Summary.of(plan), store, base, plan.title if several else "")
        return
    stored = read_plan(store, plan.book_id)
    if stored is None:
        raise UserError(f"{plan.title!r} was not submitted with these options", ExitCode.NO_INPUT)
    report: Report | None = None
    if ingest.is_whole(stored.chapters[0], stored, store):
        if wish.sequential:
            report = making.sequential_mode().partial(stored, store)
        else:
            report = _partial(wish.settings, stored, store)
    if report is None or not report.chapters:
        raise Retryable(f"the first chapter of {plan.title!r} is not finished yet; run the same command again later")
    say(delivery.deliver_partial(report, store, base, len(stored.chapters)))


def _partial(settings: ProducerSettings, plan: Plan, store: ObjectStore) -> Report:
    """Have the merger assemble what is finished of a book; return its report."""
    making.require(Admin(KafkaServer.of(settings), settings.patience).partitions)
    publisher = KafkaPublisher(KafkaServer.of(settings), settings.patience)
    wanted = PartialWanted(book_id=plan.book_id)
    store.delete(keys.partial_report(plan.book_id))
    with follow.display(console, [plan.title]) as (show,):
        return follow.follow_partial(store, plan.book_id, ask=lambda: publisher.send(EVENTS, [wanted]), show=show)


def _head(path: Path, several: bool) -> None:
    if several:
        say(str(path))
