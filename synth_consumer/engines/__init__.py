"""The port that every speech engine implements, and how engines are found.

An engine is an entry point in the group `e2a.engines` that names a factory `(SynthSettings) -> Engine`, so a
third party adds one by installing a package (docs/engines.md).
"""

from abc import ABC, abstractmethod
from importlib.metadata import entry_points
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from e2a.errors import ExitCode, Poison, UserError
from e2a.plan import Speech
from e2a.settings import SynthSettings

GROUP = "e2a.engines"
Pcm = NDArray[np.float32]


class Utterance(NamedTuple):
    """What an engine is asked to say: one sentence, or a piece of one."""

    text: str
    speech: Speech
    seed: int
    """Of every random choice, 63 bits. The same utterance with the same seed is the same sound."""
    variety: float = 1.0
    """Factor on the engine's own sampling temperature, above 0; engines without one pass over it."""
    clip: bytes = b""
    """The reference recording that `speech.voice` names, in any format of audio; empty for a voice of the engine."""


class Take(NamedTuple):
    """What an engine said."""

    pcm: Pcm
    """Mono float32 samples in [-1, 1], of shape (samples,)."""
    stopped: bool = True
    """Whether the model came to its end by itself; False when it was cut at a limit."""
    codes: tuple[int, ...] = ()
    """Audio tokens, for engines that make them: a loop in them is a fault that can be seen."""


class TooLong(Poison):
    """The text is more than the model takes at once: it has to be said in pieces."""


class Engine(ABC):
    """Turns text into sound."""

    name: str
    """Name of its entry point."""
    licence: str
    """Of the model and of what it makes, as an SPDX identifier or a sentence."""
    sample_rate: int
    """In hertz; known after `load`."""
    model: str = ""
    """What `Speech.model` says of books for this engine; empty for an engine that is one model."""
    weights: str = ""
    """Digest of the model's files, after `load`; empty for an engine without such files."""
    device: str = "cpu"
    """Where it runs, such as `cuda:0 NVIDIA H100`; known after `load`."""
    gpu: str = ""
    """UUID of the GPU that it runs on, as the driver spells it: `GPU-` and 36 characters; known after `load`, empty for
    none."""
    at_once: int = 1
    """How many threads may be in `say` at the same time; known after `load`."""
    varies: bool = False
    """Whether another seed gives another take."""

    @abstractmethod
    def load(self) -> None:
        """Load the model and warm it up, once, before the first job.

        Raises:
            UserError: a program, a model or a device that is needed is missing; the message says how to get it.
        """

    @abstractmethod
    def voices(self, language: str) -> tuple[str, ...]:
        """Return the voices for a BCP 47 tag, the default first; empty when the language is not spoken."""

    @abstractmethod
    def say(self, utterance: Utterance) -> Take:
        """Say a sentence.

        Raises:
            Poison: the engine can never say this: an unknown language or voice, or a clip that holds no audio.
            TooLong: it could say it in two pieces.
            Retryable: it failed now and may work later.
        """

    def memory(self) -> int:
        """Return the bytes of GPU memory in use, 0 without a GPU."""
        return 0


def names() -> tuple[str, ...]:
    """Return the names of the installed engines."""
    return tuple(sorted(entry_points(group=GROUP).names))


def create(settings: SynthSettings) -> Engine:
    """Return the engine that the settings name, not yet loaded.

    Raises:
        UserError: no such engine is installed, or what it needs is not (exit code CONFIG or UNAVAILABLE).
    """
    found = entry_points(group=GROUP, name=settings.engine)
    if not found:
        message = f"engine {settings.engine!r} is not installed; there are: {', '.join(names())}"
        raise UserError(message, ExitCode.CONFIG)
    try:
        factory = next(iter(found)).load()
    except (ImportError, OSError) as error:  # OSError: a library that a package is linked with
        raise UserError(f"engine {settings.engine!r}: {error}", ExitCode.UNAVAILABLE) from error
    engine: Engine = factory(settings)
    return engine
