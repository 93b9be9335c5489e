"""Messages in and out: the only home of confluent-kafka."""

from e2a.bus.admin import Admin
from e2a.bus.backlog import Backlog, KafkaBacklog, Lag
from e2a.bus.consumer import JobConsumer
from e2a.bus.handling import Handler, Outcome, process
from e2a.bus.letters import Letter, read_letters
from e2a.bus.publisher import KafkaPublisher, Publisher

__all__ = [
    "Admin",
    "Backlog",
    "Handler",
    "JobConsumer",
    "KafkaBacklog",
    "KafkaPublisher",
    "Lag",
    "Letter",
    "Outcome",
    "Publisher",
    "process",
    "read_letters",
]
