"""What reading an EPUB comes to."""

from typing import NamedTuple

from e2a.plan import Metadata


class Document(NamedTuple):
    """One content document of the spine."""

    href: str
    """Path in the container as the manifest spells it, unquoted and normalised, such as `OEBPS/c1.xhtml`."""
    content: bytes
    """As it is in the container."""
    linear: bool = True
    """Whether it is part of the reading order, or only linked to from it, as notes are."""


class Entry(NamedTuple):
    """A line of the table of contents, and those under it."""

    title: str
    """White space collapsed."""
    href: str
    """Of a document, spelled as there; empty when it names none that is there."""
    fragment: str
    """Identifier of the place in the document; empty for its start."""
    children: tuple["Entry", ...] = ()


class Cover(NamedTuple):
    """The cover image."""

    href: str
    """Path in the container."""
    content: bytes
    """As it is there: of pixels by its first bytes, but not decoded."""


class Landmark(NamedTuple):
    """A place in the book, and what it is."""

    kind: str
    """A word of EPUB 3 structural semantics, such as `cover`, `toc`, `copyright-page` or `bodymatter`."""
    href: str
    """Of a document when one is meant, spelled as there; else of another file in the container."""
    fragment: str


class Book(NamedTuple):
    """What an EPUB says of itself, and its documents in the order of the spine."""

    title: str
    authors: tuple[str, ...]
    language: str
    """As the package says it; empty when it does not."""
    metadata: Metadata
    cover: Cover | None
    documents: tuple[Document, ...]
    """Those of the reading order and those beside it; also the table of contents when the spine has it."""
    contents: tuple[Entry, ...] = ()
    landmarks: tuple[Landmark, ...] = ()
    problems: tuple[str, ...] = ()
    """What had to be read around, each in one line for the user."""
