"""What the pipeline costs beside the work: wall time over (total work / workers), with the SIMULATED engine.

One merger and N workers on real Kafka and Redis make a book of equal chapters. The work of a part is what the
simulated engine sleeps: its audio seconds times E2A_SIMULATED_RTF, exactly known. Encoding, storage, events,
commits, the checkpoint and the assembly are the overhead. The clock runs from the submission to the finished
file; starting the servers and the workers is not counted.

The last line of the run is the ratio; the lines before it are what it was computed from.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections import Counter
from pathlib import Path

from producer import ingest
from synth_consumer.engines.simulated import CHARACTERS_PER_SECOND
from tests import servers
from tests.epubs import made_epub
from tests.stack import Stack, stack


def work_seconds(book: Path, rtf: float) -> list[float]:
    """Return the seconds that the simulated engine sleeps on each part of a book."""
    plan = ingest.prepare(book, ingest.Options(engine="simulated")).plan
    return [sum(len(each.say) for each in part.sentences) / CHARACTERS_PER_SECOND * rtf for part in plan.parts]


def parts_by_worker(running: Stack) -> dict[str, int]:
    """Return how many parts each worker made."""
    (book_id,) = running.checkpoint.books()
    return dict(sorted(Counter(record.worker for record in running.checkpoint.parts(book_id).values()).items()))


def measure(book: Path, folder: Path, workers: int, rtf: float) -> dict[str, object]:
    """Make the book once and return the figures."""
    work = work_seconds(book, rtf)
    with servers.kafka(folder / "kafka") as kafka, servers.redis(folder / "redis") as redis:
        options = {"workers": workers, "partitions": workers, "SIMULATED_RTF": rtf}
        with stack(folder, kafka, redis, **options) as running:
            started = time.monotonic()
            result = running.produce(book, "--output-dir", folder)
            wall = time.monotonic() - started
            assert result.returncode == 0, result.stderr
            made = parts_by_worker(running)
    return {
        "engine": "simulated",
        "workers": workers,
        "parts": len(work),
        "parts_by_worker": made,
        "work_s": round(sum(work), 2),
        "bound_s": round(sum(work) / workers, 2),
        "wall_s": round(wall, 2),
        "ratio": round(wall / (sum(work) / workers), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the overhead of the pipeline with the simulated engine.")
    parser.add_argument("--chapters", type=int, default=40)
    parser.add_argument("--characters", type=int, default=3000, help="of each chapter")
    parser.add_argument("--rtf", type=float, default=0.05, help="seconds of pretended work a second of audio")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps({"cpus": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()}))
    for workers in options.workers:
        for _ in range(options.repeats):
            with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
                folder = Path(name)
                book = made_epub(folder / "bench.epub", chapters=options.chapters, characters=options.characters)
                print(json.dumps(measure(book, folder, workers, options.rtf)), flush=True)


if __name__ == "__main__":
    main()
