"""What must be true after all faults, read from the books, the topics and the notes of the services."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from e2a.bus import KafkaServer, config
from e2a.messages import BookDone, decode
from e2a.plan import Plan
from e2a.topics import EVENTS, QUEUES
from producer import ingest
from tests.stack import Stack
from tests.topics import read_topic
from tests.witness import ASSEMBLED, ASSEMBLY, Note, Notes


def plan_of(book: Path, *formats: str) -> Plan:
    """Return the plan of a book for the simulated engine."""
    options = ingest.Options(engine="simulated", output=ingest.output_of(formats or ("m4b",)))
    return ingest.prepare(book, options).plan


def sequentially(book: Path, folder: Path) -> bytes:
    """Return a book as sequential mode makes it, without any server."""
    folder.mkdir(parents=True, exist_ok=True)
    alone = Stack(folder, KafkaServer("127.0.0.1:1"), "redis://127.0.0.1:1/0")
    result = alone.produce(book, "--sequential", "--output-dir", folder)
    assert result.returncode == 0, result.stderr
    return (folder / f"{book.stem}.m4b").read_bytes()


def spoken(notes: Notes, plans: Iterable[Plan]) -> float:
    """Return how much was begun to be spoken, in characters, over what the books have: 1.0 when nothing was redone."""
    sentences = [each.say for plan in plans for part in plan.parts for each in part.sentences]
    wanted = set(sentences)
    said = sum(len(note.of) for note in notes() if note.of in wanted)
    return said / sum(map(len, sentences))


def announced(kafka: KafkaServer) -> Counter[str]:
    """Return how often each book was announced to be done."""
    events = (decode(raw) for raw in read_topic(kafka, EVENTS))
    return Counter(event.book_id for event in events if isinstance(event, BookDone))


class Assembly(NamedTuple):
    """One run of the assembly of a book."""

    book_id: str
    merger: str
    begun: float
    ended: float
    """Unix time in seconds: when it ended, or its merger died, or now."""
    whole: bool


def assemblies(notes: Notes, deaths: Iterable[tuple[str, float]]) -> list[Assembly]:
    """Return all assemblies.

    Args:
        notes: of the mergers.
        deaths: process number and Unix time of every process that died.
    """
    died = dict(deaths)
    ends: dict[tuple[str, str], list[Note]] = defaultdict(list)
    for note in notes(ASSEMBLED):
        ends[note.who, note.of].append(note)
    begun = notes(ASSEMBLY)
    found = []
    for note in begun:
        end = next((each.time for each in ends[note.who, note.of] if each.time >= note.time), None)
        # one merger begins a book again only when it has given up: no end is noted of that
        again = [each.time for each in begun if (each.who, each.of) == (note.who, note.of) and each.time > note.time]
        if again and (end is None or again[0] < end):
            found.append(Assembly(note.of, note.who, note.time, again[0], whole=False))
            continue
        last = end or died.get(note.who, time.time())
        found.append(Assembly(note.of, note.who, note.time, last, end is not None))
    return found


def overlaps(found: Iterable[Assembly]) -> int:
    """Return how many assemblies began while another of the same book was under way."""
    in_order = sorted(found, key=lambda each: each.begun)
    return sum(
        any(other.book_id == each.book_id and other.ended > each.begun for other in in_order[:number])
        for number, each in enumerate(in_order)
    )


class Offsets:
    """Watches what the groups of the workers have committed; a context manager.

    It asks as a consumer that never joins: an `AdminClient` aborts the process when a broker dies while it asks
    (librdkafka 2.16).

    Args:
        kafka: host:port of the broker.
        pause: seconds between two looks.
    """

    def __init__(self, kafka: KafkaServer, pause: float = 0.5) -> None:
        self.rewound: list[tuple[str, int, int, int]] = []
        """Topic, partition, and the offsets before and after, of each time that an offset went back."""
        self._consumers = {
            topic: Consumer(config.client(kafka) | {"group.id": group, "log_level": 0})
            for topic, group in QUEUES.items()
        }
        self._pause = pause
        self._last: dict[tuple[str, int], int] = {}
        self._stop = Event()
        self._thread = Thread(target=self._run, name="offsets", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        for consumer in self._consumers.values():
            consumer.close()

    def _look(self) -> None:
        """Look now; nothing is seen while Kafka does not answer."""
        for topic, consumer in self._consumers.items():
            try:
                known = consumer.list_topics(topic, timeout=2).topics[topic].partitions
                found = consumer.committed([TopicPartition(topic, partition) for partition in known], timeout=2)
            except KafkaException:
                continue
            for each in found:
                key, offset = (each.topic, each.partition), max(0, each.offset)
                before = self._last.get(key, 0)
                if offset < before:
                    self.rewound.append((*key, before, offset))
                self._last[key] = offset

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            self._look()
        self._look()
