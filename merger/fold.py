"""Events folded into records: pure functions. Any event may come twice, late, or after a restart."""

from collections.abc import Callable, Iterable
from typing import Literal

from e2a.checkpoint import PartRecord
from e2a.messages import PartDone, PartFailed

MAX_ATTEMPTS = 3
"""How often a part may fail for reasons that may pass, before it is given up."""

Verdict = Literal["open", "complete", "incomplete"]
Due = Callable[[int], float]
"""From how often a part has failed, the Unix time in seconds from which on it is to be tried again."""


def backoff(now: float, first: float, jitter: float) -> Due:
    """Return when a part that fails now is tried again: each time after twice as long, less up to half of it.

    Args:
        now: Unix time in seconds.
        first: longest wait after the first failure, in seconds.
        jitter: 0 to 1, where 1 waits longest: what failed together should not come again together.
    """
    return lambda attempts: now + first * 2 ** (attempts - 1) * (1 + jitter) / 2


def fold(record: PartRecord, event: PartDone | PartFailed, due: Due) -> PartRecord:
    """Return a part's record after an event. Done is final; a failure is forgotten when the part is done later.

    A failure that may pass counts once for each attempt, however often its event comes; a worker of version 1 does
    not say which attempt it was.
    """
    if record.state == "done":
        return record
    if isinstance(event, PartDone):
        return record.model_copy(
            update={
                "state": "done",
                "audio_seconds": event.audio_seconds,
                "audio_bytes": event.audio_bytes,
                "worker": event.worker,
                "reason": "",
                "retry_at": 0.0,
                "retakes": event.retakes,
            }
        )
    failure = {"worker": event.worker, "reason": event.reason}
    if not event.retryable:
        return record.model_copy(update=failure | {"state": "failed", "retry_at": 0.0})
    attempts = event.attempt or record.attempts + 1
    if record.state == "failed" or attempts <= record.attempts:
        return record
    if attempts >= MAX_ATTEMPTS:
        return record.model_copy(update=failure | {"state": "failed", "retry_at": 0.0, "attempts": attempts})
    return record.model_copy(update=failure | {"retry_at": due(attempts), "attempts": attempts})


def is_spent(record: PartRecord, event: PartDone | PartFailed) -> bool:
    """Say whether it was this event that left its part, as it is recorded now, without another attempt."""
    if not isinstance(event, PartFailed) or not event.retryable or record.state != "failed":
        return False
    return MAX_ATTEMPTS <= record.attempts == (event.attempt or record.attempts)


def published(record: PartRecord, seen: PartRecord) -> PartRecord:
    """Return the record of a part whose job was published for the retry that was seen."""
    return record.model_copy(update={"retry_at": 0.0}) if record.retry_at == seen.retry_at else record


def found(record: PartRecord, made: PartRecord) -> PartRecord:
    """Return the record of a part that storage has, as which it is to be recorded."""
    return record if record.state == "done" else made.model_copy(update={"remade": record.remade})


def again(record: PartRecord) -> PartRecord:
    """Return the record of a part that was found missing or damaged, and is made anew."""
    return wanted(record).model_copy(update={"remade": record.remade + 1})


def wanted(record: PartRecord) -> PartRecord:
    """Return the record of a part that is to be tried as if it never had been."""
    return PartRecord(chapter=record.chapter, estimate=record.estimate)


def lost(record: PartRecord, reason: str) -> PartRecord:
    """Return the record of a part that was found missing or damaged, and is not made anew."""
    return again(record).model_copy(update={"remade": record.remade, "state": "failed", "reason": reason})


def verdict(parts: Iterable[PartRecord]) -> Verdict:
    """Say whether a book has parts to wait for (open), has all (complete), or never will (incomplete)."""
    states = {record.state for record in parts}
    if "pending" in states or not states:
        return "open"
    return "incomplete" if "failed" in states else "complete"


def missing(parts: Iterable[PartRecord]) -> str:
    """Return one line that names what a book lacks and one reason; every part's record holds its own."""
    failed = [record for record in parts if record.state == "failed"]
    chapters = sorted({record.chapter + 1 for record in failed})
    numbers = ", ".join(str(chapter) for chapter in chapters)
    first, *others = sorted({record.reason for record in failed})
    more = f" (and {len(others)} other reasons)" if others else ""
    return f"{len(failed)} parts missing, in chapters {numbers}: {first}{more}"
