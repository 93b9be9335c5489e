"""Chapter marks against the sound itself: a chirp planted at each chapter's beginning is where its mark says."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from e2a.plan import BITRATE, Chapter, Part
from e2a.storage import DirectoryStore
from merger.assembly import assemble
from synth_consumer import part as parts
from synth_consumer.audio import EDGE
from synth_consumer.engines import Pcm
from synth_consumer.speaker import Spoken
from tests import chirps
from tests.stores import directory_store
from tests.unit.builders import a_part, a_plan, a_speech

RATE = 24000
CHAPTERS = 30
TOLERANCE = 8
"""Samples: marks are whole milliseconds, and a codec moves a sound a little."""


@pytest.fixture(scope="module")
def book(programs: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an m4b of chapters of one to three parts, none of them a whole number of frames long."""
    folder = tmp_path_factory.mktemp("marks")
    store = directory_store(folder, 1.0)
    plan = a_plan(speech=a_speech(engine="simulated"), chapters=tuple(chapters(store)))
    return folder / assemble(plan, store).output


def chapters(store: DirectoryStore) -> Iterator[Chapter]:
    """Make the chapters: a chirp, and noise that is no chirp."""
    rng = np.random.default_rng(6)
    origin = parts.Origin("simulated", RATE, gain=0.0, worker="w", started=0.0)
    index = 0
    for number in range(CHAPTERS):
        made: list[Part] = []
        for turn in range(1 + number % 3):
            noise = rng.normal(0, 0.05, 3 * RATE + 331 * (index + 1)).astype(np.float32)
            sound = noise if turn else np.concatenate([chirps.chirp(RATE), noise])
            made.append(a_part(index, number))
            parts.finish(store, made[-1], [Spoken(sound)], origin, BITRATE)
            index += 1
        yield Chapter(index=number, title=f"Chapter {number + 1}", parts=tuple(made))


@pytest.fixture(scope="module")
def marks(book: Path) -> list[float]:
    """Return where ffprobe says that the chapters begin, in seconds."""
    command = ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", str(book)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["chapters"]
    return [float(chapter["start_time"]) for chapter in found]


def by_ffmpeg(book: Path, start: float) -> Pcm:
    """Return the sound from a moment on as ffmpeg has it, a second of it; the whole from 0."""
    where = ["-ss", f"{start:.6f}"] if start else []
    length = ["-t", "1"] if start else []
    command = ["ffmpeg", "-v", "error", *where, "-i", str(book), "-map", "0:a", *length, "-f", "f32le", "pipe:1"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)


def by_pyav(book: Path, start: float) -> Pcm:
    """Return the same as PyAV has it: from the frame before the moment on, cut by its time stamps."""
    wanted = round(start * RATE)
    pieces: list[Pcm] = []
    with av.open(str(book)) as container:
        stream = container.streams.audio[0]
        container.seek(max(0, wanted - 4096), stream=stream, backward=True)
        for frame in container.decode(stream):
            assert frame.pts is not None
            pieces.append(frame.to_ndarray()[0, max(0, wanted - frame.pts) :])
            if start and sum(map(len, pieces)) > RATE:
                break
    return np.concatenate(pieces)


@pytest.mark.parametrize("read", [by_ffmpeg, by_pyav])
def test_chirps_are_at_their_marks_in_a_book_that_is_played(book: Path, marks: list[float], read: object) -> None:
    """Decoded from its beginning, the book has every chapter where its mark is: nothing drifts."""
    assert callable(read)
    pcm = read(book, 0.0)
    starts = [round(mark * RATE) for mark in marks]
    found = [start + chirps.find(pcm[start : start + RATE], RATE) - EDGE for start in starts]
    assert len(found) == CHAPTERS
    assert max(abs(heard - start) for heard, start in zip(found, starts, strict=True)) <= TOLERANCE


@pytest.mark.parametrize("read", [by_ffmpeg, by_pyav])
def test_chirps_are_at_their_marks_where_a_player_jumps(book: Path, marks: list[float], read: object) -> None:
    """Opened at a mark, the book plays the chapter from its beginning."""
    assert callable(read)
    found = [chirps.find(read(book, mark), RATE) - EDGE for mark in marks[1:]]
    assert len(found) == CHAPTERS - 1
    assert max(map(abs, found)) <= TOLERANCE
