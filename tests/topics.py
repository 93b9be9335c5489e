"""Looking at and emptying the topics of a test's Kafka."""

from collections.abc import Iterable

import stamina
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import Producer

from e2a.bus import Admin
from e2a.topics import CHAPTERS, SYNTH_GROUP, topics
from tests.servers import wait_until


def empty_topics(bootstrap: str, partitions: int) -> None:
    """Make all topics anew, empty, the chapters topic with that many partitions."""
    admin = Admin(bootstrap, patience=30)
    wanted = topics(partitions)
    doomed = [topic.name for topic in wanted if topic.name in admin.partitions()]
    if doomed:
        client = AdminClient({"bootstrap.servers": bootstrap})
        for future in client.delete_topics(doomed).values():
            future.result(30)
        wait_until(lambda: not set(doomed) & set(admin.partitions()))
    admin.ensure_topics(wanted)


def send_raw(bootstrap: str, topic: str, records: Iterable[tuple[int, bytes | None]]) -> None:
    """Publish (partition, bytes) as they are; None is a record without a value."""
    producer = Producer({"bootstrap.servers": bootstrap})
    for partition, raw in records:
        producer.produce(topic, raw, partition=partition)
    assert producer.flush(30) == 0


def read_topic(bootstrap: str, topic: str) -> list[bytes]:
    """Return all records of a topic, partition by partition."""
    consumer = _reader(bootstrap, "tests.reader")
    records = []
    for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        consumer.assign([TopicPartition(topic, partition, low)])
        while low < high:
            message = consumer.poll(10)
            assert message is not None
            assert message.error() is None, message.error()
            low = (message.offset() or 0) + 1
            records.append(message.value() or b"")
    consumer.close()
    return records


@stamina.retry(on=KafkaException, timeout=30)
def committed(bootstrap: str, partitions: int) -> list[int]:
    """Return the synthesis group's committed offset in each partition; 0 where there is none."""
    consumer = _reader(bootstrap, SYNTH_GROUP)
    wanted = [TopicPartition(CHAPTERS, partition) for partition in range(partitions)]
    offsets = [max(0, each.offset) for each in consumer.committed(wanted, timeout=10)]
    consumer.close()
    return offsets


def _reader(bootstrap: str, group: str) -> Consumer:
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
