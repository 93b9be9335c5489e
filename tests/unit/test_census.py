"""What the merger tells Prometheus of books, queue and workers."""

import pytest
from prometheus_client import CollectorRegistry

from e2a.checkpoint import QueuedWork, QueueRecord
from e2a.errors import Unavailable
from e2a.testing import Clock, MemoryCheckpoint
from e2a.topics import CHAPTERS
from merger.census import Census
from tests.unit.builders import a_book_record, a_part_record, a_worker_record


class Scene:
    """A checkpoint, and what Prometheus is told of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.now = 1000.0
        self.checkpoint = MemoryCheckpoint(self.clock)
        self._registry = CollectorRegistry()
        self._registry.register(Census(self.checkpoint, self.clock))

    def value(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(name, labels)

    def values(self, name: str, label: str) -> dict[str, float]:
        """Return the samples of a metric with one label that are not 0."""
        samples = [sample for family in self._registry.collect() for sample in family.samples if sample.name == name]
        assert len({sample.labels[label] for sample in samples}) == len(samples)
        return {sample.labels[label]: sample.value for sample in samples if sample.value}

    @property
    def names(self) -> set[str]:
        return {family.name for family in self._registry.collect()}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_empty_shelf_is_told(scene: Scene) -> None:
    """Every stage and state is there from the beginning, as 0; of a queue that nobody has looked at nothing is said."""
    assert scene.value("e2a_shelf_books", stage="failed") == 0
    assert scene.value("e2a_shelf_parts", state="retry") == 0
    assert scene.value("e2a_shelf_audio_seconds", state="done") == 0
    assert scene.value("e2a_workers", state="silent") == 0
    assert scene.value("e2a_checkpoint_up") == 1
    assert not scene.names & {"e2a_queue_parts", "e2a_last_sweep_timestamp_seconds"}


def test_books_are_counted_by_stage(scene: Scene) -> None:
    """Each book once."""
    for number, stage in enumerate(["synthesising", "synthesising", "assembling", "done", "paused"]):
        scene.checkpoint.seed(a_book_record(f"b{number}", stage=stage), {})
    assert scene.values("e2a_shelf_books", "stage") == {"synthesising": 2, "assembling": 1, "done": 1, "paused": 1}


def test_parts_are_counted_of_books_that_are_made(scene: Scene) -> None:
    """Parts by state with what waits to be tried again apart; books that are done, stopped or failed do not count."""
    parts = {
        0: a_part_record("done", audio_seconds=12.0),
        1: a_part_record("failed"),
        2: a_part_record("pending"),
        3: a_part_record("pending", retry_at=1010.0),
        4: a_part_record("pending"),
    }
    for number, stage in enumerate(["synthesising", "assembling", "done", "failed", "cancelled"]):
        scene.checkpoint.seed(a_book_record(f"b{number}", stage=stage), parts)
    assert scene.values("e2a_shelf_parts", "state") == {"done": 2, "failed": 2, "pending": 4, "retry": 2}
    # estimates of 10 s are corrected by 12 s where 10 were expected
    assert scene.values("e2a_shelf_audio_seconds", "state") == {"done": 24.0, "failed": 24.0, "pending": 72.0}


def test_workers_are_counted_by_state(scene: Scene) -> None:
    """One that has not been heard of is silent, whatever it was before."""
    for number, (state, last_seen) in enumerate(
        [("working", 999.0), ("working", 995.0), ("drained", 999.0), ("draining", 999.0), ("working", 980.0)]
    ):
        scene.checkpoint.heartbeat(a_worker_record(f"w{number}", state=state, last_seen=last_seen))
    assert scene.values("e2a_workers", "state") == {"working": 2, "drained": 1, "draining": 1, "silent": 1}


def test_what_waits_is_told_by_partition(scene: Scene) -> None:
    """Parts and seconds of audio of each partition as a merger last saw them, and when that was."""
    work = tuple(
        QueuedWork(topic=CHAPTERS, partition=number, parts=number, seconds=60.0 * number) for number in range(3)
    )
    scene.checkpoint.set_queue(QueueRecord(taken=997.0, work=work))
    assert scene.values("e2a_queue_parts", "partition") == {"1": 1, "2": 2}
    assert scene.value("e2a_queue_audio_seconds", topic=CHAPTERS, partition="2") == 120
    assert scene.value("e2a_last_sweep_timestamp_seconds") == 997


def test_a_checkpoint_that_is_away_is_said_to_be(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Redis cannot be read nothing is said of the shelf, rather than what it was."""

    def away() -> None:
        raise Unavailable("redis: refused")

    monkeypatch.setattr(scene.checkpoint, "queue", away)
    assert scene.value("e2a_checkpoint_up") == 0
    assert scene.names == {"e2a_checkpoint_up"}
