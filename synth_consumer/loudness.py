"""The one gain that brings a voice to a loudness, and a limiter for the peaks that would then be too high."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from synth_consumer import audio
from synth_consumer.engines import Pcm

LUFS = -19.0
"""Of mono speech: as loud as stereo of -16 LUFS."""
RMS = -20.0
"""In decibels relative to full scale, of a whole file: ACX takes -23 to -18."""
PAUSES = 0.5
"""Decibels by which the RMS of a chapter is below that of its speech: 0.25 to 0.6 in the twelve of a novel."""
CEILING = 10 ** (-4.0 / 20)
"""Highest peak of a master: what a lossy decoder makes of it is higher, and stays below -3 dBFS."""
_MOST_GAIN = 30.0
_ROUNDS = 2
"""What the limiter takes is given back, of which it takes less."""
_STEP = 0.001
"""Seconds for which the limiter decides at once."""
_HOLD = 5
"""Steps on either side of a peak at which it is held down; in twice as many more the gain returns."""
_AT_ONCE = 1 << 20
"""Samples: a long part takes little memory."""
_FADE = np.hanning(2 * _HOLD + 1) / np.hanning(2 * _HOLD + 1).sum()


class Levelled(NamedTuple):
    """Sound as loud as it shall be."""

    pcm: Pcm
    limited: bool
    """Whether peaks had to be held down."""


def gains(speech: Pcm, sample_rate: int) -> dict[str, float]:
    """Return the decibels by which a voice is amplified for each `e2a.plan.Speech.loudness`, to a tenth.

    Empty when nobody can tell, since what it said is too short or too soft.

    Args:
        speech: what the voice said, without pauses between sentences; mono float32 samples of shape (samples,).
        sample_rate: in hertz.
    """
    if audio.loudness(speech, sample_rate) is None:
        return {}

    def lufs(pcm: Pcm) -> float:
        heard = audio.loudness(pcm, sample_rate)
        return LUFS if heard is None else heard

    return {
        "r128": _gain(speech, sample_rate, LUFS, lufs),
        "acx": _gain(speech, sample_rate, RMS + PAUSES, rms),
    }


def rms(pcm: Pcm) -> float:
    """Return the root mean square of sound that is not silent, in decibels relative to full scale."""
    return float(10 * np.log10(np.mean(np.square(pcm, dtype=np.float64))))


def level(pcm: Pcm, sample_rate: int, gain: float) -> Levelled:
    """Amplify sound, and hold down the peaks that would be higher than `CEILING`.

    No sample moves, and farther than 15 ms from such a peak samples are amplified and nothing else.

    Args:
        pcm: mono float32 samples, of shape (samples,).
        sample_rate: in hertz.
        gain: in decibels.
    """
    amplified = pcm * np.float32(10 ** (gain / 20))
    if not amplified.size or np.abs(amplified).max() <= CEILING:
        return Levelled(amplified, limited=False)
    _hold_down(amplified, round(_STEP * sample_rate))
    return Levelled(amplified, limited=True)


def _gain(speech: Pcm, sample_rate: int, wanted: float, measure: Callable[[Pcm], float]) -> float:
    """Return the gain with which speech measures as much as is wanted, after the limiter."""
    gain = wanted - measure(speech)
    for _ in range(_ROUNDS):
        levelled = level(speech, sample_rate, min(gain, _MOST_GAIN))
        if not levelled.limited:
            break
        gain += wanted - measure(levelled.pcm)
    return round(min(max(gain, -_MOST_GAIN), _MOST_GAIN), 1)


def _hold_down(pcm: Pcm, step: int) -> None:
    """Multiply samples by what is low enough at every peak, 1 away from them, and smooth in between."""
    steps = -(-len(pcm) // step)
    peaks = np.maximum.reduceat(np.abs(pcm), np.arange(steps) * step)
    needed = 1 - CEILING / np.maximum(peaks, CEILING)
    held = sliding_window_view(np.pad(needed, 2 * _HOLD + 1), 2 * _HOLD + 3).max(axis=1)
    reduction = np.convolve(held, _FADE, mode="valid")
    middles = (np.arange(steps) + 0.5) * step
    for start in range(0, len(pcm), _AT_ONCE):
        piece = pcm[start : start + _AT_ONCE]
        piece *= 1 - np.interp(np.arange(start, start + len(piece)), middles, reduction).astype(np.float32)
        np.clip(piece, -CEILING, CEILING, out=piece)  # rounding may leave a peak a hair too high
