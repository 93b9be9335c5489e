"""Who can speak: the table of engines, the page that says the same, and what may be asked of an engine."""

import io
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from rich.console import Console

from e2a import traits
from e2a.errors import ExitCode, UserError
from producer import voices

PAGE = Path(__file__).parents[2] / "docs" / "voices.md"


def shown(width: int = 80) -> str:
    """Return the table as a terminal shows it."""
    console = Console(file=io.StringIO(), width=width)
    console.print(voices.table(), highlight=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def rows() -> dict[str, dict[str, str]]:
    """Return what the table says of each engine, by label."""
    found: dict[str, dict[str, str]] = {}
    for line in shown(width=200).splitlines():
        engine, label, said = (line[:14].strip(), line[14:32].strip(), line[32:].strip())
        if engine and line.startswith("  "):
            found[engine] = {}
        if said and found and line.startswith("  "):
            found[list(found)[-1]][label] = said
    return found


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the engines that are installed, for the test to change."""
    names = ["coqui", "espeak", "simulated", "xtts"]

    def found(group: str) -> EntryPoints:
        return EntryPoints(EntryPoint(name, "nowhere:Engine", group) for name in names)

    monkeypatch.setattr(voices, "entry_points", found)
    return names


def test_every_engine_has_its_facts(engines: list[str]) -> None:
    """Each engine is listed once, installed or not: with what is known of it, or what is assumed of a third party's."""
    engines.append("parrot [b]")
    engines.remove("simulated")
    found = rows()
    assert list(found) == ["coqui", "espeak", "parrot [b]", "simulated", "xtts"]
    for engine in traits.ENGINES:
        assert found[engine].items() >= dict(voices.facts(engine)).items()
    assert found["parrot [b]"] == {
        "longest sentence": "250 characters",
        "all else": "see its package",
        "on this machine": "installed",
    }
    assert found["simulated"]["on this machine"] == "not installed"


def test_limits_of_xtts() -> None:
    """The languages of XTTS are named, its limits are those of its languages, and what its licence forbids is said."""
    said = dict(voices.facts("xtts"))
    assert said["languages"] == "ar, cs, de, en, es, fr, hi, hu, it, ja, ko, nl, pl, pt, ru, tr, zh"
    assert said["longest sentence"] == "56 to 218 characters, by language"
    assert all(
        "non-commercial use only (CPML)" in dict(voices.facts(engine))["licence"] for engine in ("xtts", "coqui")
    )


def test_table_fits_a_terminal(engines: list[str]) -> None:
    """In 80 columns nothing is cut off, and every text is there whole."""
    lines = shown().splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in shown()
    words = " ".join(line[32:].strip() for line in lines)
    for engine in traits.ENGINES:
        assert all(said in words for _, said in voices.facts(engine))


def test_what_an_engine_lacks(engines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that lacks its program or package is told with what installs it; nothing is imported to find out."""
    monkeypatch.setattr(voices.shutil, "which", lambda program: None)
    monkeypatch.setattr(voices, "find_spec", lambda package: None)
    engines.remove("simulated")
    assert [voices.state(engine) for engine in traits.ENGINES] == [
        "not installed: apt-get install espeak-ng",
        "not installed",
        "not installed: pip install '.[coqui]'",
        "not installed: pip install '.[coqui]'",
    ]
    monkeypatch.setattr(voices.shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(voices, "find_spec", lambda package: package)
    assert {voices.state(engine) for engine in engines} == {"installed"}


def test_page_says_the_same() -> None:
    """docs/voices.md has all that is known of each engine, as the table of the terminal has it."""
    page = PAGE.read_text(encoding="utf-8")
    labels = [label for label, _ in voices.facts("espeak")]
    assert f"| engine | {' | '.join(labels)} |" in page
    for engine in traits.ENGINES:
        assert f"| `{engine}` | {' | '.join(said for _, said in voices.facts(engine))} |" in page
    for language in traits.of("xtts").languages or ():
        assert f"| {language} | {traits.of('xtts', language).sentence_limit} |" in page


@pytest.mark.parametrize("language", ["en", "EN_us", "pt-BR", "zh-Hant", "zh-CN"])
def test_language_that_is_spoken(language: str) -> None:
    """A language is known by its primary subtag, whatever script and region it has."""
    voices.check_language("xtts", language)


@pytest.mark.parametrize("engine", ["coqui", "espeak", "simulated", "parrot"])
def test_language_that_only_the_engine_knows(engine: str) -> None:
    """Where only a model or a program knows its languages, none is refused."""
    voices.check_language(engine, "tlh")


@pytest.mark.parametrize("language", ["nb-NO", "no", "sv", "el", "yue"])
def test_language_that_is_not_spoken(engines: list[str], language: str) -> None:
    """A language that is surely not spoken is refused with those that are, and with the engines that may speak it."""
    with pytest.raises(UserError) as caught:
        voices.check_language("xtts", language)
    said = str(caught.value)
    assert caught.value.code == ExitCode.USAGE
    assert said.startswith(f"engine xtts does not speak {language!r}, only ar, cs, de, ")
    assert "such as coqui or espeak, or name the language with --language" in said


@pytest.mark.parametrize("voice", ["", "en-us+f3", "Claribel Dervla", "p225", "no-such-file"])
@pytest.mark.parametrize("engine", ["espeak", "xtts", "parrot"])
def test_name_of_a_voice(engine: str, voice: str) -> None:
    """What does not look like a file and is none is the name of a voice."""
    assert voices.read_clip(voice, engine) == b""


@pytest.mark.parametrize("engine", ["coqui", "xtts", "parrot"])
@pytest.mark.parametrize("name", ["anna.wav", "anna.MP3", "anna", "a folder/anna"])
def test_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, name: str) -> None:
    """A file is read as it is, by whatever path it is named."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"speech")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for written in (name, str(path), f"./{name}", f"~/{name}"):
        assert voices.read_clip(written, engine) == b"speech"


def test_file_that_has_the_name_of_a_voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that takes no recording has its voice, also where a file of that name lies about."""
    (tmp_path / "en").write_bytes(b"notes")
    monkeypatch.chdir(tmp_path)
    assert voices.read_clip("en", "espeak") == b""


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("none.wav", ExitCode.NO_INPUT, "No such file or directory; --voice takes a recording, or the name"),
        ("none", ExitCode.NO_INPUT, "No such file or directory; --voice takes a recording, or the name"),
        (".", ExitCode.NO_INPUT, "Is a directory; --voice takes a recording, or the name of a voice"),
        (f"{'x' * 300}.wav", ExitCode.NO_INPUT, "File name too long; --voice takes a recording"),
        ("empty.wav", ExitCode.BAD_INPUT, "is empty; record the voice again"),
        ("long.wav", ExitCode.BAD_INPUT, "larger than 50 MB; cut 6 to 30 seconds of clear speech out of it"),
    ],
)
def test_recording_that_cannot_be_used(tmp_path: Path, name: str, code: ExitCode, said: str) -> None:
    """A recording that is missing, a folder, empty or endless is named with what to do."""
    (tmp_path / "empty.wav").touch()
    with (tmp_path / "long.wav").open("wb") as file:
        file.truncate(voices.LARGEST_CLIP + 1)
    with pytest.raises(UserError) as caught:
        voices.read_clip(f"{tmp_path}/{name}", "xtts")
    assert caught.value.code == code
    assert str(caught.value).startswith(f"{tmp_path / name}: {said}")


def test_largest_recording(tmp_path: Path) -> None:
    """A recording may be as large as is said."""
    with (tmp_path / "long.wav").open("wb") as file:
        file.truncate(voices.LARGEST_CLIP)
    assert len(voices.read_clip(f"{tmp_path}/long.wav", "xtts")) == 50_000_000


@pytest.mark.parametrize("voice", ["anna.wav", "anna.MP3", "voices/anna", "~/anna.flac"])
@pytest.mark.parametrize("engine", ["espeak", "simulated"])
def test_engine_that_takes_no_recording(engines: list[str], engine: str, voice: str) -> None:
    """An engine that cannot speak with the voice of a recording says which can, whether the file is there or not."""
    with pytest.raises(UserError) as caught:
        voices.read_clip(voice, engine)
    assert caught.value.code == ExitCode.USAGE
    assert str(caught.value).startswith(f"--voice {voice}: engine {engine} takes no recording")
    assert str(caught.value).endswith("engines that do: coqui or xtts")
