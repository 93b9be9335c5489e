"""The two that are compared, each with its servers, its workers and its command, behind the same few verbs."""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis import Redis

from bench.celery.said import NAME
from e2a.bus import KafkaServer
from tests import servers
from tests.servers import wait_until
from tests.stack import Process, Stack, stack


class RedisServer:
    """A Redis on disk that can be killed and started again, and its memory; a context manager."""

    def __init__(self, data: Path) -> None:
        self._server = servers.redis_server(data)
        self._peak = 0
        self.url = f"redis://{self._server.address}/0"

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.stop()

    def start(self) -> None:
        """Start it, with what was on disk."""
        self._server.start()

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.peak()
        self._server.kill()

    def flush(self) -> None:
        """Empty it."""
        self.peak()
        Redis.from_url(self.url).flushall()

    def used(self) -> int:
        """Return the bytes that it uses now."""
        return int(Redis.from_url(self.url).info("memory")["used_memory"])

    def peak(self) -> int:
        """Return the most bytes that it used, over all its lives."""
        self._peak = max(self._peak, int(Redis.from_url(self.url).info("memory")["used_memory_peak"]))
        return self._peak


class Side(ABC):
    """One way to make a book, with its workers running."""

    name: str

    def __init__(self, running: Stack) -> None:
        self._running = running
        self._workers: dict[str, Process] = {}
        self._generation = 0

    @abstractmethod
    def _start(self, name: str) -> Process:
        """Start a worker of a name that no worker had before."""

    @abstractmethod
    def submit(self, book: Path) -> Process:
        """Start the command that makes a book and puts it into the folder of the run."""

    def start(self, number: int) -> str:
        """Start a worker and return its name."""
        name = f"w{number}.{self._generation}"
        self._generation += 1
        self._workers[name] = self._start(name)
        return name

    def is_alive(self, worker: str) -> bool:
        """Say whether a worker runs that was neither killed nor stopped."""
        return worker in self._workers

    def kill(self, worker: str) -> None:
        """Kill a worker with all its processes, as the end of its machine or container does."""
        process = self._workers.pop(worker)
        children = children_of(process.pid)
        process.kill()
        kill(children)
        process.wait()

    def kill_speaker(self, worker: str) -> bool:
        """Kill only the process that speaks, as a kernel without memory does; say whether its worker is gone."""
        self.kill(worker)
        return True

    def queued(self) -> int | None:
        """Return how many tasks wait or are in hand; None where that is not asked."""
        return None

    def stop(self, worker: str) -> Process:
        """Send a worker SIGTERM and return its process, which may go on for a while."""
        process = self._workers.pop(worker)
        process.terminate()
        return process


class E2a(Side):
    """The pipeline of this repository."""

    name = "e2a"

    def _start(self, name: str) -> Process:
        return self._running.start("e2a-synth", WORKER_ID=name)

    def submit(self, book: Path) -> Process:
        return self._running.start("e2a-produce", str(book), "--output-dir", str(self._running.folder))


class Celery(Side):
    """The Celery version; `again` is the option of its coordinator."""

    name = "celery"
    again = 0.0

    def _start(self, name: str) -> Process:
        arguments = ("-A", "bench.celery.app", "worker", "-n", f"{name}@bench", "--loglevel", "INFO")
        return self._running.start("celery", *arguments, "--without-gossip", "--without-mingle", WORKER_ID=name)

    def submit(self, book: Path) -> Process:
        command = ("-m", "bench.celery.coordinator", str(book), "--output-dir", str(self._running.folder))
        return self._running.start("python", *command, "--again", str(self.again))

    def queued(self) -> int | None:
        with Redis.from_url(self._running.env["E2A_REDIS_URL"]) as redis:
            return int(redis.llen("chapters")) + int(redis.hlen("unacked"))

    def kill_speaker(self, worker: str) -> bool:
        kill(children_of(self._workers[worker].pid))
        return False


class CeleryAgain(Celery):
    """The Celery version whose coordinator sends missing chapters again when nothing happens."""

    name = "celery, sends again"


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill(processes: Iterable[int]) -> None:
    """Kill processes with SIGKILL, those that are still there."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def peak_memory(pid: int) -> int:
    """Return the most bytes of memory that a process had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@contextmanager
def e2a(folder: Path, redis: RedisServer, workers: int, rtf: float) -> Iterator[tuple[E2a, int]]:
    """Run merger and workers of e2a; yield them and the process of Kafka."""
    options = {"ENGINE": NAME, "SIMULATED_RTF": rtf}
    with (
        servers.kafka_server(folder / "kafka") as kafka,
        stack(folder, KafkaServer(kafka.address), redis.url, workers=0, partitions=workers, **options) as running,
    ):
        side = E2a(running)
        for number in range(workers):
            side.start(number)
        wait_until(lambda: sum(bool(each.partitions) for each in running.checkpoint.workers()) == workers)
        yield side, kafka.process.pid


@contextmanager
def celery(
    folder: Path, redis: RedisServer, workers: int, rtf: float, *, visibility: float, kind: type[Celery]
) -> Iterator[Celery]:
    """Run Celery's workers."""
    options = {"ENGINE": NAME, "SIMULATED_RTF": rtf, "BENCH_VISIBILITY": visibility}
    running = Stack(folder, KafkaServer("127.0.0.1:1"), redis.url, **options)
    running.env["REMAP_SIGTERM"] = "SIGQUIT"  # the soft shutdown
    side = kind(running)
    side.again = visibility if kind is CeleryAgain else 0.0
    try:
        for number in range(workers):
            side.start(number)
        logs = [running.folder / f"celery-{number}.log" for number in range(workers)]
        wait_until(lambda: all(" ready." in log.read_text() for log in logs))
        yield side
    finally:
        running.stop()
