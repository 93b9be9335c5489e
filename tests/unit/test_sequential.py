"""Sequential mode with the simulated engine; ffmpeg is left out."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from e2a.checkpoint import BookRecord, Progress
from e2a.errors import ExitCode, Retryable, Unavailable, UserError
from e2a.messages import ChapterJob
from e2a.plan import BITRATE, Plan
from e2a.report import Report
from e2a.settings import SynthSettings
from e2a.storage import ObjectStore, keys, read_sidecar
from e2a.testing import MemoryStore
from merger import ffmpeg, merge
from merger.faults import CorruptParts
from producer import sequential
from producer.follow import Show
from producer.ingest import missing_parts
from synth_consumer.engines.simulated import SimulatedEngine
from synth_consumer.worker import Worker
from tests.unit.builders import a_plan, a_speech, put_plan

PLAN = a_plan(parts=(2, 1), speech=a_speech(engine="simulated"))


def ignore(_numbers: Progress, _note: str) -> None:
    """Show nothing."""


def run(store: ObjectStore, plan: Plan = PLAN, show: Show = ignore) -> BookRecord:
    """Make the book with the simulated engine."""
    maker = sequential.Maker(SynthSettings(engine="simulated"))
    return maker.make(plan, missing_parts(plan, store), store, show)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    def assemble(plan: Plan, target: ObjectStore, **_options: object) -> Report:
        if damaged := [part for part in plan.parts if read_sidecar(target, part.digest, BITRATE) is None]:
            raise CorruptParts(damaged)
        key = keys.output(plan.book_id, "book.m4b")
        target.put(key, b"book")
        return Report(book_id=plan.book_id, output=key, audio_seconds=12.0, audio_bytes=4)

    monkeypatch.setattr(merge, "assemble", assemble)
    monkeypatch.setattr(ffmpeg, "check", lambda: None)
    made = MemoryStore()
    put_plan(made, PLAN)
    return made


def parts(store: MemoryStore) -> dict[str, bytes]:
    """Return all objects of parts."""
    return {key: data for key, data in store.objects.items() if key.startswith("parts/")}


def test_makes_the_whole_book(store: MemoryStore) -> None:
    """Every part is made and the book is assembled and recorded."""
    record = run(store)
    assert (record.stage, record.audio_seconds, record.reason) == ("done", 12.0, "")
    assert set(parts(store)) == {
        key
        for part in PLAN.parts
        for key in (
            keys.part_master(part.digest),
            keys.part_audio(part.digest, BITRATE),
            keys.part_sidecar(part.digest),
        )
    }


def test_shows_every_part(store: MemoryStore) -> None:
    """Progress is shown before the first part and after each one, and then that the book is assembled."""
    seen: list[tuple[Progress, str]] = []
    run(store, show=lambda numbers, note: seen.append((numbers, note)))
    assert [(numbers.done, note) for numbers, note in seen] == [(0, ""), (1, ""), (2, ""), (3, ""), (3, "assembling")]
    assert seen[-1][0].chapters_done == 2


def test_makes_the_same_bytes_again(store: MemoryStore) -> None:
    """Parts that are lost are made again, byte for byte; what is known of them says only how long that took anew."""

    def made() -> list[object]:
        found: list[object] = [data for key, data in parts(store).items() if not key.endswith(".json")]
        sidecars = [read_sidecar(store, part.digest, BITRATE) for part in PLAN.parts]
        return found + [sidecar.model_copy(update={"work_seconds": 0}) for sidecar in sidecars if sidecar]

    run(store)
    before = made()
    for key in parts(store):
        store.delete(key)
    run(store)
    assert made() == before


def damage(store: MemoryStore, times: int) -> Callable[..., Report]:
    """Return an assembly that finds the first part damaged so many times."""
    whole, damaged = merge.assemble, iter(range(times))

    def assemble(plan: Plan, target: ObjectStore, **options: Any) -> Report:
        if next(damaged, None) is not None:
            store.put(keys.part_master(PLAN.parts[0].digest), b"damaged")
            raise CorruptParts(PLAN.parts[:1])
        return whole(plan, target, **options)

    return assemble


def test_makes_a_damaged_part_anew(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that is found damaged when the book is assembled is made anew, and the book comes out whole."""
    run(store)
    before = store.get(keys.part_master(PLAN.parts[0].digest))
    store.delete(keys.report(PLAN.book_id))
    monkeypatch.setattr(merge, "assemble", damage(store, times=2))
    assert run(store).stage == "done"
    assert store.get(keys.part_master(PLAN.parts[0].digest)) == before


def test_gives_up_on_a_part_that_is_always_damaged(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage that damages a part each time fails the book in the end, and says so."""
    monkeypatch.setattr(merge, "assemble", damage(store, times=100))
    record = run(store)
    assert record.stage == "failed"
    assert "part 0 of chapter 1 is missing or damaged in storage" in record.reason


def test_makes_only_what_is_missing(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run speaks nothing but the part that was lost."""
    run(store)
    store.delete(keys.part_sidecar(PLAN.parts[1].digest))
    naps: list[float] = []
    monkeypatch.setattr("synth_consumer.engines.simulated.time.sleep", naps.append)
    run(store)
    assert len(naps) == len(PLAN.parts[1].sentences)


def test_a_book_for_another_engine_ends_failed(store: MemoryStore) -> None:
    """A part that cannot be made ends the book with the reason."""
    plan = PLAN.model_copy(update={"speech": a_speech(engine="opera")})
    put_plan(store, plan)
    record = run(store, plan)
    assert record.stage == "failed"
    assert "E2A_ENGINE=opera" in record.reason


def fail_on_the_first_part(monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Let the engine run out of memory so many times on the first part; return a list that fills with its attempts."""
    handle, left, attempts = Worker.handle, iter(range(times)), []

    def sick(worker: Worker, job: ChapterJob, abandoned: threading.Event) -> object:
        if job.part.index == 0:
            attempts.append(job.attempt)
            if next(left, None) is not None:
                raise Retryable("no memory")
        return handle(worker, job, abandoned)

    monkeypatch.setattr(Worker, "handle", sick)
    return attempts


def test_tries_a_part_again_at_once(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that may pass is tried again without a wait, and the book comes out whole."""
    attempts = fail_on_the_first_part(monkeypatch, times=2)
    assert (run(store).stage, attempts) == ("done", [1, 2, 3])


def test_gives_up_on_a_part_that_always_fails(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that fails three times fails its book, for the reason that it failed."""
    attempts = fail_on_the_first_part(monkeypatch, times=100)
    record = run(store)
    assert (record.stage, attempts) == ("failed", [1, 2, 3])
    assert record.reason == "1 parts missing, in chapters 1: no memory"


class Away(MemoryStore):
    """A store that cannot be written."""

    def put(self, key: str, data: bytes) -> None:
        raise Unavailable("storage: gone")


def test_storage_that_goes_away(store: MemoryStore) -> None:
    """Nobody waits in this process for storage that goes away: the command ends with the reason."""
    away = Away()
    away.objects = store.objects
    with pytest.raises(UserError, match="storage: gone") as failure:
        run(away)
    assert failure.value.code == ExitCode.UNAVAILABLE


def test_one_engine_makes_all_books(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is loaded once for several books, also when storage was away for one of them."""
    loads: list[int] = []
    monkeypatch.setattr(SimulatedEngine, "load", lambda _engine: loads.append(1))
    maker = sequential.Maker(SynthSettings(engine="simulated"))
    away = Away()
    away.objects = dict(store.objects)
    with pytest.raises(UserError):
        maker.make(PLAN, PLAN.parts, away, ignore)
    other = PLAN.model_copy(update={"book_id": "f" * 16})
    put_plan(store, other)
    assert [maker.make(plan, plan.parts, store, ignore).stage for plan in (PLAN, other)] == ["done"] * 2
    assert len(loads) == 1


def test_assembles_what_is_finished(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a book that was interrupted the finished chapters are assembled; of one just begun there are none."""
    monkeypatch.setattr("merger.excerpt.assemble", merge.assemble)
    assert sequential.partial(PLAN, store).files == ()
    run(store)
    store.delete(keys.part_sidecar(PLAN.parts[2].digest))
    assert sequential.partial(PLAN, store).audio_seconds == 12.0
