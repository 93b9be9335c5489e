"""Messages in and out: the only home of confluent-kafka."""

from e2a.bus.admin import Admin
from e2a.bus.backlog import Backlog, KafkaBacklog, Lag
from e2a.bus.config import KafkaServer
from e2a.bus.consumer import JobConsumer
from e2a.bus.handling import Handler, Outcome, process
from e2a.bus.letters import Letter, read_letters
from e2a.bus.publisher import KafkaPublisher, Publisher
from e2a.bus.tail import Dated, KafkaTail, Tail, event_tail, letter_tail

__all__ = [
    "Admin",
    "Backlog",
    "Dated",
    "Handler",
    "JobConsumer",
    "KafkaBacklog",
    "KafkaPublisher",
    "KafkaServer",
    "KafkaTail",
    "Lag",
    "Letter",
    "Outcome",
    "Publisher",
    "Tail",
    "event_tail",
    "letter_tail",
    "process",
    "read_letters",
]
