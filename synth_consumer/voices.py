"""How a book is to be said: its reference recording from storage, and its voice, measured once for all.

The first worker that meets a voice measures it and puts the result into storage; all others go by that, so every
worker decides alike what a bad take is, whatever it has said before, and all parts of a book are equally loud.
"""

import threading

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
        leases: keeps two workers off the same measurement.
    """

    def __init__(self, engine: Engine, speaker: Speaker, leases: LeaseKeeper) -> None:
        self._engine = engine
        self._speaker = speaker
        self._leases = leases
        self._lock = threading.Lock()
        self._known: dict[Speech, Voice] = {}

    def of(self, speech: Speech, store: ObjectStore, abandoned: threading.Event) -> Voice | None:
        """Return the voice of a book, measured if nobody has yet; None when `abandoned` was set before it was.

        Args:
            speech: how the book is said.
            store: where recordings and paces live.
            abandoned: set when nobody wants it any more.

        Raises:
            Poison: the recording is not in storage, the engine cannot say it, or other workers say it with other
                weights.
            Retryable: the engine failed for now.
            Unavailable: storage cannot be reached; a `PatientStore` waits instead, and raises `LetGo`.
        """
        try:
            return self._remembered(speech, store)
        except KeyError:
            clip = _clip(speech, store)
        lease = f"voice/{speech_digest(speech)}"
        while not abandoned.is_set():
            if self._leases.claim(lease):
                try:
                    self._measure(lease, speech, clip, store, abandoned)
                finally:
                    self._leases.release(lease)
            try:
                return self._remembered(speech, store)
            except KeyError:
                abandoned.wait(POLL)
        return None

    def _remembered(self, speech: Speech, store: ObjectStore) -> Voice:
        """Return a voice that was measured; raises KeyError for one that was not."""
        with self._lock:
            voice = self._known.get(speech)
        if voice is None:
            voice = Voice(speech, self._pace(speech, store), _clip(speech, store))
            with self._lock:
                self._known[speech] = voice
                for old in list(self._known)[:-KEPT]:
                    del self._known[old]
        return voice

    def _pace(self, speech: Speech, store: ObjectStore) -> Pace:
        key = keys.pace(speech_digest(speech))
        stored = store.get(key)
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

    def _measure(self, lease: str, speech: Speech, clip: bytes, store: ObjectStore, abandoned: threading.Event) -> None:
        """Measure a voice and put the result into storage, unless it is there: the first one counts."""
        if self._is_measured(speech, store):
            return
        logger.info("voice.measuring", engine=speech.engine, voice=speech.voice, language=speech.language)
        pace = self._speaker.pace(speech, clip, abandoned)
        if pace and not self._is_measured(speech, store) and self._leases.holds(lease):
            store.put(keys.pace(speech_digest(speech)), pace.model_dump_json().encode())

    def _is_measured(self, speech: Speech, store: ObjectStore) -> bool:
        try:
            self._pace(speech, store)
        except KeyError:
            return False
        return True


def _clip(speech: Speech, store: ObjectStore) -> bytes:
    if not speech.voice.startswith(CLIP):
        return b""
    try:
        return store.get(keys.clip(speech.voice))
    except KeyError as error:
        raise Poison(f"storage holds no recording {keys.clip(speech.voice)}; run e2a-produce again") from error
