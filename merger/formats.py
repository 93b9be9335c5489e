"""The formats that a book is made as: a table, and the arguments of ffmpeg that follow from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from e2a.plan import Format
from merger import acx


class Recipe(NamedTuple):
    """How audio of a format is made."""

    extension: str
    muxer: str
    """Of ffmpeg."""
    arguments: tuple[str, ...] = ()
    """For ffmpeg, between the input and the muxer."""
    copies: bool = False
    """Whether the AAC of the parts is copied; their masters are encoded otherwise."""
    highest: int = 0
    """Bits a second above which its encoder does not go; 0 for what is copied or has no choice."""
    added: float = 0.0
    """Seconds of room tone that are added."""
    tolerance: float = 0.0
    """Seconds by which its length may be another than that of its parts, in the container's words."""


_MP4 = ("-movflags", "+faststart")
RECIPES: Mapping[Format, Recipe] = {
    "m4b": Recipe(".m4b", "ipod", _MP4, copies=True),
    "m4a": Recipe(".m4a", "ipod", _MP4, copies=True),
    "mp3": Recipe(".mp3", "mp3", ("-c:a", "libmp3lame", "-id3v2_version", "0"), highest=320_000, tolerance=0.2),
    "opus": Recipe(
        ".opus", "opus", ("-c:a", "libopus", "-vbr", "constrained", "-ar", "48000"), highest=256_000, tolerance=0.2
    ),
    "flac": Recipe(".flac", "flac", ("-c:a", "flac")),
    "wav": Recipe(".wav", "wav", ("-c:a", "pcm_s16le", "-rf64", "auto")),
    "acx": Recipe(
        ".mp3",
        "mp3",
        ("-filter_complex", acx.FILTER, "-c:a", "libmp3lame", "-b:a", "192000", "-id3v2_version", "0"),
        added=acx.HEAD + acx.TAIL,
        tolerance=0.2,
    ),
}
"""All but `epub`, which is more than audio."""
_EXACT = ("-fflags", "+bitexact", "-flags:a", "+bitexact")
"""Neither clock nor version in the file."""


def copying(recipe: Recipe, marks: Path, language: str, target: Path) -> list[str]:
    """Return the arguments that put AAC from `pipe:0` into an MP4.

    Args:
        recipe: of the format.
        marks: chapter marks in FFmpeg's metadata format.
        language: of the audio, three letters.
        target: the file that is made.
    """
    # a pipe beside other inputs is polled every 10 ms unless its queue is deep: 80 times slower
    source = ["-thread_queue_size", "8192", "-f", "aac", "-i", "pipe:0", "-f", "ffmetadata", "-i", str(marks)]
    mapped = ["-map", "0:a:0", "-map_metadata", "1", "-map_chapters", "1", "-c", "copy"]
    return [*source, *mapped, "-metadata:s:a:0", f"language={language}", *recipe.arguments, *_to(recipe, target)]


def encoding(recipe: Recipe, sample_rate: int, bitrate: int, info: Mapping[str, str], target: Path) -> list[str]:
    """Return the arguments that encode 16-bit mono PCM from `pipe:0`.

    Args:
        recipe: of the format.
        sample_rate: of the PCM, in hertz.
        bitrate: in bits a second, where the format leaves a choice.
        info: tags that the muxer writes.
        target: the file that is made.
    """
    source = ["-f", "s16le", "-ar", str(sample_rate), "-ac", "1", "-i", "pipe:0"]
    rate = ["-b:a", str(min(bitrate, recipe.highest))] if recipe.highest else []
    tags = [argument for key, value in info.items() for argument in ("-metadata", f"{key}={value}")]
    return [*source, *recipe.arguments, *rate, *tags, *_to(recipe, target)]


def _to(recipe: Recipe, target: Path) -> list[str]:
    return [*_EXACT, "-f", recipe.muxer, str(target)]
