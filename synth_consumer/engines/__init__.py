"""The port that every speech engine implements, and how engines are found.

An engine is an entry point in the group `e2a.engines` that names a factory `(SynthSettings) -> Engine`, so a
third party adds one by installing a package.
"""

from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from e2a.errors import ExitCode, UserError
from e2a.plan import Speech
from e2a.settings import SynthSettings

GROUP = "e2a.engines"
Pcm = NDArray[np.float32]


class Engine(Protocol):
    """Turns sentences into sound. Not thread-safe: `speak` is only called by one thread at a time."""

    name: str
    sample_rate: int
    """In hertz; known after `load`."""
    licence: str
    """Licence of the model and of what it makes, as an SPDX identifier or a sentence."""

    def load(self) -> None:
        """Load the model and warm it up, once, before the first job.

        Raises:
            UserError: a program or a model that is needed is missing; the message says how to get it.
        """

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the voices for a BCP 47 tag, the default first; empty when the language is not spoken."""

    def speak(self, sentences: Sequence[str], speech: Speech, seed: int) -> Iterator[Pcm]:
        """Yield one mono array of float32 samples in [-1, 1] a sentence, in order.

        Raises:
            Poison: the engine can never say this: an unknown language or voice.
            Retryable: it failed now and may work later.
        """


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
    except ImportError as error:
        raise UserError(f"engine {settings.engine!r}: {error}", ExitCode.UNAVAILABLE) from error
    engine: Engine = factory(settings)
    return engine
