"""How loud parts are and how they join, with speech of the real espeak-ng."""

import io
import threading
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import av
import numpy as np
import pytest

from e2a.checkpoint import LeaseKeeper
from e2a.plan import BITRATE, Sentence, Sidecar, Speech, part_digest
from e2a.settings import SynthSettings
from e2a.storage import keys, read_sidecar
from e2a.testing import Clock, MemoryCheckpoint, MemoryStore
from synth_consumer.audio import EDGE, FRAME, Samples, encode_adts, lay_out, quantise, read_master
from synth_consumer.engines import Pcm, Utterance
from synth_consumer.engines.espeak import EspeakEngine
from synth_consumer.speaker import Speaker
from synth_consumer.status import Status
from synth_consumer.worker import Worker
from tests.servers import require
from tests.takes import sentences
from tests.unit.builders import a_job, a_part

CEILING = 10 ** (-3 / 20)
"""What no decoded peak may be above."""


@cache
def engine() -> EspeakEngine:
    require("espeak-ng")
    loaded = EspeakEngine(SynthSettings())
    loaded.load()
    return loaded


class Made(NamedTuple):
    """A part in storage."""

    master: bytes
    aac: bytes
    sidecar: Sidecar

    @property
    def samples(self) -> Samples:
        return read_master(self.master)[0]


def make(speech: Speech, runs: Sequence[Sequence[str]]) -> list[Made]:
    """Return a part for each run of sentences, made by a worker that has just been started."""
    store, status = MemoryStore(), Status("w0", engine())
    leases = LeaseKeeper(MemoryCheckpoint(Clock()), "w0")
    worker = Worker(name="w0", engine=engine(), speaker=Speaker(engine()), store=store, leases=leases, status=status)
    made = []
    for index, run in enumerate(runs):
        said = tuple(Sentence(text=text, pause_ms=400) for text in run)
        part = a_part(index, sentences=said, digest=part_digest(said, speech))
        assert worker.handle(a_job(part, speech=speech), threading.Event())
        sidecar = read_sidecar(store, part.digest, BITRATE)
        assert sidecar is not None
        master, aac = (store.get(key) for key in (keys.part_master(part.digest), keys.part_audio(part.digest, BITRATE)))
        made.append(Made(master, aac, sidecar))
    return made


def runs(language: str, count: int, length: int) -> list[list[str]]:
    """Return different sentences, so many runs of so many."""
    texts = sentences(language, count * length)
    return [texts[start : start + length] for start in range(0, len(texts), length)]


def decode(encoded: bytes) -> Pcm:
    """Return what a decoder makes of it, as float32 samples."""
    floats = av.AudioResampler(format="fltp", layout="mono")
    with av.open(io.BytesIO(encoded)) as container:
        frames = [each for frame in container.decode(audio=0) for each in floats.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def mp3(samples: Samples, sample_rate: int) -> bytes:
    """Return MP3 as ACX wants it: 44.1 kHz, 192 kbit/s."""
    target, converted = io.BytesIO(), av.AudioResampler(format="s16p", layout="mono", rate=44100)
    with av.open(target, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=44100, layout="mono")
        stream.bit_rate = 192_000
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = sample_rate
        for resampled in (*converted.resample(frame), *converted.resample(None)):
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))
    return target.getvalue()


@pytest.mark.parametrize("speech", [("en", ""), ("en", "en-us+f3"), ("de", ""), ("ka", "")])
def test_parts_are_equally_loud(speech: tuple[str, str]) -> None:
    """Parts of a voice differ by less than half a unit, near -19 LUFS, also in a language without a fixed text."""
    language, voice = speech
    texts = runs("de" if language == "de" else "en", 6, 8)
    made = make(Speech(engine="espeak", language=language, voice=voice), texts)
    heard = [each.sidecar.loudness for each in made if each.sidecar.loudness is not None]
    assert len(heard) == 6
    assert max(heard) - min(heard) <= 0.5
    assert np.mean(heard) == pytest.approx(-19, abs=0.6)
    assert len({each.sidecar.gain for each in made}) == 1


def test_no_decoded_peak_is_above_three_decibels() -> None:
    """The peaks that AAC and MP3 add to those of the limited master stay below -3 dBFS."""
    made = make(Speech(engine="espeak", language="en"), runs("en", 3, 8))
    assert all(each.sidecar.limited for each in made)
    for each in made:
        assert np.abs(decode(each.aac)).max() <= CEILING
        assert np.abs(decode(mp3(each.samples, each.sidecar.sample_rate))).max() <= CEILING


def test_acx_wants_a_level() -> None:
    """The RMS of a chapter, its pauses included, is near the -20 dBFS that ACX wants: it takes -23 to -18."""
    made = make(Speech(engine="espeak", language="en", loudness="acx"), runs("en", 3, 8))
    chapter = np.concatenate([each.samples for each in made]) / 32768
    assert 10 * np.log10(np.mean(chapter**2)) == pytest.approx(-20, abs=0.7)


def test_another_worker_makes_the_same_bytes() -> None:
    """Masters and AAC have no clock and no chance in them."""
    speech, texts = Speech(engine="espeak", language="en"), runs("en", 2, 3)
    first, second = make(speech, texts), make(speech, texts)
    assert [each[:2] for each in first] == [each[:2] for each in second]


def test_joins_cannot_be_heard() -> None:
    """Two pieces of speech that are cut in the middle of a word join without a step, and not worse than AAC is anyway.

    The error against the samples that went in is taken where the parts meet and, for comparison, within speech.
    """
    rate = engine().sample_rate
    said = [
        engine().say(Utterance(text, Speech(engine="espeak", language="en"), seed=0)).pcm for text in sentences("en", 8)
    ]
    first, second = (np.concatenate(each) for each in (said[:4], said[4:]))
    parts = [
        quantise(lay_out([piece], [0], rate).pcm) for piece in (first[: loudest(first)], second[loudest(second) :])
    ]
    joined = decode(b"".join(encode_adts(part, rate, BITRATE) for part in parts))
    true = np.concatenate(parts) / np.float32(32768)
    assert len(joined) == len(true)
    join = len(parts[0])
    assert np.abs(np.diff(joined[join - FRAME : join + FRAME])).max() < 1e-4
    error = joined - true
    assert level(error[join - EDGE : join + EDGE]) < level(error[rate : len(parts[0]) - rate]) - 6


def loudest(pcm: Pcm) -> int:
    """Return a sample in the middle of a word: the highest of the middle third."""
    third = len(pcm) // 3
    return third + int(np.abs(pcm[third : 2 * third]).argmax())


def level(pcm: Pcm) -> float:
    """Return the root mean square in decibels."""
    return float(10 * np.log10(np.mean(np.square(pcm, dtype=np.float64)) + 1e-12))
