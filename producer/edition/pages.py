"""A page as XHTML that is valid HTML 5, whatever it was: its elements and its text in their order, no character lost.

What stands where HTML 5 does not let it is given a home that it may stand in (an item for a line between items, a cell
for one between cells) or becomes a `div` or `span` of the same class and, as far as style can say them, the same looks.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from lxml import etree

from e2a.plan import sentence_id
from producer.edition import attributes
from producer.edition.attributes import OPS, XLINK, XML, qualified
from producer.edition.content import (
    BLOCK,
    BLOCK_PARTS,
    DROPPED,
    HOLDS_PHRASING,
    LOOKS,
    NEEDED,
    NEVER_INSIDE,
    PARTS,
    PHRASING,
    RENAMED,
    TRANSPARENT,
    VOID,
)
from producer.edition.spans import SENTENCE
from producer.markup import Element, collapse, local_name, text_content

XHTML = "http://www.w3.org/1999/xhtml"
SVG = "http://www.w3.org/2000/svg"
MATHML = "http://www.w3.org/1998/Math/MathML"
NAMESPACES: Any = {None: XHTML, "epub": OPS}
_FOREIGN = {"svg": SVG, "math": MATHML}
_OURS = re.compile(sentence_id(0, 0).replace("0", r"\d+"))
"""What elements of sentences are called, whatever the numbers."""
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_URI = re.compile(r"(https?://|urn:)[^\s<>\"{}|\\^`]+")
_CASES = {"viewbox": "viewBox", "preserveaspectratio": "preserveAspectRatio"}
"""Attributes of drawings that the parser of HTML has in lower case."""
_ROWS = ("thead", "tbody", "tfoot")
_LISTS = ("ul", "ol", "menu")
_BEFORE_ROWS = ("caption", "colgroup")
_HOMES = {
    **dict.fromkeys(_LISTS, (("li",), "li")),
    **dict.fromkeys(_ROWS, (("tr",), "tr")),
    "table": (("caption", "colgroup", "thead", "tbody", "tfoot"), "tbody"),
    "tr": (("td", "th"), "td"),
}
"""What may stand in an element, and what is put around anything else."""
_TERMS = frozenset(["dt", "dd"])
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
_OF_HEAD = {"script", "style", "link", "meta"}


class Page(NamedTuple):
    """A content document."""

    href: str
    root: Element
    """Of the valid tree."""
    ids: frozenset[str]
    is_spoken: bool = False
    """Whether a sentence of it is."""


class _Place(NamedTuple):
    """Where in the new tree something goes."""

    element: Element
    flow: bool
    """Whether blocks may stand there."""
    inside: frozenset[str]
    """Names of what it stands in."""


def tag(name: str) -> str:
    """Return the qualified name of an element of XHTML."""
    return f"{{{XHTML}}}{name}"


def name_of(element: Element) -> str:
    """Return the name of an element without its namespace, in lower case; empty for a comment and its like."""
    return local_name(element) if isinstance(element.tag, str) else ""


def valid(href: str, root: Element, *, title: str, scripted: bool = False) -> Page:
    """Return a valid page with what is in a tree.

    Args:
        href: its path.
        root: of the tree, in which sentences are marked; what else is called as these are loses its name.
        title: what it is called when it does not say.
        scripted: whether it keeps its scripts.
    """
    builder = _Builder(root, title, scripted=scripted)
    is_spoken = next(root.iter(SENTENCE), None) is not None
    return Page(href, builder.build(root), frozenset(builder.seen), is_spoken)


def drawing(href: str, root: Element) -> Page:
    """Return a drawing that is a file of its own, without scripts.

    Args:
        href: its path.
        root: of its tree.
    """
    builder = _Builder(root, "", scripted=False)
    prefixes: Any = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
    parent = etree.Element("drawing", nsmap=prefixes)
    builder.copy(root, SVG, parent)
    new = parent[0]
    parent.remove(new)
    etree.cleanup_namespaces(new)
    return Page(href, new, frozenset(builder.seen))


def serialized(root: Element) -> bytes:
    """Return a document of XHTML.

    Raises:
        etree.XMLSyntaxError: elements stand deeper in each other than parsers read.
    """
    for element in root.iter(f"{{{XHTML}}}*"):
        if name_of(element) not in VOID and not len(element) and not element.text:
            element.text = ""  # written with an end tag, for readers that take it for HTML
    etree.cleanup_namespaces(root, keep_ns_prefixes=["epub"])
    content = bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True, doctype="<!DOCTYPE html>"))
    etree.fromstring(content)
    return content


def append_text(element: Element, text: str) -> None:
    """Add text at the end of an element."""
    last = _last(element)
    if last is None:
        element.text = (element.text or "") + text
    else:
        last.tail = (last.tail or "") + text


def _last(element: Element) -> Element | None:
    """Return the last child of an element, without counting them all as `len` does."""
    return next(element.iterchildren(reversed=True), None)


class _Builder:
    """One pass over a tree that makes another one."""

    def __init__(self, root: Element, title: str, *, scripted: bool) -> None:
        self.seen: set[str] = set()
        self._title = title
        self._scripted = scripted
        self._blocks = _with_blocks(root)
        self._made: set[Element] = set()
        self._head = etree.Element(tag("head"))

    def build(self, root: Element) -> Element:
        is_html = name_of(root) == "html"
        given = self._attributes(root, "html", "") if is_html else {}
        new = etree.Element(tag("html"), given, nsmap=NAMESPACES)
        new.append(self._head)
        etree.SubElement(self._head, tag("meta"), charset="utf-8")
        children = list(root) if is_html else [root]
        heads = [child for child in children if name_of(child) == "head"] if is_html else []
        old = next((child for child in children if name_of(child) == "body"), None) if is_html else None
        title = next((collapse(text_content(each)) for head in heads for each in head if name_of(each) == "title"), "")
        etree.SubElement(self._head, tag("title")).text = title or self._title
        for head in heads:
            for each in head:
                self._to_head(each)
        given = {} if old is None else self._attributes(old, "body", "")
        body = etree.SubElement(new, tag("body"), given)
        start = _Place(body, flow=True, inside=frozenset())
        stack: list[tuple[Element | str, _Place]] = []
        for child in reversed(children):
            if child not in heads:
                stack += [(child.tail or "", start), (child, start)]
            elif (child.tail or "").strip():
                stack.append((child.tail or "", start))
        self._walk([*stack, (root.text or "" if is_html else "", start)], old)
        return new

    def _walk(self, stack: list[tuple[Element | str, _Place]], body: Element | None) -> None:
        while stack:
            each, place = stack.pop()
            if isinstance(each, str):
                self._text(each, place)
            elif isinstance(each.tag, str):
                inner = place if each is body else self._enter(each, place)
                if inner is not None:
                    for child in reversed(each):
                        stack += [(child.tail or "", inner), (child, inner)]
                    stack.append((each.text or "", inner))

    def _text(self, text: str, place: _Place) -> None:
        if text:
            append_text(self._home("", place).element if text.strip() else place.element, text)

    def _enter(self, old: Element, place: _Place) -> _Place | None:
        """Make the element that another one becomes, and return where what is in it goes; None for nothing."""
        name = name_of(old)
        namespace = old.tag.rpartition("}")[0][1:] if isinstance(old.tag, str) else ""
        if name in _FOREIGN and namespace in {_FOREIGN[name], XHTML, ""}:
            self.copy(old, _FOREIGN[name], self._home(name, place).element)
            return None
        if namespace == OPS:
            new = etree.SubElement(place.element, old.tag, dict(self._kept(old, OPS)))
            return place._replace(element=new)
        if name in _OF_HEAD:
            if name != "script" or (self._scripted and not place.inside.intersection(_HOMES)):
                self._to_head(old) if name != "script" else self._script(old, place.element)
            return None
        if name in DROPPED - {"title", "head"}:
            return place
        name, style = RENAMED.get(name, (name, ""))
        home = self._home(name, place)
        new_name, looks = self._fitting(old, name, home)
        given = self._attributes(old, new_name, _both(style, looks))
        if not given.keys() >= set(NEEDED.get(new_name, ())):
            new_name = "div" if home.flow and old in self._blocks else "span"
            given = attributes.attributes(new_name, given)
        if new_name == "li" and name_of(home.element) != "ol":
            given.pop("value", None)
        new = etree.SubElement(home.element, tag(new_name), given)
        if new_name in VOID:
            return home
        flow = home.flow if new_name in TRANSPARENT else new_name not in HOLDS_PHRASING
        return _Place(new, flow, home.inside | {new_name})

    def _home(self, name: str, place: _Place) -> _Place:
        """Return where an element or (without a name) text may stand, and make that where there is none."""
        parent = name_of(place.element)
        allowed, around = _HOMES.get(parent, ((), ""))
        if not around or name in allowed or (parent == "colgroup" and name == "col"):
            return place
        if parent == "table" and name == "col" and all(name_of(each) in _BEFORE_ROWS for each in place.element):
            around = "colgroup"
        last = _last(place.element)
        if last is None or last not in self._made or name_of(last) != around or (last.tail or "").strip():
            last = etree.SubElement(place.element, tag(around))
            self._made.add(last)
        elif last.tail:
            append_text(last, last.tail)
            last.tail = None
        return self._home(name, _Place(last, flow=True, inside=place.inside | {around}))

    def _fitting(self, old: Element, name: str, place: _Place) -> tuple[str, str]:
        """Return what an element has to be where it goes, and the looks of it that this does not have."""
        has_blocks = old in self._blocks
        neutral = "div" if place.flow and (has_blocks or name in BLOCK or name in PARTS) else "span"
        is_misplaced = bool(NEVER_INSIDE.get(name, frozenset()) & place.inside)
        if name in PARTS and not is_misplaced:
            return _fitting_part(old, name, place, neutral)
        if is_misplaced or name not in BLOCK | PHRASING:
            return neutral, LOOKS.get(name, "")
        if name in BLOCK and not place.flow:
            return "span", _both("display: block", LOOKS.get(name, ""))
        is_split = has_blocks and (name in {"p", "pre"} or name in PHRASING - TRANSPARENT)
        return (neutral, LOOKS.get(name, "")) if is_split or not _is_whole(old, name) else (name, "")

    def _attributes(self, old: Element, name: str, style: str) -> dict[str, str]:
        given = {qualified(str(key)): str(value) for key, value in old.attrib.items() if qualified(str(key))}
        given.setdefault("id", given.pop(f"{{{XML}}}id", "") or (given.get("name", "") if name == "a" else ""))
        if _OURS.fullmatch(given["id"]) and old.tag != SENTENCE:
            del given["id"]
        if name == "area":
            given.setdefault("alt", "")
        new = attributes.attributes(name, given, style=style, scripted=self._scripted)
        if new.get("id") in self.seen:
            del new["id"]
        self.seen.update([new["id"]] if "id" in new else [])
        return new

    def copy(self, old: Element, namespace: str, parent: Element) -> None:
        """Copy a drawing or a formula as it is, without names that XML does not have, taken identifiers and scripts."""
        stack: list[tuple[Element | str, Element]] = [(old, parent)]
        while stack:
            each, place = stack.pop()
            if isinstance(each, str):
                if each:
                    append_text(place, each)
            elif isinstance(each.tag, str) and (self._scripted or name_of(each) != "script"):
                uri, _, local = each.tag[1:].rpartition("}") if each.tag.startswith("{") else ("", "", each.tag)
                name = local if _NAME.fullmatch(local) else "g"
                scope: Any = {None: namespace, "xlink": XLINK} if place is parent else None
                new = etree.SubElement(place, f"{{{uri if _URI.fullmatch(uri) else namespace}}}{name}", nsmap=scope)
                for key, value in self._kept(each, namespace):
                    new.set(key, value)
                for child in reversed(each):
                    stack += [(child.tail or "", new), (child, new)]
                stack.append((each.text or "", new))

    def _kept(self, old: Element, namespace: str) -> Iterator[tuple[str, str]]:
        """Yield the attributes of an element of a drawing or a formula, or of one of EPUB's own."""
        for key, value in old.attrib.items():
            name = qualified(_CASES.get(str(key), str(key)) if namespace == SVG else str(key))
            uri, _, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
            if (name == "id" and (value in self.seen or _OURS.fullmatch(str(value)))) or (
                name.lower().startswith("on") and not self._scripted
            ):
                continue
            if _NAME.fullmatch(local) and name != "xmlns" and (not uri or _URI.fullmatch(uri)):
                self.seen.update([str(value)] if name == "id" else [])
                yield name, str(value)

    def _to_head(self, old: Element) -> None:
        """Add to the head what belongs there: style, links, scripts, and metadata by name."""
        name = name_of(old)
        given = {str(key).lower(): str(value) for key, value in old.attrib.items()}
        kept: Iterable[str] = ()
        if name == "style":
            kept = ("type", "media", "title")
        elif name == "link" and given.get("href") and given.get("rel"):
            kept = ("rel", "href", "type", "media", "title", "hreflang", "class")
        elif name == "meta" and given.get("name") and "content" in given:
            kept = ("name", "content")
        elif name == "script" and self._scripted:
            self._script(old, self._head)
        if kept:
            new = etree.SubElement(self._head, tag(name), {key: given[key] for key in kept if key in given})
            new.text = old.text

    def _script(self, old: Element, parent: Element) -> None:
        given = attributes.attributes("script", {str(key): str(value) for key, value in old.attrib.items()})
        if "src" not in given:
            given = {key: value for key, value in given.items() if key not in {"async", "defer", "charset"}}
        etree.SubElement(parent, tag("script"), given).text = old.text


def _fitting_part(old: Element, name: str, place: _Place, neutral: str) -> tuple[str, str]:
    """Return what an element has to be that stands in certain others only."""
    if name_of(place.element) not in PARTS[name]:
        block = "display: block" if neutral == "span" and name in BLOCK_PARTS else ""
        return neutral, _both(block, LOOKS.get(name, ""))
    is_first = _last(place.element) is None and not (place.element.text or "").strip()
    has_rows = any(name_of(each) not in _BEFORE_ROWS for each in place.element)
    if name == "tfoot" and any(name_of(each) for each in old.itersiblings()):
        return "tbody", LOOKS[name]
    if (name in {"thead", "colgroup"} and has_rows) or (name == "caption" and not is_first):
        return "tbody", ""
    return ("div", "") if name == "figcaption" and not is_first and _is_followed(old) else (name, "")


def _both(*looks: str) -> str:
    return "; ".join(filter(None, looks))


def _with_blocks(root: Element) -> set[Element]:
    """Return the elements that blocks stand in."""
    found: set[Element] = set()
    for element in root.iter(etree.Element):
        name = RENAMED.get(name_of(element), (name_of(element),))[0]
        if name in BLOCK or name in BLOCK_PARTS:
            for outer in element.iterancestors():
                if outer in found:
                    break
                found.add(outer)
    return found


def _is_followed(element: Element) -> bool:
    return bool((element.tail or "").strip()) or any(
        name_of(each) or (each.tail or "").strip() for each in element.itersiblings()
    )


def _is_whole(old: Element, name: str) -> bool:
    """Say whether an element has what its kind must have, in the order that it must."""
    names = [name_of(child) for child in old if name_of(child)]
    text = "".join([old.text or "", *((child.tail or "") for child in old)]).strip()
    if name == "dl":
        return not text and set(names) <= _TERMS and (not names or (names[0] == "dt" and names[-1] == "dd"))
    if name == "hgroup":
        return not text and sum(each in _HEADINGS for each in names) == 1 and set(names) <= _HEADINGS | {"p"}
    if name == "details":
        return names[:1] == ["summary"] and "summary" not in names[1:] and not (old.text or "").strip()
    if name == "ruby":
        begins = bool((old.text or "").strip()) or names[:1] not in (["rt"], ["rp"], ["rtc"], [])
        return begins and names[-1:] in (["rt"], ["rp"], ["rtc"]) and not (old[-1].tail or "").strip()
    if name == "picture":
        return not text and names[-1:] == ["img"] and set(names[:-1]) <= {"source"}
    return name != "iframe" or not (text or names)
