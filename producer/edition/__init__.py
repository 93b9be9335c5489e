"""The book itself as an EPUB 3 in which every sentence that is spoken is an element: what is read along in."""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import langcodes
from lxml import etree

from e2a.plan import ACTIVE_CLASS, Plan, letters, sentence_id
from producer import epub, markup
from producer.edition import contents, package, spans
from producer.edition.container import ENCRYPTION, container, folded, free
from producer.edition.links import DRAWING, Links
from producer.edition.package import Line
from producer.edition.pages import Page, name_of, serialized, tag, valid
from producer.edition.spans import Place
from producer.epub.archive import one_line, open_archive
from producer.epub.package import NCX, Item, Source, open_package
from producer.markup import Element

_STYLE = f".{ACTIVE_CLASS} {{ background-color: rgba(255, 214, 102, 0.6); }}\n".encode()
_XHTML = "application/xhtml+xml"
_PAGES = {_XHTML, "text/html", "text/x-oeb1-document"}
_NOT_KEPT = {NCX, "application/smil+xml"}
"""What an EPUB 3 does not need, and what says when the original's own narration is heard."""
_UNSEEN = {"head", "script", "style"}
_LEFTWARD = frozenset("Arab Hebr Syrc Thaa Nkoo Adlm".split())
"""Scripts that run from right to left."""


class NoEdition(Exception):
    """The pages of a book cannot be made valid without a loss; the message says which and why, for the user."""


def edition(path: Path, plan: Plan) -> bytes:
    """Return a book as a valid EPUB 3 in which the element of every sentence is called as `sentence_id` says.

    Pages, styles and images are the original's, and so is every character of text; its own narration, scripts of
    pages that its manifest does not call scripted, and what is in no manifest and linked from nowhere are left out.
    The same book and plan make the same bytes.

    Args:
        path: of the EPUB that was planned.
        plan: of that file.

    Raises:
        NoEdition: it cannot be made.
        UserError: the file cannot be read any more.
    """
    try:
        with open_archive(path) as archive:
            return _edition(open_package(archive), plan)
    except (etree.LxmlError, ValueError) as error:
        raise NoEdition(f"no read-along edition: its pages cannot be written as XHTML: {_short(error)}") from error


def _short(error: Exception) -> str:
    return one_line(str(error))[:200]


def _edition(source: Source, plan: Plan) -> bytes:
    book = epub.book_of(source)
    items = {item.href: item for item in reversed(source.items.values())}
    nav = next((item.href for item in source.items.values() if "nav" in item.properties), "")
    read = {document.href: document.content for document in book.documents}
    folder = posixpath.dirname(source.package)
    taken = {folded(path) for path in (source.package, *items, *source.archive.names)}
    nav = nav if nav and nav not in read else free(posixpath.join(folder, "e2a-contents.xhtml"), taken)
    style = free(posixpath.join(folder, "e2a-read-along.css"), taken)
    every = _pages(source, read, plan, items, nav)
    links = Links(source, every)
    made = contents.navigation(nav, book, plan, links)
    for item in items.values():
        if item.media_type == DRAWING:
            links.content(item.href)  # it may lead to pages
    found = {href: every[href] for href in _reached(every, [href for href in read if href in every], links)}
    found[nav] = made
    files = {style: _STYLE}
    for page in found.values():
        if page.is_spoken:
            _add_style(page, links.relative(page.href, style))
        files[page.href] = _serialized(page)
    lines = [Line(nav, _XHTML, ("nav",)), Line(style, "text/css")]
    lines += [Line(page.href, _XHTML, package.properties(page, links)) for page in found.values() if page.href != nav]
    for line in _resources(source, links, every):
        files[line.href] = links.content(line.href) or b""
        lines.append(line)
    files[source.package] = package.package(source, plan, lines, found, links)
    if not source.encrypted and (obfuscated := source.archive.find(ENCRYPTION)):
        files[ENCRYPTION] = source.archive.read(obfuscated)
    return container(links.name(source.package), {links.name(path): content for path, content in files.items()})


def _reached(pages: Mapping[str, Page], start: Iterable[str], links: Links) -> list[str]:
    """Mend the pages of the reading order and all that these lead to, and return their paths."""
    reached = list(start)
    for href in reached:  # it grows
        links.mend(pages[href])
        known = set(reached)
        reached += [each for each in pages if each in links.linked | links.used and each not in known]
    return reached


def _serialized(page: Page) -> bytes:
    try:
        return serialized(page.root)
    except etree.XMLSyntaxError as error:
        raise NoEdition(f"no read-along edition: {page.href} cannot be read as XML: {_short(error)}") from error


def _pages(
    source: Source, read: Mapping[str, bytes], plan: Plan, items: Mapping[str, Item], nav: str
) -> dict[str, Page]:
    """Return all pages of a book by their paths, those in which something is spoken with its elements.

    Raises:
        NoEdition: one of them would lose text.
    """
    places = _places(plan)
    is_leftward = langcodes.get(plan.speech.language).maximize().script in _LEFTWARD
    pages = {nav: Page(nav, etree.Element("nav"), frozenset())}
    beside = (item.href for item in source.items.values() if item.media_type in _PAGES and item.href not in read)
    for href in dict.fromkeys([*read, *beside]):
        content = read.get(href) if href in read else source.spare(href, "a page beside the reading order")
        if content is None or href == nav or source.archive.find(href) in source.encrypted:
            continue
        root = markup.parse(markup.decode(content))
        root = etree.Element("html") if root is None else root
        before = _letters(root)
        spans.mark(root, places.get(href, ()))
        scripted = href in items and "scripted" in items[href].properties
        pages[href] = valid(href, root, title=plan.title, scripted=scripted)
        if is_leftward:
            _turn(pages[href].root)
        if _letters(pages[href].root) != before:
            raise NoEdition(f"no read-along edition: the markup of {href} cannot be mended without a loss of text")
    return pages


def _places(plan: Plan) -> dict[str, list[Place]]:
    """Return the sentences of each page."""
    places: dict[str, list[Place]] = defaultdict(list)
    for part in plan.parts:
        for number, sentence in enumerate(part.sentences):
            if sentence.source is not None:
                href = plan.documents[sentence.source.document]
                places[href].append(Place(sentence_id(part.index, number), sentence.source))
    return places


def _resources(source: Source, links: Links, pages: Mapping[str, Page]) -> Iterator[Line]:
    """Yield the manifest of what is no page: what the original's says, without its own narration, and what is used."""
    archive = source.archive
    members = {archive.find(href) for href in [source.package, *pages]}
    cover = _cover(source)
    for item in source.items.values():
        member = archive.find(item.href)
        is_narration = item.media_type.startswith("audio/") and item.href not in links.used
        if member is None or member in members or item.media_type in _NOT_KEPT or is_narration:
            continue
        members.add(member)
        if member.startswith("META-INF/") or links.content(item.href) is None:
            continue
        fallback = source.items.get(item.fallback)
        said = {"cover-image": item.href == cover, "remote-resources": item.href in links.goes_out}
        properties = tuple(name for name, is_so in said.items() if is_so)
        yield Line(item.href, links.media_type(item.href), properties, fallback.href if fallback else "")
    for href in sorted(links.used):
        if archive.find(href) not in members:
            members.add(archive.find(href))
            yield Line(href, links.media_type(href))


def _cover(source: Source) -> str:
    """Return the path of the image that the package calls the cover, as EPUB 3 does or as EPUB 2."""
    named = [item for item in source.items.values() if "cover-image" in item.properties]
    for _text, attributes in source.metas():
        if attributes.get("name") == "cover" and (item := source.items.get(attributes.get("content", ""))):
            named.append(item)
    return next((item.href for item in named if item.is_image), "")


def _turn(root: Element) -> None:
    """Say that a page runs from right to left if it says nothing: style sheets may not in an EPUB."""
    if not any(each.get("dir") for each in (root, root[1])):
        root.set("dir", "rtl")


def _add_style(page: Page, href: str) -> None:
    etree.SubElement(page.root[0], tag("link"), rel="stylesheet", type="text/css", href=href)


def _letters(root: Element) -> str:
    """Return the text of a page without white space, scripts and what is in its head."""
    pieces = []
    walker = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walker:
        if event == "start":
            if name_of(element) in _UNSEEN:
                walker.skip_subtree()
            else:
                pieces.append(element.text or "")
        elif element is not root:
            pieces.append(element.tail or "")
    return letters("".join(pieces))
