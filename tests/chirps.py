"""Sounds that are planted in audio and found again to the sample, wherever a codec and a container have put them."""

import numpy as np

from synth_consumer.engines import Pcm

SECONDS = 0.1
_FROM, _TO = 500.0, 4000.0


def chirp(sample_rate: int) -> Pcm:
    """Return a tone that climbs three octaves in `SECONDS`, faded in and out; nothing in speech is like it."""
    time = np.arange(round(SECONDS * sample_rate)) / sample_rate
    phase = 2 * np.pi * (_FROM * time + (_TO - _FROM) * time**2 / (2 * SECONDS))
    return (0.5 * np.sin(phase) * np.hanning(len(time))).astype(np.float32)


def find(pcm: Pcm, sample_rate: int) -> int:
    """Return the sample at which the chirp in a stretch of audio begins.

    Args:
        pcm: mono, of shape (samples,).
        sample_rate: in hertz.

    Raises:
        LookupError: there is no chirp in it.
    """
    wanted = chirp(sample_rate)
    size = len(pcm) + len(wanted)
    alike = np.fft.irfft(np.fft.rfft(pcm, size) * np.conj(np.fft.rfft(wanted, size)), size)[: len(pcm)]
    energy = np.cumsum(np.concatenate([[0.0], pcm.astype(np.float64) ** 2, np.zeros(len(wanted))]))
    here = energy[len(wanted) :][: len(pcm)] - energy[: len(pcm)]
    match = alike / np.sqrt(np.maximum(here, 1e-6) * np.sum(wanted**2))
    best = int(match.argmax())
    if match[best] < 0.8:
        raise LookupError(f"no chirp in {len(pcm)} samples; the best match is {match[best]:.2f}")
    return best
