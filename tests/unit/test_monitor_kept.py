"""Readings that are kept: one for many viewers, and a source that may be away."""

import threading
from collections.abc import Callable

import pytest

from e2a.checkpoint import QueueRecord
from e2a.errors import Unavailable
from e2a.testing import Clock
from monitor.kept import LONGEST, SHARE, Kept, KeptByKey


class Source:
    """Counts readings, goes away when told to, and lets a test act in the middle of one."""

    def __init__(self) -> None:
        self.readings = 0
        self.away = ""
        self.during: Callable[[], object] = lambda: None

    def read(self) -> int:
        self.readings += 1
        self.during()
        if self.away == "unreadable":
            QueueRecord.model_validate_json("{}")
        if self.away:
            raise Unavailable(self.away)
        return self.readings


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = 100.0
    return clock


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def kept(source: Source, clock: Clock) -> Kept[int]:
    return Kept(source.read, 0, clock, keep=1.0)


def test_one_reading_serves_many(kept: Kept[int], clock: Clock) -> None:
    """Within the keeping time viewers share a reading; after it the source is read again."""
    assert (kept.get(), kept.taken) == (1, 100.0)
    clock.now += 0.9
    assert (kept.get(), kept.taken) == (1, 100.0)
    clock.now += 0.2
    assert (kept.get(), kept.taken) == (2, clock.now)


def test_clock_set_back(kept: Kept[int], clock: Clock) -> None:
    """A clock that is set back does not freeze a reading."""
    kept.get()
    clock.now -= 3600
    assert kept.get() == 2


def test_source_goes_away_and_comes_back(kept: Kept[int], source: Source, clock: Clock) -> None:
    """While the source is away its last value stays with its time, and the reason is a value, not a raise."""
    kept.get()
    source.away = "Redis: refused"
    clock.now += 5
    assert (kept.get(), kept.taken, kept.problem) == (1, 100.0, "Redis: refused")
    source.away = ""
    clock.now += 5
    assert (kept.get(), kept.taken, kept.problem) == (3, 110.0, "")


def test_what_cannot_be_read(kept: Kept[int], source: Source, clock: Clock) -> None:
    """A record that this version cannot read is a reason like another: the page stays, and so do its threads."""
    kept.get()
    source.away = "unreadable"
    clock.now += 5
    assert (kept.get(), kept.taken) == (1, 100.0)
    assert "QueueRecord" in kept.problem


def test_source_never_there(kept: Kept[int], source: Source) -> None:
    """A source that was never there leaves the first value without a time, and is not asked again at once."""
    source.away = "Redis: refused"
    assert (kept.get(), kept.get()) == (0, 0)
    assert (kept.taken, source.readings) == (None, 1)


@pytest.mark.parametrize(("took", "rest"), [(0.1, 1.0), (1.0, SHARE), (60.0, LONGEST)])
def test_slow_readings_are_rare(kept: Kept[int], source: Source, clock: Clock, took: float, rest: float) -> None:
    """The keeping time starts when a reading ends, and is longer after one that took long, within reason."""

    def take_time() -> None:
        clock.now += took

    source.during = take_time
    kept.get()
    clock.now += rest - 0.01
    assert kept.get() == 1
    clock.now += 0.02
    assert kept.get() == 2


def test_viewers_do_not_wait_for_a_reading(kept: Kept[int], source: Source, clock: Clock) -> None:
    """While one viewer reads a source that hangs, another gets the last value at once."""
    kept.get()
    clock.now += 2
    seen: list[int] = []

    def second_viewer() -> None:
        thread = threading.Thread(target=lambda: seen.append(kept.get()), daemon=True)
        thread.start()
        thread.join(timeout=5)

    source.during = second_viewer
    assert kept.get() == 2
    assert seen == [1]


def test_bug_does_not_lock_a_reading(kept: Kept[int], source: Source) -> None:
    """An exception that is nobody's plan goes up, and the next viewer reads again."""

    def fail() -> None:
        raise ZeroDivisionError

    source.during = fail
    with pytest.raises(ZeroDivisionError):
        kept.get()
    source.during = lambda: None
    assert kept.get() == 2


def test_only_the_last_keys_are_kept(clock: Clock) -> None:
    """Of many keys those are remembered that were asked for last, and read again when they are old."""
    made: list[str] = []

    def make(key: str) -> Kept[str]:
        made.append(key)
        return Kept(key.upper, "", clock, keep=1.0)

    kept = KeptByKey(make, most=2)
    assert [kept.get(key) for key in ("a", "b", "a", "c", "a")] == ["A", "B", "A", "C", "A"]
    assert made == ["a", "b", "c"]
    assert kept.get("b") == "B"
    assert made == ["a", "b", "c", "b"]
