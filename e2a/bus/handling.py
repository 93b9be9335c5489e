"""The handler is the only idea: a message becomes an event. No network here."""

import threading
from collections.abc import Callable

from e2a.errors import Poison, Retryable
from e2a.messages import ChapterJob, DeadLetter, Event, PartFailed, dead_letter, decode, encode
from e2a.plan import Frozen

Handler = Callable[[ChapterJob, threading.Event], Event | None]
"""Does a job and returns what happened. None says that there is nothing to say: the event was set, and the job is given
back; or it was not, and the job is passed over, since somebody else is at it or nobody wants it any more.

Raises `Retryable` or `Poison`; any other exception crashes the worker. Called from several threads at once.
"""


class Outcome(Frozen):
    """What is to be published before the offset of a message is committed; nothing for a job that was passed over."""

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
    return perform(job, raw, source=source, worker=worker, handle=handle, abandoned=abandoned)


def perform(
    job: ChapterJob,
    raw: bytes | None = None,
    *,
    source: str,
    worker: str,
    handle: Handler,
    abandoned: threading.Event,
) -> Outcome:
    """Handle a job, and turn an expected failure into an event or a dead letter.

    Args:
        job: what is to be done.
        raw: the message as read, for the dead letter; None for a job that was never read.
        source: where the job comes from, for the dead letter.
        worker: name of this worker, for the event.
        handle: does the work.
        abandoned: set when the work is no longer wanted.
    """
    try:
        event = handle(job, abandoned)
    except Retryable as error:
        return Outcome(event=_failed(job, worker, error, retryable=True))
    except Poison as error:
        letter = dead_letter(encode(job) if raw is None else raw, reason=str(error), source=source)
        return Outcome(event=_failed(job, worker, error, retryable=False), dead_letter=letter)
    return Outcome(event=event, handed_back=event is None and abandoned.is_set())


def _failed(job: ChapterJob, worker: str, error: Exception, *, retryable: bool) -> PartFailed:
    return PartFailed(
        book_id=job.book_id,
        part=job.part.index,
        worker=worker,
        reason=str(error),
        retryable=retryable,
        attempt=job.attempt,
    )
