"""From a reference recording to what XTTS takes a voice from, without torchcodec, which needs FFmpeg's libraries."""

import threading
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
import torchaudio

from e2a.errors import Poison
from synth_consumer.audio import decode
from synth_consumer.engines.coqui import models

SHORTEST = 1.0
"""Seconds of a recording, at least; XTTS wants some six."""
QUIET = 1e-3
"""A recording without a sample above this is silence."""
RATE = 22050
"""Sample rate that XTTS hears recordings at."""
RATES = frozenset((8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000))
"""Sample rates taken; torchaudio needs gigabytes to resample from one that has few factors."""
_REMEMBERED = 16
"""Voices of a model that are kept, some 130 KB each, with their recordings."""
_lock = threading.Lock()


class Hearing(NamedTuple):
    """How a model listens to a recording (`XttsConfig`), in seconds."""

    gpt_cond_len: int
    gpt_cond_chunk_len: int
    max_ref_len: int
    sound_norm_refs: bool
    """Whether it is made as loud as others first."""


def latents(model: Any, clip: bytes) -> tuple[Any, Any]:
    """Return what an `Xtts` knows of the voice in a recording; the same recording is listened to once. Thread-safe.

    It is what `Xtts.get_conditioning_latents` with the settings of the model's config makes of the same samples.

    Args:
        model: coqui's `Xtts`, in evaluation mode.
        clip: a recording in any format.

    Returns:
        `gpt_cond_latent` of shape (1, 32, width) and `speaker_embedding` of shape (1, 512, 1), on the CPU: copying them
        from the GPU for each sentence would wait for all that it has to do.

    Raises:
        Poison: it holds no audio, only silence, or too little.
        Retryable: the GPU's memory was full.
    """
    hearing = Hearing(*(model.config[field] for field in Hearing._fields))
    with _lock:
        return models.within_memory(
            lambda: _latents(model, clip, hearing), lacking="no memory to listen to the recording"
        )


@lru_cache(_REMEMBERED)
def _latents(model: Any, clip: bytes, hearing: Hearing) -> tuple[Any, Any]:
    audio = _samples(clip)[:, : hearing.max_ref_len * RATE].to(model.device)
    if hearing.sound_norm_refs:
        audio = audio / audio.abs().max() * 0.75
    embedding = model.get_speaker_embedding(audio, RATE)
    latent = model.get_gpt_cond_latents(
        audio, RATE, length=hearing.gpt_cond_len, chunk_length=hearing.gpt_cond_chunk_len
    )
    return latent.cpu(), embedding.cpu()


def _samples(clip: bytes) -> Any:
    """Return a tensor of shape (1, samples) at `RATE`."""
    try:
        pcm, rate = decode(clip)
    except ValueError as error:
        raise Poison(f"the reference recording is no use: {error}") from error
    if rate not in RATES:
        raise Poison(f"the reference recording has {rate} samples a second, which is unusual; convert it to 44100")
    if len(pcm) < SHORTEST * rate:
        raise Poison(f"the reference recording is too short: {len(pcm) / rate:.2f} s; six seconds are good")
    if np.abs(pcm).max() < QUIET:
        raise Poison("the reference recording holds only silence")
    return torchaudio.functional.resample(torch.from_numpy(pcm)[None], rate, RATE).clamp(-1, 1)
