"""One part: sentences to sound, sound to storage. The audio is put before the sidecar that declares it done."""

import hashlib

import numpy as np

from e2a.plan import Part, Sidecar
from e2a.storage import ObjectStore, keys
from synth_consumer import audio
from synth_consumer.engines import Pcm


def finish(store: ObjectStore, part: Part, spoken: list[Pcm], *, sample_rate: int, engine: str) -> Sidecar:
    """Encode spoken sentences and put the part into storage.

    Args:
        store: where parts live.
        part: what was spoken.
        spoken: one mono float32 array a sentence.
        sample_rate: of `spoken`, in hertz.
        engine: name of the engine.

    Raises:
        Retryable: storage cannot be reached.
    """
    layout = audio.lay_out(spoken, [sentence.pause_ms for sentence in part.sentences], sample_rate)
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
        engine=engine,
        encoder=audio.ENCODER,
    )
    store.put(keys.part_audio(part.digest), encoded)
    store.put(keys.part_sidecar(part.digest), sidecar.model_dump_json().encode())
    return sidecar
