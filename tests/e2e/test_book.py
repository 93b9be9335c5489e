"""A book through all real processes: whoever makes it, and whatever dies meanwhile, it is the same files."""

import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.kept import free_ports
from e2a.bus import KafkaServer
from e2a.checkpoint import WorkerRecord
from e2a.report import Report
from samples.pack import BOOK as SAMPLE
from samples.pack import pack
from tests.epubs import made_epub
from tests.servers import require, wait_until
from tests.stack import Stack, stack

CHAPTERS = 8
RTF = 0.02
"""The simulated engine works this long a second of audio: about a second a chapter."""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("ffmpeg")
    return made_epub(tmp_path_factory.mktemp("book") / "book.epub", chapters=CHAPTERS, characters=800)


@pytest.fixture(scope="module")
def expected(book: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the book as sequential mode makes it, without any server."""
    folder = tmp_path_factory.mktemp("sequential")
    alone = Stack(folder, KafkaServer("127.0.0.1:1"), "redis://127.0.0.1:1/0")
    result = alone.produce(book, "--sequential", "--output-dir", folder)
    assert result.returncode == 0, result.stderr
    return (folder / "book.m4b").read_bytes()


def delivered(folder: Path, stem: str) -> dict[str, bytes]:
    """Return all files that a book was delivered as, but its report, which says who made it."""
    found = [path for path in folder.rglob("*") if str(path.relative_to(folder)).startswith(stem) and path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.suffix != ".json"}


def reported(folder: Path, stem: str) -> Report:
    """Return the report of a delivered book."""
    return Report.model_validate_json((folder / f"{stem}.report.json").read_bytes())


def speaking(running: Stack) -> Iterator[WorkerRecord]:
    """Yield the workers that are in the middle of a part."""
    return (worker for worker in running.checkpoint.workers() if worker.book_id and worker.sentence > 0)


def makers(running: Stack) -> list[str]:
    """Return who has made the parts that are done, of all books."""
    checkpoint = running.checkpoint
    records = (record for book_id in checkpoint.books() for record in checkpoint.parts(book_id).values())
    return [record.worker for record in records if record.state == "done"]


def produce_in_background(running: Stack, book: Path) -> "subprocess.Popen[bytes]":
    """Start e2a-produce and return while it follows the book."""
    return running.start("e2a-produce", str(book), "--output-dir", str(running.folder))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_makes_the_same_file(
    workers: int, book: Path, expected: bytes, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """Distributed over one, two and four workers, the book equals the sequential one byte for byte."""
    with stack(tmp_path, kafka, redis, workers=workers, partitions=4) as running:
        result = running.produce(book, "--output-dir", tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "book.m4b").read_bytes() == expected


def test_several_formats_and_a_read_along_edition(kafka: KafkaServer, redis: str, tmp_path: Path) -> None:
    """The sample book as M4B, MP3 and read-along edition at once: by two workers and by sequential mode, whatever of it
    is delivered is the same; asked for as MP3 by chapters afterwards, nothing is spoken again."""
    require("ffmpeg")
    book, alone, together = tmp_path / "umbrellas.epub", tmp_path / "alone", tmp_path / "together"
    pack(SAMPLE, book)
    options = ("--output-format", "m4b", "--output-format", "mp3", "--read-along")
    alone.mkdir()
    sequential = Stack(alone, KafkaServer("127.0.0.1:1"), "redis://127.0.0.1:1/0").produce(
        book, "--sequential", *options, "--output-dir", alone
    )
    assert sequential.returncode == 0, sequential.stderr
    with stack(tmp_path, kafka, redis, workers=2, partitions=2) as running:
        result = running.produce(book, *options, "--output-dir", together)
        again = running.produce(
            book, "--output-format", "mp3", "--split", "chapters", "--output-dir", together / "by chapters"
        )
    assert (result.returncode, again.returncode) == (0, 0), result.stderr + again.stderr
    files = delivered(together, "umbrellas")
    assert set(files) == {f"umbrellas{ending}" for ending in (".m4b", ".mp3", ".vtt", ".read-along.epub")}
    assert files == delivered(alone, "umbrellas")
    report = reported(together, "umbrellas")
    assert report.problems == ()
    assert {file.name: file.size for file in report.files} == {
        name.removeprefix("umbrellas"): len(content) for name, content in files.items()
    }
    assert sum(worker.parts for worker in report.workers) == len(report.chapters) == 5
    assert again.stdout.startswith("0 of 5 parts to speak, 5 are there already\n")
    assert len(list((together / "by chapters/umbrellas").glob("* *.mp3"))) == 5


def test_what_is_finished_can_be_heard(
    book: Path, expected: bytes, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """While a book is made its finished chapters are fetched, in order; it is the same book in the end."""
    with stack(tmp_path, kafka, redis, workers=1, partitions=1, SIMULATED_RTF=RTF * 2.5) as running:
        producing = produce_in_background(running, book)
        wait_until(lambda: len(makers(running)) >= 2)
        partial = running.produce(book, "--partial", "--output-dir", tmp_path)
        assert partial.returncode == 0, partial.stderr
        assert producing.wait(120) == 0
        whole = running.produce(book, "--partial", "--output-dir", tmp_path)
    said = re.search(r"book\.partial\.m4b  chapters 1\S(\d) of 8, 0:0\d:\d\d$", partial.stdout)
    assert said
    assert chapters_of(tmp_path / "book.partial.m4b") == [f"Chapter {number}" for number in range(1, int(said[1]) + 1)]
    assert (tmp_path / "book.m4b").read_bytes() == expected
    assert (whole.returncode, "book.m4b" in whole.stdout) == (0, True)


def chapters_of(path: Path) -> list[str]:
    """Return the titles of the chapters of a file."""
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_chapters", path]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return [chapter["tags"]["title"] for chapter in found["chapters"]]


def test_a_killed_worker_loses_nothing(
    book: Path, expected: bytes, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """kill -9 of a worker in the middle of a part: another one makes it, and the book is the same."""
    with stack(tmp_path, kafka, redis, workers=2, partitions=2, SIMULATED_RTF=RTF * 2.5) as running:
        producing = produce_in_background(running, book)
        wait_until(lambda: "w0" in makers(running) and any(worker.worker == "w0" for worker in speaking(running)))
        running.processes[1].send_signal(signal.SIGKILL)
        assert producing.wait(120) == 0
        assert set(makers(running)) == {"w0", "w1"}
    assert (tmp_path / "book.m4b").read_bytes() == expected


def test_a_worker_is_drained_works_again_and_ends(
    book: Path, expected: bytes, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """Drained in the middle of a book it ends its parts and is listed without partitions; another makes the same bytes.
    Told to work it has some again; told to stop, or by a signal while it is drained, it ends with code 0."""
    port, of_merger = free_ports(2)
    with stack(tmp_path, kafka, redis, workers=1, partitions=4, SIMULATED_RTF=RTF * 1.5) as running:
        wishes = running.checkpoint
        running.start("e2a-merge", METRICS_PORT=of_merger)
        told = running.start("e2a-synth", WORKER_ID="w1", METRICS_PORT=port)
        wait_until(lambda: standing(running, "w1") == ("working", True))
        producing = produce_in_background(running, book)
        wait_until(lambda: any(worker.worker == "w1" for worker in speaking(running)))
        wishes.set_wish("w1", "drain")
        wait_until(lambda: standing(running, "w1") == ("drained", False))
        (by_w1,) = (worker.done for worker in wishes.workers() if worker.worker == "w1")
        assert json.loads(page(port, "healthz"))["state"] == "drained"
        assert json.loads(page(of_merger, "healthz"))["problem"] == ""
        assert {'e2a_workers{state="drained"} 1.0', 'e2a_workers{state="working"} 1.0', "e2a_checkpoint_up 1.0"} <= set(
            page(of_merger, "metrics").splitlines()
        )
        assert producing.wait(120) == 0
        assert 0 < by_w1 == makers(running).count("w1") < CHAPTERS
        wishes.set_wish("w1", "work")
        wait_until(lambda: standing(running, "w1") == ("working", True))
        wishes.set_wish("w1", "stop")
        wishes.set_wish("w0", "drain")
        assert told.wait(40) == 0
        wait_until(lambda: (standing(running, "w0"), standing(running, "w1")) == (("drained", False), None))
        running.processes[1].terminate()
        assert running.processes[1].wait(10) == 0
    assert (tmp_path / "book.m4b").read_bytes() == expected


def page(port: int, name: str) -> str:
    """Return a page of a service's metrics port."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=10) as answer:
        return str(answer.read().decode())


def standing(running: Stack, name: str) -> tuple[str, bool] | None:
    """Return a worker's state and whether it has partitions of either topic; None when it is not listed."""
    found = (worker for worker in running.checkpoint.workers() if worker.worker == name)
    return next(((worker.state, bool(worker.partitions or worker.express)) for worker in found), None)


def test_a_killed_merger_loses_nothing(
    book: Path, expected: bytes, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """kill -9 of the merger, and a new one: the book is the same."""
    with stack(tmp_path, kafka, redis, workers=2, partitions=2, SIMULATED_RTF=RTF) as running:
        producing = produce_in_background(running, book)
        wait_until(lambda: len(makers(running)) >= 2)
        running.processes[0].send_signal(signal.SIGKILL)
        running.start("e2a-merge")
        assert producing.wait(120) == 0
    assert (tmp_path / "book.m4b").read_bytes() == expected


def test_an_emptied_redis_is_filled_again(
    book: Path, expected: bytes, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """When Redis forgets everything in the middle, the merger reads it again from storage."""
    with stack(tmp_path, kafka, redis, workers=2, partitions=2, SIMULATED_RTF=RTF) as running:
        producing = produce_in_background(running, book)
        wait_until(lambda: len(makers(running)) >= 2)
        running.forget()
        assert producing.wait(120) == 0
    assert (tmp_path / "book.m4b").read_bytes() == expected


def test_object_storage_holds_the_same_book(
    book: Path, expected: bytes, kafka: KafkaServer, redis: str, minio: str, tmp_path: Path
) -> None:
    """With MinIO instead of a directory, and a detached submission, the book is the same, and --status says so."""
    settings = {"STORAGE": "s3://e2e", "S3_ENDPOINT": minio}
    with stack(tmp_path, kafka, redis, workers=2, partitions=2, **settings) as running:
        detached = running.produce(book, "--detach")
        assert detached.returncode == 0, detached.stderr
        assert "run the same command without --detach" in detached.stdout
        followed = running.produce(book, "--output-dir", tmp_path)
        status = json.loads(running.produce(book, "--status").stdout)
    assert followed.returncode == 0, followed.stderr
    assert (status["stage"], status["total_chapters"], status["failed"]) == ("done", CHAPTERS, [])
    assert status["converted"] == list(range(CHAPTERS))
    assert (tmp_path / "book.m4b").read_bytes() == expected


def test_the_same_command_again_just_fetches(
    book: Path, expected: bytes, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """A finished book is fetched from storage although no server is left."""
    with stack(tmp_path, kafka, redis, workers=1, partitions=1) as running:
        assert running.produce(book, "--output-dir", tmp_path).returncode == 0
    (tmp_path / "book.m4b").unlink()
    again = running.produce(
        book, "--output-dir", tmp_path, KAFKA_BOOTSTRAP="127.0.0.1:1", REDIS_URL="redis://127.0.0.1:1/0", PATIENCE=1
    )
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "book.m4b").read_bytes() == expected


def test_a_book_that_cannot_be_spoken_fails_with_the_reason_and_can_be_repaired(
    book: Path, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """A book for an engine that no worker has ends failed, exit code 2; with the right worker it is made."""
    with stack(tmp_path, kafka, redis, workers=1, partitions=1) as running:
        refused = running.produce(book, "--engine", "espeak", "--output-dir", tmp_path)
        assert refused.returncode == 2
        assert "start workers with E2A_ENGINE=espeak" in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert not (tmp_path / "book.m4b").exists()
        require("espeak-ng")
        running.processes[1].terminate()
        running.processes[1].wait(40)
        running.start("e2a-synth", ENGINE="espeak")
        repaired = running.produce(book, "--engine", "espeak", "--output-dir", tmp_path)
    assert repaired.returncode == 0, repaired.stderr
