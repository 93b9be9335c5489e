"""The package document of an EPUB (EPUB 3.3, section 5), however broken, and its files. The only home of ebooklib."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote

from ebooklib import epub
from lxml import etree

from e2a.errors import UserError
from producer.epub.archive import Archive, Damaged, Oversized, encrypted, normal_path, protection, rootfiles
from producer.epub.book import Document
from producer.markup import Element, collapse, local_name, parse_xml, text_content

MAX_LINES = 100_000
"""Elements that are read of metadata, manifest, spine and guide, each."""
MAX_VALUE = 100_000
"""Characters that are read of a metadata element; descriptions have up to some thousands."""
NCX = "application/x-dtbncx+xml"

_OPF = epub.NAMESPACES["OPF"]
_DC = epub.NAMESPACES["DC"]
_TERMS = frozenset("title creator language identifier description publisher date subject".split())
_ATTRIBUTES = frozenset(
    "id role scheme event refines property name content href media-type properties fallback idref linear type".split()
)
_SECTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "metadata": dict.fromkeys(["meta", *_TERMS], ()),
    "manifest": {"item": ("id", "href")},
    "spine": {"itemref": ("idref",)},
    "guide": {"reference": ("type", "href")},
}
"""Parts of a package, the elements of each, and the attributes without which these say nothing."""
_PARTS = {"package", "manifest", "spine"}
"""Of which a package document has one at least."""
_TEXT = {"text/html", "application/xml", "text/xml", "text/x-oeb1-document"}
_NO_TEXT = {NCX, "application/smil+xml", "image/svg+xml"}
"""Exceptions to the rule that whatever is XML may be read."""
_HTML_NAME = re.compile(r"\.x?html?$|\.xht$", re.IGNORECASE)


class Item(NamedTuple):
    """A line of the manifest."""

    href: str
    media_type: str
    properties: frozenset[str]
    fallback: str

    @property
    def is_text(self) -> bool:
        """Whether it is a document that has text to read."""
        if self.media_type in _NO_TEXT or self.media_type.startswith(("image/", "audio/", "video/", "font/")):
            return False
        return self.media_type in _TEXT or self.media_type.endswith("+xml") or bool(_HTML_NAME.search(self.href))

    @property
    def is_image(self) -> bool:
        """Whether it is said to be a picture."""
        return self.media_type.startswith("image/")


class Spined(NamedTuple):
    """A line of the spine."""

    item: Item
    """What is read: the item that is named there, or the one it falls back to."""
    named: Item
    linear: bool


class Value(NamedTuple):
    """A metadata element, and what refines it (EPUB 3.3, section 5.5.4; in EPUB 2, its attributes)."""

    text: str
    traits: Mapping[str, list[str]]

    def trait(self, name: str) -> str:
        """Return the first value of a property; empty when there is none."""
        return next(iter(self.traits.get(name, ())), "")


class _Reader(epub.EpubReader):  # type: ignore[misc]
    """ebooklib's reader, given a package that it can read and nothing else: content is read when it is needed."""

    def __init__(self, name: str, package: Element) -> None:
        super().__init__(name)
        self.opf_file = name
        self.opf_dir = posixpath.dirname(name)
        self.items: dict[str, Item] = {}
        self._package = package

    def _load(self) -> None:
        self._load_opf_file()

    def read_file(self, name: str) -> bytes:
        return etree.tostring(self._package) if name == self.opf_file else b""

    def _load_manifest(self) -> None:
        super()._load_manifest()
        for item, line in zip(self.book.items, self._package.iter(f"{{{_OPF}}}item"), strict=True):
            href = posixpath.join(self.opf_dir, item.get_name())
            href = normal_path(href) or href
            properties = frozenset(line.get("properties", "").split())
            self.items.setdefault(item.get_id(), Item(href, item.media_type, properties, line.get("fallback", "")))

    def _parse_nav(self, *_arguments: object, **_options: object) -> None:
        """Leave it: `navigation` reads what ebooklib cannot."""

    def _parse_ncx(self, _content: bytes) -> None:
        """Leave it, likewise."""


class Source:
    """An open EPUB of which the package is read, and what went wrong so far."""

    def __init__(self, archive: Archive, reader: _Reader, toc: str, locked: frozenset[str]) -> None:
        self.archive = archive
        self.package: str = reader.opf_file
        self.items = reader.items
        self.spine: list[tuple[str, str]] = reader.book.spine
        self.guide: list[dict[str, str]] = reader.book.guide
        self.toc = toc
        """Identifier of the NCX in the manifest."""
        self.encrypted = locked
        self.problems: list[str] = []
        self._book = reader.book
        self._refinements: dict[str, dict[str, list[str]]] = {}
        for value, attributes in self.metas():
            if target := attributes.get("refines", "").removeprefix("#"):
                refined = self._refinements.setdefault(target, {})
                refined.setdefault(attributes.get("property", ""), []).append(value)
        self._spellings: dict[str, str] = {}
        for item in self.items.values():
            if member := archive.find(item.href):
                self._spellings.setdefault(member, item.href)

    def metas(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield (text, attributes) of each `meta` in the package."""
        for value, attributes in self._book.get_metadata("OPF", "meta"):
            yield collapse(value or ""), attributes

    def values(self, name: str) -> Iterator[Value]:
        """Yield the Dublin Core elements of a name that are not empty."""
        for value, attributes in self._book.get_metadata("DC", name):
            if text := collapse(value or ""):
                yield Value(text, self.traits(attributes))

    def traits(self, attributes: Mapping[str, str]) -> Mapping[str, list[str]]:
        """Return what refines an element, its own attributes among it."""
        refined = self._refinements.get(attributes.get("id", ""), {})
        return {name: [value] for name, value in attributes.items()} | refined

    def content(self, href: str, what: str, loss: str) -> bytes | None:
        """Return the content of a file; None, and a problem noted, when it cannot be read.

        Raises:
            Oversized: it passes a limit.
        """
        try:
            return self.archive.read(href)
        except KeyError:
            reason = "missing in the file"
        except Oversized:
            raise
        except Damaged as error:
            reason = f"damaged ({error.reason})"
        self.problems.append(f"{href}: {what}, but {reason}: {loss}")
        return None

    def spare(self, href: str, what: str) -> bytes | None:
        """Return the content of a file that one can do without, likewise; never more than the limits allow."""
        try:
            return self.content(href, what, "not used")
        except Oversized as error:
            self.problems.append(f"{href}: {what}, but too large ({error.reason}): not used")
        return None

    def resolve(self, base: str, link: str) -> tuple[str, str]:
        """Return path, spelled as in the manifest, and fragment of a link in a file; empty when it leads nowhere."""
        path, _, fragment = link.strip().partition("#")
        target = posixpath.join(posixpath.dirname(base), unquote(path)) if path else base
        member = self.archive.find(target)
        return (self._spellings.get(member, member), unquote(fragment)) if member else ("", "")

    def spell(self, items: Iterable[Item], href: str) -> None:
        """Let links to items lead to a document."""
        for item in items:
            if member := self.archive.find(item.href):
                self._spellings[member] = href


def open_package(archive: Archive) -> Source:
    """Read the package document of a container, the one that the container names or else the first in it.

    Raises:
        UserError: there is none, or it cannot be read, or it is protected (BAD_INPUT).
    """
    locked = encrypted(archive)
    named = rootfiles(archive)
    name = next(iter(named or (name for name in archive.names if name.lower().endswith(".opf"))), None)
    if name is None:
        raise archive.refusal("not an EPUB: there is no package document (.opf) in it")
    if name in locked:
        raise _protected(archive)
    try:
        root = parse_xml(archive.read(name))
    except Damaged as error:
        raise archive.refusal(f"the package document {name} cannot be read: {error.reason}") from error
    if root is None or _PARTS.isdisjoint(map(kind_of, root.iter(etree.Element))):
        raise archive.refusal(f"the package document {name} is not XML, or no package")
    reader = _Reader(name, _tidied(root))
    reader.load()
    spine = first(root, "spine")
    source = Source(archive, reader, "" if spine is None else spine.get("toc", ""), locked)
    if not named:
        source.problems.append(f"META-INF/container.xml: names no package document: took {name}")
    return source


def _tidied(root: Element) -> Element:
    """Return a package with all that ebooklib needs to find, and only what it can read."""
    package = etree.fromstring(f'<package xmlns="{_OPF}" xmlns:dc="{_DC}"/>')
    for name, needed in _SECTIONS.items():
        section = etree.SubElement(package, f"{{{_OPF}}}{name}")
        found = first(root, name)
        for element in () if found is None else islice(found.iter(etree.Element), MAX_LINES):
            kind = kind_of(element)
            attributes = _attributes(element)
            if kind in needed and all(attributes.get(each) for each in needed[kind]):
                namespace = _DC if kind in _TERMS else _OPF
                etree.SubElement(section, f"{{{namespace}}}{kind}", attributes).text = _text(element)[:MAX_VALUE]
    return package


def first(root: Element, name: str) -> Element | None:
    """Return the first element of a name, as `kind_of` has it."""
    return next((element for element in root.iter(etree.Element) if kind_of(element) == name), None)


def kind_of(element: Element) -> str:
    """Return the name of an element, also when its prefix is declared nowhere."""
    return local_name(element).rpartition(":")[2]


def _attributes(element: Element) -> dict[str, str]:
    """Return the attributes that a package may have, by their local names."""
    named = {str(name).rpartition("}")[2].rpartition(":")[2]: str(value) for name, value in element.attrib.items()}
    attributes = {name: value.strip() for name, value in named.items() if name in _ATTRIBUTES}
    if kind_of(element) == "item":
        attributes["media-type"] = named.get("media-type", "").split(";")[0].strip().lower()
        words = named.get("properties", "").split()
        attributes["properties"] = " ".join(word for word in words if word != "cover")  # ebooklib forgets its href
    return attributes


def _text(element: Element) -> str:
    """Return the text of a metadata element; of one with markup where text should be, the markup."""
    if len(element) and kind_of(element) == "description":
        return (element.text or "") + "".join(etree.tostring(child, encoding="unicode") for child in element)
    return text_content(element)


def read_spine(source: Source) -> Iterator[Spined]:
    """Yield the spine's documents; what has no text, such as images, is passed over.

    Raises:
        UserError: there is no spine (BAD_INPUT).
    """
    if not source.spine:
        raise source.archive.refusal(f"the package document {source.package} names no documents to read (no spine)")
    for identifier, linear in source.spine:
        named = source.items.get(identifier)
        if named is None:
            lost = f"the reading order names {identifier!r}, which the manifest does not: its text is lost"
            source.problems.append(f"{source.package}: {lost}")
            continue
        item = _readable(source, named)
        if item.is_text:
            yield Spined(item, named, linear.lower() != "no")
        elif not item.is_image:
            kind = item.media_type
            source.problems.append(f"{item.href}: in the reading order, but not text ({kind}): its text is lost")


def _readable(source: Source, item: Item) -> Item:
    """Return an item, or the first it falls back to that has text (EPUB 3.3, section 3.5)."""
    fallback, seen = item, {item}
    while not fallback.is_text:
        following = source.items.get(fallback.fallback)
        if following is None or following in seen:
            return item
        seen.add(following)
        fallback = following
    return fallback


def refuse_protected(source: Source, spine: Iterable[Spined]) -> None:
    """Raise `UserError` (BAD_INPUT) when a document or the table of contents is encrypted; the rest may be."""
    needed = [spined.item for spined in spine]
    needed += [item for item in source.items.values() if "nav" in item.properties]
    if source.encrypted.intersection(source.archive.find(item.href) for item in needed):
        raise _protected(source.archive)


def _protected(archive: Archive) -> UserError:
    scheme = protection(archive)
    return archive.refusal(
        f"protected by DRM{f' ({scheme})' if scheme else ''}, so it cannot be read: buy or borrow it without DRM"
    )


def read_documents(source: Source, spine: Iterable[Spined]) -> tuple[Document, ...]:
    """Return the documents of the spine, each once; what is missing or damaged is left out, and a problem noted.

    Raises:
        UserError: one passes a limit, or none can be read (BAD_INPUT).
    """
    found: dict[str | None, Document] = {}
    for item, named, linear in spine:
        member = source.archive.find(item.href)
        if member in found:
            source.problems.append(f"{item.href}: more than once in the reading order: read once")
            continue
        try:
            content = source.content(item.href, "in the reading order", "its text is lost")
        except Oversized as error:
            raise source.archive.refusal(f"will not unpack {error.name}: {error.reason}, as in a zip bomb") from error
        if content is not None:
            found[member] = Document(item.href, content, linear)
            source.spell((named, item), item.href)
    if not found:
        raise source.archive.refusal(
            f"there is no text to read: {source.problems[0] if source.problems else 'only images'}"
        )
    return tuple(found.values())
