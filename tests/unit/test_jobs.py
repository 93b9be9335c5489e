"""What of a book is to be made: its jobs, in which order they are published, and what is there already."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from e2a.messages import BookPlanned, ChapterJob, Message
from e2a.placement import even
from e2a.plan import BITRATE, Output, Plan
from e2a.storage import keys
from e2a.testing import MemoryBroker, MemoryStore
from e2a.topics import CHAPTERS, EVENTS, QUEUES
from producer import ingest
from producer.ingest import Options, output_of
from tests.unit.books import small_epub, small_plan
from tests.unit.builders import put_part

OPTIONS = Options(engine="simulated")
CHAPTERS_OF_TEXT = [f"<p>{'word ' * size}.</p>" for size in (900, 500, 700, 500, 700)]


class Broker(MemoryBroker):
    """A broker that remembers the order of the topics written to."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self.order: list[str] = []

    def send(self, topic: str, messages: Iterable[Message], partitions: Iterable[int] | None = None) -> None:
        self.order.append(topic)
        super().send(topic, messages, partitions)

    @property
    def jobs(self) -> list[ChapterJob]:
        return [message for message in self.messages(CHAPTERS) if isinstance(message, ChapterJob)]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def plan() -> Plan:
    return small_plan(*CHAPTERS_OF_TEXT)


def publish(plan: Plan, store: MemoryStore, broker: Broker, partitions: int = 1) -> None:
    """Publish what is missing of a book."""
    ingest.publish(plan, ingest.missing_parts(plan, store), broker, dict.fromkeys(QUEUES, even(partitions)))


def test_publish(plan: Plan, store: MemoryStore) -> None:
    """The book is announced before its jobs, which carry its parts and how they are spoken, in reading order."""
    broker = Broker(partitions=1)
    publish(plan, store, broker)
    assert broker.order == [EVENTS, CHAPTERS]
    assert broker.messages(EVENTS) == [BookPlanned(book_id=plan.book_id)]
    assert broker.jobs == [
        ChapterJob(book_id=plan.book_id, part=part.for_engine(), speech=plan.speech) for part in plan.parts
    ]


def test_publish_over_partitions(plan: Plan, store: MemoryStore) -> None:
    """Jobs go where the least work is: the long chapter has a partition for itself."""
    broker = Broker(partitions=3)
    publish(plan, store, broker, partitions=3)
    assert sorted(len(log) for log in broker.logs[CHAPTERS]) == [1, 2, 2]


def test_only_missing_parts_are_published(plan: Plan, store: MemoryStore) -> None:
    """Parts whose audio is in storage are not made again, but the merger hears of the book again."""
    put_part(store, plan.parts[1])
    put_part(store, plan.parts[3])
    broker = Broker(partitions=1)
    publish(plan, store, broker)
    assert [job.part.index for job in broker.jobs] == [0, 2, 4]
    for part in plan.parts:
        put_part(store, part)
    publish(plan, store, broker)
    assert len(broker.jobs) == 3
    assert len(broker.messages(EVENTS)) == 2


@pytest.mark.parametrize(
    "key",
    [lambda digest: keys.part_audio(digest, BITRATE), keys.part_master, keys.part_sidecar],
    ids=["aac", "flac", "json"],
)
@pytest.mark.parametrize("left", [None, b"{}"], ids=["gone", "damaged"])
def test_half_a_part_is_missing(plan: Plan, store: MemoryStore, key: Callable[[str], str], left: bytes | None) -> None:
    """A part without its audio, without its sidecar, or with damage to either, is to be made."""
    put_part(store, plan.parts[0])
    assert plan.parts[0] not in ingest.missing_parts(plan, store)
    name = key(plan.parts[0].digest)
    store.delete(name)
    if left is not None:
        store.put(name, left)
    assert plan.parts[0] in ingest.missing_parts(plan, store)


def test_other_formats_need_no_other_speech(tmp_path: Path, store: MemoryStore) -> None:
    """A book that is there as one format has all its parts for every other; another bitrate is asked of its workers."""
    book = small_epub(tmp_path / "book.epub", *CHAPTERS_OF_TEXT)

    def planned(output: Output) -> Plan:
        return ingest.prepare(book, Options(engine="simulated", output=output)).plan

    first = planned(output_of(["m4b"]))
    for part in first.parts:
        put_part(store, part)
    others = [output_of(["mp3"]), output_of(["m4b", "flac", "acx", "epub"]), output_of(["opus"], split=True)]
    assert [len(ingest.missing_parts(planned(output), store)) for output in others] == [0, 0, 0]
    assert len({first.book_id, *(planned(output).book_id for output in others)}) == 4
    denser = planned(output_of(["m4b"], bitrate=96_000))
    assert len(ingest.missing_parts(denser, store)) == len(first.parts) == 5
    assert {job.bitrate for job in ingest.jobs(denser, denser.parts)} == {96_000}


def test_an_edited_book_is_made_anew_where_it_changed(tmp_path: Path, store: MemoryStore) -> None:
    """Of a book in which a paragraph was edited only the part that it is in is missing, though it is another book."""
    paragraphs = [
        [
            f"<p>{f'In chapter {chapter} the {number}th lamp was lit before it rained. ' * 20}</p>"
            for number in range(12)
        ]
        for chapter in range(6)
    ]
    whole = ingest.prepare(small_epub(tmp_path / "book.epub", *map("".join, paragraphs)), OPTIONS).plan
    for part in whole.parts:
        put_part(store, part)
    paragraphs[2][5] = paragraphs[2][5].replace("rained", "snowed")
    edited = ingest.prepare(small_epub(tmp_path / "book.epub", *map("".join, paragraphs)), OPTIONS).plan
    missing = ingest.missing_parts(edited, store)
    assert edited.book_id != whole.book_id
    assert len(edited.parts) == len(whole.parts) == 18
    assert [part.chapter for part in missing] == [2]


def test_whole_chapter(plan: Plan, store: MemoryStore) -> None:
    """A chapter is whole when all its parts are in storage."""
    for part in plan.chapters[0].parts:
        assert not ingest.is_whole(plan.chapters[0], plan, store)
        put_part(store, part)
    assert ingest.is_whole(plan.chapters[0], plan, store)
    assert not ingest.is_whole(plan.chapters[1], plan, store)
