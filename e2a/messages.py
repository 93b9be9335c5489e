"""Everything that travels on a topic: versioned JSON, one frozen class a message.

A new field has a default, so workers of two versions can share a topic; every version's golden example in
`tests/unit/golden/` stays readable for ever.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from e2a.errors import Poison
from e2a.plan import BITRATE, BookId, Digest, Frozen, Part, Plan, Retake, Speech

PAYLOAD_CHARACTERS = 100_000
"""Most characters of a bad message that its dead letter keeps: escaped in JSON they still fit into 1 MB."""


class ChapterJob(Frozen):
    """Synthesise this part of a chapter."""

    type: Literal["ChapterJob"] = "ChapterJob"
    version: int = 2
    book_id: BookId
    part: Part
    speech: Speech
    bitrate: int = BITRATE
    """Of the AAC that is wanted, in bits a second."""
    attempt: int = 1
    """How often this part is tried, this time included; only failures that may not come again count."""


class BookPlanned(Frozen):
    """The plan of a book is in storage and its missing parts are about to be published."""

    type: Literal["BookPlanned"] = "BookPlanned"
    version: int = 1
    book_id: BookId


class PartDone(Frozen):
    """The audio and sidecar of a part are in storage."""

    type: Literal["PartDone"] = "PartDone"
    version: int = 1
    book_id: BookId
    part: int
    digest: Digest
    worker: str
    """Who has made it, which need not be who says so."""
    audio_seconds: float
    audio_bytes: int
    work_seconds: float = 0.0
    """Wall time of the synthesis; 0 when the audio was there already."""
    retakes: tuple[Retake, ...] = ()
    """Sentences that were said more than once."""


class PartFailed(Frozen):
    """A part could not be made."""

    type: Literal["PartFailed"] = "PartFailed"
    version: int = 2
    book_id: BookId
    part: int
    worker: str
    reason: str
    retryable: bool
    attempt: int = 0
    """Of the job; 0 where a worker of version 1 does not say."""


class BookDone(Frozen):
    """The finished book is in storage."""

    type: Literal["BookDone"] = "BookDone"
    version: int = 1
    book_id: BookId
    output: str
    """Storage key of the finished file."""
    audio_seconds: float
    audio_bytes: int


class BookFailed(Frozen):
    """No part of the book is left to be tried, and some are missing."""

    type: Literal["BookFailed"] = "BookFailed"
    version: int = 1
    book_id: BookId
    reason: str


class PartialWanted(Frozen):
    """Somebody wants to hear the chapters that are finished so far."""

    type: Literal["PartialWanted"] = "PartialWanted"
    version: int = 1
    book_id: BookId


class BookChanged(Frozen):
    """Somebody has changed what is wanted of a book, its `Order` in storage, or has removed the book from there."""

    type: Literal["BookChanged"] = "BookChanged"
    version: int = 1
    book_id: BookId


class PartsWanted(Frozen):
    """Parts of a book that have failed are to be tried again, as if they never had been."""

    type: Literal["PartsWanted"] = "PartsWanted"
    version: int = 1
    book_id: BookId
    parts: tuple[int, ...] = ()
    """Which; all that have failed when none is named."""


class DeadLetter(Frozen):
    """A message that can never be processed, or a job that failed too often, kept with the reason."""

    type: Literal["DeadLetter"] = "DeadLetter"
    version: int = 2
    book_id: str = ""
    part: int | None = None
    """Index of the part, where the message is a job."""
    attempts: int = 0
    """How often it was tried; 0 where nobody counted."""
    reason: str
    source: str
    """Where it was read: `topic/partition/offset`, or who gave it up."""
    payload: str
    """The message as it was read, at most `PAYLOAD_CHARACTERS`; bytes that are not UTF-8 are shown as escapes."""


Event = BookPlanned | PartDone | PartFailed | BookDone | BookFailed | PartialWanted | BookChanged | PartsWanted
Message = ChapterJob | Event | DeadLetter

_ADAPTER: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def chapter_job(plan: Plan, part: Part, attempt: int = 1) -> ChapterJob:
    """Return the job that makes a part of a book."""
    return ChapterJob(
        book_id=plan.book_id,
        part=part.for_engine(),
        speech=plan.speech,
        bitrate=plan.output.bitrate,
        attempt=attempt,
    )


def encode(message: Message) -> bytes:
    """Return the message as UTF-8 JSON."""
    return message.model_dump_json().encode()


def decode(raw: bytes) -> Message:
    """Read a message.

    Raises:
        Poison: it is not JSON, of no known type, or lacks a field; the text names the first fault.
    """
    try:
        return _ADAPTER.validate_json(raw)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in fault["loc"]) or "message"
        raise Poison(f"{where}: {fault['msg']}") from error


def dead_letter(raw: bytes, *, reason: str, source: str) -> DeadLetter:
    """Wrap a message that cannot be processed; book, part and attempts are named when they can be read."""
    known: dict[str, object] = {}
    try:
        message = decode(raw)
        known = {"book_id": message.book_id}
        if isinstance(message, ChapterJob):
            known |= {"part": message.part.index, "attempts": message.attempt}
    except Poison:
        pass
    payload = raw.decode(errors="backslashreplace")[:PAYLOAD_CHARACTERS]
    return DeadLetter.model_validate(known | {"reason": reason, "source": source, "payload": payload})
