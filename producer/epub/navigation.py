"""The table of contents and the landmarks of an EPUB: of its navigation documents, else of NCX and guide."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from lxml import etree

from producer import markup
from producer.epub.book import Entry, Landmark
from producer.epub.package import NCX, Source, first, kind_of
from producer.markup import Element, collapse, local_name, parse_xml, terms, text_content

MAX_DEPTH = 32
"""Levels of a table of contents that are read; no book has ten."""
_LISTS = {"ol", "ul"}
_OTHER_NAVS = {"landmarks", "page-list", "loi", "lot", "loa", "lov"}
_NAVS = 8
"""Elements `nav` of one kind that are looked at in a document."""
_GUIDE = {
    "title-page": "titlepage",
    "text": "bodymatter",
    "start": "bodymatter",
    "notes": "endnotes",
    "acknowledgements": "acknowledgments",
}
"""Words of the EPUB 2 guide (OPF 2.0.1, section 2.6) that EPUB 3 has another word for."""


def nav_documents(source: Source) -> Iterator[tuple[str, Element]]:
    """Yield path and root of the navigation documents that can be read."""
    for item in source.items.values():
        if "nav" in item.properties:
            content = source.spare(item.href, "the table of contents")
            root = None if content is None else markup.parse(markup.decode(content))
            if root is not None:
                yield item.href, root


def table_of_contents(source: Source, navs: Iterable[tuple[str, Element]], hrefs: set[str]) -> tuple[Entry, ...]:
    """Return the table of contents: of the first navigation document, else of the first NCX, that has entries.

    The lists of the navigation documents are empty afterwards.
    """
    for base, root in navs:
        for nav in _tables(root):
            if entries := _Table(source, base, hrefs).of_lists(nav):
                return entries
    items = source.items.values()
    ncxs = [source.items[source.toc]] if source.toc in source.items else []
    ncxs += [item for item in items if item.media_type == NCX or item.href.lower().endswith(".ncx")]
    for item in dict.fromkeys(ncxs):
        content = source.spare(item.href, "the table of contents")
        ncx = None if content is None else parse_xml(content)
        if ncx is not None:
            top = first(ncx, "navmap")
            if entries := _Table(source, item.href, hrefs).of_points(ncx if top is None else top):
                return entries
    return ()


def landmarks(source: Source, navs: Iterable[tuple[str, Element]]) -> Iterator[Landmark]:
    """Yield the landmarks of the navigation documents and of the guide, and the navigation documents themselves."""
    links: list[tuple[str, str, str]] = []
    for base, root in navs:
        lists = (nav for nav in root.iter(etree.Element) if local_name(nav) == "nav" and "landmarks" in _words(nav))
        lines = (line for nav in islice(lists, _NAVS) for line in nav.iter(etree.Element) if local_name(line) == "a")
        links += [(kind, base, line.get("href", "")) for line in lines for kind in sorted(_words(line))]
    for reference in source.guide:
        kind = reference["type"].lower()
        links.append((_GUIDE.get(kind, kind), source.package, reference["href"]))
    for kind, base, link in links:
        href, fragment = source.resolve(base, link) if link else ("", "")
        if href:
            yield Landmark(kind, href, fragment)
    yield from (Landmark("toc", base, "") for base, _root in navs)


def _tables(root: Element) -> list[Element]:
    """Return the `nav` elements that may be the table of contents, the most likely first."""
    navs = [(_words(element), element) for element in root.iter(etree.Element) if local_name(element) == "nav"]
    likely = [(words, nav) for words, nav in navs if "toc" in words or not words & _OTHER_NAVS]
    return [nav for _words, nav in sorted(likely, key=lambda pair: "toc" not in pair[0])][:_NAVS]


class _Table(NamedTuple):
    """A file with a table of contents."""

    source: Source
    base: str
    """Its path."""
    hrefs: set[str]
    """Of the documents that an entry may name."""

    def of_lists(self, element: Element, depth: int = MAX_DEPTH) -> tuple[Entry, ...]:
        """Return the entries of the outermost lists in an element of a navigation document, and empty them."""
        lists = list(_lists(element)) if depth else []
        entries = [self._of_line(line, depth - 1) for each in lists for line in each if local_name(line) == "li"]
        for each in lists:
            each.clear()  # so that what is left of a line is its title
        return tuple(filter(_says_something, entries))

    def _of_line(self, line: Element, depth: int) -> Entry:
        children = self.of_lists(line, depth)
        links = [each for each in line.iter(etree.Element) if local_name(each) == "a" and each.get("href")]
        spans = [each for each in line.iter(etree.Element) if local_name(each) == "span"]
        heads = [*links[:1], *spans[:1], line]
        titles = [collapse(text_content(head)) for head in heads] + [_described(head) for head in heads]
        return self._entry(next(filter(None, titles), ""), links[0].get("href", "") if links else "", children)

    def of_points(self, element: Element, depth: int = MAX_DEPTH) -> tuple[Entry, ...]:
        """Return the entries right under an element of an NCX."""
        points = [point for point in element if kind_of(point) == "navpoint"] if depth else []
        return tuple(filter(_says_something, (self._of_point(point, depth - 1) for point in points)))

    def _of_point(self, point: Element, depth: int) -> Entry:
        parts = {kind_of(part): part for part in reversed(point)}
        title = collapse(text_content(parts["navlabel"])) if "navlabel" in parts else ""
        link = parts["content"].get("src", "") if "content" in parts else ""
        return self._entry(title, link, self.of_points(point, depth))

    def _entry(self, title: str, link: str, children: tuple[Entry, ...]) -> Entry:
        href, fragment = self.source.resolve(self.base, link) if link.strip() else ("", "")
        return Entry(title, *((href, fragment) if href in self.hrefs else ("", "")), children)


def _says_something(entry: Entry) -> bool:
    return bool(entry.title or entry.href or entry.children)


def _lists(element: Element) -> Iterator[Element]:
    """Yield the lists in an element that are in no other list in it."""
    walker = etree.iterwalk(element, events=("start",))
    for _event, each in walker:
        if each is not element and local_name(each) in _LISTS:
            walker.skip_subtree()
            yield each


def _described(element: Element) -> str:
    """Return the name of a link without text: what it, or an image in it, is described as."""
    names = (each.get(name, "") for each in element.iter(etree.Element) for name in ("title", "alt"))
    return next(filter(None, map(collapse, names)), "")


def _words(element: Element) -> set[str]:
    """Return the words of structural semantics that an element is given, whatever prefix stands before `type`."""
    names = {str(name): str(value) for name, value in element.attrib.items()}
    types = (value for name, value in names.items() if re.split("[}:]", name)[-1] in {"type", "role"})
    return {word for value in types for word in terms(value)}
