"""How soon a part is spoken elsewhere when its worker is killed or stopped, with the SIMULATED engine.

One merger and two workers on real Kafka and Redis. A worker that is in the middle of a part gets a signal; the clock
runs from the signal until another process begins the part's first sentence, as both write down themselves. Then the
worker is replaced, and so on. The other worker is *idle* (the book has one part) or *busy* (a long book; it is in a
part of its own, and nobody replaces the dead one meanwhile). A worker that is stopped has no grace, or the usual one
and a part that is longer; what is given for that one is beyond the grace.
"""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.chaos import SENTENCE
from e2a.plan import Plan
from tests import servers
from tests.epubs import made_epub
from tests.servers import wait_until
from tests.stack import Process, Stack
from tests.topics import empty_topics
from tests.verdict import plan_of
from tests.witness import Note

GRACE = 20.0
"""The default of E2A_GRACE."""
LONGEST = 90.0
"""Seconds after which nobody waits any more; given as the result."""
SENTENCES = 10
"""Of a part."""


class Pair:
    """Two workers and a merger; a worker that was ended is replaced by one of another name.

    Args:
        running: starts them.
        part: seconds of work of a part.
        grace: of a worker that is stopped, in seconds.
    """

    def __init__(self, running: Stack, part: float, grace: float) -> None:
        self.running = running
        self._settings = {"SIMULATED_RTF": part / (SENTENCES * SENTENCE / 15), "GRACE": grace}
        self._workers: dict[str, Process] = {}
        self._started = 0
        running.start("e2a-merge")

    def fill(self) -> None:
        """Start workers until there are two, and return when both have partitions."""
        self._workers = {name: each for name, each in self._workers.items() if each.poll() is None}
        while len(self._workers) < 2:
            name = f"w{self._started}"
            self._started += 1
            self._workers[name] = self.running.witness("e2a-synth", name, **self._settings)
        listed = self.running.checkpoint.workers
        wait_until(lambda: self._workers.keys() <= {each.worker for each in listed() if each.partitions})

    def send(self, worker: str, number: signal.Signals) -> float:
        """Send a worker a signal and return when, as Unix time in seconds."""
        self._workers[worker].send_signal(number)
        return time.time()

    def await_end(self, worker: str) -> None:
        """Return when a worker has ended."""
        self._workers[worker].wait(60)

    def alive(self) -> set[str]:
        """Return the names of the workers that run."""
        return {name for name, each in self._workers.items() if each.poll() is None}


class Making:
    """A book that is being made by a pair."""

    def __init__(self, pair: Pair, plan: Plan) -> None:
        self._notes = pair.running.notes
        self._since = time.time()
        self._part = {each.say: part.index for part in plan.parts for each in part.sentences}
        self._first = {part.sentences[0].say for part in plan.parts}
        self._place = {each.say: place for part in plan.parts for place, each in enumerate(part.sentences)}

    def said(self) -> list[Note]:
        """Return what was begun of the book."""
        return [note for note in self._notes() if note.of in self._part and note.time >= self._since]

    def in_the_middle(self, workers: set[str]) -> list[Note]:
        """Return the last sentence of each worker that has begun at least two of its part and has at least two left."""
        latest = {note.who: note for note in self.said() if note.who in workers}
        return [note for note in latest.values() if 2 <= self._place[note.of] <= SENTENCES - 2]

    def begun_elsewhere(self, note: Note, when: float) -> float | None:
        """Return when another worker than that of a note began the note's part after a time."""
        part = self._part[note.of]
        times = (
            each.time
            for each in self.said()
            if each.time > when and each.who != note.who and each.of in self._first and self._part[each.of] == part
        )
        return next(times, None)


@contextmanager
def pair(folder: Path, part: float, grace: float) -> Iterator[Pair]:
    """Run servers, a merger and two workers until the block ends."""
    with servers.kafka(folder) as kafka, servers.redis(folder) as redis:
        empty_topics(kafka, 2)
        running = Stack(folder, kafka, redis, PARTITIONS=2)
        try:
            yield Pair(running, part, grace)
        finally:
            running.stop()


def one(two: Pair, making: Making, number: signal.Signals, workers: int, chance: random.Random) -> float:
    """End a worker in the middle of a part; return the seconds until its part is begun elsewhere.

    Args:
        two: the pair.
        making: the book.
        number: the signal.
        workers: how many must be in the middle of a part.
        chance: chooses one of them.
    """
    found: list[Note] = []
    while len(found) < workers:
        time.sleep(chance.uniform(0.05, 0.5))
        found = making.in_the_middle(two.alive())
    note = chance.choice(found)
    when = two.send(note.who, number)
    deadline = time.monotonic() + LONGEST
    while not (begun := making.begun_elsewhere(note, when)) and time.monotonic() < deadline:
        time.sleep(0.05)
    two.await_end(note.who)
    return begun - when if begun else LONGEST


def idle(two: Pair, number: signal.Signals, repeats: int) -> Iterator[float]:
    """End the worker of a book of one part, again and again; yield the seconds."""
    chance = random.Random(1)
    for repeat in range(repeats):
        two.fill()
        folder = two.running.folder
        shutil.rmtree(folder / "storage/parts", ignore_errors=True)
        book = made_epub(folder / "one.epub", chapters=1, characters=SENTENCES * SENTENCE, title=f"One {repeat}")
        making = Making(two, plan_of(book))
        producing = two.running.start("e2a-produce", str(book), "--output-dir", str(folder))
        yield one(two, making, number, 1, chance)
        assert producing.wait(120) == 0


def busy(two: Pair, number: signal.Signals, repeats: int) -> Iterator[float]:
    """End a worker of a long book while the other one is in a part too, again and again; yield the seconds."""
    chance = random.Random(2)
    two.fill()
    folder = two.running.folder
    book = made_epub(folder / "long.epub", chapters=12 * repeats, characters=SENTENCES * SENTENCE)
    making = Making(two, plan_of(book))
    assert two.running.produce(book, "--detach").returncode == 0
    for _ in range(repeats):
        two.fill()
        yield one(two, making, number, 2, chance)


MODES = {
    "kill idle": (idle, signal.SIGKILL, 6.0, GRACE, 0.0),
    "kill busy": (busy, signal.SIGKILL, 4.0, GRACE, 0.0),
    "stop idle": (idle, signal.SIGTERM, 6.0, 0.0, 0.0),
    "stop busy": (busy, signal.SIGTERM, 4.0, 0.0, 0.0),
    "stop idle, usual grace": (idle, signal.SIGTERM, GRACE + 15, GRACE, GRACE),
}
"""How, the signal, seconds of work of a part, the grace, and what is taken off."""


def measure(mode: str, repeats: int) -> dict[str, object]:
    """Return the figures of a mode."""
    way, number, part, grace, off = MODES[mode]
    seconds = []
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name, pair(Path(name), part, grace) as two:
        for each in way(two, number, repeats):
            seconds.append(each - off)
            print(json.dumps({"mode": mode, "seconds": round(each - off, 2)}), flush=True)
    cuts = statistics.quantiles(seconds, n=20, method="inclusive") if len(seconds) > 1 else seconds * 19
    return {
        "mode": mode,
        "engine": "simulated",
        "repeats": len(seconds),
        "part_work_s": part,
        "p50_s": round(cuts[9], 2),
        "p95_s": round(cuts[18], 2),
        "max_s": round(max(seconds), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how soon a part is spoken elsewhere (simulated engine).")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    options = parser.parse_args()
    print(json.dumps({"cpus": os.cpu_count()}), flush=True)
    for mode in options.modes:
        print(json.dumps(measure(mode, options.repeats)), flush=True)


if __name__ == "__main__":
    main()
