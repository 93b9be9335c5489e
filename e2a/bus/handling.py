"""The handler is the only idea: a message becomes an event. No network here."""

import threading
from collections.abc import Callable

from e2a.errors import Poison, Retryable
from e2a.messages import ChapterJob, DeadLetter, Event, PartFailed, dead_letter, decode
from e2a.plan import Frozen

Handler = Callable[[ChapterJob, threading.Event], Event | None]
"""Does a job and returns what happened, or None when it gave the job back because the event was set.

Raises `Retryable` or `Poison`; any other exception crashes the worker. Called from several threads at once.
"""


class Outcome(Frozen):
    """What is to be published before the offset of a message is committed."""

    event: Event | None = None
    dead_letter: DeadLetter | None = None
    handed_back: bool = False
    """The job was not done and must stay on the topic: nothing is published or committed."""


def process(raw: bytes, *, source: str, worker: str, handle: Handler, abandoned: threading.Event) -> Outcome:
    """Decode a message, handle it, and turn an expected failure into an event or a dead letter.

    Args:
        raw: the message as read.
        source: `topic/partition/offset`, for the dead letter.
        worker: name of this worker, for the event.
        handle: does the work.
        abandoned: set when the work is no longer wanted.
    """
    try:
        job = decode(raw)
        if not isinstance(job, ChapterJob):
            raise Poison(f"a {job.type} is not a job")
    except Poison as error:
        return Outcome(dead_letter=dead_letter(raw, reason=str(error), source=source))
    try:
        event = handle(job, abandoned)
    except Retryable as error:
        return Outcome(event=_failed(job, worker, error, retryable=True))
    except Poison as error:
        letter = dead_letter(raw, reason=str(error), source=source)
        return Outcome(event=_failed(job, worker, error, retryable=False), dead_letter=letter)
    if event is None and not abandoned.is_set():
        raise RuntimeError(f"the handler gave back {source}, which was not abandoned")
    return Outcome(event=event, handed_back=event is None)


def _failed(job: ChapterJob, worker: str, error: Exception, *, retryable: bool) -> PartFailed:
    return PartFailed(
        book_id=job.book_id,
        part=job.part.index,
        worker=worker,
        reason=str(error),
        retryable=retryable,
        attempt=job.attempt,
    )
