"""Neural engines through all real processes, with tiny random models that load by the production path: noise, but a
book of it is the same book whoever makes it."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from deploy.local.kept import free_ports
from e2a.bus import KafkaServer
from tests.epubs import made_epub
from tests.servers import require, wait_until
from tests.stack import Stack, stack

tiny = pytest.importorskip("tests.neural.tiny", exc_type=ImportError)  # tests/neural fails in CI where it cannot be

Settings = dict[str, Any]
Make = Callable[[Path, Settings, Path], bytes]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("ffmpeg")
    return made_epub(tmp_path_factory.mktemp("book") / "book.epub", chapters=3, characters=70)


@pytest.fixture(scope="module")
def vits(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tiny.tiny_vits(tmp_path_factory.mktemp("models") / "tiny-vits", speakers=("ann", "bob"))
    return {"ENGINE": "coqui", "MODEL": folder, "DEVICE": "cpu"}


@pytest.fixture(scope="module")
def xtts(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tiny.tiny_xtts(tmp_path_factory.mktemp("models") / "tiny-xtts", small=False)
    return {"ENGINE": "xtts", "MODEL": folder, "DEVICE": "cpu", "ACCEPT_CPML": 1, "BATCH": 4}


def alone(book: Path, settings: Settings, folder: Path, *arguments: object) -> bytes:
    """Return the book as sequential mode makes it, without any server."""
    folder.mkdir()
    made = Stack(folder, KafkaServer("127.0.0.1:1"), "redis://127.0.0.1:1/0", **settings)
    result = made.produce(book, "--sequential", "--output-dir", folder, *arguments)
    assert result.returncode == 0, result.stderr
    return (folder / "book.m4b").read_bytes()


def test_a_book_by_a_coqui_model(book: Path, vits: Settings, kafka: KafkaServer, redis: str, tmp_path: Path) -> None:
    """Two workers with a VITS make the book that sequential mode makes, its report lists what was said again, and the
    health page says with what and how lately a worker spoke."""
    expected = alone(book, vits, tmp_path / "alone", "--voice", "bob")
    with stack(tmp_path, kafka, redis, workers=1, partitions=2, **vits) as running:
        (port,) = free_ports(1)
        running.start("e2a-synth", WORKER_ID="w1", METRICS_PORT=port)
        wait_until(lambda: all(len(worker.partitions) == 1 for worker in running.checkpoint.workers()))
        result = running.produce(book, "--voice", "bob", "--output-dir", tmp_path)
        workers = running.checkpoint.workers()
        health = json.load(urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "book.m4b").read_bytes() == expected
    report = json.loads((tmp_path / "book.report.json").read_text())
    assert report["speech"]["model"] == "tiny-vits"
    assert report["retakes"] == json.loads((tmp_path / "alone/book.report.json").read_text())["retakes"]
    assert {(worker.engine, worker.model, worker.device) for worker in workers} == {("coqui", "tiny-vits", "cpu")}
    assert (health["status"], health["engine"], health["model"], health["device"]) == (
        "running",
        "coqui",
        "tiny-vits",
        "cpu",
    )
    assert 0 <= health["last_take_seconds"] < 300


def test_a_book_by_xtts_survives_a_kill(
    book: Path, xtts: Settings, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """kill -9 of a worker that decodes four sentences at once, in the voice of a recording: the tokens are those of
    one at a time, so every chapter is as long to the sample, and the same sentences were said again."""
    clip = tmp_path / "voice.wav"
    clip.write_bytes(tiny.hum())
    alone(book, xtts | {"BATCH": 1}, tmp_path / "alone", "--voice", clip)
    with stack(tmp_path, kafka, redis, workers=2, partitions=2, **xtts) as running:
        producing = running.start("e2a-produce", str(book), "--voice", str(clip), "--output-dir", str(tmp_path))
        wait_until(lambda: any(worker.worker == "w0" and worker.book_id for worker in running.checkpoint.workers()))
        running.processes[1].send_signal(signal.SIGKILL)
        assert producing.wait(300) == 0
    made, expected = (
        json.loads((folder / "book.report.json").read_text()) for folder in (tmp_path, tmp_path / "alone")
    )
    assert made["chapters"] == expected["chapters"]
    assert made["retakes"] == expected["retakes"]
    assert (made["audio_seconds"], made["accounting"]) == (expected["audio_seconds"], expected["accounting"])


def test_a_book_that_the_model_cannot_say_fails_with_the_reason(
    book: Path, vits: Settings, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """A voice that the model has not, and another model than the workers have: exit code 2, named, and no file."""
    with stack(tmp_path, kafka, redis, workers=1, partitions=1, **vits) as running:
        voiceless = running.produce(book, "--voice", "carla", "--output-dir", tmp_path)
        other = running.produce(book, "--model", "tts_models/en/ljspeech/vits", "--output-dir", tmp_path)
    assert (voiceless.returncode, other.returncode) == (2, 2)
    assert "ann, bob" in voiceless.stderr
    assert "wants model 'tts_models/en/ljspeech/vits' of engine 'coqui', this worker has 'tiny-vits'" in other.stderr
    assert not (tmp_path / "book.m4b").exists()
