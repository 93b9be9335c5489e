"""What the merger reads again when the topic of its events was made anew; Faust's consumer is played."""

import asyncio
from collections import defaultdict

import pytest
from aiokafka import TopicPartition  # type: ignore[import-untyped]
from aiokafka.errors import IllegalStateError  # type: ignore[import-untyped]

from e2a.topics import EVENTS
from merger import app

PARTITIONS = [TopicPartition(EVENTS, number) for number in range(2)]


class Consumer:
    """Stands for Faust's: what it remembers of each partition, and where it was told to read on."""

    def __init__(self) -> None:
        self.assigned = set(PARTITIONS)
        self.is_rebalancing = False
        self.sought: list[tuple[int, int]] = []
        self._gap: dict[TopicPartition, list[int]] = {}
        self._acked: dict[TopicPartition, list[int]] = {}
        self._acked_index: dict[TopicPartition, set[int]] = {}
        self._committed_offset: dict[TopicPartition, int] = {}
        self._read_offset: dict[TopicPartition, int | None] = defaultdict(lambda: None, dict.fromkeys(PARTITIONS, 5))

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def highwater(self, _partition: TopicPartition) -> int:
        return 5

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        if self.is_rebalancing:
            raise IllegalStateError("no assignment")
        self.sought.append((partition.partition, offset))
        self._read_offset[partition] = offset


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


def reread(consumer: Consumer, made_anew: set[str]) -> list[tuple[int, int]]:
    """Have everything read again that must be; return partitions and offsets."""
    asyncio.run(app._reread(consumer, made_anew))
    sought, consumer.sought = sorted(consumer.sought), []
    return sought


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(consumer: Consumer) -> None:
    """All partitions are, once."""
    made_anew = {EVENTS}
    assert reread(consumer, made_anew) == [(0, 0), (1, 0)]
    assert reread(consumer, made_anew) == []


def test_a_rebalance_does_not_lose_it(consumer: Consumer) -> None:
    """A topic that was made anew stays so until its partitions could be told."""
    made_anew = {EVENTS}
    consumer.assigned = set()
    assert reread(consumer, made_anew) == []
    consumer.assigned, consumer.is_rebalancing = set(PARTITIONS), True
    assert reread(consumer, made_anew) == []
    consumer.is_rebalancing = False
    assert reread(consumer, made_anew) == [(0, 0), (1, 0)]


def test_a_position_beyond_the_end(consumer: Consumer) -> None:
    """A partition whose end lies before where it is read is read again, although nobody has said that it is new."""
    consumer._read_offset[PARTITIONS[1]] = 6
    assert reread(consumer, set()) == [(1, 0)]
