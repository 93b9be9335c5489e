"""What of a book is read: documents to sections, notes to their places, and everything that is not read, by rule."""

import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple
from urllib.parse import unquote

from e2a.errors import ExitCode, UserError
from e2a.plan import Reading
from producer import markup
from producer.epub import Book, Document, Entry
from producer.sections import notes
from producer.sections.contents import Section, sections
from producer.sections.cuts import Located, lines
from producer.sections.extract import Block, Extract, Skipped, extract

_NUMBERS = re.compile(r"\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*")


class Passage(NamedTuple):
    """Text that is not read, and the document that it stands in."""

    document: int
    """Index into `Book.documents`."""
    skipped: Skipped


class Outline(NamedTuple):
    """The sections of a book, and what is in none of those that are read."""

    sections: tuple[Section, ...]
    chosen: tuple[bool, ...]
    """For each section whether it is read."""
    passages: tuple[Passage, ...]

    def read(self) -> list[Section]:
        """Return the sections that are read, in reading order."""
        return [section for section, chosen in zip(self.sections, self.chosen, strict=True) if chosen]


def outline(book: Book, reading: Reading, hour: float) -> Outline:
    """Return what is read of a book.

    Args:
        book: as it was read.
        reading: what the user wants of it.
        hour: characters that an hour of speech takes.

    Raises:
        UserError: there is no text in it (exit code BAD_INPUT), or no section has a number that was asked for (USAGE).
    """
    roots = [(document.href, markup.parse(markup.decode(document.content))) for document in book.documents]
    found = notes.find(roots, _resolver([href for href, _root in roots]))
    cuts = _fragments(book.contents)
    extracts = [extract(root, found, cuts=cuts.get(href, ()), alt_text=reading.alt_text) for href, root in roots]
    shelf = _Notes(extracts, reading)
    flow = [
        Located(number, block)
        for number, (document, each) in enumerate(zip(book.documents, extracts, strict=True))
        for block in each.blocks
        if document.linear and not shelf.holds(block)
    ]
    cut = sections(book, extracts, flow, hour)
    if not cut:
        raise UserError(f"{book.title!r} holds no text to speak; is it a picture book?", ExitCode.BAD_INPUT)
    chosen = tuple(_choose(cut, reading))
    placed = tuple(shelf.place(section) if read else section for section, read in zip(cut, chosen, strict=True))
    passages = chain(
        (Passage(number, skipped) for number, each in enumerate(extracts) for skipped in each.skipped),
        _unread(placed, chosen),
        shelf.left(),
        _beside(book.documents, extracts, shelf),
    )
    return Outline(placed, chosen, tuple(passages))


def unread(rule: str, located: Located) -> list[Passage]:
    """Return a block as passages that are not read, one for each piece of text that it was made from."""
    return [
        Passage(located.document, Skipped(rule, run.start, run.start + len(run.text), run.text))
        for run in located.block.runs
        if not located.block.attribute and run.text.strip()
    ]


class _Notes:
    """The notes of a book that are taken out of its text, and where they go."""

    def __init__(self, extracts: Sequence[Extract], reading: Reading) -> None:
        self._reading = reading
        referred = {key for each in extracts for block in each.blocks for key in block.references if key != block.note}
        self._notes: dict[str, list[Located]] = {}
        for number, each in enumerate(extracts):
            for block in each.blocks:
                if block.note and (reading.footnotes == "skip" or block.note in referred):
                    self._notes.setdefault(block.note, []).append(Located(number, block))
        self._keys = frozenset(self._notes)

    def holds(self, block: Block) -> bool:
        """Say whether a block is part of a note that was taken out."""
        return block.note in self._keys

    def place(self, section: Section) -> Section:
        """Return a section with the notes that it refers to, each once."""
        if self._reading.footnotes == "skip":
            return section
        blocks: list[Located] = []
        end: list[Located] = []
        for located in section.blocks:
            blocks.append(located)
            (blocks if self._reading.footnotes == "inline" else end).extend(self._take(located.block))
        return section._replace(blocks=(*blocks, *end))

    def _take(self, block: Block) -> Iterator[Located]:
        """Yield the notes that a block refers to, each before those that it refers to itself."""
        keys = list(reversed(block.references))
        while keys:
            taken = self._notes.pop(keys.pop(), [])
            yield from taken
            keys += [key for note in reversed(taken) for key in reversed(note.block.references)]

    def left(self) -> Iterator[Passage]:
        """Yield the notes that have no place."""
        return chain.from_iterable(unread("footnote", note) for taken in self._notes.values() for note in taken)


def _unread(cut: Iterable[Section], chosen: Iterable[bool]) -> Iterator[Passage]:
    for section, read in zip(cut, chosen, strict=True):
        if not read:
            for located in section.blocks:
                yield from unread(section.kind or "not chosen", located)


def _beside(documents: Sequence[Document], extracts: Sequence[Extract], shelf: _Notes) -> Iterator[Passage]:
    """Yield the text of documents that are not in the reading order."""
    for number, (document, each) in enumerate(zip(documents, extracts, strict=True)):
        for block in () if document.linear else each.blocks:
            if not shelf.holds(block):
                yield from unread("outside the reading order", Located(number, block))


def _choose(cut: Sequence[Section], reading: Reading) -> Iterator[bool]:
    if not reading.chapters:
        for section in cut:
            yield not section.kind or reading.matter == "keep"
        return
    numbers = _numbers(reading.chapters, len(cut))
    for number in range(1, len(cut) + 1):
        yield number in numbers


def _numbers(asked: str, last: int) -> set[int]:
    """Return the numbers that ranges such as `3-7,9` name; spaces part them as commas do."""
    ranges = re.sub(r"[\s,]+", ",", re.sub(r"\s*[-\u2013]\s*", "-", asked)).strip(",")
    there_are = f"the book has 1 to {last}; --list-chapters shows them"
    if not _NUMBERS.fullmatch(ranges):
        raise UserError(f"--chapters {asked!r}: not numbers such as 3-7,9; {there_are}", ExitCode.USAGE)
    numbers: set[int] = set()
    for each in ranges.split(","):
        first, _, end = each.partition("-")
        span = range(int(first), int(end or first) + 1)
        if not span:
            raise UserError(f"--chapters {each}: ends before it begins; {there_are}", ExitCode.USAGE)
        if span[0] < 1 or span[-1] > last:
            raise UserError(f"--chapters {each}: {there_are}", ExitCode.USAGE)
        numbers.update(span)
    return numbers


def _fragments(contents: Iterable[Entry]) -> dict[str, set[str]]:
    """Return the identifiers that a table of contents names in each document."""
    found: dict[str, set[str]] = {}
    for _level, entry in lines(contents):
        if entry.fragment:
            found.setdefault(entry.href, set()).add(entry.fragment)
    return found


def _resolver(hrefs: Sequence[str]) -> Callable[[str], notes.Resolve]:
    """Return what resolves links of a document; a careless one leads to the only document that fits."""
    spelled: dict[str, list[str]] = {}
    for href in hrefs:
        spelled.setdefault(_folded(href), []).append(href)
    exact = frozenset(hrefs)

    def of_document(base: str) -> notes.Resolve:
        def resolve(link: str) -> tuple[str, str]:
            path, _, fragment = link.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(path))) if path else base
            fitting = [] if target in exact else spelled.get(_folded(target), [])
            return fitting[0] if len(fitting) == 1 else target, unquote(fragment)

        return resolve

    return of_document


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unquote(path)).casefold()
