"""Which job goes where: to the topic that suits its book, and there to the partition that comes to it first."""

import heapq
import statistics
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from e2a.bus import Publisher
from e2a.checkpoint import QueueRecord, WorkerRecord
from e2a.messages import ChapterJob
from e2a.topics import CHAPTERS, EXPRESS, EXPRESS_SECONDS

MEASURED = 10.0
"""Seconds of work after which a worker's speed counts."""


class Layout(NamedTuple):
    """The partitions of a topic of jobs."""

    speeds: tuple[float, ...]
    """How fast each is worked off, in seconds of audio a second."""
    loads: tuple[float, ...]
    """What waits in each already, in seconds of work."""


def even(partitions: int) -> Layout:
    """Return the layout of a topic of which nothing is known but how many partitions it has."""
    return Layout((1.0,) * partitions, (0.0,) * partitions)


def layouts(
    partitions: Mapping[str, int], workers: Iterable[WorkerRecord], queue: QueueRecord | None, now: float
) -> dict[str, Layout]:
    """Return the layout of both topics of jobs.

    Args:
        partitions: how many a topic has, by its name.
        workers: what they said of themselves; one with several partitions of a topic shares its speed among them.
        queue: what waits; None when nobody has looked.
        now: Unix time in seconds; workers that were not heard of for too long, or are drained, do not count.
    """
    alive = [worker for worker in workers if worker.takes_parts(now)]
    owned = {CHAPTERS: [each.partitions for each in alive], EXPRESS: [each.express for each in alive]}
    return {topic: _layout(topic, partitions[topic], zip(alive, owned[topic], strict=True), queue) for topic in owned}


def avoiding(layout: Layout, partitions: Container[int]) -> Layout:
    """Return a layout in which some partitions come last: their worker has just failed."""
    loads = (load + (1e9 if number in partitions else 0.0) for number, load in enumerate(layout.loads))
    return layout._replace(loads=tuple(loads))


class Placed(NamedTuple):
    """Where jobs went."""

    topic: str
    seconds: dict[int, float]
    """Expected seconds of audio by partition."""

    def loaded(self, topics: Mapping[str, Layout]) -> dict[str, Layout]:
        """Return layouts of topics in which these jobs wait too."""
        layout = topics[self.topic]
        added = (self.seconds.get(number, 0.0) / speed for number, speed in enumerate(layout.speeds))
        loads = tuple(load + more for load, more in zip(layout.loads, added, strict=True))
        return dict(topics) | {self.topic: layout._replace(loads=loads)}


def dispatch(
    jobs: Sequence[ChapterJob], publisher: Publisher, topics: Mapping[str, Layout], *, urgent: bool = False, first: int
) -> Placed:
    """Publish jobs, few or urgent ones to the express topic, and return where they went.

    Args:
        jobs: of one book, in reading order.
        publisher: where to.
        topics: the layouts of both topics.
        urgent: whether they go before those of other books.
        first: where equal loads begin, modulo their number: short books should not all meet in one.

    Raises:
        Unavailable: Kafka cannot be reached. Publishing again is harmless.
    """
    estimates = [job.part.estimate for job in jobs]
    topic = EXPRESS if urgent or sum(estimates) <= EXPRESS_SECONDS else CHAPTERS
    partitions = place(estimates, topics[topic], first=first)
    publisher.send(topic, jobs, partitions)
    seconds: dict[int, float] = defaultdict(float)
    for partition, estimate in zip(partitions, estimates, strict=True):
        seconds[partition] += estimate
    return Placed(topic, dict(seconds))


def place(estimates: Iterable[float], layout: Layout, *, first: int = 0) -> list[int]:
    """Return a partition for each part: in order, each to the one that has the least work so far, in seconds.

    Args:
        estimates: expected lengths of the parts in reading order, in seconds of audio.
        layout: of the topic.
        first: where equal loads begin, modulo their number.
    """
    speeds, count = layout.speeds, len(layout.speeds)
    loads = [(layout.loads[(first + turn) % count], turn) for turn in range(count)]
    heapq.heapify(loads)
    placement = []
    for estimate in estimates:
        load, turn = loads[0]
        partition = (first + turn) % count
        placement.append(partition)
        heapq.heapreplace(loads, (load + estimate / speeds[partition], turn))
    return placement


def _layout(
    topic: str, partitions: int, owned: Iterable[tuple[WorkerRecord, tuple[int, ...]]], queue: QueueRecord | None
) -> Layout:
    measured = {
        partition: worker.audio_seconds / worker.work_seconds / len(numbers)
        for worker, numbers in owned
        if worker.work_seconds >= MEASURED and worker.audio_seconds
        for partition in numbers
    }
    usual = statistics.median(measured.values()) if measured else 1.0
    speeds = tuple(measured.get(partition, usual) for partition in range(partitions))
    waiting = {work.partition: work.seconds for work in queue.work if work.topic == topic} if queue else {}
    loads = tuple(waiting.get(partition, 0.0) / speed for partition, speed in enumerate(speeds))
    return Layout(speeds, loads)
