"""Messages in and out: the only home of confluent-kafka."""

from e2a.bus.admin import Admin
from e2a.bus.backlog import Backlog, Lag
from e2a.bus.consumer import JobConsumer
from e2a.bus.handling import Handler, Outcome, process
from e2a.bus.publisher import KafkaPublisher, Publisher

__all__ = ["Admin", "Backlog", "Handler", "JobConsumer", "KafkaPublisher", "Lag", "Outcome", "Publisher", "process"]
