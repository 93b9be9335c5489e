"""What a worker does that has nothing to do: it takes a part that waits for another worker."""

import random
from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from e2a import log
from e2a.checkpoint import PartRecord, Stage
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
KEPT = 4
"""Plans that are remembered."""

logger = log.get(__name__)


class Checkpoint(Protocol):
    """The part of a checkpoint that is needed here."""

    def stages(self) -> dict[str, Stage]: ...

    def ready(self, book_id: str) -> list[int]: ...

    def part(self, book_id: str, index: int) -> PartRecord | None: ...

    def held(self, names: Sequence[str]) -> set[str]: ...


class Thief:
    """Finds parts to steal: from the end of a book, to which its owners come last. For one thread.

    Args:
        checkpoint: knows which parts nobody has made.
        store: where plans live.
        engine: loaded; parts for others are left alone.
        recent: parts that are left alone since we are at them, or were until a moment ago.
    """

    def __init__(self, checkpoint: Checkpoint, store: ObjectStore, engine: Engine, recent: Recent) -> None:
        self._checkpoint = checkpoint
        self._store = store
        self._engine = engine
        self._recent = recent
        self._plans: OrderedDict[str, Plan] = OrderedDict()

    def find(self) -> ChapterJob | None:
        """Return a job that nobody is at, of the first book that has one; None when there is none or nobody can say."""
        try:
            for book_id, stage in self._checkpoint.stages().items():
                job = self._of(book_id) if stage == "synthesising" else None
                if job is not None:
                    logger.info("part.stolen", book=book_id, part=job.part.index)
                    self._recent.touch(job.part.digest)
                    return job
        except Unavailable as error:
            logger.debug("thief.blind", reason=str(error))
        return None

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
        if record is None or record.state != "pending" or record.retry_at:
            return None
        return chapter_job(plan, part, record.attempts + 1)

    def _free(self, parts: Sequence[Part]) -> list[Part]:
        """Return the first of some parts that nobody is at, at most `CHOICE`; those that follow are not looked up."""
        for start in range(0, len(parts), AT_ONCE):
            leases = {f"part/{each.digest}": each for each in parts[start : start + AT_ONCE]}
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
