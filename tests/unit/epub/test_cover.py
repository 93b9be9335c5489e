"""The cover, in all the ways that it is marked."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from producer import epub
from producer.epub import Cover
from tests.unit.books import METADATA, Item, epub_file, page
from tests.unit.epub.common import JPEG, ONE, PACKAGE, PNG, TWO, edit, flip


def cover(
    path: Path, *items: Item, metadata: str = METADATA, guide: str = "", spine: Sequence[str] | None = None
) -> object:
    """Return the cover of a book, by its content."""
    found = epub.read(epub_file(path, items, metadata=metadata, guide=guide, spine=spine)).cover
    return found.content if found else None


def picture(name: str, number: int, properties: str = "") -> Item:
    """Return a picture that is told from others."""
    return Item(name, JPEG.content + bytes([number]), "image/jpeg", properties)


def test_cover_of_epub_3(path: Path) -> None:
    """The manifest marks the cover by a property."""
    assert epub.read(epub_file(path, [ONE, JPEG, PNG])).cover == Cover("OEBPS/front.png", PNG.content)


@pytest.mark.parametrize("content", ["front.jpg", "./Front.jpg", "i1"])
def test_cover_of_epub_2(path: Path, content: str) -> None:
    """The metadata name the item that is the cover, or its file."""
    epub_file(path, [ONE, JPEG], metadata=f'{METADATA}<meta name="cover" content="{content}"/>')
    book = epub.read(edit(path, PACKAGE, 'id="front.jpg"', 'id="i1"'))
    assert book.cover == Cover("OEBPS/front.jpg", JPEG.content)


@pytest.mark.parametrize(
    "body",
    [
        "<p><img alt='' src='front.jpg'/><img src='other.jpg'/></p>",
        '<svg xmlns:x="http://www.w3.org/1999/xlink"><image x:href="front.jpg"/></svg>',
        "<br><svg><image xlink:href='front.jpg'/></svg>",
    ],
)
def test_cover_on_a_page(path: Path, body: str) -> None:
    """The first picture on the page that the guide calls the cover is the cover, in HTML or in SVG."""
    items = [
        ONE,
        TWO,
        TWO._replace(name="three.xhtml"),
        TWO._replace(name="four.xhtml"),
        Item("c.xhtml", page(body)),
        JPEG,
    ]
    guide = '<guide><reference type="cover" href="c.xhtml"/></guide>'
    assert cover(path, *items) is None
    assert cover(path, *items, guide=guide) == JPEG.content
    assert cover(path, *items, guide=guide.replace("c.xhtml", "front.jpg")) == JPEG.content
    assert cover(path, *items, guide=guide, spine=["one.xhtml"]) == JPEG.content


@pytest.mark.parametrize("item", [picture("my-Cover.jpg", 0), picture("i/cover.jpg", 0)])
def test_cover_by_name(path: Path, item: Item) -> None:
    """A picture that is called cover is the cover when nothing else is."""
    assert cover(path, ONE, item) == item.content


def test_cover_by_identifier(path: Path) -> None:
    """Its identifier may call it so as well."""
    assert epub.read(edit(epub_file(path, [ONE, JPEG]), PACKAGE, 'id="front.jpg"', 'id="my-Cover"')).cover is not None


def test_cover_as_a_last_resort(path: Path) -> None:
    """The first picture of the first documents is the cover when nothing else is."""
    shown = Item("three.xhtml", page("<img src='front.jpg'/>"))
    assert cover(path, ONE, TWO, shown, JPEG) == JPEG.content
    assert cover(path, ONE, TWO, TWO._replace(name="2.xhtml"), shown, JPEG) is None


def test_order_of_covers(path: Path) -> None:
    """What is marked counts before what is named, that before what is on the cover's page, that before the rest."""
    pictures = [picture(f"{number}.jpg", number) for number in (2, 3)] + [picture("cover4.jpg", 4)]
    pages = [Item("last.xhtml", page("<img src='5.jpg'/>")), Item("c.xhtml", page("<img src='3.jpg'/>"))]
    items = [*pages, picture("1.jpg", 1, "cover-image"), *pictures, picture("5.jpg", 5)]
    metadata, guide = (
        METADATA + '<meta name="cover" content="2.jpg"/>',
        '<guide><reference type="cover" href="c.xhtml"/></guide>',
    )
    found = []
    for _ in range(5):
        content = cover(path, *items, metadata=metadata, guide=guide, spine=["last.xhtml"])
        found.append(content[-1] if isinstance(content, bytes) else None)
        items = [item._replace(content=b"<svg/>") if item.content == content else item for item in items]
    assert found == [1, 2, 3, 4, 5]


def test_damaged_cover(path: Path) -> None:
    """A cover that is damaged or missing is told, and the next is taken."""
    metadata = METADATA + '<meta name="cover" content="front.jpg"/><meta name="cover" content=""/>'
    items = [ONE, Item("gone.png", b"", "image/png", "cover-image"), PNG, JPEG]
    flip(epub_file(path, items, metadata=metadata), "OEBPS/front.png")
    book = epub.read(edit_manifest(path, "gone.png", "gone2.png"))
    assert book.cover == Cover("OEBPS/front.jpg", JPEG.content)
    assert [problem.partition(":")[0] for problem in book.problems] == ["OEBPS/gone2.png", "OEBPS/front.png"]


def edit_manifest(path: Path, old: str, new: str) -> Path:
    """Change a name in the package in place, leaving damage elsewhere as it is."""
    with zipfile.ZipFile(path, "a") as opened:
        package = opened.read(PACKAGE).decode().replace(f'href="{old}"', f'href="{new}"')
        with pytest.warns(UserWarning, match="Duplicate name"):
            opened.writestr(PACKAGE, package)
    return path


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (Item("front.svg", b"<svg/>", "image/svg+xml", "cover-image"), "of a kind that players do not show"),
        (Item("front.jpg", b"", "image/jpeg", "cover-image"), "empty"),
        (Item("front.png", b"<html/>", "image/png", "cover-image"), "of a kind that players do not show"),
    ],
    ids=["vector", "empty", "not what it is called"],
)
def test_cover_that_cannot_be_shown(path: Path, item: Item, reason: str) -> None:
    """What is marked as the cover and cannot be shown is told, and the next is taken if there is one."""
    book = epub.read(epub_file(path, [ONE, item]))
    assert (book.cover, book.problems) == (
        None,
        (f"OEBPS/{item.name}: a picture for the cover, but {reason}: not used",),
    )
    assert cover(path, ONE, item, picture("cover.jpg", 7)) == JPEG.content + bytes([7])


@pytest.mark.parametrize(
    "content",
    [b"GIF89a", b"GIF87a", b"RIFF\0\0\0\0WEBP", b"BM", b"II*\0", b"MM\0*", b"\0\0\0 ftypavif", b"\n\n\n ftypavis"],
)
def test_cover_of_any_kind(path: Path, content: bytes) -> None:
    """A picture is told by its first bytes, whatever it is called."""
    assert cover(path, ONE, Item("front.jpg", content, "image/jpeg", "cover-image")) == content


def test_no_cover(path: Path) -> None:
    """A picture that nothing points to is no cover, and neither is one of lines that is only on an early page."""
    drawing = Item("drawing.svg", b"<svg/>", "image/svg+xml")
    book = epub.read(epub_file(path, [Item("one.xhtml", page("<img src='drawing.svg'/>")), drawing, JPEG]))
    assert (book.cover, book.problems) == (None, ())
