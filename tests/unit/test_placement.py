"""Placement: which topic, which partition."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from e2a.checkpoint import QueuedWork, QueueRecord
from e2a.messages import ChapterJob
from e2a.placement import Layout, avoiding, dispatch, even, layouts, place
from e2a.testing import MemoryBroker
from e2a.topics import CHAPTERS, EXPRESS, EXPRESS_SECONDS, QUEUES
from tests.unit.builders import a_job, a_part, a_worker_record

ESTIMATES = st.lists(st.integers(1, 1000).map(float), max_size=40)


def at(*speeds: float) -> Layout:
    """Return the layout of empty partitions."""
    return Layout(speeds, (0.0,) * len(speeds))


@given(ESTIMATES, st.integers(1, 9))
def test_placement_is_to_the_least_loaded(estimates: list[float], partitions: int) -> None:
    """Each part, in reading order, goes to a partition that no other has less work than."""
    loads: dict[int, float] = defaultdict(float)
    placement = place(estimates, even(partitions))
    assert len(placement) == len(estimates)
    for estimate, partition in zip(estimates, placement, strict=True):
        assert loads[partition] == min(loads[number] for number in range(partitions))
        loads[partition] += estimate


@given(ESTIMATES, st.integers(1, 9))
def test_placement_is_even(estimates: list[float], partitions: int) -> None:
    """Partitions end together: at most the longest part lies between them."""
    loads = [0.0] * partitions
    for estimate, partition in zip(estimates, place(estimates, even(partitions)), strict=True):
        loads[partition] += estimate
    assert max(loads) - min(loads) <= max(estimates, default=0.0)


def test_placement_in_reading_order() -> None:
    """The beginning of a book is on as many partitions as there are, so it is heard first."""
    assert place([9, 1, 1, 1], even(3)) == [0, 1, 2, 1]


def test_books_begin_in_different_partitions() -> None:
    """Books of one part do not all meet in one partition: each begins where its number says."""
    assert [place([1], even(3), first=first) for first in (0, 1, 5)] == [[0], [1], [2]]
    assert place([9, 1, 1, 1], even(3), first=2) == [2, 0, 1, 0]


def test_a_slow_partition_gets_less() -> None:
    """A partition that is worked off at half the speed gets half of the work, so that all end together."""
    placement = place([1] * 30, at(1.0, 0.5, 1.0))
    assert [placement.count(partition) for partition in range(3)] == [12, 6, 12]


def test_what_waits_already_counts() -> None:
    """A partition with work of other books gets less, wherever equal loads begin."""
    for first in range(3):
        placement = place([1] * 33, Layout((1.0, 1.0, 1.0), (15.0, 0.0, 0.0)), first=first)
        assert [placement.count(partition) for partition in range(3)] == [1, 16, 16]


@given(ESTIMATES, st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=1))
def test_partitions_end_together(estimates: list[float], speeds: list[float]) -> None:
    """At any speeds, at most the longest part of the slowest lies between the partitions."""
    loads = [0.0] * len(speeds)
    for estimate, partition in zip(estimates, place(estimates, at(*speeds)), strict=True):
        loads[partition] += estimate / speeds[partition]
    assert max(loads) - min(loads) <= max(estimates, default=0.0) / min(speeds) + 1e-6


def test_measured_speeds() -> None:
    """Speeds are what workers have measured, but silent and draining ones; the rest is taken to be as usual."""
    known = {"audio_seconds": 400.0, "work_seconds": 100.0, "last_seen": 1000.0}
    fast = a_worker_record("a", partitions=(0,), express=(0, 1), **known)
    shared = a_worker_record("b", partitions=(1, 2), express=(2,), **known)
    gone = a_worker_record("c", partitions=(3,), audio_seconds=1.0, work_seconds=100.0, last_seen=0.0)
    new = a_worker_record("d", partitions=(4,), audio_seconds=9.0, work_seconds=1.0, last_seen=1000.0)
    leaving = a_worker_record("e", partitions=(5,), state="draining", **known)
    found = layouts({CHAPTERS: 6, EXPRESS: 3}, [fast, shared, gone, new, leaving], None, now=1001.0)
    assert found == {CHAPTERS: at(4.0, 2.0, 2.0, 2.0, 2.0, 2.0), EXPRESS: at(2.0, 2.0, 4.0)}
    assert layouts(dict.fromkeys(QUEUES, 2), [gone, new], None, now=1001.0)[CHAPTERS] == even(2)


def test_loads_are_seconds_of_work() -> None:
    """What waits is counted in the time that it takes the worker of its partition."""
    fast = a_worker_record("a", partitions=(0,), audio_seconds=400.0, work_seconds=100.0, last_seen=1000.0)
    work = (
        QueuedWork(topic=CHAPTERS, partition=0, parts=2, seconds=80.0),
        QueuedWork(topic=EXPRESS, partition=1, parts=1, seconds=7.0),
    )
    found = layouts(dict.fromkeys(QUEUES, 2), [fast], QueueRecord(taken=1000.0, work=work), now=1001.0)
    assert [layout.loads for layout in found.values()] == [(20.0, 0.0), (0.0, 7.0)]


def test_a_partition_that_is_avoided_comes_last() -> None:
    """What has just failed on a worker goes elsewhere, unless there is nobody else."""
    assert place([1] * 4, avoiding(even(3), {1})) == [0, 2, 0, 2]
    assert place([1, 1], avoiding(even(1), {0})) == [0, 0]


def test_what_was_placed_counts_for_the_next() -> None:
    """Books that are placed one after the other, before anybody has looked at what waits, share the partitions."""
    broker, topics = MemoryBroker(4), dict.fromkeys(QUEUES, even(4))
    for _ in range(4):
        topics = dispatch(jobs(1000.0), broker, topics, first=2).loaded(topics)
    assert [len(records) for records in broker.logs[CHAPTERS]] == [1, 1, 1, 1]
    assert topics[CHAPTERS].loads == (1000.0,) * 4
    assert topics[EXPRESS] == even(4)


def jobs(*estimates: float) -> list[ChapterJob]:
    """Return the jobs of a book."""
    return [a_job(a_part(index, estimate=estimate)) for index, estimate in enumerate(estimates)]


def test_short_and_urgent_books_go_by_express() -> None:
    """Ten minutes of a book go before other books, and more of it when it is urgent."""
    short, long = jobs(EXPRESS_SECONDS), jobs(EXPRESS_SECONDS, 1)
    topics = dict.fromkeys(QUEUES, even(1))
    broker = MemoryBroker()
    for job, urgent in ((short, False), (long, False), (long, True)):
        dispatch(job, broker, topics, urgent=urgent, first=0)
    assert broker.messages(EXPRESS) == short + long
    assert broker.messages(CHAPTERS) == long
