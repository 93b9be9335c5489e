"""Books and helpers that several tests of the reader share."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from e2a.errors import UserError
from producer import epub
from producer.epub import Book, Entry
from tests.unit.books import Item, epub_file, page, zip_file

ONE = Item("one.xhtml", page("<p>One.</p>"))


TWO = Item("two.xhtml", page("<p>Two.</p>"))


JPEG = Item("front.jpg", b"\xff\xd8\xff jpeg", "image/jpeg")


PNG = Item("front.png", b"\x89PNG\r\n png", "image/png", "cover-image")


PACKAGE = "OEBPS/book.opf"


CONTAINER = "META-INF/container.xml"


def refusal(path: Path) -> UserError:
    """Return the error that reading ends with: one line that names the file."""
    with pytest.raises(UserError) as caught:
        epub.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()
    return caught.value


def hrefs(book: Book) -> list[str]:
    return [document.href for document in book.documents]


def flat(entries: Iterable[Entry]) -> list[Entry]:
    """Return all entries of a table of contents, each before those under it."""
    return [each for entry in entries for each in (entry, *flat(entry.children))]


def edit(path: Path, name: str, old: str, new: str) -> Path:
    """Replace something in one file of an EPUB."""
    with zipfile.ZipFile(path) as opened:
        files: dict[str, str | bytes] = {each: opened.read(each) for each in opened.namelist()}
    text = str(files[name], "utf-8")  # type: ignore[arg-type]
    assert old in text
    return zip_file(path, files | {name: text.replace(old, new)})


def contents(path: Path, *items: Item) -> tuple[Entry, ...]:
    """Return the table of contents of a book of two documents and these files."""
    return epub.read(epub_file(path, [*items, ONE, TWO])).contents


def one(title: str, *children: Entry, fragment: str = "") -> Entry:
    """Return an entry for the first document."""
    return Entry(title, "OEBPS/one.xhtml", fragment, children)


def flip(path: Path, name: str) -> Path:
    """Damage the content of one file in the zip."""
    whole = bytearray(path.read_bytes())
    start = whole.index(b"PK\x03\x04", whole.index(name.encode()) - 40) + 30 + len(name)
    whole[start : start + 6] = b"\xff" * 6
    path.write_bytes(whole)
    return path


def refined(identifier: str, **properties: str) -> str:
    """Return what refines an element."""
    return "".join(
        f'<meta refines="#{identifier}" property="{name.replace("_", "-")}">{value}</meta>'
        for name, value in properties.items()
    )
