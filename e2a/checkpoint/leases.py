"""Leases that a thread keeps alive while their holder works."""

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from e2a import log, metrics
from e2a.errors import Unavailable

PART = "part/"
"""What the names of the leases of parts begin with."""
TTL = 6.0
"""Seconds after which a lease of a dead holder is free."""

logger = log.get(__name__)


class Leases(Protocol):
    """The part of a checkpoint that a keeper needs."""

    def claim(self, name: str, holder: str, ttl: float) -> int: ...

    def deaths(self, name: str, holder: str) -> int: ...

    def survive(self, name: str) -> None: ...

    def renew(self, name: str, holder: str, ttl: float) -> bool: ...

    def release(self, name: str, holder: str) -> None: ...


class LeaseKeeper:
    """Claims leases for one holder and renews them three times a lifetime; a context manager.

    When the checkpoint is away leases are granted: they save work done twice, correctness rests on content
    addresses.

    Args:
        leases: the checkpoint.
        name: of who holds them. Two processes of one name, as containers have that share the network of their host, are
            two holders; so is a process and the one that it is started again as.
        beat: called on every renewal, for whatever else must happen regularly; may raise `Unavailable`.
    """

    def __init__(self, leases: Leases, name: str, beat: Callable[[], None] = lambda: None) -> None:
        self._leases = leases
        self._holder = f"{name}/{uuid.uuid4().hex}"
        self._beat = beat
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._fails: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def claim(self, name: str) -> int:
        """Return the number of this attempt, or 0 when the lease is held, by us or by somebody else."""
        with self._lock:
            try:
                return self._take(name)
            except Unavailable as error:
                logger.warning("lease.granted_unseen", name=name, reason=str(error))
                self._held.add(name)
                return 1

    def take(self, name: str) -> int:
        """Do what `claim` does, but raise `Unavailable` where that grants a lease because nobody can be asked."""
        with self._lock:
            return self._take(name)

    def _take(self, name: str) -> int:
        attempt = 0 if name in self._held else self._leases.claim(name, self._holder, TTL)
        if attempt:
            self._held.add(name)
        return attempt

    def deaths(self, name: str) -> int:
        """Return how many holders died with a lease that is free now; 0 when it is held or nobody can say."""
        with self._lock:
            if name in self._held:
                return 0
        try:
            return self._leases.deaths(name, self._holder)
        except Unavailable:
            return 0

    def release(self, name: str) -> None:
        """Give a lease back; one that cannot be given back runs out by itself."""
        with self._lock:
            self._held.discard(name)
            try:
                self._leases.release(name, self._holder)
            except Unavailable as error:
                logger.warning("lease.not_released", name=name, reason=str(error))

    def holds(self, name: str) -> bool:
        """Say whether a lease is still ours: one that ran out and was taken is not. True when nobody can be asked.

        What is done right after a True is fenced: nobody else may begin it for the lifetime of a lease.
        """
        with self._lock:
            if name not in self._held:
                return False
            try:
                if self._leases.renew(name, self._holder, TTL):
                    return True
            except Unavailable:
                return True
            self._lose(name)
        return False

    def keeps(self, name: str) -> bool:
        """Say whether a lease was still ours when it was last renewed; nobody is asked."""
        return name in self._held

    def renew(self) -> None:
        """Renew all leases once and call `beat`, also when the leases cannot be renewed."""
        self._try("renewal", self._renew_all)
        self._try("beat", self._beat)

    def _try(self, what: str, call: Callable[[], object]) -> None:
        """Do what must happen regularly; that it fails is told when that begins and when it ends."""
        try:
            call()
        except Unavailable as error:
            if what not in self._fails:
                logger.warning("lease.fails", what=what, reason=str(error))
            self._fails.add(what)
            return
        if what in self._fails:
            logger.info("lease.works_again", what=what)
        self._fails.discard(what)

    def _renew_all(self) -> None:
        for name in tuple(self._held):
            with self._lock:  # else a lease that is being released would be taken again
                if name in self._held and not self._leases.renew(name, self._holder, TTL):
                    self._lose(name)

    def _lose(self, name: str) -> None:
        """Let go of a lease that somebody else has taken, who has counted us among the dead: we were only late."""
        self._held.discard(name)
        logger.warning("lease.lost", name=name)
        metrics.LEASES_LOST.inc()
        with suppress(Unavailable):
            self._leases.survive(name)

    def _run(self) -> None:
        while not self._stop.wait(TTL / 3):
            self.renew()


def part_lease(digest: str) -> str:
    """Return the name of the lease of a part."""
    return PART + digest


def assembly_lease(book_id: str) -> str:
    """Return the name of the lease of a book that is assembled."""
    return f"assembly/{book_id}"


def excerpt_lease(book_id: str) -> str:
    """Return the name of the lease of a book whose finished chapters are assembled."""
    return f"excerpt/{book_id}"


def gpu_lease(uuid: str) -> str:
    """Return the name of the lease of a GPU."""
    return f"gpu/{uuid}"
