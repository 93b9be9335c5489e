"""A message becomes an outcome: what is published, and whether its offset is committed."""

import threading
from typing import NoReturn

import pytest

from e2a.bus import Handler, Outcome, process
from e2a.bus.handling import perform
from e2a.errors import Poison, Retryable
from e2a.messages import ChapterJob, DeadLetter, Event, PartFailed, encode
from tests.unit.builders import a_job, a_part, a_part_done

SOURCE = "e2a.chapters/3/7"


def handled(raw: bytes, handle: Handler) -> Outcome:
    """Process a message as worker gpu-0."""
    return process(raw, source=SOURCE, worker="gpu-0", handle=handle, abandoned=threading.Event())


def raising(error: Exception) -> Handler:
    """Return a handler that fails."""

    def handle(job: ChapterJob, abandoned: threading.Event) -> NoReturn:
        raise error

    return handle


def never(job: ChapterJob, abandoned: threading.Event) -> NoReturn:
    """Handler of a message that must not reach it."""
    raise AssertionError(f"handled {job}")


def test_done() -> None:
    """The handler's event is the outcome, and nothing else."""
    assert handled(encode(a_job()), lambda job, abandoned: a_part_done()) == Outcome(event=a_part_done())


def test_the_handler_gets_the_job_and_the_flag() -> None:
    """The handler is given the job as it was sent, and the flag of its caller."""
    seen: list[tuple[ChapterJob, threading.Event]] = []
    job, flag = a_job(a_part(4)), threading.Event()

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event:
        seen.append((job, abandoned))
        return a_part_done()

    process(encode(job), source=SOURCE, worker="gpu-0", handle=handle, abandoned=flag)
    ((got, abandoned),) = seen
    assert got == job
    assert abandoned is flag


def test_handed_back() -> None:
    """A job that was given back leaves nothing to publish and must not be committed."""
    abandoned = threading.Event()
    abandoned.set()
    outcome = process(encode(a_job()), source=SOURCE, worker="gpu-0", handle=lambda *_: None, abandoned=abandoned)
    assert outcome == Outcome(handed_back=True)


def test_passed_over() -> None:
    """A job that nobody abandoned and of which there is nothing to say is committed in silence."""
    assert handled(encode(a_job()), lambda job, abandoned: None) == Outcome()


def test_retryable() -> None:
    """What may work later is a failed part that can be retried, and no dead letter."""
    outcome = handled(encode(a_job(a_part(4), attempt=2)), raising(Retryable("storage is away")))
    failed = PartFailed(
        book_id=a_job().book_id, part=4, worker="gpu-0", reason="storage is away", retryable=True, attempt=2
    )
    assert outcome == Outcome(event=failed)


def test_poison() -> None:
    """What will never work is a failed part that is not retried, and a dead letter with the message as read."""
    raw = encode(a_job(a_part(4)))
    outcome = handled(raw, raising(Poison("no voice")))
    failed = PartFailed(book_id=a_job().book_id, part=4, worker="gpu-0", reason="no voice", retryable=False, attempt=1)
    letter = DeadLetter(
        book_id=a_job().book_id, part=4, attempts=1, reason="no voice", source=SOURCE, payload=raw.decode()
    )
    assert outcome == Outcome(event=failed, dead_letter=letter)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff"])
def test_undecodable(raw: bytes) -> None:
    """Bytes that are no message are a dead letter and are never handled; no part is known to have failed."""
    outcome = handled(raw, never)
    assert outcome.dead_letter is not None
    assert outcome.dead_letter.source == SOURCE
    assert outcome == Outcome(dead_letter=outcome.dead_letter)


def test_not_a_job() -> None:
    """A message that is no job is a dead letter of its book, and the reason says what it was."""
    outcome = handled(encode(a_part_done()), never)
    letter = outcome.dead_letter
    assert letter is not None
    assert (letter.book_id, letter.reason) == (a_part_done().book_id, "a PartDone is not a job")
    assert outcome == Outcome(dead_letter=letter)


def test_a_bug_propagates() -> None:
    """An exception that is nobody's plan crashes the worker."""
    with pytest.raises(ZeroDivisionError):
        handled(encode(a_job()), raising(ZeroDivisionError()))


def test_a_job_that_was_never_read() -> None:
    """A job that comes from elsewhere is handled without bytes; when it is poison, its dead letter holds the job."""
    job, flag = a_job(a_part(4)), threading.Event()
    outcome = perform(job, source="stolen", worker="gpu-0", handle=lambda *_: a_part_done(), abandoned=flag)
    assert outcome == Outcome(event=a_part_done())
    letter = perform(
        job, source="stolen", worker="gpu-0", handle=raising(Poison("no voice")), abandoned=flag
    ).dead_letter
    assert letter is not None
    assert (letter.source, letter.payload) == ("stolen", encode(job).decode())
