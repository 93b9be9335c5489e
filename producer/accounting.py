"""The proof that no character of a book was lost or doubled, by other code than the extractor's.

The text of each document is read again, by expat where it is well-formed XML, and every sentence and every passage
that is not read is found in it by its position. What is covered twice, or not at all, is an error; so is a passage
under a rule that is about an element, outside any such element. Shared with the extractor is the decoding, and for
markup that is not well-formed the parser (`docs/adr/0008`).
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

from e2a.errors import ExitCode, UserError
from e2a.plan import Accounting, Sentence, letters
from producer import markup
from producer.epub import Document
from producer.sections.extract import Skipped
from producer.sections.outline import Passage

_GAP = re.compile(rb"\0+")
_ELEMENTS = {
    "head": {"head", "title"},
    "code": {"script", "style", "template"},
    "navigation": {"nav"},
    "ruby reading": {"rt", "rp", "rtc"},
    "formula": {"math"},
    "drawing": {"svg"},
    "media": {"audio", "video", "iframe"},
}
"""Rules that are about elements, and the names of these."""
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_BRIEF = {"note reference": 20, "page number": 20}
"""Most characters of what these rules take."""


class TextDoesNotAddUp(UserError):
    """A character of the book is neither read nor skipped by a rule, or both: a fault of ours or of its markup."""


def account(documents: Sequence[Document], sentences: Iterable[Sentence], passages: Iterable[Passage]) -> Accounting:
    """Return where every character of the documents went.

    Args:
        documents: all of the reading order and beside it.
        sentences: all that is spoken, each with its source.
        passages: all that is not.

    Raises:
        TextDoesNotAddUp: something was lost, doubled, or skipped under a rule that does not apply (BAD_INPUT).
    """
    texts = [_Text(document) for document in documents]
    skipped: Counter[str] = Counter()
    for document, passage in passages:
        texts[document].cover_passage(passage)
        skipped[passage.rule] += len(letters(passage.text))
    spoken = 0
    for sentence in sentences:
        assert sentence.source is not None, "the planner names the source of every sentence"
        texts[sentence.source.document].cover_sentence(sentence)
        spoken += len(letters(sentence.text))
    skipped["image description"] = sum(text.undescribed() for text in texts)
    characters = sum(text.total() for text in texts)
    result = Accounting(characters=characters, spoken=spoken, skipped=dict(sorted((+skipped).items())))
    if not result.adds_up:
        raise TextDoesNotAddUp(f"the text does not add up: {result}", ExitCode.BAD_INPUT)
    return result


class _Applied(NamedTuple):
    """A rule that applies from here on, to the end of an element."""

    rule: str
    start: int


class _Text:
    """The text content of a document, and which of it was found."""

    def __init__(self, document: Document) -> None:
        self._href = document.href
        self._origins: dict[str, int] = {}
        self._text = ""
        self._descriptions: dict[str, str] = {}
        self._spans: dict[str, list[tuple[int, int]]] = {}
        self._read(_root(markup.decode(document.content)))
        self._covered = bytearray(len(self._text))
        self._described: Counter[str] = Counter()

    def _read(self, root: Any) -> None:
        """Note for each element, by the steps of its EPUB CFI, where its text begins; and where rules apply."""
        pieces: list[str] = []
        length = 0
        stack: list[tuple[Any, str]] = [] if root is None else [(root, "")]
        while stack:
            each, path = stack.pop()
            if isinstance(each, str):
                pieces.append(each)
                length += len(each)
            elif isinstance(each, _Applied):
                self._apply(each, length)
            else:
                stack += [(_Applied(rule, length), path) for rule in self._enter(each, path, length)]
                step = 2 * sum(isinstance(child.tag, str) for child in each)
                for child in reversed(each):
                    stack.append((child.tail or "", path))
                    if isinstance(child.tag, str):
                        stack.append((child, f"{path}/{step}"))
                        step -= 2
                stack.append((each.text or "", path))
        self._text = "".join(pieces)

    def _enter(self, element: Any, path: str, start: int) -> list[str]:
        """Note an element, and return the rules that apply to what is in it."""
        self._origins[path] = start
        name = markup.local_name(element)
        if name == "img":
            self._descriptions[path] = element.get("alt", "")
        is_hidden = element.get("hidden") is not None or _HIDDEN.search(element.get("style", ""))
        return [rule for rule, names in _ELEMENTS.items() if name in names] + (["hidden"] if is_hidden else [])

    def _apply(self, applied: _Applied, end: int) -> None:
        """Note where a rule applies, in the place of what is inside of it."""
        spans = self._spans.setdefault(applied.rule, [])
        while spans and spans[-1][0] >= applied.start:
            spans.pop()
        spans.append((applied.start, end))

    def cover_sentence(self, sentence: Sentence) -> None:
        """Find a sentence at its source."""
        source = sentence.source
        assert source is not None
        if source.attribute:
            self._describe(source.path, source.start, source.end, sentence.text)
            return
        origin = self._origins.get(source.path)
        if origin is None:
            raise self._fault(sentence.text, f"is in {source.path}, which is no element")
        self._cover(origin + source.start, origin + source.end, sentence.text)

    def cover_passage(self, passage: Skipped) -> None:
        """Find a passage that is not read, and see that its rule applies there."""
        if passage.image:
            self._describe(passage.image, passage.start, passage.end, passage.text)
            return
        if passage.rule in _ELEMENTS or passage.rule == "hidden":
            spans = self._spans.get(passage.rule, [])
            index = bisect_right(spans, (passage.start, len(self._text))) - 1
            if index < 0 or spans[index][1] < passage.end:
                raise self._fault(passage.text, f"is skipped as {passage.rule}, which it is not")
        if len(letters(passage.text)) > _BRIEF.get(passage.rule, len(self._text)):
            raise self._fault(passage.text, f"is skipped as {passage.rule}, and is too long for one")
        self._cover(passage.start, passage.end, passage.text)

    def _cover(self, start: int, end: int, text: str) -> None:
        """Find a text at its place, what lies in between and was found before left out."""
        found, covered = self._text[start:end], self._covered[start:end]
        if any(covered):
            found = "".join(each for each, taken in zip(found, covered, strict=True) if not taken)
        if letters(found) != letters(text):
            raise self._fault(text, f"is not at {start} to {end}; that is {found[:80]!r}")
        self._covered[start:end] = b"\1" * len(covered)

    def _describe(self, path: str, start: int, end: int, text: str) -> None:
        """Find a text in the description of an image."""
        if letters(self._descriptions.get(path, "")[start:end]) != letters(text):
            raise self._fault(text, "is in no description of an image")
        self._described[path] += len(letters(text))

    def total(self) -> int:
        """Return how many characters there are, all of which must have been found."""
        for gap in _GAP.finditer(self._covered):
            lost = self._text[gap.start() : gap.end()]
            if lost.strip():
                raise self._fault(lost, f"at {gap.start()} is neither read nor skipped")
        for path, count in self._described.items():
            if count != len(letters(self._descriptions[path])):
                raise self._fault(self._descriptions[path], "is a description that is read in part, or twice")
        return len(letters(self._text)) + sum(len(letters(text)) for text in self._descriptions.values())

    def undescribed(self) -> int:
        """Return how many characters there are in descriptions of images that are not read."""
        left = self._descriptions.keys() - self._described.keys()
        return sum(len(letters(self._descriptions[path])) for path in left)

    def _fault(self, text: str, problem: str) -> TextDoesNotAddUp:
        said = markup.collapse(text)[:80]
        message = f"{self._href}: the text does not add up: {said!r} {problem}; please report this book"
        return TextDoesNotAddUp(message, ExitCode.BAD_INPUT)


def _root(text: str) -> Any:
    """Read a document by expat; with entities of its own by libxml2, which bounds them more strictly."""
    if "<!ENTITY" not in text:
        try:
            return ElementTree.fromstring(text)  # noqa: S314 - without entities there is nothing to expand or fetch
        except ElementTree.ParseError:
            pass
    return markup.parse(text)
