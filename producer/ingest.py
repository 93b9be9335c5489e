"""A book into the pipeline: files and plan to storage, then the announcement, then the missing jobs."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import langcodes
from langcodes.tag_parser import LanguageTagError

from e2a import plan as planning
from e2a import traits
from e2a.bus import Publisher
from e2a.errors import ExitCode, UserError
from e2a.messages import BookPlanned, ChapterJob, chapter_job
from e2a.placement import Layout, Placed, dispatch
from e2a.plan import BITRATE, Chapter, Format, Output, Part, Plan, Reading, Speech
from e2a.storage import ObjectStore, keys, read_plan, read_sidecar
from e2a.topics import EVENTS
from producer import cover, epub, voices
from producer.edition import NoEdition, edition
from producer.epub.archive import one_line
from producer.planner import COVER, hour_of, make_plan
from producer.sections.outline import Outline, outline
from producer.speech import lexicon
from producer.speech.lexicon import Lexicon

_UNNAMED = {"", "und", "mul", "zxx", "mis"}
"""Tags of ISO 639 that name no language."""
_NO_LANGUAGE = "the book names no language: read as English; --language says another"
_OWN_BITRATE: frozenset[Format] = frozenset(["flac", "wav", "acx"])
"""Formats that a bitrate does not change."""


class Options(planning.Frozen):
    """What the user asks for; empty fields take what the book or the engine says."""

    engine: str
    model: str = ""
    """Name of its catalogue, or a folder; passed over for an engine that has no models."""
    language: str = ""
    voice: str = ""
    """Name of a voice of the engine, or the path of a reference recording."""
    recording: bool = True
    """Whether the voice may be a recording; else it is a name, also where a file is called so."""
    speed: float = 1.0
    loudness: Literal["r128", "acx"] = "r128"
    output: Output = Output()
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
    path: Path
    """Of the EPUB."""
    source: bytes
    """What is in it."""
    book: epub.Book
    unread: tuple[str, ...] = ()
    """Titles of the sections that are not read because they are matter."""
    clip: bytes = b""
    """The reference recording that is the voice; empty for a voice of the engine."""


def output_of(formats: Iterable[str], *, split: bool = False, bitrate: int = BITRATE) -> Output:
    """Return what is to be made of a book, said in one way only: what makes the same files is the same book.

    Args:
        formats: names of `Format`, in any order.
        split: whether each chapter is a file of its own.
        bitrate: in bits a second; it counts where a format heeds it.
    """
    asked = set(formats)
    return Output(
        formats=tuple(each for each in get_args(Format) if each in asked),
        split=split and not asked <= planning.CHAPTERED,
        bitrate=BITRATE if asked <= _OWN_BITRATE else bitrate,
    )


def epubs(paths: Iterable[Path]) -> list[Path]:
    """Return the EPUBs that are meant, each once: files in the order given, for a folder those in it, by name.

    A folder without any is returned as it is.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for each in _in_folder(path) or [path]:
            found.setdefault(each.resolve(), each)
    return list(found.values())


def _in_folder(path: Path) -> list[Path]:
    if not os.path.isdir(path):  # Path.is_dir raises for names that no file can have
        return []
    entries = (each for each in path.iterdir() if each.suffix.lower() == ".epub" and not each.name.startswith("."))
    return sorted(each for each in entries if each.is_file())


def draft(path: Path, options: Options) -> Draft:
    """Read an EPUB and cut it into sections.

    Raises:
        UserError: the file, the pronunciation file or the recording is missing or unreadable, the book holds no text,
            its language is no language tag or the engine does not speak it, the engine takes no recording, or the book
            has no section with a number that was asked for.
    """
    if os.path.isdir(path):
        raise UserError(f"{path}: no EPUB is in this folder", ExitCode.NO_INPUT)
    book = epub.read(path)
    if not options.language and not _first_language(book.language):
        book = book._replace(problems=(*book.problems, _NO_LANGUAGE))
    words = lexicon.read(options.lexicon) if options.lexicon else lexicon.EMPTY
    clip = voices.read_clip(options.voice, options.engine) if options.recording else b""
    speech = Speech(
        engine=options.engine,
        language=_language(options.language, book.language),
        model=planning.model_name(options.model) if traits.of(options.engine).models else "",
        voice=planning.clip_voice(clip) if clip else options.voice,
        speed=options.speed,
        loudness=options.loudness,
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
            book_id=planning.book_id(source, drafted.speech, drafted.reading, options.output),
            speech=drafted.speech,
            output=options.output,
            reading=drafted.reading,
            lexicon=drafted.lexicon,
        )
    sections = zip(drafted.outline.sections, drafted.outline.chosen, strict=True)
    unread = tuple(section.title for section, chosen in sections if section.kind and not chosen)
    return Submission(plan, path, source, drafted.book, () if options.reading.chapters else unread, drafted.clip)


def store_book(submission: Submission, store: ObjectStore) -> Plan:
    """Put recording, source, cover, edition and, last, the plan into storage; return the plan that counts.

    A plan is written once: one that is there already is the one that the merger goes by, also when a newer
    version of this program would plan otherwise. One that cannot be read is as good as none. What goes wrong with
    cover and edition is among the problems of the plan.

    Raises:
        Retryable: storage cannot be reached.
    """
    plan = submission.plan
    if submission.clip and store.size(keys.clip(plan.speech.voice)) != len(submission.clip):
        store.put(keys.clip(plan.speech.voice), submission.clip)
    if stored := read_plan(store, plan.book_id):
        return stored
    store.put(keys.book(plan.book_id, keys.SOURCE), submission.source)
    made = cover.make(submission.book)
    store.put(keys.book(plan.book_id, COVER), made.jpeg)
    edition_name, edition_problems = _store_edition(submission, store)
    problems = (*plan.problems, *made.problems, *edition_problems)
    plan = plan.model_copy(update={"problems": problems, "edition": edition_name})
    store.put(keys.book(plan.book_id, keys.PLAN), plan.model_dump_json().encode())
    return plan


def _store_edition(submission: Submission, store: ObjectStore) -> tuple[str, tuple[str, ...]]:
    """Put the pages for reading along into storage if they are wanted; return their name, and why there are none."""
    plan = submission.plan
    if "epub" not in plan.output.formats:
        return "", ()
    try:
        store.put(keys.book(plan.book_id, keys.EDITION), edition(submission.path, plan))
    except (NoEdition, UserError) as error:
        return "", (one_line(str(error)),)
    return keys.EDITION, ()


def missing_parts(plan: Plan, store: ObjectStore) -> list[Part]:
    """Return the parts whose audio is not in storage.

    Raises:
        Retryable: storage cannot be reached.
    """
    return [part for part in plan.parts if read_sidecar(store, part.digest, plan.output.bitrate) is None]


def is_whole(chapter: Chapter, plan: Plan, store: ObjectStore) -> bool:
    """Say whether all parts of a chapter are in storage; raises what `missing_parts` does."""
    return all(read_sidecar(store, part.digest, plan.output.bitrate) for part in chapter.parts)


def jobs(plan: Plan, parts: Sequence[Part]) -> list[ChapterJob]:
    """Return one job a part."""
    return [chapter_job(plan, part) for part in parts]


def publish(
    plan: Plan, parts: Sequence[Part], publisher: Publisher, topics: Mapping[str, Layout], *, urgent: bool = False
) -> Placed:
    """Announce the book, then publish a job for each of its missing parts, to topics whose layouts are given.

    Returns where they went.

    The announcement comes first: the merger must know the book before it hears of its parts.

    Raises:
        Unavailable: Kafka cannot be reached. Publishing again is harmless.
    """
    publisher.send(EVENTS, [BookPlanned(book_id=plan.book_id)])
    return dispatch(jobs(plan, parts), publisher, topics, urgent=urgent, first=int(plan.book_id, 16))


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


def _first_language(of_the_book: str) -> str:
    """Return the first of several tags; empty where it names no language."""
    first = re.split(r"[\s,;.]", of_the_book.strip(), maxsplit=1)[0]
    return "" if traits.primary_subtag(first) in _UNNAMED else first


def _language(asked: str, of_the_book: str) -> str:
    """Return a tag as BCP 47 writes it: EPUBs also say `eng`, `en_us`, `iw`, `en-GB, fr`, or that it has none."""
    try:
        return langcodes.standardize_tag(asked or _first_language(of_the_book) or "en")
    except LanguageTagError as error:
        if asked:
            raise UserError(f"--language {asked!r}: not a language tag such as en or fr-CA", ExitCode.USAGE) from error
        message = f"the book says that its language is {of_the_book!r}; name it with --language, such as en or fr-CA"
        raise UserError(message, ExitCode.BAD_INPUT) from error
