"""What ACX, through which audiobooks are sold, asks of a chapter's file, and what of it a chapter does not keep.

The levels are those of its audio submission requirements: RMS from -23 to -18 dBFS, no peak above -3 dBFS, a noise
floor below -60 dB RMS, half a second to a second of room tone before and one to five seconds after, no more than two
hours. Digital silence is not room tone, so noise of -74 dBFS RMS lies under all of the chapter.
"""

from collections.abc import Iterator
from pathlib import Path

from merger import ffmpeg

SAMPLE_RATE = 44_100
HEAD, TAIL = 0.75, 2.0
"""Seconds of room tone that are added."""
LONGEST = 120 * 60
"""Seconds."""
FILTER = (
    f"[0:a]aresample={SAMPLE_RATE},adelay={HEAD * 1000:.0f},apad=pad_dur={TAIL},"
    "alimiter=limit=0.66:level=false:latency=true[voice];"  # -3.6 dBFS: MP3 may exceed what it is given
    f"anoisesrc=r={SAMPLE_RATE}:c=pink:a=0.001:seed=1[room];"
    "[voice][room]amix=inputs=2:duration=first:normalize=0"
)


def faults(chapter: Path, seconds: float) -> Iterator[str]:
    """Yield what ACX would refuse a chapter for.

    Args:
        chapter: its file.
        seconds: its length.

    Raises:
        AssemblyFailed: ffmpeg cannot read it.
    """
    peak, rms = ffmpeg.levels(chapter)
    if seconds > LONGEST:
        yield f"{seconds / 60:.0f} minutes long, and ACX takes no more than {LONGEST // 60}"
    if not -23.0 <= rms <= -18.0:
        yield f"{rms:.1f} dBFS RMS, and ACX wants -23 to -18"
    if peak > -3.0:
        yield f"peaks at {peak:.1f} dBFS, and ACX wants no more than -3"
