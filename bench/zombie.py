"""Workers that were taken for dead and go on: their late put, event and commit, with the SIMULATED engine.

Two workers; one is stopped in the middle of a part, for longer than its session in Kafka and its lease, until the other
has made the part and the group has committed beyond it; then it goes on. Again and again, in another sentence each
time. Looked at afterwards: the objects of the part, how often it was announced, whether an offset went back.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from e2a.bus import KafkaServer
from e2a.checkpoint import WorkerRecord
from e2a.messages import PartDone, decode
from e2a.plan import BITRATE, Part
from e2a.storage import DirectoryStore, keys
from e2a.topics import DEAD_LETTERS, EVENTS
from tests import servers
from tests.epubs import made_epub
from tests.servers import wait_until
from tests.stack import stack
from tests.stores import directory_store
from tests.topics import read_topic
from tests.verdict import Offsets, plan_of, sequentially

RTF = 0.06
"""Some three seconds of work for a part."""
CHAPTERS, CHARACTERS = 8, 800


def objects(store: DirectoryStore, part: Part) -> list[bytes]:
    """Return all that storage has of a part."""
    names = (keys.part_master(part.digest), keys.part_audio(part.digest, BITRATE), keys.part_sidecar(part.digest))
    return [store.get(name) for name in names]


def one(folder: Path, kafka: KafkaServer, redis: str, sentence: int) -> dict[str, object]:
    """Stop a worker in a sentence of a part, and let it go on when the part is made; return what came of it."""
    folder.mkdir()
    book = made_epub(folder / "book.epub", chapters=CHAPTERS, characters=CHARACTERS)
    plan = plan_of(book)
    part_of = {part.sentences[sentence].say: part for part in plan.parts}
    store = directory_store(folder / "storage", 10)
    with stack(folder, kafka, redis, workers=0, partitions=2, SIMULATED_RTF=RTF) as running, Offsets(kafka) as offsets:
        workers = [running.witness("e2a-synth", f"w{number}") for number in range(2)]
        wait_until(lambda: sum(bool(each.partitions) for each in running.checkpoint.workers()) == 2)
        producing = running.start("e2a-produce", str(book), "--output-dir", str(folder))
        wait_until(lambda: any(note.of in part_of for note in running.notes()))
        note = next(note for note in running.notes() if note.of in part_of)
        zombie, part = workers[int(note.who[1:])], part_of[note.of]
        zombie.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        in_time = store.size(keys.part_sidecar(part.digest)) is None
        wait_until(lambda: store.size(keys.part_sidecar(part.digest)) is not None)
        made = objects(store, part)
        lasted = time.monotonic() - stopped
        zombie.send_signal(signal.SIGCONT)
        assert producing.wait(180) == 0
        went_on = time.time()
        wait_until(lambda: any(at_rest(each, note.who, went_on) for each in running.checkpoint.workers()))
        same = objects(store, part) == made
        events = [decode(raw) for raw in read_topic(kafka, EVENTS)]
        letters = len(read_topic(kafka, DEAD_LETTERS))
    announced = sum(isinstance(event, PartDone) and event.part == part.index for event in events)
    whole = (folder / "book.m4b").read_bytes() == sequentially(book, folder / "alone")
    return {
        "sentence": sentence,
        "stopped_in_the_middle": in_time,
        "stopped_s": round(lasted, 1),
        "part_same": same,
        "part_announced": announced,
        "offsets_back": offsets.rewound,
        "dead_letters": letters,
        "book_same": whole,
    }


def at_rest(worker: WorkerRecord, name: str, since: float) -> bool:
    """Say whether it is the worker of that name, heard of after a time, with nothing in hand."""
    return worker.worker == name and worker.last_seen > since and not worker.book_id


def main() -> None:
    parser = argparse.ArgumentParser(description="Stop workers until they are replaced, then let them go on.")
    parser.add_argument("--repeats", type=int, default=8)
    options = parser.parse_args()
    chance = random.Random(5)
    print(json.dumps({"cpus": os.cpu_count(), "engine": "simulated"}), flush=True)
    found = []
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
        folder = Path(name)
        with servers.kafka(folder / "servers") as kafka, servers.redis(folder / "servers") as redis:
            for number in range(options.repeats):
                found.append(one(folder / str(number), kafka, redis, chance.randint(1, 10)))
                print(json.dumps(found[-1]), flush=True)
    harmless = all(each["part_same"] and each["book_same"] and not each["dead_letters"] for each in found)
    print(json.dumps({"repeats": len(found), "harmless": harmless}))
    sys.exit(0 if harmless else 1)


if __name__ == "__main__":
    main()
