"""e2a-produce as it is typed: every failure is an exit code and one line that says what to do."""

from pathlib import Path

import pytest

from e2a.errors import ExitCode
from e2a.testing import Clock, MemoryCheckpoint
from producer import ingest, looking
from synth_consumer import engines
from tests.integration.produce.common import Complaint, Produce, finish
from tests.stores import directory_store
from tests.unit.books import small_epub


def test_no_such_file(produce: Produce, tmp_path: Path, complaint: Complaint) -> None:
    """A file that is not there is named."""
    assert produce(tmp_path / "none.epub") == ExitCode.NO_INPUT
    assert complaint() == f"{tmp_path / 'none.epub'}: no such file"


def test_no_name(
    produce: Produce, book: Path, tmp_path: Path, complaint: Complaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is empty is no file, and not the books of the folder that one is in."""
    monkeypatch.chdir(tmp_path)
    assert produce("", "--sequential") == ExitCode.NO_INPUT
    assert complaint() == "'': no such file"


def test_name_that_no_file_can_have(produce: Produce, tmp_path: Path, complaint: Complaint) -> None:
    """A name that is too long for the system is told like any other file that cannot be read."""
    assert produce(tmp_path / f"{'x' * 300}.epub") == ExitCode.BAD_INPUT
    assert "File name too long" in complaint()


def test_a_folder(produce: Produce, tmp_path: Path, complaint: Complaint) -> None:
    """A folder in which no book is is not said to be missing."""
    assert produce(tmp_path) == ExitCode.NO_INPUT
    assert complaint() == f"{tmp_path}: no EPUB is in this folder"


def test_no_epub(produce: Produce, tmp_path: Path, complaint: Complaint) -> None:
    """A file that is no EPUB is named."""
    (tmp_path / "page.epub").write_text("<html>404</html>")
    assert produce(tmp_path / "page.epub") == ExitCode.BAD_INPUT
    assert complaint() == f"{tmp_path / 'page.epub'}: not an EPUB but a web page: fetch it again"


def test_picture_book(produce: Produce, tmp_path: Path, complaint: Complaint) -> None:
    """A book without text is refused, and nothing of it is stored."""
    assert produce(small_epub(tmp_path / "book.epub", "<img src='x' alt='x'/>")) == ExitCode.BAD_INPUT
    assert complaint() == f"{tmp_path / 'book.epub'}: 'Emma' holds no text to speak; is it a picture book?"
    assert not (tmp_path / "storage").exists()


@pytest.mark.parametrize(("arguments", "settings"), [(["--engine", "parrot"], {}), ([], {"ENGINE": "parrot"})])
def test_unknown_engine(
    produce: Produce, book: Path, complaint: Complaint, arguments: list[str], settings: dict[str, str]
) -> None:
    """An engine that is not installed is named with those that are, before the book is read."""
    book.unlink()
    assert produce(book, *arguments, **settings) == ExitCode.CONFIG
    assert complaint() == f"engine 'parrot' is not installed; there are: {', '.join(engines.names())}"


@pytest.mark.parametrize("mode", [[], ["--detach"]])
def test_unreachable_servers(produce: Produce, book: Path, complaint: Complaint, mode: list[str]) -> None:
    """Servers that do not answer are all named in one line, without passwords."""
    assert produce(book, *mode) == ExitCode.UNAVAILABLE
    said = complaint()
    assert said.startswith("not reachable: Kafka 127.0.0.1:1: ")
    assert "; Redis 127.0.0.1:2/0: " in said
    assert "hunter2" not in said


def test_status_without_server(produce: Produce, book: Path, complaint: Complaint) -> None:
    """Asking how far a book has got needs Redis, and says so."""
    assert produce(book, "--status") == ExitCode.UNAVAILABLE
    assert complaint().startswith("Redis 127.0.0.1:2/0: ")


class Answering(MemoryCheckpoint):
    """A checkpoint that the command gets instead of Redis."""

    def __init__(self, _settings: object) -> None:
        super().__init__(Clock())


@pytest.mark.parametrize("stored", [False, True])
def test_status_of_a_book_that_redis_does_not_know(
    produce: Produce, book: Path, complaint: Complaint, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """A book that was never submitted is told from one of which only storage knows."""
    monkeypatch.setattr(looking, "open_checkpoint", Answering)
    directory_store(book.parent / "storage")
    if stored:
        finish(book, book.parent / "storage")
    assert produce(book, "--status") == (ExitCode.UNAVAILABLE if stored else ExitCode.NO_INPUT)
    said = complaint()
    assert said.startswith("'Emma' is finished, but" if stored else "'Emma' was not submitted")


def test_storage_that_cannot_be_used(produce: Produce, book: Path, tmp_path: Path, complaint: Complaint) -> None:
    """A storage folder that is a file is named."""
    assert produce(book, STORAGE=str(book)) == ExitCode.UNAVAILABLE
    assert complaint().startswith(f"not reachable: storage directory {book}: ")


@pytest.mark.parametrize(
    ("name", "value"), [("PATIENCE", "0"), ("PARTITIONS", "many"), ("LOG_LEVEL", "loud"), ("LOG_FORMAT", "xml")]
)
def test_wrong_setting(produce: Produce, book: Path, complaint: Complaint, name: str, value: str) -> None:
    """A setting with a wrong value is named with it."""
    assert produce(book, **{name: value}) == ExitCode.CONFIG
    assert complaint().startswith(f"setting E2A_{name} = {value!r}: ")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--loud"], "--loud"),
        (["--speed", "9"], "--speed"),
        (["--speed", "fast"], "--speed"),
        (["--output-format", "ogg"], "--output-format"),
        (["--output-format", "epub"], "--output-format"),
        (["--split", "parts"], "--split"),
        (["--bitrate", "23"], "--bitrate"),
        (["--bitrate", "321"], "--bitrate"),
        (["--loudness", "loud"], "--loudness"),
        (["--voice"], "--voice"),
    ],
)
def test_wrong_option(
    produce: Produce, book: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    """An option that is not known, or has a wrong value, is named."""
    assert produce(book, *arguments) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert named in said
    assert "Traceback" not in said


def test_no_book(produce: Produce, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a book the command says that it needs one."""
    assert produce() == ExitCode.USAGE
    assert "BOOK" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mode", "option"),
    [
        ("--sequential", "--detach"),
        ("--sequential", "--status"),
        ("--sequential", "--urgent"),
        ("--partial", "--detach"),
        ("--partial", "--status"),
    ],
)
def test_options_that_exclude_each_other(
    produce: Produce, book: Path, complaint: Complaint, mode: str, option: str
) -> None:
    """What works in this process, or fetches, cannot be left alone, and has no checkpoint to ask."""
    assert produce(book, option, mode) == ExitCode.USAGE
    assert mode in complaint()


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(produce: Produce, capsys: pytest.CaptureFixture[str], option: str) -> None:
    """Help shows every option and the exit codes."""
    assert produce(option) == ExitCode.OK
    shown = capsys.readouterr().out
    for name in (
        "voice",
        "language",
        "engine",
        "model",
        "accept-cpml",
        "speed",
        "chapters",
        "matter",
        "footnotes",
        "alt-text",
        "lexicon",
        "output-dir",
        "output-format",
        "split",
        "bitrate",
        "loudness",
        "read-along",
        "partial",
        "list-chapters",
        "list-voices",
        "dry-run",
        "detach",
        "urgent",
        "sequential",
        "status",
    ):
        assert f"--{name}" in shown
    assert "Exit codes" in shown
    assert "The audiobook" in shown


@pytest.mark.parametrize(("option", "line"), [("--list-chapters", "Two"), ("--dry-run", "neither spoken nor skipped")])
def test_looking_only(
    produce: Produce, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, line: str
) -> None:
    """What would be read can be seen without any server, and nothing is stored."""
    assert produce(book, option) == ExitCode.OK
    assert line in capsys.readouterr().out
    assert not (tmp_path / "storage").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--chapters", "3"], ExitCode.USAGE, "--chapters 3: the book has 1 to 2; --list-chapters shows them"),
        (["--chapters", "one"], ExitCode.USAGE, "--chapters 'one': not numbers such as 3-7,9; the book has 1 to 2"),
        (["--lexicon", "none.txt"], ExitCode.NO_INPUT, "none.txt: No such file or directory; --lexicon takes"),
    ],
)
def test_wrong_reading(
    produce: Produce, book: Path, complaint: Complaint, arguments: list[str], code: ExitCode, said: str
) -> None:
    """Chapters that are not there, and a pronunciation file that is not, are told with what to do."""
    assert produce(book, *arguments) == code
    assert complaint().startswith(said)


def test_version(produce: Produce, capsys: pytest.CaptureFixture[str]) -> None:
    """The version is shown, whatever else is missing."""
    assert produce("--version") == ExitCode.OK
    assert capsys.readouterr().out.startswith("e2a-produce 0.")


def test_list_of_voices(produce: Produce, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The engines are listed without a book, whatever else is missing, with what the licence of XTTSv2 forbids."""
    assert produce("--list-voices", ENGINE="parrot") == ExitCode.OK
    shown = capsys.readouterr().out
    assert all(f"  {engine}  " in shown for engine in engines.names())
    assert "non-commercial use only (CPML)" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80
    assert not (tmp_path / "storage").exists()


def test_interrupt(produce: Produce, book: Path, monkeypatch: pytest.MonkeyPatch, complaint: Complaint) -> None:
    """Ctrl-C ends the command without a traceback, and says that nothing is lost."""

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest, "prepare", interrupted)
    assert produce(book) == ExitCode.INTERRUPTED
    assert complaint() == "stopped; the same command again goes on"
