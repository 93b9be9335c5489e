"""Dead letters: what became of the parts that they are about, and which of them can be tried again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Literal, NamedTuple, Protocol

from e2a.bus import Letter
from e2a.checkpoint import PartRecord
from e2a.errors import UserError
from e2a.messages import ChapterJob, decode
from e2a.shelf import Shelf

Since = Literal["done", "waiting", "to be tried again", "still failed", "not of a book", "book gone", "not known"]
"""What has become of a part since."""
OPEN: frozenset[Since] = frozenset(["still failed", "not known"])
"""Of parts that are to be tried again, as far as anybody can say."""


class Records(Protocol):
    """What is to be known of books to say what became of their parts: a `Shelf`, or somebody who has read it all."""

    @property
    def problem(self) -> str:
        """Why not all of it is known; empty when it is."""

    def title(self, book_id: str) -> str:
        """Return the title of a book; empty where nobody knows it."""

    def records(self, book_id: str) -> Mapping[int, PartRecord] | None:
        """Return the parts of a book by index; none when it is gone, None when nobody can say."""


class Entry(NamedTuple):
    """A dead letter, and what is known of its part now."""

    letter: Letter
    title: str
    """Of its book; empty when it is not of one."""
    chapter: int | None
    """Number of its chapter, from 1."""
    since: Since


class Retried(NamedTuple):
    """What came of having letters tried again."""

    parts: int
    """How many failed ones are to be tried again."""
    odd: list[Entry]
    """Those that cannot be: they are not of a part of a book that is there."""
    refused: list[UserError]
    """Why parts of some books cannot be."""


def latest(letters: Iterable[Letter]) -> list[Letter]:
    """Return the last letter of each part, and every one that is not of a part, oldest first; without payloads."""
    found: dict[object, Letter] = {}
    for letter in letters:
        said = letter.letter
        key = letter.number if said.part is None else (said.book_id, said.part)
        found.pop(key, None)
        found[key] = letter._replace(letter=said.model_copy(update={"payload": ""}))
    return list(found.values())


def entries(letters: Iterable[Letter], books: Records) -> list[Entry]:
    """Return letters with what is known of their parts now."""
    parts = cache(books.records)

    @cache
    def title(book_id: str) -> str:
        return books.title(book_id) if book_id else ""

    found = []
    for letter in letters:
        said = letter.letter
        if said.part is None:
            found.append(Entry(letter, title(said.book_id), None, "not of a book"))
            continue
        known = parts(said.book_id)
        record = known.get(said.part) if known else None
        since = "not known" if known is None else _since(record, blind=bool(books.problem))
        found.append(Entry(letter, title(said.book_id), record.chapter + 1 if record else None, since))
    return found


def retry(letters: Iterable[Entry], shelf: Shelf) -> Retried:
    """Have the parts of letters tried again but for those that are done. Raises `Unavailable` when Kafka is away."""
    wanted: dict[str, set[int]] = defaultdict(set)
    failed: dict[str, set[int]] = defaultdict(set)
    odd, refused, parts = [], [], 0
    for entry in letters:
        said = entry.letter.letter
        if said.part is None or entry.since in {"not of a book", "book gone"}:
            odd.append(entry)
        elif entry.since != "done":
            wanted[said.book_id].add(said.part)
            if entry.since in OPEN:
                failed[said.book_id].add(said.part)
    for book_id, indexes in wanted.items():
        try:
            shelf.retry(book_id, sorted(indexes))
            parts += len(failed[book_id])
        except UserError as error:
            refused.append(error)
    return Retried(parts, odd, refused)


def sentences(payload: str) -> list[str]:
    """Return what was to be said by a job, a sentence each; raises `Poison` for what is none."""
    job = decode(payload.encode())
    return [sentence.say for sentence in job.part.sentences] if isinstance(job, ChapterJob) else []


def _since(record: PartRecord | None, *, blind: bool) -> Since:
    if record is None:
        return "book gone"
    if record.state == "done":
        return "done"
    if blind:
        return "not known"
    if record.state == "failed":
        return "still failed"
    return "to be tried again" if record.retry_at else "waiting"
