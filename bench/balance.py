"""How evenly the work is spread: makespan over its lower bound, with the SIMULATED engine.

One merger and N workers on real Kafka and Redis. The workers are forks of one process, and nothing else is shared by
them. A part is little text and much pretended work (so that two cores do for sixteen workers), exactly known; most
parts are equally long, some shorter, as at the ends of chapters. The clock runs from the submission of the first book
until the last sentence is said. The bound is all work over all speeds; beside it the makespan that is reached by
somebody who knows all of it and gives the longest parts away first (LPT), for no part can be divided.

`cpu` is the share of all cores that was busy, whoever used them: beyond some 0.8 the machine was the limit.
"""

import argparse
import itertools
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.plans import lengths, made_plan, store_pace, store_plan
from e2a.bus import Admin, KafkaPublisher, KafkaServer
from e2a.placement import layouts
from e2a.plan import Plan
from producer import ingest
from synth_consumer.engines.simulated import CHARACTERS_PER_SECOND
from tests import servers
from tests.servers import wait_until
from tests.stack import Stack
from tests.stores import directory_store
from tests.topics import empty_topics
from tests.verdict import spoken

FULL = 150
"""Characters of a full part."""
SLOW = 2.0
"""How much longer the slow worker takes."""


def work(plans: Sequence[Plan], rtf: float) -> list[float]:
    """Return the seconds of work of each part."""
    parts = (part for plan in plans for part in plan.parts)
    return [sum(len(each.say) for each in part.sentences) / CHARACTERS_PER_SECOND * rtf for part in parts]


def longest_first(seconds: Sequence[float], speeds: Sequence[float]) -> float:
    """Return the makespan when the longest part goes first, each to the worker that ends it first."""
    ends = [0.0] * len(speeds)
    for each in sorted(seconds, reverse=True):
        number = min(range(len(speeds)), key=lambda number: ends[number] + each / speeds[number])
        ends[number] += each / speeds[number]
    return max(ends)


def cpu() -> tuple[float, float]:
    """Return the seconds for which the cores were busy, and those that they had, since the start of the machine."""
    fields = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    ticks = os.sysconf("SC_CLK_TCK")
    return (sum(fields) - fields[3] - fields[4]) / ticks, sum(fields) / ticks


@contextmanager
def workers(
    folder: Path, kafka: KafkaServer, redis: str, speeds: Sequence[float], **settings: object
) -> Iterator[Stack]:
    """Run a merger and a worker of each speed on empty topics until the block ends."""
    empty_topics(kafka, len(speeds))
    running = Stack(folder, kafka, redis, PARTITIONS=len(speeds), GRACE=0, LOG_LEVEL="warning", **settings)
    running.forget()
    rtf = float(str(settings["SIMULATED_RTF"]))
    try:
        running.start("e2a-merge")
        running.witness("e2a-synth", *(f"w{number}={rtf / speed}" for number, speed in enumerate(speeds)))
        yield running
    finally:
        running.stop()


def make(running: Stack, kafka: KafkaServer, plans: Sequence[Plan]) -> tuple[float, float]:
    """Submit books and return when all their parts are recorded as done: when that began, and when it ended."""
    store, checkpoint = directory_store(running.folder / "storage", 10), running.checkpoint
    admin, publisher = Admin(kafka, 10), KafkaPublisher(kafka, 10)
    for plan in plans:
        store_plan(plan, store)
    began = time.time()
    where = layouts(admin.partitions(), checkpoint.workers(), checkpoint.queue(), time.time())
    for plan in plans:
        where = ingest.publish(plan, plan.parts, publisher, where).loaded(where)
    wait_until(lambda: all(is_made(running, plan) for plan in plans), 900)
    return began, time.time()


def is_made(running: Stack, plan: Plan) -> bool:
    """Say whether no part of a book is pending."""
    return running.checkpoint.book(plan.book_id) is not None and not running.checkpoint.pending(plan.book_id)


def figures(
    running: Stack, plans: Sequence[Plan], speeds: Sequence[float], rtf: float, began: float
) -> dict[str, object]:
    """Return what the workers wrote down of these books."""
    texts = {each.say: part.digest for plan in plans for part in plan.parts for each in part.sentences}
    said = [note for note in running.notes() if note.of in texts]
    seconds = work(plans, rtf)
    makespan = max(note.time + note.seconds for note in said) - began
    bound = sum(seconds) / sum(speeds)
    count = Counter(note.who for note in said)
    return {
        "parts": len(seconds),
        "work_s": round(sum(seconds), 1),
        "bound_s": round(bound, 2),
        "longest_first_s": round(longest_first(seconds, speeds), 2),
        "first_sentence_s": round(min(note.time for note in said) - began, 2),
        "makespan_s": round(makespan, 2),
        "ratio": round(makespan / bound, 3),
        "ratio_to_longest_first": round(makespan / longest_first(seconds, speeds), 3),
        "spoken_over_needed": round(spoken(running.notes, plans), 3),
        "sentences_by_worker": [count[f"w{number}"] for number in range(len(speeds))],
    }


def measure(options: argparse.Namespace, number: int, *, slow: bool, steal: bool) -> Iterator[dict[str, object]]:
    """Yield the figures of one book, and of many, that some workers make."""
    speeds = [1 / SLOW if slow and not worker else 1.0 for worker in range(number)]
    rtf = options.part * CHARACTERS_PER_SECOND / FULL
    parts = round(options.seconds * sum(speeds) / options.part)
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
        folder = Path(name)
        with (
            servers.kafka(folder) as kafka,
            servers.redis(folder) as redis,
            workers(folder, kafka, redis, speeds, SIMULATED_RTF=rtf, STEAL=steal) as running,
        ):
            store_pace(directory_store(folder / "storage", 10))
            listed = running.checkpoint.workers
            wait_until(lambda: sum(len(each.partitions) == len(each.express) == 1 for each in listed()) == number, 300)
            for books in options.books:
                each = max(1, parts // books)
                plans = [made_plan(1 + book + 1000 * books, lengths(each, FULL, book)) for book in range(books)]
                busy, had = cpu()
                began, ended = make(running, kafka, plans)
                share = (cpu()[0] - busy) / (cpu()[1] - had)
                yield {
                    "engine": "simulated",
                    "workers": number,
                    "slow": slow,
                    "steal": steal,
                    "books": books,
                    **figures(running, plans, speeds, rtf, began),
                    "all_recorded_s": round(ended - began, 2),
                    "cpu": round(share, 2),
                }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how evenly work is spread, with the simulated engine.")
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8, 16])
    parser.add_argument("--books", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--part", type=float, default=1.0, help="seconds of pretended work of a full part")
    parser.add_argument("--seconds", type=float, default=24.0, help="makespan that is aimed at")
    parser.add_argument("--quick", action="store_true", help="8 seconds, and only 2 and 8 workers")
    parser.add_argument("--speeds", nargs="+", choices=["equal", "slow"], default=["equal", "slow"])
    parser.add_argument("--steal", nargs="+", choices=["yes", "no"], default=["yes", "no"])
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.workers = 8.0, [2, 8]
    print(json.dumps({"cpus": os.cpu_count(), "part_s": options.part}), flush=True)
    for number, speed, steal in itertools.product(options.workers, options.speeds, options.steal):
        for found in measure(options, number, slow=speed == "slow", steal=steal == "yes"):
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
