"""Every Kafka topic of the pipeline in one place."""

from typing import NamedTuple

CHAPTERS = "e2a.chapters"
EVENTS = "e2a.events"
DEAD_LETTERS = "e2a.chapters.dlq"

SYNTH_GROUP = "e2a.synth"
MERGER_GROUP = "e2a.merger"

EVENT_PARTITIONS = 8


WEEK = 7 * 86_400
FOR_EVER = -1


class Topic(NamedTuple):
    """A topic as it is made."""

    name: str
    key: str
    """How a message finds its partition."""
    partitions: int
    retention: int
    """Seconds for which a message is kept, or `FOR_EVER`."""


def topics(chapter_partitions: int) -> tuple[Topic, ...]:
    """Return the topics of a cluster whose chapters topic has one partition for each expected worker."""
    return (
        # a book may wait for workers as long as it must, and a job is a thousandth of the audio that it becomes
        Topic(CHAPTERS, "explicit partition, chosen by the producer", chapter_partitions, FOR_EVER),
        Topic(EVENTS, "book_id: one reader a book", EVENT_PARTITIONS, WEEK),
        Topic(DEAD_LETTERS, "book_id", 1, FOR_EVER),
    )
