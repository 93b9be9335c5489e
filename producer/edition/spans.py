"""Sentences to elements: the text of each is put into one element of its page, and no character is moved.

A sentence that begins or ends within inline elements, such as `<i>`, cuts them in two; the second half has no `id`.
Ruby and whatever else is not cut belongs to the sentence that it begins with. The element of a description is put
around its image. A sentence that begins within ruby and ends with other text has the rest of it, without that ruby; one
that is part of the text of one ruby has that text up to the first reading.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lxml import etree

from e2a.plan import Source
from producer.markup import Element, local_name

SENTENCE = "e2a-sentence"
"""Name of the element that a sentence is put into."""
_READINGS = {"rt", "rtc", "rp"}
_CUT = frozenset(
    (
        "a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd mark q s samp small span strike strong sub "
        "sup tt u var"
    ).split()
)
"""Elements that two of are as good as one."""


class Place(NamedTuple):
    """A sentence in a page."""

    identifier: str
    """Of the element that it gets."""
    source: Source


class _Ends(NamedTuple):
    """Empty elements where a sentence begins and ends."""

    start: Element
    end: Element


def mark(root: Element, places: Iterable[Place]) -> None:
    """Put an element with its identifier around each sentence of a page; one that is not there is passed over.

    Args:
        root: of the tree that the sources were computed on, by the same parser.
        places: sentences that do not overlap.
    """
    texts: dict[Element, list[Place]] = defaultdict(list)
    images: list[tuple[Element, str]] = []
    find = _Finder(root)
    for place in places:
        element = find(place.source.path)
        if element is None:
            continue
        if place.source.attribute:
            images.append((element, place.identifier))
        else:
            texts[element].append(place)
    pairs = [pair for element, found in texts.items() for pair in _insert(element, found)]
    for pair in pairs:
        _join(*pair)
    for element, identifier in images:
        _surround(element, identifier)


class _Finder:
    """Elements by the steps of an EPUB CFI."""

    def __init__(self, root: Element) -> None:
        self._found: dict[str, Element | None] = {"": root}
        self._children: dict[Element, list[Element]] = {}

    def __call__(self, path: str) -> Element | None:
        """Return the element that a path leads to; None when there is none."""
        steps = path.split("/")
        known = next(count for count in range(len(steps), 0, -1) if "/".join(steps[:count]) in self._found)
        element = self._found["/".join(steps[:known])]
        for count in range(known, len(steps)):
            children = [] if element is None else self._children_of(element)
            index = int(steps[count]) // 2 - 1
            element = children[index] if 0 <= index < len(children) else None
            self._found["/".join(steps[: count + 1])] = element
        return element

    def _children_of(self, element: Element) -> list[Element]:
        if element not in self._children:
            self._children[element] = [child for child in element if isinstance(child.tag, str)]
        return self._children[element]


class _Text(NamedTuple):
    """A text node: what stands in an element before its first child, or right behind an element."""

    holder: Element
    is_tail: bool
    text: str

    def cut(self, cuts: Sequence[tuple[int, Element]]) -> None:
        """Put elements at places in the text; those at the same place in their order."""
        text = self.text
        if self.is_tail:
            self.holder.tail = None
        for position, element in reversed(cuts):
            if self.is_tail:
                self.holder.addnext(element)
            else:
                self.holder.insert(0, element)
            element.tail = text[position:]
            text = text[:position]
        if self.is_tail:
            self.holder.tail = text
        else:
            self.holder.text = text


def _texts(element: Element) -> Iterator[_Text]:
    for event, each in etree.iterwalk(element, events=("start", "end", "comment", "pi")):
        if event == "start" and each.text:
            yield _Text(each, False, each.text)
        elif event != "start" and each is not element and each.tail:
            yield _Text(each, True, each.tail)


def _insert(element: Element, places: Sequence[Place]) -> Iterator[_Ends]:
    """Insert what bounds the sentences of an element, and yield it in their order."""
    texts = list(_texts(element))
    starts = []
    length = 0
    for text in texts:
        starts.append(length)
        length += len(text.text)
    cuts: dict[int, list[tuple[int, Element]]] = defaultdict(list)
    for identifier, source in sorted(places, key=lambda place: place.source.start):
        if not 0 <= source.start < source.end <= length:
            continue
        first, last = bisect_right(starts, source.start) - 1, bisect_right(starts, source.end - 1) - 1
        ends = _Ends(element.makeelement(SENTENCE, {"id": identifier}), element.makeelement(SENTENCE))
        cuts[first].append((source.start - starts[first], ends.start))
        cuts[last].append((source.end - starts[last], ends.end))
        yield ends
    for index, found in cuts.items():
        texts[index].cut(found)


def _join(start: Element, end: Element) -> None:
    """Put all between two empty elements into the first, and take the second away."""
    common = _common(start, end)
    _lift(start, common)
    _lift(end, common)
    start.text, start.tail = start.tail, None
    while (sibling := start.getnext()) is not None and sibling is not end:
        if sibling.tag != SENTENCE and local_name(common) == "ruby" and local_name(sibling) in _READINGS:
            break
        start.append(sibling)
    rest = end.tail
    end.tail = None
    before, parent = end.getprevious(), end.getparent()
    assert parent is not None, "it stands in what both stand in"
    parent.remove(end)
    if before is None:
        parent.text = (parent.text or "") + (rest or "")
    else:
        before.tail = (before.tail or "") + (rest or "")


def _common(start: Element, end: Element) -> Element:
    """Return the innermost element that two stand in; not ruby of which they span all text."""
    around = set(start.iterancestors())
    common = next(element for element in end.iterancestors() if element in around)
    outer = common.getparent()
    if local_name(common) != "ruby" or outer is None or not _begins(start, common):
        return common
    behind = [each for each in end.itersiblings() if local_name(each) not in _READINGS or (each.tail or "").strip()]
    return outer if end.getparent() is common and not behind and not (end.tail or "").strip() else common


def _begins(element: Element, outer: Element) -> bool:
    """Say whether nothing stands before an element in one that it is in."""
    while element is not outer:
        parent = element.getparent()
        if parent is None or parent.text or element.getprevious() is not None:
            return False
        element = parent
    return True


def _lift(mark_: Element, common: Element) -> None:
    """Move an empty element out to where `common` is what it stands in; what cannot be cut stays before it."""
    while (parent := mark_.getparent()) is not None and parent is not common:
        if not parent.text and mark_.getprevious() is None:
            text, mark_.tail = mark_.tail, None
            parent.addprevious(mark_)
            parent.text = text
        else:
            _move_behind(mark_, parent)


def _move_behind(mark_: Element, parent: Element) -> None:
    if local_name(parent) in _CUT or parent.tag == SENTENCE:
        _cut_at(mark_, parent)
        return
    before, text = mark_.getprevious(), mark_.tail or ""
    mark_.tail = None
    rest = parent.tail
    parent.tail = None
    parent.addnext(mark_)
    mark_.tail = rest
    if before is None:
        parent.text = (parent.text or "") + text
    else:
        before.tail = (before.tail or "") + text


def _cut_at(mark_: Element, parent: Element) -> None:
    """Cut an element in two, an empty element in it between them; there is no second half of nothing."""
    text, mark_.tail = mark_.tail, None
    following = list(mark_.itersiblings())
    rest, parent.tail = parent.tail, None
    parent.addnext(mark_)
    last = mark_
    if text or following:
        names = {"id", "name"} if local_name(parent) == "a" else {"id"}
        attributes = {str(name): str(value) for name, value in parent.attrib.items()}
        kept = {name: value for name, value in attributes.items() if name.rpartition("}")[2] not in names}
        last = parent.makeelement(parent.tag, kept, nsmap=parent.nsmap)  # type: ignore[arg-type]
        last.text = text
        last.extend(following)
        mark_.addnext(last)
    last.tail = rest


def _surround(element: Element, identifier: str) -> None:
    """Put an element around another one; around the `picture` that it is of."""
    while (parent := element.getparent()) is not None and local_name(parent) == "picture":
        element = parent
    outer = element.makeelement(SENTENCE, {"id": identifier})
    outer.tail, element.tail = element.tail, None
    element.addprevious(outer)
    outer.append(element)
