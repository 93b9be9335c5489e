"""A worker that has nothing to do takes jobs of others: when it looks, how many it takes, what becomes of them."""

import threading
from collections.abc import Callable, Iterator

import pytest

from e2a.bus import stealing
from e2a.errors import Poison, Retryable, UserError
from e2a.messages import ChapterJob, DeadLetter, Event, PartFailed, decode
from e2a.topics import DEAD_LETTERS, EVENTS
from tests.unit.builders import a_job, a_part, a_part_done
from tests.unit.kafka_script import Loop, Script


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Loop:
    """Return what runs the loop on scripts; it never waits before it looks again."""
    monkeypatch.setattr(stealing, "PAUSE", 0.0)
    monkeypatch.setattr(stealing, "FAILURE_PAUSE", 0.0)
    return Loop(monkeypatch)


def finding(*parts: int) -> Callable[[], ChapterJob | None]:
    """Return a search that finds these parts one after the other, then nothing more."""
    jobs: Iterator[ChapterJob] = (a_job(a_part(part)) for part in parts)
    return lambda: next(jobs, None)


def spoken(job: ChapterJob, _abandoned: threading.Event) -> Event:
    return a_part_done(job.part, work_seconds=1.0)


def parts(run: Loop) -> list[int]:
    """Return the parts of which there are events, in order."""
    return [event.part for event in run.broker.messages(EVENTS)]  # type: ignore[union-attr]


def test_what_is_stolen_is_published_and_not_committed(run: Loop) -> None:
    """A stolen job is done like any other, but has no offset."""
    script, stop = Script(), threading.Event()
    script.after_poll = lambda: len(parts(run)) == 2 and stop.set()
    run(script, spoken, stop, find=finding(7, 8))
    assert parts(run) == [7, 8]
    assert script.commits == []


def test_nothing_is_stolen_while_own_jobs_wait(run: Loop) -> None:
    """Whoever has work of its own does that first."""
    script, stop, all_here, looked = Script(*[0] * 20), threading.Event(), threading.Event(), []

    def after_poll() -> None:
        if script.delivered == 20:
            all_here.set()
        if len(parts(run)) == 21:
            stop.set()

    def find() -> ChapterJob | None:
        looked.append(len(parts(run)))
        return a_job(a_part(99)) if len(looked) == 1 else None

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event:
        assert all_here.wait(10)
        return spoken(job, abandoned)

    script.after_poll = after_poll
    run(script, handle, stop, find=find, hands=1)
    assert looked[0] >= 19
    assert set(parts(run)) == {*range(20), 99}


def test_own_jobs_go_before_what_could_be_stolen(run: Loop) -> None:
    """Stolen jobs fill all hands, and a job of our own that comes meanwhile takes the first that is free."""
    script, stop, come, begun = Script(), threading.Event(), threading.Event(), []

    def after_poll() -> None:
        if len(begun) == 2 and not script.jobs:
            script.jobs.append(0)
            script.committed[0] = 0
            script.give(0)
        if script.delivered:
            come.set()
        if script.committed == {0: 1}:
            stop.set()

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        begun.append(job.part.index)
        if job.part.index == 51:
            abandoned.wait(10)
            return None
        assert come.wait(10)
        return spoken(job, abandoned)

    script.after_poll = after_poll
    run(script, handle, stop, find=finding(*range(50, 60)), hands=2)
    assert begun[:3] == [50, 51, 0]
    assert parts(run)[:2] == [50, 0]


def test_a_stolen_job_is_abandoned_when_the_worker_stops(run: Loop) -> None:
    """A worker that stops tells also a stolen job to end, and says nothing of it."""
    script, stop, begun, told = Script(), threading.Event(), threading.Event(), []
    script.after_poll = lambda: begun.is_set() and stop.set()

    def handle(_job: ChapterJob, abandoned: threading.Event) -> None:
        begun.set()
        told.append(abandoned.wait(10))

    run(script, handle, stop, find=finding(7))
    assert told == [True]
    assert parts(run) == []


def test_a_bug_in_a_stolen_job_ends_the_worker(run: Loop) -> None:
    """A stolen job that crashes crashes the worker, as any job does."""
    with pytest.raises(ZeroDivisionError):
        run(Script(), lambda *_: 1 // 0, threading.Event(), find=finding(7))  # type: ignore[arg-type, return-value]


def test_a_bug_in_the_search_ends_the_worker(run: Loop) -> None:
    """A search that crashes is a bug like any other."""
    with pytest.raises(ZeroDivisionError):
        run(Script(), spoken, threading.Event(), find=lambda: 1 // 0)  # type: ignore[arg-type, return-value]


def test_a_search_that_fails_is_made_again(run: Loop) -> None:
    """While Redis or storage is away nothing is stolen, and nothing is lost."""
    script, stop, looked = Script(), threading.Event(), []

    def find() -> ChapterJob:
        looked.append(0)
        if len(looked) < 3:
            raise Retryable("Redis is away")
        return a_job(a_part(7))

    script.after_poll = lambda: parts(run) and stop.set()
    run(script, spoken, stop, find=find)
    assert parts(run)[0] == 7


def test_poison_that_was_stolen_is_a_dead_letter(run: Loop) -> None:
    """A stolen job that can never work is dead-lettered as itself, and its book hears of it."""
    script, stop = Script(), threading.Event()
    script.after_poll = lambda: parts(run) and stop.set()

    def refuse(_job: ChapterJob, _abandoned: threading.Event) -> None:
        raise Poison("no such voice")

    run(script, refuse, stop, find=finding(7))
    (event,), (letter,) = run.broker.messages(EVENTS), run.broker.messages(DEAD_LETTERS)
    assert isinstance(event, PartFailed)
    assert isinstance(letter, DeadLetter)
    assert (letter.part, letter.source, decode(letter.payload.encode())) == (7, "stolen", a_job(a_part(7)))


def test_failures_of_stolen_jobs_count_for_the_brake(run: Loop) -> None:
    """An engine that is sick fails stolen parts too."""

    def fail(_job: ChapterJob, _abandoned: threading.Event) -> None:
        raise Retryable("out of memory")

    with pytest.raises(UserError, match="[23] parts in a row failed"):
        run(Script(), fail, threading.Event(), find=finding(*range(50)), brake=2)


@pytest.mark.parametrize("work_seconds", [0.0, 1.0])
def test_it_waits_unless_it_found_work(run: Loop, monkeypatch: pytest.MonkeyPatch, work_seconds: float) -> None:
    """After a part that was there already it waits, else it would find it again until the records say so."""
    monkeypatch.setattr(stealing, "PAUSE", 3600.0)
    script, stop = Script(), threading.Event()
    polls: list[int] = []

    def after_poll() -> None:
        polls.extend([script.polls] if parts(run) else [])
        if len(parts(run)) == 3 or (not work_seconds and len(polls) > 3000):
            stop.set()

    script.after_poll = after_poll
    run(script, lambda job, _: a_part_done(job.part, work_seconds=work_seconds), stop, find=finding(7, 8, 9), hands=1)
    assert parts(run) == ([7, 8, 9] if work_seconds else [7])


def test_nothing_is_stolen_that_is_found_too_late(run: Loop) -> None:
    """A job of our own that came during the search goes first; the one that was found is nobody's until it is begun."""
    script, stop, looking, go = Script(), threading.Event(), threading.Event(), threading.Event()

    def find() -> ChapterJob | None:
        first = not looking.is_set()
        looking.set()
        assert go.wait(10)
        return a_job(a_part(7)) if first else None

    def after_poll() -> None:
        if looking.is_set() and not script.jobs:
            script.jobs += [0, 0, 0]
            script.committed[0] = 0
            script.give(0)
        if script.delivered == 3:
            go.set()
        if len(parts(run)) == 4:
            stop.set()

    script.after_poll = after_poll
    run(script, lambda job, _: go.wait(10) and spoken(job, _), stop, find=find)  # type: ignore[arg-type, return-value]
    assert sorted(parts(run)) == [0, 1, 2, 7]
    assert parts(run)[0] == 0
