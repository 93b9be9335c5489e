"""Blocks to sections, cut as a reader would: by the table of contents, else by headings, else by document.

In three steps: `cuts` chooses where sections start; `_chunks` cuts the flow of blocks there, and wherever a document or
a kind of matter begins; `_gathered` gives each chunk to one section. None can lose or double a block.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from producer.epub import Book
from producer.sections import matter
from producer.sections.cuts import (
    NO_TITLE,
    PART,
    Cut,
    Located,
    begins_document,
    find_cuts,
    fold,
    heading_of,
    is_heading,
    shortened,
    words,
)
from producer.sections.extract import Extract

FIRST_WORDS = 40
"""Most characters of a title that is the first words of the text."""
BRIEF = 400
"""Most characters of a title page that only its words give away."""
MATTER_SHARE = 0.25
"""Most of a book that a section which is matter by its title or words can hold: a chapter may be called Notes."""
_CHAPTER = re.compile(
    r"(chapter|kapitel|chapitre|capítulo|capitolo|глава|الفصل|פרק)\b|第|[ivxlcdm]+\W*$|[\d\W_一二三四五六七八九十]+$",
    re.IGNORECASE,
)

_ITEMS = ("li", "dt", "dd", "td")
_MADE_BY = re.compile(
    r"((\w+ ){0,2}(illustrat|translat|edit|retold|compil|adapt)|with (\w+ )?(introd|photo|draw|pref|forew))\w* "
    r"(\w+ ){0,3}by .{1,60}$|(translated|übersetzt|aus dem|traduit|traducción) .{1,60}$",
    re.IGNORECASE,
)
"""How a line of a title page says who else made the book."""
_NUMBER = re.compile(r"\d+(st|nd|rd|th)?|[ivxlcdm]+")
_TITLE_WORDS = frozenset(
    (
        "a an the by in of and with from or for to de la le les du von par par der die das ein eine und "
        "novel novels romance story stories tale tales poems play plays novella history collection anthology roman "
        "erzählung erzählungen récit novela romanzo volume volumes vol book books part parts edition editions ebook "
        "illustrated illustrations complete unabridged revised author authors first second third fourth fifth one two "
        "three four five six seven mr mrs miss ms dr sir lady rev esq press publisher publishers publishing published "
        "verlag éditions editions company co ltd inc sons london new york boston paris berlin leipzig oxford cambridge "
        "edinburgh chicago philadelphia toronto münchen wien zürich"
    ).split()
)
"""What title pages say besides names."""


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


class _Chunk(NamedTuple):
    """A run of blocks that certainly belong together."""

    start: int
    end: int
    cut: Cut | None
    kind: str
    why: str
    begins_document: bool
    has_heading: bool
    """Whether it begins with one."""
    is_rest: bool
    """Whether it is no more than a few lines that may belong to what stands before it in its document."""


class _Draft(NamedTuple):
    """A section, as the chunks that it was given so far."""

    cut: Cut | None
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
    cuts = find_cuts(book, extracts, flow, hour)
    limit = max(MATTER_SHARE * sum(len(located.block.text) for located in flow), matter.BY_TEXT_LIMIT)
    drafts = _gathered(list(_chunks(book, flow, cuts, limit)))
    return _with_title_pages([_section(draft, flow, limit) for draft in drafts], book)


def _chunks(book: Book, flow: Sequence[Located], cuts: Mapping[int, Cut], limit: float) -> Iterator[_Chunk]:
    """Cut the flow wherever a section may start: at each cut, document, and change of what the markup says."""
    landmarks = {landmark.href: matter.of_term(landmark.kind) for landmark in book.landmarks if not landmark.fragment}
    starts = [
        place
        for place, located in enumerate(flow)
        if place in cuts or begins_document(flow, place) or located.block.kind != flow[place - 1].block.kind
    ]
    for begin, behind in pairwise([*starts, len(flow)]):
        parts = _parts(flow[begin:behind], cuts.get(begin), book)
        for start, end in pairwise([begin, *(begin + part for part in parts), behind]):
            cut = cuts.get(start)
            begins = begins_document(flow, start)
            is_whole = begins and (cut or not parts)
            landmark = landmarks.get(book.documents[flow[start].document].href, "") if is_whole else ""
            page = _page(flow[start:end], book)
            kind, why = flow[start].block.kind, "markup"
            if not kind:
                kind, why = _kind(page, cut, landmark, limit, book)
            is_rest = start == begin and len(page.text) <= matter.BY_TEXT_LIMIT
            yield _Chunk(start, end, cut, kind, why, begins, page.lines[0].is_heading, is_rest)


def _page(blocks: Iterable[Located], book: Book) -> matter.Page:
    lines = (
        matter.Line(each.block.text, each.block.linked, is_heading(each), each.block.name in _ITEMS) for each in blocks
    )
    return matter.Page(tuple(lines), book.authors, book.language)


def _parts(blocks: Sequence[Located], cut: Cut | None, book: Book) -> list[int]:
    """Return where text begins or ends that shares a document with matter, and nothing but what it says tells."""
    kind = matter.of_title(cut.title) if cut else ""
    if blocks[0].block.kind or (cut and kind not in {"cover", "title page"}):
        return []
    lines = _page(blocks, book).lines
    if cut:
        return _behind_title(lines, matter.limit_of(kind), book)
    return [place for place in matter.around_copyright(lines) if 0 < place < len(lines)]


def _behind_title(lines: Sequence[matter.Line], limit: float, book: Book) -> list[int]:
    """Return the first heading that is none of a title page, when the text is too long for one."""
    *sizes, size = accumulate((len(line.text) for line in lines), initial=0)
    if size <= limit:
        return []
    headings = (place for place, line in enumerate(lines) if place and line.is_heading)
    place = next((place for place in headings if _begins_text(lines[place].text, book)), 0)
    return [place] if place and sizes[place] <= limit else []


def _begins_text(heading: str, book: Book) -> bool:
    return bool(PART.match(heading) or _CHAPTER.match(heading)) or not _is_accounted_for(heading, book)


def _kind(page: matter.Page, cut: Cut | None, landmark: str, limit: float, book: Book) -> tuple[str, str]:
    """Return the kind of matter that a text is, and what gave it away; both empty for none."""
    if len(page.text) > limit:
        return "", ""
    first = page.lines[0]
    title = cut.title if cut and cut.title else first.text if first.is_heading else ""
    is_chapter = cut is not None and _is_chapter(cut.title, book)
    if not is_chapter and (by_landmark := matter.marked(landmark, page)):
        return by_landmark, "landmarks"
    if by_title := matter.named(title, page):
        return by_title, "title"
    by_text = matter.of_text(page, is_chapter=is_chapter)
    return by_text, "text" if by_text else ""


def _is_chapter(title: str, book: Book) -> bool:
    """Say whether a title is neither that of matter nor of the book, nor none at all."""
    return bool(title) and not (NO_TITLE.fullmatch(title) or matter.of_title(title) or fold(title) == fold(book.title))


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
        is_its_own = not chunk.kind and last.cut is None and chunk.begins_document and chunk.has_heading
        return None if is_its_own else last
    if chunk.kind:
        return None
    if last.cut is None:
        return text if started else None  # matter without an entry is only inserted
    is_left_over = chunk.is_rest and not chunk.begins_document and matter.of_title(last.cut.title)
    return last if is_left_over else None


def _left_over(before: _Chunk, chunk: _Chunk) -> Cut | None:
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
    size = sum(len(located.block.text) for located in blocks)
    if not kind or (why != "markup" and size > min(limit, matter.limit_of(kind))):
        kind, why = "", cut.why if cut else "document"
    return Section(_title(cut, blocks), cut.group if cut else (), kind, why, blocks)


def _title(cut: Cut | None, blocks: Sequence[Located]) -> str:
    heading = heading_of(blocks)
    if cut and cut.title and not (heading and NO_TITLE.fullmatch(cut.title)):
        return cut.title
    return heading or shortened(blocks[0].block.text, FIRST_WORDS)


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
    if all(map(is_heading, section.blocks)) and not (PART.match(texts[0]) or _CHAPTER.match(texts[0])):
        said = words(" ".join(texts))
        is_below = any(each.kind == "title page" for each in before) and _document(before[-1]) == _document(section)
        if is_below or words(book.title)[: len(said)] == said:
            return True
    return _names(texts, book) and all(_is_accounted_for(text, book) for text in texts)


def _document(section: Section) -> int:
    return section.blocks[-1].document


def _names(texts: Iterable[str], book: Book) -> bool:
    """Say whether a few lines name a book: its title, as whole lines or with its author."""
    title = fold(book.title)
    folded = [fold(text) for text in texts]
    whole = "".join(folded)
    edges = set(accumulate(map(len, folded), initial=0))
    found = [(match.start(), match.end()) for match in re.finditer(re.escape(title), whole)] if title else []
    if any(edges.issuperset(span) for span in found):
        return True
    return bool(found) and any(all(fold(word) in whole for word in author.split()) for author in book.authors)


def _is_accounted_for(line: str, book: Book) -> bool:
    """Say whether a line says only what title pages say: the title, who made the book, where, when, and what it is."""
    if _MADE_BY.match(line) or matter.of_title(line):
        return True
    names = [book.title, *book.authors, book.metadata.publisher or ""]
    rest = fold(line)
    for name in sorted(map(fold, names), key=len, reverse=True):
        rest = rest.replace(name, "") if name else rest
    known = _TITLE_WORDS.union(*map(words, names))
    return not rest or all(word in known or _NUMBER.fullmatch(word) for word in words(line))
