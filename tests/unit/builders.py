"""Small valid values for the tests of the kernel and the merger; name what the test is about, the rest is given."""

import hashlib
from typing import Any

from e2a.checkpoint import BookRecord, PartRecord, WorkerRecord
from e2a.messages import ChapterJob, PartDone, PartFailed
from e2a.plan import BITRATE, Blob, Chapter, Part, Plan, Sentence, Sidecar, Speech, part_digest
from e2a.storage import ObjectStore, keys

BOOK = "b0123456789abcde"


def a_speech(**changes: Any) -> Speech:
    """Return the options of a book in English."""
    return Speech(**({"engine": "espeak", "language": "en"} | changes))


def a_part(index: int = 0, chapter: int = 0, **changes: Any) -> Part:
    """Return a part of one sentence that no other part has, with its true digest."""
    sentences = (Sentence(text=f"This is part {index}.", pause_ms=250),)
    given: dict[str, Any] = {"digest": part_digest(sentences, a_speech()), "estimate": 10.0, "sentences": sentences}
    return Part(**(given | {"index": index, "chapter": chapter} | changes))


def a_plan(parts: tuple[int, ...] = (2, 1), **changes: Any) -> Plan:
    """Return the plan of a book whose chapters have so many parts each."""
    chapters: list[Chapter] = []
    for number, count in enumerate(parts):
        first = sum(parts[:number])
        members = tuple(a_part(first + step, number) for step in range(count))
        chapters.append(Chapter(index=number, title=f"Chapter {number + 1}", parts=members))
    given: dict[str, Any] = {"book_id": BOOK, "title": "Emma", "authors": ("Jane Austen",), "speech": a_speech()}
    return Plan(**(given | {"chapters": tuple(chapters)} | changes))


def some_audio(part: Part) -> bytes:
    """Return bytes that stand for the AAC of a part."""
    return f"audio of part {part.index}".encode()


def some_master(part: Part) -> bytes:
    """Return bytes that stand for the FLAC of a part."""
    return f"master of part {part.index}".encode()


def a_blob(data: bytes) -> Blob:
    """Return what a sidecar says of an object."""
    return Blob(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def a_sidecar(part: Part, **changes: Any) -> Sidecar:
    """Return the sidecar of `some_audio` and `some_master`, said to be 10,240 samples at 10,240 Hz: one second."""
    given: dict[str, Any] = {
        "digest": part.digest,
        "sample_rate": 10_240,
        "samples": 10_240,
        "master": a_blob(some_master(part)),
        "aac": {BITRATE: a_blob(some_audio(part))},
        "sentences": ((2048, 8192),),
        "gain": 0.0,
        "limited": False,
        "loudness": -19.0,
        "peak": 0.5,
        "engine": "espeak",
        "encoder": "aac",
    }
    return Sidecar(**(given | changes))


def put_plan(store: ObjectStore, plan: Plan) -> None:
    """Put a plan where the producer puts it."""
    store.put(keys.book(plan.book_id, keys.PLAN), plan.model_dump_json().encode())


def put_part(store: ObjectStore, part: Part, **changes: Any) -> None:
    """Put a part's master, audio and sidecar, that changed, where a worker puts them."""
    store.put(keys.part_master(part.digest), some_master(part))
    store.put(keys.part_audio(part.digest, BITRATE), some_audio(part))
    store.put(keys.part_sidecar(part.digest), a_sidecar(part, **changes).model_dump_json().encode())


def a_job(part: Part | None = None, /, **changes: Any) -> ChapterJob:
    """Return the job that makes a part."""
    given: dict[str, Any] = {"book_id": BOOK, "part": part or a_part(), "speech": a_speech()}
    return ChapterJob(**(given | changes))


def a_part_done(part: Part | None = None, /, **changes: Any) -> PartDone:
    """Return what a worker says of a part that `put_part` has stored."""
    part = part or a_part()
    given: dict[str, Any] = {
        "book_id": BOOK,
        "part": part.index,
        "digest": part.digest,
        "worker": "gpu-0",
        "audio_seconds": 1.0,
        "audio_bytes": len(some_audio(part)),
    }
    return PartDone(**(given | changes))


def a_part_failed(part: Part | None = None, /, **changes: Any) -> PartFailed:
    """Return what a worker says of a part that it cannot speak."""
    part = part or a_part()
    given: dict[str, Any] = {
        "book_id": BOOK,
        "part": part.index,
        "worker": "gpu-0",
        "reason": "no such voice",
        "retryable": False,
    }
    return PartFailed(**(given | changes))


def a_book_record(book_id: str = BOOK, **changes: Any) -> BookRecord:
    """Return the record of a book of two chapters that was submitted at 1,000 s."""
    given: dict[str, Any] = {"book_id": book_id, "title": "Emma", "authors": ("Jane Austen",), "engine": "espeak"}
    given |= {"chapter_titles": ("Chapter 1", "Chapter 2")}
    given |= {"start_time": 1000.0, "resumed_at": 1000.0, "last_update": 1000.0}
    return BookRecord(**(given | changes))


def a_part_record(state: str = "pending", **changes: Any) -> PartRecord:
    """Return the record of a part of the first chapter."""
    return PartRecord(**({"chapter": 0, "estimate": 10.0, "state": state} | changes))


def a_worker_record(worker: str = "gpu-0", **changes: Any) -> WorkerRecord:
    """Return what a worker says of itself while it waits."""
    return WorkerRecord(**({"worker": worker, "engine": "espeak", "started": 0.0, "last_seen": 1.0} | changes))
