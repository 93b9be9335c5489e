"""Small EPUBs and plans for the tests of the producer; name what the test is about, the rest is given."""

import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from e2a.plan import Metadata, Output, Plan, Reading, Speech
from producer.epub import Book, Document
from producer.planner import hour_of, make_plan
from producer.sections.outline import outline
from producer.speech.lexicon import EMPTY, Lexicon

XHTML = "application/xhtml+xml"
NCX = "application/x-dtbncx+xml"
METADATA = "<dc:title>Emma</dc:title><dc:creator>Jane Austen</dc:creator><dc:language>en-GB</dc:language>"

_CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
_PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="uid">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="uid">made</dc:identifier>
{metadata}</metadata><manifest>{manifest}</manifest><spine{toc}>{spine}</spine>{guide}</package>"""


class Item(NamedTuple):
    """A file of an EPUB; its name is also its identifier in the manifest."""

    name: str
    content: str | bytes
    media_type: str = XHTML
    properties: str = ""


def page(body: str) -> str:
    """Return a well-formed XHTML document."""
    return f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>head</title></head><body>{body}</body></html>'


def nav(entries: str) -> Item:
    """Return the contents table of an EPUB 3; entries are `li` elements."""
    content = page(f'<nav xmlns:epub="http://www.idpf.org/2007/ops" epub:type="toc"><ol>{entries}</ol></nav>')
    return Item("nav.xhtml", content, properties="nav")


def ncx(**titles: str) -> Item:
    """Return the contents table of an EPUB 2: titles of documents by their name without `.xhtml`."""
    points = "".join(
        f'<navPoint id="{name}"><navLabel><text>{title}</text></navLabel><content src="{name}.xhtml"/></navPoint>'
        for name, title in titles.items()
    )
    content = f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"><navMap>{points}</navMap></ncx>'
    return Item("toc.ncx", content, NCX)


def zip_file(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write a zip that is the same bytes for the same files, and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return path


def epub_file(
    path: Path,
    items: Sequence[Item],
    *,
    spine: Sequence[str] | None = None,
    unlinear: Collection[str] = (),
    metadata: str = METADATA,
    guide: str = "",
    files: Mapping[str, str | bytes] | None = None,
) -> Path:
    """Write an EPUB and return its path.

    Args:
        path: of the EPUB.
        items: its files, in the order of the manifest.
        spine: names of its documents in reading order; by default as in the manifest.
        unlinear: those of them that are not part of the linear reading order.
        metadata: elements of the package's metadata.
        guide: the element `guide` of an EPUB 2.
        files: of the zip, by their names in it, that are added or put in the place of others.
    """
    documents = [item.name for item in items if item.media_type == XHTML and not item.properties]
    manifest = (
        f'<item id="{item.name}" href="{item.name}" media-type="{item.media_type}"'
        + (f' properties="{item.properties}"/>' if item.properties else "/>")
        for item in items
    )
    itemrefs = (
        f'<itemref idref="{name}" linear="no"/>' if name in unlinear else f'<itemref idref="{name}"/>'
        for name in (documents if spine is None else spine)
    )
    package = _PACKAGE.format(
        metadata=metadata,
        manifest="".join(manifest),
        spine="".join(itemrefs),
        toc="".join(f' toc="{item.name}"' for item in items if item.media_type == NCX),
        guide=guide,
    )
    parts: dict[str, str | bytes] = {"META-INF/container.xml": _CONTAINER, "OEBPS/book.opf": package}
    parts |= {f"OEBPS/{item.name}": item.content for item in items}
    return zip_file(path, parts | dict(files or {}))


def small_epub(path: Path, *bodies: str) -> Path:
    """Write an EPUB of a document a body, by default two chapters of a sentence each, and return its path."""
    bodies = bodies or ("<h1>One</h1><p>It begins.</p>", "<h1>Two</h1><p>It ends.</p>")
    return epub_file(path, [Item(f"c{number}.xhtml", page(body)) for number, body in enumerate(bodies, 1)])


def small_book(*bodies: str, **changes: Any) -> Book:
    """Return a book with a document a body, and no table of contents unless changes say otherwise."""
    documents = tuple(Document(f"c{number}.xhtml", page(body).encode()) for number, body in enumerate(bodies))
    return Book("Emma", ("Jane Austen",), "en", Metadata(), None, documents)._replace(**changes)


def plan_of(book: Book, reading: Reading = Reading(), lexicon: Lexicon = EMPTY, **options: str) -> Plan:  # noqa: B008
    """Return the plan of a book, for the simulated engine in English unless options say otherwise."""
    speech = Speech(**({"engine": "simulated", "language": "en"} | options))
    outlined = outline(book, reading, hour_of(speech))
    return make_plan(
        book,
        outlined,
        book_id="b0123456789abcde",
        speech=speech,
        output=Output(),
        reading=reading,
        lexicon=lexicon,
    )


def small_plan(*bodies: str, **options: str) -> Plan:
    """Return the plan of a book with a document a body, for the simulated engine unless options say otherwise."""
    return plan_of(small_book(*bodies), **options)
