"""Tags and chapters as ID3v2.3, the version that all players read: of MP3, and in a chunk of WAV."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mutagen.id3 import (
    APIC,
    CHAP,
    COMM,
    CTOC,
    MVIN,
    MVNM,
    PRIV,
    TALB,
    TCOM,
    TCON,
    TIT1,
    TIT2,
    TLAN,
    TPE1,
    TPE2,
    TPUB,
    TRCK,
    TXXX,
    TYER,
    CTOCFlags,
    Encoding,
    Frame,
    PictureType,
)
from mutagen.mp3 import MP3
from mutagen.wave import WAVE

from merger.tags.about import JPEG, Mark, Tags, one_line

_LISTED = 255
"""Most chapters that a table of contents can list (ID3v2 Chapter Frame Addendum 1.0)."""
_NOWHERE = 0xFFFFFFFF
"""Says that a chapter's times count, not its place in the file."""


def write(path: Path, tags: Tags, marks: Sequence[Mark], cover: bytes) -> None:
    """Write tags and chapters into an MP3, or a WAV of up to 4 GiB. Raises `MutagenError`."""
    file: Any = MP3(path) if path.suffix == ".mp3" else WAVE(path)
    file.add_tags()
    for frame in (*_frames(tags), *_chapters(marks), *_pictures(cover)):
        file.tags.add(frame)
    file.save(v2_version=3)


def _frames(tags: Tags) -> Iterator[Frame]:
    texts: dict[Any, str] = {
        TIT2: tags.title,
        TALB: tags.album,
        TPE1: tags.authors,
        TPE2: tags.authors,
        TCOM: tags.narrator,
        TCON: tags.genre,
        TYER: tags.year if re.fullmatch(r"\d{4}", tags.year) else "",
        TIT1: tags.place_in_series,
        MVNM: tags.series,
        MVIN: tags.series_index if re.fullmatch(r"\d{1,4}", tags.series_index) else "",
        TPUB: tags.publisher,
        TLAN: tags.language_code,
        TRCK: "/".join(map(str, tags.track or ())),
    }
    free = {
        "SERIES": tags.series,
        "SERIES-PART": tags.series_index,
        "NARRATOR": tags.narrator,
        "ISBN": tags.isbn,
    }
    yield from (kind(encoding=Encoding.UTF8, text=[text]) for kind, text in texts.items() if text)
    yield from (TXXX(encoding=Encoding.UTF8, desc=name, text=[text]) for name, text in free.items() if text)
    if tags.description:
        yield COMM(encoding=Encoding.UTF8, lang=tags.language_code, desc="", text=[tags.description])


def _chapters(marks: Sequence[Mark]) -> Iterator[Frame]:
    """Yield the chapters, all of one size.

    mutagen writes frames by size, then by name, and Audiobookshelf takes chapters as they come.
    """
    titles = [one_line(mark.title) or str(number) for number, mark in enumerate(marks, 1)]  # empty ones are not written
    sizes = [len(title.encode("utf-16")) for title in titles]
    for number, (mark, title, size) in enumerate(zip(marks, titles, sizes, strict=True)):
        yield CHAP(
            element_id=f"chp{number:05}",
            start_time=round(mark.start * 1000),
            end_time=round(mark.end * 1000),
            start_offset=_NOWHERE,
            end_offset=_NOWHERE,
            sub_frames=[
                TIT2(encoding=Encoding.UTF8, text=[title]),
                PRIV(owner="e2a", data=bytes(max(sizes) - size)),
            ],
        )
    if marks:
        listed = [f"chp{number:05}" for number in range(min(len(marks), _LISTED))]
        flags = CTOCFlags.TOP_LEVEL | CTOCFlags.ORDERED
        yield CTOC(element_id="toc", flags=flags, child_element_ids=listed, sub_frames=[])


def _pictures(cover: bytes) -> Iterator[Frame]:
    if cover:
        kind = "image/jpeg" if cover.startswith(JPEG) else "image/png"
        yield APIC(encoding=Encoding.LATIN1, mime=kind, type=PictureType.COVER_FRONT, desc="", data=cover)
