"""The port of metrics and health: what it serves, and what happens when it cannot."""

import json
import socket
import threading
import urllib.error
import urllib.request
from wsgiref.util import setup_testing_defaults

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from deploy.local.kept import free_ports
from e2a import metrics
from e2a.errors import ExitCode, UserError


def get(
    path: str, health: metrics.Health = dict, registry: CollectorRegistry = metrics.WORKER
) -> tuple[str, dict[str, str], bytes]:
    """Return status, headers and body of a page."""
    environ: dict[str, object] = {}
    setup_testing_defaults(environ)
    answered: list[tuple[str, dict[str, str]]] = []

    def start_response(status, headers, exc_info=None):
        answered.append((status, dict(headers)))

    body = b"".join(metrics.pages(health, registry)(environ | {"PATH_INFO": path}, start_response))
    ((status, headers),) = answered
    return status, headers, body


@pytest.mark.parametrize("path", ["/", "/metrics"])
def test_prometheus_page(path: str) -> None:
    """Both paths show the metrics in Prometheus's text format."""
    metrics.RETAKES.labels("doubtful").inc()
    status, headers, body = get(path)
    assert status == "200 OK"
    assert headers["Content-Type"].startswith("text/plain")
    lines = body.decode().splitlines()
    assert any(line.startswith('e2a_retakes_total{outcome="doubtful"} ') for line in lines)
    assert {"# TYPE e2a_gpu_memory_bytes gauge", "# TYPE e2a_last_take_timestamp_seconds gauge"} <= set(lines)


def test_a_service_shows_its_own_metrics() -> None:
    """A worker shows no books, a merger no parts, and the monitor neither; of their processes all show the same."""
    pages = [get("/metrics", registry=each)[2] for each in (metrics.WORKER, metrics.MERGER, REGISTRY)]
    assert [b"e2a_parts_total" in page for page in pages] == [True, False, False]
    assert [b"e2a_books_total" in page for page in pages] == [False, True, False]
    assert all(b"process_resident_memory_bytes" in page for page in pages)


def test_what_has_not_happened_yet_is_shown() -> None:
    """A counter that appeared with its first count would never have grown, so no alert would see a first failure."""
    names = {sample.name + str(sample.labels) for each in metrics.MERGER.collect() for sample in each.samples}
    assert {f"e2a_dead_letters_total{{'kind': '{kind}'}}" for kind in ("job", "event")} <= names
    assert {f"e2a_books_total{{'outcome': '{outcome}'}}" for outcome in ("done", "failed")} <= names


def test_health() -> None:
    """The health page is JSON that says the service runs, and what the service says of itself."""
    status, headers, body = get("/healthz", lambda: {"service": "e2a-synth", "device": "cpu", "last_take": None})
    assert (status, headers["Content-Type"]) == ("200 OK", "application/json")
    assert json.loads(body) == {"status": "running", "service": "e2a-synth", "device": "cpu", "last_take": None}


@pytest.mark.parametrize(("state", "code"), [("starting", "503"), ("working", "200"), ("drained", "200")])
def test_who_starts_is_not_ready(state: str, code: str) -> None:
    """Until a service takes work it answers, but is not ready; both pages say the same of it."""
    said = {"state": state, "problem": "waits for its servers"}
    ready, alive = (get(path, lambda: said) for path in ("/readyz", "/healthz"))
    assert (ready[0].split()[0], alive[0]) == (code, "200 OK")
    assert json.loads(ready[2]) == json.loads(alive[2]) == {"status": "running", **said}


def test_who_says_nothing_is_ready() -> None:
    """A service that has no state, as the monitor, is ready as soon as it answers."""
    assert get("/readyz")[0] == "200 OK"


def test_health_is_asked_each_time() -> None:
    """Every look at the health page is a new one."""
    counts = iter(range(2))
    assert [json.loads(get("/healthz", lambda: {"n": next(counts)})[2])["n"] for _ in range(2)] == [0, 1]


def test_health_without_facts() -> None:
    """A service that says nothing of itself is running."""
    assert json.loads(get("/healthz")[2]) == {"status": "running"}


@pytest.mark.parametrize("path", ["/healthz/", "/health", "/metrics/x", "/favicon.ico"])
def test_other_paths(path: str) -> None:
    """Any other path is not found, and the answer names those that are."""
    status, _headers, body = get(path)
    assert status == "404 Not Found"
    assert json.loads(body) == {"pages": ["/metrics", "/healthz", "/readyz"]}


def test_serves_on_a_port(capfd: pytest.CaptureFixture[str]) -> None:
    """Health, metrics and what is not found come over HTTP, and no request is logged."""
    port = free_ports(1)[0]
    metrics.serve(port, lambda: {"service": "e2a-test"}, metrics.WORKER)
    for path, words in {"/healthz": b"e2a-test", "/metrics": b"e2a_parts"}.items():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            assert words in answer.read()
    with pytest.raises(urllib.error.HTTPError, match="404") as missing:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/nothing", timeout=10)
    missing.value.close()
    assert capfd.readouterr() == ("", "")


def test_a_slow_look_holds_up_nobody() -> None:
    """While one look at the health page hangs, the metrics are served."""
    port = free_ports(1)[0]
    asked, go = threading.Event(), threading.Event()

    def health() -> dict[str, object]:
        asked.set()
        go.wait(60)
        return {}

    metrics.serve(port, health, metrics.WORKER)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        slow.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert asked.wait(10)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert answer.status == 200
        go.set()
        assert slow.recv(12) == b"HTTP/1.0 200"


def test_no_port() -> None:
    """Port 0 serves nothing."""
    before = threading.active_count()
    metrics.serve(0, dict, metrics.WORKER)
    assert threading.active_count() == before


def test_port_in_use() -> None:
    """A port that is taken is named."""
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"metrics port {port}: Address already in use") as failure:
            metrics.serve(port, dict, metrics.WORKER)
    assert failure.value.code == ExitCode.UNAVAILABLE
