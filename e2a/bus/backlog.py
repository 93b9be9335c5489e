"""What waits in the topics of jobs."""

from typing import NamedTuple, Protocol


class Lag(NamedTuple):
    """What waits in a partition of a topic of jobs."""

    topic: str
    partition: int
    committed: int
    """Offset of the first job that is not committed."""
    end: int
    """Offset that the next job will get."""
    seconds: float
    """Expected seconds of audio of what waits."""


class Backlog(Protocol):
    """Jobs that are published and not committed yet, read without joining a group."""

    def refresh(self) -> None:
        """Take in what has happened since the last time; whatever was acknowledged before is seen.

        Raises:
            Unavailable: Kafka does not answer, or a topic of jobs is missing.
        """

    def queued(self) -> set[tuple[str, int]]:
        """Return the book and index of every part that waits, as of the last `refresh`."""

    def lags(self) -> list[Lag]:
        """Return what waits in each partition, as of the last `refresh`."""
