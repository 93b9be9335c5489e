"""Services of an earlier commit and of today on one book, restarted one after the other in every order (SIMULATED)."""

import itertools
import json
import subprocess
import time
from pathlib import Path

from e2a.bus import KafkaServer
from e2a.topics import DEAD_LETTERS
from tests import servers
from tests.epubs import made_epub
from tests.servers import ROOT, wait_until
from tests.stack import BIN, Process, Stack
from tests.topics import empty_topics, read_topic
from tests.verdict import plan_of, sequentially

CHAPTERS, CHARACTERS, RTF = 16, 1200, 0.04
"""About three seconds of work a part."""
SERVICES = ("e2a-merge", "w0", "w1")


def unpack(commit: str, folder: Path) -> Path:
    """Return the folder into which the tree of a commit was written."""
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    return folder


def source(running: Stack) -> str:
    """Return where the services of a stack have their code from."""
    command = [BIN / "python", "-P", "-c", "import e2a, merger, synth_consumer; print(e2a.__file__, end='')"]
    return subprocess.run(command, env=running.env, capture_output=True, text=True, check=True).stdout


def start(running: Stack, service: str) -> Process:
    """Start the merger or a worker."""
    if service.startswith("e2a"):
        return running.start(service)
    return running.start("e2a-synth", WORKER_ID=service)


def swap(process: Process, running: Stack, service: str) -> Process:
    """Stop a service and start it again in another version."""
    process.terminate()
    process.wait(40)
    return start(running, service)


def one(folder: Path, old: Path, order: tuple[str, ...], kafka: KafkaServer, redis: str) -> tuple[bytes, Stack]:
    """Make a book while the services are replaced in an order; return it."""
    empty_topics(kafka, 2)
    options = {"PARTITIONS": 2, "SIMULATED_RTF": RTF, "STORAGE": folder / "storage"}
    before, after = (Stack(folder / version, kafka, redis, **options) for version in ("before", "after"))
    for each in (before, after):
        each.folder.mkdir(parents=True)
    before.env["PYTHONPATH"] = str(old)
    before.forget()
    book = made_epub(folder / "book.epub", chapters=CHAPTERS, characters=CHARACTERS)
    try:
        processes = {service: start(before, service) for service in SERVICES}
        wait_until(lambda: sum(bool(each.partitions) for each in before.checkpoint.workers()) == 2)
        producing = before.start("e2a-produce", str(book), "--output-dir", str(folder))
        for share, service in enumerate(order, 1):
            wait_until(lambda share=share: done(before) * (len(order) + 1) >= share * CHAPTERS)
            processes[service] = swap(processes[service], after, service)
        assert producing.wait(180) == 0
    finally:
        after.stop()
        before.stop()
    return (folder / "book.m4b").read_bytes(), before


def done(running: Stack) -> int:
    """Return how many parts of all books are done."""
    parts = [running.checkpoint.parts(book_id) for book_id in running.checkpoint.books()]
    return sum(record.state == "done" for records in parts for record in records.values())


def run(folder: Path, commit: str) -> dict[str, object]:
    """Replace the services of a commit by today's in every order; return what became of the books."""
    old = unpack(commit, folder / "old")
    differing, letters, codes = [], [], set()
    with servers.kafka(folder / "servers") as kafka, servers.redis(folder / "servers") as redis:
        for number, order in enumerate(itertools.permutations(SERVICES)):
            began = time.monotonic()
            made, before = one(folder / str(number), old, order, kafka, redis)
            codes.add(source(before))
            letters += read_topic(kafka, DEAD_LETTERS)
            book = folder / str(number) / "book.epub"
            same = made == sequentially(book, folder / f"sequential-{number}")
            differing += [] if same else [" ".join(order)]
            wall = round(time.monotonic() - began, 1)
            print(json.dumps({"replaced": order, "parts": len(plan_of(book).parts), "same": same, "wall_s": wall}))
    return {
        "engine": "simulated",
        "from": commit,
        "its_code": sorted(path.removeprefix(str(folder)) for path in codes),
        "orders": number + 1,
        "all_there": True,
        "differing": differing,
        "dead_letters": [letter.decode()[:300] for letter in letters],
    }
