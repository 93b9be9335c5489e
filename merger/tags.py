"""A book's tags and chapter marks in FFmpeg's metadata format."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from e2a.plan import Plan


class Mark(NamedTuple):
    """A chapter mark, in samples from the start of the book."""

    title: str
    start: int
    end: int


def ffmetadata(plan: Plan, marks: Sequence[Mark], sample_rate: int) -> str:
    """Return the metadata file: title, authors, narrator, and exact marks in units of one sample."""
    authors = ", ".join(plan.authors)
    tags = {
        "title": plan.title,
        "album": plan.title,
        "artist": authors,
        "album_artist": authors,
        "composer": _narrator(plan),
        "genre": "Audiobook",
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


def _narrator(plan: Plan) -> str:
    simulated = " (simulated: no speech)" if plan.speech.engine == "simulated" else ""
    return " ".join(filter(None, (plan.speech.engine, plan.speech.voice))) + simulated


def _escape(text: str) -> str:
    """Escape what the format gives a meaning to; a line break becomes a space."""
    return re.sub(r"([=;#\\])", r"\\\1", " ".join(text.split()))
