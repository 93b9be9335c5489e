"""A part by XTTS: the same words at the same places however many sentences are decoded at once."""

import threading
from pathlib import Path

import numpy as np
import pytest

from e2a.checkpoint import LeaseKeeper
from e2a.messages import PartDone
from e2a.plan import BITRATE, Part, Sentence, Sidecar, Speech, part_digest
from e2a.settings import SynthSettings
from e2a.storage import keys, read_sidecar
from e2a.testing import Clock, MemoryCheckpoint, MemoryStore
from synth_consumer import audio, engines
from synth_consumer.speaker import Speaker
from synth_consumer.status import Status
from synth_consumer.worker import Worker
from tests.unit.builders import a_job

TEXTS = (
    "It was a dark night.",
    "Nobody had seen the boat, nor would anybody admit it.",
    "Rain fell, and it did not end.",
)
SENTENCES = tuple(Sentence(text=text, pause_ms=400) for text in TEXTS)


def make(folder: Path, batch: int) -> tuple[bytes, Sidecar]:
    """Return the audio and the sidecar of a part made by a worker that has just been started."""
    engine = engines.create(
        SynthSettings(engine="xtts", model=str(folder), device="cpu", accept_cpml=True, batch=batch)
    )
    engine.load()
    store, status = MemoryStore(), Status("w0", engine)
    leases = LeaseKeeper(MemoryCheckpoint(Clock()), "w0")
    worker = Worker(name="w0", engine=engine, speaker=Speaker(engine), store=store, leases=leases, status=status)
    speech = Speech(engine="xtts", language="en", model=engine.model)
    part = Part(index=0, chapter=0, digest=part_digest(SENTENCES, speech), estimate=1.0, sentences=SENTENCES)
    assert isinstance(worker.handle(a_job(part, speech=speech), threading.Event()), PartDone)
    sidecar = read_sidecar(store, part.digest, BITRATE)
    assert sidecar is not None
    return store.get(keys.part_audio(part.digest, BITRATE)), sidecar.model_copy(update={"work_seconds": 0.0})


@pytest.fixture(scope="module")
def one_by_one(xtts_folder: Path) -> tuple[bytes, Sidecar]:
    return make(xtts_folder, batch=1)


def test_twice_is_the_same_bytes(one_by_one: tuple[bytes, Sidecar], xtts_folder: Path) -> None:
    """Another worker that decodes one sentence at a time makes the same object."""
    assert make(xtts_folder, batch=1) == one_by_one


def test_together_is_the_same_words(one_by_one: tuple[bytes, Sidecar], xtts_folder: Path) -> None:
    """Decoded side by side every sentence begins and ends at the same sample, and the same ones were said again."""
    _audio, together = make(xtts_folder, batch=3)
    assert together.sentences == one_by_one[1].sentences
    assert together.retakes == one_by_one[1].retakes


def test_offsets_match_the_audio(one_by_one: tuple[bytes, Sidecar]) -> None:
    """In the encoded audio sound is where the sidecar says that sentences are, and silence is between them."""
    encoded, sidecar = one_by_one
    pcm, sample_rate = audio.decode(encoded)
    assert sample_rate == sidecar.sample_rate
    starts, ends = zip(*sidecar.sentences, strict=True)
    for start, end in sidecar.sentences:
        assert level(pcm[start:end]) > 0.02
    smear = audio.FRAME  # of the encoder, at both ends
    for end, start in zip(ends, (*starts[1:], len(pcm)), strict=True):
        assert level(pcm[end + smear : start - smear]) < 0.002


def level(pcm: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(pcm))))
