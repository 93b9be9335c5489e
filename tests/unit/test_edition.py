"""A book to an EPUB 3 in which every sentence is an element."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from e2a.plan import Plan, Reading, sentence_id
from producer import epub, markup
from producer.edition import NoEdition, edition
from tests.unit.books import METADATA, Item, epub_file, nav, ncx, page, plan_of, small_epub, zip_file

OPF = "{http://www.idpf.org/2007/opf}"
PNG = b"\x89PNG\r\n\x1a\n"


class Made:
    """An edition, and the plan that it was made for."""

    def __init__(self, path: Path, reading: Reading = Reading(), **options: str) -> None:  # noqa: B008
        self.plan: Plan = plan_of(epub.read(path), reading, **options)
        self.content = edition(path, self.plan)
        self.zip = zipfile.ZipFile(io.BytesIO(self.content))
        self.opf = etree.fromstring(self.zip.read("OEBPS/book.opf"))

    def text(self, name: str) -> str:
        return self.zip.read(f"OEBPS/{name}").decode()

    def body(self, name: str) -> str:
        return self.text(name).partition("<body>")[2].partition("</body>")[0]

    def item(self, href: str) -> dict[str, str]:
        return dict(next(item.attrib for item in self.opf.iter(f"{OPF}item") if item.get("href") == href))

    def hrefs(self) -> set[str]:
        return {item.attrib["href"] for item in self.opf.iter(f"{OPF}item")}

    def spine(self) -> list[tuple[str, str]]:
        hrefs = {item.get("id"): item.attrib["href"] for item in self.opf.iter(f"{OPF}item")}
        return [(hrefs[each.get("idref")], each.get("linear", "")) for each in self.opf.iter(f"{OPF}itemref")]


def made(path: Path, items: list[Item], **options: Any) -> Made:
    return Made(epub_file(path / "book.epub", items, **options))


def test_every_sentence_is_an_element(tmp_path: Path) -> None:
    """The element of each sentence has its text, and the text of the pages is what it was."""
    bodies = [
        "<h1>One</h1><p>It all <i>begins in the garden. It</i> goes&#160;on in the old house.</p>",
        "<p>Two</p><div>a <b>b</b>.<p>It ends.</p></div>",
    ]
    book = Made(small_epub(tmp_path / "book.epub", *bodies))
    found = {}
    for number, body in enumerate(bodies, 1):
        root = etree.fromstring(book.text(f"c{number}.xhtml").encode())
        original = etree.fromstring(page(body))
        assert markup.text_content(root[1]) == markup.text_content(original[1])
        found |= {str(each.get("id")): markup.collapse(markup.text_content(each)) for each in root.iter("{*}span")}
    assert found == {
        sentence_id(part.index, number): sentence.text
        for part in book.plan.parts
        for number, sentence in enumerate(part.sentences)
    }
    assert len(found) == 6


def test_descriptions_of_images(tmp_path: Path) -> None:
    """What is read of an image lights up around it."""
    image = '<img src="a.png" alt="A cat sits by the fire. A dog sleeps at the door."/>'
    items = [Item("c1.xhtml", page(f"<p>Text.</p>{image}")), Item("a.png", PNG, "image/png")]
    book = Made(epub_file(tmp_path / "book.epub", items), Reading(alt_text=True))
    assert f'<span id="e2a-0-1"><span id="e2a-0-2">{image}</span></span>' in book.body("c1.xhtml")


def test_package(tmp_path: Path) -> None:
    """An EPUB 2 becomes an EPUB 3: metadata with what refines it, a date, a table of contents, the cover."""
    metadata = (
        METADATA.replace("<dc:creator>", '<dc:creator xmlns:opf="http://www.idpf.org/2007/opf" opf:role="aut">')
        + "<dc:rights>Free</dc:rights><dc:date>1815-12-23</dc:date><meta name='cover' content='a.png'/>"
    )
    items = [ncx(c1="One"), Item("c1.xhtml", page("<p>It begins.</p>")), Item("a.png", PNG, "image/jpeg")]
    book = made(tmp_path, items, metadata=metadata, guide='<guide><reference type="text" href="c1.xhtml"/></guide>')
    content = book.text("book.opf")
    for expected in (
        '<dc:creator id="creator-4">Jane Austen</dc:creator>',
        '<meta property="role" refines="#creator-4" scheme="marc:relators">aut</meta>',
        "<dc:rights>Free</dc:rights>",
        "<dc:date>1815-12-23</dc:date>",
        '<meta property="dcterms:modified">1815-12-23T00:00:00Z</meta>',
    ):
        assert expected in content
    assert book.item("a.png")["properties"] == "cover-image"
    assert book.item("a.png")["media-type"] == "image/png"
    assert book.item("e2a-contents.xhtml")["properties"] == "nav"
    contents = book.text("e2a-contents.xhtml")
    assert (
        '<nav epub:type="toc" id="toc" role="doc-toc"><h1>Emma</h1><ol><li><a href="c1.xhtml">One</a></li></ol>'
        in contents
    )
    assert '<a epub:type="bodymatter" href="c1.xhtml">Bodymatter</a>' in contents
    assert "toc.ncx" not in book.hrefs()


def test_same_bytes(tmp_path: Path) -> None:
    """The same book and plan make the same bytes, and a zip that begins as an EPUB must."""
    path = small_epub(tmp_path / "book.epub")
    book = Made(path)
    assert edition(path, book.plan) == book.content
    first = book.zip.infolist()[0]
    assert (first.filename, first.compress_type, first.extra) == ("mimetype", zipfile.ZIP_STORED, b"")
    assert book.content[38:58] == b"application/epub+zip"


def test_contents_without_any(tmp_path: Path) -> None:
    """A book without a table of contents gets one of its chapters."""
    contents = Made(small_epub(tmp_path / "book.epub")).text("e2a-contents.xhtml")
    assert '<li><a href="c1.xhtml#e2a-0-0">One</a></li><li><a href="c2.xhtml#e2a-1-0">Two</a></li>' in contents


def test_contents_are_replaced(tmp_path: Path) -> None:
    """A navigation document beside the reading order is replaced; one that is read stays a page, its entries mended."""
    entries = '<li><a href="c1.xhtml#gone">One</a></li><li><span>Part</span><ol><li><a href="no">x</a></li></ol></li>'
    items = [nav(entries), Item("c1.xhtml", page("<p>One.</p>"))]
    book = made(tmp_path, items)
    assert book.item("nav.xhtml")["properties"] == "nav"
    assert '<ol><li><a href="c1.xhtml">One</a></li></ol>' in book.text("nav.xhtml")
    book = made(tmp_path, items, spine=["nav.xhtml", "c1.xhtml"])
    assert "properties" not in book.item("nav.xhtml")
    assert '<a href="c1.xhtml">One</a>' in book.body("nav.xhtml")
    assert "<a>x</a>" in book.body("nav.xhtml")
    assert book.item("e2a-contents.xhtml")["properties"] == "nav"


def test_links(tmp_path: Path) -> None:
    """Links to what is not there are no links any more; what is there and in no manifest is added to it."""
    body = (
        '<p id="p">A <a href="c2.xhtml#q">b</a> <a href="c2.xhtml#gone">c</a> <a href="gone.xhtml">d</a> '
        '<a href="#p">e</a> <a href="http://x y/">f</a> <a href="https://x.org/a b">g</a> <a href="a.png">h</a> '
        '<a href="n.xhtml">i</a></p><img src="a.png"/><img src="gone.png"/><img src="a.bmp"/><audio src="http://x.org/a.mp3"></audio>'
        '<object data="gone"><p>j</p></object>'
    )
    items = [
        Item("c1.xhtml", page(body)),
        Item("c2.xhtml", page('<p id="q">Two.</p>')),
        Item("n.xhtml", page("<p>Note.</p>")),
    ]
    book = made(
        tmp_path,
        items,
        spine=["c1.xhtml", "c2.xhtml"],
        files={"OEBPS/a.png": PNG, "OEBPS/a.bmp": b"BM", "OEBPS/junk": b""},
    )
    found = book.body("c1.xhtml")
    for expected in (
        '<a href="c2.xhtml#q">b</a> <a href="c2.xhtml">c</a> <a>d</a> <a href="#p">e</a> <a>f</a> '
        '<a href="https://x.org/a%20b">g</a> <a>h</a> <a href="n.xhtml">i</a>',
        '<img src="a.png"/><span></span><span></span><audio src="http://x.org/a.mp3"></audio><div><p>',
    ):
        assert expected in found
    assert book.item("c1.xhtml")["properties"] == "remote-resources"
    assert book.item("http://x.org/a.mp3")["media-type"] == "audio/mpeg"
    assert book.item("a.png")["media-type"] == "image/png"
    assert "junk" not in book.hrefs()
    assert book.spine() == [("c1.xhtml", ""), ("c2.xhtml", ""), ("n.xhtml", "no")]


def test_what_no_link_leads_to(tmp_path: Path) -> None:
    """A document beside the reading order that no link leads to is put into it, as a reader could not open it."""
    items = [
        Item("c1.xhtml", page('<p>One. <a href="c2.xhtml">Two</a></p>')),
        *(Item(f"c{n}.xhtml", page("<p>Text.</p>")) for n in (2, 3)),
    ]
    book = made(tmp_path, items, unlinear=["c2.xhtml", "c3.xhtml"])
    assert book.spine() == [("c1.xhtml", ""), ("c2.xhtml", "no"), ("c3.xhtml", "")]


def test_styles(tmp_path: Path) -> None:
    """Style sheets are kept and mended, the sentence that is heard gets a style, and only where there is one."""
    head = page('<p style="direction: rtl; top: 0">One.</p>').replace(
        "</head>", '<link rel="stylesheet" href="s.css"/></head>'
    )
    items = [
        Item("c1.xhtml", head),
        Item("c2.xhtml", page("<p>***</p>")),
        Item("s.css", "p { top: 0; background: url(gone.png) } }", "text/css"),
    ]
    book = made(tmp_path, items)
    assert book.text("s.css").strip() == "p { top: 0 }"
    assert '<p style="top: 0">' in book.text("c1.xhtml")
    assert (
        '<link rel="stylesheet" href="s.css"/><link rel="stylesheet" type="text/css" href="e2a-read-along.css"/></head>'
        in book.text("c1.xhtml")
    )
    assert "e2a-read-along" not in book.text("c2.xhtml")
    assert ".-epub-media-overlay-active {" in book.text("e2a-read-along.css")


def test_own_narration_is_left_out(tmp_path: Path) -> None:
    """The media overlays of the original are gone, and so is audio that only they play."""
    items = [
        Item("c1.xhtml", page('<p>One.</p><audio src="b.mp3"></audio>')),
        Item("c1.smil", "<smil/>", "application/smil+xml"),
        Item("a.mp3", b"a", "audio/mpeg"),
        Item("b.mp3", b"b", "audio/mpeg"),
    ]
    assert made(tmp_path, items).hrefs() == {"c1.xhtml", "b.mp3", "e2a-contents.xhtml", "e2a-read-along.css"}


def test_direction(tmp_path: Path) -> None:
    """Pages of a language that is written leftward say so, as style sheets may not; the spine keeps its direction."""
    path = small_epub(tmp_path / "book.epub", "<p>\u05d0\u05d1.</p>")
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["OEBPS/book.opf"] = files["OEBPS/book.opf"].replace(b"<spine>", b'<spine page-progression-direction="rtl">')
    book = Made(zip_file(path, files), language="he")
    assert ' dir="rtl">' in book.text("c1.xhtml").partition("<head>")[0]
    assert b'<spine page-progression-direction="rtl">' in book.zip.read("OEBPS/book.opf")


def test_names_that_an_epub_may_not_have(tmp_path: Path) -> None:
    """A file with a name that is not allowed gets one that is, also in links."""
    items = [Item("c?1.xhtml", page('<p>One.</p><img src="a%7Cb.png"/>')), Item("a|b.png", PNG, "image/png")]
    book = made(tmp_path, items)
    assert {"OEBPS/c_1.xhtml", "OEBPS/a_b.png"} <= set(book.zip.namelist())
    assert '<img src="a_b.png"/>' in book.text("c_1.xhtml")


def test_names_that_become_one(tmp_path: Path) -> None:
    """Files whose names differ in letter case or in forbidden characters only are all there, and linked to."""
    names = ["a:b.xhtml", "a_b.xhtml", "C.xhtml", "c.xhtml"]
    links = "".join(f'<a href="{name}">x</a>' for name in names).replace("a:b", "a%3Ab")
    items = [Item(name, page(f"<p>Page {number}.</p>{links}")) for number, name in enumerate(names)]
    book = made(tmp_path, items)
    spine = [href for href, _linear in book.spine()]
    assert spine == ["a_b.xhtml", "_a_b.xhtml", "C.xhtml", "_c.xhtml"]
    for number, name in enumerate(spine):
        assert f"Page {number}." in book.body(name)
        assert [link for link in spine if f'<a href="{link}">x</a>' in book.body(name)] == spine


def test_names_that_the_book_has(tmp_path: Path) -> None:
    """A file of the book that is called as one of the edition's own stays, also one that is in no manifest."""
    files = {"OEBPS/E2A-read-along.css": "p { top: 0 }", "OEBPS/e2a-contents.xhtml": "x"}
    head = page("<p>One.</p>").replace("</head>", '<link rel="stylesheet" href="E2A-read-along.css"/></head>')
    book = made(tmp_path, [Item("c1.xhtml", head)], files=files)
    assert book.text("E2A-read-along.css").strip() == "p { top: 0 }"
    assert ".-epub-media-overlay-active {" in book.text("_e2a-read-along.css")
    assert book.item("_e2a-contents.xhtml")["properties"] == "nav"


def test_drawings(tmp_path: Path) -> None:
    """A drawing that is a file loses scripts and what it links to and cannot have; what leads to something stays."""
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" xmlns:i="http://i.org/" '
        'onload="f()" i:label="l"><script>f()</script><style>@import url(http://x.org/s.css); path { top: 0 }</style>'
        '<image x:href="gone.png"/><image x:href="http://x.org/a.png"/><image x:href="a.png"/><use x:href="#p"/>'
        '<a x:href="n.xhtml"><path id="p" onclick="f()" d="M0 0"/></a><use xlink:href="#q"/></svg>'
    )
    items = [
        Item("c1.xhtml", page('<p>One.</p><img src="a.svg"/><img src="b.svg"/>')),
        Item("n.xhtml", page("<p>Note.</p>")),
        Item("a.svg", drawing, "image/svg+xml"),
        Item("b.svg", "<p/>", "image/svg+xml"),
    ]
    book = made(tmp_path, items, spine=["c1.xhtml"], files={"OEBPS/a.png": PNG})
    found = book.text("a.svg").partition("?>\n")[2]
    assert found == (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:i="http://i.org/" '
        'i:label="l"><style> path { top: 0 }</style><image/><image/><image xlink:href="a.png"/><use xlink:href="#p"/>'
        '<a xlink:href="n.xhtml"><path id="p" d="M0 0"/></a><use/></svg>'
    )
    assert '<img src="a.svg"/><span></span>' in book.body("c1.xhtml")
    assert {"a.png", "n.xhtml"} <= book.hrefs()
    assert "b.svg" not in book.hrefs()


def test_drawing_in_the_reading_order(tmp_path: Path) -> None:
    """A page to which only a drawing leads is in the edition."""
    drawing = '<svg xmlns="http://www.w3.org/2000/svg"><a href="n.xhtml"><path d="M0 0"/></a></svg>'
    items = [
        Item("c1.xhtml", page("<p>One.</p>")),
        Item("a.svg", drawing, "image/svg+xml"),
        Item("n.xhtml", page("<p>Note.</p>")),
    ]
    book = made(tmp_path, items, spine=["c1.xhtml", "a.svg"])
    assert '<a href="n.xhtml">' in book.text("a.svg")
    assert book.spine() == [("c1.xhtml", ""), ("a.svg", ""), ("n.xhtml", "no")]


def test_scripted_drawing_in_a_page(tmp_path: Path) -> None:
    """The manifest says of a page that it is scripted when only a drawing in it is."""
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" onload="f()"><script>f()</script><path d="M0 0"/></svg>'
    book = made(tmp_path, [Item("c1.xhtml", page(f"<p>One.</p>{drawing}"), properties="scripted")], spine=["c1.xhtml"])
    assert book.item("c1.xhtml")["properties"] == "scripted svg"
    assert "<script>f()</script>" in book.body("c1.xhtml")


def test_obfuscated_fonts(tmp_path: Path) -> None:
    """What unlocks obfuscated fonts stays: the identifier and the list of them."""
    encryption = (
        '<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData>'
        '<e:EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/><e:CipherData>'
        '<e:CipherReference URI="OEBPS/f.otf"/></e:CipherData></e:EncryptedData></encryption>'
    )
    items = [Item("c1.xhtml", page("<p>One.</p>")), Item("f.otf", b"f", "font/otf")]
    book = made(tmp_path, items, files={"META-INF/encryption.xml": encryption})
    assert book.zip.read("META-INF/encryption.xml").decode() == encryption
    assert '<dc:identifier id="pub-id">made</dc:identifier>' in book.text("book.opf")


def test_edition_of_an_edition(tmp_path: Path) -> None:
    """An edition is a book like any other: the names that its sentences had mean nothing."""
    first = Made(small_epub(tmp_path / "book.epub"))
    again = tmp_path / "again.epub"
    again.write_bytes(first.content)
    second = Made(again)
    assert second.text("c1.xhtml").count('id="e2a-') == second.text("c1.xhtml").count("<span id=") == 2
    assert "_e2a-read-along.css" in second.hrefs()


def test_pages_that_cannot_be_saved(tmp_path: Path) -> None:
    """Pages that no reader could read make no edition, and the reason names the page."""
    path = small_epub(tmp_path / "book.epub", f"{'<div>' * 300}<p>One.</p>{'</div>' * 300}")
    with pytest.raises(NoEdition, match=r"no read-along edition: OEBPS/c1\.xhtml cannot be read as XML"):
        Made(path)
