"""The loop on a scripted Kafka client, told to drain: what it ends, what it leaves, and how often partitions moved."""

import threading
from typing import Any

import pytest

from e2a.bus import Handler
from e2a.bus.consumer import HANDS
from e2a.errors import Poison
from e2a.messages import ChapterJob, Event
from e2a.metrics import WORKER
from e2a.topics import EVENTS, EXPRESS
from tests.unit.builders import BOOK, a_job, a_part, a_part_done
from tests.unit.kafka_script import Loop, Script


class Drain:
    """Runs the loop on scripts of both topics, with an event that lets it drain."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._loop = Loop(monkeypatch)
        self.stop, self.drain = threading.Event(), threading.Event()
        self.begun: list[int] = []
        self.finish = threading.Event()
        self.moves = 0

    def handle(self, job: ChapterJob, abandoned: threading.Event) -> Event | None:
        """Make a part once `finish` is set, or give it back."""
        self.begun.append(job.part.index)
        while not self.finish.wait(0.01):
            if abandoned.is_set():
                return None
        return a_part_done(job.part)

    def moved(self) -> None:
        self.moves += 1

    def __call__(self, chapters: Script, handle: Handler | None = None, **options: Any) -> None:
        self._loop(chapters, handle or self.handle, self.stop, drain=self.drain, moved=self.moved, **options)

    @property
    def told(self) -> list[int]:
        """Parts that were said to be done."""
        return [event.part for event in self._loop.broker.messages(EVENTS)]  # type: ignore[union-attr]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Drain:
    return Drain(monkeypatch)


def test_ends_what_is_in_hand_and_begins_nothing(run: Drain) -> None:
    """What was begun is told and committed, however long it takes; what only waited is left to others."""
    script = Script(*[0] * 10)
    since: list[int] = []

    def after_poll() -> None:
        if len(run.begun) == HANDS and script.delivered == 10:
            run.drain.set()
            since.append(script.polls)
            if script.polls > since[0] + 50:  # it has been draining for long enough to begin others
                run.finish.set()

    script.after_poll = after_poll
    run(script)
    assert sorted(run.begun) == run.told == [0, 1]
    assert script.committed == {0: 2}
    assert script.closed


def test_no_express_job_is_begun_either(run: Drain) -> None:
    """While it drains, what goes before others does not go before that."""
    chapters, express = Script(0, 0), Script(topic=EXPRESS, first=100)

    def after_poll() -> None:
        if run.drain.is_set() and not express.jobs:
            express.jobs += [0]
            express.give(0)
        if len(run.begun) == HANDS:
            run.drain.set()
        if express.delivered == 1:
            run.finish.set()

    chapters.after_poll = after_poll
    run(chapters, express=express)
    assert run.told == [0, 1]
    assert express.closed


def test_nothing_is_stolen(run: Drain) -> None:
    """A part that was being looked for when it began to drain is not taken, and no other is looked for."""
    script, searches = Script(), []

    def find() -> ChapterJob:
        searches.append(1)
        run.drain.set()
        return a_job(a_part(7))

    run(script, find=find)
    assert (run.begun, len(searches)) == ([], 1)


def test_a_stolen_part_in_hand_is_ended(run: Drain) -> None:
    """What it took from others is in hand like its own."""
    script, given = Script(), []

    def find() -> ChapterJob | None:
        given.append(1)
        return a_job(a_part(7)) if len(given) == 1 else None

    before = WORKER.get_sample_value("e2a_stolen_parts_total") or 0.0
    script.after_poll = lambda: run.begun == [7] and (run.drain.set(), run.finish.set())
    run(script, find=find)
    assert run.told == [7]
    assert (WORKER.get_sample_value("e2a_stolen_parts_total") or 0.0) - before == 1


def test_goes_on_when_it_is_wanted_again_meanwhile(run: Drain) -> None:
    """A worker that has not left yet begins the next part as if nothing had been."""
    script = Script(0, 0, 0)

    def after_poll() -> None:
        if script.polls > 50 and not run.finish.is_set():
            run.drain.clear()
            run.finish.set()
        elif len(run.begun) == HANDS and not run.finish.is_set():
            run.drain.set()
        if script.committed == {0: 3}:
            run.stop.set()

    script.after_poll = after_poll
    run(script)
    assert run.told == [0, 1, 2]


def test_a_signal_ends_it_while_it_drains(run: Drain) -> None:
    """What is in hand then is handed back after the grace period, as ever."""
    script = Script(0, 0)
    script.after_poll = lambda: len(run.begun) == HANDS and (run.drain.set(), script.polls > 50 and run.stop.set())
    run(script)
    assert (run.told, script.committed) == ([], {0: 0})
    assert script.closed


def test_a_worker_that_is_drained_from_the_beginning_begins_nothing(run: Drain) -> None:
    """It leaves at once."""
    run.drain.set()
    run(Script(0, 0))
    assert run.begun == []


def test_each_change_of_partitions_is_told(run: Drain) -> None:
    """Partitions that come or go are a change; a rebalance that leaves this worker alone is none."""
    chapters = Script(0, 1)
    run.finish.set()

    def after_poll() -> None:
        if chapters.polls == 5:
            chapters.lose(1)
        if chapters.polls == 6:
            chapters.on_assign(chapters, [])
        if chapters.polls == 7:
            chapters.give(2)
            run.stop.set()

    chapters.after_poll = after_poll
    run(chapters)
    assert run.moves == 3


def test_dead_letters_of_a_worker_are_counted(run: Drain) -> None:
    """A job that this worker can never do is a dead letter, and counts as one."""

    def count() -> float:
        return WORKER.get_sample_value("e2a_dead_letters_total", {"kind": "job"}) or 0.0

    before, script = count(), Script(0)
    script.after_poll = lambda: script.committed == {0: 1} and run.stop.set()
    run(script, poison)
    assert count() - before == 1


def poison(job: ChapterJob, _abandoned: threading.Event) -> None:
    raise Poison(f"no voice for {BOOK}/{job.part.index}")
