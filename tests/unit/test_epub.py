"""EPUBs as they should be, as they are, and files that are none."""

import csv
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from e2a.errors import ExitCode, UserError
from producer import epub, text
from tests.unit.books import METADATA, Item, epub_file, nav, ncx, page, small_epub, zip_file

ONE = Item("one.xhtml", page("<p>One.</p>"))
TWO = Item("two.xhtml", page("<p>Two.</p>"))
JPEG = Item("front.jpg", b"\xff\xd8\xff jpeg", "image/jpeg")
PNG = Item("front.png", b"\x89PNG\r\n png", "image/png", "cover-image")

EPUBS = Path(__file__).parents[3] / "shared/epubs"
INDEX = EPUBS / "index.tsv"
BIG = {"gutenberg/moby-dick.epub", "derived/bomb-600MB.epub"}
ROWS = csv.DictReader(INDEX.read_text().splitlines() if INDEX.exists() else [], delimiter="\t")
BOOKS = [row for row in ROWS if row["file"] not in BIG]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.epub"


def refusal(path: Path) -> UserError:
    """Return the error that reading ends with: one line that names the file."""
    with pytest.raises(UserError) as caught:
        epub.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).count("\n") == 0
    return caught.value


def outcome(path: Path) -> object:
    """Return the exit code of a refusal, OK when the file is read, or the exception that should not be."""
    try:
        epub.read(path)
    except UserError as error:
        return error.code
    except Exception as error:  # noqa: BLE001 - that none comes here is what is tested
        return repr(error)
    return ExitCode.OK


def hrefs(path: Path) -> list[str]:
    return [document.href for document in epub.read(path).documents]


def titles(path: Path) -> list[str]:
    return [document.title for document in epub.read(path).documents]


def test_metadata(path: Path) -> None:
    """Title, all authors in order, and language are what the package says, without the space around them."""
    metadata = (
        "<dc:title> Emma\n</dc:title><dc:creator>A</dc:creator><dc:creator>B</dc:creator><dc:language>fr</dc:language>"
    )
    book = epub.read(epub_file(path, [ONE], metadata=metadata))
    assert (book.title, book.authors, book.language) == ("Emma", ("A", "B"), "fr")


@pytest.mark.parametrize("metadata", ["", "<dc:title> </dc:title><dc:creator/><dc:language></dc:language>"])
def test_metadata_that_is_missing(path: Path, metadata: str) -> None:
    """A book that does not say is called as its file, by nobody, in English."""
    book = epub.read(epub_file(path, [ONE], metadata=metadata))
    assert (book.title, book.authors, book.language) == ("book", (), "en")


def test_content_is_untouched(path: Path) -> None:
    """A document comes as the bytes in the EPUB."""
    (document,) = epub.read(epub_file(path, [ONE])).documents
    assert document == epub.Document("one.xhtml", "", str(ONE.content).encode())


def test_spine_is_the_order(path: Path) -> None:
    """Documents come in the order of the spine, not of the manifest, and only those in it."""
    three = Item("three.xhtml", page("<p>Three.</p>"))
    assert hrefs(epub_file(path, [ONE, TWO, three], spine=["three.xhtml", "one.xhtml"])) == ["three.xhtml", "one.xhtml"]


def test_unlinear_documents_are_skipped(path: Path) -> None:
    """What the spine marks as outside the reading order, such as notes, is left out."""
    assert hrefs(epub_file(path, [ONE, TWO], unlinear=["one.xhtml"])) == ["two.xhtml"]


def test_contents_table_is_not_read(path: Path) -> None:
    """A contents table in the spine is no document of the book, nor is an entry that names nothing."""
    items = [nav("<li><a href='one.xhtml'>I</a></li>"), ONE]
    assert hrefs(epub_file(path, items, spine=["nav.xhtml", "no-such-item", "one.xhtml"])) == ["one.xhtml"]


def test_titles_of_epub_3(path: Path) -> None:
    """The navigation document names chapters; of several entries into one document the first counts."""
    entries = """<li><a href="one.xhtml">The\n First</a></li><li><a href="one.xhtml#b">Its Section</a></li>
        <li><span>Part Two</span><ol><li><a href="two.xhtml#top">The <i>Second</i></a></li></ol></li>"""
    assert titles(epub_file(path, [nav(entries), ONE, TWO])) == ["The First", "The Second"]


def test_titles_of_epub_2(path: Path) -> None:
    """The NCX names chapters, also a single one; those it does not name have no title."""
    assert titles(epub_file(path, [ncx(two="The Second", one="The First"), ONE, TWO])) == ["The First", "The Second"]
    assert titles(epub_file(path, [ncx(two="The Second"), ONE, TWO])) == ["", "The Second"]


def test_no_contents_table(path: Path) -> None:
    """A book without a contents table is read."""
    assert titles(epub_file(path, [ONE, TWO])) == ["", ""]


@pytest.mark.xfail(strict=True, reason="ebooklib cannot read an NCX without entries")
def test_empty_contents_table(path: Path) -> None:
    """A book whose contents table is empty is read."""
    assert titles(epub_file(path, [ncx(), ONE])) == [""]


def test_title_of_a_name_with_a_space(path: Path) -> None:
    """A document whose name must be quoted in links has its title too."""
    items = [nav('<li><a href="chapter%20one.xhtml">I</a></li>'), Item("chapter one.xhtml", page("<p>One.</p>"))]
    assert titles(epub_file(path, items)) == ["I"]


def test_cover_of_epub_3(path: Path) -> None:
    """The manifest marks the cover by a property."""
    assert epub.read(epub_file(path, [ONE, JPEG, PNG])).cover == epub.Cover("cover.png", PNG.content)


def test_cover_of_epub_2(path: Path) -> None:
    """The metadata name the item that is the cover."""
    metadata = METADATA + '<meta name="cover" content="front.jpg"/>'
    assert epub.read(epub_file(path, [ONE, JPEG], metadata=metadata)).cover == epub.Cover("cover.jpg", JPEG.content)


@pytest.mark.parametrize(
    "items",
    [
        [JPEG],
        [Item("front.svg", b"<svg/>", "image/svg+xml", "cover-image")],
        [Item("front.jpg", b"", "image/jpeg", "cover-image")],
        [Item("front.png", b"RIFF....WEBP", "image/png", "cover-image")],
    ],
    ids=["unmarked", "vector", "empty", "not what it is called"],
)
def test_no_cover(path: Path, items: list[Item]) -> None:
    """A picture that is not marked, or that an audiobook cannot hold, is no cover."""
    assert epub.read(epub_file(path, [ONE, *items])).cover is None


@pytest.mark.parametrize("name", ["none.epub", "folder"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    """A file that is not there, or is a folder, is told from one that cannot be read."""
    (tmp_path / "folder").mkdir()
    assert refusal(tmp_path / name).code == ExitCode.NO_INPUT


def edit(path: Path, name: str, old: str, new: str) -> None:
    """Write an EPUB in which something of one file is replaced."""
    with zipfile.ZipFile(small_epub(path)) as archive:
        files = {each: archive.read(each).decode() for each in archive.namelist()}
    assert old in files[name]
    zip_file(path, files | {name: files[name].replace(old, new)})


def no_zip(path: Path) -> None:
    path.write_text("<html>404 Not Found</html>")


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def no_container(path: Path) -> None:
    zip_file(path, {"book.txt": "no EPUB"})


def no_package(path: Path) -> None:
    zip_file(path, {"META-INF/container.xml": "<container/>"})


def truncated(path: Path) -> None:
    small_epub(path)
    path.write_bytes(path.read_bytes()[:-100])


def no_metadata(path: Path) -> None:
    edit(path, "OEBPS/book.opf", "<metadata", "<data")


def no_document(path: Path) -> None:
    edit(path, "OEBPS/book.opf", 'href="c1', 'href="c3')


def unknown_compression(path: Path) -> None:
    """Say of every file in the zip that it is packed by method 99."""
    whole = bytearray(small_epub(path).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        for found in re.finditer(re.escape(mark), bytes(whole)):
            whole[found.start() + offset] = 99
    path.write_bytes(whole)


BROKEN = [no_zip, nothing, no_container, no_package, no_metadata, no_document, truncated, unknown_compression]


@pytest.mark.parametrize("broken", BROKEN)
def test_file_that_is_no_epub(path: Path, broken: Callable[[Path], None]) -> None:
    """A file that is no EPUB is refused with one line."""
    broken(path)
    assert refusal(path).code == ExitCode.BAD_INPUT


def fails_with(error: Exception) -> Callable[[Path], None]:
    """Return a reader that cannot read."""

    def read(_path: Path) -> None:
        raise error

    return read


def test_reason_is_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reason of several lines, as parsers give, is told in one; an error without any is told by its name."""
    for error, reason in ((ValueError("two\n  lines"), "two lines"), (EOFError(), "EOFError")):
        monkeypatch.setattr(epub.epub, "read_epub", fails_with(error))
        assert str(refusal(small_epub(path))) == f"{path}: not a readable EPUB: {reason}"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("OEBPS/book.opf", "<spine", "<spin"),
        ("OEBPS/book.opf", "<manifest", "<manifes"),
        ("OEBPS/book.opf", ' href="', ' hre="'),
        ("META-INF/container.xml", " full-path=", " path="),
        ("META-INF/container.xml", "<", ""),
    ],
    ids=["no-spine", "no-manifest", "no-href", "no-path", "no-markup"],
)
def test_package_that_lacks_something(path: Path, name: str, old: str, new: str) -> None:
    """An EPUB whose package lacks what every package has is refused."""
    edit(path, name, old, new)
    assert outcome(path) == ExitCode.BAD_INPUT


def test_damaged_files(path: Path) -> None:
    """Whatever bytes of an EPUB are damaged, it is read or refused: nothing else is ever raised."""
    whole = small_epub(path).read_bytes()
    chance = random.Random(0)
    outcomes = set()
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        outcomes.add(outcome(path))
    assert outcomes == {ExitCode.OK, ExitCode.BAD_INPUT}


def test_real_books_are_there(epubs: Path) -> None:
    """The tests below have books to read."""
    assert epubs == EPUBS
    assert len(BOOKS) > 20


@pytest.mark.parametrize("row", BOOKS, ids=[row["file"] for row in BOOKS])
def test_real_book(row: dict[str, str]) -> None:
    """A real book is read in whole, as another reader counted it; one that ebooklib cannot read is refused."""
    path = EPUBS / row["file"]
    if row["ebooklib_0.20"] != "ok":
        assert outcome(path) in {ExitCode.OK, ExitCode.BAD_INPUT}
        return
    documents = epub.read(path).documents
    characters = sum(len(each) for document in documents for each in text.extract(document.content).paragraphs)
    assert int(row["spine_docs"]) - 1 <= len(documents) <= int(row["spine_docs"])
    assert 0.9 * int(row["chars"]) <= characters <= int(row["chars"])


@pytest.mark.parametrize("name", ["dot-xml-extension", "no-extension", "macosx-junk", "manifest-shuffled"])
def test_variants_of_a_real_book(epubs: Path, name: str) -> None:
    """However a book is packed, its documents, titles and cover are the same."""
    book, variant = epub.read(epubs / "gutenberg/jekyll-and-hyde.epub"), epub.read(epubs / f"derived/{name}.epub")
    assert variant.cover == book.cover
    assert [document.title for document in variant.documents] == [document.title for document in book.documents]
    for document, other in zip(book.documents, variant.documents, strict=True):
        assert text.extract(other.content) == text.extract(document.content)
