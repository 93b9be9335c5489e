"""Readings that are kept for a moment, so that one of them serves any number of viewers."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from pydantic import ValidationError

from e2a import log
from e2a.errors import Retryable

SHARE = 3
"""How many times as long as a reading took it is kept at least: readers are busy a quarter of the time at most."""
LONGEST = 5.0
"""Seconds after which one is tried again however long the last took."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
logger = log.get(__name__)


class Kept(Generic[Value]):
    """A value that is read when it is asked for and the last reading is old. Thread-safe.

    While one viewer reads, the others get the last value: a source that hangs holds up one of them. A source that is
    away, or that holds what cannot be read, leaves the value as it was.

    Args:
        read: returns the value; may raise `Retryable`, or `ValidationError` for a record of a version to come.
        first: the value before it was ever read.
        clock: Unix time in seconds.
        keep: seconds for which a reading is served again.
    """

    def __init__(self, read: Callable[[], Value], first: Value, clock: Callable[[], float], keep: float) -> None:
        self._read = read
        self._clock = clock
        self._keep = keep
        self._rest = keep
        self._lock = threading.Lock()
        self.value = first
        """As it was read last."""
        self.tried: float | None = None
        """When it was last tried to read it, Unix time in seconds."""
        self.taken: float | None = None
        """When that has last worked."""
        self.problem = ""
        """Why it did not work the last time; empty when it did."""

    def get(self) -> Value:
        """Return the value, as new as it has to be."""
        if self._lock.acquire(blocking=self.tried is None):
            try:
                self._refresh()
            finally:
                self._lock.release()
        return self.value

    def _refresh(self) -> None:
        began = self._clock()
        # A clock that was set back must not freeze the page, hence the lower bound.
        if self.tried is not None and 0 <= began - self.tried < self._rest:
            return
        try:
            self.value = self._read()
            self.taken, self.problem = began, ""
        except (Retryable, ValidationError) as error:
            if not self.problem:
                logger.warning("monitor.source_away", reason=str(error))
            self.problem = str(error)
        self.tried = self._clock()
        self._rest = max(self._keep, min(SHARE * (self.tried - began), LONGEST))


class KeptByKey(Generic[Key, Value]):
    """Kept values of which only those that were asked for last are remembered. Thread-safe.

    Args:
        make: returns the kept value of a key.
        most: how many are remembered.
    """

    def __init__(self, make: Callable[[Key], Kept[Value]], most: int) -> None:
        self._make = make
        self._most = most
        self._lock = threading.Lock()
        self._kept: dict[Key, Kept[Value]] = {}

    def get(self, key: Key) -> Value:
        """Return the value of a key, as new as it has to be."""
        with self._lock:
            known = self._kept.pop(key, None)
        made = known or self._make(key)  # which may have to wait
        with self._lock:
            kept = self._kept.setdefault(key, made)
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return kept.get()
