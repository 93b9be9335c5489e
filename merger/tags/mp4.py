"""Tags as atoms of an MP4: those of iTunes, and free ones for what it has no atom for."""

import re
from pathlib import Path

from mutagen.mp4 import MP4, AtomDataType, MP4Cover, MP4FreeForm

from merger.tags.about import JPEG, Tags

_AUDIOBOOK = 2
"""Of the atom `stik`."""


def write(path: Path, tags: Tags, cover: bytes, *, audiobook: bool) -> None:
    """Write tags into an MP4, which is said to be an audiobook or not. Raises `MutagenError`."""
    file = MP4(path)
    file.update({name: [text] for name, text in _texts(tags).items() if text})
    file.update(
        {
            f"----:com.apple.iTunes:{name}": [MP4FreeForm(text.encode(), AtomDataType.UTF8)]
            for name, text in _free(tags).items()
            if text
        }
    )
    file["pgap"] = True
    if audiobook:
        file["stik"] = [_AUDIOBOOK]
    if tags.series and re.fullmatch(r"\d{1,4}", tags.series_index):
        file["\xa9mvi"] = [int(tags.series_index)]
        file["shwm"] = [1]
    if tags.track:
        file["trkn"] = [tags.track]
    if cover:
        kind = MP4Cover.FORMAT_JPEG if cover.startswith(JPEG) else MP4Cover.FORMAT_PNG
        file["covr"] = [MP4Cover(cover, kind)]
    file.save()


def _texts(tags: Tags) -> dict[str, str]:
    return {
        "\xa9nam": tags.title,
        "\xa9alb": tags.album,
        "\xa9ART": tags.authors,
        "aART": tags.authors,
        "\xa9wrt": tags.narrator,
        "\xa9nrt": tags.narrator,
        "\xa9gen": tags.genre,
        "\xa9day": tags.year,
        "desc": tags.description,
        "ldes": tags.description,
        "\xa9cmt": tags.description,
        "tvsh": tags.series,
        "tven": tags.series_index,
        "\xa9grp": tags.place_in_series,
        "\xa9mvn": tags.series,
        "\xa9pub": tags.publisher,
    }


def _free(tags: Tags) -> dict[str, str]:
    return {
        "SERIES": tags.series,
        "SERIES-PART": tags.series_index,
        "NARRATOR": tags.narrator,
        "PUBLISHER": tags.publisher,
        "ISBN": tags.isbn,
        "LANGUAGE": tags.language,
    }
