"""Real and odd books, as another reader counted them."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from producer import epub
from producer.epub import Entry, archive
from tests.epubs import CORPUS
from tests.unit.epub.common import flat, hrefs, refusal

INDEX = CORPUS / "index.tsv"
REFUSED = {
    "derived/drm-adept-like.epub": "protected by DRM (Adobe ADEPT)",
    "derived/html-error-page.epub": "not an EPUB but a web page",
    "derived/truncated.epub": "the download is cut short",
}
VECTORS = {"idpf-testsuite/epub30-test-0100.epub": 1}
"""Drawings among the documents of a spine, which have no text."""
NO_COVER = {
    "idpf-testsuite/epub30-test-0100.epub",
    "idpf-testsuite/epub30-test-0101.epub",
    "misc/bmaupin-minimal-v2.epub",
    "misc/bmaupin-minimal-v3.epub",
    "derived/bitrot.epub",
}
PROBLEMS = {
    "derived/bitrot.epub": ("3795563869721029044_cover.jpg: a picture for the cover, but damaged",),
    "derived/missing-one-chapter.epub": (
        "-2.htm.xhtml: in the reading order, but missing in the file: its text is lost",
    ),
}
ROWS = list(csv.DictReader(INDEX.read_text().splitlines() if INDEX.exists() else [], delimiter="\t"))
BOOKS = [row for row in ROWS if row["file"] not in REFUSED]


def test_real_books_are_there(epubs: Path) -> None:
    """The tests below have books to read."""
    assert epubs == CORPUS
    assert len(BOOKS) > 25
    assert {row["file"] for row in ROWS} >= REFUSED.keys()


@pytest.mark.parametrize("row", BOOKS, ids=[row["file"] for row in BOOKS])
def test_real_book(row: dict[str, str]) -> None:
    """A real book, damaged or not, is read in whole: documents, contents, cover and problems are as counted before."""
    book = epub.read(CORPUS / row["file"])
    problems = PROBLEMS.get(row["file"], ())
    lost = sum("text is lost" in problem for problem in problems)
    assert len(book.documents) == int(row["spine_docs"]) - VECTORS.get(row["file"], 0) - lost
    counted = re.search(r"TOC (\d+) entries, depth (\d+)", row["special"])
    assert counted
    assert len(flat(book.contents)) == int(counted[1])
    assert depth(book.contents) == int(counted[2])
    assert (book.cover is None) == (row["file"] in NO_COVER)
    assert len(book.problems) == len(problems)
    assert all(known in problem for known, problem in zip(problems, book.problems, strict=True))
    assert book.language == row["language"]
    assert ("non-linear" in row["special"]) == any(not document.linear for document in book.documents)


def depth(entries: Iterable[Entry]) -> int:
    return max((1 + depth(entry.children) for entry in entries), default=0)


@pytest.mark.parametrize(("name", "reason"), REFUSED.items(), ids=REFUSED)
def test_real_file_that_is_refused(epubs: Path, name: str, reason: str) -> None:
    """A file that cannot be read is refused for what it is."""
    assert reason in str(refusal(epubs / name))


VARIANTS = [
    "backslash-names",
    "bomb-600MB",
    "case-mismatch",
    "macosx-junk",
    "manifest-shuffled",
    "missing-css",
    "remote-resource",
    "wrapped-in-folder",
    "dot-xml-extension",
    "no-extension",
    "latin1-undeclared",
    "text-in-body",
    "utf16",
]


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_of_a_real_book(epubs: Path, name: str) -> None:
    """However a book is packed, its metadata, cover and contents are the same; packed alone, its documents too."""
    book, variant = epub.read(epubs / "gutenberg/jekyll-and-hyde.epub"), epub.read(epubs / f"derived/{name}.epub")
    assert variant[:5] == book[:5]
    assert [entry.title for entry in variant.contents] == [entry.title for entry in book.contents]
    assert all(entry.href in hrefs(variant) for entry in variant.contents)
    assert [entry.fragment for entry in variant.contents] == [entry.fragment for entry in book.contents]
    if VARIANTS.index(name) < VARIANTS.index("dot-xml-extension"):
        assert variant.documents == book.documents


def test_bomb_is_not_unpacked(epubs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a stylesheet of 600 MB that no text needs, nothing is unpacked."""
    opened: list[archive.Archive] = []
    open_archive = epub.open_archive
    monkeypatch.setattr(epub, "open_archive", lambda path: opened.append(open_archive(path)) or opened[0])
    epub.read(epubs / "derived/bomb-600MB.epub")
    assert 0 < opened[0].bytes_read < 10**6


def test_metadata_of_real_books(epubs: Path) -> None:
    """Titles, authors and subjects come as the books have them."""
    georgia = epub.read(epubs / "idpf/georgia-pls-ssml.epub")
    assert (georgia.title, georgia.authors) == ("Georgia", ("Various",))
    jekyll = epub.read(epubs / "gutenberg/jekyll-and-hyde.epub")
    assert (jekyll.authors, jekyll.metadata.date) == (("Robert Louis Stevenson",), "2008-06-27")
    assert "Horror tales" in jekyll.metadata.subjects
