"""What is stored of a part, and what is made of that instead of speaking again."""

import threading
from itertools import pairwise

import numpy as np
import pytest

from e2a.errors import Poison
from e2a.messages import PartDone
from e2a.plan import BITRATE, Part, part_digest
from e2a.storage import keys, read_sidecar
from synth_consumer import audio
from synth_consumer.worker import MAX_DEATHS
from tests.unit.builders import a_blob, a_job, a_part, a_speech, put_part, some_audio, some_master
from tests.unit.puppet import a_pace, cut
from tests.unit.workbench import SENTENCES, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def part() -> Part:
    return a_part(sentences=SENTENCES, digest=part_digest(SENTENCES, a_speech()))


def test_the_sidecar_says_what_is_in_storage(bench: Bench, part: Part) -> None:
    """Sizes, digests, lengths, peak, loudness and gain are those of the objects; pauses are exact in the master."""
    bench.worker.handle(a_job(part), threading.Event())
    sidecar = read_sidecar(bench.store, part.digest, BITRATE)
    assert sidecar is not None
    master, aac = bench.store.get(keys.part_master(part.digest)), bench.store.get(keys.part_audio(part.digest, BITRATE))
    assert (sidecar.master, sidecar.aac) == (a_blob(master), {BITRATE: a_blob(aac)})
    samples, rate = audio.read_master(master)
    assert (rate, len(samples)) == (sidecar.sample_rate, sidecar.samples)
    assert sidecar.gain == a_pace().gains["r128"] != 0
    assert sidecar.loudness == pytest.approx(audio.loudness(samples, rate), abs=0.01)
    assert sidecar.peak == pytest.approx(audio.peak(samples), abs=1e-6)
    assert not sidecar.limited
    assert (sidecar.worker, sidecar.engine, sidecar.encoder) == ("w0", "espeak", audio.ENCODER)
    assert sidecar.work_seconds > 0
    said = np.zeros(len(samples), bool)
    for start, end in sidecar.sentences:
        said[start:end] = True
    assert not samples[~said].any()
    gaps = [start - end for (_, end), (start, _) in pairwise(sidecar.sentences)]
    assert gaps == [rate // 10] * 2


def test_a_part_is_as_loud_as_the_book_wants_it(bench: Bench, part: Part) -> None:
    """Samples of the master are those of the engine times the gain for the loudness that was asked for."""
    masters = []
    for loudness in ("r128", "acx"):
        speech = a_speech(loudness=loudness)
        job = a_job(part.model_copy(update={"digest": part_digest(SENTENCES, speech)}), speech=speech)
        bench.worker.handle(job, threading.Event())
        masters.append(audio.read_master(bench.store.get(keys.part_master(job.part.digest)))[0].astype(float))
    plain, other = masters
    gains = a_pace().gains
    ratio = np.sqrt(np.mean(other**2) / np.mean(plain**2))
    assert 20 * np.log10(ratio) == pytest.approx(gains["acx"] - gains["r128"], abs=0.01)


def test_the_same_part_is_the_same_bytes(bench: Bench, part: Part) -> None:
    """Another worker, elsewhere, makes the same master and the same AAC."""
    other = Bench()
    for each in (bench, other):
        each.worker.handle(a_job(part), threading.Event())
    for key in (keys.part_master(part.digest), keys.part_audio(part.digest, BITRATE)):
        assert bench.store.get(key) == other.store.get(key)


def test_another_bit_rate_is_made_from_the_master(bench: Bench, part: Part) -> None:
    """A part that is there costs no speech in another bit rate: the AAC is the one that speaking it would have made."""
    bench.worker.handle(a_job(part), threading.Event())
    bench.store.order.clear()
    event = bench.worker.handle(a_job(part, bitrate=96_000), threading.Event())
    assert len(bench.engine.spoken) == 3
    assert bench.store.order == [keys.part_audio(part.digest, 96_000), keys.part_sidecar(part.digest)]
    sidecar = read_sidecar(bench.store, part.digest, 96_000)
    assert sidecar is not None
    assert sidecar == read_sidecar(bench.store, part.digest, BITRATE)
    assert isinstance(event, PartDone)
    assert (event.audio_bytes, event.work_seconds) == (sidecar.aac[96_000].size, 0)
    at_once = Bench()
    at_once.worker.handle(a_job(part, bitrate=96_000), threading.Event())
    key = keys.part_audio(part.digest, 96_000)
    assert at_once.store.get(key) == bench.store.get(key)
    assert bench.free(part)


def test_aac_that_is_gone_is_made_from_the_master(bench: Bench, part: Part) -> None:
    """AAC that is missing or cut off comes back as it was, without speech."""
    bench.worker.handle(a_job(part), threading.Event())
    key = keys.part_audio(part.digest, BITRATE)
    made = bench.store.get(key)
    for damage in (lambda: bench.store.delete(key), lambda: bench.store.put(key, made[:100])):
        damage()
        assert isinstance(bench.worker.handle(a_job(part), threading.Event()), PartDone)
        assert bench.store.get(key) == made
    assert len(bench.engine.spoken) == 3


def test_every_encoder_is_named(bench: Bench, part: Part) -> None:
    """AAC that a newer version makes of an older master is told apart, once."""
    bench.worker.handle(a_job(part), threading.Event())
    sidecar = read_sidecar(bench.store, part.digest, BITRATE)
    assert sidecar is not None
    older = sidecar.model_copy(update={"encoder": "flac and aac of libavcodec 1"})
    bench.store.put(keys.part_sidecar(part.digest), older.model_dump_json().encode())
    for bitrate in (96_000, 128_000):
        bench.worker.handle(a_job(part, bitrate=bitrate), threading.Event())
    again = read_sidecar(bench.store, part.digest, 128_000)
    assert again is not None
    assert again.encoder == f"flac and aac of libavcodec 1; {audio.ENCODER}"


@pytest.mark.parametrize("damage", ["cut off", "no FLAC", "other bytes"])
def test_a_damaged_master_is_spoken_again(bench: Bench, part: Part, damage: str) -> None:
    """A master that is not what the sidecar says is good for nothing: the part is made anew."""
    bench.worker.handle(a_job(part), threading.Event())
    key = keys.part_master(part.digest)
    sidecar, made = read_sidecar(bench.store, part.digest, BITRATE), bench.store.get(key)
    assert sidecar is not None
    if damage == "other bytes":
        changed = sidecar.model_copy(update={"master": a_blob(made[:-1] + b"?")})
        bench.store.put(keys.part_sidecar(part.digest), changed.model_dump_json().encode())
    else:
        bench.store.put(key, made[:-50] if damage == "cut off" else bytes(len(made)))
    bench.worker.handle(a_job(part, bitrate=96_000), threading.Event())
    assert len(bench.engine.spoken) == 6
    assert bench.store.get(key) == made
    again = read_sidecar(bench.store, part.digest, 96_000)
    assert again is not None
    assert (again.master, list(again.aac)) == (sidecar.master, [96_000])


def test_a_part_that_killed_its_workers_is_not_encoded_either(bench: Bench, part: Part) -> None:
    """It may be the encoder that dies of it."""
    bench.worker.handle(a_job(part), threading.Event())
    for holder in range(MAX_DEATHS):
        assert bench.checkpoint.claim(f"part/{part.digest}", str(holder), 6)
        bench.clock.now += 7
    with pytest.raises(Poison, match="killed its worker"):
        bench.worker.handle(a_job(part, bitrate=96_000), threading.Event())


def test_the_first_that_is_stored_counts(bench: Bench, part: Part) -> None:
    """A part that somebody else has stored while it was spoken stays as it is, and that is what is reported."""
    bench.engine.before = lambda text: text == "Three." and put_part(bench.store, part)
    event = bench.worker.handle(a_job(part), threading.Event())
    assert isinstance(event, PartDone)
    assert bench.store.get(keys.part_audio(part.digest, BITRATE)) == some_audio(part)
    assert bench.store.get(keys.part_master(part.digest)) == some_master(part)
    assert (event.audio_seconds, event.audio_bytes) == (1.0, len(some_audio(part)))


def test_what_was_said_again_is_told(bench: Bench, part: Part) -> None:
    """The sidecar and the event name each sentence that needed another take, and the worker counts them."""
    bench.engine.change = lambda take, utterance: (
        cut(take) if utterance.text == "Two." and len(bench.engine.spoken) == 2 else take
    )
    event = bench.worker.handle(a_job(part), threading.Event())
    sidecar = read_sidecar(bench.store, part.digest, BITRATE)
    assert sidecar is not None
    assert isinstance(event, PartDone)
    (retake,) = event.retakes
    assert (retake.sentence, retake.text, retake.takes, retake.flaws) == (1, "Two.", 2, ("no-stop",))
    assert retake.start == pytest.approx(sidecar.sentences[1][0] / sidecar.sample_rate, abs=1e-3)
    assert sidecar.retakes == event.retakes
    record = bench.status.snapshot(())
    assert (record.retaken, record.doubtful) == (1, 0)
