"""Every Prometheus metric that is counted as things happen, and the port that shows them beside the service's health.

A service shows its own metrics and those of its process: a zero of a thing that it never does would be a lie. Labels
have few values; names of books and parts are none. docs/metrics.md lists them all.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    Summary,
    make_wsgi_app,
)

from e2a.errors import ExitCode, UserError

WORKER, MERGER, MONITOR = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
"""What e2a-synth shows, what e2a-merge does, and what e2a-monitor does."""


def _shown(counter: Counter, *values: str) -> Counter:
    """Show a counter with each value of its label from the beginning: to Prometheus, one that appears with its first
    count has not grown."""
    for value in values:
        counter.labels(value)
    return counter


ABOUT = Info("e2a_worker", "This worker: its name, engine, model, and where the engine runs", registry=WORKER)
PARTS = _shown(
    Counter("e2a_parts", "Parts finished by this worker: done, failed, passed_over", ["outcome"], registry=WORKER),
    *("done", "failed", "passed_over"),
)
STOLEN = Counter("e2a_stolen_parts", "Parts that this worker has taken from others' queues", registry=WORKER)
SENTENCES = Counter("e2a_sentences", "Sentences spoken by this worker", registry=WORKER)
CHARACTERS = Counter("e2a_characters", "Characters said by this worker, in parts that are done", registry=WORKER)
AUDIO_SECONDS = Counter("e2a_audio_seconds", "Seconds of audio synthesised by this worker", registry=WORKER)
BUSY_SECONDS = Summary("e2a_busy_seconds", "Seconds that this worker's engine has spent speaking", registry=WORKER)
PART_SECONDS = Histogram(
    "e2a_part_seconds",
    "Seconds of synthesis a part",
    buckets=(0.5, 1, 2, 5, 10, 20, 40, 60, 90, 120, 300),
    registry=WORKER,
)
RETAKES = _shown(
    Counter(
        "e2a_retakes",
        "Sentences whose first take was not good, by the take that was kept: good, doubtful",
        ["outcome"],
        registry=WORKER,
    ),
    *("good", "doubtful"),
)
LAST_TAKE = Gauge(
    "e2a_last_take_timestamp_seconds", "Unix time of this worker's last take; 0 before the first", registry=WORKER
)
SPEAKING = Gauge("e2a_speaking_parts", "Parts that this worker is speaking", registry=WORKER)
PROBLEM = Gauge("e2a_problem", "1 while this worker waits for what is away, such as storage, else 0", registry=WORKER)
PARTITIONS = Gauge("e2a_partitions", "Partitions of the chapters topic that this worker owns", registry=WORKER)
REBALANCES = Counter("e2a_rebalances", "How often this worker's partitions have changed", registry=WORKER)
GPU_MEMORY = Gauge(
    "e2a_gpu_memory_bytes", "GPU memory in use by this worker's engine; 0 without a GPU", registry=WORKER
)
GPU_USE = Gauge("e2a_gpu_use_ratio", "Share of the last moments in which the GPU worked", ["gpu"], registry=WORKER)
GPU_MEMORY_USED = Gauge(
    "e2a_gpu_memory_used_bytes", "Memory of the GPU that is in use, by whomever", ["gpu"], registry=WORKER
)
GPU_MEMORY_TOTAL = Gauge("e2a_gpu_memory_total_bytes", "Memory of the GPU", ["gpu"], registry=WORKER)
GPU_TEMPERATURE = Gauge("e2a_gpu_temperature_celsius", "Temperature of the GPU", ["gpu"], registry=WORKER)
GPU_POWER = Gauge("e2a_gpu_power_watts", "Power that the GPU draws", ["gpu"], registry=WORKER)

EVENTS = Counter("e2a_events", "Events folded into the checkpoint", ["type"], registry=MERGER)
BOOKS = _shown(
    Counter("e2a_books", "Books that reached their end: done, failed", ["outcome"], registry=MERGER),
    *("done", "failed"),
)
ASSEMBLY_SECONDS = Histogram(
    "e2a_assembly_seconds",
    "Seconds of assembly a book",
    buckets=(1, 2, 5, 10, 20, 60, 120, 300, 600, 1800),
    registry=MERGER,
)
JOBS_AGAIN = _shown(
    Counter(
        "e2a_jobs_again", "Jobs published again: damaged, retried, fallen, wanted, urgent", ["reason"], registry=MERGER
    ),
    *("damaged", "retried", "fallen", "wanted", "urgent"),
)

VIEWERS = Gauge("e2a_viewers", "Browsers that have the page open", registry=MONITOR)
UPLOADS = _shown(
    Counter("e2a_uploads", "Books that viewers have sent: submitted, refused", ["outcome"], registry=MONITOR),
    *("submitted", "refused"),
)

DEAD_LETTERS = _shown(
    Counter("e2a_dead_letters", "Dead letters that this service has written: job, event", ["kind"], registry=None),
    *("job", "event"),
)
LEASES_LOST = Counter(
    "e2a_leases_lost", "Leases that ran out while this service still worked, and were taken", registry=None
)

for _registry, _own in ((WORKER, (DEAD_LETTERS, LEASES_LOST)), (MERGER, (DEAD_LETTERS, LEASES_LOST)), (MONITOR, ())):
    for _collector in (*_own, PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        _registry.register(_collector)

Health = Callable[[], Mapping[str, object]]


def serve(port: int, health: Health, registry: CollectorRegistry) -> None:
    """Serve three pages on every address at `port` until the process ends; 0 serves none.

    `/metrics`, and `/`, is the Prometheus page. `/healthz` is a JSON object: `status` is `running`, which says that
    the process answers, beside what `health` returns. `/readyz` is the same object, and status 503 while its `state` is
    `starting`.

    Args:
        port: of all pages.
        health: called for every look at `/healthz` or `/readyz`, in a thread of its own; its values are JSON's.
        registry: the service's metrics.

    Raises:
        UserError: the port is taken (exit code UNAVAILABLE).
    """
    if not port:
        return
    try:
        server = make_server("", port, pages(health, registry), _Server, _QuietHandler)
    except OSError as error:
        raise UserError(f"metrics port {port}: {error.strerror}", ExitCode.UNAVAILABLE) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def pages(health: Health, registry: CollectorRegistry) -> WSGIApplication:
    """Return the application that `serve` serves."""
    prometheus: WSGIApplication = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path in {"/", "/metrics"}:
            return prometheus(environ, start_response)
        if path in {"/healthz", "/readyz"}:
            answer: dict[str, object] = {"status": "running", **health()}
            waits = path == "/readyz" and answer.get("state") == "starting"
            status = "503 Service Unavailable" if waits else "200 OK"
        else:
            status, answer = "404 Not Found", {"pages": ["/metrics", "/healthz", "/readyz"]}
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    return app


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log no request."""
