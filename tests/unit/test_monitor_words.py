"""What is said to viewers: in their language, with nothing left in another, and numbers as they write them."""

import re
import string
from collections.abc import Iterable
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import monitor
from monitor.words import LANGUAGES, UNKNOWN, one_line, words

SOURCES = Path(monitor.__file__).parent
ENGLISH, FRENCH = words("en-US", "Europe/Paris"), words("fr-FR", "Europe/Paris")
TRANSLATED = [language for language in LANGUAGES if language != "en"]


@pytest.fixture(scope="module")
def messages() -> set[str | tuple[str, ...]]:
    """Return what the sources say: a message, or the two of a plural."""
    found = extract_from_dir(SOURCES, keywords={"_": None, "plural": (1, 2)})
    return {message for _path, _line, message, _comments, _context in found}


def test_messages_are_said_so_that_they_are_found() -> None:
    """Nothing is said but by `_` or `plural`, as the search for messages knows them."""
    for path in SOURCES.rglob("*.py"):
        assert not re.search(r"\b(words|self)\(\s*[\"']", path.read_text()), path


def names(texts: Iterable[str]) -> set[str | None]:
    """Return the places in texts that are filled in."""
    return {name for text in texts for _text, name, _form, _conversion in string.Formatter().parse(text) if name}


def both(message: str | tuple[str, ...]) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else tuple(message)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_is_translated(language: str, messages: set[str | tuple[str, ...]]) -> None:
    """A language has each message of the sources, no other, and the same names are filled in."""
    with (SOURCES / "locale" / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, language)
    translated = {message.id if isinstance(message.id, str) else tuple(message.id): message for message in catalogue}
    del translated[""]
    assert translated.keys() == messages
    for message, entry in translated.items():
        assert not entry.fuzzy, message
        for text in both(entry.string):
            assert text.strip(), message
            assert names([text]) == names(both(message)), message


def test_messages_are_found(messages: set[str | tuple[str, ...]]) -> None:
    """The search of the test above finds messages of all kinds, those of the words themselves included."""
    assert {"Shelf", "{span} ago", ("{n} chapter", "{n} chapters")} <= messages


@pytest.mark.parametrize(
    ("browser", "language"),
    [("fr-CA", "fr"), ("fr", "fr"), ("en-GB", "en"), ("de-DE", "en"), (None, "en"), ("xx", "en"), ("../../fr", "en")],
)
def test_language_is_the_browsers(browser: str | None, language: str) -> None:
    """The page speaks the language of the browser where it knows it, else English; nonsense is no other file."""
    assert words(browser, None).language == language


def test_language_can_be_chosen() -> None:
    """A choice counts more than the browser, which still says how numbers are written in that language."""
    assert words("en-US", None, "fr").language == "fr"
    assert words("fr-FR", None, "en")("Shelf") == "Shelf"
    assert words("fr-CA", None, "fr").moment(0.0) != words("fr-FR", None, "fr").moment(0.0)


def test_messages_are_filled_in() -> None:
    """Names in a message are filled in, whatever braces the values have."""
    assert FRENCH("Cover of {title}", title="{x}") == "Couverture de {x}"
    assert FRENCH.plural("{n} book", "{n} books", 2) == "2 books"
    assert FRENCH.plural("{n} chapter", "{n} chapters", 1200) == "1\u202f200 chapitres"
    assert FRENCH.plural("{n} chapter", "{n} chapters", 0) == "0 chapitre"
    assert ENGLISH.plural("{n} chapter", "{n} chapters", 1) == "1 chapter"


@pytest.mark.parametrize(
    ("method", "values", "english", "french"),
    [
        ("number", (1234567.891, 2), "1,234,567.89", "1\u202f234\u202f567,89"),
        ("number", (None,), UNKNOWN, UNKNOWN),
        ("percent", (0.9999,), "99%", "99\xa0%"),
        ("percent", (1.0,), "100%", "100\xa0%"),
        ("times", (12.54,), "12.5\xd7", "12,5\xd7"),
        ("times", (123.4,), "123\xd7", "123\xd7"),
        ("clock", (3723.4,), "1:02:03", "1:02:03"),
        ("clock", (None,), UNKNOWN, UNKNOWN),
        ("span", (0.4,), "0 sec", "0\u202fs"),
        ("span", (7300.0,), "2 hr", "2\u202fh"),
        ("ago", (330.0,), "5 min ago", "il y a 5\u202fmin"),
        ("between", (720.0, 1080.0), "12 to 18 min", "12 à 18\u202fmin"),
        ("between", (5400.0, 9000.0), "1.5 to 2.5 hr", "1,5 à 2,5\u202fh"),
        ("between", (40.0, 100.0), "1 to 2 min", "1 à 2\u202fmin"),
        ("between", (3.0, 3.2), "3 sec", "3\u202fs"),
        ("size", (5_300_000_000,), "5.3 GB", "5,3\u202fGo"),
        ("size", (12_345,), "12 kB", "12\u202fko"),
        ("size", (0,), UNKNOWN, UNKNOWN),
        ("degrees", (64.4,), "64°C", "64\u202f°C"),
        ("watts", (None,), UNKNOWN, UNKNOWN),
        ("listed", (["a", "b"],), "a and b", "a et b"),
    ],
)
def test_figures_are_written_as_the_viewer_does(
    method: str, values: tuple[object, ...], english: str, french: str
) -> None:
    """Numbers, times and sizes are rounded as people say them, with the signs and units of the language."""
    said = [getattr(speaker, method)(*values) for speaker in (ENGLISH, FRENCH)]
    spaces = str.maketrans("\xa0\u202f", "  ")
    assert [each.translate(spaces) for each in said] == [each.translate(spaces) for each in (english, french)]


def test_moments_are_in_the_viewers_zone() -> None:
    """Times are told in the zone of the browser, and in UTC where it names none that there is."""
    assert "1:00" in words("en-US", "Europe/Paris").moment(0.0)
    assert "12:00" in words("en-US", "Mars/Olympus").moment(0.0)


def test_figures_have_the_viewers_locale() -> None:
    """Charts write numbers and days as the page does; weeks begin with Sunday there."""
    assert FRENCH.figures()["number"]["decimal"] == ","
    assert FRENCH.figures()["time"]["days"][0] == "dimanche"
    assert len(ENGLISH.figures()["time"]["months"]) == 12


def test_one_line_does_not_turn() -> None:
    """A text of several lines becomes one, and cannot turn the direction of what comes after it."""
    assert one_line("a\n\t b\u202ec\u2066d") == "a bcd"
