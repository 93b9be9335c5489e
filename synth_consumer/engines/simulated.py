"""SIMULATED speech: a tone of speech-like length that takes as long as it is told to.

For tests and benchmarks of everything but speech. Whatever shows figures made with it says so.
"""

import time
from collections.abc import Iterator, Sequence

import numpy as np

from e2a.plan import Speech
from e2a.settings import SynthSettings
from synth_consumer.engines import Pcm

CHARACTERS_PER_SECOND = 15.0


class SimulatedEngine:
    """`Engine` without speech: each sentence is a tone whose pitch follows from the seed and the sentence."""

    name = "simulated"
    sample_rate = 24000
    licence = "CC0-1.0"

    def __init__(self, settings: SynthSettings) -> None:
        self._rtf = settings.simulated_rtf

    def load(self) -> None:
        return

    def voices(self, language: str) -> tuple[str, ...]:  # noqa: ARG002 - a tone has no language
        return ("tone",)

    def speak(self, sentences: Sequence[str], speech: Speech, seed: int) -> Iterator[Pcm]:
        for index, sentence in enumerate(sentences):
            seconds = len(sentence) / CHARACTERS_PER_SECOND / speech.speed
            pitch = 110 + (seed + 37 * index) % 220
            yield _tone(pitch, round(seconds * self.sample_rate), self.sample_rate)
            time.sleep(seconds * self._rtf)


def _tone(pitch: float, samples: int, sample_rate: int) -> Pcm:
    time_axis = np.arange(samples, dtype=np.float32) / sample_rate
    envelope = np.minimum(1, np.minimum(time_axis, time_axis[::-1]) * 50)
    tone: Pcm = (0.3 * envelope * np.sin(2 * np.pi * pitch * time_axis)).astype(np.float32)
    return tone
