"""Package documents as they should be and as they are; protection."""

import zipfile
from pathlib import Path

import pytest

from e2a.errors import ExitCode
from producer import epub
from producer.epub import package
from tests.unit.books import XHTML, Item, epub_file, nav, small_epub, zip_file
from tests.unit.epub.common import CONTAINER, ONE, PACKAGE, PNG, TWO, edit, flip, hrefs, refusal

AES = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"


def test_first_of_several_packages(path: Path) -> None:
    """The first package is read, not the last."""
    other = '<rootfile full-path="other.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    epub_file(path, [ONE], files={"other.opf": "<package/>"})
    assert hrefs(epub.read(edit(path, CONTAINER, "</rootfiles>", other))) == ["OEBPS/one.xhtml"]


@pytest.mark.parametrize("container", ["", "<container/>"])
def test_no_container(path: Path, container: str) -> None:
    """Without a container that names it the package is found by its name, and that is told."""
    book = epub.read(epub_file(path, [ONE], files={CONTAINER: container}))
    assert hrefs(book) == ["OEBPS/one.xhtml"]
    assert book.problems == (f"META-INF/container.xml: names no package document: took {PACKAGE}",)


def test_package_at_the_top(path: Path) -> None:
    """A package that is in no folder names files that are in none."""
    epub_file(path, [], spine=["one"], files={CONTAINER: "", "one.xhtml": "x"})
    with zipfile.ZipFile(path) as opened:
        package = opened.read(PACKAGE).decode()
    item = '<item id="one" href="one.xhtml" media-type="application/xhtml+xml"/></manifest>'
    book = epub.read(zip_file(path, {"book.opf": package.replace("</manifest>", item), "one.xhtml": "x"}))
    assert hrefs(book) == ["one.xhtml"]


def test_package_of_many_prefixes(path: Path) -> None:
    """A package is read by the names of its elements, whatever prefix they have, declared or not."""
    package = """<opf:package><opf:metadata><dc:Title>Emma</dc:Title><DC:creator opf:role="aut">A</DC:creator>
        <dc-metadata xmlns:d="http://purl.org/dc/elements/1.0/"><d:language>fr</d:language></dc-metadata></opf:metadata>
        <opf:manifest><opf:item opf:id="c" opf:href="one.xhtml" opf:media-type="application/xhtml+xml"/></opf:manifest>
        <opf:spine><opf:itemref opf:idref="c"/></opf:spine></opf:package>"""
    book = epub.read(epub_file(path, [ONE], files={PACKAGE: package}))
    assert (book.title, book.authors, book.language, len(book.documents)) == ("Emma", ("A",), "fr", 1)


def test_package_that_is_not_well_formed(path: Path) -> None:
    """A package with stray markup, unknown entities and half-items is read around."""
    epub_file(path, [ONE], metadata="<dc:title>Caf&eacute; & Tea</dc:title><dc:creator>A</dc:creator>")
    book = epub.read(edit(path, PACKAGE, "<manifest>", "<manifest><item id='x'/><item href='y'/><br>"))
    assert (book.title, hrefs(book)) == ("Caf\u00e9 Tea", ["OEBPS/one.xhtml"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
def test_encodings_of_a_package(path: Path, encoding: str) -> None:
    """A package is decoded as it is encoded, not as it ought to be."""
    epub_file(path, [ONE], metadata="<dc:title>Caf\u00e9 \u2013 \u20ac</dc:title>")
    with zipfile.ZipFile(path) as opened:
        package = opened.read(PACKAGE).decode().replace('encoding="utf-8"', "")
    book = epub.read(epub_file(path, [ONE], files={PACKAGE: package.encode(encoding)}))
    assert book.title == "Caf\u00e9 \u2013 \u20ac"


def test_item_that_ebooklib_forgets(path: Path) -> None:
    """A document with a property of no standing keeps its name."""
    items = [Item("one.xhtml", ONE.content, XHTML, "cover"), TWO]
    assert hrefs(epub.read(epub_file(path, items, spine=["one.xhtml"]))) == ["OEBPS/one.xhtml"]


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        (PACKAGE, "<spine", "<spin", "names no documents to read (no spine)"),
        (PACKAGE, "<itemref", "<item", "names no documents to read (no spine)"),
        (PACKAGE, "<manifest", "<manifes", "no text to read: OEBPS/book.opf: the reading order names 'c1.xhtml'"),
        (PACKAGE, ' href="', ' hre="', "no text to read: OEBPS/book.opf: the reading order names 'c1.xhtml'"),
        (PACKAGE, 'href="c', 'href="d', "no text to read: OEBPS/d1.xhtml: in the reading order, but missing in"),
        (PACKAGE, "application/xhtml+xml", "image/png", "there is no text to read: only images"),
        (PACKAGE, "<", "", "the package document OEBPS/book.opf is not XML, or no package"),
        (PACKAGE, "<", "<x", "the package document OEBPS/book.opf is not XML, or no package"),
    ],
)
def test_package_that_lacks_something(path: Path, name: str, old: str, new: str, reason: str) -> None:
    """An EPUB whose package leads to no text at all is refused, for what is wrong in it."""
    error = refusal(edit(small_epub(path), name, old, new))
    assert error.code == ExitCode.BAD_INPUT
    assert reason in str(error)


@pytest.mark.parametrize("files", [{"book.txt": "no EPUB"}, {CONTAINER: "<container/>"}, {}])
def test_zip_that_is_no_epub(path: Path, files: dict[str, str | bytes]) -> None:
    """A zip without a package is refused."""
    assert str(refusal(zip_file(path, files))) == f"{path}: not an EPUB: there is no package document (.opf) in it"


def test_damaged_package(path: Path) -> None:
    """A package that cannot be unpacked is named."""
    message = f"{path}: the package document {PACKAGE} cannot be read: its compressed data are damaged"
    assert str(refusal(flip(small_epub(path), PACKAGE))) == message


def test_limits_on_a_package(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a package no more is read than a book can have."""
    epub_file(path, [ONE, TWO], metadata="<dc:title>Emma</dc:title>")
    monkeypatch.setattr(package, "MAX_VALUE", 3)
    assert epub.read(path).title == "Emm"
    monkeypatch.setattr(package, "MAX_LINES", 2)
    assert hrefs(epub.read(path)) == ["OEBPS/one.xhtml"]


def locked(path: Path, *names: str, algorithm: str = AES, sign: str = "META-INF/rights.xml") -> Path:
    """Write an EPUB of which some files are said to be encrypted."""
    method = f'<EncryptionMethod Algorithm="{algorithm}"/>'
    data = "".join(f'<EncryptedData>{method}<CipherReference URI="OEBPS/{name}"/></EncryptedData>' for name in names)
    files = {"META-INF/encryption.xml": f"<encryption>{data}</encryption>", sign: ""}
    return epub_file(path, [nav("<li><a href='one.xhtml'>I</a></li>"), ONE, TWO, PNG], files=files)


@pytest.mark.parametrize("name", ["one.xhtml", "book.opf", "nav.xhtml"])
def test_protected_book(path: Path, name: str) -> None:
    """A book of which a document, the package or the contents table is encrypted is refused, and nothing else said."""
    error = refusal(locked(path, name))
    assert error.code == ExitCode.BAD_INPUT
    assert str(error).endswith(
        "protected by DRM (Adobe ADEPT), so it cannot be read: buy or borrow it without DRM",
    )
    assert "protected by DRM, so" in str(refusal(locked(path, name, sign="META-INF/x")))


def test_book_of_which_other_things_are_encrypted(path: Path) -> None:
    """Encrypted pictures are left alone, and documents that only look encrypted are read."""
    assert epub.read(locked(path, "front.png")).cover is None
    obfuscation = "http://www.idpf.org/2008/embedding"
    assert len(epub.read(locked(path, "one.xhtml", algorithm=obfuscation)).documents) == 2
