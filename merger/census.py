"""What the checkpoint holds, in numbers for Prometheus: read whenever they are asked for, so they are never old.

Every merger shows the same ones, since there is one checkpoint.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from prometheus_client.core import GaugeMetricFamily

from e2a.checkpoint import ACTIVE, Checkpoint, PartRecord, QueueRecord, Stage, WorkerRecord, WorkerState, progress
from e2a.errors import Unavailable

UP = "e2a_checkpoint_up", "1 while the checkpoint in Redis can be read, else 0; then the next ones are missing"
BOOKS = "e2a_shelf_books", f"Books by stage: {', '.join(get_args(Stage))}"
PARTS = (
    "e2a_shelf_parts",
    "Parts of the books that are being made: pending, retry (waits to be tried again), done, failed",
)
SECONDS = "e2a_shelf_audio_seconds", "Seconds of audio of the books that are being made: pending, done, failed"
WORKERS = "e2a_workers", "Workers heard of in the last five minutes: working, draining, drained, silent"
QUEUED = "e2a_queue_parts", "Parts that wait in Kafka, those in hand included"
QUEUED_SECONDS = "e2a_queue_audio_seconds", "Expected seconds of audio of the parts that wait in Kafka"
SWEPT = (
    "e2a_last_sweep_timestamp_seconds",
    "Unix time at which a merger last looked after parts; missing before the first",
)

Family = tuple[str, str]
"""Name and meaning of a metric."""


class Census:
    """A collector of Prometheus.

    Args:
        checkpoint: how far every book has got, what waits and who works.
        clock: Unix time in seconds.
    """

    def __init__(self, checkpoint: Checkpoint, clock: Callable[[], float] = time.time) -> None:
        self._checkpoint = checkpoint
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics; while the checkpoint is away, only that it is."""
        try:
            found = [*self._books(), *_workers(self._checkpoint.workers(), self._clock())]
            found += _queue(self._checkpoint.queue())
        except Unavailable:
            yield GaugeMetricFamily(*UP, value=0)
            return
        yield GaugeMetricFamily(*UP, value=1)
        yield from found

    def _books(self) -> Iterator[GaugeMetricFamily]:
        stages = self._checkpoint.stages()
        yield _by_label(BOOKS, "stage", dict.fromkeys(get_args(Stage), 0) | Counter(stages.values()))
        made = [book_id for book_id, stage in stages.items() if stage in ACTIVE]
        books = [self._checkpoint.parts(book_id).values() for book_id in made]
        states = Counter(_state(part) for parts in books for part in parts)
        yield _by_label(PARTS, "state", dict.fromkeys(("pending", "retry", "done", "failed"), 0) | states)
        numbers = [progress(parts) for parts in books]
        seconds = {
            "pending": sum(each.seconds_pending for each in numbers),
            "done": sum(each.seconds_done for each in numbers),
            "failed": sum(each.seconds_total - each.seconds_pending - each.seconds_done for each in numbers),
        }
        yield _by_label(SECONDS, "state", seconds)


def _workers(workers: list[WorkerRecord], now: float) -> Iterator[GaugeMetricFamily]:
    states = Counter("silent" if worker.is_silent(now) else worker.state for worker in workers)
    yield _by_label(WORKERS, "state", dict.fromkeys((*get_args(WorkerState), "silent"), 0) | states)


def _queue(queue: QueueRecord | None) -> Iterator[GaugeMetricFamily]:
    if queue is None:
        return
    parts, seconds = (GaugeMetricFamily(*each, labels=["topic", "partition"]) for each in (QUEUED, QUEUED_SECONDS))
    for work in queue.work:
        where = [work.topic, str(work.partition)]
        parts.add_metric(where, work.parts)
        seconds.add_metric(where, work.seconds)
    yield parts
    yield seconds
    yield GaugeMetricFamily(*SWEPT, value=queue.taken)


def _state(part: PartRecord) -> str:
    return "retry" if part.state == "pending" and part.retry_at else part.state


def _by_label(family: Family, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(*family, labels=[label])
    for value, number in values.items():
        found.add_metric([value], number)
    return found
