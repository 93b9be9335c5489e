"""A book to its plan: chapters, parts, sentences with their pauses, and where each part goes. Pure functions."""

import heapq
import textwrap
from collections.abc import Iterable, Sequence

from e2a.errors import ExitCode, UserError
from e2a.plan import Chapter, Part, Plan, Sentence, Speech, part_digest
from producer import text
from producer.epub import Book, Document

SENTENCE_PAUSE_MS = 250
PARAGRAPH_PAUSE_MS = 600
CHAPTER_PAUSE_MS = 1500
PART_CHARACTERS = 5000
"""Most characters in a part: about a minute of work for a GPU."""
CHARACTERS_PER_SECOND = 15.0
"""Of speech, for estimates."""

Paragraph = list[Sentence]


def make_plan(book: Book, *, book_id: str, speech: Speech, output_format: str) -> Plan:
    """Plan a book: one chapter a document of the spine that has text.

    Raises:
        UserError: nothing in the book can be spoken (exit code BAD_INPUT).
    """
    chapters: list[Chapter] = []
    first = 0
    for document in book.documents:
        chapter = _chapter(document, len(chapters), first, speech)
        if chapter is not None:
            chapters.append(chapter)
            first += len(chapter.parts)
    if not chapters:
        raise UserError(f"{book.title!r} holds no text to speak; is it a picture book?", ExitCode.BAD_INPUT)
    return Plan(
        book_id=book_id,
        title=book.title,
        authors=book.authors,
        speech=speech,
        output_format=output_format,
        cover=book.cover.name if book.cover else "",
        chapters=tuple(chapters),
    )


def place(parts: Iterable[Part], partitions: int, *, first: int = 0) -> list[int]:
    """Return a partition for each part: in reading order, each to the one with the least work so far.

    Args:
        parts: in reading order.
        partitions: how many there are.
        first: where equal loads begin, modulo `partitions`: short books should not all meet in one.
    """
    loads = [(0.0, turn) for turn in range(partitions)]
    placement = []
    for part in parts:
        load, turn = loads[0]
        placement.append((first + turn) % partitions)
        heapq.heapreplace(loads, (load + part.estimate, turn))
    return placement


def split_parts(paragraphs: Sequence[Paragraph], limit: int) -> list[tuple[Sentence, ...]]:
    """Group whole sentences into runs of at most `limit` characters, ended at a paragraph where possible.

    A paragraph that is longer is cut between sentences; a sentence that is longer stays whole.
    """
    runs: list[tuple[Sentence, ...]] = []
    run: list[Sentence] = []
    for piece in _pieces(paragraphs, limit):
        if run and _length(run) + _length(piece) > limit:
            runs.append(tuple(run))
            run = []
        run += piece
    return [*runs, tuple(run)] if run else runs


def _pieces(paragraphs: Iterable[Paragraph], limit: int) -> Iterable[Paragraph]:
    for paragraph in paragraphs:
        if _length(paragraph) <= limit:
            yield paragraph
        else:
            yield from ([sentence] for sentence in paragraph)


def _length(sentences: Iterable[Sentence]) -> int:
    return sum(len(sentence.text) for sentence in sentences)


def _chapter(document: Document, index: int, first_part: int, speech: Speech) -> Chapter | None:
    content = text.extract(document.content)
    paragraphs = [paragraph for source in content.paragraphs if (paragraph := _paragraph(source, speech.language))]
    if not paragraphs:
        return None
    paragraphs[-1][-1] = paragraphs[-1][-1].model_copy(update={"pause_ms": CHAPTER_PAUSE_MS})
    runs = split_parts(paragraphs, PART_CHARACTERS)
    return Chapter(
        index=index,
        title=document.title or content.heading or f"Chapter {index + 1}",
        parts=tuple(_part(run, first_part + number, index, speech) for number, run in enumerate(runs)),
    )


def _paragraph(source: str, language: str) -> Paragraph:
    spoken = [
        piece
        for sentence in text.sentences(source, language)
        for piece in textwrap.wrap(sentence, PART_CHARACTERS, break_on_hyphens=False)
        if text.is_speakable(piece)
    ]
    pauses = [SENTENCE_PAUSE_MS] * (len(spoken) - 1) + [PARAGRAPH_PAUSE_MS]
    return [Sentence(text=sentence, pause_ms=pause) for sentence, pause in zip(spoken, pauses, strict=False)]


def _part(sentences: tuple[Sentence, ...], index: int, chapter: int, speech: Speech) -> Part:
    pauses = sum(sentence.pause_ms for sentence in sentences) / 1000
    return Part(
        index=index,
        chapter=chapter,
        digest=part_digest(sentences, speech),
        estimate=round(_length(sentences) / CHARACTERS_PER_SECOND / speech.speed + pauses, 3),
        sentences=sentences,
    )
