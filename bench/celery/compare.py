"""e2a and the Celery version side by side: same book, same workers, same faults, with the SIMULATED engine.

Each run has fresh servers, and storage in which the voice is measured already. The clock runs from the command to the
file; starting the servers and the workers is not counted. The bound is the pretended work over the number of workers.
A line of JSON a run, and at the end the table.

Faults come when so much of the book was said. A worker is killed when it has said a sentence that is not the last of
its part, and started again a second later, under another name; so is Redis. The process that speaks is all of a worker
of e2a, and the child of one of Celery's. After a FLUSHALL nothing is done. When the book is not finished in time, the
command is given again; what is missing is counted before that, and so are the tasks of Celery that are left.
"""

import argparse
import heapq
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from bench.celery import books, sides
from bench.celery.said import NAME, Said, install
from bench.celery.sides import Celery, CeleryAgain, RedisServer, Side
from e2a.bus import KafkaServer
from e2a.plan import Chapter, Plan
from producer import ingest
from tests.stack import Process, Stack
from tests.stores import directory_store

ROOT = Path(__file__).parents[2]
DOWN = 1.0
"""Seconds between the end of a worker, or of Redis, and its start."""
POLL = 0.05
FAULTS = {
    "none": (),
    "kill -9 of a worker": (0.15, 0.35, 0.55, 0.75),
    "kill -9 of the process that speaks": (0.15, 0.35, 0.55, 0.75),
    "SIGTERM of a worker": (0.4,),
    "kill -9 of Redis": (0.4,),
    "FLUSHALL": (0.4,),
}
"""How much of the book was said when it happens."""


class Setting(NamedTuple):
    """What is run."""

    side: str
    book: str
    workers: int
    fault: str


class Course:
    """A book on its way, and what befalls it.

    Args:
        setting: what is run.
        side: with its workers.
        redis: its Redis.
        said: what was said so far.
    """

    def __init__(self, setting: Setting, side: Side, redis: RedisServer, said: Said) -> None:
        self._side = side
        self._redis = redis
        self._said = said
        self._marks = list(FAULTS[setting.fault])
        strike: dict[str, Callable[[], bool]] = {
            "kill -9 of a worker": partial(self._on_speaking, self._kill),
            "kill -9 of the process that speaks": partial(self._on_speaking, self._kill_speaker),
            "SIGTERM of a worker": partial(self._on_speaking, self._stop),
            "kill -9 of Redis": self._kill_redis,
            "FLUSHALL": self._flush,
        }
        self._strike = strike.get(setting.fault, lambda: True)
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()
        self._stopping: dict[str, tuple[Process, float]] = {}
        self._seen = 0
        self.stops: list[float] = []
        """Seconds that each SIGTERM took."""

    def follow(self, process: Process, limit: float) -> bool:
        """Let things happen until the command is done, and say whether it was in time."""
        deadline = time.monotonic() + limit
        while process.poll() is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
            self._said.read()
            if self._marks and self._said.progress >= self._marks[0] and self._strike():
                self._marks.pop(0)
            self._seen = len(self._said.lines)
            self._see_stopped()
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()
        return process.returncode == 0

    def settle(self) -> None:
        """Start what is still to be started; nothing else happens."""
        self._marks.clear()
        while self._due:
            heapq.heappop(self._due)[2]()

    def _later(self, action: Callable[[], object]) -> None:
        heapq.heappush(self._due, (time.monotonic() + DOWN, next(self._order), action))

    def _on_speaking(self, strike: Callable[[str], None]) -> bool:
        """Strike a worker that has just said a sentence, more of whose part comes; say whether there was one."""
        for line in self._said.lines[self._seen :]:
            if self._said.is_inner(line) and self._side.is_alive(line.worker):
                strike(line.worker)
                return True
        return False

    def _kill(self, worker: str) -> None:
        self._side.kill(worker)
        self._restart(worker)

    def _kill_speaker(self, worker: str) -> None:
        if self._side.kill_speaker(worker):
            self._restart(worker)

    def _stop(self, worker: str) -> None:
        self._stopping[worker] = (self._side.stop(worker), time.monotonic())

    def _see_stopped(self) -> None:
        for worker, (process, since) in tuple(self._stopping.items()):
            if process.poll() is not None:
                self.stops.append(time.monotonic() - since)
                del self._stopping[worker]
                self._restart(worker)

    def _restart(self, worker: str) -> None:
        self._later(partial(self._side.start, int(worker.removeprefix("w").split(".")[0])))

    def _kill_redis(self) -> bool:
        self._redis.kill()
        self._later(self._redis.start)
        return True

    def _flush(self) -> bool:
        self._redis.flush()
        return True


def missing(plan: Plan, storage: Path) -> tuple[int, int]:
    """Return how many chapters and parts are not in storage."""
    store = directory_store(storage, 5.0)
    whole: Callable[[Chapter], bool] = partial(ingest.is_whole, plan=plan, store=store)
    return sum(not whole(chapter) for chapter in plan.chapters), len(ingest.missing_parts(plan, store))


def visibility(said: Said, plan: Plan, rtf: float) -> float:
    """Return a safe visibility timeout: a third more than the longest chapter takes, and 3 s.

    How soon Celery makes again what a killed worker had in hand is governed by it.
    """
    longest = max(sum(len(s.say) for part in chapter.parts for s in part.sentences) for chapter in plan.chapters)
    whole = sum(len(s.say) for part in plan.parts for s in part.sentences)
    return round(longest / whole * said.book_seconds * rtf * 4 / 3 + 3, 1)


@contextmanager
def started(
    setting: Setting, folder: Path, redis: RedisServer, rtf: float, timeout: float
) -> Iterator[tuple[Side, int]]:
    """Run a side; yield it and the process of Kafka, or 0."""
    if setting.side == sides.E2a.name:
        with sides.e2a(folder, redis, setting.workers, rtf) as (side, kafka):
            yield side, kafka
    else:
        kind = CeleryAgain if setting.side == CeleryAgain.name else Celery
        with sides.celery(folder, redis, setting.workers, rtf, visibility=timeout, kind=kind) as side:
            yield side, 0


def run(setting: Setting, book: Path, alone: Path, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Make the book once and return the figures.

    Args:
        setting: what is run.
        book: the EPUB.
        alone: where one process has made it.
        folder: an empty one.
        options: of the command line.
    """
    plan = books.store(book, folder / "storage", voices=alone / "storage")
    said = Said(plan, folder / "storage")
    timeout = visibility(said, plan, options.rtf)
    bound = said.book_seconds * options.rtf / setting.workers
    with RedisServer(folder / "redis") as redis, started(setting, folder, redis, options.rtf, timeout) as (side, kafka):
        before = redis.used()
        course = Course(setting, side, redis, said)
        busy, begun = cpu_seconds(), time.monotonic()
        process = side.submit(book)
        finished = course.follow(process, options.limit)
        wall, code = time.monotonic() - begun, process.poll()
        course.settle()
        cpu = (cpu_seconds() - busy) / wall / (os.cpu_count() or 1)
        chapters, parts = missing(plan, folder / "storage")
        queued = side.queued()
        by_hand = None if finished else resume(side, process, book, course, options.limit)
        memory = {"redis_used_before": before, "redis_used_peak": redis.peak()}
        memory |= {"kafka_peak": sides.peak_memory(kafka)} if kafka else {}
    said.read()
    delivered, expected = folder / f"{book.stem}.m4b", alone / f"{book.stem}.m4b"
    return {
        **setting._asdict(),
        "finished": finished,
        "exit_code": code,
        "wall_s": round(wall, 2),
        "bound_s": round(bound, 2),
        "ratio": round(wall / bound, 3) if finished else None,
        "spoken_over_book": round(said.spoken, 4),
        "chapters_missing": chapters,
        "parts_missing": parts,
        "queued": queued,
        "again_by_hand_s": by_hand,
        "stop_s": [round(each, 2) for each in course.stops],
        "same_bytes": delivered.exists() and delivered.read_bytes() == expected.read_bytes(),
        "cpu": round(cpu, 2),
        **memory,
        **({} if kafka else {"visibility_timeout_s": timeout}),
    }


def resume(side: Side, process: Process, book: Path, course: Course, limit: float) -> float | None:
    """Give the command again, as somebody who waits in vain does; return how long it took, or None for too long."""
    process.terminate()
    process.wait()
    begun = time.monotonic()
    return round(time.monotonic() - begun, 2) if course.follow(side.submit(book), limit) else None


def cpu_seconds() -> float:
    """Return how long the processors of this machine were busy, added up."""
    user, nice, system, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(map(int, (user, nice, system))) / os.sysconf("SC_CLK_TCK")


def sequential(book: Path, folder: Path) -> None:
    """Make the book in one process, without any server, into a folder."""
    books.store(book, folder / "storage")
    alone = Stack(folder, KafkaServer("127.0.0.1:1"), "redis://127.0.0.1:1/0", ENGINE=NAME)
    result = alone.produce(book, "--sequential", "--output-dir", folder)
    assert result.returncode == 0, result.stderr


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the figures in Markdown; their caption is the visibility timeouts."""
    head = (
        "book | workers | fault | system | makespan | over bound | spoken / needed | lost | Redis | Kafka | same bytes"
    )
    lines = [f"| {head} |", "|" + "---|" * 11]
    for row in rows:
        ended = "not finished" if row["exit_code"] is None else f"exit code {row['exit_code']}"
        makespan, ratio = f"{ended} after {row['wall_s']:.0f} s", ""
        if row["finished"]:
            makespan, ratio = f"{row['wall_s']:.1f} s", f"{row['ratio']:.2f}"
        kafka = f"{row['kafka_peak'] / 1e6:.0f} MB" if "kafka_peak" in row else "none"
        cells = [row["book"], row["workers"], row["fault"], row["side"], makespan, ratio]
        cells += [f"{row['spoken_over_book']:.3f}", _lost(row), f"{row['redis_used_peak'] / 1e6:.2f} MB", kafka]
        lines.append("| " + " | ".join(map(str, [*cells, "yes" if row["same_bytes"] else "no"])) + " |")
    timeouts = {row["book"]: row["visibility_timeout_s"] for row in rows if "visibility_timeout_s" in row}
    if timeouts:
        said = ", ".join(f"{seconds:.1f} s for {book}" for book, seconds in timeouts.items())
        lines += ["", f"Visibility timeout, after which Celery makes again what a killed worker had: {said}."]
    return "\n".join(lines)


def _lost(row: dict[str, Any]) -> str:
    """Return in words what was lost, and how long a stop took."""
    if row["finished"]:
        return "; ".join(["nothing", *(f"stopped in {seconds:.1f} s" for seconds in row["stop_s"])])
    again = row["again_by_hand_s"]
    then = f"the command again: {again:.1f} s" if again else "nor when the command was given again"
    queued = "" if row["queued"] is None else f", {row['queued']} tasks are left"
    return f"{row['chapters_missing']} chapters, {row['parts_missing']} parts are missing{queued}; {then}"


def settings(options: argparse.Namespace) -> Iterator[Setting]:
    """Yield all runs; who comes first alternates."""
    turn = count()
    for book in options.books:
        for workers in options.workers:
            for fault in options.faults if workers == max(options.workers) else ["none"]:
                known = [side for side in options.only if side != CeleryAgain.name or fault == "FLUSHALL"]
                for side in known if next(turn) % 2 == 0 else reversed(known):
                    yield Setting(side, book, workers, fault)


def main() -> None:
    names = [sides.E2a.name, Celery.name, CeleryAgain.name]
    parser = argparse.ArgumentParser(description="Compare e2a with a Celery version of it, with the simulated engine.")
    parser.add_argument("--only", nargs="+", default=names, choices=names)
    parser.add_argument("--books", nargs="+", default=list(books.BOOKS), choices=list(books.BOOKS))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="faults come at the most of them")
    parser.add_argument("--faults", nargs="+", default=list(FAULTS), choices=list(FAULTS))
    parser.add_argument("--rtf", type=float, default=0.12, help="seconds of pretended work a second of audio")
    parser.add_argument("--limit", type=float, default=120, help="seconds after which a book counts as not finished")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and workers end as well
    print(json.dumps({"cpus": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()}))
    rows = []
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
        folder = Path(name)
        install(folder / "engine")
        sys.path.append(str(folder / "engine"))
        os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{folder / 'engine'}"
        made = {each: books.make(folder / f"{each}.epub", books.BOOKS[each]) for each in options.books}
        for each, book in made.items():
            (folder / each).mkdir()
            sequential(book, folder / each)
        for number, setting in enumerate(settings(options)):
            place = folder / str(number)
            place.mkdir()
            rows.append(run(setting, made[setting.book], folder / setting.book, place, options))
            print(json.dumps(rows[-1]), flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
