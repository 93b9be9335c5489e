"""The navigation document of an edition: the table of contents as the reader found it, and the landmarks."""

from collections.abc import Sequence

from lxml import etree

from e2a.plan import Plan, sentence_id
from producer.edition.attributes import TYPE
from producer.edition.links import Links
from producer.edition.package import UNTITLED
from producer.edition.pages import NAMESPACES, Page, tag
from producer.epub import Book, Entry
from producer.markup import Element, collapse

_LANDMARKS = frozenset(
    (
        "cover titlepage toc loi lot preface foreword introduction prologue bodymatter frontmatter backmatter glossary "
        "bibliography index endnotes footnotes appendix acknowledgments dedication epigraph copyright-page colophon "
        "epilogue afterword"
    ).split()
)


def navigation(href: str, book: Book, plan: Plan, links: Links) -> Page:
    """Return the navigation document.

    Args:
        href: its path.
        book: its contents and landmarks; a book without contents has the chapters of the plan.
        plan: title and chapters.
        links: to the pages.
    """
    root = etree.Element(tag("html"), nsmap=NAMESPACES)
    head = etree.SubElement(root, tag("head"))
    etree.SubElement(head, tag("meta"), charset="utf-8")
    title = collapse(plan.title) or "Contents"
    etree.SubElement(head, tag("title")).text = title
    body = etree.SubElement(root, tag("body"))
    nav = etree.SubElement(body, tag("nav"), {TYPE: "toc", "id": "toc", "role": "doc-toc"})
    etree.SubElement(nav, tag("h1")).text = title
    lines = etree.SubElement(nav, tag("ol"))
    _add(lines, book.contents, href, links)
    if not len(lines):
        _add_chapters(lines, plan, href, links)
    _add_landmarks(body, book, href, links)
    return Page(href, root, frozenset())


def _add(lines: Element, entries: Sequence[Entry], base: str, links: Links) -> None:
    for entry in entries:
        target = links.to_page(base, entry.href, entry.fragment)
        title = collapse(entry.title) or entry.href.rpartition("/")[2]
        line = etree.SubElement(lines, tag("li"))
        if target:
            etree.SubElement(line, tag("a"), href=target).text = title or UNTITLED
        else:
            etree.SubElement(line, tag("span")).text = title or UNTITLED
        inner = etree.SubElement(line, tag("ol"))
        _add(inner, entry.children, base, links)
        if not len(inner):
            line.remove(inner)
            if not target:
                lines.remove(line)


def _add_chapters(lines: Element, plan: Plan, base: str, links: Links) -> None:
    for chapter in plan.chapters:
        source = chapter.parts[0].sentences[0].source
        assert source is not None, "the planner names the source of every sentence"
        target = links.to_page(base, plan.documents[source.document], sentence_id(chapter.parts[0].index, 0))
        if target:
            line = etree.SubElement(lines, tag("li"))
            etree.SubElement(line, tag("a"), href=target).text = collapse(chapter.full_title) or UNTITLED


def _add_landmarks(body: Element, book: Book, base: str, links: Links) -> None:
    found: dict[tuple[str, str], str] = {}
    for kind, href, fragment in book.landmarks:
        target = links.to_page(base, href, fragment) if kind in _LANDMARKS and href != base else ""
        if target:
            found.setdefault((kind, target.lower()), target)
    if found:
        nav = etree.SubElement(body, tag("nav"), {TYPE: "landmarks", "hidden": "hidden"})
        lines = etree.SubElement(nav, tag("ol"))
        for (kind, _lower), target in found.items():
            line = etree.SubElement(lines, tag("li"))
            etree.SubElement(line, tag("a"), {TYPE: kind, "href": target}).text = kind.replace("-", " ").capitalize()
