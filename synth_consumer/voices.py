"""How a book is to be said: its reference recording from storage, and its voice, measured once for all.

The first worker that meets a voice measures it and puts the result into storage; all others go by that, so every
worker decides alike what a bad take is, whatever it has said before, and all parts of a book are equally loud.
"""

import threading
from functools import lru_cache

from pydantic import ValidationError

from e2a import log
from e2a.checkpoint import LeaseKeeper
from e2a.errors import Poison
from e2a.plan import CLIP, Speech, speech_digest
from e2a.storage import ObjectStore, keys
from synth_consumer.engines import Engine
from synth_consumer.pace import Measured, Pace
from synth_consumer.speaker import POLL, Speaker, Voice

KEPT = 8
"""Voices that are remembered."""

logger = log.get(__name__)


class Voices:
    """Knows the voices of all books. Thread-safe.

    Args:
        engine: loaded.
        speaker: says the calibration text.
        store: where recordings and paces live.
        leases: keeps two workers off the same measurement.
    """

    def __init__(self, engine: Engine, speaker: Speaker, store: ObjectStore, leases: LeaseKeeper) -> None:
        self._engine = engine
        self._speaker = speaker
        self._store = store
        self._leases = leases
        self._known = lru_cache(KEPT)(self._read)

    def of(self, speech: Speech, abandoned: threading.Event) -> Voice | None:
        """Return the voice of a book, measured if nobody has yet; None when `abandoned` was set before it was.

        Raises:
            Poison: the recording is not in storage, the engine cannot say it, or other workers say it with other
                weights.
            Retryable: storage cannot be reached, or the engine failed for now.
        """
        try:
            return self._known(speech)
        except KeyError:
            clip = self._clip(speech)
        lease = f"voice/{speech_digest(speech)}"
        while not abandoned.is_set():
            if self._leases.claim(lease):
                try:
                    self._measure(speech, clip, abandoned)
                finally:
                    self._leases.release(lease)
            try:
                return self._known(speech)
            except KeyError:
                abandoned.wait(POLL)
        return None

    def _read(self, speech: Speech) -> Voice:
        """Return a voice that was measured; raises KeyError for one that was not."""
        return Voice(speech, self._pace(speech), self._clip(speech))

    def _pace(self, speech: Speech) -> Pace:
        key = keys.pace(speech_digest(speech))
        stored = self._store.get(key)
        try:
            self._check(Measured.model_validate_json(stored), speech)  # also where another version measured otherwise
            return Pace.model_validate_json(stored)
        except ValidationError as error:
            raise KeyError(key) from error

    def _check(self, measured: Measured, speech: Speech) -> None:
        if measured.weights != self._engine.weights:
            raise Poison(
                f"who spoke with this voice first had other weights of model {speech.model or self._engine.name!r}: "
                "give every worker those files, or call the model otherwise"
            )

    def _clip(self, speech: Speech) -> bytes:
        if not speech.voice.startswith(CLIP):
            return b""
        try:
            return self._store.get(keys.clip(speech.voice))
        except KeyError as error:
            raise Poison(f"storage holds no recording {keys.clip(speech.voice)}; run e2a-produce again") from error

    def _measure(self, speech: Speech, clip: bytes, abandoned: threading.Event) -> None:
        """Measure a voice and put the result into storage, unless it is there: the first one counts."""
        if self._is_measured(speech):
            return
        logger.info("voice.measuring", engine=speech.engine, voice=speech.voice, language=speech.language)
        pace = self._speaker.pace(speech, clip, abandoned)
        if pace and not self._is_measured(speech):
            self._store.put(keys.pace(speech_digest(speech)), pace.model_dump_json().encode())

    def _is_measured(self, speech: Speech) -> bool:
        try:
            self._pace(speech)
        except KeyError:
            return False
        return True
