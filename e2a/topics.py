"""Every Kafka topic of the pipeline in one place."""

from typing import NamedTuple

CHAPTERS = "e2a.chapters"
EVENTS = "e2a.events"
DEAD_LETTERS = "e2a.chapters.dlq"

SYNTH_GROUP = "e2a.synth"
MERGER_GROUP = "e2a.merger"

EVENT_PARTITIONS = 8


class Topic(NamedTuple):
    """A topic, how its messages find their partition, and how many partitions it has."""

    name: str
    key: str
    partitions: int


def topics(chapter_partitions: int) -> tuple[Topic, ...]:
    """Return the topics of a cluster whose chapters topic has one partition for each expected worker."""
    return (
        Topic(CHAPTERS, "explicit partition, chosen by the producer", chapter_partitions),
        Topic(EVENTS, "book_id: one reader a book", EVENT_PARTITIONS),
        Topic(DEAD_LETTERS, "book_id", 1),
    )
