"""Where the sound of a take lies: what the checks and the calibration of a voice measure, and what of it is kept."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synth_consumer.engines import Pcm

FRAME = 0.01
"""Seconds over which loudness is taken: a few periods of a deep voice."""
FLOOR = -35.0
"""Decibels below the loud frames at which sound is no longer speech."""
CLOSURE = 0.15
"""Seconds of silence inside a word, such as before a `t`; longer ones are pauses."""
SILENCE = -45.0
"""Decibels relative to full scale of a take in which nothing is said."""
_TRIM_FLOOR = -45.0
"""Decibels below the loud frames, lower than the floor of speech: a soft `h` or a breath is sound too."""
_MARGIN = 0.05
_LOUD = 5
"""How many frames are loud without being a click."""


class Sound(NamedTuple):
    """A take as stretches of sound, in seconds."""

    level: float
    """Of its loud frames, in decibels relative to full scale."""
    stretches: tuple[tuple[float, float], ...]
    """Start and end of each run of speech; between two lies a pause of more than `CLOSURE`."""
    seconds: float
    """Length of the take."""
    ending: float
    """Level of its last 20 ms, in decibels relative to `level`."""

    @property
    def silent(self) -> bool:
        """Whether nothing is said."""
        return self.level < SILENCE

    @property
    def speech(self) -> float:
        """Seconds of speech, pauses not counted."""
        return sum(end - start for start, end in self.stretches)

    @property
    def pauses(self) -> tuple[float, ...]:
        """Seconds of silence between one stretch and the next."""
        starts = [start for start, _end in self.stretches[1:]]
        return tuple(start - end for start, (_start, end) in zip(starts, self.stretches, strict=False))


def listen(pcm: Pcm, sample_rate: int) -> Sound:
    """Find the stretches of sound in a take without NaN; one of less than 50 ms is silent.

    Args:
        pcm: mono float32 samples, of shape (samples,).
        sample_rate: in hertz, from 8,000.
    """
    levels = _levels(pcm, sample_rate)
    if (level := _loud(levels)) < SILENCE:
        return Sound(level, (), len(pcm) / sample_rate, 0.0)
    frame = round(sample_rate * FRAME) / sample_rate
    runs = _runs(levels > level + FLOOR, round(CLOSURE / FRAME))
    stretches = tuple((start * frame, end * frame) for start, end in runs)
    return Sound(level, stretches, len(pcm) / sample_rate, float(levels[-2:].max()) - level)


def trim(pcm: Pcm, sample_rate: int) -> Pcm:
    """Return a take without the silence around it, but for 50 ms; one that is all silent is returned as it is.

    Args:
        pcm: mono float32 samples, of shape (samples,).
        sample_rate: in hertz.
    """
    if not np.isfinite(pcm).all():
        return pcm
    levels = _levels(pcm, sample_rate)
    if (level := _loud(levels)) < SILENCE:
        return pcm
    loud = np.flatnonzero(levels > level + _TRIM_FLOOR)
    frame, margin = round(sample_rate * FRAME), round(_MARGIN * sample_rate)
    return pcm[max(0, int(loud[0]) * frame - margin) : int(loud[-1] + 1) * frame + margin]


def _levels(pcm: Pcm, sample_rate: int) -> NDArray[np.float32]:
    """Return the level of each frame in decibels relative to full scale; a constant offset is no sound."""
    length = round(sample_rate * FRAME)
    frames = pcm[: len(pcm) // length * length].reshape(-1, length)
    power = np.einsum("ij,ij->i", frames, frames) / length - frames.mean(axis=1) ** 2
    levels: NDArray[np.float32] = 10 * np.log10(np.maximum(power, np.float32(1e-10)))
    return levels


def _loud(levels: NDArray[np.float32]) -> float:
    return float(np.partition(levels, -_LOUD)[-_LOUD]) if levels.size >= _LOUD else -math.inf


def _runs(loud: NDArray[np.bool_], gap: int) -> list[tuple[int, int]]:
    """Return start and end of the runs of true frames, over gaps of at most `gap` frames."""
    at = np.flatnonzero(loud)
    cuts = np.flatnonzero(np.diff(at) > gap + 1)
    return list(zip(at[np.r_[0, cuts + 1]].tolist(), (at[np.r_[cuts, -1]] + 1).tolist(), strict=True))
