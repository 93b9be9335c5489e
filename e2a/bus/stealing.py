"""A hand that has nothing of its own to do takes what waits for other workers.

What is taken has no offset: it is published like any other job, and nothing is committed. Whoever owns its message
finds it done, or passes over it.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from e2a import log, metrics
from e2a.bus.handling import Outcome
from e2a.errors import Retryable
from e2a.messages import ChapterJob, PartDone

Find = Callable[[], ChapterJob | None]
"""Looks for a job that waits for another worker; None when there is none. May take long, and raise `Retryable`."""

PAUSE = 0.5
"""Seconds, on average, before it is looked again after nothing was found, or nothing was to be done."""
FAILURE_PAUSE = 10.0
"""The same, after a look that failed."""
SOURCE = "stolen"
"""Stands for the place of a job that was never read."""

logger = log.get(__name__)


class Stolen(NamedTuple):
    """A stolen job in hand."""

    abandoned: threading.Event
    future: Future[Outcome]


class Stealing:
    """Keeps stolen jobs in hand. Only the thread that polls uses it.

    Args:
        find: looks for a job; None never steals.
        most: how many are in hand at once.
        look: calls `find` in another thread.
        start: begins a job in another thread.
        publish: publishes an outcome of a source; raises `Retryable`.
    """

    def __init__(
        self,
        find: Find | None,
        *,
        most: int,
        look: Callable[[Find], Future[ChapterJob | None]],
        start: Callable[[ChapterJob, threading.Event], Future[Outcome]],
        publish: Callable[[Outcome, str], None],
    ) -> None:
        self._find = find
        self._most = most
        self._look = look
        self._start = start
        self._publish = publish
        self._search: Future[ChapterJob | None] | None = None
        self._search_after = 0.0
        self.in_hand: list[Stolen] = []

    @property
    def at_work(self) -> list[Future[Outcome]]:
        """What is in hand and not done."""
        return [stolen.future for stolen in self.in_hand if not stolen.future.done()]

    def steal(self) -> None:
        """Look for a job, or begin the one that was found; to be called while a hand is free and no own job waits."""
        if self._find is None or len(self.in_hand) >= self._most:
            return
        if self._search is None:
            if time.monotonic() >= self._search_after:
                self._search = self._look(self._find)
        elif self._search.done():
            search, self._search = self._search, None
            if (job := self._found(search)) is not None:
                logger.info("bus.stolen", book=job.book_id, part=job.part.index)
                metrics.STOLEN.inc()
                abandoned = threading.Event()
                self.in_hand.append(Stolen(abandoned, self._start(job, abandoned)))

    def settle(self) -> None:
        """Publish what is done; a bug in the handler is raised.

        Raises:
            Retryable: an outcome was not published; it stays in hand.
        """
        for stolen in [stolen for stolen in self.in_hand if stolen.future.done()]:
            outcome = stolen.future.result()
            if not outcome.handed_back:
                self._publish(outcome, SOURCE)
            self.in_hand.remove(stolen)
            if not (isinstance(outcome.event, PartDone) and outcome.event.work_seconds):
                self._pause(PAUSE)  # it may be found again until whoever keeps the records hears of it

    def abandon(self) -> None:
        """Tell what is in hand to end."""
        for stolen in self.in_hand:
            stolen.abandoned.set()

    def _found(self, search: Future[ChapterJob | None]) -> ChapterJob | None:
        try:
            job = search.result()
        except Retryable as error:
            logger.warning("bus.search_failed", reason=str(error))
            self._pause(FAILURE_PAUSE)
            return None
        if job is None:
            self._pause(PAUSE)
        return job

    def _pause(self, seconds: float) -> None:
        self._search_after = time.monotonic() + seconds * random.uniform(0.5, 1.5)
