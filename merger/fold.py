"""Events folded into records: pure functions. Any event may come twice, late, or after a restart."""

from collections.abc import Iterable
from typing import Literal

from e2a.checkpoint import PartRecord
from e2a.messages import PartDone, PartFailed

Verdict = Literal["open", "complete", "incomplete"]


def fold(record: PartRecord, event: PartDone | PartFailed) -> PartRecord:
    """Return a part's record after an event. Done is final; a failure is forgotten when the part is done later."""
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
                "retakes": event.retakes,
            }
        )
    return record.model_copy(update={"state": "failed", "worker": event.worker, "reason": event.reason})


def again(record: PartRecord) -> PartRecord:
    """Return the record of a part that was found missing or damaged, and is made anew."""
    return PartRecord(chapter=record.chapter, estimate=record.estimate, remade=record.remade + 1)


def lost(record: PartRecord, reason: str) -> PartRecord:
    """Return the record of a part that was found missing or damaged, and is not made anew."""
    return PartRecord(
        chapter=record.chapter, estimate=record.estimate, remade=record.remade, state="failed", reason=reason
    )


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
