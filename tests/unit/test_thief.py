"""What a worker without work steals, and what it leaves alone."""

from itertools import islice

import pytest

from e2a.checkpoint import QueueRecord, Stage
from e2a.errors import Unavailable
from e2a.messages import ChapterJob, chapter_job
from e2a.plan import Plan
from e2a.storage import keys
from e2a.testing import Clock, MemoryCheckpoint, MemoryStore
from synth_consumer.in_hand import RECENT, Recent
from synth_consumer.thief import AT_ONCE, CHOICE, PATIENCE, Thief
from tests.unit.builders import a_book_record, a_part_record, a_plan, a_speech, put_plan
from tests.unit.puppet import Puppet


class Place:
    """A thief and what it looks at."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.checkpoint = MemoryCheckpoint(self.clock)
        self.store = MemoryStore()
        self.engine = Puppet()
        self.recent = Recent(self.clock)
        self.thief = Thief(self.checkpoint, self.store, self.engine, self.recent, self.clock)
        self.sweep()

    def sweep(self) -> None:
        """Look at what waits, as a merger does."""
        self.checkpoint.set_queue(QueueRecord(taken=self.clock.now))

    def add(self, plan: Plan, **changes: object) -> Plan:
        """Add a book none of whose parts is made."""
        put_plan(self.store, plan)
        parts = {part.index: a_part_record(chapter=part.chapter) for part in plan.parts}
        self.checkpoint.seed(a_book_record(plan.book_id, **changes), parts)
        return plan

    def take(self) -> list[int]:
        """Return the indices of all parts that are found, one after the other, but no more than a hundred."""
        return [job.part.index for job in islice(iter(self.thief.find, None), 100)]


@pytest.fixture
def place() -> Place:
    return Place()


def test_finds_the_job_that_waits(place: Place) -> None:
    """What is found is the job as it waits in Kafka."""
    plan = place.add(a_plan(parts=(1,)))
    assert place.thief.find() == chapter_job(plan, plan.parts[0])


def test_what_failed_before_is_left(place: Place) -> None:
    """Whom a part failed with must not take it again: the merger has sent it to somebody else."""
    plan = place.add(a_plan(parts=(1,)))
    place.checkpoint.update_part(plan.book_id, 0, lambda part: part.model_copy(update={"attempts": 1}))
    assert place.thief.find() is None


def test_nothing_is_stolen_while_nobody_keeps_the_records(place: Place) -> None:
    """Without a merger what was made long ago seems to wait: it would be stolen again and again."""
    place.add(a_plan(parts=(3,)))
    assert place.thief.find()
    place.clock.now += PATIENCE
    assert place.thief.find() is None
    place.sweep()
    assert place.thief.find()
    place.checkpoint.lose()
    place.add(a_plan(parts=(3,)))
    assert place.thief.find() is None


def test_finds_nothing_where_nothing_waits(place: Place) -> None:
    """Parts that are done, failed, or wait to be tried again are left alone."""
    plan = place.add(a_plan(parts=(3,)))
    for index, change in enumerate(({"state": "done"}, {"state": "failed"}, {"retry_at": 5.0})):
        place.checkpoint.update_part(plan.book_id, index, lambda part, change=change: part.model_copy(update=change))
    assert place.thief.find() is None


def test_takes_from_the_end_of_the_book(place: Place) -> None:
    """The owners begin at the beginning: what is found is one of the last parts, not always the same."""
    place.add(a_plan(parts=(100,)))
    last = set(range(100 - CHOICE, 100))
    found = set()
    for _ in range(200):
        job = place.thief.find()
        assert job is not None
        found.add(job.part.index)
        place.clock.now += RECENT
        place.sweep()
    assert found == last


def test_takes_nothing_twice(place: Place) -> None:
    """What was just offered, or is in hand, is not offered again; later it may be."""
    plan = place.add(a_plan(parts=(3,)))
    with place.recent.during(plan.parts[1].digest):
        assert sorted(place.take()) == [0, 2]
        place.clock.now += RECENT
        place.sweep()
        assert sorted(place.take()) == [0, 2]
    place.clock.now += RECENT
    place.sweep()
    assert sorted(place.take()) == [0, 1, 2]


def test_leaves_what_others_are_at(place: Place) -> None:
    """Parts whose lease is held are left alone, however many there are."""
    plan = place.add(a_plan(parts=(AT_ONCE + 3,)))
    for part in plan.parts[2:]:
        place.checkpoint.claim(f"part/{part.digest}", "them", 60)
    assert sorted(place.take()) == [0, 1]


@pytest.mark.parametrize("stage", ["paused", "cancelled", "assembling", "done", "failed"])
def test_leaves_books_that_are_not_made(place: Place, stage: Stage) -> None:
    """Only of a book that is being made parts are found."""
    place.add(a_plan(), stage=stage)
    assert place.thief.find() is None


@pytest.mark.parametrize("other", [{"engine": "xtts"}, {"model": "alto"}])
def test_leaves_books_for_other_workers(place: Place, other: dict[str, str]) -> None:
    """A book for another engine or model is passed by, and the next one looked at."""
    place.add(a_plan(book_id="b100000000000000", speech=a_speech(**other)), start_time=1.0)
    wanted = place.add(a_plan(book_id="b200000000000000"), start_time=2.0)
    assert found_book(place.thief.find()) == wanted.book_id


def test_urgent_books_come_first(place: Place) -> None:
    """Books are looked at in the order in which they are to be finished."""
    place.add(a_plan(book_id="b100000000000000"), start_time=1.0)
    urgent = place.add(a_plan(book_id="b200000000000000"), start_time=2.0, urgent=True)
    assert found_book(place.thief.find()) == urgent.book_id


def found_book(job: ChapterJob | None) -> str:
    """Return the book of a job."""
    assert job is not None
    return job.book_id


def test_a_book_without_a_plan_is_passed_by(place: Place) -> None:
    """A book that was removed from storage a moment ago is no obstacle."""
    gone = place.add(a_plan(book_id="b100000000000000"), start_time=1.0)
    place.store.delete(keys.book(gone.book_id, keys.PLAN))
    wanted = place.add(a_plan(book_id="b200000000000000"), start_time=2.0)
    assert found_book(place.thief.find()) == wanted.book_id


def test_reads_a_plan_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan is remembered while few books are made."""
    place.add(a_plan(parts=(3,)))
    assert place.thief.find()
    monkeypatch.setattr(place.store, "get", None)
    assert place.thief.find()


@pytest.mark.parametrize("method", ["queue", "stages", "ready", "part", "held", "get"])
def test_steals_nothing_blindly(place: Place, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """While Redis or storage is away nobody steals, and nothing is lost."""

    def away(*_arguments: object) -> None:
        raise Unavailable("refused")

    place.add(a_plan())
    server = place.store if method == "get" else place.checkpoint
    monkeypatch.setattr(server, method, away)
    assert place.thief.find() is None
    monkeypatch.undo()
    assert place.thief.find()


def test_a_part_that_was_just_finished_is_left(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that is done by the time its record is read is not offered."""
    plan = place.add(a_plan(parts=(1,)))
    monkeypatch.setattr(place.checkpoint, "ready", lambda _book: [0])
    place.checkpoint.update_part(plan.book_id, 0, lambda part: part.model_copy(update={"state": "done"}))
    assert place.thief.find() is None
