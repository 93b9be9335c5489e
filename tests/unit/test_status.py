"""What a worker says of itself."""

import os
import socket

import pytest
from structlog.testing import capture_logs

from e2a.metrics import WORKER
from e2a.plan import Retake, Sentence
from synth_consumer.status import Start, Status
from tests.unit.builders import a_job, a_part, a_sidecar
from tests.unit.puppet import Puppet


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch) -> Status:
    """Return the status of a worker whose engine is on a GPU, at 1,000 s."""
    engine = Puppet(at_once=4)
    engine.model, engine.device = "alto", "cuda:0 NVIDIA H100"
    monkeypatch.setattr(engine, "memory", lambda: 7)
    monkeypatch.setattr("synth_consumer.status.time.time", lambda: 1000.0)
    return Status("w0", engine)


def test_health_says_what_speaks_and_where(status: Status) -> None:
    """Before the first take the page has no age of one."""
    assert status.health() == {
        "service": "e2a-synth",
        "worker": "w0",
        "state": "working",
        "engine": "espeak",
        "model": "alto",
        "device": "cuda:0 NVIDIA H100",
        "memory_bytes": 7,
        "gpu": None,
        "partitions": (),
        "speaking": False,
        "problem": "",
        "last_take_seconds": None,
    }


def test_health_says_how_long_ago_it_spoke(status: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    """The age of the last take grows, and a worker with a part in hand is speaking."""
    status.started(a_job())
    status.took()
    monkeypatch.setattr("synth_consumer.status.time.time", lambda: 1012.3)
    health = status.health()
    assert (health["speaking"], health["last_take_seconds"]) == (True, 12.3)
    assert status.snapshot(()).last_take == 1000


def test_health_says_what_a_worker_waits_for_that_starts() -> None:
    """Before its engine is there; Prometheus is shown a problem, and that it has passed; both are logged."""
    start = Start("w0")
    with capture_logs() as logs:
        start.waits("")
        for problem in ("waits for a GPU", ""):
            start.waits(problem)
            expected = {"service": "e2a-synth", "worker": "w0", "state": "starting", "problem": problem}
            assert start.health() == expected
            assert value("e2a_problem") == bool(problem)
    assert [line["event"] for line in logs] == ["worker.waits", "worker.goes_on"]


def test_names_the_part_that_was_begun_first(status: Status) -> None:
    """Of two parts in hand the earlier is shown, then the other, each with its own count of sentences."""
    first, second = a_job(a_part(3)), a_job(a_part(4))
    status.started(first)
    status.started(second)
    status.spoke(second)
    assert (status.snapshot(()).part, status.snapshot(()).sentence) == (3, 0)
    status.left(first)
    status.spoke(first)
    assert (status.snapshot(()).part, status.snapshot(()).sentence) == (4, 1)


def test_says_what_it_waits_for(status: Status) -> None:
    """While somebody waits, record and health page say for what; the first begin and the last end are logged."""
    with capture_logs() as logs:
        status.waits("one", "storage: refused")
        status.waits("other", "storage: refused again")
        status.waits("one", "storage: refused")
        status.goes_on("one")
        status.goes_on("one")
        assert status.snapshot(()).problem == status.health()["problem"] == "storage: refused again"
        status.goes_on("other")
    assert status.snapshot(()).problem == status.health()["problem"] == ""
    assert [log["event"] for log in logs] == ["worker.waits", "worker.goes_on"]
    assert logs[0]["problem"] == "storage: refused"


def test_says_what_it_owns(status: Status) -> None:
    """The record names the partitions of both topics of jobs."""
    record = status.snapshot((1, 2), (3,), "draining")
    assert (record.partitions, record.express, record.state) == ((1, 2), (3,), "draining")
    assert (status.health()["partitions"], status.health()["state"]) == ((1, 2), "draining")
    assert value("e2a_partitions") == 2


def test_says_where_it_runs(status: Status) -> None:
    """The record names host and process, says what memory the process has, and of no GPU where the engine has none."""
    record = status.snapshot(())
    assert (record.host, record.process, record.gpu) == (socket.gethostname(), os.getpid(), None)
    assert record.resident > 2**20
    assert WORKER.get_sample_value(
        "e2a_worker_info",
        {"worker": "w0", "engine": "espeak", "model": "alto", "device": "cuda:0 NVIDIA H100"},
    )


def test_counts_its_rebalances(status: Status) -> None:
    """Each change of its partitions counts, in the record and for Prometheus."""
    before = value("e2a_rebalances_total")
    status.moved()
    status.moved()
    assert (status.snapshot(()).rebalances, value("e2a_rebalances_total") - before) == (2, 2)


def test_shows_prometheus_what_it_is_at(status: Status) -> None:
    """Parts that are being spoken, their sentences, and whether anything is wrong."""
    job, before = a_job(), value("e2a_sentences_total")
    status.started(job)
    status.spoke(job)
    status.waits("one", "storage: refused")
    status.snapshot(())
    assert [value(name) for name in ("e2a_speaking_parts", "e2a_problem")] == [1, 1]
    assert value("e2a_sentences_total") - before == 1
    status.left(job)
    status.goes_on("one")
    status.snapshot(())
    assert [value(name) for name in ("e2a_speaking_parts", "e2a_problem")] == [0, 0]


def test_counts_bad_takes(status: Status) -> None:
    """A sentence is retaken when it was said more than once, and doubtful when no take was good."""
    before = [value("e2a_retakes_total", outcome=outcome) for outcome in ("good", "doubtful")]
    bad = Retake(sentence=0, start=0.0, text="Yes.", takes=1, flaws=("too-short",), doubtful=("too-short",))
    mended = bad.model_copy(update={"takes": 2, "doubtful": ()})
    sidecar = a_sidecar(a_part(), retakes=(bad, mended, mended))
    status.finished(a_part(), sidecar, 5.0)
    record = status.snapshot(())
    assert (record.done, record.retaken, record.doubtful, record.work_seconds) == (1, 2, 1, 5.0)
    assert record.audio_seconds == sidecar.seconds
    after = [value("e2a_retakes_total", outcome=outcome) for outcome in ("good", "doubtful")]
    assert after == [before[0] + 2, before[1] + 1]


def test_counts_the_characters_that_it_has_said(status: Status) -> None:
    """A character is a code point of what the engine was given, of parts that are done."""
    spoken = (Sentence(text="Dr. É.", pause_ms=0, spoken="Doctor É."), Sentence(text="Yes.", pause_ms=0))
    before = value("e2a_characters_total")
    for _ in range(2):
        status.finished(a_part(sentences=spoken), a_sidecar(a_part()), 5.0)
    assert status.snapshot(()).characters == 2 * (9 + 4)
    assert value("e2a_characters_total") - before == 2 * (9 + 4)


def value(name: str, **labels: str) -> float:
    """Return what Prometheus is shown."""
    return WORKER.get_sample_value(name, labels) or 0.0
