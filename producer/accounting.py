"""The proof that no character of a book was lost or doubled, by code that shares nothing with the extractor.

The text of each document is read again, by expat where it is well-formed XML, and every sentence and every passage
that is not read is found in it by its position. What is covered twice, or not at all, is an error.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

from e2a.errors import ExitCode, UserError
from e2a.plan import Accounting, Sentence, letters
from producer import markup
from producer.epub import Document
from producer.sections.outline import Passage

_GAP = re.compile(rb"\0+")


def account(documents: Sequence[Document], sentences: Iterable[Sentence], passages: Iterable[Passage]) -> Accounting:
    """Return where every character of the documents went.

    Args:
        documents: all of the reading order and beside it.
        sentences: all that is spoken, each with its source.
        passages: all that is not.

    Raises:
        UserError: it does not add up (exit code BAD_INPUT). That is a fault of this program, or of the book's markup.
    """
    texts = [_Text(document) for document in documents]
    skipped: Counter[str] = Counter()
    for document, passage in passages:
        texts[document].cover(passage.start, passage.end, passage.text)
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
        raise UserError(f"the text does not add up: {result}", ExitCode.BAD_INPUT)
    return result


class _Text:
    """The text content of a document, and which of it was found."""

    def __init__(self, document: Document) -> None:
        self._href = document.href
        self._origins: dict[str, int] = {}
        self._text = ""
        self._descriptions: dict[str, str] = {}
        self._read(_root(markup.decode(document.content)))
        self._covered = bytearray(len(self._text))
        self._described: set[str] = set()

    def _read(self, root: Any) -> None:
        """Note for each element, by the steps of its EPUB CFI, where its text begins."""
        pieces: list[str] = []
        length = 0
        stack: list[tuple[Any, str, str | None]] = [] if root is None else [(root, "", None)]
        while stack:
            element, path, tail = stack.pop()
            text = tail
            if element is not None:
                self._origins[path] = length
                if markup.local_name(element) == "img":
                    self._descriptions[path] = element.get("alt", "")
                text = element.text
                step = 2 * sum(isinstance(child.tag, str) for child in element)
                for child in reversed(element):
                    stack.append((None, path, child.tail))
                    if isinstance(child.tag, str):
                        stack.append((child, f"{path}/{step}", None))
                        step -= 2
            if text:
                pieces.append(text)
                length += len(text)
        self._text = "".join(pieces)

    def cover_sentence(self, sentence: Sentence) -> None:
        source = sentence.source
        assert source is not None
        if source.attribute:
            if letters(sentence.text) not in letters(self._descriptions.get(source.path, "")):
                raise self._fault(sentence.text, "is in no description of an image")
            self._described.add(source.path)
            return
        origin = self._origins.get(source.path)
        if origin is None:
            raise self._fault(sentence.text, f"is in {source.path}, which is no element")
        self.cover(origin + source.start, origin + source.end, sentence.text)

    def cover(self, start: int, end: int, text: str) -> None:
        """Find a text at its place, what lies in between and was found before left out."""
        found, covered = self._text[start:end], self._covered[start:end]
        if any(covered):
            found = "".join(each for each, taken in zip(found, covered, strict=True) if not taken)
        if letters(found) != letters(text):
            raise self._fault(text, f"is not at {start} to {end}; that is {found[:80]!r}")
        self._covered[start:end] = b"\1" * len(covered)

    def total(self) -> int:
        """Return how many characters there are, all of which must have been found."""
        for gap in _GAP.finditer(self._covered):
            lost = self._text[gap.start() : gap.end()]
            if lost.strip():
                raise self._fault(lost, f"at {gap.start()} is neither read nor skipped")
        return len(letters(self._text)) + sum(len(letters(text)) for text in self._descriptions.values())

    def undescribed(self) -> int:
        """Return how many characters there are in descriptions of images of which nothing is read."""
        left = self._descriptions.keys() - self._described
        return sum(len(letters(self._descriptions[path])) for path in left)

    def _fault(self, text: str, problem: str) -> UserError:
        said = markup.collapse(text)[:80]
        message = f"{self._href}: the text does not add up: {said!r} {problem}; please report this book"
        return UserError(message, ExitCode.BAD_INPUT)


def _root(text: str) -> Any:
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - expat bounds what entities grow to, and reads no others
    except ElementTree.ParseError:
        return markup.parse(text)
