"""One part: sentences to sound, sound to storage. The audio is put before the sidecar that declares it done."""

import hashlib
from collections.abc import Sequence

import numpy as np

from e2a.plan import Part, Retake, Sidecar
from e2a.storage import ObjectStore, keys, read_sidecar
from synth_consumer import audio
from synth_consumer.speaker import Spoken


def finish(store: ObjectStore, part: Part, spoken: Sequence[Spoken], *, sample_rate: int, engine: str) -> Sidecar:
    """Encode spoken sentences and put the part into storage, unless somebody else has done so: the first one counts.

    Returns the sidecar that is in storage.

    Args:
        store: where parts live.
        part: what was spoken.
        spoken: one for each sentence.
        sample_rate: of `spoken`, in hertz.
        engine: name of the engine.

    Raises:
        Retryable: storage cannot be reached.
    """
    pauses = [sentence.pause_ms for sentence in part.sentences]
    layout = audio.lay_out([each.pcm for each in spoken], pauses, sample_rate)
    encoded = audio.encode_adts(layout.pcm, sample_rate, audio.BITRATE)
    sidecar = Sidecar(
        digest=part.digest,
        sample_rate=sample_rate,
        samples=len(layout.pcm),
        frames=len(layout.pcm) // audio.FRAME,
        audio_bytes=len(encoded),
        audio_sha256=hashlib.sha256(encoded).hexdigest(),
        sentences=layout.sentences,
        peak=round(float(np.abs(layout.pcm).max()), 6),
        retakes=_retakes(part, spoken, [start / sample_rate for start, _end in layout.sentences]),
        engine=engine,
        encoder=audio.ENCODER,
    )
    if stored := read_sidecar(store, part.digest):
        return stored
    store.put(keys.part_audio(part.digest), encoded)
    store.put(keys.part_sidecar(part.digest), sidecar.model_dump_json().encode())
    return sidecar


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
