"""Footnotes and endnotes: which elements refer to a note, and which are one.

By what the markup says, else as EPUB 2 writes them: a small sign behind some text, linked to a block that links back.
What only looks so is text: a note that is read is a smaller fault than a paragraph that is not.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, takewhile
from typing import NamedTuple

from lxml import etree

from e2a.plan import letters
from producer.markup import BLOCKS, Element, elements, identifiers, local_name, semantics, text_content

MARK = 20
"""Most characters of a reference or of a page's number; what is longer is text, whatever it says it is."""
BODY = 5000
"""Most characters of a note that only links give away."""
_ELEMENTS = 1000
"""Most elements of such a note."""
_NEAR = 8
"""Elements before a reference in which the text that it belongs to is looked for."""
_REFERENCE = frozenset(["noteref"])
_BODY = frozenset(["footnote", "endnote", "rearnote"])
_marked = etree.XPath("//*[@id or @name or @xml:id or @role or @*[local-name()='type' or name()='epub:type']]")
_SIGN = re.compile(
    r"[\[({]?\s*(\d{1,4}|[a-z]|(?=[ivxlc])c{0,3}(x[cl]|l?x{0,3})(i[xv]|v?i{0,4})|[*†‡§¶#]{1,4})\s*[\])}]?\.?",
    re.IGNORECASE,
)
_SAID_SIGN = re.compile(
    r"[\W\d_\xb2\xb3\xb9\u2070-\u2089]*|\W*[\u03b1-\u03c9\u0430-\u044f\u05d0-\u05ea\u0621-\u064a]\W*|"
    r"\W*(note|fn|n|anm|nota|注|註)[.\s]{0,2}\d{1,4}\W*",
    re.IGNORECASE,
)
"""What else is a sign when the markup says that it refers to a note."""
_RAISED_SIGN = re.compile(r"\d{1,3}|[*†‡]{1,3}")
_SENTENCE_END = re.compile(r"((?<!\d)|(?<=\b\d{4}))[.,:;!?…。\uff01\uff1f、][)\]]?['\u2019\"”»]?\Z|[\"”»」』]\Z")
"""Behind other text a raised sign may be an exponent, behind a full stop in a number its cents."""
ENDING = 8
"""Most characters at the end of a text that say whether a raised sign behind it refers to a note."""
_BRACKETED = re.compile(r"[\[({].*[\])}]|[*†‡§¶]+")
_NAMED = re.compile(r"note|\bfn|super|\bsup\b", re.IGNORECASE)
_CONTAINERS = frozenset("article aside blockquote dd div dt li p section td tr".split())
_HEADING = re.compile("h[1-6]")

Resolve = Callable[[str], tuple[str, str]]
"""From a link in a document to (path of a document, identifier in it); a ValueError for what is no link."""


class Notes(NamedTuple):
    """Elements of a book, each with the key of the note it refers to or is."""

    references: dict[Element, str]
    bodies: dict[Element, str]


NONE = Notes({}, {})


def find(roots: Sequence[tuple[str, Element | None]], resolve: Callable[[str], Resolve]) -> Notes:
    """Find the notes of a book.

    Args:
        roots: path and tree of each document.
        resolve: from the path of a document to what resolves its links.
    """
    notes = Notes({}, {})
    finder = _Finder(notes)
    for href, root in roots:
        resolve_link = resolve(href)
        for link in () if root is None else root.iter("{*}a"):
            target = link.get("href")
            if target is None or len(text_content(link).strip()) > MARK:
                continue
            key = _key(target, resolve_link)
            if not _REFERENCE.isdisjoint(semantics(link)):
                notes.references[link] = key
            elif key and _looks_like_reference(link):
                finder.guesses.setdefault(key, {})[link] = href
    finder.guessed = {link for each in finder.guesses.values() for link in each}
    finder.referred = set(notes.references.values()) - {""}
    for href, root in roots:
        resolve_link = resolve(href)
        for element in () if root is None else elements(_marked(root)):
            finder.meet(href, element, resolve_link)
    return notes


class _Finder:
    """The second pass: what the references refer to."""

    def __init__(self, notes: Notes) -> None:
        self.guesses: dict[str, dict[Element, str]] = {}
        """Of each note: what may refer to it, with the path of its document."""
        self.guessed: set[Element] = set()
        self.referred: set[str] = set()
        self._notes = notes
        self._met: set[str] = set()
        self._possible: dict[Element, bool] = {}
        self._around: dict[Element, frozenset[str]] = {}

    def meet(self, href: str, element: Element, resolve: Resolve) -> None:
        """Say of an element that something could refer to whether it is a note."""
        is_link = local_name(element) == "a" and element.get("href") is not None
        keys = [f"{href}#{identifier}" for identifier in identifiers(element)]
        if not is_link and not _BODY.isdisjoint(semantics(element)):
            self._notes.bodies[element] = keys[0] if keys else f"{href}#"
            return
        for key in keys:
            if key not in self._met and (key in self.referred or key in self.guesses):
                self._met.add(key)
                self._meet_target(href, element, key, resolve)

    def _meet_target(self, href: str, element: Element, key: str, resolve: Resolve) -> None:
        block = _block(element)
        if block is None or local_name(block) not in _CONTAINERS or not self._could_be_note(block):
            return
        body = self._whole(href, block)
        if _holds_sign(body[-1]):
            return
        links = {link for part in body for link in part.iter("{*}a")}
        guesses = {link: origin for link, origin in self.guesses.get(key, {}).items() if link not in links}
        back = {_key(link.get("href", ""), resolve) for link in links - self.guessed}
        confirmed = any(not back.isdisjoint(self._names(link, origin)) for link, origin in guesses.items())
        if confirmed and _begins_as_chapter(body[0]):
            return
        if confirmed:
            self._notes.references.update(dict.fromkeys(guesses, key))
        refers_to_itself = any(self._notes.references.get(link) == key for link in links)
        if confirmed or (key in self.referred and not refers_to_itself):
            self._notes.bodies.update(dict.fromkeys(body, key))

    def _whole(self, href: str, block: Element) -> tuple[Element, ...]:
        """Return also what stands beside a note's number, and all of an item or so-called note that holds no other."""
        parent, after = block.getparent(), block.getnext()
        if local_name(block) == "dt" and after is not None and local_name(after) == "dd":
            return block, after
        if parent is None:
            return (block,)
        if local_name(block) == "td" and _holds_sign(block) and self._could_be_note(parent):
            return (parent,)
        is_first = local_name(parent) in _CONTAINERS and next(parent.iterchildren(etree.Element), None) is block
        is_named = _NAMED.search(parent.get("class", "")) or local_name(parent) in {"li", "dd"}
        if not is_first or not is_named or not self._could_be_note(parent):
            return (block,)
        return (block,) if self._holds_others(href, block) else (parent,)

    def _holds_others(self, href: str, block: Element) -> bool:
        """Say whether there is a target of references behind a block."""
        others = (each for sibling in block.itersiblings() for each in sibling.iter(etree.Element))
        keys = (f"{href}#{name}" for each in others for name in identifiers(each))
        return any(key in self.referred or key in self.guesses for key in keys)

    def _could_be_note(self, element: Element) -> bool:
        """Say whether an element has the size of a note, and no headings: those are of chapters."""
        if element not in self._possible:
            inner = list(islice(element.iter(etree.Element), _ELEMENTS))
            is_small = len(inner) < _ELEMENTS and len(text_content(element).strip()) <= BODY
            self._possible[element] = is_small and not any(_HEADING.fullmatch(local_name(each)) for each in inner)
        return self._possible[element]

    def _names(self, link: Element, href: str) -> frozenset[str]:
        """Return the keys of all that a link back from a note may point to: what stands around the reference."""
        block = _block(link)
        if block is None:
            return frozenset()
        if block not in self._around:
            before = block.getprevious()
            anchors = () if before is None or text_content(before).strip() else (before,)
            around = (*anchors, *block.iter(etree.Element))
            self._around[block] = frozenset(f"{href}#{name}" for each in around for name in identifiers(each))
        return self._around[block]


def is_sign(reference: Element) -> bool:
    """Say whether what refers to a note is only that, so that nobody reads it; else it is a word of the text."""
    text = text_content(reference).strip()
    if _SIGN.fullmatch(text) or _SAID_SIGN.fullmatch(text):
        return True
    raised = any(letters(text_content(each)) == letters(text) for each in reference.iter("{*}sup"))
    return raised or any(local_name(each) == "sup" for each in _in_line(reference))


def is_raised_sign(element: Element) -> bool:
    """Say whether raised text is a number or a symbol."""
    return bool(_RAISED_SIGN.fullmatch(text_content(element).strip()))


def may_refer(before: str) -> bool:
    """Say whether a raised sign that nothing links to a note refers to one, by the end of the text right before it."""
    return bool(_SENTENCE_END.search(before))


def _outwards(element: Element) -> Iterator[Element]:
    """Yield an element and those around it, the innermost first."""
    return chain((element,), element.iterancestors())


def _in_line(element: Element) -> Iterator[Element]:
    """Yield an element and those around it, up to the block that it stands in."""
    return takewhile(lambda each: local_name(each) not in BLOCKS, _outwards(element))


def _key(target: str, resolve: Resolve) -> str:
    """Return the key of what a link points to; empty for what is no place, or no link at all."""
    if "#" not in target:
        return ""
    try:
        return "#".join(resolve(target))
    except ValueError:
        return ""


def _looks_like_reference(link: Element) -> bool:
    sign = text_content(link).strip()
    if not _SIGN.fullmatch(sign):
        return False
    parent = link.getparent()
    around = [link] if parent is None else [link, parent]
    raised = next(link.iter("{*}sup"), None) is not None or any(local_name(each) == "sup" for each in around)
    named = any(_NAMED.search(each.get("class", "")) for each in around if local_name(each) not in BLOCKS)
    return bool(raised or named or _BRACKETED.fullmatch(sign)) and _follows_text(link)


def _follows_text(link: Element) -> bool:
    """Say whether there are words before a link in its block, which a line of contents or a note's own sign has not."""
    return any(_has_words(text) for element in _in_line(link) for text in _texts_before(element))


def _texts_before(element: Element) -> Iterator[str | None]:
    for before in islice(element.itersiblings(preceding=True), _NEAR):
        yield before.tail
        if isinstance(before.tag, str) and local_name(before) != "a":
            yield text_content(before)
    parent = element.getparent()
    yield None if parent is None else parent.text


def _has_words(text: str | None) -> bool:
    return text is not None and any(map(str.isalnum, text))


def _holds_sign(element: Element) -> bool:
    return bool(_SIGN.fullmatch(text_content(element).strip()))


def _begins_as_chapter(element: Element) -> bool:
    """Say whether a number has a paragraph of its own before the text, in what is not called a note."""
    if local_name(element) in {"dt", "tr"} or _NAMED.search(element.get("class", "")):
        return False
    for inner in element.iterdescendants(etree.Element):
        text = text_content(inner).strip()
        if text and local_name(inner) in BLOCKS and not any(local_name(each) in BLOCKS for each in inner):
            return bool(_SIGN.fullmatch(text))
    return False


def _block(element: Element) -> Element | None:
    """Return the innermost block that an element is or stands in."""
    return next((each for each in _outwards(element) if local_name(each) in BLOCKS), None)
