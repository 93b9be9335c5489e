"""One class of tests for the loop over jobs: in memory and on Kafka."""

import threading
from typing import Protocol

import pytest

from e2a.bus import Handler, JobConsumer, KafkaPublisher, KafkaServer
from e2a.errors import Poison, Retryable
from e2a.messages import ChapterJob, DeadLetter, Event, Message, PartDone, PartFailed, decode, encode
from e2a.testing import MemoryBroker
from e2a.topics import CHAPTERS, DEAD_LETTERS, EVENTS, EXPRESS, QUEUES
from tests.servers import wait_until
from tests.topics import committed, empty_topics, read_topic, send_raw
from tests.unit.builders import a_job, a_part

PARTITIONS = 2


class Bus(Protocol):
    """What the tests need of a bus."""

    def send(self, partition: int, raw: bytes, topic: str = CHAPTERS) -> None: ...

    def consume(self, handle: Handler, records: int) -> None:
        """Handle until that many records are committed, or no more can be."""

    def read(self, topic: str) -> list[Message]: ...

    def committed(self, topic: str = CHAPTERS) -> list[int]: ...


class OnMemory:
    def __init__(self) -> None:
        self._broker = MemoryBroker(PARTITIONS)

    def send(self, partition: int, raw: bytes, topic: str = CHAPTERS) -> None:
        self._broker.send_raw(topic, raw, partition)

    def consume(self, handle: Handler, records: int) -> None:
        while all_committed(self) < records and self._broker.step(handle, "worker"):
            pass

    def read(self, topic: str) -> list[Message]:
        return self._broker.messages(topic)

    def committed(self, topic: str = CHAPTERS) -> list[int]:
        return self._broker.committed[topic]


class OnKafka:
    """A worker on Kafka.

    Args:
        kafka: as the worker sees it.
        admin: as whoever may do everything sees it.
    """

    def __init__(self, kafka: KafkaServer, admin: KafkaServer) -> None:
        self._kafka = kafka
        self._admin = admin
        empty_topics(admin, PARTITIONS)

    def send(self, partition: int, raw: bytes, topic: str = CHAPTERS) -> None:
        send_raw(self._admin, topic, [(partition, raw)])

    def consume(self, handle: Handler, records: int) -> None:
        consumer = JobConsumer(
            server=self._kafka,
            publisher=KafkaPublisher(self._kafka, patience=30),
            handle=handle,
            worker="worker",
            session_timeout=6,
            grace=0,
        )
        stop, crashed = threading.Event(), []

        def run() -> None:
            try:
                consumer.run(stop)
            except ZeroDivisionError as error:
                crashed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            wait_until(lambda: not thread.is_alive() or all_committed(self) >= records)
        finally:
            stop.set()
            thread.join()
        if crashed:
            raise crashed[0]

    def read(self, topic: str) -> list[Message]:
        return [decode(raw) for raw in read_topic(self._admin, topic)]

    def committed(self, topic: str = CHAPTERS) -> list[int]:
        return committed(self._admin, PARTITIONS, topic)


def all_committed(bus: Bus) -> int:
    """Return how many records are committed in both topics."""
    return sum(sum(bus.committed(topic)) for topic in QUEUES)


@pytest.fixture(params=["memory", "kafka", "secure"])
def bus(request: pytest.FixtureRequest) -> Bus:
    match request.param:
        case "memory":
            return OnMemory()
        case "kafka":
            kafka = request.getfixturevalue("kafka")
            return OnKafka(kafka, kafka)
        case _:
            secure = request.getfixturevalue("secure")
            return OnKafka(secure.kafka("synth"), secure.kafka())


def done(job: ChapterJob, _abandoned: threading.Event) -> Event:
    return PartDone(
        book_id=job.book_id,
        part=job.part.index,
        digest=job.part.digest,
        worker="worker",
        audio_seconds=1.0,
        audio_bytes=1,
    )


class TestBus:
    def test_turns_jobs_into_events(self, bus: Bus) -> None:
        """Every job of every partition of both topics becomes one event, and all offsets are committed."""
        for index in range(6):
            bus.send(index % PARTITIONS, encode(a_job(a_part(index))))
        bus.send(1, encode(a_job(a_part(6))), EXPRESS)
        bus.consume(done, records=7)
        assert sorted(event.part for event in bus.read(EVENTS) if isinstance(event, PartDone)) == list(range(7))
        assert bus.committed() == [3, 3]
        assert bus.committed(EXPRESS) == [0, 1]
        assert bus.read(DEAD_LETTERS) == []

    def test_dead_letters_what_cannot_be_read_and_goes_on(self, bus: Bus) -> None:
        """A record that is no job is kept with the reason; the job behind it is done."""
        bus.send(0, b"\xffnot json")
        bus.send(0, encode(a_job(a_part(1))))
        bus.consume(done, records=2)
        letters = bus.read(DEAD_LETTERS)
        assert [type(letter) for letter in letters] == [DeadLetter]
        assert isinstance(letters[0], DeadLetter)
        assert letters[0].source == f"{CHAPTERS}/0/0"
        assert "not json" in letters[0].payload
        assert [event.type for event in bus.read(EVENTS)] == ["PartDone"]

    def test_dead_letters_poison_and_says_so(self, bus: Bus) -> None:
        """A job that can never work is dead-lettered, and its book hears of it."""

        def refuse(_job: ChapterJob, _abandoned: threading.Event) -> None:
            raise Poison("no such voice")

        bus.send(1, encode(a_job(a_part(4))))
        bus.consume(refuse, records=1)
        (event,) = bus.read(EVENTS)
        assert isinstance(event, PartFailed)
        assert (event.part, event.reason, event.retryable) == (4, "no such voice", False)
        (letter,) = bus.read(DEAD_LETTERS)
        assert isinstance(letter, DeadLetter)
        assert letter.book_id == event.book_id
        assert letter.reason == "no such voice"

    def test_reports_what_may_work_later(self, bus: Bus) -> None:
        """A job that failed for now is no dead letter; its book hears that it may be tried again."""

        def fail(_job: ChapterJob, _abandoned: threading.Event) -> None:
            raise Retryable("storage is away")

        bus.send(0, encode(a_job(a_part(2))))
        bus.consume(fail, records=1)
        (event,) = bus.read(EVENTS)
        assert isinstance(event, PartFailed)
        assert event.retryable
        assert bus.read(DEAD_LETTERS) == []

    def test_passes_over_what_nobody_wants(self, bus: Bus) -> None:
        """A job that the handler passes over is committed without a word; the job behind it is done."""
        bus.send(0, encode(a_job(a_part(0))))
        bus.send(0, encode(a_job(a_part(1))))
        bus.consume(lambda job, abandoned: done(job, abandoned) if job.part.index else None, records=2)
        assert bus.committed() == [2, 0]
        assert [event.part for event in bus.read(EVENTS) if isinstance(event, PartDone)] == [1]

    def test_keeps_the_job_when_the_handler_crashes(self, bus: Bus) -> None:
        """A bug is raised, nothing is published or committed, and the next worker gets the job."""

        def crash(_job: ChapterJob, _abandoned: threading.Event) -> None:
            raise ZeroDivisionError

        bus.send(0, encode(a_job(a_part(0))))
        with pytest.raises(ZeroDivisionError):
            bus.consume(crash, records=1)
        assert bus.committed() == [0, 0]
        assert bus.read(EVENTS) == []
        bus.consume(done, records=1)
        assert [event.type for event in bus.read(EVENTS)] == ["PartDone"]
