"""What is wanted of a worker and what it does about it: works, drains, waits, goes on, ends."""

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from e2a.checkpoint import Wish
from e2a.errors import Unavailable
from e2a.testing import Clock, MemoryCheckpoint
from synth_consumer import duty
from synth_consumer.duty import Duty


class Consumer:
    """Stands for `JobConsumer`: does one thing while it runs, and ends by itself."""

    partitions, express = (1, 2), (3,)

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._meanwhile = meanwhile
        self.drained = False

    def run(self, _stop: threading.Event, drain: threading.Event) -> None:
        self._meanwhile()
        self.drained = drain.is_set()


class Wishes(MemoryCheckpoint):
    """A checkpoint that may be away."""

    is_away = False

    def wish(self, worker: str) -> Wish:
        if self.is_away:
            raise Unavailable("redis: refused")
        return super().wish(worker)


class Waits(threading.Event):
    """An event whose waits each do something instead of waiting."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        super().__init__()
        self.steps = list(steps)

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout == duty.POLL
        self.steps.pop(0)()
        return self.is_set()


class Scene:
    """A worker named w0, and whoever tells it what to do."""

    def __init__(self) -> None:
        self.wishes = Wishes(Clock())
        self.stop = Waits()
        self.consumers: list[Consumer] = []
        self.shifts: list[Callable[[], object]] = []
        self.duty = Duty(self.wishes, "w0", self.stop, self.join)  # type: ignore[arg-type]
        self.states: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []

    def join(self) -> Consumer:
        self.consumers.append(Consumer(self.shifts.pop(0)))
        return self.consumers[-1]

    def tell(self, wish: Wish) -> Callable[[], None]:
        """Return what tells the worker what is wanted of it, and looks at it after its next heartbeat."""

        def told() -> None:
            self.wishes.set_wish("w0", wish)
            self.beat()

        return told

    def beat(self) -> None:
        self.duty.heed()
        self.states.append((self.duty.state, self.duty.partitions, self.duty.express))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_works_until_a_signal(scene: Scene) -> None:
    """Of a worker that nobody wants anything special of nothing changes: it works, and a signal ends it."""
    scene.shifts = [lambda: (scene.beat(), scene.stop.set(), scene.beat())]
    scene.duty.run()
    assert scene.states == [("working", (1, 2), (3,)), ("draining", (1, 2), (3,))]
    assert scene.duty.state == "drained"


def test_drains_waits_and_works_again(scene: Scene) -> None:
    """Drained it has nothing and waits; wanted again it joins anew."""
    scene.shifts = [scene.tell("drain"), scene.stop.set]
    scene.stop.steps = [scene.beat, scene.tell("work")]
    with capture_logs() as logs:
        scene.duty.run()
    assert scene.states == [("draining", (1, 2), (3,)), ("drained", (), ()), ("working", (), ())]
    assert [consumer.drained for consumer in scene.consumers] == [True, False]
    assert [line["event"] for line in logs] == ["synth.drains", "synth.works_again"]


def test_a_wish_ends_it(scene: Scene) -> None:
    """Told to stop it ends as on a signal."""
    scene.shifts = [scene.tell("stop")]
    scene.duty.run()
    assert scene.stop.is_set()
    assert scene.states == [("draining", (1, 2), (3,))]


@pytest.mark.parametrize("end", ["signal", "wish"])
def test_ends_while_it_is_drained(scene: Scene, end: str) -> None:
    """A worker that waits does not join once more to end, whether a signal tells it or a wish."""
    scene.shifts = [scene.tell("drain")]
    scene.stop.steps = [scene.stop.set if end == "signal" else scene.tell("stop")]
    scene.duty.run()
    assert len(scene.consumers) == 1


def test_a_worker_that_was_drained_before_it_came_takes_nothing(scene: Scene) -> None:
    """A machine that starts again in the middle of its maintenance stays out of it."""
    scene.wishes.set_wish("w0", "drain")
    scene.stop.steps = [scene.beat, scene.stop.set]
    scene.duty.run()
    assert scene.consumers == []
    assert scene.states == [("drained", (), ())]


def test_a_worker_that_was_stopped_before_it_came_works(scene: Scene) -> None:
    """That the last one of its name was to end, and could not say that it had, is not meant for it."""
    scene.wishes.set_wish("w0", "stop")
    scene.shifts = [lambda: (scene.beat(), scene.stop.set())]
    scene.duty.run()
    assert scene.states == [("working", (1, 2), (3,))]
    assert scene.wishes.wish("w0") == "work"


def test_a_stop_of_before_it_came_is_not_obeyed_later(scene: Scene) -> None:
    """Nor is it when nobody could be asked at first."""
    scene.wishes.set_wish("w0", "stop")
    scene.wishes.is_away = True

    def back() -> None:
        scene.wishes.is_away = False
        scene.beat()

    scene.shifts = [lambda: (back(), scene.tell("drain")()), scene.stop.set]
    scene.stop.steps = [scene.tell("stop")]
    scene.duty.run()
    assert [state for state, _partitions, _express in scene.states] == ["working", "draining", "drained"]


@pytest.mark.parametrize("wish", ["work", "drain"])
def test_while_nobody_can_be_asked_the_last_wish_holds(scene: Scene, wish: Wish) -> None:
    """Redis away: a worker that works goes on, and one that is drained stays so."""

    def away() -> None:
        scene.tell(wish)()
        scene.wishes.is_away = True
        scene.tell("stop")()

    scene.shifts = [lambda: (away(), wish == "work" and scene.stop.set())]
    scene.stop.steps = [scene.beat, scene.stop.set]
    scene.duty.run()
    assert {state for state, _partitions, _express in scene.states} <= (
        {"working"} if wish == "work" else {"draining", "drained"}
    )
    assert len(scene.consumers) == 1


def test_comes_also_when_nobody_can_be_asked(scene: Scene) -> None:
    """A worker that starts while Redis is away works."""
    scene.wishes.is_away = True
    scene.shifts = [scene.stop.set]
    scene.duty.run()
    assert len(scene.consumers) == 1


def test_kafka_may_be_away_when_it_is_wanted_again(scene: Scene) -> None:
    """A worker that was drained keeps its model and tries again to join; one that starts without Kafka ends."""
    scene.shifts = [scene.tell("drain"), away, scene.stop.set]
    scene.stop.steps = [scene.tell("work")]
    with capture_logs() as logs:
        scene.duty.run()
    assert len(scene.consumers) == 3
    assert logs[-1]["event"] == "synth.cannot_join"
    other = Scene()
    other.shifts = [away]
    with pytest.raises(Unavailable):
        other.duty.run()


def away() -> None:
    raise Unavailable("kafka: timed out")


def test_what_ends_the_consumer_ends_the_worker(scene: Scene) -> None:
    """An error of the loop is not waited out, and the worker says that it has nothing any more."""
    scene.shifts = [lambda: 1 / 0]
    with pytest.raises(ZeroDivisionError):
        scene.duty.run()
    assert scene.duty.partitions == ()
