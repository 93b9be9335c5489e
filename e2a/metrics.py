"""Every Prometheus metric of the pipeline in one place."""

from prometheus_client import Counter, Gauge, Histogram, Summary, start_http_server

from e2a.errors import ExitCode, UserError

PARTS = Counter("e2a_parts", "Parts finished by this worker", ["outcome"])
AUDIO_SECONDS = Counter("e2a_audio_seconds", "Seconds of audio synthesised by this worker")
BUSY_SECONDS = Summary("e2a_busy_seconds", "Seconds that this worker's engine has spent speaking")
PART_SECONDS = Histogram(
    "e2a_part_seconds", "Seconds of synthesis a part", buckets=(0.5, 1, 2, 5, 10, 20, 40, 60, 90, 120, 300)
)
EVENTS = Counter("e2a_events", "Events folded into the checkpoint", ["type"])
BOOKS = Counter("e2a_books", "Books that reached their end", ["outcome"])
ASSEMBLY_SECONDS = Histogram("e2a_assembly_seconds", "Seconds of assembly a book")
PARTITIONS = Gauge("e2a_partitions", "Partitions of the chapters topic that this worker owns")


def serve(port: int) -> None:
    """Serve the Prometheus page on every address at `port`; 0 serves none.

    Raises:
        UserError: the port is taken (exit code UNAVAILABLE).
    """
    if not port:
        return
    try:
        start_http_server(port)
    except OSError as error:
        raise UserError(f"metrics port {port}: {error.strerror}", ExitCode.UNAVAILABLE) from error
