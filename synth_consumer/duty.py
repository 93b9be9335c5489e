"""What its owner wants of a worker, asked in every heartbeat: to work, to drain and wait, or to end (docs/adr/0020)."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from e2a import log
from e2a.bus import JobConsumer
from e2a.checkpoint import Wish, WorkerState
from e2a.errors import Unavailable

POLL = 0.25
"""Seconds between two looks of a drained worker whether it is wanted again."""

logger = log.get(__name__)


class Wishes(Protocol):
    """The part of a checkpoint that is needed here."""

    def wish(self, worker: str) -> Wish: ...

    def set_wish(self, worker: str, wish: Wish) -> None: ...


class Duty:
    """Lets a worker do what is wanted of it. While nobody can be asked, the last that was wanted is. `run` is for one
    thread, the rest for any.

    Args:
        wishes: the checkpoint.
        worker: its name.
        stop: set when it is to end, by a signal or by a wish.
        join: returns what takes jobs, not yet running; called anew whenever the worker has been drained.
    """

    def __init__(self, wishes: Wishes, worker: str, stop: threading.Event, join: Callable[[], JobConsumer]) -> None:
        self._wishes = wishes
        self._worker = worker
        self._stop = stop
        self._join = join
        self._lock = threading.Lock()
        self._has_asked = False
        self._drain = threading.Event()
        self._consumer: JobConsumer | None = None

    @property
    def state(self) -> WorkerState:
        """Whether it takes parts, ends those in hand, or has none left."""
        if not self._drain.is_set() and not self._stop.is_set():
            return "working"
        return "draining" if self._consumer else "drained"

    @property
    def partitions(self) -> tuple[int, ...]:
        """Partitions of the chapters topic owned now."""
        consumer = self._consumer
        return consumer.partitions if consumer else ()

    @property
    def express(self) -> tuple[int, ...]:
        """Partitions of the express topic owned now."""
        consumer = self._consumer
        return consumer.express if consumer else ()

    def heed(self) -> None:
        """Ask what is wanted, and see to it."""
        with self._lock, suppress(Unavailable):
            self._obey(self._ask())

    def run(self) -> None:
        """Work until it is to end.

        Raises what `JobConsumer.run` raises, but for Kafka that is away when a worker is wanted again: that is waited
        for, since to load the engine anew takes longer.
        """
        self.heed()
        has_worked = False
        while not self._stop.is_set():
            if self._drain.is_set():
                self._stop.wait(POLL)
                continue
            self._consumer = self._join()
            try:
                self._consumer.run(self._stop, self._drain)
                has_worked = True
            except Unavailable as error:
                if not has_worked:
                    raise
                logger.warning("synth.cannot_join", worker=self._worker, reason=str(error))
            finally:
                self._consumer = None

    def _ask(self) -> Wish:
        """Return what is wanted of a worker of this name. That one from before it came was to end is not: it has."""
        wish = self._wishes.wish(self._worker)
        if wish == "stop" and not self._has_asked:
            wish = "work"
            self._wishes.set_wish(self._worker, wish)
        self._has_asked = True
        return wish

    def _obey(self, wish: Wish) -> None:
        if wish == "stop":
            if not self._stop.is_set():
                logger.info("synth.told_to_stop", worker=self._worker)
            self._stop.set()
        elif wish == "drain":
            if not self._drain.is_set():
                logger.info("synth.drains", worker=self._worker)
            self._drain.set()
        elif self._drain.is_set():
            logger.info("synth.works_again", worker=self._worker)
            self._drain.clear()
