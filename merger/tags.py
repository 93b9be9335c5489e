"""A book's tags and chapter marks: in FFmpeg's metadata format, and what that lacks with mutagen, whose home this is.

Players look in different places: Audiobookshelf at the names of ffprobe, Apple's at atoms, so most is said twice.
"""

import errno
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import langcodes
from mutagen import MutagenError
from mutagen.mp4 import MP4, AtomDataType, MP4FreeForm

from e2a.plan import CLIP, Plan


class Mark(NamedTuple):
    """A chapter mark, in samples from the start of the book."""

    title: str
    start: int
    end: int


def ffmetadata(plan: Plan, marks: Sequence[Mark], sample_rate: int) -> str:
    """Return the metadata file: the tags that FFmpeg knows, and exact marks in units of one sample."""
    authors = ", ".join(plan.authors)
    about = plan.metadata
    tags = {
        "title": plan.title,
        "album": plan.title,
        "artist": authors,
        "album_artist": authors,
        "composer": _narrator(plan),
        "genre": "Audiobook",
        "date": _year(about.date),
        "description": about.description,
        "synopsis": about.description,
        "comment": about.description,
        "show": about.series,
        "episode_id": about.series_index if about.series else "",
        "grouping": _place_in_series(plan),
        "media_type": "2",
        "gapless_playback": "1",
    }
    lines = [";FFMETADATA1", *(f"{key}={_escape(value)}" for key, value in tags.items() if value)]
    for mark in marks:
        lines += [
            "[CHAPTER]",
            f"TIMEBASE=1/{sample_rate}",
            f"START={mark.start}",
            f"END={mark.end}",
            f"title={_escape(mark.title)}",
        ]
    return "\n".join(lines) + "\n"


def language_code(plan: Plan) -> str:
    """Return the language of the audio as MP4 has it: three letters (ISO 639-2/T), `und` when it has none."""
    try:
        return langcodes.Language.get(plan.speech.language).to_alpha3()
    except LookupError:
        return "und"


def add_atoms(book: Path, plan: Plan) -> None:
    """Add to an m4b the tags that FFmpeg leaves out: publisher, narrator, series, ISBN, language.

    Raises:
        OSError: it cannot be written.
    """
    about = plan.metadata
    free = {
        "SERIES": about.series,
        "SERIES-PART": about.series_index if about.series else "",
        "PUBLISHER": about.publisher,
        "ISBN": about.isbn,
        "LANGUAGE": plan.speech.language,
    }
    texts = {"\xa9nrt": _narrator(plan), "\xa9pub": about.publisher, "\xa9mvn": about.series}
    atoms: dict[str, list[object]] = {
        f"----:com.apple.iTunes:{name}": [MP4FreeForm(text.encode(), AtomDataType.UTF8)]
        for name, value in free.items()
        if (text := _one_line(value))
    }
    atoms |= {name: [text] for name, value in texts.items() if (text := _one_line(value))}
    if about.series and re.fullmatch(r"\d{1,4}", about.series_index):
        atoms["\xa9mvi"] = [int(about.series_index)]
    try:
        file = MP4(book)
        file.update(atoms)
        file.save()
    except MutagenError as error:
        raise OSError(errno.EIO, str(error), str(book)) from error


def _year(date: str) -> str:
    """Return the year of a date; another text as it is."""
    year = re.search(r"(?<!\d)\d{4}(?!\d)", date)
    return year[0] if year else date


def _place_in_series(plan: Plan) -> str:
    series, index = plan.metadata.series, plan.metadata.series_index
    return f"{series} #{index}" if series and index else series


def _narrator(plan: Plan) -> str:
    """Return `engine model: voice`; no comma, at which Audiobookshelf would see two narrators."""
    speech = plan.speech
    voice = "a recorded voice" if speech.voice.startswith(CLIP) else speech.voice
    engine = " ".join(filter(None, (speech.engine, speech.model)))
    simulated = " (simulated: no speech)" if speech.engine == "simulated" else ""
    return ": ".join(filter(None, (engine, voice))) + simulated


def _escape(text: str) -> str:
    """Escape what the format gives a meaning to; a line break becomes a space."""
    return re.sub(r"([=;#\\])", r"\\\1", _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())
