"""What a worker waits for Kafka between two short jobs, with and without jobs waiting in the process.

One `JobConsumer` on a real Kafka does jobs that only sleep, one at a time. Pausing as soon as a single job waits stands
for a loop without look-ahead. Both are measured in one run, on the same broker.
"""

import json
import platform
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

from e2a import log
from e2a.bus import JobConsumer, KafkaPublisher, KafkaServer, membership
from e2a.messages import ChapterJob, PartDone, encode
from e2a.topics import CHAPTERS
from tests import servers
from tests.topics import empty_topics, send_raw
from tests.unit.builders import a_job, a_part, a_part_done

SHAPES = [(0.002, 100), (0.1, 60), (0.4, 30)]
"""Seconds of a job, and how many there are."""


def wall_seconds(bootstrap: KafkaServer, seconds: float, count: int) -> float:
    """Return the time from the first job's beginning to the last one's end."""
    empty_topics(bootstrap, 1)
    send_raw(bootstrap, CHAPTERS, [(0, encode(a_job(a_part(index)))) for index in range(count)])
    moments: list[float] = []
    engine, stop = threading.Lock(), threading.Event()

    def handle(job: ChapterJob, _abandoned: threading.Event) -> PartDone:
        with engine:
            moments.append(time.monotonic())
            time.sleep(seconds)
            moments.append(time.monotonic())
        if len(moments) == 2 * count:
            stop.set()
        return a_part_done(job.part)

    JobConsumer(
        server=bootstrap,
        publisher=KafkaPublisher(bootstrap, patience=30),
        handle=handle,
        worker="bench",
        session_timeout=6,
        grace=5,
    ).run(stop)
    return moments[-1] - moments[0]


def main() -> None:
    log.configure("error")
    print(json.dumps({"python": platform.python_version(), "machine": platform.machine()}))
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as folder, servers.kafka(Path(folder)) as bootstrap:
        for seconds, count in SHAPES:
            ideal = seconds * count
            for look_ahead in (1, membership.LOOK_AHEAD):
                with mock.patch.object(membership, "LOOK_AHEAD", look_ahead):
                    wall = wall_seconds(bootstrap, seconds, count)
                row = {"look_ahead": look_ahead, "job_s": seconds, "jobs": count, "wall_s": round(wall, 2)}
                print(json.dumps(row | {"waits_ms_a_job": round((wall - ideal) / count * 1000, 1)}), flush=True)


if __name__ == "__main__":
    main()
