"""The documents of an EPUB: which there are, in which order, as which bytes."""

import socket
import zipfile
from pathlib import Path

import pytest

from producer import epub
from producer.epub import Document, Entry, archive
from tests.unit.books import NCX, XHTML, Item, epub_file, nav, ncx, page, zip_file
from tests.unit.epub.common import CONTAINER, JPEG, ONE, PACKAGE, TWO, edit, flip, hrefs, one, refusal


def test_content_is_untouched(path: Path) -> None:
    """A document comes as the bytes in the EPUB, named by its path in the container."""
    raw = Item("one.xhtml", "\u00e9".encode("utf-16") + b"\0\xff")
    assert epub.read(epub_file(path, [raw])).documents == (Document("OEBPS/one.xhtml", raw.content),)


def test_spine_is_the_order(path: Path) -> None:
    """Documents come in the order of the spine, not of the manifest, and only those in it."""
    items = [ONE, TWO, Item("three.xhtml", page("<p>Three.</p>"))]
    book = epub.read(epub_file(path, items, spine=["three.xhtml", "one.xhtml"]))
    assert hrefs(book) == ["OEBPS/three.xhtml", "OEBPS/one.xhtml"]
    assert book.problems == ()


def test_documents_beside_the_reading_order(path: Path) -> None:
    """What the spine marks as outside the reading order, such as notes, is there and marked."""
    book = epub.read(epub_file(path, [ONE, TWO], unlinear=["one.xhtml"]))
    assert [document.linear for document in book.documents] == [False, True]


def test_contents_table_in_the_spine(path: Path) -> None:
    """A contents table in the spine is one of the documents."""
    items = [nav("<li><span>Part</span><ol><li><a href='one.xhtml'>I</a></li></ol></li>"), ONE]
    book = epub.read(epub_file(path, items, spine=["nav.xhtml", "one.xhtml"]))
    assert hrefs(book) == ["OEBPS/nav.xhtml", "OEBPS/one.xhtml"]
    assert book.contents == (Entry("Part", "", "", (one("I"),)),)


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        (XHTML, "x"),
        ("text/html", "x"),
        ("Application/XHTML+XML; charset=utf-8", "x"),
        ("application/xml", "x"),
        ("application/x-dtbook+xml", "x"),
        ("text/x-oeb1-document", "x"),
        ("", "x.xhtml"),
        ("application/octet-stream", "x.HTML"),
    ],
)
def test_kinds_that_are_text(path: Path, media_type: str, name: str) -> None:
    """Markup is text, whatever the manifest calls it."""
    book = epub.read(epub_file(path, [ONE, Item(name, "<p>x</p>", media_type)], spine=["one.xhtml", name]))
    assert hrefs(book) == ["OEBPS/one.xhtml", f"OEBPS/{name}"]


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/svg+xml"])
def test_kinds_without_text(path: Path, media_type: str) -> None:
    """A picture in the spine is passed over: there is nothing to read in it."""
    book = epub.read(epub_file(path, [ONE, Item("x", "<svg/>", media_type)], spine=["one.xhtml", "x"]))
    assert (hrefs(book), book.problems) == (["OEBPS/one.xhtml"], ())


@pytest.mark.parametrize("media_type", ["text/plain", "application/pdf", NCX])
def test_kinds_that_are_not_read(path: Path, media_type: str) -> None:
    """Another kind of file in the spine is passed over too, and told."""
    book = epub.read(epub_file(path, [ONE, Item("x", "text", media_type)], spine=["one.xhtml", "x"]))
    assert hrefs(book) == ["OEBPS/one.xhtml"]
    assert book.problems == (f"OEBPS/x: in the reading order, but not text ({media_type}): its text is lost",)


def test_fallback(path: Path) -> None:
    """A file of another kind is replaced by what it falls back to, and entries that name it lead there."""
    table = nav("<li><a href='x.pdf'>I</a></li>")
    epub_file(
        path, [table, Item("x.pdf", "", "application/pdf"), Item("y.svg", "", "image/svg+xml"), TWO], spine=["x.pdf"]
    )
    edit(path, PACKAGE, '"application/pdf"', '"application/pdf" fallback="y.svg"')
    book = epub.read(edit(path, PACKAGE, '"image/svg+xml"', '"image/svg+xml" fallback="two.xhtml"'))
    assert hrefs(book) == ["OEBPS/two.xhtml"]
    assert book.contents == (Entry("I", "OEBPS/two.xhtml", ""),)


def test_fallback_that_never_ends(path: Path) -> None:
    """A circle of fallbacks is left."""
    epub_file(path, [ONE, Item("x.pdf", "", "application/pdf")], spine=["one.xhtml", "x.pdf"])
    assert hrefs(epub.read(edit(path, PACKAGE, '"application/pdf"', '"application/pdf" fallback="x.pdf"'))) == [
        "OEBPS/one.xhtml"
    ]


def test_missing_document(path: Path) -> None:
    """A document that is not in the zip is told, an entry that names it names nothing, and the others are read."""
    epub_file(path, [nav("<li><a href='none.xhtml#x'>I</a></li>"), ONE, Item("none.xhtml", "")])
    with zipfile.ZipFile(path) as opened:
        files = {name: opened.read(name) for name in opened.namelist() if name != "OEBPS/none.xhtml"}
    book = epub.read(zip_file(path, files))
    assert hrefs(book) == ["OEBPS/one.xhtml"]
    assert book.contents == (Entry("I", "", ""),)
    assert book.problems == ("OEBPS/none.xhtml: in the reading order, but missing in the file: its text is lost",)


def test_damaged_document(path: Path) -> None:
    """A document that cannot be unpacked is told, and the others are read."""
    book = epub.read(flip(epub_file(path, [ONE, TWO]), "OEBPS/one.xhtml"))
    assert hrefs(book) == ["OEBPS/two.xhtml"]
    assert book.problems == (
        "OEBPS/one.xhtml: in the reading order, but damaged (its compressed data are damaged): its text is lost",
    )


def test_spine_that_names_nothing(path: Path) -> None:
    """A line of the spine that the manifest does not know is told; one that names nothing at all says nothing."""
    epub_file(path, [ONE], spine=["no\x85thing", "one.xhtml"])
    book = epub.read(edit(path, PACKAGE, "<spine>", "<spine><itemref/>"))
    assert hrefs(book) == ["OEBPS/one.xhtml"]
    (problem,) = book.problems
    assert problem.startswith(f"{PACKAGE}: the reading order names 'no")
    assert problem.isprintable()


def test_document_that_is_named_twice(path: Path) -> None:
    """No document is read twice, however it is spelled."""
    epub_file(path, [ONE, Item("two", "", XHTML)], spine=["one.xhtml", "one.xhtml", "two"])
    book = epub.read(edit(path, PACKAGE, 'href="two"', 'href="ONE.xhtml"'))
    assert hrefs(book) == ["OEBPS/one.xhtml"]
    assert "OEBPS/ONE.xhtml: more than once in the reading order: read once" in book.problems


def test_names_as_the_manifest_spells_them(path: Path) -> None:
    """A document is called as the manifest has it, not as the zip or the contents table do."""
    table = nav('<li><a href="./A%20b.xhtml#%C3%A9">I</a></li>')
    epub_file(path, [table, Item("a b.xhtml", page("<p>x</p>"))])
    book = epub.read(edit(path, PACKAGE, 'href="a b.xhtml"', 'href="x/../A%20B.xhtml"'))
    assert hrefs(book) == ["OEBPS/A B.xhtml"]
    assert book.contents == (Entry("I", "OEBPS/A B.xhtml", "\u00e9"),)


def test_spelling_of_a_document(path: Path) -> None:
    """Where the manifest has several spellings, that of the item in the spine counts."""
    epub_file(path, [Item("x.xhtml", ""), nav("<li><a href='One.xhtml'>I</a></li>"), ONE], spine=["one.xhtml"])
    book = epub.read(edit(path, PACKAGE, 'href="x.xhtml"', 'href="ONE.xhtml"'))
    assert (hrefs(book), book.contents) == (["OEBPS/one.xhtml"], (one("I"),))


def test_names_with_a_percent_sign(path: Path) -> None:
    """A link is decoded once."""
    plain, encoded = Item("a b.xhtml", "plain"), Item("a%20b.xhtml", "encoded")
    epub_file(path, [nav("<li><a href='a%20b.xhtml'>I</a></li>"), plain, encoded])
    book = epub.read(edit(path, PACKAGE, 'href="a%20b.xhtml"', 'href="a%2520b.xhtml"'))
    assert book.documents == (Document("OEBPS/a b.xhtml", b"plain"), Document("OEBPS/a%20b.xhtml", b"encoded"))
    assert book.contents == (Entry("I", "OEBPS/a b.xhtml", ""),)


def test_identifier_that_is_given_twice(path: Path) -> None:
    """Of two items of one identifier the first counts."""
    book = epub.read(edit(epub_file(path, [ONE, TWO]), PACKAGE, 'id="two.xhtml"', 'id="one.xhtml"'))
    assert hrefs(book) == ["OEBPS/one.xhtml"]


def test_problem_is_one_line(path: Path) -> None:
    """A name in the file cannot break the line that tells of it."""
    book = epub.read(edit(epub_file(path, [ONE, TWO]), PACKAGE, 'href="two.xhtml"', 'href="a&#10;&#x202e;b.xhtml"'))
    assert book.problems == ("OEBPS/a \ufffdb.xhtml: in the reading order, but missing in the file: its text is lost",)


def test_content_is_read_when_it_is_needed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds no text is not even looked for: pictures, styles and fonts may be missing, damaged or remote."""
    items = [ONE, Item("https://example.org/a.mp3", "", "audio/mpeg"), Item("a.css", "", "text/css"), JPEG]
    asked = []
    read = archive.Archive.read
    monkeypatch.setattr(archive.Archive, "read", lambda self, name: asked.append(name) or read(self, name))
    assert epub.read(epub_file(path, items)).problems == ()
    assert asked == ["META-INF/encryption.xml", CONTAINER, PACKAGE, "OEBPS/one.xhtml"]


def test_nothing_is_fetched(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A book whose picture, style, script, cover and a chapter are on the internet is read without asking there."""
    away = "https://example.org"
    body = f"<img src='{away}/a.jpg'/><script src='{away}/a.js'></script><iframe src='{away}'></iframe><p>One.</p>"
    style = Item("a.css", f"@import url({away}/b.css); p {{ background: url({away}/c.png) }}", "text/css")
    cover = Item(f"{away}/front.jpg", "", "image/jpeg", "cover-image")

    def forbidden(*_arguments: object, **_options: object) -> None:
        raise AssertionError("asked the network")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, forbidden)
    epub_file(path, [Item("one.xhtml", page(body)), TWO, style, cover])
    book = epub.read(edit(path, PACKAGE, 'href="two.xhtml"', f'href="{away}/two.xhtml"'))
    assert book.cover is None
    assert any("two.xhtml" in problem for problem in book.problems)


def test_bomb_that_must_be_read(path: Path) -> None:
    """A document, or a package, that unpacks without end is refused by name."""
    bomb = bytes(2 * archive.RATIO_FREE_BYTES)
    message = str(refusal(epub_file(path, [ONE, Item("two.xhtml", bomb)])))
    assert message.endswith(
        "will not unpack OEBPS/two.xhtml: it unpacks to more than 200 times its size, as in a zip bomb"
    )
    assert f"{PACKAGE} cannot be read: it unpacks to more" in str(
        refusal(epub_file(path, [ONE], files={PACKAGE: bomb}))
    )


def test_bomb_that_need_not_be_read(path: Path) -> None:
    """A cover and a table of contents that unpack without end are left out, and told."""
    bomb = bytes(2 * archive.RATIO_FREE_BYTES)
    items = [ONE, nav("")._replace(content=bomb), ncx(one="I"), JPEG._replace(properties="cover-image", content=bomb)]
    book = epub.read(epub_file(path, items))
    assert (book.cover, book.contents) == (None, (one("I"),))
    assert [problem.partition(" (")[0] for problem in book.problems] == [
        "OEBPS/nav.xhtml: the table of contents, but too large",
        "OEBPS/front.jpg: a picture for the cover, but too large",
    ]
