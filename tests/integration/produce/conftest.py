"""The command as a function, with settings and without servers, and what it complains of."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from e2a import service
from e2a.checkpoint import BookRecord
from e2a.plan import Plan
from e2a.settings import SynthSettings
from producer import __main__ as command
from producer import follow, making, sequential
from tests.integration.produce.common import Asked, Complaint, Merger, Produce
from tests.unit.books import small_epub
from tests.unit.builders import a_book_record

AWAY = {"KAFKA_BOOTSTRAP": "127.0.0.1:1", "REDIS_URL": "redis://:hunter2@127.0.0.1:2/0", "PATIENCE": "0.3"}


@pytest.fixture(autouse=True)
def _restored_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command configures logging for its process; here it must not outlive the test."""
    root, config, configure = logging.getLogger(), structlog.get_config(), structlog.configure
    level = root.level
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(
        structlog, "configure", lambda **given: configure(**given | {"cache_logger_on_first_use": False})
    )
    yield
    root.setLevel(level)
    configure(**config)


@pytest.fixture
def produce(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Produce:
    """Return what runs the command with arguments, and with settings named without their prefix."""

    def run(*arguments: object, **settings: str) -> int:
        given = {"STORAGE": str(tmp_path / "storage"), "ENGINE": "simulated"} | AWAY | settings
        for name, value in given.items():
            monkeypatch.setenv(f"E2A_{name}", value)
        monkeypatch.setattr(sys, "argv", ["e2a-produce", *map(str, arguments)])
        return service.run("e2a-produce", command._run)

    return run


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return small_epub(tmp_path / "book.epub")


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Complaint:
    """Return what reads the one line that was written to standard error, without the name of the command."""

    def read() -> str:
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert captured.err.startswith("e2a-produce: ")
        return captured.err.removeprefix("e2a-produce: ").rstrip("\n")

    return read


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Return what sequential mode is asked for, in place of making it."""
    received = Asked()

    class Maker:
        def __init__(self, settings: SynthSettings) -> None:
            self._settings = settings
            received.makers += 1

        def make(self, plan: Plan, *_arguments: object) -> BookRecord:
            received.append((plan, self._settings))
            return a_book_record(stage="failed", reason=received.reason)

    monkeypatch.setattr(sequential, "Maker", Maker)
    return received


@pytest.fixture
def merger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Merger:
    """Return servers that the command finds, and what happens there while it sleeps."""
    merger = Merger(tmp_path / "storage")
    monkeypatch.setattr(making.Cluster, "_look", lambda _cluster: merger.servers())
    monkeypatch.setattr(follow, "time", merger)
    return merger
