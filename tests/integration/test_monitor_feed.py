"""The figures of the page are the truth in Redis, Kafka and storage: a book through all real processes."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from e2a.bus import KafkaPublisher, KafkaServer, event_tail, letter_tail, read_letters
from e2a.checkpoint import part_lease, progress
from e2a.messages import BookPlanned, PartDone, chapter_job, dead_letter, decode, encode
from e2a.plan import BITRATE, Plan
from e2a.settings import MonitorSettings
from e2a.shelf import Shelf
from e2a.storage import keys, read_plan, read_report
from e2a.topics import CHAPTERS as CHAPTERS_TOPIC
from e2a.topics import DEAD_LETTERS, EVENTS, QUEUES
from monitor.feed import Feed, open_feed
from monitor.records import BookPage, BookRow
from tests.epubs import made_epub
from tests.servers import require, wait_until
from tests.stack import Stack, stack
from tests.stores import directory_store
from tests.topics import committed, read_topic
from tests.unit.builders import a_part_failed, a_plan, put_plan

RTF = 0.02
CHAPTERS, WORKERS = 12, 2
REASONS = ["out of memory", "no such voice"]


class Truth:
    """What Redis, Kafka and storage say, each asked itself.

    Args:
        running: the pipeline.
        kafka: host:port of its broker.
    """

    def __init__(self, running: Stack, kafka: KafkaServer) -> None:
        self.checkpoint = running.checkpoint
        self.kafka = kafka
        self.store = directory_store(running.folder / "storage", 1)
        self.publisher = KafkaPublisher(kafka, 30)
        self.shelf = Shelf(self.store, self.checkpoint, self.publisher)
        self.book_id = ""

    @property
    def plan(self) -> Plan:
        plan = read_plan(self.store, self.book_id)
        assert plan is not None
        return plan

    def events(self) -> list[PartDone]:
        """Return the events of parts that were spoken."""
        told = map(decode, read_topic(self.kafka, EVENTS))
        return [event for event in told if isinstance(event, PartDone) and event.work_seconds]

    def offsets(self) -> dict[tuple[str, int], int]:
        """Return how far each partition of the topics of jobs is committed."""
        found = {topic: committed(self.kafka, WORKERS, topic) for topic in QUEUES}
        return {(topic, number): each for topic, numbers in found.items() for number, each in enumerate(numbers)}

    def jobs(self) -> int:
        """Return how many jobs there ever were."""
        return sum(len(read_topic(self.kafka, topic)) for topic in QUEUES)

    def stored(self) -> set[int]:
        """Return the parts whose audio and sidecar are there."""
        objects = {
            part.index: (keys.part_sidecar(part.digest), keys.part_audio(part.digest, BITRATE))
            for part in self.plan.parts
        }
        return {index for index, names in objects.items() if all(self.store.size(name) for name in names)}

    def is_at_rest(self) -> bool:
        """Say whether no job is left, nobody is at a part, and what is stored was told and recorded."""
        if sum(self.offsets().values()) < self.jobs():
            return False
        if self.checkpoint.held([part_lease(part.digest) for part in self.plan.parts]):
            return False
        parts = self.checkpoint.parts(self.book_id)
        done = {index for index, part in parts.items() if part.state == "done"}
        is_idle = not any(worker.book_id for worker in self.checkpoint.workers())
        return is_idle and self.stored() == done == {event.part for event in self.events()}


@pytest.fixture(scope="module")
def running(kafka: KafkaServer, redis: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    require("ffmpeg")
    folder = tmp_path_factory.mktemp("monitor")
    made_epub(folder / "book.epub", chapters=CHAPTERS, characters=800)
    with stack(folder, kafka, redis, workers=WORKERS, partitions=WORKERS, SIMULATED_RTF=RTF, BACKOFF=3600) as pipeline:
        yield pipeline


def a_feed(running: Stack, kafka: KafkaServer) -> Feed:
    """Return a feed that reads when it is told to, all of it each time."""
    return Feed(
        checkpoint=running.checkpoint,
        store=directory_store(running.folder / "storage", 1),
        events=event_tail(kafka, 30),
        letters=letter_tail(kafka, 30),
        keep=0.0,
    )


def test_figures_are_the_truth(running: Stack, kafka: KafkaServer) -> None:
    """Half made and paused, and when it is finished, all that the page shows of a book is what its sources say."""
    truth, feed = Truth(running, kafka), a_feed(running, kafka)
    assert feed.shelf() == ()
    running.start("e2a-produce", str(running.folder / "book.epub"), "--output-dir", str(running.folder))
    wait_until(running.checkpoint.books)
    (truth.book_id,) = running.checkpoint.books()
    wait_until(lambda: len(truth.events()) >= 3)
    truth.shelf.pause(truth.book_id)
    wait_until(lambda: running.checkpoint.stage(truth.book_id) == "paused")
    wait_until(truth.is_at_rest)
    agree(feed, truth)
    assert [row.condition for row in feed.shelf()] == ["paused"]
    assert 3 <= feed.shelf()[0].parts_done < CHAPTERS
    agree_of_events(feed, truth)
    truth.shelf.resume(truth.book_id)
    wait_until(lambda: running.checkpoint.stage(truth.book_id) == "done")
    wait_until(truth.is_at_rest)
    agree(feed, truth)
    assert [row.condition for row in feed.shelf()] == ["done"]
    agree_of_events(feed, truth)
    agree_of_queue(feed, truth)
    agree_of_disagreement(feed, truth)
    agree_after_restarts(feed, truth, running)


def page_of(feed: Feed, truth: Truth) -> BookPage:
    page = feed.book(truth.book_id)
    assert page is not None
    return page


def agree(feed: Feed, truth: Truth) -> None:
    """Compare shelf, page and workers with the checkpoint and with storage."""
    feed.read()
    page, parts, book = page_of(feed, truth), truth.checkpoint.parts(truth.book_id), truth.shelf.book(truth.book_id)
    record, report = truth.checkpoint.book(truth.book_id), read_report(truth.store, truth.book_id)
    assert record is not None
    numbers = progress(parts.values())
    (row,) = feed.shelf()
    assert _timeless(row) == _timeless(page.row)
    assert (row.title, row.condition, row.urgent, row.reason) == (book.title, book.condition, book.urgent, book.reason)
    assert (row.fraction, row.audio_seconds, row.total_seconds) == (
        numbers.fraction,
        numbers.seconds_done,
        numbers.seconds_total,
    )
    assert (row.chapters, row.chapters_done, row.parts, row.parts_done) == (
        numbers.chapters,
        numbers.chapters_done,
        numbers.parts,
        numbers.done,
    )
    assert (row.cover, row.files) == (True, report.files if report else ())
    assert [(cell.part, cell.chapter, cell.state == "done", cell.worker) for cell in page.cells] == [
        (index, part.chapter, part.state == "done", part.worker) for index, part in parts.items()
    ]
    assert [chapter.title for chapter in page.chapters] == list(record.chapter_titles)
    assert [chapter.loudness for chapter in page.chapters] == (
        [chapter.loudness for chapter in report.chapters] if report else [None] * CHAPTERS
    )
    assert page.accounting == truth.plan.accounting
    workers = {worker.worker: worker for worker in truth.checkpoint.workers()}
    assert {each.worker: each.done for each in feed.workers()} == {name: each.done for name, each in workers.items()}
    assert {each.worker: each.partitions for each in feed.workers()} == {
        name: each.partitions for name, each in workers.items()
    }


def agree_of_events(feed: Feed, truth: Truth) -> None:
    """Compare timeline, the story of a part and the agreement with the events and with storage."""
    events = truth.events()
    wait_until(lambda: feed.read() or len(feed.timeline(None).spans) == len(events))  # the topic's end is 2 s old
    found = feed.timeline(None)
    assert sorted((span.worker, span.part, span.audio_seconds, span.title) for span in found.spans) == sorted(
        (event.worker, event.part, event.audio_seconds, truth.plan.title) for event in events
    )
    for span in found.spans:
        (event,) = (event for event in events if event.part == span.part)
        assert span.end - span.start == pytest.approx(event.work_seconds, abs=0.001)
    assert {usage.worker: usage.parts for usage in found.usage} == Counter(event.worker for event in events)
    for usage in found.usage:
        assert usage.busy <= sum(event.work_seconds for event in events if event.worker == usage.worker) + 0.001
    width = (found.end - found.start) / len(found.throughput)
    audio = sum(event.audio_seconds for event in events)
    assert sum(each.speed for each in found.throughput) * width == pytest.approx(audio, rel=1e-4)
    assert sum(each.count for each in found.durations) == sum(each.count for each in found.factors) == len(events)
    part = feed.part(truth.book_id, events[0].part)
    assert part is not None
    planned = truth.plan.parts[events[0].part]
    assert (part.digest, part.text) == (planned.digest, tuple(sentence.text for sentence in planned.sentences))
    assert [(event.worker, event.work_seconds) for event in part.history] == [
        (events[0].worker, events[0].work_seconds)
    ]
    agreement = feed.agreement(truth.book_id)
    done = [index for index, each in truth.checkpoint.parts(truth.book_id).items() if each.state == "done"]
    assert (agreement.parts, agreement.recorded, agreement.told, agreement.stored) == (
        len(truth.plan.parts),
        len(done),
        len({event.part for event in events}),
        len(truth.stored()),
    )
    assert (agreement.missing, agreement.unrecorded) == ((), ())


def agree_of_queue(feed: Feed, truth: Truth) -> None:
    """Compare what waits with the offsets of Kafka, and dead letters with their topic."""
    job = chapter_job(truth.plan, truth.plan.parts[0])
    truth.publisher.send(DEAD_LETTERS, [dead_letter(encode(job), reason="no voice", source="test")])

    wait_until(
        lambda: {(row.topic, row.partition): row.committed for row in feed.queue().partitions} == truth.offsets()
    )
    wait_until(lambda: feed.read() or feed.queue().letters)
    page = feed.queue()
    assert sum(row.end for row in page.partitions) == truth.jobs()
    assert {(row.parts, row.seconds) for row in page.partitions} == {(0, 0.0)}
    owned = {worker.worker: worker for worker in truth.checkpoint.workers()}
    assert {(row.owner, row.partition) for row in page.partitions if row.topic == CHAPTERS_TOPIC} == {
        (name, number) for name, worker in owned.items() for number in worker.partitions
    }
    (letter,), (entry,) = list(read_letters(truth.kafka, 30)), page.letters
    assert (entry.letter.number, entry.letter.time, entry.since) == (letter.number, letter.time, "done")
    assert page.retries == ()


def agree_of_disagreement(feed: Feed, truth: Truth) -> None:
    """What storage has lost is named."""
    lost = truth.plan.parts[3]
    key = keys.part_audio(lost.digest, BITRATE)
    audio = truth.store.get(key)
    truth.store.delete(key)
    assert feed.agreement(truth.book_id).missing == (3,)
    truth.store.put(key, audio)
    assert feed.agreement(truth.book_id).missing == ()


def agree_after_restarts(feed: Feed, truth: Truth, running: Stack) -> None:
    """A feed that is opened later, with its own threads, shows the same history; an emptied Redis changes no book."""
    settings = MonitorSettings(
        kafka_bootstrap=str(truth.kafka),
        redis_url=running.env["E2A_REDIS_URL"],
        storage=str(running.folder / "storage"),
        monitor_refresh=0.02,
    )
    with closing(open_feed(settings)) as later:
        wait_until(lambda: later.timeline(None).spans == feed.timeline(None).spans)
        wait_until(lambda: [_timeless(row) for row in later.shelf()] == [_timeless(row) for row in feed.shelf()])
        running.forget()
        feed.read()
        assert [(row.title, row.condition, row.files) for row in feed.shelf()] == [
            (row.title, row.condition, row.files) for row in later.shelf()
        ]
    wait_until(lambda: running.checkpoint.stage(truth.book_id) == "done")
    wait_until(lambda: len(running.checkpoint.workers()) == WORKERS)
    agree(feed, truth)
    assert feed.agreement(truth.book_id).told == CHAPTERS


def _timeless(row: BookRow) -> dict[str, object]:
    return row.model_dump(exclude={"age", "speed"})


def test_failures_are_the_truth(running: Stack, kafka: KafkaServer) -> None:
    """A part that waits to be tried again, and one that has failed, are so on all pages, with reason and worker."""
    truth, feed = Truth(running, kafka), a_feed(running, kafka)
    plan = a_plan((2,), book_id="aaaa000000000001", title="Persuasion")
    truth.book_id = plan.book_id
    put_plan(truth.store, plan)
    later = a_part_failed(book_id=plan.book_id, retryable=True, attempt=1, reason="out of memory")
    never = a_part_failed(plan.parts[1], book_id=plan.book_id)
    truth.publisher.send(EVENTS, [BookPlanned(book_id=plan.book_id), later, never])
    wait_until(lambda: [part.reason for part in running.checkpoint.parts(plan.book_id).values()] == REASONS)
    wait_until(lambda: feed.read() or len(feed.timeline(None, plan.book_id).spans) == len(REASONS))
    waiting = running.checkpoint.parts(plan.book_id)[0]
    assert [(cell.state, cell.reason, cell.worker) for cell in page_of(feed, truth).cells] == [
        ("retry", "out of memory", "gpu-0"),
        ("failed", "no such voice", "gpu-0"),
    ]
    (retry,) = feed.queue().retries
    assert (retry.title, retry.part, retry.attempts, retry.due, retry.reason) == (
        "Persuasion",
        0,
        1,
        waiting.retry_at,
        "out of memory",
    )
    row = page_of(feed, truth).row
    assert (row.chapters_failed, row.retries, row.parts_done) == (1, 1, 0)
    part = feed.part(plan.book_id, 1)
    assert part is not None
    assert [(event.outcome, event.reason) for event in part.history] == [("failed", "no such voice")]
    assert [span.outcome for span in feed.timeline(None, plan.book_id).spans] == ["failed", "failed"]
    assert (feed.agreement(plan.book_id).recorded, feed.agreement(plan.book_id).told) == (0, 0)
