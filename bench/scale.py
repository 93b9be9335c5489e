"""What happens when there is much of everything, with the SIMULATED engine that takes no time.

Books of many chapters, many books, many workers, a long book, a topic of 100,000 jobs; with the peak of the memory of
every service.
"""

import argparse
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.balance import cpu, is_made
from bench.plans import made_plan, store_pace, store_plan
from e2a.bus import Admin, KafkaPublisher, KafkaServer
from e2a.placement import layouts
from e2a.plan import Plan
from producer import ingest
from tests.epubs import made_epub
from tests.servers import Server, kafka_server, redis_server, wait_until
from tests.stack import Process, Stack
from tests.stores import directory_store
from tests.topics import empty_topics

MB = 1_000_000
TOPIC = 100_000
"""Jobs in the long topic."""
FORKED = 8
"""Workers beyond which they are forks of one process."""
BOOK = 1000
"""Of them in a book."""


def memory(pid: int, what: str = "VmHWM", file: str = "status") -> float:
    """Return the most memory that a process had, or another figure of /proc, in MB; 0 when it is gone."""
    try:
        found = re.search(rf"^{what}:\s+(\d+)", Path(f"/proc/{pid}/{file}").read_text(), re.MULTILINE)
    except FileNotFoundError:
        return 0.0
    return round(int(found[1]) * 1024 / MB, 1) if found else 0.0


class Scene:
    """Servers, a merger and workers, and what memory they take.

    Args:
        running: starts them.
        servers: Kafka and Redis.
        workers: how many.
    """

    def __init__(self, running: Stack, servers: tuple[Server, Server], workers: int) -> None:
        self.running = running
        self.kafka = KafkaServer(servers[0].address)
        self._servers = servers
        self._count = workers
        self._workers: list[Process] = []
        self._merger: Process | None = None

    def start(self) -> float:
        """Start merger and workers; return the seconds until each has a partition."""
        began = time.monotonic()
        self._merger = self.running.start("e2a-merge")
        names = [f"w{number}" for number in range(self._count)]
        if self._count > FORKED:
            self._workers = [self.running.witness("e2a-synth", *names)]
        else:
            self._workers = [self.running.start("e2a-synth", WORKER_ID=name) for name in names]
        listed = self.running.checkpoint.workers
        wait_until(lambda: sum(bool(each.partitions) for each in listed()) == self._count, 600)
        return round(time.monotonic() - began, 1)

    def memory(self) -> dict[str, float]:
        """Return the most memory that each service and server had, in MB; of the workers the largest.

        Of forks it is what they have now on the average, what they share divided by how many share it.
        """
        assert self._merger
        if self._count > FORKED:
            children = Path("/proc/{0}/task/{0}/children".format(self._workers[0].pid)).read_text().split()
            worker = round(sum(memory(int(child), "Pss", "smaps_rollup") for child in children) / len(children), 1)
        else:
            worker = max(memory(each.pid) for each in self._workers)
        named = zip(("kafka", "redis"), self._servers, strict=True)
        servers = {f"{name}_mb": memory(server.process.pid) for name, server in named}
        return {"worker_mb": worker, "merger_mb": memory(self._merger.pid)} | servers

    def publish(self, plans: list[Plan]) -> None:
        """Put plans into storage and their jobs on the topics, from this process."""
        store, checkpoint = directory_store(self.running.folder / "storage", 10), self.running.checkpoint
        admin, publisher = Admin(self.kafka, 10), KafkaPublisher(self.kafka, 60)
        for plan in plans:
            store_plan(plan, store)
            where = layouts(admin.partitions(), checkpoint.workers(), checkpoint.queue(), time.time())
            ingest.publish(plan, plan.parts, publisher, where)


@contextmanager
def scene(workers: int, *, start: bool = True, **settings: object) -> Iterator[Scene]:
    """Run everything until the block ends."""
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
        folder = Path(name)
        with kafka_server(folder) as kafka, redis_server(folder) as redis:
            empty_topics(KafkaServer(kafka.address), workers)
            options = {"PARTITIONS": workers, "GRACE": 0, "LOG_LEVEL": "warning", "SIMULATED_RTF": 0} | settings
            running = Stack(folder, KafkaServer(kafka.address), f"redis://{redis.address}/0", **options)
            set_up = Scene(running, (kafka, redis), workers)
            store_pace(directory_store(folder / "storage", 10))
            try:
                if start:
                    set_up.start()
                yield set_up
            finally:
                running.stop()


def produced(there: Scene, books: list[Path]) -> dict[str, object]:
    """Make books with one e2a-produce each, at the same time; return the time and the memory."""
    began = time.monotonic()
    target = there.running.folder / "out"
    target.mkdir(exist_ok=True)
    each = [there.running.start("e2a-produce", str(book), "--output-dir", str(target)) for book in books]
    peak = 0.0
    while any(process.poll() is None for process in each):
        peak = max(peak, *(memory(process.pid) for process in each))
        time.sleep(0.05)
    wall = round(time.monotonic() - began, 1)
    return {"wall_s": wall, "codes": sorted({process.returncode for process in each}), "producer_mb": peak} | (
        there.memory()
    )


def chapters() -> Iterator[dict[str, object]]:
    """A book of 1,200 chapters."""
    for count in (120, 1200):
        with scene(2) as there:
            book = made_epub(there.running.folder / "chapters.epub", chapters=count, characters=300)
            yield {"what": "chapters", "chapters": count, **produced(there, [book])}


def size() -> Iterator[dict[str, object]]:
    """A book of a million characters beside one of a tenth of that."""
    for characters in (100_000, 1_000_000):
        with scene(2) as there:
            book = made_epub(there.running.folder / "size.epub", chapters=characters // 20_000, characters=20_000)
            yield {"what": "size", "characters": characters, **produced(there, [book])}


def books() -> Iterator[dict[str, object]]:
    """Ten books at once beside one."""
    for count in (1, 10):
        with scene(2) as there:
            folder = there.running.folder
            made = [made_epub(folder / f"b{n}.epub", chapters=20, characters=800 + 80 * n) for n in range(count)]
            yield {"what": "books", "books": count, **produced(there, made)}


def workers() -> Iterator[dict[str, object]]:
    """Sixty-four workers, forks of one process."""
    with scene(64, start=False, SIMULATED_RTF=1.0) as there:
        started = there.start()
        idle = busy(10)
        plan = made_plan(1, [60] * 640)
        began = time.monotonic()
        there.publish([plan])
        wait_until(lambda: is_made(there.running, plan), 300)
        wall = time.monotonic() - began
        made_by = {each.worker for each in there.running.checkpoint.parts(plan.book_id).values()}
        yield {
            "what": "workers",
            "workers": 64,
            "started_s": started,
            "cpu_idle": round(idle, 2),
            "parts": 640,
            "ideal_s": 40.0,
            "wall_s": round(wall, 1),
            "workers_that_made_some": len(made_by),
            **there.memory(),
        }


def topic() -> Iterator[dict[str, object]]:
    """A topic of 100,000 jobs: what it costs to begin, and in memory; the workers take an hour for a part."""
    for jobs in (BOOK, TOPIC):
        with scene(2, start=False, SIMULATED_RTF=1000) as there:
            yield {"what": "topic", "jobs": jobs, **begun(there, jobs // BOOK)}


def begun(there: Scene, count: int) -> dict[str, object]:
    """Publish books before anybody is there; start all services; return the figures."""
    began = time.monotonic()
    there.publish([made_plan(1 + number, [60] * BOOK) for number in range(count)])
    published = time.monotonic() - began
    checkpoint = there.running.checkpoint
    began = time.monotonic()
    there.start()
    wait_until(lambda: sum(bool(each.book_id) for each in checkpoint.workers()) == 2, 600)
    speaking = time.monotonic() - began
    wait_until(lambda: len(checkpoint.books()) == count, 600)
    seeded = time.monotonic() - began
    busy(5)
    return {
        "published_s": round(published, 1),
        "both_speak_s": round(speaking, 1),
        "all_books_seeded_s": round(seeded, 1),
        "cpu_after": round(busy(10), 2),
        **there.memory(),
    }


def busy(seconds: float) -> float:
    """Return the share of all cores that is busy for so many seconds from now on."""
    before = cpu()
    time.sleep(seconds)
    after = cpu()
    return (after[0] - before[0]) / (after[1] - before[1])


KINDS: dict[str, Callable[[], Iterator[dict[str, object]]]] = {
    "chapters": chapters,
    "size": size,
    "books": books,
    "workers": workers,
    "topic": topic,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what much of everything costs (simulated engine).")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    options = parser.parse_args()
    print(json.dumps({"cpus": os.cpu_count(), "engine": "simulated"}), flush=True)
    for kind in options.only:
        for found in KINDS[kind]():
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
