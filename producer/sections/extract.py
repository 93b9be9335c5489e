"""A document's tree to its blocks of text in reading order; what is not read is kept under the rule that says why."""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable
from itertools import accumulate
from typing import NamedTuple

from lxml import etree

from producer.markup import BLOCKS, Element, collapse, identifiers, local_name, semantics, text_content
from producer.sections import matter
from producer.sections.notes import ENDING, MARK, Notes, is_raised_sign, is_sign, may_refer

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_SILENT = {
    "head": "head",
    "title": "head",
    "script": "code",
    "style": "code",
    "template": "code",
    "nav": "navigation",
    "rt": "ruby reading",
    "rp": "ruby reading",
    "rtc": "ruby reading",
    "math": "formula",
    "svg": "drawing",
    "audio": "media",
    "video": "media",
    "iframe": "media",
}
"""Elements that are not read, and the rule that their text is counted under."""
PAGE_BREAK = "pagebreak"
_PAGE_CLASSES = frozenset("pagenum pageno page-number pagenumber x-ebookmaker-pageno folio".split())
_PAGE_NUMBER = re.compile(
    r"[\[({]?\s*((pages?|pg|pp?|s|seite|pag)\b\.?\s*)?(\d{1,4}|[ivxlc]{1,8})\s*[\])}]?\.?", re.IGNORECASE
)
_RAISED = ("sup", "sub")
_ORDINAL = re.compile(r"(st|nd|rd|th|e|er|re|ère|ème)\b", re.IGNORECASE)
_OPENING = "\"“„'\u2018\u201a«\u2039¿¡ \xa0\u202f"
_INITIAL = re.compile(rf"[{_OPENING}]*[^\W\d_]{{1,2}}")
_BEHIND_INITIAL = re.compile(r"['\u2019]?[^\W\d_]")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none", re.IGNORECASE)


class Run(NamedTuple):
    """A piece of a text node."""

    start: int
    """Offset in the text content of the document, in code points."""
    text: str


class Block(NamedTuple):
    """A paragraph, heading, cell or other block of text."""

    name: str
    """Of the element it stands in, such as `p`, or `img` for the description of an image."""
    text: str
    """White space collapsed; not empty."""
    runs: tuple[Run, ...]
    """What the text was collapsed from."""
    path: str
    """Of the element, as in `e2a.plan.Source`."""
    origin: int
    """Where the text content of the element begins in that of the document."""
    kind: str
    """Kind of matter that the markup says it is; empty for the text of the book."""
    note: str
    """Key of the note that it belongs to; empty when it belongs to none."""
    references: tuple[str, ...]
    """Keys of the notes that it refers to."""
    linked: int
    """Characters of it that are links."""
    after_rule: bool
    """Whether a horizontal rule stands before it: a break between scenes."""
    attribute: str = ""
    """`alt` for the description of an image."""
    initial: str = ""
    """What an image shows right before its text, with the space between them; no part of its text."""


class Skipped(NamedTuple):
    """Text that is not read."""

    rule: str
    start: int
    """Where it starts in the text content of the document, in code points."""
    end: int
    text: str
    """White space may be collapsed."""
    image: str = ""
    """Path of the image when it is from its description; start and end count there then."""


class Extract(NamedTuple):
    """All text of a document."""

    blocks: tuple[Block, ...]
    skipped: tuple[Skipped, ...]
    anchors: dict[str, int]
    """Index of the first block that begins at or after the element with that identifier."""


def extract(root: Element | None, notes: Notes, *, cuts: Collection[str] = (), alt_text: bool = False) -> Extract:
    """Return the text of a document.

    Args:
        root: of its tree; None for one without any.
        notes: which elements refer to notes and which are notes.
        cuts: identifiers of elements at which a block must begin.
        alt_text: whether descriptions of images are blocks.
    """
    walker = _Walker(notes, frozenset(cuts), alt_text)
    if root is not None:
        walker.walk(root)
    return Extract(tuple(walker.blocks), tuple(walker.skipped), walker.anchors)


def locate(block: Block, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return where spans of a block's text lie in the text content of its element, both in code points.

    White space at the ends of a span may have no place, so it is left out.
    """
    raw = "".join(run.text for run in block.runs)
    raw_words = [match.start() for match in re.finditer(r"\S+", raw)]
    words = [match.start() for match in re.finditer(r"\S+", block.text)]
    runs = list(accumulate((len(run.text) for run in block.runs), initial=0))

    def place(index: int) -> int:
        word = bisect_right(words, index) - 1
        position = raw_words[word] + index - words[word]
        run = bisect_right(runs, position) - 1
        return block.runs[run].start + position - runs[run] - block.origin

    def range_of(start: int, end: int) -> tuple[int, int]:
        piece = block.text[start:end]
        first = place(min(end - len(piece.lstrip()), len(block.text) - 1))
        return first, place(start + len(piece.rstrip()) - 1) + 1 if piece.strip() else first

    return [range_of(start, end) for start, end in spans]


class _Frame(NamedTuple):
    """What an element inside knows of those around it."""

    name: str
    block_path: str
    origin: int
    path: str
    kind: str
    note: str
    linked: bool
    parts: bool
    """Whether the text in the element is parted from that around it."""


class _Walker:
    """One pass over a tree, in document order."""

    def __init__(self, notes: Notes, cuts: frozenset[str], alt_text: bool) -> None:
        self.blocks: list[Block] = []
        self.skipped: list[Skipped] = []
        self.anchors: dict[str, int] = {}
        self._notes = notes
        self._cuts = cuts
        self._alt_text = alt_text
        self._frames = [_Frame("", "", 0, "", "", "", linked=False, parts=False)]
        self._children = [0]
        self._position = 0
        self._after_rule = False
        self._references: list[str] = []
        self._runs: list[Run] = []
        self._images: list[tuple[str, str]] = []
        self._linked = 0
        self._blank_line = True
        self._has_words = False
        self._initial = ""
        self._awaited = ("", "")
        self._parts_numbers = False
        self._parts_titles = False

    def walk(self, root: Element) -> None:
        walker = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        for event, element in walker:
            if event == "start":
                if self._start(element, element is root):
                    walker.skip_subtree()
            else:
                if event == "end":
                    self._end(local_name(element))
                if element is not root:
                    self._text(element.tail)
        self._flush()

    def _start(self, element: Element, is_root: bool) -> bool:
        """Enter an element; True when nothing in it is read."""
        name = local_name(element)
        words = tuple(semantics(element))
        rule = self._rule(element, name, words)
        frame = self._enter(element, name, words, is_root)
        if frame.parts:
            self._flush()
            self._after_rule |= name == "hr"
        if self._cuts:
            self._cut(element.iter(etree.Element) if rule else (element,))
        self._frames.append(frame)
        self._children.append(0)
        if key := self._notes.references.get(element):
            self._references.append(key)
        if rule:
            self._skip(rule, text_content(element))
            return True
        if name == "br":
            self._line_break()
        elif name == "img":
            self._image(frame.path, element.get("alt", ""))
        self._parts_numbers |= name in _RAISED
        self._parts_titles |= frame.name in HEADINGS and name not in _RAISED and _touches(element)
        self._text(element.text)
        return False

    def _enter(self, element: Element, name: str, words: tuple[str, ...], is_root: bool) -> _Frame:
        outer = self._frames[-1]
        self._children[-1] += 1
        path = "" if is_root else f"{outer.path}/{2 * self._children[-1]}"
        is_block = name in BLOCKS
        kind = matter.of_element(words, element.get("class", ""), outer.kind)
        note = self._notes.bodies.get(element, outer.note)
        return _Frame(
            name=name if is_block else outer.name,
            block_path=path if is_block else outer.block_path,
            origin=self._position if is_block else outer.origin,
            path=path,
            kind=kind,
            note=note,
            linked=outer.linked or (name == "a" and element.get("href") is not None),
            parts=is_block or kind != outer.kind or note != outer.note,
        )

    def _end(self, name: str) -> None:
        self._parts_numbers |= name in _RAISED
        if self._frames[-1].parts:
            self._flush()
        self._frames.pop()
        self._children.pop()

    def _cut(self, reached: Iterable[Element]) -> None:
        """Begin a block where one is wanted."""
        for element in reached:
            for identifier in identifiers(element):
                if identifier in self._cuts and identifier not in self.anchors:
                    self._flush()
                    self.anchors[identifier] = len(self.blocks)

    def _rule(self, element: Element, name: str, words: tuple[str, ...]) -> str:
        if name in _SILENT:
            return _SILENT[name]
        if self._is_reference(element, name):
            return "note reference"
        if _is_page_number(element, name, words):
            return "page number"
        hidden = element.get("hidden") is not None or _HIDDEN_STYLE.search(element.get("style", ""))
        return "hidden" if hidden else ""

    def _is_reference(self, element: Element, name: str) -> bool:
        """Say whether an element is only the sign of a note; a word that refers to one is read."""
        if element in self._notes.references:
            return is_sign(element)
        if name != "sup" or not is_raised_sign(element):
            return False
        if element.getparent() in self._notes.references:
            return True
        is_linked = self._frames[-1].linked or next(element.iter("{*}a"), None) is not None
        return not is_linked and may_refer("".join(run.text[-ENDING:] for run in self._runs[-ENDING:]))

    def _text(self, text: str | None) -> None:
        if not text:
            return
        self._part(text)
        self._begin(text)
        self._runs.append(Run(self._position, text))
        self._position += len(text)
        if not text.isspace():
            self._blank_line = False
            self._has_words = True
            if self._frames[-1].linked:
                self._linked += len(text.strip())

    def _image(self, path: str, alt: str) -> None:
        """Note an image that may be described, and that may be the first letter of the text right behind it."""
        if self._alt_text:
            self._images.append((path, alt))
        if letters := alt.strip():
            begins = _INITIAL.fullmatch(letters) and not self._has_words
            self._awaited = (path, letters) if begins else ("", "")

    def _begin(self, text: str) -> None:
        """Put the letters of an image before the text that goes on from them; one that repeats them is whole."""
        path, letters = self._awaited
        if letters and text[0].isspace():
            letters = f"{letters.rstrip()} "
            text = text.lstrip()
        self._awaited = ("", "") if text else (path, letters)
        if letters and _BEHIND_INITIAL.match(text) and not text.startswith(letters.strip(_OPENING)):
            self._initial = letters
            self._images = [image for image in self._images if image[0] != path]

    def _part(self, text: str) -> None:
        """Part two numbers, or a number and a title, that only their style parts."""
        last, first = self._runs[-1].text[-1] if self._runs else "", text[0]
        numbers = self._parts_numbers and last.isdecimal() and first.isdecimal()
        titles = self._parts_titles and (
            (last.isdecimal() and first.isalpha() and not _ORDINAL.match(text))
            or (last.isalpha() and first.isdecimal())
        )
        if numbers or titles:
            self._runs.append(Run(self._position, "\n"))
        self._parts_numbers = self._parts_titles = False

    def _skip(self, rule: str, text: str) -> None:
        if text and not text.isspace():
            self.skipped.append(Skipped(rule, self._position, self._position + len(text), text))
        self._position += len(text)

    def _line_break(self) -> None:
        """A line ends; an empty line ends the paragraph."""
        self._awaited = ("", "")
        if self._blank_line:
            self._flush()
        self._runs.append(Run(self._position, "\n"))
        self._blank_line = True

    def _flush(self) -> None:
        """End the block that the walk stands in, if it has any text; images in it are described after it."""
        self._parts_numbers = self._parts_titles = False
        self._awaited = ("", "")
        if not self._runs and not self._images:
            return
        frame = self._frames[-1]
        block = Block(
            name=frame.name,
            text=collapse("".join(run.text for run in self._runs)),
            runs=tuple(self._runs),
            path=frame.block_path,
            origin=frame.origin,
            kind=frame.kind,
            note=frame.note,
            references=(),
            linked=self._linked,
            after_rule=False,
            initial=self._initial,
        )
        self._add(block)
        for path, alt in self._images:
            text = collapse(alt)
            runs = (Run(0, alt),)
            image = block._replace(name="img", text=text, runs=runs, path=path, origin=0, linked=0)
            self._add(image._replace(attribute="alt", initial=""))
        self._runs = []
        self._images = []
        self._initial = ""
        self._linked = 0
        self._blank_line = True
        self._has_words = False

    def _add(self, block: Block) -> None:
        if block.text:
            self.blocks.append(block._replace(references=tuple(self._references), after_rule=self._after_rule))
            self._references = []
            self._after_rule = False


def _is_page_number(element: Element, name: str, words: Collection[str]) -> bool:
    """Say whether an element is the number of a page, as it says or as its style and its look say."""
    if PAGE_BREAK in words:
        return len(text_content(element).strip()) <= MARK
    if name not in {"span", "a", "div", "p"} or _PAGE_CLASSES.isdisjoint(element.get("class", "").lower().split()):
        return False
    text = text_content(element).strip()
    return len(text) <= MARK and bool(_PAGE_NUMBER.fullmatch(text))


def _touches(element: Element) -> bool:
    """Say whether an element stands right behind another one that is not raised."""
    before = element.getprevious()
    while before is not None and not isinstance(before.tag, str) and not before.tail:
        before = before.getprevious()
    return before is not None and isinstance(before.tag, str) and not before.tail and local_name(before) not in _RAISED
