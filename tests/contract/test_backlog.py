"""One class of tests for what waits in the topics of jobs: in memory and on Kafka."""

from typing import Protocol

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from e2a.bus import Admin, Backlog, KafkaBacklog, KafkaServer, Lag, config
from e2a.errors import Unavailable
from e2a.messages import encode
from e2a.testing import MemoryBroker
from e2a.topics import CHAPTERS, EXPRESS, QUEUES, topics
from tests.servers import wait_until
from tests.topics import empty_topics, send_raw
from tests.unit.builders import BOOK, a_job, a_part, a_part_done

PARTITIONS = 2


class Jobs(Protocol):
    """What the tests need beside the backlog."""

    backlog: Backlog

    def send(self, topic: str, partition: int, *records: bytes) -> None: ...

    def commit(self, topic: str, partition: int, offset: int) -> None: ...


class OnMemory:
    def __init__(self) -> None:
        self._broker = MemoryBroker(PARTITIONS)
        self.backlog: Backlog = self._broker

    def send(self, topic: str, partition: int, *records: bytes) -> None:
        for raw in records:
            self._broker.send_raw(topic, raw, partition)

    def commit(self, topic: str, partition: int, offset: int) -> None:
        self._broker.committed[topic][partition] = offset


class OnKafka:
    def __init__(self, bootstrap: KafkaServer) -> None:
        self.bootstrap = bootstrap
        self.backlog: Backlog = KafkaBacklog(bootstrap, patience=30)

    def send(self, topic: str, partition: int, *records: bytes) -> None:
        send_raw(self.bootstrap, topic, [(partition, raw) for raw in records])

    def commit(self, topic: str, partition: int, offset: int) -> None:
        place = ConsumerGroupTopicPartitions(QUEUES[topic], [TopicPartition(topic, partition, offset)])
        client = AdminClient(config.client(self.bootstrap))
        for answer in client.alter_consumer_group_offsets([place]).values():
            answer.result(30)


@pytest.fixture
def on_kafka(kafka: KafkaServer) -> OnKafka:
    empty_topics(kafka, PARTITIONS)
    return OnKafka(kafka)


@pytest.fixture(params=["memory", "kafka"])
def jobs(request: pytest.FixtureRequest) -> Jobs:
    return OnMemory() if request.param == "memory" else request.getfixturevalue("on_kafka")


def a_record(part: int, estimate: float = 10.0) -> bytes:
    return encode(a_job(a_part(part, estimate=estimate)))


class TestBacklog:
    def test_what_is_not_committed_waits(self, jobs: Jobs) -> None:
        """A part waits from its acknowledgement to the commit of its job, in every partition of both topics."""
        jobs.backlog.refresh()
        assert jobs.backlog.queued() == set()
        jobs.send(CHAPTERS, 0, a_record(0), a_record(1))
        jobs.send(CHAPTERS, 1, a_record(2))
        jobs.send(EXPRESS, 0, a_record(3))
        jobs.backlog.refresh()
        assert jobs.backlog.queued() == {(BOOK, 0), (BOOK, 1), (BOOK, 2), (BOOK, 3)}
        jobs.commit(CHAPTERS, 0, 1)
        jobs.commit(EXPRESS, 0, 1)
        jobs.send(CHAPTERS, 1, a_record(4))
        jobs.backlog.refresh()
        assert jobs.backlog.queued() == {(BOOK, 1), (BOOK, 2), (BOOK, 4)}

    def test_counts_what_waits_where(self, jobs: Jobs) -> None:
        """Each partition says how far it is committed, where it ends, and how many seconds lie between."""
        jobs.send(CHAPTERS, 0, a_record(0, 1.0), a_record(1, 2.0), a_record(2, 4.0))
        jobs.send(EXPRESS, 1, a_record(3, 8.0))
        jobs.commit(CHAPTERS, 0, 1)
        jobs.backlog.refresh()
        assert sorted(jobs.backlog.lags()) == [
            Lag(CHAPTERS, 0, 1, 3, 6.0),
            Lag(CHAPTERS, 1, 0, 0, 0.0),
            Lag(EXPRESS, 0, 0, 0, 0.0),
            Lag(EXPRESS, 1, 0, 1, 8.0),
        ]

    def test_what_cannot_be_read_is_not_a_part(self, jobs: Jobs) -> None:
        """Bytes that are no job are for a worker to dead-letter; what stands behind them waits all the same."""
        jobs.send(CHAPTERS, 0, b"\xff", b"{}", encode(a_part_done()), a_record(5))
        jobs.backlog.refresh()
        assert jobs.backlog.queued() == {(BOOK, 5)}

    def test_a_commit_that_goes_back_brings_back_what_was_dropped(self, jobs: Jobs) -> None:
        """Who once owned a partition may rewind its group: what is delivered again waits again."""
        jobs.send(CHAPTERS, 0, a_record(0), a_record(1))
        jobs.commit(CHAPTERS, 0, 2)
        jobs.backlog.refresh()
        assert jobs.backlog.queued() == set()
        jobs.commit(CHAPTERS, 0, 1)
        jobs.backlog.refresh()
        assert jobs.backlog.queued() == {(BOOK, 1)}


class TestKafkaBacklog:
    def test_new_partitions_are_read(self, on_kafka: OnKafka) -> None:
        """A topic that has grown is read whole."""
        on_kafka.send(CHAPTERS, 0, a_record(0))
        on_kafka.backlog.refresh()
        Admin(on_kafka.bootstrap, patience=30).ensure_topics(topics(3))
        on_kafka.send(CHAPTERS, 2, a_record(7))
        on_kafka.backlog.refresh()
        assert on_kafka.backlog.queued() == {(BOOK, 0), (BOOK, 7)}

    def test_topics_that_were_made_anew_are_read_anew(self, on_kafka: OnKafka) -> None:
        """What waited in topics that are gone does not wait any more, though the new ones have as many messages."""
        on_kafka.send(CHAPTERS, 0, a_record(0), a_record(1))
        on_kafka.backlog.refresh()
        empty_topics(on_kafka.bootstrap, PARTITIONS)
        on_kafka.send(CHAPTERS, 0, a_record(2), a_record(3), a_record(4))
        on_kafka.backlog.refresh()
        assert on_kafka.backlog.queued() == {(BOOK, 2), (BOOK, 3), (BOOK, 4)}

    def test_what_was_deleted_does_not_wait(self, on_kafka: OnKafka) -> None:
        """Messages that Kafka has dropped are not waited for."""
        on_kafka.send(CHAPTERS, 0, a_record(0), a_record(1), a_record(2))
        on_kafka.backlog.refresh()
        client = AdminClient(config.client(on_kafka.bootstrap))
        for answer in client.delete_records([TopicPartition(CHAPTERS, 0, 2)]).values():
            answer.result(30)
        on_kafka.backlog.refresh()
        assert on_kafka.backlog.queued() == {(BOOK, 2)}

    def test_a_missing_topic_is_named(self, on_kafka: OnKafka) -> None:
        """Without its topics nobody can say what waits."""
        client = AdminClient(config.client(on_kafka.bootstrap))
        client.delete_topics([EXPRESS])[EXPRESS].result(30)
        wait_until(lambda: EXPRESS not in Admin(on_kafka.bootstrap, patience=30).partitions())
        with pytest.raises(Unavailable, match=r"Kafka 127.0.0.1:\d+: .*nknown topic"):
            on_kafka.backlog.refresh()


def test_kafka_that_is_away_is_named() -> None:
    """A broker that does not answer is waited for as long as patience lasts, and is named."""
    with pytest.raises(Unavailable, match="Kafka 127.0.0.1:1: "):
        KafkaBacklog(KafkaServer("127.0.0.1:1"), patience=0.3).refresh()
