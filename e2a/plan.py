"""The immutable plan of a book, and the content addresses that make repeated work harmless.

A part's digest covers everything that decides its sound: two workers that make the same part make the same
object, and an edited book shares every part that did not change.
"""

import hashlib
import json
from functools import cached_property
from os.path import abspath, basename
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

PART_FORMAT = 3
"""Version of the part's audio layout; raising it re-synthesises everything."""
PLAN_VERSION = 3
"""Version of the way text becomes a plan; raising it makes every book a new one."""
CATALOGUE = "tts_models/"
"""What the names of models begin with that coqui-tts downloads."""
CLIP = "clip:"
"""What the name of a voice begins with that is a reference recording."""

BITRATE = 64_000
"""Bits a second of the audio, unless the user wants others."""

ACTIVE_CLASS = "-epub-media-overlay-active"
"""Class that the element of a sentence has in a read-along edition while it is heard."""

Format = Literal["m4b", "m4a", "mp3", "opus", "flac", "wav", "acx", "epub"]
"""What a book is made as. `acx` is MP3 as that distributor wants it, `epub` an EPUB 3 with the text read along."""
CHAPTERED: frozenset[Format] = frozenset(["acx", "epub"])
"""Formats that are never one recording of the whole book."""

BookId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}$")]
"""Identity of a book, as `book_id` makes it; it is part of storage keys, so nothing else is let in."""
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
"""Content address of a part, as `part_digest` makes it; likewise."""


class Frozen(BaseModel):
    """Immutable value; unknown fields of a newer version are ignored, new fields have defaults."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Speech(Frozen):
    """How the text is spoken: everything beside the text that changes the sound."""

    engine: str
    """Name of an entry point in the group `e2a.engines`."""
    language: str
    """BCP 47 tag, such as `en` or `fr-CA`."""
    model: str = ""
    """Name of the model of an engine that has several (`model_name`); empty takes the engine's default."""
    voice: str = ""
    """Voice of the engine, or `clip:` and the SHA-256 of a reference recording in storage; empty takes the engine's
    default for the language."""
    speed: float = 1.0
    """Factor on the speaking rate; 2.0 speaks twice as fast."""
    loudness: Literal["r128", "acx"] = "r128"
    """What it is levelled to: -19 LUFS by EBU R 128, or -20 dBFS RMS as ACX wants it."""


class Output(Frozen):
    """What is made of the parts of a book."""

    formats: tuple[Format, ...] = ("m4b",)
    split: bool = False
    """Whether each chapter is a file of its own."""
    bitrate: int = BITRATE
    """Bits a second of the audio, in whole thousands; where it is not lossless."""

    @property
    def recordings(self) -> tuple[Format, ...]:
        """Formats that are one recording of the whole book, unless it is split."""
        return tuple(each for each in self.formats if each not in CHAPTERED)

    def folder(self, form: Format) -> str:
        """Return what the folder of a format's chapters has after the book's name; of several, each has its own."""
        return f" ({form.upper()})" if form == "acx" or len(self.recordings) > 1 else ""


class Metadata(Frozen):
    """What an EPUB says of itself beside title, authors and language; empty where it says nothing."""

    description: str = ""
    publisher: str = ""
    date: str = ""
    """As the book has it; usually a year or an ISO 8601 date."""
    isbn: str = ""
    """Digits, and an X at the end of some."""
    subjects: tuple[str, ...] = ()
    series: str = ""
    series_index: str = ""


class Reading(Frozen):
    """What of a book is read, and how its text becomes what is spoken."""

    footnotes: Literal["skip", "inline", "end"] = "skip"
    """Left out, read after the paragraph that refers to them, or at the end of its chapter."""
    alt_text: bool = False
    """Whether descriptions of images are read."""
    matter: Literal["skip", "keep"] = "skip"
    """Whether title pages, licences, indexes and the like are read."""
    chapters: str = ""
    """Numbers of the sections that are read, such as `3-7,9`; empty for all that are not matter."""
    lexicon: str = ""
    """Digest of the pronunciation file; empty without one."""


class Source(Frozen):
    """Where in the EPUB a sentence stands."""

    document: int
    """Index into `Plan.documents`."""
    path: str
    """Steps of an EPUB CFI from the root element to an element, such as `/4/2/6` (EPUB CFI 1.1, section 3.1.1)."""
    start: int
    """Where it starts in the text content of that element, in Unicode code points."""
    end: int
    """Where it ends; notes and page numbers that are not read may lie in between."""
    attribute: str = ""
    """Offsets count in this attribute of the element, not in its text content: `alt` for an image."""


class Sentence(Frozen):
    """A sentence and the silence after it."""

    text: str
    """As the book has it, white space collapsed."""
    pause_ms: int
    """Silence after the sentence, in milliseconds."""
    spoken: str = ""
    """What the engine is given, when that is not `text`."""
    source: Source | None = None

    @property
    def say(self) -> str:
        """What the engine is given."""
        return self.spoken or self.text


class Part(Frozen):
    """The unit of work: a run of whole sentences of one chapter."""

    index: int
    """Position in the book, from 0."""
    chapter: int
    """Index of its chapter, from 0."""
    digest: Digest
    """Content address of its audio."""
    estimate: float
    """Expected length of its audio, in seconds."""
    sentences: tuple[Sentence, ...]

    def for_engine(self) -> "Part":
        """Return the part as a worker needs it: what is said, without what the book writes and where; same digest."""
        said = tuple(Sentence(text=sentence.say, pause_ms=sentence.pause_ms) for sentence in self.sentences)
        return self.model_copy(update={"sentences": said})


class Chapter(Frozen):
    """What a reader calls a chapter: a title and the parts it is made of, in order."""

    index: int
    title: str
    group: tuple[str, ...] = ()
    """Titles of what it is part of, the outermost first, such as `Part One`."""
    parts: tuple[Part, ...]

    @property
    def full_title(self) -> str:
        """Its title with those of what it is part of, such as `Part One: Chapter 3`."""
        return full_title(self.group, self.title)


class Accounting(Frozen):
    """Where every character of the book went: spoken, or skipped by a named rule. White space is not counted."""

    characters: int
    """In all documents of the reading order and beside it, and in the descriptions of images."""
    spoken: int
    skipped: dict[str, int] = {}
    """Characters by rule."""

    @property
    def adds_up(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return self.characters == self.spoken + sum(self.skipped.values())


class Plan(Frozen):
    """The whole book as it will be made; written once, never changed."""

    version: int = PLAN_VERSION
    book_id: BookId
    title: str
    authors: tuple[str, ...]
    speech: Speech
    output: Output = Output()
    cover: str = ""
    """File name of the cover beside the plan, such as `cover.jpg`; empty in older plans of books without one."""
    edition: str = ""
    """File name of the pages for reading along beside the plan; empty when none are wanted, or none could be made."""
    metadata: Metadata = Metadata()
    reading: Reading = Reading()
    accounting: Accounting | None = None
    """None in plans of version 1."""
    problems: tuple[str, ...] = ()
    """What the reader had to read around, such as a document that is missing in the file."""
    documents: tuple[str, ...] = ()
    """Paths in the EPUB, in reading order; those that no sentence came from are among them."""
    chapters: tuple[Chapter, ...]

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All parts of the book in reading order."""
        return tuple(part for chapter in self.chapters for part in chapter.parts)


class Order(Frozen):
    """What is wanted of a book beside its plan; it may change while the book is made."""

    state: Literal["wanted", "paused", "cancelled"] = "wanted"
    urgent: bool = False
    """Whether it goes before other books."""


class Retake(Frozen):
    """A sentence whose first take was not good."""

    sentence: int
    """Its index in the part."""
    start: float
    """Where it begins in the audio of the part, in seconds."""
    text: str
    """What was said."""
    takes: int
    """How many takes were made, the first included."""
    flaws: tuple[str, ...]
    """What the first take had, such as `too-short`."""
    doubtful: tuple[str, ...] = ()
    """What the take that was kept still has; empty when it is good."""


class Blob(Frozen):
    """An object as it should be."""

    size: int
    """In bytes."""
    sha256: str


class Sidecar(Frozen):
    """What is known of a part's audio; stored beside it, and only after it. All lengths are in samples."""

    version: int = 2
    digest: Digest
    sample_rate: int
    """In hertz."""
    samples: int
    """Length of the audio, a multiple of 1,024."""
    master: Blob
    """FLAC, 16 bits a sample: all other audio is made of it."""
    aac: dict[int, Blob]
    """Strict ADTS of samples / 1,024 frames, by bits a second."""
    sentences: tuple[tuple[int, int], ...]
    """Start and end of each sentence, the pause after it not counted."""
    gain: float
    """What the engine's sound was amplified by, in decibels: the same for everything that a voice says."""
    limited: bool
    """Whether peaks had to be held down."""
    loudness: float | None
    """Integrated loudness in LUFS (EBU R 128); None for what is too short or too soft to have one."""
    peak: float
    """Largest absolute sample, 1.0 being full scale."""
    retakes: tuple[Retake, ...] = ()
    """Sentences that were said more than once."""
    engine: str
    encoder: str
    worker: str = ""
    """Who made it."""
    work_seconds: float = 0.0
    """How long that took by the clock on the wall."""

    @property
    def seconds(self) -> float:
        """Length of the audio in seconds."""
        return self.samples / self.sample_rate


def full_title(group: tuple[str, ...], title: str) -> str:
    """Return the title of a chapter with those of what it is part of, the outermost first."""
    return ": ".join((*group, title))


def first_chapters(count: int) -> str:
    """Return what so many chapters from the first on are called."""
    return "chapter 1" if count == 1 else f"chapters 1–{count}"  # noqa: RUF001 - a range


def sentence_id(part: int, sentence: int) -> str:
    """Return what a sentence is called in captions, and its element in a read-along edition.

    Args:
        part: index of its part in the book.
        sentence: its index in the part.
    """
    return f"e2a-{part}-{sentence}"


def letters(text: str) -> str:
    """Return a text without white space: what an `Accounting` counts."""
    return "".join(text.split())


def part_digest(sentences: tuple[Sentence, ...], speech: Speech) -> str:
    """Return the content address of the audio that these sentences make, as 64 hexadecimal characters."""
    return _digest(
        {
            "format": PART_FORMAT,
            "speech": speech.model_dump(),
            "sentences": [(sentence.say, sentence.pause_ms) for sentence in sentences],
        }
    )


def speech_digest(speech: Speech) -> str:
    """Return the identity of a way of speaking, however loud, as 64 hexadecimal characters."""
    return _digest(speech.model_dump(exclude={"loudness"}))


def take_seed(text: str, attempt: int) -> int:
    """Return the 63-bit seed of every random choice made for a take; the same sentence always sounds the same.

    Args:
        text: what is said.
        attempt: 0 for the first take of it.
    """
    return int(_digest([text, attempt])[:16], 16) >> 1


def model_name(model: str) -> str:
    """Return how a model is called in `Speech`: a catalogue's name as it is, a folder or file by its last step.

    The folder may lie elsewhere on every machine, so its name stands for what is in it.
    """
    return model if not model or model.startswith(CATALOGUE) else basename(abspath(model))


def clip_voice(clip: bytes) -> str:
    """Return the voice that a reference recording is."""
    return CLIP + hashlib.sha256(clip).hexdigest()


def book_id(source: bytes, speech: Speech, reading: Reading, output: Output) -> str:
    """Return the identity of a book: the hash of the EPUB's bytes and of its options, 16 hexadecimal characters."""
    options = {
        "plan": PLAN_VERSION,
        "source": hashlib.sha256(source).hexdigest(),
        "speech": speech.model_dump(),
        "reading": reading.model_dump(),
        "output": output.model_dump(),
    }
    return _digest(options)[:16]


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
