"""Faults, one after the other, for a whole cluster that is started again as Compose would start it."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from e2a.bus import KafkaServer
from e2a.checkpoint import RedisCheckpoint
from e2a.errors import ExitCode
from tests.proxy import Proxy
from tests.servers import Server, kafka_server, minio_server, redis_server, wait_until
from tests.stack import Process, Stack
from tests.topics import empty_topics

PRODUCER = "producer"
"""Target that is whatever command follows a book now."""
RESTART = 1.0
"""Seconds after which what died is started again."""


class Exit(NamedTuple):
    """The end of a process that the supervisor looked after."""

    name: str
    code: int
    pid: int
    time: float
    """Unix time in seconds."""


class Supervisor:
    """Starts what ended again, as Compose does, and lets rest what was to be done once and is; a context manager."""

    def __init__(self) -> None:
        self.exits: list[Exit] = []
        self._starts: dict[str, Callable[[], Process]] = {}
        self._processes: dict[str, Process] = {}
        self._once: set[str] = set()
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def run(self, name: str, start: Callable[[], Process], *, once: bool = False) -> None:
        """Start a process, and again whenever it ends; if it is to be done once, until it ends with 0 or 2."""
        with self._lock:
            self._starts[name] = start
            self._processes[name] = start()
            if once:
                self._once.add(name)

    def name(self, pid: int) -> str:
        """Return the name of a process that runs."""
        return next(name for name, each in self._processes.items() if each.pid == pid)

    def process(self, name: str) -> Process:
        """Return the process of that name that was started last."""
        return self._processes[name]

    def running(self) -> list[str]:
        """Return the names of what is not done."""
        return list(self._starts)

    def code(self, name: str) -> int | None:
        """Return the exit code of what was to be done once; None while it is not done."""
        return None if name in self._starts else self._processes[name].returncode

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            with self._lock:
                for name in self.running():
                    self._look_after(name)

    def _look_after(self, name: str) -> None:
        code = self._processes[name].poll()
        if code is None:
            return
        if name not in self._due:
            self.exits.append(Exit(name, code, self._processes[name].pid, time.time()))
            if name in self._once and code in {ExitCode.OK, ExitCode.BOOK_FAILED}:
                del self._starts[name]
                return
            self._due[name] = time.monotonic() + RESTART
        elif time.monotonic() >= self._due[name]:
            del self._due[name]
            self._processes[name] = self._starts[name]()


class Fault(NamedTuple):
    """Something that goes wrong."""

    kind: str
    target: str
    """Name of a server or service, or of both ends of a connection."""
    seconds: float = 0.0
    """How long it lasts."""


class Cluster:
    """Servers, services behind proxies, and whoever starts them again; see `cluster`.

    Args:
        running: starts the services.
        servers: by name.
        supervisor: of the services.
        proxies: by name of the service and of the server.
    """

    def __init__(
        self, running: Stack, servers: dict[str, Server], supervisor: Supervisor, proxies: dict[tuple[str, str], Proxy]
    ) -> None:
        self.running = running
        self.servers = servers
        self.supervisor = supervisor
        self._proxies = proxies
        self._lasting: dict[str, threading.Thread] = {}

    def submit(self, name: str, book: Path, target: Path, *options: str) -> None:
        """Run e2a-produce, again and again, until the book is there or has failed."""
        target.mkdir(parents=True, exist_ok=True)
        command = ("e2a-produce", str(book), "--output-dir", str(target), *options)
        self.supervisor.run(name, lambda: self.running.start(*command), once=True)

    def strike(self, fault: Fault) -> None:
        """Begin a fault; its end comes by itself. Waits for the end of an earlier one of the same target, unless that
        is a service which is killed now."""
        thread = self._lasting.get(fault.target)
        if thread and (fault.kind != "kill" or fault.target in self.servers):
            thread.join()
        end = self._begin(fault)
        self._lasting[fault.target] = threading.Thread(target=_after, args=(fault.seconds, end), daemon=True)
        self._lasting[fault.target].start()

    def calm(self) -> None:
        """Return when no fault lasts any more."""
        for thread in self._lasting.values():
            thread.join()

    def _begin(self, fault: Fault) -> Callable[[], None]:
        """Begin a fault and return what ends it."""
        kind, target = fault.kind, fault.target
        if kind in {"cut", "hold"}:
            service, _, server = target.partition("-")
            proxy = self._proxies[service, server]
            (proxy.cut if kind == "cut" else proxy.hold)()
            return proxy.heal
        if kind == "empty":
            self.running.forget()
            return lambda: None
        server_hit = self.servers.get(target)
        if kind == "kill" and server_hit:
            server_hit.kill()
            return server_hit.start
        process = server_hit.process if server_hit else self.supervisor.process(self._service(target))
        process.send_signal(signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)  # to one that was killed it does nothing

    def _service(self, target: str) -> str:
        return next(reversed(self.supervisor.running())) if target == PRODUCER else target


def _after(seconds: float, end: Callable[[], None]) -> None:
    time.sleep(seconds)
    end()


@contextmanager
def cluster(folder: Path, *, workers: int, mergers: int = 1, **settings: object) -> Iterator[Cluster]:
    """Run all servers and services until the block ends; workers are w0, w1, …, mergers m0, m1, …

    Every worker reaches Redis and MinIO through proxies of its own, and so does every merger; Kafka tells its clients
    its own address, so there is none in front of it.
    """
    with ExitStack() as exits:
        servers = {"kafka": kafka_server(folder), "redis": redis_server(folder), "minio": minio_server(folder)}
        for server in servers.values():
            exits.enter_context(server)
        services = [*(f"m{number}" for number in range(mergers)), *(f"w{number}" for number in range(workers))]
        proxies = {
            (service, server): exits.enter_context(Proxy(servers[server].address))
            for service in services
            for server in ("redis", "minio")
        }
        kafka = KafkaServer(servers["kafka"].address)
        redis, minio = servers["redis"].address, servers["minio"].address
        empty_topics(kafka, workers)
        options = {"PARTITIONS": workers, "STORAGE": "s3://chaos", "S3_ENDPOINT": minio} | settings
        running = Stack(folder, kafka, f"redis://{redis}/0", **options)
        exits.callback(running.stop)
        supervisor = exits.enter_context(Supervisor())
        for service in services:
            own = {
                "REDIS_URL": f"redis://{proxies[service, 'redis'].address}/0",
                "S3_ENDPOINT": proxies[service, "minio"].address,
            }
            command = ("e2a-merge",) if service.startswith("m") else ("e2a-synth", service)
            supervisor.run(service, lambda command=command, own=own: running.witness(*command, **own))
        wait_until(lambda: len(ready(running.checkpoint)) == workers)
        yield Cluster(running, servers, supervisor, proxies)


def ready(checkpoint: RedisCheckpoint) -> list[str]:
    """Return the workers that have partitions."""
    return [worker.worker for worker in checkpoint.workers() if worker.partitions]


class Kind(NamedTuple):
    """What may go wrong, and how often it does, of 200 times."""

    weight: int
    kind: str
    target: str
    longest: float = 0.0
    """Seconds that it lasts at most."""


KINDS = (
    Kind(40, "kill", "w{worker}"),
    Kind(34, "freeze", "w{worker}", 15.0),  # longer than a lease, and than the session in Kafka
    Kind(16, "kill", "m{merger}"),
    Kind(12, "freeze", "m{merger}", 15.0),
    Kind(6, "kill", PRODUCER),
    Kind(10, "kill", "kafka", 4.0),
    Kind(8, "freeze", "kafka", 8.0),
    Kind(12, "kill", "redis", 4.0),
    Kind(12, "empty", "redis"),
    Kind(10, "kill", "minio", 4.0),
    Kind(8, "cut", "w{worker}-redis", 10.0),
    Kind(8, "hold", "w{worker}-redis", 10.0),
    Kind(7, "cut", "w{worker}-minio", 10.0),
    Kind(7, "hold", "w{worker}-minio", 10.0),
    Kind(5, "cut", "m{merger}-redis", 10.0),
    Kind(5, "hold", "m{merger}-redis", 10.0),
)


def schedule(seed: int, count: int, workers: int, mergers: int = 1) -> Iterator[Fault]:
    """Yield faults, the same for the same arguments."""
    chance = random.Random(seed)
    for kind in chance.choices(KINDS, [kind.weight for kind in KINDS], k=count):
        target = kind.target.format(worker=chance.randrange(workers), merger=chance.randrange(mergers))
        yield Fault(kind.kind, target, round(chance.uniform(min(1.0, kind.longest), kind.longest), 1))


def bugs(supervisor: Supervisor) -> Counter[int]:
    """Return how often processes ended with which code that neither a signal of ours nor a server that was away when
    they started explains."""
    explained = {ExitCode.OK, ExitCode.UNAVAILABLE, -signal.SIGKILL}
    return Counter(each.code for each in supervisor.exits if each.code not in explained)
