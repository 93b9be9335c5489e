"""How recognisers are found, and what they may hear in a good take."""

# ruff: noqa: RUF001 - the marks of other scripts look like ASCII

from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from e2a.errors import ExitCode, UserError
from e2a.settings import SynthSettings
from synth_consumer import recognition
from synth_consumer.engines import Pcm
from synth_consumer.recognition import Recogniser, misheard, word_errors, words

TEXT = "The lamp in the window of the old house was still burning."


class Ear(Recogniser):
    """Hears what it is told to; silence as nothing."""

    name = "ear"

    def __init__(self, settings: SynthSettings) -> None:
        self.says = ""
        self.device = settings.device

    def load(self) -> None:
        self.says = TEXT

    def hear(self, pcm: Pcm, sample_rate: int, language: str) -> str:
        return self.says if pcm.any() else ""


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the recogniser of this file, and one whose packages are missing."""
    ear = EntryPoint(name="ear", value=f"{__name__}:Ear", group=recognition.GROUP)
    broken = EntryPoint(name="broken", value="no_such_package:Ear", group=recognition.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: Ear if self is ear else __import__(self.module))
    monkeypatch.setattr(recognition, "entry_points", lambda **_query: EntryPoints([ear, broken]))


@pytest.mark.usefixtures("installed")
def test_makes_the_recogniser_of_an_entry_point() -> None:
    """The factory of the entry point is given the settings, and what it makes hears."""
    recogniser = recognition.create(SynthSettings(recogniser="ear", device="cpu"))
    assert isinstance(recogniser, Ear)
    assert recogniser.device == "cpu"
    assert not misheard(TEXT, recogniser.hear(np.ones(100, np.float32), 24000, "en"), "en")
    assert misheard(TEXT, recogniser.hear(np.zeros(100, np.float32), 24000, "en"), "en")


@pytest.mark.usefixtures("installed")
def test_names_a_recogniser_that_is_not_installed() -> None:
    """An unknown recogniser is a configuration error that lists the known ones."""
    with pytest.raises(UserError, match="recogniser 'owl' is not installed; there are: broken, ear") as caught:
        recognition.create(SynthSettings(recogniser="owl"))
    assert caught.value.code == ExitCode.CONFIG


def test_there_is_none_unless_it_is_asked_for() -> None:
    """Takes are not listened to by default."""
    assert recognition.create(SynthSettings()) is None


def test_says_that_no_recogniser_is_installed() -> None:
    """This package brings none."""
    with pytest.raises(UserError, match="there are: none"):
        recognition.create(SynthSettings(recogniser="owl"))


@pytest.mark.usefixtures("installed")
def test_names_what_a_recogniser_needs() -> None:
    """A recogniser whose packages are missing says which."""
    with pytest.raises(UserError, match="recogniser 'broken': No module named 'no_such_package'") as caught:
        recognition.create(SynthSettings(recogniser="broken"))
    assert caught.value.code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("expected", "heard", "language"),
    [
        ("“Well,” said she – ‘at LAST!’", "well said she at last", "en"),
        ("It’s the well-known house.", "its the well known house", "en"),
        ("Everyone cannot go.", "every one can not go", "en"),
        ("In 1984 he bought 27 apples.", "in nineteen eighty-four he bought twenty seven apples", "en"),
        ("In nineteen eighty-four.", "in 1984", "en"),
        ("Im Jahre 1984 kam er.", "im jahre neunzehnhundertvierundachtzig kam er", "de"),
        ("Die Straße", "die strasse", "de"),
        ("L'homme d’hier", "l homme d hier", "fr"),
        ("他买了27个苹果。", "他买了二十七个苹果", "zh"),
        ("كَتَبَ الوَلَدُ", "كتب الولد", "ar"),
    ],
)
def test_the_same_in_other_writing_is_no_error(expected: str, heard: str, language: str) -> None:
    """Case, marks, joints of words and the writing of numbers are not what a voice got wrong."""
    assert word_errors(expected, heard, language) == 0


@pytest.mark.parametrize(
    ("heard", "errors"),
    [
        ("the lamp in the window of the old house was still", 1),
        ("the lamp in the window of the new house was still burning", 1),
        ("and the lamp in the window of the old house was still burning bright", 2),
        ("the lamp window of the old house was still bright", 3),
        ("", 12),
    ],
)
def test_counts_wrong_missing_and_extra_words(heard: str, errors: int) -> None:
    """The rate is the fewest edits over the words of the text."""
    assert word_errors(TEXT, heard, "en") == errors / 12


def test_another_number_is_an_error() -> None:
    """Only a number beside words is forgiven, neither another number nor none."""
    assert word_errors("In 1984 he came", "in 1985 he came", "en") == 1 / 4
    assert word_errors("In 1984 he came", "in he came", "en") == 1 / 4


def test_accents_are_letters() -> None:
    """Accents are kept, for they make other words."""
    assert word_errors("un pêcheur", "un pécheur", "fr") == 0.5


def test_languages_without_spaces_are_compared_by_characters() -> None:
    """Chinese, Japanese and Thai have no words to count; marks of Hindi do not part one."""
    assert words("我们走了12天，OK。", "zh-TW") == ["我", "们", "走", "了", "12", "天", "ok"]
    assert word_errors("我们走了", "我们来了", "zh") == 1 / 4
    assert words("हिंदी में", "hi") == ["हिंदी", "में"]


@pytest.mark.parametrize(
    "heard",
    [
        TEXT,
        "the lamp in a window of the old house was still burning",
        "the lamp in the widow of an old horse was still burning",
        "oh the lamp in the window of the old house was still burning well",
    ],
)
def test_forgives_what_recognisers_get_wrong(heard: str) -> None:
    """A word in four may be another one."""
    assert not misheard(TEXT, heard, "en")


@pytest.mark.parametrize(
    "heard",
    [
        "the lamp in the window of the old house",
        f"{TEXT} was still burning",
        f"{TEXT} {TEXT}",
        "the ramp in a window of the cold horse was still burning",
        "thank you for watching",
        "",
    ],
)
def test_hears_what_is_missing_doubled_or_made_up(heard: str) -> None:
    """Three words in a row missing or too many, or more than a quarter wrong, is a fault."""
    assert misheard(TEXT, heard, "en")


def test_is_lenient_with_a_few_words() -> None:
    """Of one or two words anything may be heard, but not nothing and not a sentence."""
    assert not misheard("No.", "know", "en")
    assert not misheard("Come in!", "coming", "en")
    assert misheard("Who is there?", "thank you", "en")
    assert misheard("No.", "", "en")
    assert misheard("No.", "no one has ever been there", "en")


def test_characters_are_smaller_than_words() -> None:
    """Where characters are compared, twice as many may differ in a row."""
    text = "我们很早就出发了，因为山上的路很长。"
    assert not misheard(text, "我们很早就出发了，的路很长。", "zh")
    assert misheard(text, "我们很早就出发了。", "zh")


def test_nothing_to_say_is_never_misheard() -> None:
    """A text without words has nothing that could be missing."""
    assert not misheard("…", "well", "en")
