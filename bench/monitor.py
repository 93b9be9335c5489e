"""How long the page's feed takes on a big cluster: 50 books of 1,200 chapters, 64 workers, 60,000 events in the topic.

Redis and Kafka are real, and so is a directory with the plans; books, workers and events are made up, and no worker
runs. A process of its own makes parts done, some or many a second, as workers and the merger do: an event, the part's
record, the book's. Meanwhile all methods of the feed are called in turn whenever their readings are old, as if every
page were open. Of each call, time on the clock and time of the processor are given, in milliseconds: the first says
little on a machine that does other things too, as its load tells. `most` is the slowest call of each method, `all` of
all methods together, `usually` their median; `share` is of one core, for the feed's process with all its threads.
"""

import argparse
import itertools
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from confluent_kafka.cimpl import Producer

from bench.plans import made_plan, store_plan
from e2a.bus import KafkaPublisher, KafkaServer, config
from e2a.checkpoint import GpuRecord, PartRecord, QueuedWork, QueueRecord, RedisCheckpoint, WorkerRecord, new_book
from e2a.messages import DeadLetter, PartDone, encode
from e2a.plan import Retake
from e2a.settings import MonitorSettings
from e2a.testing import MemoryBroker
from e2a.topics import DEAD_LETTERS, EVENT_PARTITIONS, EVENTS, QUEUES
from monitor.feed import Feed, open_feed
from monitor.history import History
from tests import servers
from tests.servers import wait_until
from tests.stores import directory_store
from tests.topics import empty_topics

LETTERS = 100
DAY = 86_400.0
REFRESH = 2.0
RETAKE = Retake(sentence=3, start=12.5, text="Where am I?", takes=2, flaws=("too-short",))


class Size(NamedTuple):
    """Of the made-up cluster."""

    books: int
    chapters: int
    per_chapter: int
    workers: int
    events: int

    @property
    def parts(self) -> int:
        """Of a book."""
        return self.chapters * self.per_chapter


def part_record(index: int, chapter: int, parts: int) -> PartRecord:
    """Return the record of a part: the first half of a book is done, a tenth of it with a retake; at the end one has
    failed, and two wait to be tried again."""
    record = PartRecord(chapter=chapter, estimate=60.0)
    if index < parts // 2:
        done = {"state": "done", "audio_seconds": 61.5, "audio_bytes": 492_000, "worker": f"gpu-{index % 64:02}"}
        return record.model_copy(update=done | {"retakes": () if index % 10 else (RETAKE,)})
    if index >= parts - 2:
        return record.model_copy(update={"attempts": 1, "retry_at": time.time() + 3600, "reason": "out of memory"})
    return record.model_copy(update={"state": "failed", "reason": "no voice"}) if index == parts - 3 else record


def part_done(book: int, part: int, worker: str, work: float) -> PartDone:
    """Return the event of a part."""
    return PartDone(
        book_id=f"{book:016x}",
        part=part,
        digest="0" * 64,
        worker=worker,
        audio_seconds=61.5,
        audio_bytes=492_000,
        work_seconds=work,
        retakes=() if part % 10 else (RETAKE,),
    )


def fill(size: Size, settings: MonitorSettings) -> None:
    """Seed plans, records, workers, what waits, a day of events, and dead letters."""
    store, checkpoint = directory_store(Path(settings.storage), 5.0), RedisCheckpoint(settings.redis_url)
    for number in range(size.books):
        plan = made_plan(number, [150] * size.parts, size.per_chapter)
        store_plan(plan, store)
        records = {part.index: part_record(part.index, part.chapter, size.parts) for part in plan.parts}
        checkpoint.seed(new_book(plan, time.time() - DAY), records)
    gpu = GpuRecord(name="NVIDIA H100", use=0.97, memory_used=20 << 30, memory_total=80 << 30, power=400.0)
    for number in range(size.workers):
        worker = WorkerRecord(
            worker=f"gpu-{number:02}",
            engine="simulated",
            started=time.time() - DAY,
            last_seen=time.time() + DAY,  # nobody sends another heartbeat
            partitions=(number,),
            express=(number,),
            gpu=gpu,
            book_id=f"{number % size.books:016x}",
            chapter=size.chapters - 10,
            part=size.parts - 10,
            audio_seconds=60_000.0,
            work_seconds=4_000.0,
        )
        checkpoint.heartbeat(worker)
    work = [
        QueuedWork(topic=topic, partition=number, parts=9, seconds=540.0)
        for topic in QUEUES
        for number in range(size.workers)
    ]
    checkpoint.set_queue(QueueRecord(taken=time.time(), work=tuple(work)))
    publish(size, KafkaServer.of(settings))


def publish(size: Size, kafka: KafkaServer) -> None:
    """Publish events with the times that they would have had, and dead letters."""
    empty_topics(kafka, size.workers)
    producer = Producer(config.client(kafka) | {"linger.ms": 50})
    chance, now = random.Random(1), time.time()
    for number in range(size.events):
        book, at = number % size.books, now - DAY * (1 - number / size.events)
        part = number // size.books % (size.parts // 2)
        event = part_done(book, part, f"gpu-{number % size.workers:02}", chance.uniform(20.0, 80.0))
        producer.produce(EVENTS, encode(event), partition=book % EVENT_PARTITIONS, timestamp=int(at * 1000))
        producer.poll(0)
    for number in range(LETTERS):
        letter = DeadLetter(book_id=f"{number % size.books:016x}", part=number, reason="no", source="", payload="{}")
        producer.produce(DEAD_LETTERS, encode(letter), partition=0)
    assert producer.flush(60) == 0


def churn(rate: float, books: int, settings: MonitorSettings) -> None:
    """Make so many parts done a second, for ever, a book after the other."""
    checkpoint, publisher = RedisCheckpoint(settings.redis_url), KafkaPublisher(KafkaServer.of(settings), 30)
    began = time.monotonic()
    for number in itertools.count():
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        book = number % books
        ready = checkpoint.ready(f"{book:016x}")
        event = part_done(book, ready[0], f"gpu-{number % 64:02}", 5.0)
        publisher.send(EVENTS, [event])
        done = {"state": "done", "audio_seconds": 61.5, "audio_bytes": 492_000, "worker": event.worker}
        checkpoint.update_part(event.book_id, event.part, lambda part, done=done: part.model_copy(update=done))
        now = {"last_update": time.time()}
        checkpoint.update_book(event.book_id, lambda book, now=now: book.model_copy(update=now))


@contextmanager
def churning(rate: float, books: int, settings: MonitorSettings) -> Iterator[None]:
    """Have parts made done in another process until the block ends; none at a rate of 0."""
    if not rate:
        yield
        return
    command = [sys.executable, "-m", "bench.monitor", "--churn", str(rate), "--books", str(books)]
    env = os.environ | {"E2A_REDIS_URL": settings.redis_url, "E2A_KAFKA_BOOTSTRAP": settings.kafka_bootstrap}
    process = subprocess.Popen(command, env=env)
    try:
        yield
        assert process.poll() is None, "the other process has ended"
    finally:
        process.kill()
        process.wait()


def methods(feed: Feed, size: Size) -> dict[str, Callable[[], object]]:
    """Return what is called of the feed."""
    return {
        "shelf": feed.shelf,
        "book": lambda: feed.book(f"{0:016x}"),
        "part": lambda: feed.part(f"{0:016x}", size.parts // 2),
        "workers": feed.workers,
        "timeline 10 min": lambda: feed.timeline(600.0),
        "timeline": lambda: feed.timeline(None),
        "queue": feed.queue,
    }


class Taken(NamedTuple):
    """How long a call took, in milliseconds."""

    wall: float
    cpu: float


def once(feed: Feed, size: Size) -> dict[str, Taken]:
    """Call every method once; return how long each took."""
    taken = {}
    for name, call in methods(feed, size).items():
        wall, cpu = time.perf_counter(), time.thread_time()
        call()
        taken[name] = Taken(*(round(1000 * each, 1) for each in (time.perf_counter() - wall, time.thread_time() - cpu)))
    return taken


def refreshes(feed: Feed, size: Size, seconds: float) -> dict[str, object]:
    """Call every method again and again; return how long they took at most, and all of them usually and at most."""
    found: list[dict[str, Taken]] = []
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        next_turn = time.perf_counter() + REFRESH / 2 + 0.05
        found.append(once(feed, size))
        time.sleep(max(0.0, next_turn - time.perf_counter()))
    share = (time.process_time() - cpu) / (time.perf_counter() - began)
    whole = [Taken(*map(sum, zip(*each.values(), strict=True))) for each in found]
    return {
        "refreshes": len(found),
        "share": round(share, 2),
        "most": {name: _most(each[name] for each in found) for name in found[0]},
        "all": _most(whole),
        "usually": Taken(*(round(statistics.median(each), 1) for each in zip(*whole, strict=True))),
    }


def _most(taken: Iterable[Taken]) -> Taken:
    walls, cpus = zip(*taken, strict=True)
    return Taken(round(max(walls), 1), round(max(cpus), 1))


def resident() -> int:
    """Return the megabytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def span_bytes(events: int) -> float:
    """Return how many bytes of memory an event of the history takes."""
    broker = MemoryBroker()
    broker.send(
        EVENTS, (part_done(each % 50, each // 50, f"gpu-{each % 64:02}", each / 1000) for each in range(events))
    )
    history = History(broker.event_tail(), broker.letter_tail(), time.time)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    while history.read():
        pass
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return round(taken / events, 1)


def measure(size: Size, seconds: float) -> Iterator[dict[str, object]]:
    """Yield what was measured."""
    yield {"cpus": os.cpu_count(), "python": platform.python_version()} | size._asdict()
    yield {"bytes_of_an_event": span_bytes(20_000)}
    folder = Path(tempfile.mkdtemp(prefix="e2a-bench-"))
    with servers.kafka(folder / "kafka") as kafka, servers.redis(folder / "redis") as redis:
        settings = MonitorSettings(
            kafka_bootstrap=str(kafka), redis_url=redis, storage=str(folder / "storage"), monitor_refresh=REFRESH
        )
        fill(size, settings)
        with closing(open_feed(settings)) as feed:
            yield from phases(feed, size, settings, seconds)


def phases(feed: Feed, size: Size, settings: MonitorSettings, seconds: float) -> Iterator[dict[str, object]]:
    """Yield what was measured of a feed that was just opened."""
    before, began = resident(), time.perf_counter()
    yield {"phase": "first", "taken": once(feed, size), "resident_mb": resident(), "before_mb": before}
    wait_until(lambda: feed.reading("kafka").taken)
    yield {"phase": "history", "seconds": round(time.perf_counter() - began, 1), "resident_mb": resident()}
    for rate, books in ((0, 0), (1, 1), (64, 5), (64, size.books)):
        with churning(rate, books, settings):
            feed.shelf()
            measured = refreshes(feed, size, seconds)
        phase = {"phase": "refresh", "events_a_second": rate, "books_that_change": books}
        yield phase | measured | {"load": round(os.getloadavg()[0], 1), "resident_mb": resident()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=int, default=50)
    parser.add_argument("--chapters", type=int, default=1200)
    parser.add_argument("--per-chapter", type=int, default=1, help="parts of a chapter")
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase")
    parser.add_argument("--churn", type=float, default=0.0, help="for the other process")
    options = parser.parse_args()
    if options.churn:
        churn(options.churn, options.books, MonitorSettings())
    size = Size(options.books, options.chapters, options.per_chapter, options.workers, options.events)
    for line in measure(size, options.seconds):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
