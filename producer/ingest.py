"""A book into the pipeline: files and plan to storage, then the announcement, then the missing jobs."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import langcodes
from langcodes.tag_parser import LanguageTagError

from e2a import plan as planning
from e2a import traits
from e2a.bus import Publisher
from e2a.errors import ExitCode, UserError
from e2a.messages import BookPlanned, ChapterJob
from e2a.plan import Part, Plan, Reading, Speech
from e2a.storage import ObjectStore, keys, read_plan, read_sidecar
from e2a.topics import CHAPTERS, EVENTS
from producer import epub, voices
from producer.planner import hour_of, make_plan, place
from producer.sections.outline import Outline, outline
from producer.speech import lexicon
from producer.speech.lexicon import Lexicon

_NO_LANGUAGE = {"", "und", "mul", "zxx", "mis"}
"""Tags of ISO 639 that name no language."""


class Options(planning.Frozen):
    """What the user asks for; empty fields take what the book or the engine says."""

    engine: str
    model: str = ""
    """Name of its catalogue, or a folder; passed over for an engine that has no models."""
    language: str = ""
    voice: str = ""
    """Name of a voice of the engine, or the path of a reference recording."""
    speed: float = 1.0
    output_format: str = "m4b"
    reading: Reading = Reading()
    lexicon: Path | None = None


class Draft(NamedTuple):
    """A book that was read and cut into sections, but not planned."""

    book: epub.Book
    speech: Speech
    reading: Reading
    lexicon: Lexicon
    outline: Outline
    clip: bytes = b""
    """The reference recording that is the voice; empty for a voice of the engine."""


class Submission(NamedTuple):
    """A book that was read and planned, but not stored."""

    plan: Plan
    source: bytes
    cover: epub.Cover | None
    unread: tuple[str, ...] = ()
    """Titles of the sections that are not read because they are matter."""
    clip: bytes = b""
    """The reference recording that is the voice; empty for a voice of the engine."""


def draft(path: Path, options: Options) -> Draft:
    """Read an EPUB and cut it into sections.

    Raises:
        UserError: the file, the pronunciation file or the recording is missing or unreadable, the book holds no text,
            its language is no language tag or the engine does not speak it, the engine takes no recording, or the book
            has no section with a number that was asked for.
    """
    book = epub.read(path)
    words = lexicon.read(options.lexicon) if options.lexicon else lexicon.EMPTY
    clip = voices.read_clip(options.voice, options.engine)
    speech = Speech(
        engine=options.engine,
        language=_language(options.language, book.language),
        model=planning.model_name(options.model) if traits.of(options.engine).models else "",
        voice=planning.clip_voice(clip) if clip else options.voice,
        speed=options.speed,
    )
    voices.check_language(speech.engine, speech.language)
    reading = options.reading.model_copy(update={"lexicon": words.digest})
    with _named(path):
        outlined = outline(book, reading, hour_of(speech))
    if reading.chapters:  # the same choice, however it is written, is the same book
        reading = reading.model_copy(update={"chapters": _numbers(outlined.chosen), "matter": "skip"})
    return Draft(book, speech, reading, words, outlined, clip)


def prepare(path: Path, options: Options) -> Submission:
    """Read and plan an EPUB; raises what `draft` does, also when the text of the book does not add up."""
    drafted = draft(path, options)
    source = path.read_bytes()
    with _named(path):
        plan = make_plan(
            drafted.book,
            drafted.outline,
            book_id=planning.book_id(source, drafted.speech, drafted.reading, options.output_format),
            speech=drafted.speech,
            output_format=options.output_format,
            reading=drafted.reading,
            lexicon=drafted.lexicon,
        )
    sections = zip(drafted.outline.sections, drafted.outline.chosen, strict=True)
    unread = tuple(section.title for section, chosen in sections if section.kind and not chosen)
    return Submission(plan, source, drafted.book.cover, () if options.reading.chapters else unread, drafted.clip)


def store_book(submission: Submission, store: ObjectStore) -> Plan:
    """Put recording, source, cover and, last, the plan into storage; return the plan that counts.

    A plan is written once: one that is there already is the one that the merger goes by, also when a newer
    version of this program would plan otherwise. One that cannot be read is as good as none.

    Raises:
        Retryable: storage cannot be reached.
    """
    plan = submission.plan
    if submission.clip and store.size(keys.clip(plan.speech.voice)) != len(submission.clip):
        store.put(keys.clip(plan.speech.voice), submission.clip)
    if stored := read_plan(store, plan.book_id):
        return stored
    store.put(keys.book(plan.book_id, keys.SOURCE), submission.source)
    if submission.cover:
        store.put(keys.book(plan.book_id, submission.cover.name), submission.cover.content)
    store.put(keys.book(plan.book_id, keys.PLAN), plan.model_dump_json().encode())
    return plan


def missing_parts(plan: Plan, store: ObjectStore) -> list[Part]:
    """Return the parts whose audio is not in storage."""
    return [part for part in plan.parts if read_sidecar(store, part.digest) is None]


def jobs(plan: Plan, parts: Sequence[Part]) -> list[ChapterJob]:
    """Return one job a part."""
    return [ChapterJob(book_id=plan.book_id, part=part.for_engine(), speech=plan.speech) for part in parts]


def publish(plan: Plan, store: ObjectStore, publisher: Publisher, speeds: Sequence[float]) -> None:
    """Announce the book, then publish a job for every missing part, to the partitions whose speeds are given.

    The announcement comes first: the merger must know the book before it hears of its parts.

    Raises:
        Retryable: Kafka or storage cannot be reached. Publishing again is harmless.
    """
    parts = missing_parts(plan, store)
    publisher.send(EVENTS, [BookPlanned(book_id=plan.book_id)])
    publisher.send(CHAPTERS, jobs(plan, parts), place(parts, speeds, first=int(plan.book_id, 16)))


def check_target(target: Path) -> None:
    """Make the folder that a finished book goes to.

    Raises:
        UserError: it cannot be made or written, or a folder has the book's name (exit code CANNOT_WRITE).
    """
    if target.is_dir():
        raise UserError(f"{target}: is a folder", ExitCode.CANNOT_WRITE)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{target.parent}: cannot be a folder: {error.strerror}", ExitCode.CANNOT_WRITE) from error
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise UserError(f"{target.parent}: not writable", ExitCode.CANNOT_WRITE)


def fetch(store: ObjectStore, key: str, target: Path) -> None:
    """Download a finished book; it appears under its name only when it is whole.

    Raises:
        UserError: the target cannot be written (exit code CANNOT_WRITE).
        Retryable: storage cannot be reached.
    """
    try:
        store.get_file(key, target)
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}", ExitCode.CANNOT_WRITE) from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file in what is said of its book."""
    try:
        yield
    except UserError as error:
        if error.code != ExitCode.BAD_INPUT:
            raise
        raise type(error)(f"{path}: {error}", error.code) from error


def _numbers(chosen: Sequence[bool]) -> str:
    return ",".join(str(number) for number, read in enumerate(chosen, 1) if read)


def _language(asked: str, of_the_book: str) -> str:
    """Return a tag as BCP 47 writes it: EPUBs also say `eng`, `en_us`, `iw`, `en-GB, fr`, or that it has none."""
    first = re.split(r"[\s,;.]", of_the_book.strip(), maxsplit=1)[0]
    try:
        return langcodes.standardize_tag(asked or ("en" if first in _NO_LANGUAGE else first))
    except LanguageTagError as error:
        if asked:
            raise UserError(f"--language {asked!r}: not a language tag such as en or fr-CA", ExitCode.USAGE) from error
        message = f"the book says that its language is {of_the_book!r}; name it with --language, such as en or fr-CA"
        raise UserError(message, ExitCode.BAD_INPUT) from error
