"""Blocks to sections, cut as a reader would: by the table of contents, else by headings, else by document.

In three steps: `_Cutter` chooses where sections start; `_chunks` cuts the flow of blocks there, and wherever a
document or a kind of matter begins; `_gathered` gives each chunk to one section. None can lose or double a block.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, dropwhile, islice, pairwise, takewhile
from typing import NamedTuple

from producer import matter
from producer.epub import Book, Entry
from producer.extract import HEADINGS, Block, Extract

QUARTER = 0.25
"""Of an hour: what groups chapters is itself one when all of it takes less, unless it is called a part."""
WORDS = 40
"""Most characters of a title that is the first words of the text."""
LONGEST_TITLE = 250
"""Most characters of any title: some books mark whole paragraphs as headings."""
BRIEF = 400
"""Most characters of a title page that only its words give away."""
MATTER_SHARE = 0.25
"""Most of a book that a section which is matter by its title or words can hold: a chapter may be called Notes."""
DEEPEST = 16
"""Levels of a table of contents that are told apart; no book has ten."""
_NO_TITLE = re.compile(
    r"(begin|start)( reading)?|start of (content|text)|(main )?text|body|commencer la lecture|début|"
    r"lektüre beginnen|textanfang|empezar a leer|inizia a leggere|本文",
    re.IGNORECASE,
)
"""What a table of contents calls a place when it has no name for it."""
_PART = re.compile(
    r"(the )?(first|second|third|fourth|fifth|last )?\s*(part|book|volume|section|teil|buch|band|abschnitt|"
    r"partie|livre|tome|parte|libro|volumen|sección|часть|книга|том|الجزء|חלק)\b|第.{1,4}[部篇巻卷编]",
    re.IGNORECASE,
)
_CHAPTER = re.compile(
    r"(chapter|kapitel|chapitre|capítulo|capitolo|глава|الفصل|פרק)\b|第|[ivxlcdm]+\W*$|[\d\W_一二三四五六七八九十]+$",
    re.IGNORECASE,
)


class Located(NamedTuple):
    """A block, and the document that it stands in."""

    document: int
    """Index into `Book.documents`."""
    block: Block


class Section(NamedTuple):
    """What a reader calls a chapter, or a page of front or back matter."""

    title: str
    """That of the table of contents, else its headings, else its first words."""
    group: tuple[str, ...]
    """Titles of what it is part of, the outermost first."""
    kind: str
    """Of matter; empty for the text of the book."""
    why: str
    """What gave the kind, or the title, away."""
    blocks: tuple[Located, ...]


class _Cut(NamedTuple):
    """Where a section starts."""

    position: int
    title: str
    group: tuple[str, ...] = ()
    why: str = "table of contents"

    def inside(self) -> tuple[str, ...]:
        """Return the group of what is part of it."""
        return (*self.group, self.title) if self.title and not _NO_TITLE.fullmatch(self.title) else self.group


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


class _Chunk(NamedTuple):
    """A run of blocks that certainly belong together."""

    start: int
    end: int
    cut: _Cut | None
    kind: str
    why: str
    begins_document: bool
    is_short: bool


class _Draft(NamedTuple):
    """A section, as the chunks that it was given so far."""

    cut: _Cut | None
    chunks: list[_Chunk]

    @property
    def kind(self) -> str:
        return self.chunks[0].kind


def sections(book: Book, extracts: Sequence[Extract], flow: Sequence[Located], hour: float) -> list[Section]:
    """Cut the text of a book.

    Args:
        book: its table of contents, landmarks and titles.
        extracts: of each document.
        flow: the blocks to cut, in reading order.
        hour: characters that an hour of speech takes.
    """
    if not flow:
        return []
    cuts = _Cutter(flow, hour).cuts(book.contents, _Places(book, extracts, flow))
    limit = max(MATTER_SHARE * sum(len(located.block.text) for located in flow), matter.BY_TEXT_LIMIT)
    drafts = _gathered(list(_chunks(book, flow, cuts, limit)))
    return _with_title_pages([_section(draft, flow, limit) for draft in drafts], book)


def lines(entries: Iterable[Entry]) -> Iterator[tuple[int, Entry]]:
    """Yield the lines of a table of contents from top to bottom, each with its level, 0 for the outermost."""
    stack = [(0, entry) for entry in entries][::-1]
    while stack:
        level, entry = stack.pop()
        yield level, entry
        stack += [(level + 1, child) for child in reversed(entry.children)]


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
        return self._named(document).get(_fold(entry.title)) if index is None else index

    def _named(self, document: int) -> dict[str, int]:
        """Return the first block for each text in a document, a heading rather than a line of a list of chapters."""
        if document not in self._names:
            named = self._names.setdefault(document, {})
            blocks = enumerate(self._extracts[document].blocks)
            for index, block in sorted(blocks, key=lambda pair: pair[1].name not in HEADINGS):
                if name := _fold(block.text):
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

    def cuts(self, contents: Iterable[Entry], places: _Places) -> dict[int, _Cut]:
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
        return _Node(_shortened(entry.title, LONGEST_TITLE), start, end, first, last, total, tuple(children))

    def _size(self, start: int, end: int) -> int:
        return self._sizes[end] - self._sizes[start]

    def _of_node(self, node: _Node, group: tuple[str, ...]) -> list[_Cut]:
        if not node.total:
            return []
        if self._is_one(node):
            return self._of_stretch(_Cut(node.first, node.title, group), node.last)
        own = _Cut(node.start, node.title, group)
        inner = [cut for child in node.children for cut in self._of_node(child, own.inside())]
        if node.start == node.end:
            return inner
        positions = [cut.position for cut in inner]
        if self._is_bare(node) and node.end in positions:  # its heading is read at the start of what follows
            number = positions.index(node.end)
            if not matter.of_title(inner[number].title):
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
        several = len(node.children) > 1 and node.total > QUARTER * self._hour
        named = node.start == node.end or several or _PART.match(node.title)
        return bool(named) and self._is_bare(node)

    def _is_bare(self, node: _Node) -> bool:
        """Say whether an entry has nothing of its own but its heading."""
        names = {located.block.name for located in self._flow[node.start : node.end]}
        return names.issubset(HEADINGS) or self._size(node.start, node.end) <= len(node.title) + 40

    def _of_stretch(self, cut: _Cut, end: int) -> list[_Cut]:
        """Return the cut of a stretch of text, and those of its headings when it takes longer than an hour."""
        inner = (
            self._of_headings(cut.position + 1, end, cut.inside()) if self._size(cut.position, end) > self._hour else []
        )
        if inner and all(map(_is_heading, self._flow[cut.position : inner[0].position])):
            return [inner[0]._replace(position=cut.position), *inner[1:]]
        return [cut, *inner]

    def _of_headings(self, start: int, end: int, group: tuple[str, ...]) -> list[_Cut]:
        """Return the cuts of the headings of the highest level that has two."""
        places: dict[str, list[int]] = {name: [] for name in HEADINGS}
        for place in range(start, end):
            places.get(self._flow[place].block.name, []).append(place)
        chosen = next((found for found in places.values() if len(found) > 1), [])
        cuts: list[_Cut] = []
        for place, after in pairwise([*chosen, end]):
            cut = _Cut(place, _heading(self._flow[place : place + 1]), group, "headings")
            inner = self._of_stretch(cut, after)
            whole = cut._replace(title=_heading(self._flow[place : min(place + 2, after)]))
            cuts += [whole] if inner == [cut] else inner
        return cuts

    def _without_contents(self) -> list[_Cut]:
        end = len(self._flow)
        starts = (position for position in range(end) if _begins_document(self._flow, position))
        return self._of_headings(0, end, ()) or [_Cut(start, "", (), "document") for start in starts]


def _begins_document(flow: Sequence[Located], position: int) -> bool:
    return position == 0 or flow[position - 1].document != flow[position].document


def _chunks(book: Book, flow: Sequence[Located], cuts: Mapping[int, _Cut], limit: float) -> Iterator[_Chunk]:
    """Cut the flow wherever a section may start: at each cut, document, and change of what the markup says."""
    landmarks = {landmark.href: matter.of_term(landmark.kind) for landmark in book.landmarks if not landmark.fragment}
    starts = [
        place
        for place, located in enumerate(flow)
        if place in cuts or _begins_document(flow, place) or located.block.kind != flow[place - 1].block.kind
    ]
    for start, end in pairwise([*starts, len(flow)]):
        blocks = [located.block for located in flow[start:end]]
        cut = cuts.get(start)
        title = cut.title if cut else _heading(flow[start : start + 1])
        text = " ".join(block.text for block in blocks)
        begins = _begins_document(flow, start)
        landmark = landmarks.get(book.documents[flow[start].document].href, "") if begins else ""
        kind, why = _kind(blocks, text, title, landmark, limit)
        yield _Chunk(start, end, cut, kind, why, begins, len(text) <= matter.BY_TEXT_LIMIT)


def _kind(blocks: Sequence[Block], text: str, title: str, landmark: str, limit: float) -> tuple[str, str]:
    """Return the kind of matter that blocks are, and what gave it away."""
    if blocks[0].kind:
        return blocks[0].kind, "markup"
    if len(text) > limit:
        return "", ""
    if landmark:
        return landmark, "landmarks"
    if by_title := matter.of_title(title):
        return by_title, "title"
    by_text = matter.of_text(text, sum(block.linked for block in blocks))
    return by_text, "text" if by_text else ""


def _gathered(chunks: Sequence[_Chunk]) -> list[_Draft]:
    """Give each chunk to a section: one that no section starts with goes on with a section before it."""
    drafts: list[_Draft] = []
    last: _Draft | None = None
    text: _Draft | None = None
    started = False
    for before, chunk in zip([None, *chunks[:-1]], chunks, strict=True):
        cut = chunk.cut or (_left_over(before, chunk) if before else None)
        started |= cut is not None
        home = None if cut else _home(last, text, chunk, started)
        if cut and last and _begins_above(last, chunk):
            home = drafts[-1] = last._replace(cut=cut)
        if home is None:
            home = _Draft(cut, [])
            drafts.append(home)
        home.chunks.append(chunk)
        last = home
        if home.cut or not home.kind:
            text = None if home.kind else home
    return drafts


def _home(last: _Draft | None, text: _Draft | None, chunk: _Chunk, started: bool) -> _Draft | None:
    """Return the section that a chunk without a cut goes on with; None when it is one of its own.

    Args:
        last: what the chunk before it was given to.
        text: the section that matter without a cut was inserted into.
        chunk: what to give.
        started: whether there was a cut before; documents before the first are sections of their own.
    """
    if last is None or (chunk.begins_document and not started):
        return None
    if last.kind == chunk.kind:
        return last
    if chunk.kind:
        return None
    if last.cut is None:
        return text if started else None  # matter without an entry is only inserted
    is_left_over = chunk.is_short and not chunk.begins_document and matter.of_title(last.cut.title)
    return last if is_left_over else None


def _left_over(before: _Chunk, chunk: _Chunk) -> _Cut | None:
    """Return the cut of matter just before in the same document when its title is that of the text behind it."""
    if before.cut is None or before.why != "markup" or chunk.begins_document or chunk.kind:
        return None
    return None if matter.of_title(before.cut.title) else before.cut


def _begins_above(last: _Draft, chunk: _Chunk) -> bool:
    """Say whether what the markup calls one thing began above the heading that the table of contents points to."""
    return last.cut is None and chunk.why == last.chunks[-1].why == "markup" and chunk.kind == last.kind


def _section(draft: _Draft, flow: Sequence[Located], limit: float) -> Section:
    cut, first = draft.cut, draft.chunks[0]
    blocks = tuple(located for chunk in draft.chunks for located in flow[chunk.start : chunk.end])
    kind, why = first.kind, first.why
    if not kind or (why != "markup" and sum(len(located.block.text) for located in blocks) > limit):
        kind, why = "", cut.why if cut else "document"
    return Section(_title(cut, blocks), cut.group if cut else (), kind, why, blocks)


def _title(cut: _Cut | None, blocks: Sequence[Located]) -> str:
    heading = _heading(blocks)
    if cut and cut.title and not (heading and _NO_TITLE.fullmatch(cut.title)):
        return cut.title
    return heading or _shortened(blocks[0].block.text, WORDS)


def _heading(blocks: Iterable[Located]) -> str:
    """Return the first heading, with the one right below it: a chapter's name often stands below its number."""
    below = islice(dropwhile(lambda located: not _is_heading(located), blocks), 2)
    return _shortened(": ".join(located.block.text for located in takewhile(_is_heading, below)), LONGEST_TITLE)


def _is_heading(located: Located) -> bool:
    return located.block.name in HEADINGS


def _with_title_pages(found: Sequence[Section], book: Book) -> list[Section]:
    """Recognise title pages at the front by their words; and when all of a book seems to be matter, none of it is."""
    result: list[Section] = []
    is_front = True
    for section in found:
        if is_front and not section.kind and _is_title_page(section, book, result[-1:]):
            result.append(section._replace(kind="title page", why="text"))
        else:
            result.append(section)
        is_front = is_front and bool(result[-1].kind)
    return [section._replace(kind="", why="nothing else to read") for section in found] if is_front else result


def _is_title_page(section: Section, book: Book, before: Sequence[Section]) -> bool:
    texts = [located.block.text for located in section.blocks]
    if sum(map(len, texts)) > BRIEF:
        return False
    if all(map(_is_heading, section.blocks)) and not (_PART.match(texts[0]) or _CHAPTER.match(texts[0])):
        title, words = _words(book.title), _words(" ".join(texts))
        is_below = any(each.kind == "title page" for each in before) and _document(before[-1]) == _document(section)
        if is_below or title[: len(words)] == words:
            return True
    return _names(texts, book)


def _document(section: Section) -> int:
    return section.blocks[-1].document


def _names(texts: Iterable[str], book: Book) -> bool:
    """Say whether a few lines name a book: its title, as whole lines or with its author."""
    title = _fold(book.title)
    folded = [_fold(text) for text in texts]
    whole = "".join(folded)
    edges = set(accumulate(map(len, folded), initial=0))
    found = [(match.start(), match.end()) for match in re.finditer(re.escape(title), whole)] if title else []
    if any(edges.issuperset(span) for span in found):
        return True
    return bool(found) and any(all(_fold(word) in whole for word in author.split()) for author in book.authors)


def _shortened(text: str, most: int) -> str:
    """Return the beginning of a text, to the end of a word where it has spaces; white space collapsed."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    return (text[:most].rpartition(" ")[0] or text[: most - 1]) + "…"


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _fold(text: str) -> str:
    return "".join(_words(text))
