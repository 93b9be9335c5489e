"""SIMULATED speech: a tone of speech-like length that takes as long as it is told to.

For tests and benchmarks of everything but speech. Whatever shows figures made with it says so.
"""

import time

import numpy as np

from e2a.settings import SynthSettings
from synth_consumer.engines import Engine, Pcm, Take, Utterance

CHARACTERS_PER_SECOND = 15.0


class SimulatedEngine(Engine):
    """`Engine` without speech: each sentence is a tone whose pitch follows from its seed."""

    name = "simulated"
    sample_rate = 24000
    licence = "CC0-1.0"

    def __init__(self, settings: SynthSettings) -> None:
        self._rtf = settings.simulated_rtf

    def load(self) -> None:
        return

    def voices(self, language: str) -> tuple[str, ...]:  # noqa: ARG002 - a tone has no language
        return ("tone",)

    def say(self, utterance: Utterance) -> Take:
        seconds = len(utterance.text) / CHARACTERS_PER_SECOND / utterance.speech.speed
        time.sleep(seconds * self._rtf)
        return Take(_tone(110 + utterance.seed % 220, round(seconds * self.sample_rate), self.sample_rate))


def _tone(pitch: float, samples: int, sample_rate: int) -> Pcm:
    time_axis = np.arange(samples, dtype=np.float32) / sample_rate
    envelope = np.minimum(1, np.minimum(time_axis, time_axis[::-1]) * 50)
    tone: Pcm = (0.3 * envelope * np.sin(2 * np.pi * pitch * time_axis)).astype(np.float32)
    return tone
