"""An outline to a plan: sentences with their pauses and sources, parts, and where each part goes. Pure functions."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from e2a import traits
from e2a.errors import ExitCode, UserError
from e2a.plan import Chapter, Output, Part, Plan, Reading, Sentence, Source, Speech, part_digest
from producer import accounting
from producer.epub import Book
from producer.sections.contents import Section
from producer.sections.cuts import Located
from producer.sections.extract import HEADINGS, Block, Skipped, locate
from producer.sections.outline import Outline, Passage, unread
from producer.speech.lexicon import EMPTY, Lexicon
from producer.speech.sentences import split
from producer.speech.spoken import spoken

SENTENCE_PAUSE_MS = 400
PARAGRAPH_PAUSE_MS = 750
HEADING_PAUSE_MS = 900
SCENE_PAUSE_MS = 1200
CHAPTER_PAUSE_MS = 1500
LONGEST_PAUSE_MS = 60_000
COVER = "cover.jpg"
"""File name of the cover beside the plan: every book has one."""
PART_CHARACTERS = 5000
"""Most characters in a part: about a minute of work for a GPU."""
MOST_PARAGRAPHS = 300_000
"""Of a book; the Bible has some 31,000 verses. A paragraph takes about 3 KB while a book is planned."""
SMALLEST_LIMIT = 20
"""Characters; what is still too long for an engine when cut so small is said as it is."""
HOUR = 3600.0
"""Seconds; the longest chapter that the table of contents may ask for when it could be cut further."""
_CELLS = ("td", "th", "dt")
_PAUSE = re.compile(r"\[pause: ?(\d{1,9}(?:\.\d{1,9})?)\]", re.IGNORECASE)

Paragraph = list[Sentence]


def rate_of(speech: Speech) -> float:
    """Return how many characters a second of speech takes."""
    return traits.rate(speech.engine, speech.language) * speech.speed


def hour_of(speech: Speech) -> float:
    """Return how many characters an hour of speech takes."""
    return HOUR * rate_of(speech)


class Manner(NamedTuple):
    """How text becomes what an engine is given."""

    speech: Speech
    lexicon: Lexicon
    limits: traits.Traits


class Said(NamedTuple):
    """A section as it is spoken, and what of it is not."""

    paragraphs: list[Paragraph]
    passages: list[Passage]


def make_plan(
    book: Book,
    outlined: Outline,
    *,
    book_id: str,
    speech: Speech,
    output: Output,
    reading: Reading,
    lexicon: Lexicon = EMPTY,
) -> Plan:
    """Plan a book that was outlined.

    Raises:
        UserError: nothing in the book can be spoken, or its text does not add up (exit code BAD_INPUT).
    """
    if sum(len(section.blocks) for section in outlined.sections) > MOST_PARAGRAPHS:
        raise UserError(f"{book.title!r} has more than {MOST_PARAGRAPHS:,} paragraphs, as no book", ExitCode.BAD_INPUT)
    how = Manner(speech, lexicon, traits.of(speech.engine, speech.language))
    chapters: list[Chapter] = []
    passages = list(outlined.passages)
    first = 0
    for section in outlined.read():
        said = say(section, how)
        passages += said.passages
        if said.paragraphs:
            chapters.append(_chapter(section, said.paragraphs, len(chapters), first, speech))
            first += len(chapters[-1].parts)
    if not chapters:
        why = "that the pronunciation file does not silence" if lexicon.entries else "to speak; is it a picture book?"
        raise UserError(f"{book.title!r} holds no text {why}", ExitCode.BAD_INPUT)
    sentences = (sentence for chapter in chapters for part in chapter.parts for sentence in part.sentences)
    return Plan(
        book_id=book_id,
        title=book.title,
        authors=book.authors,
        speech=speech,
        output=output,
        cover=COVER,
        metadata=book.metadata,
        reading=reading,
        accounting=accounting.account(book.documents, sentences, passages),
        problems=book.problems,
        documents=tuple(document.href for document in book.documents),
        chapters=tuple(chapters),
    )


def say(section: Section, how: Manner) -> Said:
    """Return what is spoken of a section."""
    said = Said([], [])
    for located in section.blocks:
        block = located.block
        if said.paragraphs and (block.after_rule or block.name in HEADINGS):
            _lengthen(said.paragraphs, SCENE_PAUSE_MS if block.after_rule else HEADING_PAUSE_MS)
        if is_speakable(block.text):
            _say_block(located, how, said)
        else:
            said.passages.extend(unread("symbols", located))
            if said.paragraphs and block.name not in _CELLS:
                _lengthen(said.paragraphs, SCENE_PAUSE_MS)
    if said.paragraphs:
        _lengthen(said.paragraphs, CHAPTER_PAUSE_MS)
    return said


def split_parts(paragraphs: Sequence[Paragraph], limit: int) -> list[tuple[Sentence, ...]]:
    """Group whole sentences into runs of at most `limit` characters, ended at a paragraph where possible.

    A paragraph that is longer is cut between sentences; a sentence that is longer stays whole.
    """
    runs: list[tuple[Sentence, ...]] = []
    run: list[Sentence] = []
    length = 0
    for piece in _pieces(paragraphs, limit):
        added = _length(piece)
        if run and length + added > limit:
            runs.append(tuple(run))
            run, length = [], 0
        run += piece
        length += added
    return [*runs, tuple(run)] if run else runs


def _pieces(paragraphs: Iterable[Paragraph], limit: int) -> Iterable[Paragraph]:
    for paragraph in paragraphs:
        if _length(paragraph) <= limit:
            yield paragraph
        else:
            yield from ([sentence] for sentence in paragraph)


def _length(sentences: Iterable[Sentence]) -> int:
    return sum(len(sentence.say) for sentence in sentences)


def _chapter(section: Section, paragraphs: Sequence[Paragraph], index: int, first_part: int, speech: Speech) -> Chapter:
    runs = split_parts(paragraphs, PART_CHARACTERS)
    return Chapter(
        index=index,
        title=section.title,
        group=section.group,
        parts=tuple(_part(run, first_part + number, index, speech) for number, run in enumerate(runs)),
    )


def _say_block(located: Located, how: Manner, said: Said) -> None:
    """Add the paragraph that a block is; a mark in it sets the pause before it."""
    block = located.block
    pieces = list(_cut(block, how))
    paragraph: Paragraph = []
    for piece, (start, end) in zip(pieces, locate(block, [piece[:2] for piece in pieces]), strict=True):
        text = block.text[piece.start : piece.end]
        if piece.rule:
            image = block.path if block.attribute else ""
            skipped = Skipped(piece.rule, block.origin + start, block.origin + end, text, image)
            said.passages.append(Passage(located.document, skipped))
        else:
            source = Source(document=located.document, path=block.path, start=start, end=end, attribute=block.attribute)
            say = block.initial + piece.say if piece.start == 0 else piece.say
            other = say if say != text else ""
            paragraph.append(Sentence(text=text, pause_ms=SENTENCE_PAUSE_MS, spoken=other, source=source))
        if piece.pause_ms and paragraph:
            paragraph[-1] = paragraph[-1].model_copy(update={"pause_ms": piece.pause_ms})
        elif piece.pause_ms and said.paragraphs:
            _lengthen(said.paragraphs, piece.pause_ms)
    if paragraph:
        said.paragraphs.append(paragraph)
        _lengthen(said.paragraphs, _pause_after(block.name))


class _Piece(NamedTuple):
    """A sentence of a block, or what is not spoken of it, with the rule that says why."""

    start: int
    end: int
    say: str
    rule: str = ""
    pause_ms: int = 0


def _cut(block: Block, how: Manner) -> Iterator[_Piece]:
    text, heading = block.text, block.name in HEADINGS
    position = 0
    for mark in () if block.attribute else _PAUSE.finditer(text):
        yield from _sentences(text, position, mark.start(), how, heading=heading)
        pause_ms = min(round(float(mark[1]) * 1000), LONGEST_PAUSE_MS)
        yield _Piece(mark.start(), mark.end(), "", "pause mark", pause_ms)
        position = mark.end()
    yield from _sentences(text, position, len(text), how, heading=heading)


def _sentences(text: str, start: int, end: int, how: Manner, *, heading: bool, limit: int = 0) -> Iterator[_Piece]:
    """Cut a stretch of a block into sentences that the engine can say, also when they are longer than their text."""
    most = how.limits.sentence_limit
    limit = limit or most
    for sentence in split(text[start:end].strip(), how.speech.language, limit=limit, shortest=how.limits.shortest):
        first = text.index(sentence, start)
        start = first + len(sentence)
        say = spoken(sentence, how.speech.language, spells=how.limits.spells, lexicon=how.lexicon, heading=heading)
        if len(say) > most and len(sentence) > SMALLEST_LIMIT:
            smaller = max(SMALLEST_LIMIT, len(sentence) * most // len(say))
            yield from _sentences(text, first, start, how, heading=heading, limit=min(smaller, len(sentence) - 1))
        elif not is_speakable(sentence):
            yield _Piece(first, start, "", "symbols")
        else:
            yield _Piece(first, start, say, "" if is_speakable(say) else "lexicon")


def _pause_after(name: str) -> int:
    if name in HEADINGS:
        return HEADING_PAUSE_MS
    return SENTENCE_PAUSE_MS if name in _CELLS else PARAGRAPH_PAUSE_MS


def is_speakable(text: str) -> bool:
    """Say whether there is a letter or a digit in it."""
    return any(map(str.isalnum, text))


def _lengthen(paragraphs: list[Paragraph], pause_ms: int) -> None:
    """Make the last pause at least so long."""
    last = paragraphs[-1][-1]
    paragraphs[-1][-1] = last.model_copy(update={"pause_ms": max(last.pause_ms, pause_ms)})


def _part(sentences: tuple[Sentence, ...], index: int, chapter: int, speech: Speech) -> Part:
    pauses = sum(sentence.pause_ms for sentence in sentences) / 1000
    return Part(
        index=index,
        chapter=chapter,
        digest=part_digest(sentences, speech),
        estimate=round(_length(sentences) / rate_of(speech) + pauses, 3),
        sentences=sentences,
    )
