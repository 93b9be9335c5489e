"""A book from its parts: their bytes one after the other through one `ffmpeg -c copy`. The only home of ffmpeg.

Nothing is encoded again, so a book takes seconds, and a chapter mark is the sum of the samples before it.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from e2a import log
from e2a.errors import ExitCode, Retryable, UserError
from e2a.plan import Part, Plan, Sidecar, letters
from e2a.report import Report
from e2a.storage import ObjectStore, keys, read_sidecar
from merger.report import report
from merger.tags import Mark, add_atoms, ffmetadata, language_code

PROGRAMS = ("ffmpeg", "ffprobe")

logger = log.get(__name__)


class CorruptPart(Exception):
    """A part's objects are missing or damaged: the part has to be made again.

    Args:
        part: which part of the book.
    """

    def __init__(self, part: Part) -> None:
        super().__init__(f"part {part.index} of chapter {part.chapter + 1} is missing or damaged in storage")
        self.part = part


class AssemblyFailed(Retryable):
    """No whole book was made: the scratch disk is full or missing, or ffmpeg cannot read what it is given."""


class TextLost(Exception):
    """The plan speaks other text than its accounting of the book says; no part can mend it."""


def check_programs() -> None:
    """Raise `UserError` unless ffmpeg and ffprobe are installed."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            raise UserError(f"{program} is not on PATH; install it: apt-get install ffmpeg", ExitCode.UNAVAILABLE)


def assemble(plan: Plan, store: ObjectStore) -> Report:
    """Assemble a book whose parts are all in storage, put it there, and return its report, which is not stored.

    Raises:
        CorruptPart: a part is missing or is not what its sidecar says.
        TextLost: the plan lost some of the book.
        AssemblyFailed: ffmpeg failed, or the scratch directory cannot be written.
        Retryable: storage cannot be reached.
    """
    _check_text(plan)
    sidecars = [_sidecar(store, part) for part in plan.parts]
    try:
        return _assemble(plan, store, sidecars)
    except OSError as error:
        raise AssemblyFailed(f"{error.filename or tempfile.gettempdir()}: {error.strerror}") from error


def _assemble(plan: Plan, store: ObjectStore, sidecars: list[Sidecar]) -> Report:
    sample_rate = sidecars[0].sample_rate
    samples = sum(sidecar.samples for sidecar in sidecars)
    marks = chapter_marks(plan, sidecars)
    key = keys.output(plan.book_id, plan.output_format)
    with tempfile.TemporaryDirectory(prefix="e2a-merge-") as scratch:
        book = Path(scratch, f"book.{plan.output_format}")
        metadata = Path(scratch, "metadata.txt")
        metadata.write_text(ffmetadata(plan, marks, sample_rate), encoding="utf-8")
        cover = _fetch_cover(plan, store, Path(scratch))
        _mux(_audio(store, plan.parts, sidecars), metadata, cover, language_code(plan), book)
        found = [stream.get("duration_ts") for stream in _streams(book, "a:0")]
        if found != [samples]:
            raise AssemblyFailed(f"ffmpeg: the book holds {found} samples, its parts {samples}")
        add_atoms(book, plan)
        store.put_file(key, book)
        return report(plan, sidecars, marks, output=key, audio_bytes=book.stat().st_size)


def chapter_marks(plan: Plan, sidecars: list[Sidecar]) -> list[Mark]:
    """Return the mark of each chapter, exact to the sample."""
    marks: list[Mark] = []
    position = 0
    for chapter in plan.chapters:
        end = position + sum(sidecars[part.index].samples for part in chapter.parts)
        marks.append(Mark(chapter.full_title, position, end))
        position = end
    return marks


def _sidecar(store: ObjectStore, part: Part) -> Sidecar:
    sidecar = read_sidecar(store, part.digest)
    if sidecar is None or len(sidecar.sentences) != len(part.sentences):
        raise CorruptPart(part)
    return sidecar


def _check_text(plan: Plan) -> None:
    """Raise `TextLost` unless what the plan speaks is what its accounting of the book says."""
    if plan.accounting is None:
        return
    sentences = (sentence for part in plan.parts for sentence in part.sentences)
    spoken = sum(len(letters(sentence.text)) for sentence in sentences)
    if not plan.accounting.adds_up or spoken != plan.accounting.spoken:
        raise TextLost(f"the plan speaks {spoken} characters and does not add up: {plan.accounting}")


def _audio(store: ObjectStore, parts: Iterable[Part], sidecars: Iterable[Sidecar]) -> Iterator[bytes]:
    for part, sidecar in zip(parts, sidecars, strict=True):
        try:
            data = store.get(keys.part_audio(part.digest))
        except KeyError as error:
            raise CorruptPart(part) from error
        if hashlib.sha256(data).hexdigest() != sidecar.audio_sha256:
            raise CorruptPart(part)
        yield data


def _fetch_cover(plan: Plan, store: ObjectStore, scratch: Path) -> Path | None:
    """Return the cover, or None when there is none that can be shown: that is no reason to have no book."""
    if not plan.cover:
        return None
    path = scratch / Path(plan.cover).name
    try:
        store.get_file(keys.book(plan.book_id, plan.cover), path)
    except KeyError:
        logger.warning("assembly.cover_lost", book=plan.book_id, cover=plan.cover)
        return None
    if not any(stream.get("width") for stream in _streams(path, "v:0")):
        logger.warning("assembly.cover_unreadable", book=plan.book_id, cover=plan.cover)
        return None
    return path


def _mux(audio: Iterable[bytes], metadata: Path, cover: Path | None, language: str, target: Path) -> None:
    # a pipe beside other inputs is polled every 10 ms unless its queue is deep: 80 times slower
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-thread_queue_size", "8192"]
    command += ["-f", "aac", "-i", "pipe:0", "-f", "ffmetadata", "-i", str(metadata)]
    if cover is not None:
        command += ["-i", str(cover), "-map", "2:v:0", "-disposition:v:0", "attached_pic"]
    command += ["-map", "0:a:0", "-map_metadata", "1", "-map_chapters", "1", "-c", "copy"]
    command += ["-metadata:s:a:0", f"language={language}"]
    command += ["-fflags", "+bitexact", "-movflags", "+faststart", "-f", "ipod", str(target)]
    with tempfile.TemporaryFile() as messages:
        # a pipe that breaks is explained by the exit status
        with suppress(BrokenPipeError), subprocess.Popen(command, stdin=subprocess.PIPE, stderr=messages) as process:
            assert process.stdin is not None
            for data in audio:
                process.stdin.write(data)
        if process.returncode:
            messages.seek(0)
            words = messages.read().decode(errors="replace")[-500:]
            raise AssemblyFailed(f"ffmpeg: exit {process.returncode}: {words}")


def _streams(path: Path, select: str) -> list[dict[str, Any]]:
    """Return what ffprobe says of the streams of a file; nothing when it cannot read the file.

    Raises:
        AssemblyFailed: ffprobe was killed.
    """
    command = ["ffprobe", "-v", "error", "-select_streams", select, "-of", "json"]
    command += ["-show_entries", "stream=duration_ts,width", str(path)]
    result = subprocess.run(command, capture_output=True, check=False)
    if result.returncode < 0:
        raise AssemblyFailed(f"ffprobe: killed by signal {-result.returncode}")
    streams: list[dict[str, Any]] = json.loads(result.stdout).get("streams", []) if result.returncode == 0 else []
    return streams
