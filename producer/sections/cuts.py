"""Where the sections of a book start: by the table of contents, else by headings, else by document."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, dropwhile, islice, pairwise, takewhile
from typing import NamedTuple

from producer.epub import Book, Entry
from producer.markup import collapse
from producer.sections import matter
from producer.sections.extract import HEADINGS, Block, Extract

QUARTER = 0.25
"""Of an hour: what groups chapters is itself one when all of it takes less, unless it is called a part."""
FEW_MINUTES = 1 / 20
"""Of an hour: chapters are longer on average than what only an entry with text of its own groups."""
LITTLE = 1 / 36
"""Of an hour: the text of its own of an entry that groups those under it, or a tenth of it all."""
LONGEST_TITLE = 250
"""Most characters of any title: some books mark whole paragraphs as headings."""
DEEPEST = 16
"""Levels of a table of contents that are told apart; no book has ten."""
NO_TITLE = re.compile(
    r"(begin|start)( reading)?|start of (content|text)|(main )?text|body|commencer la lecture|début|"
    r"lektüre beginnen|textanfang|empezar a leer|inizia a leggere|本文",
    re.IGNORECASE,
)
"""What a table of contents calls a place when it has no name for it."""
PART = re.compile(
    r"(the )?(first|second|third|fourth|fifth|last )?\s*(part|book|volume|section|teil|buch|band|abschnitt|"
    r"partie|livre|tome|parte|libro|volumen|sección|часть|книга|том|الجزء|חלק)\b|第.{1,4}[部篇巻卷编]",
    re.IGNORECASE,
)


class Located(NamedTuple):
    """A block, and the document that it stands in."""

    document: int
    """Index into `Book.documents`."""
    block: Block


class Cut(NamedTuple):
    """Where a section starts."""

    position: int
    title: str
    group: tuple[str, ...] = ()
    why: str = "table of contents"

    def inside(self) -> tuple[str, ...]:
        """Return the group of what is part of it."""
        is_none = not self.title or NO_TITLE.fullmatch(self.title) or matter.of_title(self.title)
        return self.group if is_none else (*self.group, self.title)


def find_cuts(book: Book, extracts: Sequence[Extract], flow: Sequence[Located], hour: float) -> dict[int, Cut]:
    """Return where sections start, by position in the flow; see `producer.sections.contents.sections`."""
    return _Cutter(flow, hour).cuts(book.contents, _Places(book, extracts, flow))


def lines(entries: Iterable[Entry]) -> Iterator[tuple[int, Entry]]:
    """Yield the lines of a table of contents from top to bottom, each with its level, 0 for the outermost."""
    stack = [(0, entry) for entry in entries][::-1]
    while stack:
        level, entry = stack.pop()
        yield level, entry
        stack += [(level + 1, child) for child in reversed(entry.children)]


def begins_document(flow: Sequence[Located], position: int) -> bool:
    """Say whether the block at a position is the first of its document."""
    return position == 0 or flow[position - 1].document != flow[position].document


def heading_of(blocks: Iterable[Located]) -> str:
    """Return the first heading, with the one right below it: a chapter's name often stands below its number."""
    below = islice(dropwhile(lambda located: not is_heading(located), blocks), 2)
    return shortened(": ".join(located.block.text for located in takewhile(is_heading, below)), LONGEST_TITLE)


def is_heading(located: Located) -> bool:
    """Say whether the markup says that a block is a heading."""
    return located.block.name in HEADINGS


def shortened(text: str, most: int) -> str:
    """Return the beginning of a text, to the end of a word where it has spaces; white space collapsed."""
    text = collapse(text)
    if len(text) <= most:
        return text
    return (text[:most].rpartition(" ")[0] or text[: most - 1]) + "…"


def fold(text: str) -> str:
    """Return a text by which it can be found again: without case, white space and punctuation."""
    return "".join(words(text))


def words(text: str) -> list[str]:
    """Return the words of a text, without case."""
    return re.findall(r"\w+", text.casefold())


class _Node(NamedTuple):
    """An entry of the table of contents, with all under it; positions are indices into the flow."""

    title: str
    start: int
    end: int
    """Where the next entry points to; `start` for one that points to nothing, or to where a later one points."""
    first: int
    """Where the first of it and of those under it starts."""
    last: int
    """Where the last of them ends."""
    total: int
    """Characters of them all."""
    children: tuple["_Node", ...]


class _Places:
    """Where the entries of a table of contents point to."""

    def __init__(self, book: Book, extracts: Sequence[Extract], flow: Sequence[Located]) -> None:
        self._documents = {document.href: number for number, document in enumerate(book.documents) if document.linear}
        self._extracts = extracts
        self._following = _following(extracts, flow)
        self._end = len(flow)
        self._names: dict[int, dict[str, int]] = {}

    def of(self, entries: Iterable[Entry]) -> list[int | None]:
        """Return the position of each entry in the flow; None for one that points to nothing that is read.

        An entry that is lost stands for the start of its document, unless one before it does.
        """
        found: list[int | None] = []
        seen: set[int | None] = set()
        for entry in entries:
            position, is_lost = self._find(entry)
            found.append(None if is_lost and position in seen else position)
            seen.add(position)
        return found

    def _find(self, entry: Entry) -> tuple[int | None, bool]:
        """Return the position of an entry, and whether it is lost: neither its fragment nor its title is there."""
        document = self._documents.get(entry.href)
        if document is None:
            return None, False
        index = self._index(entry, document)
        following = self._following[document]
        position = following[index or 0]
        is_behind = position == following[-1]  # as one that points to a picture, before the next document
        if position == self._end or (is_behind and matter.of_title(entry.title)):
            return None, False
        return position, index is None

    def _index(self, entry: Entry, document: int) -> int | None:
        """Return the block that an entry points to: by its fragment, else by its title."""
        if not entry.fragment:
            return 0
        index = self._extracts[document].anchors.get(entry.fragment)
        return self._named(document).get(fold(entry.title)) if index is None else index

    def _named(self, document: int) -> dict[str, int]:
        """Return the first block for each text in a document, a heading rather than a line of a list of chapters."""
        if document not in self._names:
            named = self._names.setdefault(document, {})
            blocks = enumerate(self._extracts[document].blocks)
            for index, block in sorted(blocks, key=lambda pair: pair[1].name not in HEADINGS):
                if name := fold(block.text):
                    named.setdefault(name, index)
        return self._names[document]


def _following(extracts: Sequence[Extract], flow: Sequence[Located]) -> list[list[int]]:
    """Return for each block of each document, and for its end, the position of the first that is read from there on."""
    positions = {id(located.block): position for position, located in enumerate(flow)}
    position = len(flow)
    following: list[list[int]] = []
    for each in reversed(extracts):
        found = [position]
        for block in reversed(each.blocks):
            position = positions.get(id(block), position)
            found.append(position)
        following.append(found[::-1])
    return following[::-1]


class _Cutter:
    """Chooses where sections start."""

    def __init__(self, flow: Sequence[Located], hour: float) -> None:
        self._flow = flow
        self._hour = hour
        self._sizes = list(accumulate((len(located.block.text) for located in flow), initial=0))

    def cuts(self, contents: Iterable[Entry], places: _Places) -> dict[int, Cut]:
        """Return the cuts by their positions."""
        nodes = self._nodes(list(lines(contents)), places)
        found = [cut for node in nodes for cut in self._of_node(node, ())] or self._without_contents()
        return {cut.position: cut for cut in found}

    def _nodes(self, entries: Sequence[tuple[int, Entry]], places: _Places) -> list[_Node]:
        """Return the outermost entries; a place belongs to the last that points there: the innermost names it best."""
        positions = places.of(entry for _level, entry in entries)
        bounds = [*sorted({position for position in positions if position is not None}), len(self._flow)]
        levels: list[list[_Node]] = [[] for _ in range(DEEPEST + 2)]
        taken: set[int] = set()
        for (depth, entry), position in zip(reversed(entries), reversed(positions), strict=True):
            level = min(depth, DEEPEST)
            start = end = 0
            if position is not None and position not in taken:
                taken.add(position)
                start, end = position, bounds[bisect_right(bounds, position)]
            levels[level].append(self._node(entry, start, end, levels[level + 1][::-1]))
            levels[level + 1].clear()
        return levels[0][::-1]

    def _node(self, entry: Entry, start: int, end: int, children: Sequence[_Node]) -> _Node:
        spans = [(start, end), *((child.first, child.last) for child in children)]
        first = min((first for first, last in spans if last > first), default=0)
        last = max(last for _first, last in spans)
        total = self._size(start, end) + sum(child.total for child in children)
        return _Node(shortened(entry.title, LONGEST_TITLE), start, end, first, last, total, tuple(children))

    def _size(self, start: int, end: int) -> int:
        return self._sizes[end] - self._sizes[start]

    def _of_node(self, node: _Node, group: tuple[str, ...]) -> list[Cut]:
        if not node.total:
            return []
        if self._is_one(node):
            return self._of_stretch(Cut(node.first, node.title, group), node.last)
        own = Cut(node.start, node.title, group)
        inner = [cut for child in node.children for cut in self._of_node(child, own.inside())]
        if node.start == node.end:
            return inner
        positions = [cut.position for cut in inner]
        if self._is_bare(node) and node.end in positions:  # its heading is read at the start of what follows
            number = positions.index(node.end)
            if not matter.of_title(inner[number].title) and not self._is_page_above(node):
                inner[number] = inner[number]._replace(position=node.start)
                return inner
        return [*self._of_stretch(own, node.end), *inner]

    def _is_one(self, node: _Node) -> bool:
        """Say whether an entry and all under it are one section."""
        if not node.children:
            return True
        is_in_one_place = self._size(node.first, node.last) == node.total
        return is_in_one_place and node.total <= self._hour and not self._groups(node)

    def _groups(self, node: _Node) -> bool:
        """Say whether an entry has no text of its own, and is there to group those under it."""
        if self._is_page_above(node):
            return True
        several = len(node.children) > 1 and node.total > QUARTER * self._hour
        named = node.start == node.end or several or PART.match(node.title)
        return bool(named and self._is_bare(node)) or self._has_chapters(node)

    def _is_page_above(self, node: _Node) -> bool:
        """Say whether an entry is matter that text stands under, as a title page that the chapters belong to."""
        kind = matter.of_title(node.title)
        own = self._flow[node.start : node.end]
        under = [self._flow[child.first] for child in node.children if child.total]
        if kind in {"cover", "title page", "copyright", "contents"}:
            return True
        if kind and own and any(each.document != own[0].document for each in under):
            return True
        return any(each.block.kind for each in own) and not all(each.block.kind for each in under)

    def _has_chapters(self, node: _Node) -> bool:
        """Say whether an entry has little text of its own, and chapters under it."""
        own = self._size(node.start, node.end)
        if own >= max(LITTLE * self._hour, node.total / 10):
            return False
        if PART.match(node.title):
            return True
        under = [child for child in node.children if child.total]
        begin = all(is_heading(self._flow[each.first]) or begins_document(self._flow, each.first) for each in under)
        return begin and len(under) > 1 and node.total - own > len(under) * FEW_MINUTES * self._hour

    def _is_bare(self, node: _Node) -> bool:
        """Say whether an entry has nothing of its own but its heading."""
        names = {located.block.name for located in self._flow[node.start : node.end]}
        return names.issubset(HEADINGS) or self._size(node.start, node.end) <= len(node.title) + 40

    def _of_stretch(self, cut: Cut, end: int) -> list[Cut]:
        """Return the cut of a stretch of text, and those of its headings when it takes longer than an hour."""
        if self._size(cut.position, end) <= self._hour:
            return [cut]
        within = (cut.position + 1, end, cut.inside())
        inner = self._of_headings(*within) or self._of_documents(*within)
        if inner and all(map(is_heading, self._flow[cut.position : inner[0].position])):
            return [inner[0]._replace(position=cut.position), *inner[1:]]
        return [cut, *inner]

    def _of_headings(self, start: int, end: int, group: tuple[str, ...]) -> list[Cut]:
        """Return the cuts of the headings of the highest level that has two."""
        places: dict[str, list[int]] = {name: [] for name in HEADINGS}
        for place in range(start, end):
            places.get(self._flow[place].block.name, []).append(place)
        chosen = next((found for found in places.values() if len(found) > 1), [])
        cuts: list[Cut] = []
        for place, after in pairwise([*chosen, end]):
            cut = Cut(place, heading_of(self._flow[place : place + 1]), group, "headings")
            inner = self._of_stretch(cut, after)
            whole = cut._replace(title=heading_of(self._flow[place : min(place + 2, after)]))
            cuts += [whole] if inner == [cut] else inner
        return cuts

    def _without_contents(self) -> list[Cut]:
        end = len(self._flow)
        return self._of_headings(0, end, ()) or self._of_documents(0, end, ())

    def _of_documents(self, start: int, end: int, group: tuple[str, ...]) -> list[Cut]:
        """Return the cuts of documents; the first words are their titles."""
        starts = (position for position in range(start, end) if begins_document(self._flow, position))
        return [Cut(position, "", group, "document") for position in starts]
