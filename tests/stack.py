"""The real processes of the pipeline, started and stopped by tests and benchmarks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from e2a.bus import KafkaServer
from e2a.checkpoint import RedisCheckpoint
from tests.servers import MINIO_KEYS, wait_until
from tests.topics import empty_topics
from tests.witness import Notes

BIN = Path(sys.executable).parent
Process = subprocess.Popen[bytes]
NOTES = "notes.jsonl"


class Stack:
    """Starts services against given servers; `settings` are E2A_ variables without the prefix."""

    def __init__(self, folder: Path, kafka: KafkaServer, redis: str, **settings: object) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.notes = Notes(folder / NOTES)
        """What the services have written down that were started by `witness`."""
        self.checkpoint = RedisCheckpoint(redis)
        values = {
            "KAFKA_BOOTSTRAP": kafka,
            "REDIS_URL": redis,
            "STORAGE": folder / "storage",
            "ENGINE": "simulated",
            "PATIENCE": 60,
            "SWEEP": 1,
        } | settings
        clean = {name: value for name, value in os.environ.items() if not name.startswith("E2A_")}
        self.env = clean | {f"E2A_{name}": str(value) for name, value in values.items()} | MINIO_KEYS

    def start(self, program: str, *arguments: str, **settings: object) -> "subprocess.Popen[bytes]":
        """Start a program in the background."""
        env = self.env | {f"E2A_{name}": str(value) for name, value in settings.items()}
        with (self.folder / f"{program}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen([BIN / program, *arguments], env=env, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def witness(self, service: str, *workers: str, **settings: object) -> "subprocess.Popen[bytes]":
        """Start a service that writes down what it does (tests/witness.py)."""
        return self.start("python", "-m", "tests.witness", str(self.folder / NOTES), service, *workers, **settings)

    def start_workers(self, count: int) -> "list[subprocess.Popen[bytes]]":
        """Start workers named w0, w1, … and return when each has a partition."""
        workers = [self.start("e2a-synth", WORKER_ID=f"w{number}") for number in range(count)]
        wait_until(lambda: sum(bool(worker.partitions) for worker in self.checkpoint.workers()) == count)
        return workers

    def produce(self, *arguments: object, **settings: object) -> "subprocess.CompletedProcess[str]":
        """Run e2a-produce to its end."""
        env = self.env | {f"E2A_{name}": str(value) for name, value in settings.items()}
        command = [BIN / "e2a-produce", *map(str, arguments)]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=900)

    def forget(self) -> None:
        """Empty Redis."""
        Redis.from_url(self.env["E2A_REDIS_URL"]).flushall()

    def stop(self) -> None:
        """Stop all services and wait for them."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def stack(
    folder: Path, kafka: KafkaServer, redis: str, *, workers: int, partitions: int, **settings: object
) -> Iterator[Stack]:
    """Run a merger and workers on empty topics and an empty Redis until the block ends."""
    empty_topics(kafka, partitions)
    running = Stack(folder, kafka, redis, PARTITIONS=partitions, **settings)
    running.forget()
    try:
        running.start("e2a-merge")
        running.start_workers(workers)
        yield running
    finally:
        running.stop()
