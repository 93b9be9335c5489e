"""What a viewer sends becomes options and a file name, and never anything else."""

import pytest

from e2a.errors import ExitCode, UserError
from monitor.producing import LONGEST_NAME, UploadOptions, arguments, safe_name


def test_options_are_those_of_the_producer() -> None:
    """What is asked for is handed on, each value with its option in one word; what is not, is not."""
    options = UploadOptions(
        engine="coqui",
        model="tts_models/en/vctk/vits",
        voice="Claribel Dervla",
        language="fr-CA",
        speed=1.25,
        urgent=True,
    )
    assert arguments(options) == [
        "--no-recording",
        "--engine=coqui",
        "--model=tts_models/en/vctk/vits",
        "--voice=Claribel Dervla",
        "--language=fr-CA",
        "--speed=1.25",
        "--urgent",
    ]
    assert arguments(UploadOptions()) == ["--no-recording", "--speed=1.0"]


@pytest.mark.parametrize("name", ["engine", "model", "voice", "language"])
@pytest.mark.parametrize(
    "value",
    ["--output-dir=/", "-h", "/etc/passwd", "../x", "./x", "~/x.wav", "a/../b", "a\nb", "a\0b", " a", "x" * 1000],
)
def test_what_is_no_option(name: str, value: str) -> None:
    """What could be another option, or a file of the machine, is refused, and the message names it."""
    with pytest.raises(UserError, match=name) as refused:
        arguments(UploadOptions(**{name: value}))
    assert refused.value.code == ExitCode.USAGE


@pytest.mark.parametrize("speed", [0.4, 2.1, -1.0, float("nan"), float("inf")])
def test_what_is_no_speed(speed: float) -> None:
    """A speed that no engine has is refused."""
    with pytest.raises(UserError, match="speed"):
        arguments(UploadOptions(speed=speed))


@pytest.mark.parametrize("voice", ["p225", "en-us+f3", "female-en-5", "Ana Florença", "clip:0123abcd", "声优"])
def test_voices_of_engines(voice: str) -> None:
    """Voices are called what engines call them."""
    assert f"--voice={voice}" in arguments(UploadOptions(voice=voice))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Emma.epub", "Emma.epub"),
        ("Emma.EPUB", "Emma.epub"),
        ("Emma", "Emma.epub"),
        ("Emma (1).epub", "Emma (1).epub"),
        ("../../etc/passwd", "passwd.epub"),
        ("C:\\books\\Emma.epub", "Emma.epub"),
        ("--output-dir=x.epub", "output-dir=x.epub"),
        ("-.epub", "book.epub"),
        ("", "book.epub"),
        ("/", "book.epub"),
        ("..", "book.epub"),
        (".epub", "book.epub"),
        ("a\n\0b\x1b[31m.epub", "a b [31m.epub"),
        ("\u202egnp.epub", "gnp.epub"),
        ("\udcff.epub", "book.epub"),
        ("Émile 本 🎧.epub", "Émile 本 🎧.epub"),
    ],
)
def test_names_of_books(name: str, safe: str) -> None:
    """A file keeps its name as far as it names a file of one folder, and no option."""
    assert safe_name(name) == safe


def test_a_long_name_is_cut() -> None:
    """A name of any length becomes one that file systems take."""
    assert len(safe_name("ä" * 10_000).encode()) <= LONGEST_NAME + len(".epub")
