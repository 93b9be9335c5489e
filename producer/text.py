"""Text of a document: markup to paragraphs, paragraphs to sentences. The only home of sentencex and lxml's parsers."""

import codecs
import html
import re
from collections.abc import Iterator
from typing import NamedTuple

import sentencex
from lxml import etree

HEADINGS = ("h1", "h2", "h3")
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_SILENT = frozenset(
    ["audio", "head", "iframe", "math", "nav", "rp", "rt", "script", "style", "svg", "template", "title", "video"]
)
_DECLARED_ENCODING = re.compile(rb"""(?:encoding|charset)\s*=\s*["']?\s*([A-Za-z0-9._-]+)""")
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)


class Text(NamedTuple):
    """The readable text of a document."""

    heading: str
    """The first heading; empty when there is none."""
    paragraphs: tuple[str, ...]
    """In reading order, the heading among them; white space collapsed, none empty."""


def extract(content: bytes) -> Text:
    """Return the text of an XHTML document; markup that is not well-formed is read as HTML."""
    root = _parse(content)
    if root is None:
        return Text("", ())
    heading = ""
    paragraphs = []
    for name, text in _blocks(root):
        paragraphs.append(text)
        if not heading and name in HEADINGS:
            heading = text
    return Text(heading, tuple(paragraphs))


def sentences(paragraph: str, language: str) -> list[str]:
    """Split a paragraph; nothing but white space between sentences is dropped.

    Args:
        paragraph: with collapsed white space.
        language: BCP 47 tag.
    """
    base = language.split("-", maxsplit=1)[0].lower()
    return [sentence.strip() for sentence in sentencex.segment(base, paragraph) if sentence.strip()]


def is_speakable(sentence: str) -> bool:
    """Say whether there is a letter or a digit in it."""
    return any(character.isalnum() for character in sentence)


def _parse(content: bytes) -> "etree._Element | None":
    """Parse as XML, or else as HTML: broken markup, or entities that only a DTD could explain."""
    strict = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        root = etree.fromstring(content, strict)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is not None and next(root.iter(etree.Entity), None) is None:
        return root
    lenient = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True)
    try:
        return etree.fromstring(_CDATA.sub(_escape, _decode(content)).encode(), lenient)
    except etree.XMLSyntaxError:
        return None


def _escape(section: re.Match[str]) -> str:
    return html.escape(section[1], quote=False)


def _decode(content: bytes) -> str:
    """Decode by the byte order mark, else as declared, else as UTF-8, else as Windows-1252 with marks for its holes."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    declared = _DECLARED_ENCODING.search(content[:1024])
    for encoding in ((declared[1].decode(),) if declared else ()) + ("utf-8-sig",):
        try:
            return content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("cp1252", errors="replace")


def _blocks(root: "etree._Element") -> Iterator[tuple[str, str]]:
    """Yield (name of the block element, text) of every block with text, in document order."""
    walker = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    names = [""]
    buffer: list[str] = []
    for event, element in walker:
        name = str(element.tag).rpartition("}")[2].lower() if event in {"start", "end"} else ""
        if name in _BLOCKS:
            if text := " ".join("".join(buffer).split()):
                yield names[-1], text
            buffer.clear()
            names.append(name) if event == "start" else names.pop()
        if event == "start":
            if name in _SILENT:
                walker.skip_subtree()
            else:
                buffer.append(element.text or "")
        else:
            buffer.append(" " if name == "br" else "")
            buffer.append(element.tail or "" if element is not root else "")
    if text := " ".join("".join(buffer).split()):
        yield names[-1], text
