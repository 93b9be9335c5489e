"""One class of tests for a topic that is followed: in memory and on Kafka."""

import time
from pathlib import Path
from typing import Protocol

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from e2a.bus import Admin, Dated, KafkaServer, KafkaTail, Letter, Tail, config, event_tail, letter_tail
from e2a.bus.tail import BATCH
from e2a.errors import Unavailable
from e2a.messages import BookPlanned, DeadLetter, PartDone, encode
from e2a.testing import MemoryBroker
from e2a.topics import DEAD_LETTERS, EVENT_PARTITIONS, EVENTS, topics
from tests.servers import kafka_server, wait_until
from tests.topics import empty_topics, groups, send_raw
from tests.unit.builders import BOOK, a_job, a_part_done


class Bus(Protocol):
    """What the tests need beside tails."""

    def events(self) -> Tail[Dated]: ...

    def letters(self) -> Tail[Letter]: ...

    def send(self, topic: str, partition: int, *records: bytes) -> None: ...

    def make_anew(self, topic: str) -> None: ...


class OnMemory:
    def __init__(self) -> None:
        self._broker = MemoryBroker(EVENT_PARTITIONS)

    def events(self) -> Tail[Dated]:
        return self._broker.event_tail()

    def letters(self) -> Tail[Letter]:
        return self._broker.letter_tail()

    def send(self, topic: str, partition: int, *records: bytes) -> None:
        for raw in records:
            self._broker.send_raw(topic, raw, partition)

    def make_anew(self, topic: str) -> None:
        del self._broker.logs[topic]


class OnKafka:
    def __init__(self, bootstrap: KafkaServer) -> None:
        self.bootstrap = bootstrap

    def events(self) -> KafkaTail[Dated]:
        return event_tail(self.bootstrap, patience=30)

    def letters(self) -> KafkaTail[Letter]:
        return letter_tail(self.bootstrap, patience=30)

    def send(self, topic: str, partition: int, *records: bytes) -> None:
        send_raw(self.bootstrap, topic, [(partition, raw) for raw in records])

    def make_anew(self, topic: str) -> None:
        empty_topics(self.bootstrap, 1, topic)


@pytest.fixture
def on_kafka(kafka: KafkaServer) -> OnKafka:
    empty_topics(kafka, 1, EVENTS, DEAD_LETTERS)
    return OnKafka(kafka)


@pytest.fixture(params=["memory", "kafka"])
def bus(request: pytest.FixtureRequest) -> Bus:
    return OnMemory() if request.param == "memory" else request.getfixturevalue("on_kafka")


def read(tail: Tail[Dated], count: int) -> list[Dated]:
    """Return the next messages once there are so many, and a look has seen that there are no more."""
    found = tail.poll()

    def is_read() -> bool:
        found.extend(tail.poll())
        return len(found) >= count and tail.behind() == 0

    wait_until(is_read)
    return found


def parts(events: list[Dated]) -> list[int]:
    """Return the parts that events say are done, in the order in which they came."""
    return [each.event.part for each in events if isinstance(each.event, PartDone)]


def done(part: int) -> bytes:
    return encode(a_part_done(part=part))


class TestTail:
    def test_is_read_from_its_beginning_and_then_on(self, bus: Bus) -> None:
        """What was there before comes first, a partition in its order, and then what is published, each once."""
        bus.send(EVENTS, 0, done(0), done(1))
        bus.send(EVENTS, 7, encode(BookPlanned(book_id=BOOK)), done(7))
        tail = bus.events()
        events = read(tail, 4)
        assert [part for part in parts(events) if part < 7] == [0, 1]
        assert sorted(parts(events)) == [0, 1, 7]
        bus.send(EVENTS, 7, done(8))
        assert parts(read(tail, 1)) == [8]

    def test_says_when(self, bus: Bus) -> None:
        """An event has the time at which it was published."""
        before = time.time()
        bus.send(EVENTS, 0, done(0))
        after = time.time()
        (event,) = read(bus.events(), 1)
        assert before - 0.001 <= event.time <= after  # Kafka counts milliseconds

    def test_what_cannot_be_read_is_passed_over(self, bus: Bus) -> None:
        """Bytes that are no event, and other messages, are skipped; what stands behind them is read."""
        bus.send(EVENTS, 3, b"\xff", b"", b"{}", encode(a_job()), done(5))
        assert parts(read(bus.events(), 1)) == [5]

    def test_nothing_is_taken(self, bus: Bus) -> None:
        """Two that follow a topic both read all of it."""
        bus.send(EVENTS, 0, done(0), done(1))
        first, second = bus.events(), bus.events()
        assert parts(read(first, 2)) == parts(read(second, 2)) == [0, 1]

    def test_counts_what_is_missing(self, bus: Bus) -> None:
        """How far one is behind is not known before the first look, and falls to nothing, a batch at a time."""
        bus.send(EVENTS, 0, *map(done, range(BATCH)))
        bus.send(EVENTS, 1, *map(done, range(500)))
        tail = bus.events()
        assert tail.behind() is None
        first = tail.poll()
        assert len(first) <= BATCH
        assert tail.behind() == BATCH + 500 - len(first)
        read(tail, BATCH + 500 - len(first))

    def test_a_topic_that_is_made_anew_is_read_anew(self, bus: Bus) -> None:
        """It is of another generation and is read from its beginning, though it has as many messages as before."""
        bus.send(EVENTS, 0, done(0), done(1))
        tail = bus.events()
        read(tail, 2)
        assert tail.generation() == 0
        bus.make_anew(EVENTS)
        bus.send(EVENTS, 0, done(2), done(3))
        events: list[Dated] = []

        def is_read() -> bool:
            found = tail.poll()
            events.extend(found if tail.generation() else [])
            return len(events) >= 2

        wait_until(is_read)
        assert parts(events) == [2, 3]
        assert tail.behind() == 0

    def test_dead_letters(self, bus: Bus) -> None:
        """Dead letters come with their number and time; what is none is shown as one."""
        before = time.time()
        bus.send(DEAD_LETTERS, 0, encode(DeadLetter(reason="too old", source="here", payload="")), b"nothing")
        tail = bus.letters()
        letters: list[Letter] = []
        wait_until(lambda: bool(letters.extend(tail.poll())) or len(letters) == 2)
        assert [letter.number for letter in letters] == [0, 1]
        assert letters[0].letter.reason == "too old"
        assert letters[1].letter.reason.startswith("not a dead letter")
        assert letters[0].time >= before - 0.001


class TestKafkaTail:
    def test_new_partitions_are_read(self, on_kafka: OnKafka) -> None:
        """A topic that has grown is read whole, and what was read before is not read again."""
        on_kafka.send(EVENTS, 0, done(0))
        tail = on_kafka.events()
        read(tail, 1)
        client = AdminClient(config.client(on_kafka.bootstrap))
        client.create_partitions([NewPartitions(EVENTS, EVENT_PARTITIONS + 1)])[EVENTS].result(30)
        wait_until(lambda: Admin(on_kafka.bootstrap, 30).partitions()[EVENTS] == EVENT_PARTITIONS + 1)
        on_kafka.send(EVENTS, EVENT_PARTITIONS, done(1))
        assert parts(read(tail, 1)) == [1]

    def test_what_was_dropped_is_not_waited_for(self, on_kafka: OnKafka) -> None:
        """Messages that Kafka has dropped before they were read count neither as read nor as missing."""
        on_kafka.send(EVENTS, 0, done(0), done(1), done(2))
        client = AdminClient(config.client(on_kafka.bootstrap))
        for answer in client.delete_records([TopicPartition(EVENTS, 0, 2)]).values():
            answer.result(30)
        assert parts(read(on_kafka.events(), 1)) == [2]

    def test_a_missing_topic_is_empty(self, on_kafka: OnKafka) -> None:
        """Before the topic is made there is nothing; once it is there it is read."""
        client = AdminClient(config.client(on_kafka.bootstrap))
        client.delete_topics([DEAD_LETTERS])[DEAD_LETTERS].result(30)
        wait_until(lambda: DEAD_LETTERS not in Admin(on_kafka.bootstrap, patience=30).partitions())
        tail = on_kafka.letters()
        assert tail.poll() == []
        assert tail.behind() == 0
        Admin(on_kafka.bootstrap, patience=30).ensure_topics(topics(1))
        on_kafka.send(DEAD_LETTERS, 0, b"nothing")
        wait_until(tail.poll)

    def test_no_group_is_joined(self, on_kafka: OnKafka) -> None:
        """Kafka knows no group of who only looks."""
        on_kafka.send(EVENTS, 0, done(0))
        read(on_kafka.events(), 1)
        assert "e2a.reader" not in groups(on_kafka.bootstrap)


def test_kafka_that_is_away_is_named_and_waited_for(tmp_path: Path) -> None:
    """A broker that goes away, or is not there yet, is named; when it is back, reading goes on where it was."""
    with kafka_server(tmp_path) as server:
        bootstrap = KafkaServer(server.address)
        Admin(bootstrap, patience=60).ensure_topics(topics(1))
        send_raw(bootstrap, EVENTS, [(0, done(0))])
        tail = event_tail(bootstrap, patience=0.5)
        wait_until(lambda: parts(patient(tail)) == [0])
        server.kill()

        def is_away() -> bool:
            try:
                tail.poll()
            except Unavailable as error:
                return str(bootstrap) in str(error)
            return False

        wait_until(is_away)
        server.start()
        Admin(bootstrap, patience=60).ensure_topics(topics(1))
        send_raw(bootstrap, EVENTS, [(0, done(1))])
        wait_until(lambda: parts(patient(tail)) == [1])


def patient(tail: Tail[Dated]) -> list[Dated]:
    """Return a batch; none while Kafka is away."""
    try:
        return tail.poll()
    except Unavailable:
        return []
