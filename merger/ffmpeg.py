"""The programs ffmpeg and ffprobe: whether they are good enough, runs, and looks into files. Their only home."""

import json
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from e2a import log
from e2a.errors import ExitCode, UserError
from merger.faults import AssemblyFailed, Cancelled

PROGRAMS = ("ffmpeg", "ffprobe")
OLDEST = (5, 1)
"""Of Debian 12, the oldest that the tests run with."""
_NEEDED = {
    "encoders": {"flac", "libmp3lame", "libopus", "pcm_s16le"},
    "muxers": {"flac", "ipod", "mp3", "opus", "wav"},
    "filters": {"adelay", "alimiter", "amix", "anoisesrc", "apad", "aresample", "astats"},
}
_PIECE = 1 << 16
"""Bytes that are written at once: what a pipe holds."""

logger = log.get(__name__)


def check() -> None:
    """Raise `UserError` unless ffmpeg and ffprobe are installed, new enough, and can all that a book may need."""
    for program in PROGRAMS:
        path = shutil.which(program)
        if path is None:
            raise UserError(f"{program} is not on PATH; install it: apt-get install ffmpeg", ExitCode.UNAVAILABLE)
        found = version(program)
        number = re.match(r"n?(\d+)\.(\d+)", found)  # what was built from a working tree has none, and is new
        if number and (int(number[1]), int(number[2])) < OLDEST:
            needed = ".".join(map(str, OLDEST))
            reason = f"{program} {found} ({path}) is too old; install {needed} or later, as Debian 12 has it"
            raise UserError(reason, ExitCode.UNAVAILABLE)
        logger.info("merge.program", program=program, version=found, path=path)
    for kind, needed_ones in _NEEDED.items():
        listed = _output("ffmpeg", "-hide_banner", f"-{kind}").split()
        if lacking := sorted(needed_ones - set(listed)):
            reason = (
                f"ffmpeg {version('ffmpeg')} is built without {kind} {', '.join(lacking)}; install one that has them"
            )
            raise UserError(f"{reason}, such as Debian's", ExitCode.UNAVAILABLE)


def version(program: str) -> str:
    """Return the version of a program as it calls itself, such as `5.1.9-0+deb12u1`; empty when it does not say."""
    found = re.match(rf"{program} version (\S+)", _output(program, "-version"))
    return found[1] if found else ""


def run(arguments: Sequence[str], audio: Iterable[bytes], cancelled: Event) -> None:
    """Run ffmpeg and write audio to its standard input; it is killed when anything goes wrong.

    Args:
        arguments: between the ones that are always given; `pipe:0` is where it reads the audio.
        audio: pieces of any length.
        cancelled: ends the run when it is set.

    Raises:
        AssemblyFailed: it failed; the text has its last words.
        Cancelled: `cancelled` was set.
    """
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments]
    words: deque[bytes] = deque(maxlen=5)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        listener = Thread(target=words.extend, args=[process.stderr])  # not to a file: the disk may be full
        listener.start()
        try:
            with suppress(BrokenPipeError):  # is explained by the exit status
                for piece in _pieces(audio):
                    _go_on(cancelled)
                    process.stdin.write(piece)
                process.stdin.close()
            while not _ended(process):
                _go_on(cancelled)
        finally:
            process.kill()  # nothing happens to one that has ended
            with suppress(BrokenPipeError):  # of what was not written yet
                process.stdin.close()
            listener.join()
    if process.returncode:
        raise _failed(process.returncode, b"".join(words))


def decode(flac: bytes) -> bytes:
    """Return the samples of a FLAC as 16-bit little-endian PCM.

    Raises:
        AssemblyFailed: ffmpeg failed.
    """
    command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "flac", "-i", "pipe:0", "-f", "s16le", "pipe:1"]
    result = subprocess.run(command, input=flac, capture_output=True, check=False)
    if result.returncode:
        raise _failed(result.returncode, result.stderr)
    return result.stdout


def shows(picture: Path) -> bool:
    """Say whether a file is a picture that is whole."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(picture), "-frames:v", "1", "-f", "null", "-"]
    result = subprocess.run(command, capture_output=True, check=False)
    return result.returncode == 0 and not result.stderr


def levels(recording: Path) -> tuple[float, float]:
    """Return peak and RMS of a recording in dBFS; minus infinity for silence.

    Raises:
        AssemblyFailed: ffmpeg cannot read it.
    """
    measure = "astats=measure_perchannel=none:measure_overall=Peak_level+RMS_level"
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-i", str(recording)]
    command += ["-af", measure, "-f", "null", "-"]
    result = subprocess.run(command, capture_output=True, check=False)
    found = dict(re.findall(r"(Peak|RMS) level dB: (\S+)", _text(result.stderr)))
    if result.returncode or len(found) < 2:
        raise _failed(result.returncode, result.stderr)
    return float(found["Peak"]), float(found["RMS"])


def samples(recording: Path, sample_rate: int) -> int:
    """Return the length of a recording as its container says it, in samples of a given rate; 0 when it does not say.

    Raises:
        AssemblyFailed: ffprobe was killed.
    """
    command = ["ffprobe", "-v", "error", "-select_streams", "a:0", "-of", "json"]
    command += ["-show_entries", "stream=duration_ts,time_base", str(recording)]
    result = subprocess.run(command, capture_output=True, check=False)
    if result.returncode < 0:
        raise AssemblyFailed(f"ffprobe: killed by signal {-result.returncode}")
    streams: list[dict[str, Any]] = json.loads(result.stdout).get("streams", []) if result.returncode == 0 else []
    if not streams or "duration_ts" not in streams[0]:
        return 0
    numerator, denominator = map(int, streams[0]["time_base"].split("/"))
    return round(int(streams[0]["duration_ts"]) * numerator * sample_rate / denominator)


def _output(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return result.stdout


def _failed(status: int, words: bytes) -> AssemblyFailed:
    return AssemblyFailed(f"ffmpeg: exit {status}: {_text(words)}")


def _text(words: bytes) -> str:
    return " ".join(words.decode(errors="replace")[-500:].split())


def _pieces(audio: Iterable[bytes]) -> Iterator[memoryview]:
    for data in audio:
        view = memoryview(data)
        for start in range(0, len(view), _PIECE):
            yield view[start : start + _PIECE]


def _go_on(cancelled: Event) -> None:
    if cancelled.is_set():
        raise Cancelled("the merger is ending")


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        return False
    return True
