"""The books of a cluster, and what its owner may do with them.

Storage is the truth: what is wanted of a book is written there first, and told to the merger after. So everything here
may be done again, also after it was cut short.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, TypeVar

from e2a.bus import Publisher
from e2a.checkpoint import (
    PART,
    BookRecord,
    Checkpoint,
    PartRecord,
    Progress,
    Stage,
    WorkerRecord,
    assembly_lease,
    excerpt_lease,
    part_lease,
    part_record,
    progress,
)
from e2a.errors import ExitCode, Unavailable, UserError
from e2a.messages import BookChanged, PartsWanted
from e2a.plan import Order, Plan
from e2a.storage import ObjectStore, book_ids, has_plan, keys, read_order, read_plan, read_report, read_sidecar
from e2a.topics import EVENTS

LEAST = 4
"""Characters of a book's id, or of its title, that may stand for it."""
POLL = 0.25
"""Seconds between looks whether a book that is being removed is let go."""
Condition = Stage | Literal["submitted", "incomplete", "removing"]
"""What is to be said of a book beside its stages: that only storage knows it, that it has no plan that can be read, or
that its removal is not finished."""
Result = TypeVar("Result")


class Shelved(NamedTuple):
    """A book on the shelf."""

    book_id: str
    title: str
    """Empty where nobody knows it."""
    condition: Condition
    urgent: bool = False
    reason: str = ""
    """Why it failed."""
    numbers: Progress | None = None
    """None where the checkpoint does not know the book, or cannot be asked."""
    retries: int = 0
    """Parts that wait to be tried again."""

    @property
    def name(self) -> str:
        """Its title and its id, for people."""
        return f"{self.title!r} ({self.book_id})" if self.title else self.book_id


class Removal(NamedTuple):
    """What became of the parts of a book that was removed."""

    removed: int
    shared: int = 0
    """How many stay because another book has them too."""
    unfinished: str = ""
    """Why the book has to be removed again; empty when nothing of it is left, nor will come back."""


class Shelf:
    """All books. Methods raise `Unavailable` when storage is away, or Kafka where something is to be told.

    What changes a book but for its removal raises `UserError` when it is finished (exit code USAGE), or has no plan
    (NO_INPUT).

    Args:
        store: where books live.
        checkpoint: how far they have got; what only it knows is left out while it is away.
        publisher: how the merger hears of a change.
    """

    def __init__(self, store: ObjectStore, checkpoint: Checkpoint, publisher: Publisher) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._publisher = publisher
        self.problem = ""
        """Why the checkpoint could not be asked the last time; it is not asked again until the next `books`."""

    def find(self, reference: str) -> str:
        """Return the id of the book that is meant.

        Args:
            reference: its id or its title, or the beginning of the one or a part of the other, of `LEAST` characters.

        Raises:
            UserError: no book is meant (exit code NO_INPUT), or several are (USAGE); they are named.
        """
        titles = {book_id: self.title(book_id) for book_id in self._ids()}
        if reference in titles:
            return reference
        wanted = reference.casefold()
        named = [book_id for book_id, title in titles.items() if title.casefold() == wanted]
        found = named or [
            book_id
            for book_id, title in titles.items()
            if len(wanted) >= LEAST and (book_id.startswith(wanted) or wanted in title.casefold())
        ]
        if not found:
            raise UserError(f"{reference!r}: no such book; e2a-books list shows those there are", ExitCode.NO_INPUT)
        if len(found) > 1:
            several = ", ".join(f"{book_id} {titles[book_id]!r}" for book_id in found)
            raise UserError(f"{reference!r} may be any of {several}", ExitCode.USAGE)
        return found[0]

    def books(self) -> list[Shelved]:
        """Return all books: urgent ones first, then the first submitted first; those nobody knows of come last."""
        self.problem = ""
        known = {book_id: turn for turn, book_id in enumerate(self._ask(self._checkpoint.stages) or ())}
        ids = sorted(self._ids(), key=lambda book_id: (known.get(book_id, len(known)), book_id))
        return [self.book(book_id) for book_id in ids]

    def book(self, book_id: str) -> Shelved:
        """Return a book as it is now."""
        order = read_order(self._store, book_id)
        record = self._record(book_id)
        parts = self._ask(lambda: self._checkpoint.parts(book_id)) or {}
        return Shelved(
            book_id,
            self.title(book_id),
            self._condition(book_id, order, record),
            urgent=order.urgent,
            reason=record.reason if record else "",
            numbers=progress(parts.values()) if parts else None,
            retries=sum(part.retry_at > 0 for part in parts.values()),
        )

    def title(self, book_id: str) -> str:
        """Return the title of a book, or an empty string where nobody knows it."""
        if record := self._record(book_id):
            return record.title
        plan = self.plan(book_id) or self._retired(book_id)
        return plan.title if plan else ""

    def plan(self, book_id: str) -> Plan | None:
        """Return the plan of a book, or None where there is none that can be read."""
        return read_plan(self._store, book_id)

    def workers(self, book_id: str) -> list[WorkerRecord]:
        """Return the workers that are at a book, and were heard of lately."""
        workers = self._ask(self._checkpoint.workers) or []
        return [worker for worker in workers if worker.book_id == book_id and not worker.is_silent(time.time())]

    def parts(self, plan: Plan) -> dict[int, PartRecord]:
        """Return how far the parts of a book have got; where the checkpoint does not say, whether they are stored."""
        known = self._ask(lambda: self._checkpoint.parts(plan.book_id))
        bitrate = plan.output.bitrate
        return known or {
            part.index: part_record(part, read_sidecar(self._store, part.digest, bitrate), bitrate)
            for part in plan.parts
        }

    def records(self, book_id: str) -> dict[int, PartRecord]:
        """Return how far the parts of a book have got; none when it has no plan."""
        plan = self.plan(book_id)
        return self.parts(plan) if plan else {}

    def pause(self, book_id: str) -> None:
        """Have nobody begin another part of a book until it is resumed."""
        self._change(book_id, state="paused")

    def resume(self, book_id: str) -> None:
        """Go on with a book that was paused or cancelled."""
        self._change(book_id, state="wanted")

    def cancel(self, book_id: str) -> None:
        """Give a book up; what is spoken of it stays."""
        self._change(book_id, state="cancelled")

    def set_urgent(self, book_id: str, urgent: bool) -> None:
        """Have a book made before the others, or when its turn comes."""
        self._change(book_id, urgent=urgent)

    def retry(self, book_id: str, parts: Sequence[int] = ()) -> None:
        """Have parts that have failed tried again: all of a book when none is named."""
        self._require_unfinished(book_id)
        self._publisher.send(EVENTS, [PartsWanted(book_id=book_id, parts=tuple(parts))])

    def remove(self, book_id: str, patience: float = 0.0) -> Removal:
        """Remove a book, and its parts but for those that other books have too; voices stay.

        Its plan goes first, so that nobody begins another part once the merger has forgotten the book. It is kept
        under another name until nothing of the book can come back, so the next removal finishes this one.

        Args:
            book_id: of the book.
            patience: seconds to wait for merger and workers to let go of it, before what they hold stays.
        """
        retired = self._retire(book_id)
        self._tell(book_id)
        parts = {part.digest for part in retired.parts} if retired else set()
        self._await(book_id, parts, patience)
        kept = keys.book(book_id, keys.REMOVED)
        for key in list(self._below(keys.book(book_id, ""))):
            if key != kept:
                self._store.delete(key)
        removal = self._remove_parts(book_id, parts)
        if not removal.unfinished:
            self._store.delete(kept)
        return removal

    def _ids(self) -> Iterator[str]:
        """Yield the ids of all books; a directory of which everything was removed is none."""
        for book_id in book_ids(self._store):
            names = (keys.PLAN, keys.REMOVED, keys.SOURCE)
            if any(self._store.size(keys.book(book_id, name)) is not None for name in names):
                yield book_id

    def _ask(self, question: Callable[[], Result]) -> Result | None:
        """Return what the checkpoint says; None while it is away."""
        if not self.problem:
            try:
                return question()
            except Unavailable as error:
                self.problem = str(error)
        return None

    def _record(self, book_id: str) -> BookRecord | None:
        return self._ask(lambda: self._checkpoint.book(book_id))

    def _condition(self, book_id: str, order: Order, record: BookRecord | None) -> Condition:
        if not has_plan(self._store, book_id):
            retired = self._store.size(keys.book(book_id, keys.REMOVED)) is not None
            return "removing" if retired else "incomplete"
        if (record and record.stage == "done") or read_report(self._store, book_id):
            return "done"
        if order.state != "wanted":
            return order.state
        if record:
            return record.stage
        return "submitted" if read_plan(self._store, book_id) else "incomplete"

    def _require_unfinished(self, book_id: str) -> None:
        if not has_plan(self._store, book_id):
            said = "has no plan in storage: submit it again, or remove it"
            raise UserError(f"{self.title(book_id)!r} ({book_id}) {said}", ExitCode.NO_INPUT)
        if read_report(self._store, book_id):
            raise UserError(f"{self.title(book_id)!r} ({book_id}) is finished", ExitCode.USAGE)

    def _change(self, book_id: str, **change: object) -> None:
        self._require_unfinished(book_id)
        change_order(self._store, book_id, **change)
        self._tell(book_id)

    def _tell(self, book_id: str) -> None:
        try:
            self._publisher.send(EVENTS, [BookChanged(book_id=book_id)])
        except Unavailable as error:
            raise Unavailable(f"nobody was told: {error}; the same command again does") from error

    def _retired(self, book_id: str) -> Plan | None:
        return read_plan(self._store, book_id, keys.REMOVED)

    def _retire(self, book_id: str) -> Plan | None:
        """Take the plan of a book away, and return it: from where it is kept when it was taken away before."""
        plan, kept = keys.book(book_id, keys.PLAN), keys.book(book_id, keys.REMOVED)
        try:
            self._store.put(kept, self._store.get(plan))
            self._store.delete(plan)
        except KeyError:
            if self._store.size(kept) is None:
                self._store.put(kept, b"{}")  # the removal of a book without a plan may be unfinished too
        return self._retired(book_id)

    def _await(self, book_id: str, parts: set[str], patience: float) -> None:
        """Wait until nobody holds a book, or for so many seconds; not at all while nobody can be asked."""
        deadline = time.monotonic() + patience
        while any(self._holders(book_id, parts)) and not self.problem and time.monotonic() < deadline:
            time.sleep(POLL)

    def _holders(self, book_id: str, parts: set[str]) -> tuple[set[str], list[str]]:
        """Return the parts that workers are at, and why something of the book may come back."""
        stage = self._ask(lambda: self._checkpoint.stage(book_id))
        leases = [*map(part_lease, parts), assembly_lease(book_id), excerpt_lease(book_id)]
        held = self._ask(lambda: self._checkpoint.held(leases)) or set()
        busy = {name.removeprefix(PART) for name in held if name.startswith(PART)}
        said = {
            f"nobody can say who is at it: {self.problem}": bool(self.problem),
            "the merger has not forgotten it: is e2a-merge running?": stage is not None,
            f"{len(busy)} of its parts in work": bool(busy),
            "the merger is assembling it": len(held) > len(busy),
        }
        return busy, [reason for reason, holds in said.items() if holds]

    def _below(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all objects below a prefix, however deep."""
        for key in self._store.list(prefix):
            if key.endswith("/"):
                yield from self._below(key)
            else:
                yield key

    def _remove_parts(self, book_id: str, parts: set[str]) -> Removal:
        doomed, unread = self._unshared(parts)
        busy, reasons = self._holders(book_id, doomed)
        if doomed and unread:
            reasons.append(f"its parts stay while the plan of {unread} cannot be read: submit that again, or remove it")
            return Removal(0, len(parts - doomed), "; ".join(reasons))
        folders: dict[str, set[str]] = defaultdict(set)
        for digest in doomed - busy:
            folders[keys.part_sidecar(digest).rpartition("/")[0] + "/"].add(digest)
        for folder, digests in folders.items():
            for key in list(self._store.list(folder)):
                if key.removeprefix(folder).partition(".")[0] in digests:
                    self._store.delete(key)
        return Removal(len(doomed - busy), len(parts - doomed), "; ".join(reasons))

    def _unshared(self, digests: set[str]) -> tuple[set[str], str]:
        """Return those of some parts that no book has, and the id of a book whose plan cannot be read, or nothing."""
        left, unread = set(digests), ""
        for book_id in book_ids(self._store):
            plan = read_plan(self._store, book_id)
            if plan:
                left -= {part.digest for part in plan.parts}
            elif has_plan(self._store, book_id):
                unread = book_id
        return left, unread


def change_order(store: ObjectStore, book_id: str, **change: object) -> None:
    """Change what is wanted of a book; a book of which nothing special is wanted has no order in storage.

    Args:
        store: where books live.
        book_id: of the book.
        change: fields of `Order`.

    Raises:
        Unavailable: storage cannot be reached.
    """
    before = read_order(store, book_id)
    after = before.model_copy(update=change)
    key = keys.book(book_id, keys.ORDER)
    if after == Order():
        store.delete(key)
    elif after != before:
        store.put(key, after.model_dump_json().encode())
