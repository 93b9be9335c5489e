"""One assembly of each book, whatever becomes of the mergers, with the SIMULATED engine.

Two mergers, and books of several formats, so that an assembly lasts. Whichever merger assembles is killed at a random
moment, and started again after a second, three times a book or until the book is done before. Counted: assemblies that
began while another of the same book was under way, announcements, books that differ from what `--sequential` makes.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from e2a.bus import KafkaServer
from tests.chaos import Cluster, Fault, bugs, cluster
from tests.epubs import made_epub
from tests.servers import wait_until
from tests.verdict import announced, assemblies, overlaps, plan_of, sequentially
from tests.witness import ASSEMBLY

KILLS = 3
"""Of mergers, of each book."""
FORMATS = ("--output-format", "m4b", "--output-format", "mp3", "--output-format", "flac")


def one(running: Cluster, book: Path, target: Path, longest: float, chance: random.Random) -> list[float]:
    """Make a book and kill whoever assembles it; return after how many seconds of assembly each was killed."""
    name, notes = book.stem, running.running.notes
    before = len(notes(ASSEMBLY))
    running.submit(name, book, target, *FORMATS)
    killed: list[float] = []
    for kill in range(KILLS):
        wait_until(lambda kill=kill: len(notes(ASSEMBLY)) > before + kill or running.supervisor.code(name) is not None)
        if running.supervisor.code(name) is not None:
            break
        note = notes(ASSEMBLY)[-1]
        time.sleep(chance.uniform(0.0, longest))
        running.strike(Fault("kill", running.supervisor.name(int(note.who))))
        killed.append(round(time.time() - note.time, 2))
    wait_until(lambda: running.supervisor.code(name) is not None)
    return killed


def run(folder: Path, books: int, longest: float, seed: int) -> dict[str, object]:
    """Make books and return what became of them."""
    chance = random.Random(seed)
    made = [made_epub(folder / f"b{n}.epub", chapters=12, characters=800 + 80 * n, title=f"B{n}") for n in range(books)]
    kills = 0
    with cluster(folder, workers=2, mergers=2) as running:
        for book in made:
            killed = one(running, book, folder / "out", longest, chance)
            kills += len(killed)
            print(json.dumps({"book": book.stem, "killed_after_s": killed}), flush=True)
        found = assemblies(running.running.notes, ((str(each.pid), each.time) for each in running.supervisor.exits))
        done = announced(KafkaServer(running.servers["kafka"].address))
        failed = [book.stem for book in made if running.supervisor.code(book.stem)]
    lasted = [each.ended - each.begun for each in found if each.whole]
    ids = [plan_of(book, *FORMATS[1::2]).book_id for book in made]
    return {
        "engine": "simulated",
        "books": books,
        "kills": kills,
        "assemblies": len(found),
        "whole": len(lasted),
        "longest_s": round(max(lasted), 2),
        "overlapping": overlaps(found),
        "announced": [done[book_id] for book_id in ids],
        "failed": failed,
        "differing": [
            book.stem
            for book in made
            if (folder / "out" / f"{book.stem}.m4b").read_bytes() != sequentially(book, folder / "alone" / book.stem)
        ],
        "ends_unexplained": bugs(running.supervisor),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill mergers in the middle of assemblies (simulated engine).")
    parser.add_argument("--books", type=int, default=10)
    parser.add_argument("--longest", type=float, default=2.5, help="most seconds after which one is killed")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps({"cpus": os.cpu_count(), "seed": options.seed}), flush=True)
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
        found = run(Path(name), options.books, options.longest, options.seed)
    print(json.dumps(found), flush=True)
    sys.exit(1 if found["overlapping"] or found["differing"] or found["failed"] else 0)


if __name__ == "__main__":
    main()
