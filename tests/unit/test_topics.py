"""The table of topics."""

import pytest

from e2a.topics import (
    CHAPTERS,
    DEAD_LETTERS,
    EVENT_PARTITIONS,
    EVENTS,
    EXPRESS,
    EXPRESS_GROUP,
    MERGER_GROUP,
    SYNTH_GROUP,
    topics,
)


@pytest.mark.parametrize("workers", [1, 12])
def test_one_partition_a_worker(workers: int) -> None:
    """Only the topics of jobs grow with the workers; dead letters keep their order in one partition."""
    assert {topic.name: topic.partitions for topic in topics(workers)} == {
        CHAPTERS: workers,
        EXPRESS: workers,
        EVENTS: EVENT_PARTITIONS,
        DEAD_LETTERS: 1,
    }


def test_keys() -> None:
    """Jobs are placed by the producer; whatever must stay in order is keyed by its book."""
    keys = {topic.name: topic.key for topic in topics(1)}
    assert keys[CHAPTERS] == keys[EXPRESS]
    assert keys[CHAPTERS].startswith("explicit partition")
    assert keys[EVENTS].startswith("book_id")
    assert keys[DEAD_LETTERS].startswith("book_id")


def test_names_are_ours() -> None:
    """Topics and groups differ, and all begin with e2a, so they can share a cluster with others."""
    names = [CHAPTERS, EXPRESS, EVENTS, DEAD_LETTERS, SYNTH_GROUP, EXPRESS_GROUP, MERGER_GROUP]
    assert len(set(names)) == len(names)
    assert all(name.startswith("e2a.") for name in names)
