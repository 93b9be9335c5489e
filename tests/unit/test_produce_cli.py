"""e2a-produce as it is typed: every failure is an exit code and one line that says what to do."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from e2a import service
from e2a.checkpoint import BookRecord
from e2a.errors import ExitCode
from e2a.plan import Plan
from e2a.report import Report, ReportedRetake
from e2a.settings import SynthSettings
from e2a.storage import DirectoryStore, keys
from e2a.testing import Clock, MemoryCheckpoint
from producer import __main__ as command
from producer import ingest, sequential
from synth_consumer import engines
from tests.unit.books import Item, epub_file, page, small_epub
from tests.unit.builders import a_book_record

Produce = Callable[..., int]
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
def complaint(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return what reads the one line that was written to standard error, without the name of the command."""

    def read() -> str:
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert captured.err.startswith("e2a-produce: ")
        return captured.err.removeprefix("e2a-produce: ").rstrip("\n")

    return read


def test_no_such_file(produce: Produce, tmp_path: Path, complaint: Callable[[], str]) -> None:
    """A file that is not there is named."""
    assert produce(tmp_path / "none.epub") == ExitCode.NO_INPUT
    assert complaint() == f"{tmp_path / 'none.epub'}: no such file"


def test_name_that_no_file_can_have(produce: Produce, tmp_path: Path, complaint: Callable[[], str]) -> None:
    """A name that is too long for the system is told like any other file that cannot be read."""
    assert produce(tmp_path / f"{'x' * 300}.epub") == ExitCode.BAD_INPUT
    assert "File name too long" in complaint()


def test_a_folder(produce: Produce, tmp_path: Path, complaint: Callable[[], str]) -> None:
    """A folder is not said to be missing."""
    assert produce(tmp_path) == ExitCode.NO_INPUT
    assert complaint() == f"{tmp_path}: not a file"


def test_no_epub(produce: Produce, tmp_path: Path, complaint: Callable[[], str]) -> None:
    """A file that is no EPUB is named."""
    (tmp_path / "page.epub").write_text("<html>404</html>")
    assert produce(tmp_path / "page.epub") == ExitCode.BAD_INPUT
    assert complaint() == f"{tmp_path / 'page.epub'}: not an EPUB but a web page: fetch it again"


def test_picture_book(produce: Produce, tmp_path: Path, complaint: Callable[[], str]) -> None:
    """A book without text is refused, and nothing of it is stored."""
    assert produce(small_epub(tmp_path / "book.epub", "<img src='x' alt='x'/>")) == ExitCode.BAD_INPUT
    assert complaint() == f"{tmp_path / 'book.epub'}: 'Emma' holds no text to speak; is it a picture book?"
    assert not (tmp_path / "storage").exists()


@pytest.mark.parametrize(("arguments", "settings"), [(["--engine", "parrot"], {}), ([], {"ENGINE": "parrot"})])
def test_unknown_engine(
    produce: Produce, book: Path, complaint: Callable[[], str], arguments: list[str], settings: dict[str, str]
) -> None:
    """An engine that is not installed is named with those that are, before the book is read."""
    book.unlink()
    assert produce(book, *arguments, **settings) == ExitCode.CONFIG
    assert complaint() == f"engine 'parrot' is not installed; there are: {', '.join(engines.names())}"


@pytest.mark.parametrize("mode", [[], ["--detach"]])
def test_unreachable_servers(produce: Produce, book: Path, complaint: Callable[[], str], mode: list[str]) -> None:
    """Servers that do not answer are all named in one line, without passwords."""
    assert produce(book, *mode) == ExitCode.UNAVAILABLE
    said = complaint()
    assert said.startswith("not reachable: Kafka 127.0.0.1:1: ")
    assert "; Redis 127.0.0.1:2/0: " in said
    assert "hunter2" not in said


def test_status_without_server(produce: Produce, book: Path, complaint: Callable[[], str]) -> None:
    """Asking how far a book has got needs Redis, and says so."""
    assert produce(book, "--status") == ExitCode.UNAVAILABLE
    assert complaint().startswith("Redis 127.0.0.1:2/0: ")


class Answering(MemoryCheckpoint):
    """A checkpoint that the command gets instead of Redis."""

    def __init__(self, _url: str) -> None:
        super().__init__(Clock())


@pytest.mark.parametrize("stored", [False, True])
def test_status_of_a_book_that_redis_does_not_know(
    produce: Produce, book: Path, complaint: Callable[[], str], monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """A book that was never submitted is told from one of which only storage knows."""
    monkeypatch.setattr(command, "RedisCheckpoint", Answering)
    if stored:
        finish(book, book.parent / "storage")
    assert produce(book, "--status") == (ExitCode.UNAVAILABLE if stored else ExitCode.NO_INPUT)
    said = complaint()
    assert said.startswith("'Emma' is finished, but" if stored else "'Emma' was not submitted")


def test_storage_that_cannot_be_used(
    produce: Produce, book: Path, tmp_path: Path, complaint: Callable[[], str]
) -> None:
    """A storage folder that is a file is named."""
    assert produce(book, STORAGE=str(book)) == ExitCode.UNAVAILABLE
    assert complaint().startswith(f"not reachable: storage directory {book}: ")


@pytest.mark.parametrize(
    ("name", "value"), [("PATIENCE", "0"), ("PARTITIONS", "many"), ("LOG_LEVEL", "loud"), ("LOG_FORMAT", "xml")]
)
def test_wrong_setting(produce: Produce, book: Path, complaint: Callable[[], str], name: str, value: str) -> None:
    """A setting with a wrong value is named with it."""
    assert produce(book, **{name: value}) == ExitCode.CONFIG
    assert complaint().startswith(f"setting E2A_{name} = {value!r}: ")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--loud"], "--loud"),
        (["--speed", "9"], "--speed"),
        (["--speed", "fast"], "--speed"),
        (["--output-format", "mp3"], "--output-format"),
        (["--voice"], "--voice"),
        (["another.epub"], "another.epub"),
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
    assert "book" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--detach", "--status"])
def test_options_that_exclude_each_other(
    produce: Produce, book: Path, complaint: Callable[[], str], option: str
) -> None:
    """What works in this process cannot be left alone, and has no checkpoint to ask."""
    assert produce(book, option, "--sequential") == ExitCode.USAGE
    assert "--sequential" in complaint()


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
        "list-chapters",
        "list-voices",
        "dry-run",
        "detach",
        "sequential",
        "status",
    ):
        assert f"--{name}" in shown
    assert "Exit codes" in shown


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
    produce: Produce, book: Path, complaint: Callable[[], str], arguments: list[str], code: ExitCode, said: str
) -> None:
    """Chapters that are not there, and a pronunciation file that is not, are told with what to do."""
    assert produce(book, *arguments) == code
    assert complaint().startswith(said)


def test_problems_of_a_book_are_told(produce: Produce, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What could not be read of a book is said when it is made, beside what was asked for."""
    items = [Item("c1.xhtml", page("<p>One.</p>"))]
    book = epub_file(tmp_path / "book.epub", items, spine=["c1.xhtml", "no-such-item"])
    finish(book, tmp_path / "storage")
    assert produce(book) == ExitCode.OK
    captured = capsys.readouterr()
    assert captured.err.startswith("note: ")
    assert captured.out.startswith(str(tmp_path / "book.m4b"))


def test_what_is_not_read_is_told(produce: Produce, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Matter that is left out is named each time a book is made, and is not when the chapters were chosen."""
    book = small_epub(tmp_path / "book.epub", "<h1>Contents</h1><p>One.</p>", "<h1>I</h1><p>It begins.</p>")
    finish(book, tmp_path / "storage")
    assert produce(book) == ExitCode.OK
    assert capsys.readouterr().err.startswith("note: not read: Contents; --list-chapters shows why")


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


@pytest.mark.parametrize("mode", [[], ["--list-chapters"], ["--dry-run"]])
def test_language_that_the_engine_does_not_speak(
    produce: Produce, book: Path, tmp_path: Path, complaint: Callable[[], str], mode: list[str]
) -> None:
    """A language that the engine surely does not speak is told before anything is shown, made or stored."""
    assert produce(book, "--engine", "xtts", "--language", "nb", *mode) == ExitCode.USAGE
    assert complaint().startswith("engine xtts does not speak 'nb', only ar, cs, de, ")
    assert not (tmp_path / "storage").exists()


@pytest.mark.parametrize(
    "arguments",
    [["--engine", "xtts"], ["--engine", "coqui", "--model", "tts_models/multilingual/multi-dataset/xtts_v2"]],
)
def test_licence_that_is_not_accepted(
    produce: Produce, book: Path, tmp_path: Path, complaint: Callable[[], str], arguments: list[str]
) -> None:
    """XTTSv2 does not speak before its licence is accepted; nothing is stored, but looking is free."""
    assert produce(book, "--sequential", *arguments) == ExitCode.CONFIG
    assert complaint().startswith("XTTSv2 is under the Coqui Public Model License (CPML): ")
    assert produce(book, "--dry-run", *arguments) == ExitCode.OK
    assert not (tmp_path / "storage").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--model", "x"], ExitCode.USAGE, "--model x: engine simulated has no models to choose from"),
        (["--engine", "coqui"], ExitCode.CONFIG, "engine coqui has many models: set E2A_MODEL or --model to a name"),
        (["--voice", "x.wav"], ExitCode.USAGE, "--voice x.wav: engine simulated takes no recording"),
        (["--voice", "no/x", "--engine", "xtts"], ExitCode.NO_INPUT, "no/x: No such file or directory; --voice takes"),
    ],
)
def test_wrong_speech(
    produce: Produce, book: Path, complaint: Callable[[], str], arguments: list[str], code: ExitCode, said: str
) -> None:
    """A model or a recording that the engine does not take, or lacks, is told with what to do."""
    assert produce(book, *arguments) == code
    assert complaint().startswith(said)


def test_interrupt(produce: Produce, book: Path, monkeypatch: pytest.MonkeyPatch, complaint: Callable[[], str]) -> None:
    """Ctrl-C ends the command without a traceback, and says that nothing is lost."""

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest, "prepare", interrupted)
    assert produce(book) == ExitCode.INTERRUPTED
    assert complaint() == "stopped; the same command again goes on"


def finish(book: Path, storage: Path, retakes: tuple[ReportedRetake, ...] = ()) -> None:
    """Put a book into storage as the merger does when it is finished."""
    store = DirectoryStore(storage, patience=0.01)
    book_id = ingest.store_book(ingest.prepare(book, ingest.Options(engine="simulated")), store).book_id
    output = keys.output(book_id, "m4b")
    report = Report(book_id=book_id, output=output, audio_seconds=3661.2, audio_bytes=4, retakes=retakes)
    store.put(output, b"book")
    store.put(keys.report(book_id), report.model_dump_json().encode())


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
    assert first == f"{tmp_path / 'book.m4b'}  1:01:01  0.0 MB"
    assert second.startswith(f"{tmp_path / 'out/put/book.m4b'}  ")


def test_sentences_that_were_said_again_are_told(
    produce: Produce, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report lies beside the audiobook, and it is named when a take in the book was bad."""
    good = ReportedRetake(
        chapter=1, title="One", part=0, start=2.5, text="Yes.", takes=2, flaws=("too-long",), doubtful=()
    )
    finish(book, tmp_path / "storage", (good, good.model_copy(update={"doubtful": ("no-stop",)})))
    assert produce(book) == ExitCode.OK
    report = tmp_path / "book.report.json"
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == [f"2 sentences had a bad take, 1 are kept doubtful: see {report}"]
    assert Report.model_validate_json(report.read_bytes()).retakes[0] == good


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


def test_output_that_cannot_be_written(
    produce: Produce, book: Path, tmp_path: Path, complaint: Callable[[], str]
) -> None:
    """A folder that cannot be made is named before anything is stored."""
    assert produce(book, "--output-dir", book) == ExitCode.CANNOT_WRITE
    assert complaint() == f"{book}: cannot be a folder: File exists"
    assert not (tmp_path / "storage").exists()


def test_book_that_is_not_whole(
    produce: Produce, book: Path, complaint: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A book of which parts could not be made is an exit code of its own, with the reason."""
    failed = a_book_record(stage="failed", reason="1 parts missing, in chapters 2: no such voice")
    monkeypatch.setattr(sequential, "run", lambda *_arguments: failed)
    assert produce(book, "--sequential") == ExitCode.BOOK_FAILED
    assert complaint() == "'Emma' is not whole: 1 parts missing, in chapters 2: no such voice"


Asked = list[tuple[Plan, SynthSettings]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Return what sequential mode is asked for, in place of making it."""
    received: Asked = []

    def run(plan: Plan, _store: object, settings: SynthSettings, _show: object) -> BookRecord:
        received.append((plan, settings))
        return a_book_record(stage="failed", reason="not made")

    monkeypatch.setattr(sequential, "run", run)
    return received


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({"ENGINE": "simulated", "MODEL": "other"}, ["--engine", "coqui", "--model", "/m/xtts", "--accept-cpml"]),
        ({"ENGINE": "coqui", "MODEL": "/m/xtts", "ACCEPT_CPML": "1"}, []),
    ],
)
def test_speech_that_is_asked_for(
    produce: Produce, book: Path, asked: Asked, settings: dict[str, str], arguments: list[str]
) -> None:
    """Options count more than settings; the plan has the name of the model, who speaks it where it lies."""
    assert produce(book, "--sequential", *arguments, **settings) == ExitCode.BOOK_FAILED
    ((plan, speaker),) = asked
    assert (plan.speech.engine, plan.speech.model) == ("coqui", "xtts")
    assert (speaker.engine, speaker.model, speaker.accept_cpml) == ("coqui", "/m/xtts", True)


def test_model_of_another_engine(produce: Produce, book: Path, asked: Asked) -> None:
    """A model that is set for other books does not change one whose engine has no models."""
    for settings in ({"MODEL": "/m/xtts"}, {}):
        assert produce(book, "--sequential", "--engine", "espeak", **settings) == ExitCode.BOOK_FAILED
    first, second = (plan for plan, _ in asked)
    assert first == second


def test_recording_is_stored_with_the_book(produce: Produce, book: Path, tmp_path: Path, asked: Asked) -> None:
    """The recording that is the voice lies in storage when the book is made."""
    (tmp_path / "anna.wav").write_bytes(b"speech")
    arguments = ("--engine", "xtts", "--accept-cpml", "--voice", tmp_path / "anna.wav")
    assert produce(book, "--sequential", *arguments) == ExitCode.BOOK_FAILED
    ((plan, _),) = asked
    store = DirectoryStore(tmp_path / "storage", patience=0.01)
    assert store.get(keys.clip(plan.speech.voice)) == b"speech"
