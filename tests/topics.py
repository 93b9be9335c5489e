"""Looking at and emptying the topics of a test's Kafka."""

from collections.abc import Iterable

import stamina
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import Producer

from e2a.bus import Admin, KafkaServer, config
from e2a.topics import CHAPTERS, QUEUES, topics
from tests.servers import wait_until


def empty_topics(bootstrap: KafkaServer, partitions: int, *names: str) -> None:
    """Make topics anew, empty, those of jobs with that many partitions; all topics when none is named."""
    admin = Admin(bootstrap, patience=30)
    wanted = [topic for topic in topics(partitions) if not names or topic.name in names]
    doomed = [topic.name for topic in wanted if topic.name in admin.partitions()]
    if doomed:
        client = AdminClient(config.client(bootstrap))
        for future in client.delete_topics(doomed).values():
            future.result(30)
        wait_until(lambda: not set(doomed) & set(admin.partitions()))
    admin.ensure_topics(wanted)


def send_raw(bootstrap: KafkaServer, topic: str, records: Iterable[tuple[int, bytes | None]]) -> None:
    """Publish (partition, bytes) as they are; None is a record without a value."""
    producer = Producer(config.client(bootstrap))
    for partition, raw in records:
        producer.produce(topic, raw, partition=partition)
    assert producer.flush(30) == 0


def read_topic(bootstrap: KafkaServer, topic: str) -> list[bytes]:
    """Return all records of a topic, partition by partition."""
    consumer = _reader(bootstrap, "tests.reader")
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    # all of them first: a fetch that finds nothing holds up whatever is asked after it
    ranges = {each: consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=10) for each in partitions}
    missing = sum(high - low for low, high in ranges.values())
    consumer.assign([TopicPartition(topic, each, low) for each, (low, high) in ranges.items() if low < high])
    records = []
    while missing > len(records):
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None, message.error()
        records.append((message.partition(), message.offset(), message.value() or b""))
    consumer.close()
    return [raw for _partition, _offset, raw in sorted(records)]


@stamina.retry(on=KafkaException, timeout=30)
def committed(bootstrap: KafkaServer, partitions: int, topic: str = CHAPTERS) -> list[int]:
    """Return the committed offset of the topic's group in each partition; 0 where there is none."""
    consumer = _reader(bootstrap, QUEUES[topic])
    wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
    offsets = [max(0, each.offset) for each in consumer.committed(wanted, timeout=10)]
    consumer.close()
    return offsets


@stamina.retry(on=(KafkaException, TimeoutError), timeout=60)
def groups(bootstrap: KafkaServer) -> set[str]:
    """Return the names of all groups."""
    client = AdminClient(config.client(bootstrap))
    return {group.group_id for group in client.list_consumer_groups().result(10).valid}


def _reader(bootstrap: KafkaServer, group: str) -> Consumer:
    return Consumer(config.client(bootstrap) | {"group.id": group, "enable.auto.commit": False})
