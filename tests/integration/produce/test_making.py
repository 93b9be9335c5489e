"""What e2a-produce asks for, and what it says of a book that is to be made."""

from pathlib import Path

import pytest

from e2a.errors import ExitCode
from e2a.storage import keys
from tests.integration.produce.common import Asked, Complaint, Produce, finish
from tests.stores import directory_store
from tests.unit.books import Item, epub_file, page, small_epub
from tests.unit.builders import put_part


def test_acx_is_levelled_as_it_should_be(produce: Produce, book: Path, asked: Asked) -> None:
    """The distributor's format is levelled as he wants it unless another level is asked for; so can any other be."""
    for arguments in (["acx"], ["acx", "--loudness", "r128"], ["mp3", "--loudness", "acx"], ["mp3"]):
        assert produce(book, "--sequential", "--output-format", *arguments) == ExitCode.BOOK_FAILED
    assert [plan.speech.loudness for plan, _ in asked] == ["acx", "r128", "acx", "r128"]
    assert [plan.output.formats for plan, _ in asked] == [("acx",), ("acx",), ("mp3",), ("mp3",)]


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


@pytest.mark.parametrize("mode", [[], ["--list-chapters"], ["--dry-run"]])
def test_language_that_the_engine_does_not_speak(
    produce: Produce, book: Path, tmp_path: Path, complaint: Complaint, mode: list[str]
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
    produce: Produce, book: Path, tmp_path: Path, complaint: Complaint, arguments: list[str]
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
    produce: Produce, book: Path, complaint: Complaint, arguments: list[str], code: ExitCode, said: str
) -> None:
    """A model or a recording that the engine does not take, or lacks, is told with what to do."""
    assert produce(book, *arguments) == code
    assert complaint().startswith(said)


def test_book_that_is_not_whole(produce: Produce, book: Path, asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """A book of which parts could not be made is an exit code of its own, with the reason."""
    asked.reason = "1 parts missing, in chapters 2: no such voice"
    assert produce(book, "--sequential") == ExitCode.BOOK_FAILED
    said = capsys.readouterr().err
    assert said == "e2a-produce: 'Emma' is not whole: 1 parts missing, in chapters 2: no such voice\n"


def test_what_is_to_be_made_is_told(
    produce: Produce, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: Asked
) -> None:
    """Before a book is made it is told how much of it there is: nothing, some, all for another format or bit
    rate, or after an edit what did not change."""
    store = directory_store(tmp_path / "storage")
    produce(book, "--sequential")
    first, second = asked[0][0].parts
    put_part(store, first)
    produce(book, "--sequential")
    put_part(store, second)
    produce(book, "--sequential", "--output-format", "mp3", "--output-format", "flac", "--read-along")
    produce(book, "--sequential", "--bitrate", "96")
    produce(small_epub(book, "<h1>One</h1><p>It begins.</p>", "<h1>Two</h1><p>It is over.</p>"), "--sequential")
    assert capsys.readouterr().out.splitlines() == [
        "2 of 2 parts to speak, 0 are there already",
        "1 of 2 parts to speak, 1 are there already",
        "0 of 2 parts to speak, 2 are there already",
        "0 of 2 parts to speak, 2 are there already",
        "1 of 2 parts to speak, 1 are there already",
    ]
    assert len({plan.book_id for plan, _ in asked}) == 4


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
    store = directory_store(tmp_path / "storage")
    assert store.get(keys.clip(plan.speech.voice)) == b"speech"
