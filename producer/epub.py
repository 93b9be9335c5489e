"""Reading an EPUB: metadata, cover, and the documents of the spine in order. The only home of ebooklib."""

import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from ebooklib import epub
from lxml import etree

from e2a.errors import ExitCode, UserError

_UNREADABLE = (
    epub.EpubException,
    zipfile.BadZipFile,
    etree.LxmlError,
    KeyError,
    IndexError,
    ValueError,
    AttributeError,
    TypeError,
    AssertionError,
    RuntimeError,
    OSError,
    EOFError,
    zlib.error,
)
"""What ebooklib raises on files that are no EPUB, or that it cannot read."""
_COVER_MAGIC = {".jpg": b"\xff\xd8\xff", ".png": b"\x89PNG\r\n"}
"""First bytes of the images that every player shows, whatever the manifest calls them."""


class Document(NamedTuple):
    """One content document of the spine."""

    href: str
    title: str
    """What the contents table calls it; empty when it is not named there."""
    content: bytes


class Cover(NamedTuple):
    """The cover image, and the name it is stored under."""

    name: str
    content: bytes


class Book(NamedTuple):
    """What an EPUB says of itself, and its documents in reading order."""

    title: str
    authors: tuple[str, ...]
    language: str
    cover: Cover | None
    documents: tuple[Document, ...]


def read(path: Path) -> Book:
    """Read an EPUB.

    Raises:
        UserError: there is no such file (NO_INPUT), or it cannot be read as an EPUB (BAD_INPUT).
    """
    try:
        if not path.is_file():
            reason = "not a file" if path.exists() else "no such file"
            raise UserError(f"{path}: {reason}", ExitCode.NO_INPUT)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ebooklib announces its own future changes
            source = epub.read_epub(path)
        return _book(source, path)
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: not a readable EPUB: {reason}", ExitCode.BAD_INPUT) from error


def _book(source: Any, path: Path) -> Book:
    return Book(
        title=next(iter(_metadata(source, "title")), path.stem),
        authors=tuple(_metadata(source, "creator")),
        language=next(iter(_metadata(source, "language")), "en"),
        cover=_cover(source),
        documents=tuple(_documents(source)),
    )


def _metadata(source: Any, name: str) -> list[str]:
    return [value.strip() for value, _attributes in source.get_metadata("DC", name) if value and value.strip()]


def _documents(source: Any) -> Iterator[Document]:
    titles: dict[str, str] = {}
    for href, title in _toc(source.toc):
        titles.setdefault(unquote(href.split("#")[0]), title)
    for identifier, linear in source.spine:
        item = source.get_item_with_id(identifier)
        if item is None or linear == "no" or isinstance(item, epub.EpubNav):
            continue
        yield Document(item.get_name(), titles.get(item.get_name(), ""), item.content)


def _toc(entries: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield (href, title) of the contents table, depth first."""
    for entry in entries:
        head, children = entry if isinstance(entry, tuple) else (entry, ())
        if head.href:
            yield head.href, " ".join((head.title or "").split())
        yield from _toc(children)


def _cover(source: Any) -> Cover | None:
    metas = source.metadata.get(epub.NAMESPACES["OPF"], {}).get("meta", [])
    named = {attributes.get("content") for _value, attributes in metas if attributes.get("name") == "cover"}
    for item in source.get_items():
        properties = getattr(item, "properties", None) or []
        if isinstance(item, epub.EpubCover) or item.get_id() in named or "cover-image" in properties:
            for suffix, magic in _COVER_MAGIC.items():
                if (item.content or b"").startswith(magic):
                    return Cover(f"cover{suffix}", item.content)
    return None
