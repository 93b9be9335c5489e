"""A part in hand: whether it is still to be made here, and storage as it sees it."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from e2a.errors import Unavailable
from e2a.messages import ChapterJob
from e2a.storage import ObjectStore
from synth_consumer.status import Status

Result = TypeVar("Result")
PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds between tries while storage is away; the last one again and again."""
RECENT = 10.0
"""Seconds after which what happened to a part has reached the checkpoint."""


class LetGo(Exception):
    """The part in hand is not to be made here any more."""


class InHand(threading.Event):
    """A job at work; set when it is to be let go: its message was abandoned, or `set` was called.

    Args:
        job: what is made.
        abandoned: of its message.
    """

    def __init__(self, job: ChapterJob, abandoned: threading.Event) -> None:
        super().__init__()
        self.job = job
        self._abandoned = abandoned

    def is_set(self) -> bool:
        return super().is_set() or self._abandoned.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._abandoned.wait(timeout) or super().is_set()


class Recent:
    """Digests of the parts that this worker is at, or was until `RECENT` seconds ago. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._at = Counter[str]()
        self._until: dict[str, float] = {}

    def __contains__(self, digest: object) -> bool:
        with self._lock:
            self._forget()
            return digest in self._at or digest in self._until

    def touch(self, digest: str) -> None:
        """The worker was at a part just now."""
        with self._lock:
            self._forget()
            self._until[digest] = self._clock() + RECENT

    @contextmanager
    def during(self, digest: str) -> Iterator[None]:
        """The worker is at a part in the block."""
        with self._lock:
            self._at[digest] += 1
        try:
            yield
        finally:
            self.touch(digest)
            with self._lock:
                self._at -= Counter([digest])

    def _forget(self) -> None:
        now = self._clock()
        self._until = {digest: until for digest, until in self._until.items() if until > now}


class PatientStore:
    """`ObjectStore` for a part in hand: waits for a store that is away, says so, and puts only what is ours to put.

    Every method raises `LetGo` when the part is let go while it waits, and a put also when it is no longer ours.

    Args:
        store: the store.
        in_hand: set when the part is to be let go.
        ours: says, right before every try to put, whether nobody else makes the part.
        status: shows what is waited for.
    """

    def __init__(self, store: ObjectStore, in_hand: threading.Event, ours: Callable[[], bool], status: Status) -> None:
        self._store = store
        self._in_hand = in_hand
        self._ours = ours
        self._status = status

    def check(self) -> None:
        self._patiently(self._store.check)

    def put(self, key: str, data: bytes) -> None:
        self._fenced(lambda: self._store.put(key, data))

    def put_file(self, key: str, path: Path) -> None:
        self._fenced(lambda: self._store.put_file(key, path))

    def get(self, key: str) -> bytes:
        return self._patiently(lambda: self._store.get(key))

    def read(self, key: str, offset: int, length: int) -> bytes:
        return self._patiently(lambda: self._store.read(key, offset, length))

    def get_file(self, key: str, path: Path) -> None:
        self._patiently(lambda: self._store.get_file(key, path))

    def size(self, key: str) -> int | None:
        return self._patiently(lambda: self._store.size(key))

    def delete(self, key: str) -> None:
        self._fenced(lambda: self._store.delete(key))

    def list(self, prefix: str) -> Iterator[str]:
        return iter(self._patiently(lambda: tuple(self._store.list(prefix))))

    def _fenced(self, request: Callable[[], Result]) -> Result:
        def fenced() -> Result:
            if not self._ours():
                raise LetGo
            return request()

        return self._patiently(fenced)

    def _patiently(self, request: Callable[[], Result]) -> Result:
        try:
            for pause in itertools.chain(PAUSES, itertools.repeat(PAUSES[-1])):
                try:
                    return request()
                except Unavailable as error:
                    self._status.waits(self, str(error))
                if self._in_hand.is_set() or self._in_hand.wait(pause):
                    break
        finally:
            self._status.goes_on(self)
        raise LetGo
