"""What e2a-produce fetches: the files of a finished book, or the finished chapters of one that is being made."""

import os
from pathlib import Path

import pytest

from e2a.errors import ExitCode
from e2a.messages import Message, PartialWanted
from e2a.report import Report, ReportedRetake
from e2a.storage import keys, read_plan
from e2a.topics import EVENTS
from producer import ingest, looking, sequential
from tests.integration.produce.common import Complaint, Produce, excerpt, finish, submit
from tests.stores import directory_store
from tests.unit.books import small_epub
from tests.unit.builders import put_part

Sent = list[tuple[str, list[Message]]]


def test_finished_book_is_fetched(
    produce: Produce, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished book needs no server: it is put beside the EPUB, or where it is wanted, and named."""
    finish(book, tmp_path / "storage")
    assert produce(book) == ExitCode.OK
    assert (tmp_path / "book.m4b").read_bytes() == b"book"
    assert produce(book, "--output-dir", tmp_path / "out/put") == ExitCode.OK
    assert (tmp_path / "out/put/book.m4b").read_bytes() == b"book"
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{tmp_path / 'book.m4b'}  1:01:01  4 bytes"
    assert second.startswith(f"{tmp_path / 'out/put/book.m4b'}  ")


def test_all_files_of_a_book_are_fetched(
    produce: Produce, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the order of the formats, the same command fetches all files that they became, and names them."""
    output = ingest.output_of(["m4b", "mp3", "epub"], split=True, bitrate=96_000)
    names = ("/01 One.m4b", "/02 Two.m4b", "/01 One.mp3", "/02 Two.mp3", ".read-along.epub")
    finish(book, tmp_path / "storage", names=names, output=output)
    arguments = ["--output-format", "mp3", "--output-format", "m4b", "--read-along", "--split", "chapters"]
    assert produce(book, *arguments, "--bitrate", "96") == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'book'}/  4 files  1:01:01  16 bytes",
        f"{tmp_path / 'book.read-along.epub'}  1:01:01  4 bytes",
    ]
    assert all((tmp_path / f"book{name}").read_bytes() == b"book" for name in (*names[:4], names[4]))


def test_sentences_that_were_said_again_are_told(
    produce: Produce, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report lies beside the audiobook, and it is named when a take in the book was bad."""
    good = ReportedRetake(
        chapter=1, title="One", part=0, start=2.5, text="Yes.", takes=2, flaws=("too-long",), doubtful=()
    )
    finish(book, tmp_path / "storage", retakes=(good, good.model_copy(update={"doubtful": ("no-stop",)})))
    assert produce(book) == ExitCode.OK
    report = tmp_path / "book.report.json"
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == [f"2 sentences had a bad take, 1 are kept doubtful: see {report}"]
    assert Report.model_validate_json(report.read_bytes()).retakes[0] == good


def test_what_the_merger_had_to_leave_out_is_told(
    produce: Produce, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What went wrong with a finished book, and was not known when it was planned, is said when it is delivered."""
    finish(book, tmp_path / "storage", problems=("no read-along edition was made",))
    assert produce(book) == ExitCode.OK
    assert capsys.readouterr().err == "note: no read-along edition was made\n"


def test_path_with_brackets(produce: Produce, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The path of the audiobook is printed as it is."""
    book = small_epub(tmp_path / "emma [retail].epub")
    finish(book, tmp_path / "storage")
    assert produce(book) == ExitCode.OK
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'emma [retail].m4b'}  ")


def test_detached_from_a_finished_book(
    produce: Produce, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished book that is submitted again is not fetched when nobody waits for it, and is said to be finished."""
    finish(book, tmp_path / "storage")
    assert produce(book, "--detach") == ExitCode.OK
    assert capsys.readouterr().out.startswith("'Emma' is finished: ")
    assert not (tmp_path / "book.m4b").exists()


def test_output_that_cannot_be_written(produce: Produce, book: Path, tmp_path: Path, complaint: Complaint) -> None:
    """A folder that cannot be made is named before anything is stored."""
    assert produce(book, "--output-dir", book) == ExitCode.CANNOT_WRITE
    assert complaint() == f"{book}: cannot be a folder: File exists"
    assert not (tmp_path / "storage").exists()


@pytest.fixture
def excerpts(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Return what is sent to a Kafka that answers at once: the merger has one chapter ready."""
    sent: Sent = []

    class Publisher:
        def __init__(self, *_arguments: object) -> None:
            pass

        def send(self, topic: str, messages: list[Message]) -> None:
            sent.append((topic, messages))
            store = directory_store(Path(str(os.environ["E2A_STORAGE"])))
            plan = read_plan(store, messages[0].book_id)
            assert plan
            assert store.size(keys.partial_report(plan.book_id)) is None
            excerpt(plan, store, 1)

    class Servers:
        def __init__(self, *_arguments: object) -> None:
            pass

        def partitions(self) -> dict[str, int]:
            return {}

    monkeypatch.setattr(looking, "KafkaPublisher", Publisher)
    monkeypatch.setattr(looking, "Admin", Servers)
    return sent


def test_what_is_finished_so_far(
    produce: Produce,
    book: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    excerpts: Sent,
) -> None:
    """The merger is asked for the finished chapters, an older answer does not count, and they are fetched and named."""
    plan, store = submit(book, tmp_path / "storage", 1)
    excerpt(plan, store, 2)
    assert produce(book, "--partial", "--output-dir", tmp_path / "out") == ExitCode.OK
    assert excerpts == [(EVENTS, [PartialWanted(book_id=plan.book_id)])]
    assert capsys.readouterr().out == f"{tmp_path / 'out/book.partial.m4b'}  chapter 1 of 2, 0:01:01\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["book.partial.m4b"]


def test_what_is_finished_so_far_without_servers(
    produce: Produce, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In sequential mode this process assembles what there is."""
    submit(book, tmp_path / "storage", 1)
    monkeypatch.setattr(sequential, "partial", lambda plan, store: excerpt(plan, store, 1))
    assert produce(book, "--partial", "--sequential") == ExitCode.OK
    assert capsys.readouterr().out == f"{tmp_path / 'book.partial.m4b'}  chapter 1 of 2, 0:01:01\n"


def test_nothing_is_finished_yet(
    produce: Produce, book: Path, tmp_path: Path, complaint: Complaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first chapter is not finished that is said, without asking any server; also when only a part of it
    turns out to be damaged."""
    plan, store = submit(book, tmp_path / "storage", 0)
    said = "the first chapter of 'Emma' is not finished yet; run the same command again later"
    assert produce(book, "--partial") == ExitCode.UNAVAILABLE
    assert complaint() == said
    put_part(store, plan.parts[0])
    monkeypatch.setattr(sequential, "partial", lambda plan, store: excerpt(plan, store, 0))
    assert produce(book, "--partial", "--sequential") == ExitCode.UNAVAILABLE
    assert complaint() == said
    assert not (tmp_path / "book.partial.m4b").exists()


def test_partial_of_a_book_that_was_not_submitted(produce: Produce, book: Path, complaint: Complaint) -> None:
    """A book that was not submitted is told."""
    assert produce(book, "--partial") == ExitCode.NO_INPUT
    assert complaint() == "'Emma' was not submitted with these options"


def test_partial_of_a_finished_book(
    produce: Produce, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished book is just delivered."""
    finish(book, tmp_path / "storage")
    assert produce(book, "--partial") == ExitCode.OK
    assert capsys.readouterr().out == f"{tmp_path / 'book.m4b'}  1:01:01  4 bytes\n"
    assert (tmp_path / "book.m4b").read_bytes() == b"book"


def test_partial_without_servers(produce: Produce, book: Path, tmp_path: Path, complaint: Complaint) -> None:
    """Without Kafka nobody can be asked, which is said."""
    submit(book, tmp_path / "storage", 1)
    assert produce(book, "--partial") == ExitCode.UNAVAILABLE
    assert complaint().startswith("not reachable: Kafka 127.0.0.1:1: ")
