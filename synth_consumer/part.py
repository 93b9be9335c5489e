"""One part: sentences to sound, sound to storage. The sidecar that declares it done is put last."""

import hashlib
import time
from collections.abc import Sequence
from typing import NamedTuple

from e2a.plan import Blob, Part, Retake, Sidecar
from e2a.storage import ObjectStore, keys, read_sidecar
from synth_consumer import audio, loudness
from synth_consumer.speaker import Spoken


class Origin(NamedTuple):
    """Who made a part, and how."""

    engine: str
    """Name of the engine."""
    sample_rate: int
    """Of the engine, in hertz."""
    gain: float
    """By which the engine's sound is amplified, in decibels."""
    worker: str
    """Name of the worker."""
    started: float
    """When it began, by `time.monotonic`."""


def finish(store: ObjectStore, part: Part, spoken: Sequence[Spoken], origin: Origin, bitrate: int) -> Sidecar:
    """Level and encode spoken sentences and put the part into storage, unless somebody else has: the first one counts.

    Returns the sidecar that is in storage.

    Args:
        store: where parts live.
        part: what was spoken.
        spoken: one for each sentence.
        origin: where it comes from.
        bitrate: of the AAC, in bits a second.

    Raises:
        Unavailable: storage cannot be reached; a `PatientStore` waits instead, and raises `LetGo`.
    """
    rate = origin.sample_rate
    pauses = [sentence.pause_ms for sentence in part.sentences]
    layout = audio.lay_out([each.pcm for each in spoken], pauses, rate)
    levelled = loudness.level(layout.pcm, rate, origin.gain)
    samples = audio.quantise(levelled.pcm)
    heard = audio.loudness(samples, rate)
    master, aac = audio.encode_master(samples, rate), audio.encode_adts(samples, rate, bitrate)
    sidecar = Sidecar(
        digest=part.digest,
        sample_rate=rate,
        samples=len(samples),
        master=_blob(master),
        aac={bitrate: _blob(aac)},
        sentences=layout.sentences,
        gain=origin.gain,
        limited=levelled.limited,
        loudness=heard and round(heard, 2),
        peak=round(audio.peak(samples), 6),
        retakes=_retakes(part, spoken, [start / rate for start, _end in layout.sentences]),
        engine=origin.engine,
        encoder=audio.ENCODER,
        worker=origin.worker,
        work_seconds=round(time.monotonic() - origin.started, 3),
    )
    if stored := read_sidecar(store, part.digest, bitrate):
        return stored
    store.put(keys.part_master(part.digest), master)
    _put(store, sidecar, bitrate, aac)
    return sidecar


def encode_again(store: ObjectStore, sidecar: Sidecar, bitrate: int) -> Sidecar | None:
    """Make the AAC of a part from its master and return the sidecar, which knows it now.

    None when the master is damaged: the part has to be spoken.

    Args:
        store: where parts live.
        sidecar: as it is in storage.
        bitrate: of the AAC, in bits a second.

    Raises:
        Unavailable: storage cannot be reached; a `PatientStore` waits instead, and raises `LetGo`.
    """
    digest = sidecar.digest
    try:
        master = store.get(keys.part_master(digest))
        if _blob(master) != sidecar.master:
            return None
        samples, sample_rate = audio.read_master(master)
    except (KeyError, ValueError):
        return None
    aac = audio.encode_adts(samples, sample_rate, bitrate)
    encoders = dict.fromkeys((*sidecar.encoder.split("; "), audio.ENCODER))  # this one may be newer than the master's
    update = {"aac": sidecar.aac | {bitrate: _blob(aac)}, "encoder": "; ".join(encoders)}
    sidecar = sidecar.model_copy(update=update)
    _put(store, sidecar, bitrate, aac)
    return sidecar


def _put(store: ObjectStore, sidecar: Sidecar, bitrate: int, aac: bytes) -> None:
    store.put(keys.part_audio(sidecar.digest, bitrate), aac)
    store.put(keys.part_sidecar(sidecar.digest), sidecar.model_dump_json().encode())


def _blob(data: bytes) -> Blob:
    return Blob(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def _retakes(part: Part, spoken: Sequence[Spoken], starts: Sequence[float]) -> tuple[Retake, ...]:
    """Return the sentences that were said more than once, or whose only take is doubtful."""
    return tuple(
        Retake(
            sentence=index,
            start=round(start, 3),
            text=sentence.say,
            takes=each.takes,
            flaws=each.flaws,
            doubtful=each.doubtful,
        )
        for index, (sentence, each, start) in enumerate(zip(part.sentences, spoken, starts, strict=True))
        if each.flaws
    )
