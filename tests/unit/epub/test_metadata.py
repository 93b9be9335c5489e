"""What an EPUB says of itself, in all the ways that there are."""

from pathlib import Path

import pytest

from e2a.plan import Metadata
from producer import epub
from producer.epub import Book
from tests.unit.books import epub_file
from tests.unit.epub.common import ONE, refined


def described(path: Path, metadata: str) -> Book:
    """Return a book of these metadata."""
    return epub.read(epub_file(path, [ONE], metadata=metadata))


def test_metadata(path: Path) -> None:
    """Title, all authors in order, and language are what the package says, without the space around them."""
    metadata = (
        "<dc:title> Emma\n</dc:title><dc:creator>A</dc:creator><dc:creator>B</dc:creator><dc:language>fr</dc:language>"
    )
    book = described(path, metadata)
    assert (book.title, book.authors, book.language) == ("Emma", ("A", "B"), "fr")


@pytest.mark.parametrize("metadata", ["", "<dc:title> </dc:title><dc:creator/><dc:language></dc:language>"])
def test_metadata_that_is_missing(path: Path, metadata: str) -> None:
    """A book that does not say is called as its file, by nobody, in English."""
    book = described(path, metadata)
    assert (book.title, book.authors, book.language, book.metadata) == ("book", (), "", Metadata())


def test_title_of_several(path: Path) -> None:
    """The main title counts, wherever it stands; without one the first that is not said to be another kind."""
    metadata = '<dc:title id="a">Sub</dc:title><dc:title id="b">Plain</dc:title><dc:title id="c">Main</dc:title>'
    assert described(path, metadata).title == "Sub"
    assert described(path, metadata + refined("a", title_type="subtitle")).title == "Plain"
    assert described(path, metadata + refined("c", title_type="main")).title == "Main"


def test_roles_of_epub_3(path: Path) -> None:
    """Who did something else than write is no author; the order is the one that is given."""
    metadata = "".join(f'<dc:creator id="{name}">{name}</dc:creator>' for name in "abcd")
    roles = refined("a", role="ill") + refined("b", role="aut", display_seq="2") + refined("c", display_seq="1")
    assert described(path, metadata + roles).authors == ("c", "b", "d")
    assert described(path, metadata + refined("a", role="ill") + refined("a", role="aut")).authors[0] == "a"


def test_roles_of_epub_2(path: Path) -> None:
    """An attribute says the same."""
    metadata = (
        '<dc:creator xmlns:o="http://www.idpf.org/2007/opf" o:role="{}">A</dc:creator><dc:creator{}>B</dc:creator>'
    )
    assert described(path, metadata.format("trl", "")).authors == ("B",)
    assert described(path, metadata.format("aut", ' role=""')).authors == ("A", "B")


def test_book_that_nobody_wrote(path: Path) -> None:
    """When nobody is an author, all who made the book are named."""
    assert described(path, '<dc:creator role="edt">A</dc:creator><dc:creator role="trl">B</dc:creator>').authors == (
        "A",
        "B",
    )


def test_description(path: Path) -> None:
    """A description is plain text, whether its markup is escaped or not."""
    escaped = "&lt;p&gt;Caf&amp;eacute; &lt;b&gt;f&lt;/b&gt;irst.&lt;/p&gt;&lt;p class='x'&gt;1 &amp;lt; 2&lt;br/&gt;3"
    plain = "<p>Caf&eacute; <b>f</b>irst.</p><p>1 &lt; 2<br/>3</p>"
    for text in (escaped, plain):
        assert (
            described(path, f"<dc:description>{text}</dc:description>").metadata.description
            == "Caf\u00e9 first. 1 < 2 3"
        )


def test_publisher_and_subjects(path: Path) -> None:
    """The first publisher and all subjects are told, each once."""
    metadata = "<dc:publisher/><dc:publisher>John  Murray</dc:publisher>" + "".join(
        f"<dc:subject>{subject}</dc:subject>" for subject in ("Love", "", "Love", "Class &amp; Rank")
    )
    found = described(path, metadata).metadata
    assert (found.publisher, found.subjects) == ("John Murray", ("Love", "Class & Rank"))


def test_date(path: Path) -> None:
    """The date of publication counts before others, else the first, as it is written."""
    dates = "<dc:date>2001</dc:date><dc:date event='{}'> 1815-12-23 </dc:date>"
    assert described(path, dates.format("modification")).metadata.date == "2001"
    assert described(path, dates.format("publication")).metadata.date == "1815-12-23"


@pytest.mark.parametrize(
    ("identifier", "isbn"),
    [
        ("<dc:identifier>urn:isbn:978-0-14-143958-7</dc:identifier>", "9780141439587"),
        ("<dc:identifier scheme='ISBN'>0-14-143958-X</dc:identifier>", "014143958X"),
        ("<dc:identifier>978 0 306 40615 7</dc:identifier>", "9780306406157"),
        ("<dc:identifier>0-306-40615-2</dc:identifier>", "0306406152"),
        ("<dc:identifier>080442957x</dc:identifier>", "080442957X"),
        ("<dc:identifier>978 0 306 40615 8</dc:identifier>", ""),
        ("<dc:identifier>0306406153</dc:identifier>", ""),
        ("<dc:identifier>ISBN-13: 9780306406158</dc:identifier>", "9780306406158"),
        ("<dc:identifier>urn:uuid:9780306406157</dc:identifier>", ""),
        ("<dc:identifier scheme='ISBN'>none</dc:identifier>", ""),
        ("<dc:identifier id='i'>9780306406158</dc:identifier>" + refined("i", scheme="ISBN"), "9780306406158"),
    ],
)
def test_isbn(path: Path, identifier: str, isbn: str) -> None:
    """An ISBN is one that is called so, or whose check digit is right."""
    assert described(path, identifier).metadata.isbn == isbn


@pytest.mark.parametrize(
    ("metadata", "series"),
    [
        (
            '<meta property="belongs-to-collection" id="c">Novels</meta>' + refined("c", group_position="4"),
            ("Novels", "4"),
        ),
        (
            '<meta property="belongs-to-collection" id="s">Set</meta>'
            + refined("s", collection_type="set")
            + '<meta property="belongs-to-collection" refines="#c">World</meta>'
            + '<meta property="belongs-to-collection" id="c">Novels</meta>'
            + refined("c", collection_type="series"),
            ("Novels", ""),
        ),
        (
            '<meta name="calibre:series" content="Novels"/><meta name="calibre:series_index" content="4.0"/>',
            ("Novels", "4.0"),
        ),
        ('<meta name="calibre:series_index" content="4.0"/>', ("", "")),
    ],
)
def test_series(path: Path, metadata: str, series: tuple[str, str]) -> None:
    """A series is known as EPUB 3 or as calibre writes it."""
    found = described(path, metadata).metadata
    assert (found.series, found.series_index) == series
