"""Tags and chapters as Vorbis comments: of Opus and FLAC."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mutagen.flac import FLAC, Picture
from mutagen.id3 import PictureType
from mutagen.oggopus import OggOpus

from merger.clock import clock
from merger.tags.about import JPEG, Mark, Tags, one_line


def write(path: Path, tags: Tags, marks: Sequence[Mark], cover: bytes) -> None:
    """Write tags and chapters into an Opus or FLAC. Raises `MutagenError`."""
    file: Any = FLAC(path) if path.suffix == ".flac" else OggOpus(path)
    file.update({name: [text] for name, text in _texts(tags).items() if text})
    for number, mark in enumerate(written(marks), 1):
        file[f"CHAPTER{number:03}"] = [clock(mark.start)]
        file[f"CHAPTER{number:03}NAME"] = [one_line(mark.title)]
    if cover and path.suffix == ".flac":
        file.add_picture(_picture(cover))
    elif cover:
        file["METADATA_BLOCK_PICTURE"] = [base64.b64encode(_picture(cover).write()).decode()]
    file.save()


def written(marks: Sequence[Mark]) -> list[Mark]:
    """Return the chapters that are written: numbers have three digits and hours two, and FFmpeg reads no others."""
    return [mark for mark in marks[:999] if mark.start < 100 * 3600]


def _texts(tags: Tags) -> dict[str, str]:
    number, total = tags.track or ("", "")
    return {
        "TITLE": tags.title,
        "ALBUM": tags.album,
        "ARTIST": tags.authors,
        "ALBUMARTIST": tags.authors,
        "COMPOSER": tags.narrator,
        "NARRATOR": tags.narrator,
        "GENRE": tags.genre,
        "DATE": tags.year,
        "DESCRIPTION": tags.description,
        "LANGUAGE": tags.language,
        "PUBLISHER": tags.publisher,
        "ISBN": tags.isbn,
        "SERIES": tags.series,
        "SERIES-PART": tags.series_index,
        "GROUPING": tags.place_in_series,
        "TRACKNUMBER": str(number),
        "TRACKTOTAL": str(total),
    }


def _picture(cover: bytes) -> Picture:
    picture = Picture()
    picture.type = PictureType.COVER_FRONT
    picture.mime = "image/jpeg" if cover.startswith(JPEG) else "image/png"
    picture.data = cover
    return picture
