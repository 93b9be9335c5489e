"""The merger's process on real Kafka and Redis: what cannot be read, is late, damaged, asked for, or interrupted."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from e2a.bus import Admin, KafkaPublisher, KafkaServer, config
from e2a.messages import BookDone, BookPlanned, ChapterJob, DeadLetter, PartialWanted, decode
from e2a.plan import BITRATE
from e2a.storage import keys, read_report
from e2a.topics import CHAPTERS, DEAD_LETTERS, EVENT_PARTITIONS, EVENTS, EXPRESS, MERGER_GROUP
from tests.recordings import record
from tests.servers import require, wait_until
from tests.stack import Stack
from tests.stores import directory_store
from tests.topics import empty_topics, read_topic, send_raw
from tests.unit.builders import a_part_done, a_part_failed, a_plan


class Scene:
    """A merger beside a store in which a book is planned and its parts are made by hand."""

    def __init__(self, folder: Path, kafka: KafkaServer, redis: str) -> None:
        self.kafka = kafka
        self.stack = Stack(folder, kafka, redis, PARTITIONS=1)
        self.store = directory_store(folder / "storage", patience=1)
        self.plan = a_plan()
        self.publisher = KafkaPublisher(kafka, patience=30)
        self.store.put(keys.book(self.plan.book_id, keys.PLAN), self.plan.model_dump_json().encode())

    def make(self, *indices: int) -> None:
        """Put parts into storage and publish that they are done."""
        for part in (self.plan.parts[index] for index in indices):
            record(self.store, part)
            self.publisher.send(EVENTS, [a_part_done(part, book_id=self.plan.book_id)])

    def stage(self) -> str:
        book = self.stack.checkpoint.book(self.plan.book_id)
        return "" if book is None else book.stage

    def jobs(self) -> list[tuple[int, int]]:
        """Return part and attempt of all jobs."""
        jobs = [decode(raw) for topic in (CHAPTERS, EXPRESS) for raw in read_topic(self.kafka, topic)]
        return [(job.part.index, job.attempt) for job in jobs if isinstance(job, ChapterJob)]

    def finished(self) -> list[BookDone]:
        events = [decode(raw) for raw in read_topic(self.kafka, EVENTS)]
        return [event for event in events if isinstance(event, BookDone)]


@pytest.fixture
def scene(tmp_path: Path, kafka: KafkaServer, redis: str) -> Iterator[Scene]:
    require("ffmpeg")
    empty_topics(kafka, 1)
    made = Scene(tmp_path, kafka, redis)
    made.stack.forget()
    yield made
    made.stack.stop()


def test_a_book_is_assembled_when_its_last_part_is_done(scene: Scene) -> None:
    """Announcement and events become a finished book, announced once."""
    scene.stack.start("e2a-merge")
    scene.publisher.send(EVENTS, [BookPlanned(book_id=scene.plan.book_id)])
    scene.make(*range(len(scene.plan.parts)))
    wait_until(lambda: scene.stage() == "done")
    (done,) = scene.finished()
    assert scene.store.size(done.output) == done.audio_bytes


def test_events_from_before_the_start_count(scene: Scene) -> None:
    """A merger that starts late reads all events from the beginning."""
    scene.publisher.send(EVENTS, [BookPlanned(book_id=scene.plan.book_id)])
    scene.make(*range(len(scene.plan.parts)))
    scene.stack.start("e2a-merge")
    wait_until(lambda: scene.stage() == "done")
    assert len(scene.finished()) == 1


def test_an_unreadable_event_is_dead_lettered_and_the_rest_goes_on(scene: Scene) -> None:
    """Garbage and nothing on the events topic are kept with the reason, and the book behind them is finished."""
    send_raw(scene.kafka, EVENTS, [(partition, garbage) for partition in range(8) for garbage in (b"{garbage", None)])
    scene.stack.start("e2a-merge")
    scene.publisher.send(EVENTS, [BookPlanned(book_id=scene.plan.book_id)])
    scene.make(*range(len(scene.plan.parts)))
    wait_until(lambda: scene.stage() == "done")
    wait_until(lambda: len(read_topic(scene.kafka, DEAD_LETTERS)) == 16)
    letters = [decode(raw) for raw in read_topic(scene.kafka, DEAD_LETTERS)]
    payloads = [letter.payload for letter in letters if isinstance(letter, DeadLetter)]
    assert sorted(payloads) == [""] * 8 + ["{garbage"] * 8


def test_an_interrupted_assembly_is_taken_up_by_the_sweep(scene: Scene) -> None:
    """A book that was left in the middle of its assembly is finished although no event comes any more."""
    first = scene.stack.start("e2a-merge")
    scene.publisher.send(EVENTS, [BookPlanned(book_id=scene.plan.book_id)])
    scene.make(*range(len(scene.plan.parts)))
    wait_until(lambda: scene.stage() == "done")
    first.terminate()
    first.wait(40)
    scene.store.delete(keys.report(scene.plan.book_id))
    scene.stack.checkpoint.update_book(scene.plan.book_id, lambda book: book.model_copy(update={"stage": "assembling"}))
    scene.stack.start("e2a-merge")
    wait_until(lambda: scene.stage() == "done")
    assert len(scene.finished()) == 2


def test_a_damaged_part_is_made_anew(scene: Scene) -> None:
    """A part whose audio is damaged is published as a job again; when it is made the book is done."""
    for part in scene.plan.parts:
        record(scene.store, part)
    victim = scene.plan.parts[1]
    audio = keys.part_audio(victim.digest, BITRATE)
    scene.store.put(audio, scene.store.get(audio)[::-1])
    scene.stack.start("e2a-merge")
    scene.publisher.send(EVENTS, [BookPlanned(book_id=scene.plan.book_id)])
    wait_until(lambda: read_topic(scene.kafka, EXPRESS))
    (job,) = [decode(raw) for raw in read_topic(scene.kafka, EXPRESS)]
    assert isinstance(job, ChapterJob)
    assert job.part == victim.for_engine()
    wait_until(lambda: scene.stage() == "synthesising")
    scene.make(1)
    wait_until(lambda: scene.stage() == "done")
    (done,) = scene.finished()
    assert scene.store.size(done.output) == done.audio_bytes


def test_who_asks_may_listen_before_the_book_is_done(scene: Scene) -> None:
    """The chapters that are finished can be heard while the others are still made."""
    scene.stack.start("e2a-merge")
    scene.publisher.send(EVENTS, [BookPlanned(book_id=scene.plan.book_id)])
    scene.make(0, 1)
    scene.publisher.send(EVENTS, [PartialWanted(book_id=scene.plan.book_id)])
    wait_until(lambda: read_report(scene.store, scene.plan.book_id, keys.partial_report))
    report = read_report(scene.store, scene.plan.book_id, keys.partial_report)
    assert report is not None
    assert [chapter.title for chapter in report.chapters] == ["Chapter 1"]
    assert [file.name for file in report.files] == [".m4b"]
    assert scene.stage() == "synthesising"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_nothing_half_made_stays(scene: Scene, tmp_path: Path, number: signal.Signals) -> None:
    """A merger that is stopped in an assembly ends at once and cleans up; after a killed one the next does."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    slow = tmp_path / "bin/ffmpeg"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\ncase "$*" in *ipod*) exec sleep 120;; *) exec {shutil.which("ffmpeg")} "$@";; esac\n')
    slow.chmod(0o755)
    path, scene.stack.env["TMPDIR"] = scene.stack.env["PATH"], str(scratch)
    scene.stack.env["PATH"] = f"{slow.parent}:{path}"
    first = scene.stack.start("e2a-merge")
    scene.publisher.send(EVENTS, [BookPlanned(book_id=scene.plan.book_id)])
    scene.make(*range(len(scene.plan.parts)))
    wait_until(lambda: list(scratch.glob("e2a-merge-*/marks.txt")))
    first.send_signal(number)
    first.wait(30)
    assert bool(list(scratch.glob("e2a-merge-*"))) == (number == signal.SIGKILL)
    scene.stack.env["PATH"] = path
    scene.stack.start("e2a-merge")
    wait_until(lambda: scene.stage() == "done")
    assert list(scratch.glob("e2a-merge-*")) == []
    assert len(scene.finished()) == 1


def test_what_fell_between_is_found_without_any_event(scene: Scene) -> None:
    """When Redis is emptied in the middle of a book, it is known again, and what nobody is at is published again."""
    scene.stack.start("e2a-merge", SWEEP=0.2)
    scene.publisher.send(EVENTS, [BookPlanned(book_id=scene.plan.book_id)])
    scene.make(1)
    wait_until(lambda: scene.stage() == "synthesising")
    scene.stack.forget()
    wait_until(scene.stack.checkpoint.is_whole)
    assert scene.stage() == "synthesising"
    assert scene.stack.checkpoint.ready(scene.plan.book_id) == [0, 2]
    scene.stack.checkpoint.update_book(scene.plan.book_id, lambda book: book.model_copy(update={"resumed_at": 0.0}))
    wait_until(lambda: sorted(scene.jobs()) == [(0, 1), (2, 1)])
    scene.make(0, 2)
    wait_until(lambda: scene.stage() == "done")


def test_a_part_that_fails_too_often_is_given_up(scene: Scene) -> None:
    """A part that fails for now is tried again by express; the third time its job goes to the dead letters."""
    part = scene.plan.parts[1]
    scene.stack.start("e2a-merge", SWEEP=0.2, BACKOFF=0.1)
    scene.publisher.send(EVENTS, [BookPlanned(book_id=scene.plan.book_id)])
    scene.make(0, 2)
    for attempt in (1, 2, 3):
        scene.publisher.send(EVENTS, [a_part_failed(part, retryable=True, attempt=attempt, reason="no memory")])
        if attempt < 3:
            wait_until(lambda wanted=attempt + 1: (1, wanted) in scene.jobs())
    wait_until(lambda: scene.stage() == "failed")
    (letter,) = [decode(raw) for raw in read_topic(scene.kafka, DEAD_LETTERS)]
    assert isinstance(letter, DeadLetter)
    assert (letter.part, letter.attempts, letter.reason) == (1, 3, "no memory")
    book = scene.stack.checkpoint.book(scene.plan.book_id)
    assert book is not None
    assert book.reason == "1 parts missing, in chapters 1: no memory"


def commit(kafka: KafkaServer, offset: int) -> None:
    """Commit an offset in all partitions of the topic of events, as the group of the mergers."""
    consumer = Consumer(config.client(kafka) | {"group.id": MERGER_GROUP, "enable.auto.commit": False})
    partitions = [TopicPartition(EVENTS, partition, offset) for partition in range(EVENT_PARTITIONS)]
    consumer.commit(offsets=partitions, asynchronous=False)
    consumer.close()


def test_events_of_topics_that_were_made_anew(scene: Scene) -> None:
    """Topics that vanish under a merger are made anew by it, and what is said in them counts.

    An offset of before that was committed in the new topic hides nothing.
    """
    commit(scene.kafka, offset=1000)
    scene.stack.start("e2a-merge", SWEEP=0.2)
    scene.publisher.send(EVENTS, [a_part_failed(scene.plan.parts[0])])
    wait_until(
        lambda: [part.state for part in scene.stack.checkpoint.parts(scene.plan.book_id).values()][:1] == ["failed"]
    )
    client = AdminClient(config.client(scene.kafka))
    for future in client.delete_topics([EVENTS, CHAPTERS, EXPRESS]).values():
        future.result(30)
    wait_until(lambda: {EVENTS, CHAPTERS, EXPRESS} <= set(Admin(scene.kafka, patience=30).partitions()))
    scene.publisher = KafkaPublisher(scene.kafka, patience=30)
    scene.make(*range(len(scene.plan.parts)))
    wait_until(lambda: scene.stage() == "done")
