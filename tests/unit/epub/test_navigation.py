"""Tables of contents and landmarks of EPUB 2 and 3, well-formed and not."""

from pathlib import Path

import pytest

from producer import epub
from producer.epub import Entry, Landmark, navigation
from tests.unit.books import NCX, XHTML, Item, epub_file, nav, ncx, page
from tests.unit.epub.common import ONE, PACKAGE, TWO, contents, edit, flat, one


def test_contents_of_epub_3(path: Path) -> None:
    """The navigation document is the table of contents, at every depth, in the words of its links."""
    entries = """<li><a href="one.xhtml">The\n First</a></li>
        <li><span>Part Two</span><ol><li><a href="two.xhtml#top">The <i>Second</i></a></li></ol></li>"""
    assert contents(path, nav(entries), ncx(one="of the NCX")) == (
        one("The First"),
        Entry("Part Two", "", "", (Entry("The Second", "OEBPS/two.xhtml", "top"),)),
    )


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("<b><i><a href='one.xhtml'>I</a></i></b>", one("I")),
        ("<p>1. <a href='one.xhtml'>I</a></p>", one("I")),
        ("<span>I</span> p. 5 <a href='one.xhtml'/>", one("I")),
        ("<a href='nav.xhtml'>I</a>", Entry("I", "", "")),
        ("<a href='one.xhtml'><img src='i.png' alt='I'/></a>", one("I")),
        ("<a href='one.xhtml' title='I'/>", one("I")),
        ("<a href='one.xhtml'/>", one("")),
        ("I<ol><li><a href='one.xhtml'>II</a></li></ol>", Entry("I", "", "", (one("II"),))),
        (
            "<p><a href='one.xhtml'>I</a><ul><li><a href='one.xhtml#b'>II</a></li></ul></p>",
            one("I", one("II", fragment="b")),
        ),
        ("<a href='https://example.org/'>I</a>", Entry("I", "", "")),
        ("<a href='../../etc/passwd'>I</a>", Entry("I", "", "")),
        ("<a href=' one.xhtml '>I</a>", one("I")),
        ("<a href='one.xhtml'>I<!-- x --></a>", one("I")),
        ("<a href='one.xhtml'>Caf&eacute; &amp; &nbsp; Tea</a>", one("Caf\u00e9 & Tea")),
        ("<a href='one.xhtml'>I<br></a></li><li>", one("I")),
    ],
)
def test_lines_of_a_navigation_document(path: Path, line: str, entry: Entry) -> None:
    """A line is read wherever in it its link and its title are."""
    assert contents(path, nav(f"<li>{line}</li>")) == (entry,)


PREFIX = "xmlns:epub='http://www.idpf.org/2007/ops'"


@pytest.mark.parametrize(
    ("attributes", "title"),
    [
        ("epub:type='toc'", "second"),
        ("epub:type='bodymatter  TOC'", "second"),
        ("epub:type='x:toc'", "second"),
        ("role='doc-toc'", "second"),
        ("xmlns:o='http://www.idpf.org/2007/ops' o:type='toc'", "second"),
        ("", "first"),
    ],
)
def test_list_that_is_called_contents(path: Path, attributes: str, title: str) -> None:
    """The list that is called contents is taken, wherever it stands; else the first."""
    line = "<ol><li><a href='one.xhtml'>{}</a></li></ol>"
    first, second = f"<nav>{line.format('first')}</nav>", f"<nav {PREFIX} {attributes}>{line.format('second')}</nav>"
    assert contents(path, Item("nav.xhtml", page(first + second), XHTML, "nav")) == (one(title),)


@pytest.mark.parametrize("kind", ["page-list", "landmarks", "loi", "lot"])
def test_list_that_is_called_something_else(path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of pages or of landmarks is no table of contents; nor are more lists looked at than there may be."""
    other = f"<nav {PREFIX} epub:type='{kind}'><ol><li><a href='one.xhtml'>other</a></li></ol></nav>"
    empty, plain = "<nav><ol/></nav>", "<nav><ol><li><a href='one.xhtml'>plain</a></li></ol></nav>"
    assert contents(path, Item("nav.xhtml", page(other + empty + plain), XHTML, "nav")) == (one("plain"),)
    assert contents(path, Item("nav.xhtml", page(other), XHTML, "nav")) == ()
    monkeypatch.setattr(navigation, "_NAVS", 1)
    assert contents(path, Item("nav.xhtml", page(other + empty + plain), XHTML, "nav")) == ()


def test_contents_of_epub_2(path: Path) -> None:
    """The NCX is the table of contents, also a single entry."""
    assert contents(path, ncx(two="The Second", one="The First")) == (
        Entry("The Second", "OEBPS/two.xhtml", ""),
        one("The First"),
    )
    assert contents(path, ncx(two="The Second")) == (Entry("The Second", "OEBPS/two.xhtml", ""),)


def test_nested_ncx(path: Path) -> None:
    """An NCX nests its entries; one that says nothing is none."""
    point = "<navPoint><navLabel><text> {} </text></navLabel><content src='one.xhtml{}'/>{}</navPoint>"
    points = point.format("I", "", point.format("II", "#b", "") + "<navPoint/>") + "<navPoint><navLabel/></navPoint>"
    item = ncx()._replace(content=f"<ncx:ncx><ncx:navMap>{points}</ncx:navMap></ncx:ncx>")
    assert contents(path, item) == (one("I", one("II", fragment="b")),)


@pytest.mark.parametrize(
    "first",
    [
        nav(""),
        nav("<li/>"),
        Item("nav.xhtml", "", XHTML, "nav"),
        Item("nav.xhtml", "<html/>", XHTML, "nav"),
        Item("nav.xhtml", "<?xml version='1.0' encoding='undefined'?><html/>", XHTML, "nav"),
        Item("nav.xhtml", b"\xff\xfe\0", XHTML, "nav"),
    ],
)
def test_ncx_in_place_of_an_empty_navigation_document(path: Path, first: Item) -> None:
    """A navigation document without entries gives way to the NCX."""
    assert contents(path, first, ncx(one="I")) == (one("I"),)


def test_ncx_in_place_of_a_missing_navigation_document(path: Path) -> None:
    """A navigation document that is not there gives way too, and is told."""
    epub_file(path, [nav(""), ncx(one="I"), ONE])
    book = epub.read(edit(path, PACKAGE, 'href="nav.xhtml"', 'href="none.xhtml"'))
    assert book.contents == (one("I"),)
    assert book.problems == ("OEBPS/none.xhtml: the table of contents, but missing in the file: not used",)


@pytest.mark.parametrize(
    ("name", "media_type", "toc"),
    [
        ("toc.ncx", "text/xml", ""),
        ("toc.xml", NCX, ""),
        ("toc.xml", NCX, ' toc="none"'),
        ("toc.xml", NCX, ' toc="one.xhtml"'),
        ("toc.xml", "text/xml", ' toc="toc.xml"'),
    ],
)
def test_ncx_by_any_sign(path: Path, name: str, media_type: str, toc: str) -> None:
    """An NCX is known by the spine, by its media type, or by its name."""
    epub_file(path, [ncx(one="I")._replace(name=name, media_type=media_type), ONE])
    old = f' toc="{name}"' if media_type == NCX else "<spine"
    book = epub.read(edit(path, PACKAGE, old, toc if media_type == NCX else f"<spine{toc}"))
    assert book.contents == (one("I"),)


def test_no_contents_table(path: Path) -> None:
    """A book without a contents table is read."""
    assert contents(path) == ()


def test_empty_contents_table(path: Path) -> None:
    """A book whose contents table is empty is read."""
    assert contents(path, ncx()) == ()


@pytest.mark.parametrize("depth", [10, 100, 20_000])
def test_contents_of_any_depth(path: Path, depth: int) -> None:
    """Tables of contents of a depth that none has are read to the depth that some may have."""
    lists = "<li><a href='one.xhtml'>I</a><ol>" * depth + "</ol></li>" * depth
    points = "<navPoint><navLabel><text>I</text></navLabel>" * depth + "</navPoint>" * depth
    for item in (nav(lists), ncx()._replace(content=f"<ncx><navMap>{points}</navMap></ncx>")):
        assert len(flat(contents(path, item))) in {min(depth, navigation.MAX_DEPTH), 0}


def test_landmarks_of_epub_3(path: Path) -> None:
    """Landmarks tell what places are; those that lead nowhere are none; the contents table is one itself."""
    marks = """<nav epub:type="landmarks"><ol><li><a epub:type="bodymatter" href="two.xhtml#a%20b">Text</a></li>
        <li><a epub:type="z3998:cover" href="one.xhtml">C</a></li><li><a epub:type="toc" href="none">C</a></li>
        <li><a epub:type="index">I</a></li></ol></nav></body>"""
    item = nav("<li><a href='one.xhtml'>I</a></li>")
    item = item._replace(content=str(item.content).replace("</body>", marks).replace("<nav ", "<nav ", 1))
    content = str(item.content).replace("<html ", '<html xmlns:epub="http://www.idpf.org/2007/ops" ')
    assert epub.read(epub_file(path, [item._replace(content=content), ONE, TWO])).landmarks == (
        Landmark("bodymatter", "OEBPS/two.xhtml", "a b"),
        Landmark("cover", "OEBPS/one.xhtml", ""),
        Landmark("toc", "OEBPS/nav.xhtml", ""),
    )


def test_spelling_of_a_landmark(path: Path) -> None:
    """A landmark that is no document is called as the manifest has it, and told once."""
    guide = '<guide><reference type="toc" href="nav.xhtml"/></guide>'
    epub_file(path, [nav("<li><a href='one.xhtml'>I</a></li>"), ONE], guide=guide)
    book = epub.read(edit(path, PACKAGE, 'id="nav.xhtml" href="nav.xhtml"', 'id="nav.xhtml" href="NAV.xhtml"'))
    assert book.landmarks == (Landmark("toc", "OEBPS/NAV.xhtml", ""),)


def test_landmarks_of_epub_2(path: Path) -> None:
    """The guide says the same in words of its own."""
    words = ["title-page", "text", "notes", "acknowledgements", "Copyright-Page", "toc"]
    lines = "".join(f'<reference type="{word}" href="one.xhtml#x"/>' for word in words) + "<reference type='loi'/>"
    book = epub.read(epub_file(path, [ONE], guide=f"<guide>{lines}</guide>"))
    kinds = ["titlepage", "bodymatter", "endnotes", "acknowledgments", "copyright-page", "toc"]
    assert book.landmarks == tuple(Landmark(kind, "OEBPS/one.xhtml", "x") for kind in kinds)
