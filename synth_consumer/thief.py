"""What a worker does that has nothing to do: it takes a part that waits for another worker."""

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

from e2a import log
from e2a.checkpoint import PartRecord, QueueRecord, Stage, part_lease
from e2a.errors import Unavailable
from e2a.messages import ChapterJob, chapter_job
from e2a.plan import Part, Plan
from e2a.storage import ObjectStore, read_plan
from synth_consumer.engines import Engine
from synth_consumer.in_hand import Recent

CHOICE = 8
"""Parts at the end of a book of which one is chosen by chance: thieves should not all want the same."""
AT_ONCE = 64
"""Parts whose leases are looked up at once."""
PATIENCE = 10.0
"""Seconds without a sweep of a merger after which nothing is stolen."""
KEPT = 4
"""Plans that are remembered."""

logger = log.get(__name__)


class Checkpoint(Protocol):
    """The part of a checkpoint that is needed here."""

    def stages(self) -> dict[str, Stage]: ...

    def ready(self, book_id: str) -> list[int]: ...

    def part(self, book_id: str, index: int) -> PartRecord | None: ...

    def held(self, names: Sequence[str]) -> set[str]: ...

    def queue(self) -> QueueRecord | None: ...


class Thief:
    """Finds parts to steal: from the end of a book, to which its owners come last. For one thread.

    Args:
        checkpoint: knows which parts nobody has made.
        store: where plans live.
        engine: loaded; parts for others are left alone.
        recent: parts that are left alone since we are at them, or were until a moment ago.
        clock: seconds.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        store: ObjectStore,
        engine: Engine,
        recent: Recent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checkpoint = checkpoint
        self._store = store
        self._engine = engine
        self._recent = recent
        self._clock = clock
        self._taken: float | None = None
        self._seen = 0.0
        self._plans: OrderedDict[str, Plan] = OrderedDict()

    def find(self) -> ChapterJob | None:
        """Return a job that nobody is at, of the first book that has one; None when there is none or nobody can say."""
        try:
            if not self._is_kept():
                return None
            for book_id, stage in self._checkpoint.stages().items():
                job = self._of(book_id) if stage == "synthesising" else None
                if job is not None:
                    self._recent.touch(job.part.digest)
                    return job
        except Unavailable as error:
            logger.debug("thief.blind", reason=str(error))
        return None

    def _is_kept(self) -> bool:
        """Say whether a merger keeps the records: else what was made long ago would seem to wait."""
        queue = self._checkpoint.queue()
        taken = queue.taken if queue else None
        if taken != self._taken:
            self._taken, self._seen = taken, self._clock()
        return taken is not None and self._clock() - self._seen < PATIENCE

    def _of(self, book_id: str) -> ChapterJob | None:
        ready = self._checkpoint.ready(book_id)
        plan = self._plan(book_id) if ready else None
        if plan is None or (plan.speech.engine, plan.speech.model) != (self._engine.name, self._engine.model):
            return None
        parts = plan.parts
        free = self._free([parts[index] for index in reversed(ready) if index < len(parts)])
        if not free:
            return None
        part = random.choice(free)
        record = self._checkpoint.part(book_id, part.index)
        # what has failed is tried again by whom the merger has chosen, not by who has failed with it
        if record is None or record.state != "pending" or record.attempts:
            return None
        return chapter_job(plan, part)

    def _free(self, parts: Sequence[Part]) -> list[Part]:
        """Return the first of some parts that nobody is at, at most `CHOICE`; those that follow are not looked up."""
        for start in range(0, len(parts), AT_ONCE):
            leases = {part_lease(each.digest): each for each in parts[start : start + AT_ONCE]}
            held = self._checkpoint.held(list(leases))
            free = (each for name, each in leases.items() if name not in held and each.digest not in self._recent)
            if found := list(islice(free, CHOICE)):
                return found
        return []

    def _plan(self, book_id: str) -> Plan | None:
        plan = self._plans.get(book_id) or read_plan(self._store, book_id)
        if plan is not None:
            self._plans[book_id] = plan
            self._plans.move_to_end(book_id)
            while len(self._plans) > KEPT:
                self._plans.popitem(last=False)
        return plan
