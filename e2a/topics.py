"""Every Kafka topic of the pipeline in one place."""

from typing import NamedTuple

CHAPTERS = "e2a.chapters"
EXPRESS = "e2a.chapters.express"
"""Jobs that go before those of `CHAPTERS`: of short and urgent books, and what is tried again."""
EVENTS = "e2a.events"
DEAD_LETTERS = "e2a.chapters.dlq"

SYNTH_GROUP = "e2a.synth"
EXPRESS_GROUP = "e2a.synth.express"
MERGER_GROUP = "e2a.merger"
READER_GROUP = "e2a.reader"
"""What whoever only looks names itself by: librdkafka wants a name, and asks for it. Nobody joins it."""

QUEUES = {EXPRESS: EXPRESS_GROUP, CHAPTERS: SYNTH_GROUP}
"""Topics of jobs, the one that is looked at first before the other, and the consumer group of each."""

EVENT_PARTITIONS = 8

EXPRESS_SECONDS = 600.0
"""Seconds of audio up to which what is left of a book goes by `EXPRESS`."""

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


def topics(partitions: int) -> tuple[Topic, ...]:
    """Return the topics of a cluster whose topics of jobs have one partition for each expected worker."""
    return (
        # a book may wait for workers as long as it must, and a job is a thousandth of the audio that it becomes
        *(Topic(name, "explicit partition, chosen by who publishes", partitions, FOR_EVER) for name in QUEUES),
        Topic(EVENTS, "book_id: one reader a book", EVENT_PARTITIONS, WEEK),
        Topic(DEAD_LETTERS, "book_id", 1, FOR_EVER),
    )
