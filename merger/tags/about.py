"""What a file says of itself, whatever its container; and chapter marks in FFmpeg's metadata format."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import langcodes

from e2a.plan import CLIP, Chapter, Plan, Speech
from merger.names import shortened

JPEG = b"\xff\xd8"
"""What a JPEG begins with."""
_LONGEST_TITLE = 255
"""Bytes of the title of a chapter in an MP4."""


class Mark(NamedTuple):
    """A chapter mark."""

    title: str
    start: float
    """In seconds from the start of the file."""
    end: float


class Tags(NamedTuple):
    """What a file says of itself; empty where nothing is known. All but the description are one line."""

    title: str
    album: str
    """Title of the book."""
    authors: str
    narrator: str
    description: str = ""
    year: str = ""
    series: str = ""
    series_index: str = ""
    publisher: str = ""
    isbn: str = ""
    language: str = ""
    """BCP 47 tag."""
    language_code: str = "und"
    """Three letters (ISO 639-2/T)."""
    track: tuple[int, int] | None = None
    """Number of the chapter that it is, from 1, and how many there are."""
    genre: str = "Audiobook"

    @property
    def place_in_series(self) -> str:
        """Series and index as one, such as `The Novels #4`."""
        return f"{self.series} #{self.series_index}" if self.series_index else self.series


def about_book(plan: Plan) -> Tags:
    """Return the tags of a file that is the whole book."""
    about = plan.metadata
    title = one_line(plan.title)
    return Tags(
        title=title,
        album=title,
        authors=one_line(", ".join(plan.authors)),
        narrator=one_line(narrator(plan.speech)),
        description=_lines(about.description),
        year=_year(one_line(about.date)),
        series=one_line(about.series),
        series_index=one_line(about.series_index) if about.series else "",
        publisher=one_line(about.publisher),
        isbn=one_line(about.isbn),
        language=one_line(plan.speech.language),
        language_code=language_code(plan),
    )


def about_chapter(plan: Plan, chapter: Chapter) -> Tags:
    """Return the tags of a file that is one chapter of the book."""
    track = chapter.index + 1, len(plan.chapters)
    return about_book(plan)._replace(title=one_line(chapter.full_title), track=track)


def riff_info(tags: Tags) -> dict[str, str]:
    """Return what the header of a WAV may say, by FFmpeg's names."""
    told = {
        "title": tags.title,
        "album": tags.album,
        "artist": tags.authors,
        "genre": tags.genre,
        "date": tags.year,
        "language": tags.language_code,
    }
    return {key: text for key, text in told.items() if text}


def language_code(plan: Plan) -> str:
    """Return the language of a book in three letters (ISO 639-2/T), `und` when it has none."""
    try:
        return langcodes.Language.get(plan.speech.language).to_alpha3()
    except LookupError:
        return "und"


def narrator(speech: Speech) -> str:
    """Return `engine model: voice`; no comma, at which Audiobookshelf would see two narrators."""
    voice = "a recorded voice" if speech.voice.startswith(CLIP) else speech.voice
    engine = " ".join(filter(None, (speech.engine, speech.model)))
    simulated = " (simulated: no speech)" if speech.engine == "simulated" else ""
    return ": ".join(filter(None, (engine, voice))) + simulated


def ffmetadata(marks: Sequence[Mark], sample_rate: int) -> str:
    """Return the metadata file of FFmpeg that has exact marks, in units of one sample.

    A Nero chapter has a byte for the length of its title; FFmpeg cuts it there, inside a character too, and then nobody
    reads the file. So titles are cut between characters before.
    """
    lines = [";FFMETADATA1"]
    for mark in marks:
        lines += [
            "[CHAPTER]",
            f"TIMEBASE=1/{sample_rate}",
            f"START={round(mark.start * sample_rate)}",
            f"END={round(mark.end * sample_rate)}",
            "title=" + re.sub(r"([=;#\\])", r"\\\1", shortened(one_line(mark.title), _LONGEST_TITLE)),
        ]
    return "\n".join(lines) + "\n"


def one_line(text: str) -> str:
    """Return a text on one line, without characters that are none."""
    return " ".join(_shown(text).split())


def _lines(text: str) -> str:
    return "\n".join(line for each in _shown(text).splitlines() if (line := " ".join(each.split())))


def _shown(text: str) -> str:
    return "".join(each for each in text if each.isspace() or unicodedata.category(each) not in {"Cc", "Cs"})


def _year(date: str) -> str:
    """Return the year of a date; another text as it is."""
    year = re.search(r"(?<!\d)\d{4}(?!\d)", date)
    return year[0] if year else date
