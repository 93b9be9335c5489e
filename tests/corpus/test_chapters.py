"""Chapter lists of real books, as a reader derived them from the files: `chapters.json`.

For each section its title, the titles of what it is part of, the kind of matter, how many characters it has (white
space not counted, notes taken out), and how it begins and ends; or the name of a book with the same list.
"""

import json
from pathlib import Path

import pytest

from e2a.errors import UserError
from e2a.plan import Reading, letters
from producer import epub
from producer.epub import Book
from producer.planner import hour_of
from producer.sections.outline import outline
from tests.epubs import CORPUS
from tests.unit.books import plan_of

EXPECTED = json.loads(Path(__file__).with_name("chapters.json").read_text(encoding="utf-8"))
BOOKS = [name for name in EXPECTED if (CORPUS / name).exists()]
READINGS = [Reading(), Reading(footnotes="inline"), Reading(footnotes="end", alt_text=True), Reading(matter="keep")]


def read(name: str) -> Book:
    return epub.read(CORPUS / name)


def test_books_are_there(epubs: Path) -> None:
    """The tests below have books to read, at least twenty."""
    assert len(BOOKS) == len(EXPECTED) > 20


@pytest.mark.parametrize("name", BOOKS)
def test_chapter_list(name: str) -> None:
    """A real book is cut as a reader would cut it."""
    book = read(name)
    expected = EXPECTED[name] if isinstance(EXPECTED[name], list) else EXPECTED[EXPECTED[name]]
    sections = outline(book, Reading(), hour_of(plan_of(book).speech)).sections
    found = [(section, letters("".join(located.block.text for located in section.blocks))) for section in sections]
    assert [(each.title, list(each.group), each.kind, len(text)) for each, text in found] == [
        (title, group, kind, characters) for title, group, kind, characters, _begins, _ends in expected
    ]
    for (_section, text), (*_, begins, ends) in zip(found, expected, strict=True):
        assert text.startswith(begins)
        assert text.endswith(ends)


@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.parametrize("reading", READINGS, ids=["skip", "inline", "end", "keep"])
def test_every_character_is_accounted_for(name: str, reading: Reading) -> None:
    """However a real book is read, each of its characters is spoken or skipped by a rule."""
    book = read(name)
    plan = plan_of(book, reading, language=book.language, engine="espeak")
    assert plan.accounting is not None
    assert plan.accounting.adds_up
    spoken = sum(len(letters(sentence.text)) for part in plan.parts for sentence in part.sentences)
    assert plan.accounting.spoken == spoken > 0


def test_book_without_text(epubs: Path) -> None:
    """A comic is refused: it has no text at all."""
    with pytest.raises(UserError, match="no text to speak"):
        plan_of(read("idpf/page-blanche.epub"))
