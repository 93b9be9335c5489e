"""A book's tags and chapter marks, where players look for them. The only home of mutagen.

Players look in different places: Audiobookshelf at the names of ffprobe, Apple's at atoms, so much is said twice.
"""

import errno
from collections.abc import Sequence
from pathlib import Path

from mutagen import MutagenError

from e2a.plan import Format
from merger.tags import id3, mp4, vorbis
from merger.tags.about import Mark, Tags, about_book, about_chapter, ffmetadata, language_code, riff_info

__all__ = [
    "RIFF",
    "Mark",
    "Tags",
    "about_book",
    "about_chapter",
    "ffmetadata",
    "language_code",
    "left_out",
    "riff_info",
    "write",
]

RIFF = (1 << 32) - (1 << 25)
"""Bytes up to which a WAV has room for ID3, which FFmpeg reads only where the header has no tags. Above 4 GiB it is an
RF64, for which there is no ID3."""
_VORBIS = ("opus", "flac")
"""Formats with Vorbis comments."""


def left_out(form: Format, marks: Sequence[Mark]) -> int:
    """Return how many of some chapter marks a file of that format cannot have."""
    return len(marks) - len(vorbis.written(marks)) if form in _VORBIS else 0


def write(path: Path, form: Format, tags: Tags, marks: Sequence[Mark], cover: bytes) -> None:
    """Write tags, cover and chapter marks into a file that has none; an MP4 has its marks already.

    Args:
        path: of the file.
        form: what it is made as.
        tags: of the file.
        marks: of its chapters; empty for none.
        cover: a JPEG or PNG; empty for none.

    Raises:
        OSError: it cannot be written.
    """
    try:
        if form in {"m4b", "m4a"}:
            mp4.write(path, tags, cover, audiobook=form == "m4b")
        elif form in _VORBIS:
            vorbis.write(path, tags, marks, cover)
        elif form != "wav" or path.stat().st_size < RIFF:
            id3.write(path, tags, marks, cover)
    except MutagenError as error:
        cause = error.args[0] if error.args and isinstance(error.args[0], OSError) else None
        raise cause or OSError(errno.EIO, str(error), str(path)) from error
