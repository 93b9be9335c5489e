"""Every Prometheus metric of the pipeline in one place, and the port that shows them beside the service's health."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import Counter, Gauge, Histogram, Summary, make_wsgi_app

from e2a.errors import ExitCode, UserError

PARTS = Counter("e2a_parts", "Parts finished by this worker", ["outcome"])
AUDIO_SECONDS = Counter("e2a_audio_seconds", "Seconds of audio synthesised by this worker")
BUSY_SECONDS = Summary("e2a_busy_seconds", "Seconds that this worker's engine has spent speaking")
PART_SECONDS = Histogram(
    "e2a_part_seconds", "Seconds of synthesis a part", buckets=(0.5, 1, 2, 5, 10, 20, 40, 60, 90, 120, 300)
)
RETAKES = Counter(
    "e2a_retakes", "Sentences whose first take was not good, by the take that was kept: good, doubtful", ["outcome"]
)
LAST_TAKE = Gauge("e2a_last_take_timestamp_seconds", "Unix time of this worker's last take; 0 before the first")
GPU_MEMORY = Gauge("e2a_gpu_memory_bytes", "GPU memory in use by this worker's engine; 0 without a GPU")
EVENTS = Counter("e2a_events", "Events folded into the checkpoint", ["type"])
BOOKS = Counter("e2a_books", "Books that reached their end", ["outcome"])
ASSEMBLY_SECONDS = Histogram(
    "e2a_assembly_seconds", "Seconds of assembly a book", buckets=(1, 2, 5, 10, 20, 60, 120, 300, 600, 1800)
)
JOBS_AGAIN = Counter("e2a_jobs_again", "Jobs published again: damaged, retried, fallen, wanted", ["reason"])
DEAD_LETTERS = Counter("e2a_dead_letters", "Dead letters that the merger has written: job, event", ["kind"])
PARTITIONS = Gauge("e2a_partitions", "Partitions of the chapters topic that this worker owns")

Health = Callable[[], Mapping[str, object]]


def serve(port: int, health: Health = dict) -> None:
    """Serve two pages on every address at `port` until the process ends; 0 serves none.

    `/metrics`, and `/`, is the Prometheus page. `/healthz` is a JSON object: `status` is `running`, which says that
    the process answers, beside what `health` returns.

    Args:
        port: of both pages.
        health: called for every look at `/healthz`, in a thread of its own; its values are JSON's.

    Raises:
        UserError: the port is taken (exit code UNAVAILABLE).
    """
    if not port:
        return
    try:
        server = make_server("", port, pages(health), _Server, _QuietHandler)
    except OSError as error:
        raise UserError(f"metrics port {port}: {error.strerror}", ExitCode.UNAVAILABLE) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def pages(health: Health) -> WSGIApplication:
    """Return the application that `serve` serves."""
    prometheus: WSGIApplication = make_wsgi_app()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path in {"/", "/metrics"}:
            return prometheus(environ, start_response)
        if path == "/healthz":
            status, answer = "200 OK", {"status": "running", **health()}
        else:
            status, answer = "404 Not Found", {"pages": ["/metrics", "/healthz"]}
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    return app


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log no request."""
