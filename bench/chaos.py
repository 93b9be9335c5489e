"""Books while everything fails, with the SIMULATED engine: each must come out as if nothing had.

Three books at a time (one of them short: it goes by the express topic), workers and a merger behind proxies, Kafka,
Redis and MinIO, and whoever starts again what died, after a second, as Compose does. Faults come one after the other
from a seeded schedule, the next often while the last one lasts: kill -9, SIGSTOP for up to 15 s, an emptied Redis,
connections cut or held up, `e2a-produce` killed. When the books are done before the faults are, the next three follow.

A line a fault, and at the end what became of the books: each compared with the one that `--sequential` makes, byte for
byte; what was spoken over what the books hold, in characters; dead letters; offsets that went back; assemblies; ends
of processes that no fault explains, by exit code. Exit code 1 if anything of that is not as it should be.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench import upgrade
from e2a.bus import KafkaServer
from e2a.plan import Plan
from e2a.topics import DEAD_LETTERS
from tests.chaos import Cluster, Fault, bugs, cluster, schedule
from tests.epubs import made_epub
from tests.topics import read_topic
from tests.verdict import Offsets, announced, assemblies, overlaps, plan_of, sequentially, spoken

ROUND = {"short": 5, "middle": 20, "long": 40}
"""Chapters of the three books."""
CHARACTERS = 1400
"""Of a chapter of the first book; each has some more than the one before, so no two share a part."""
SENTENCE = 80
PATIENCE = 600.0
"""Seconds after the last fault in which all books must be there."""


class Books:
    """The books of a run, three at a time.

    Args:
        running: the cluster.
        folder: where they are.
    """

    def __init__(self, running: Cluster, folder: Path) -> None:
        self._cluster = running
        self._folder = folder
        self._submitted: dict[str, float] = {}
        self.files: dict[str, Path] = {}
        self.plans: dict[str, Plan] = {}

    def submit(self) -> None:
        """Submit the next three."""
        number = len(self.files)
        for turn, (name, chapters) in enumerate(ROUND.items(), number):
            book = f"{name}-{number // len(ROUND) + 1}"
            path = self._folder / f"{book}.epub"
            characters = CHARACTERS + SENTENCE * turn
            self.files[book] = made_epub(path, chapters=chapters, characters=characters, title=book)
            self.plans[book] = plan_of(path)
            self._submitted[book] = time.monotonic()
            self._cluster.submit(book, path, self._folder / "out")

    def at_work(self) -> list[str]:
        """Return the books that are not there yet."""
        return [book for book in self.files if self._cluster.supervisor.code(book) is None]

    def differing(self) -> list[str]:
        """Return the books that are not what sequential mode makes of them."""
        return [book for book, path in self.files.items() if not self._is_same(book, path)]

    def _is_same(self, book: str, path: Path) -> bool:
        made = self._folder / "out" / f"{book}.m4b"
        return made.exists() and made.read_bytes() == sequentially(path, self._folder / "sequential" / book)


def torment(running: Cluster, books: Books, faults: Iterator[Fault], pause: float, seed: int) -> Counter[str]:
    """Let all faults happen while books are made; return how often which did."""
    chance = random.Random(seed)
    began = time.monotonic()
    happened: Counter[str] = Counter()
    for number, fault in enumerate(faults, 1):
        if not books.at_work():
            books.submit()
        running.strike(fault)
        kind = f"{fault.kind} {fault.target.translate(dict.fromkeys(map(ord, '0123456789')))}"
        happened[kind] += 1
        at = round(time.monotonic() - began, 1)
        print(json.dumps({"fault": number, "at_s": at, **fault._asdict(), "books": books.at_work()}), flush=True)
        time.sleep(chance.uniform(0, 2 * pause))
    running.calm()
    return happened


def await_books(books: Books) -> bool:
    """Return whether all books are there in time."""
    deadline = time.monotonic() + PATIENCE
    while books.at_work():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def run(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """Make books under faults and return what became of them."""
    settings = {"workers": options.workers, "mergers": options.mergers, "SIMULATED_RTF": options.rtf}
    faults = schedule(options.seed, options.faults, options.workers, options.mergers)
    with cluster(folder, **settings) as running, Offsets(KafkaServer(running.servers["kafka"].address)) as offsets:
        books = Books(running, folder)
        books.submit()
        began = time.monotonic()
        happened = torment(running, books, faults, options.pause, options.seed)
        wall = time.monotonic() - began
        there = await_books(books)
        settled = time.monotonic() - began - wall
        kafka = KafkaServer(running.servers["kafka"].address)
        done = announced(kafka)
        letters = read_topic(kafka, DEAD_LETTERS)
        runs = assemblies(running.running.notes, ((str(each.pid), each.time) for each in running.supervisor.exits))
        supervisor = running.supervisor
        speech = spoken(running.running.notes, books.plans.values())
        codes = {book: supervisor.code(book) for book in books.files}
    return {
        "engine": "simulated",
        "seed": options.seed,
        "workers": options.workers,
        "mergers": options.mergers,
        "faults": sum(happened.values()),
        "by_kind": dict(happened.most_common()),
        "wall_s": round(wall, 1),
        "until_all_books_s": round(settled, 1),
        "books": len(books.files),
        "all_there": there and set(codes.values()) == {0},
        "parts": sum(len(plan.parts) for plan in books.plans.values()),
        "audio_h": round(sum(part.estimate for plan in books.plans.values() for part in plan.parts) / 3600, 2),
        "differing": books.differing(),
        "spoken_over_needed": round(speech, 3),
        "dead_letters": [letter.decode()[:300] for letter in letters],
        "offsets_back": offsets.rewound,
        "assemblies": len(runs),
        "assemblies_whole": sum(each.whole for each in runs),
        "assemblies_overlapping": overlaps(runs),
        "announced": Counter(done[plan.book_id] for plan in books.plans.values()),
        "ends_unexplained": bugs(supervisor),
    }


def as_it_should_be(summary: dict[str, object]) -> bool:
    """Say whether nothing was lost, changed or given up."""
    return bool(summary["all_there"]) and not summary["differing"] and not summary["dead_letters"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Make books with the simulated engine while everything fails.")
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--mergers", type=int, default=1)
    parser.add_argument("--pause", type=float, default=4.0, help="seconds between two faults, on the average")
    parser.add_argument("--rtf", type=float, default=0.08, help="seconds of pretended work a second of audio")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="new folder for books and logs, which are removed otherwise")
    parser.add_argument("--upgrade", metavar="COMMIT", help="workers of that commit beside those of today, no faults")
    options = parser.parse_args()
    print(json.dumps({"cpus": os.cpu_count(), "seed": options.seed, "engine": "simulated"}), flush=True)
    with tempfile.TemporaryDirectory(prefix="e2a-chaos-") as name:
        folder = options.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        summary = upgrade.run(folder, options.upgrade) if options.upgrade else run(folder, options)
    print(json.dumps(summary), flush=True)
    sys.exit(0 if as_it_should_be(summary) else 1)


if __name__ == "__main__":
    main()
