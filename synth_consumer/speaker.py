"""Sentences to takes that are good, or to the best there is. Sentences of several parts may be said at once."""

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import NamedTuple

import numpy as np

from e2a import metrics
from e2a.errors import Poison
from e2a.plan import Speech, take_seed
from synth_consumer.engines import Engine, Pcm, Take, TooLong, Utterance
from synth_consumer.pace import Pace, measure
from synth_consumer.quality import EDGE_SILENCE, MISHEARD, badness, flaws
from synth_consumer.recognition import Recogniser, misheard
from synth_consumer.sound import trim

VARIETIES = (1.0, 1.0, 0.8)
"""What each take of a sentence does to the engine's sampling temperature; the last resort is to say it in two."""
SHORTEST = 20
"""A sentence with fewer characters is not cut in two: short pieces are what models say worst."""
POLL = 0.25
"""Seconds between looks whether the part is still wanted."""

_QUOTES = "[\"'”’»)\\]」』”’）]*"  # noqa: RUF001
_CUTS = (
    rf"[.!?;:؟؛।]{_QUOTES}\s+|[…。！？；：]{_QUOTES}\s*",  # noqa: RUF001
    rf"[,،–]{_QUOTES}\s+|[、，—]{_QUOTES}\s*",  # noqa: RUF001
    r"\s+",
)
"""Where a sentence may be cut, the best places first; not in `3.14`, `10:30` or `1914–18`."""  # noqa: RUF001


Check = Callable[[], None]
"""Raises `_Abandoned` when what is being said is no longer wanted."""


class _Abandoned(Exception):
    """Nobody wants it any more, so it need not be said or measured."""


class Voice(NamedTuple):
    """Everything beside the text that decides how it is said."""

    speech: Speech
    pace: Pace
    clip: bytes = b""

    @property
    def gain(self) -> float:
        """Decibels by which all that it says is amplified; 0 where nobody knows how loud it is."""
        return self.pace.gains.get(self.speech.loudness, 0.0)


class Spoken(NamedTuple):
    """A sentence as it will be heard."""

    pcm: Pcm
    takes: int = 1
    flaws: tuple[str, ...] = ()
    """What the first take had."""
    doubtful: tuple[str, ...] = ()
    """What this one still has."""


class Speaker:
    """Says sentences with an engine, and again when a take is bad. Thread-safe.

    Args:
        engine: loaded.
        recogniser: listens to every take that looks good; None for no such check.
        took: called after every take.
    """

    def __init__(
        self, engine: Engine, recogniser: Recogniser | None = None, took: Callable[[], object] = lambda: None
    ) -> None:
        self._engine = engine
        self._recogniser = recogniser
        self._took = took
        self._threads = ThreadPoolExecutor(max_workers=engine.at_once, thread_name_prefix="say")
        self._hearing = threading.Lock()
        self._heard_since = 0.0
        self._busy = _Busy()

    @property
    def busy_seconds(self) -> float:
        """Seconds in which the engine was saying something."""
        return self._busy.seconds

    @property
    def silent_seconds(self) -> float:
        """Seconds for which engine or recogniser have been at what they do without an end of it; 0 while they rest."""
        heard_since = self._heard_since
        return max(self._busy.silent, time.monotonic() - heard_since if heard_since else 0.0)

    def pace(self, speech: Speech, clip: bytes, abandoned: threading.Event) -> Pace | None:
        """Measure a voice, without a break once begun; None when `abandoned` was set before the end.

        Args:
            speech: the way of speaking.
            clip: the reference recording that is its voice, if one is.
            abandoned: set when nobody wants it any more.

        Raises:
            Poison: the engine can never speak so.
            Retryable: the engine failed for now.
        """
        engine = self._engine

        def say(text: str, seed: int) -> Take:
            if abandoned.is_set():
                raise _Abandoned
            return self._take(Utterance(text, speech, seed, clip=clip))

        takes = 2 if engine.varies else 1
        measured = self._threads.submit(measure, say, engine.sample_rate, speech, engine.weights, takes)
        while not wait([measured], timeout=POLL).done:
            if abandoned.is_set() and measured.cancel():
                return None
        try:
            return measured.result()
        except _Abandoned:
            return None

    def speak(
        self, texts: Iterable[str], voice: Voice, abandoned: threading.Event, spoke: Callable[[], object]
    ) -> list[Spoken] | None:
        """Say sentences, in any order; None when `abandoned` was set before the last was begun.

        Args:
            texts: what to say, one sentence each.
            voice: how.
            abandoned: set when nobody wants them any more.
            spoke: called after each sentence.

        Raises:
            Poison: one of them can never be said.
            Retryable: the engine failed for now.
        """

        over = threading.Event()

        def check() -> None:
            if abandoned.is_set() or over.is_set():
                raise _Abandoned

        def sentence(text: str) -> Spoken:
            spoken = self._best(text, voice, check)
            spoke()
            return spoken

        futures = [self._threads.submit(sentence, text) for text in texts]
        pending = set(futures)
        try:
            while pending:
                done, pending = wait(pending, timeout=POLL, return_when=FIRST_COMPLETED)
                if abandoned.is_set() and _cancelled(pending):
                    return None
                for future in done:
                    future.result()
        except _Abandoned:
            return None
        finally:
            over.set()
            _cancelled(pending)
        return [future.result() for future in futures]

    def _best(self, text: str, voice: Voice, check: Check) -> Spoken:
        """Return the first good take of a sentence, or the best of all."""
        tried: list[Spoken] = []
        for attempt, variety in enumerate(VARIETIES if self._engine.varies else VARIETIES[:1]):
            check()
            try:
                tried.append(self._try(text, voice, attempt, variety))
            except TooLong:
                if len(text) < 2:
                    raise
                return self._in_two(text, voice, check, self._best)
            if not tried[-1].doubtful:
                break
        if tried[-1].doubtful and len(text) >= SHORTEST:
            with suppress(Poison):  # the whole was said, so what cannot be said of it alone is no reason to fail
                tried.append(self._in_two(text, voice, check, self._once))
        best = min(tried, key=lambda each: badness(each.doubtful))
        return best._replace(takes=sum(each.takes for each in tried), flaws=tried[0].doubtful)

    def _once(self, text: str, voice: Voice, check: Check) -> Spoken:
        """Return one take of a piece of a sentence, the last resort."""
        check()
        return self._try(text, voice, len(VARIETIES), VARIETIES[-1])

    def _in_two(self, text: str, voice: Voice, check: Check, say: Callable[[str, Voice, Check], Spoken]) -> Spoken:
        pieces = [say(piece, voice, check) for piece in in_two(text)]
        return Spoken(
            np.concatenate([piece.pcm for piece in pieces]),
            sum(piece.takes for piece in pieces),
            tuple(dict.fromkeys(flaw for piece in pieces for flaw in piece.flaws)),
            tuple(dict.fromkeys(flaw for piece in pieces for flaw in piece.doubtful)),
        )

    def _try(self, text: str, voice: Voice, attempt: int, variety: float) -> Spoken:
        take = self._take(Utterance(text, voice.speech, take_seed(text, attempt), variety, voice.clip))
        rate = self._engine.sample_rate
        found = tuple(flaw for flaw in flaws(take, text, rate, voice.pace) if flaw != EDGE_SILENCE)  # it is cut off
        pcm = trim(np.clip(np.nan_to_num(take.pcm), -1, 1), rate)
        if not found and self._recogniser is not None:
            heard = self._hear(self._recogniser, pcm, voice.speech.language)
            found = (MISHEARD,) if misheard(text, heard, voice.speech.language) else ()
        return Spoken(pcm, doubtful=found)

    def _hear(self, recogniser: Recogniser, pcm: Pcm, language: str) -> str:
        with self._hearing:
            self._heard_since = time.monotonic()
            try:
                return recogniser.hear(pcm, self._engine.sample_rate, language)
            finally:
                self._heard_since = 0.0

    def _take(self, utterance: Utterance) -> Take:
        with self._busy.inside():
            take = self._engine.say(utterance)
        self._took()
        return take


def _cancelled(futures: Iterable[Future[Spoken]]) -> int:
    """Cancel what is not begun and return how many that were."""
    return sum(future.cancel() for future in futures)


def in_two(text: str) -> tuple[str, str]:
    """Cut a text of two or more characters in two: at the end of a clause near its middle, else between words."""
    for cut in _CUTS:
        ends = [match.end() for match in re.finditer(cut, text)]
        inner = [end for end in ends if len(text) / 4 <= end <= len(text) * 3 / 4]
        if inner:
            middle = min(inner, key=lambda end: abs(end - len(text) / 2))
            return text[:middle].rstrip(), text[middle:]
    middle = len(text) // 2
    return text[:middle], text[middle:]


class _Busy:
    """Counts the seconds in which at least one thread is inside. Thread-safe."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()
        self._since: dict[object, float] = {}
        self._counted = 0.0

    @property
    def silent(self) -> float:
        """Seconds since the one went in who is inside for longest; 0 while nobody is."""
        with self._lock:
            return time.monotonic() - min(self._since.values()) if self._since else 0.0

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Count the block."""
        entry = object()
        with self._lock:
            self._since[entry] = self._count()
        try:
            yield
        finally:
            with self._lock:
                self._count()
                del self._since[entry]

    def _count(self) -> float:
        """Count what has passed since the last change, and return the time of this one."""
        now = time.monotonic()
        if self._since:
            self.seconds += now - self._counted
            metrics.BUSY_SECONDS.observe(now - self._counted)
        self._counted = now
        return now
