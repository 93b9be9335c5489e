"""Sequential mode with the simulated engine; ffmpeg is left out."""

import pytest

from e2a.checkpoint import BookRecord, Progress
from e2a.plan import Plan
from e2a.report import Report
from e2a.settings import SynthSettings
from e2a.storage import ObjectStore, keys
from e2a.testing import MemoryStore
from merger import merge
from producer import sequential
from producer.follow import Show
from tests.unit.builders import a_plan, a_speech, put_plan

PLAN = a_plan(parts=(2, 1), speech=a_speech(engine="simulated"))


def ignore(_numbers: Progress, _note: str) -> None:
    """Show nothing."""


def run(store: ObjectStore, plan: Plan = PLAN, show: Show = ignore) -> BookRecord:
    """Make the book with the simulated engine."""
    return sequential.run(plan, store, SynthSettings(engine="simulated"), show)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    def assemble(plan: Plan, target: ObjectStore) -> Report:
        key = keys.output(plan.book_id, plan.output_format)
        target.put(key, b"book")
        return Report(book_id=plan.book_id, output=key, audio_seconds=12.0, audio_bytes=4)

    monkeypatch.setattr(merge, "assemble", assemble)
    monkeypatch.setattr(sequential, "check_programs", lambda: None)
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
        key for part in PLAN.parts for key in (keys.part_audio(part.digest), keys.part_sidecar(part.digest))
    }


def test_shows_every_part(store: MemoryStore) -> None:
    """Progress is shown before the first part and after each one."""
    seen: list[Progress] = []
    run(store, show=lambda numbers, _note: seen.append(numbers))
    assert [numbers.done for numbers in seen] == [0, 1, 2, 3]
    assert seen[-1].chapters_done == 2


def test_makes_the_same_bytes_again(store: MemoryStore) -> None:
    """Parts that are lost are made again, byte for byte."""
    run(store)
    before = parts(store)
    for key in before:
        store.delete(key)
    run(store)
    assert parts(store) == before


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
