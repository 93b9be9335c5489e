"""What a file says of itself, and chapter marks in FFmpeg's metadata format."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a.plan import Metadata
from merger.tags import Mark, Tags, about_book, about_chapter, ffmetadata, language_code
from tests.unit.builders import a_plan, a_speech

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
"""Whatever XML can hold, and more."""


def test_tags() -> None:
    """A book has title, authors, narrator, genre and language."""
    plan = a_plan(title="Emma", authors=("Jane Austen", "A. Editor"), speech=a_speech(voice="en+f3", language="en-GB"))
    assert about_book(plan) == Tags(
        title="Emma",
        album="Emma",
        authors="Jane Austen, A. Editor",
        narrator="espeak: en+f3",
        genre="Audiobook",
        language="en-GB",
        language_code="eng",
    )


def test_what_the_book_says_of_itself() -> None:
    """Description, publisher, ISBN, series and year are those of the EPUB."""
    about = Metadata(
        description="A novel = of; #1 \\ manners.\n\nAnd  more.",
        publisher="John Murray",
        date="1815-12-23",
        isbn="9780141439587",
        series="The Novels",
        series_index="4",
    )
    found = about_book(a_plan(metadata=about))
    assert found.description == "A novel = of; #1 \\ manners.\nAnd more."
    assert (found.publisher, found.isbn, found.year) == ("John Murray", "9780141439587", "1815")
    assert (found.series, found.series_index, found.place_in_series) == ("The Novels", "4", "The Novels #4")


def test_a_chapter() -> None:
    """A file that is one chapter has its title, the book's title as album, and its place among all."""
    plan = a_plan(title="Emma", parts=(1, 1, 1))
    found = about_chapter(plan, plan.chapters[1])
    assert (found.title, found.album, found.track) == ("Chapter 2", "Emma", (2, 3))
    assert about_book(plan).track is None


@pytest.mark.parametrize(
    ("date", "written"),
    [
        ("2011-09-01T10:00:00Z", "2011"),
        ("c. 1815", "1815"),
        ("MDCCCXV", "MDCCCXV"),
        ("20110901", "20110901"),
        ("", ""),
    ],
)
def test_year(date: str, written: str) -> None:
    """The date is a year where one can be made out."""
    assert about_book(a_plan(metadata=Metadata(date=date))).year == written


def test_series_without_a_number() -> None:
    """A book may be of a series without a place in it; a place without a series is none."""
    assert about_book(a_plan(metadata=Metadata(series="Novels"))).place_in_series == "Novels"
    found = about_book(a_plan(metadata=Metadata(series_index="4")))
    assert (found.series, found.series_index, found.place_in_series) == ("", "", "")


@pytest.mark.parametrize(("tag", "code"), [("en-GB", "eng"), ("fr", "fra"), ("zh-Hans", "zho"), ("xx", "und")])
def test_language_code(tag: str, code: str) -> None:
    """The language of the audio is three letters, as MP4 has it."""
    assert language_code(a_plan(speech=a_speech(language=tag))) == code


@pytest.mark.parametrize(
    ("speech", "narrator"),
    [
        ({"engine": "espeak", "voice": ""}, "espeak"),
        ({"engine": "xtts", "voice": "Claribel Dervla"}, "xtts: Claribel Dervla"),
        ({"engine": "xtts", "voice": f"clip:{'0f' * 32}"}, "xtts: a recorded voice"),
        ({"engine": "xtts", "model": "my-voice"}, "xtts my-voice"),
        (
            {"engine": "coqui", "model": "tts_models/en/vctk/vits", "voice": "p225"},
            "coqui tts_models/en/vctk/vits: p225",
        ),
        ({"engine": "simulated", "voice": "tone"}, "simulated: tone (simulated: no speech)"),
    ],
)
def test_narrator(speech: dict[str, str], narrator: str) -> None:
    """The narrator is the engine, its model and its voice by name; a recording has none, and no speech is no speech."""
    assert about_book(a_plan(speech=a_speech(**speech))).narrator == narrator


@given(TEXT, st.lists(TEXT, max_size=2), TEXT, TEXT)
def test_any_text_is_clean(title: str, authors: list[str], series: str, description: str) -> None:
    """Whatever a book is called, its tags hold no control characters, and line breaks only in the description."""
    metadata = Metadata(series=series, description=description)
    found = about_book(a_plan(title=title, authors=tuple(authors), metadata=metadata))
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", found.title + found.authors + found.series)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]|\n\n|^\s|\s$", found.description)


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("1 + 1 = 2", r"1 + 1 \= 2"),
        ("; not a comment", r"\; not a comment"),
        ("# nor this", r"\# nor this"),
        ("C:\\books\\", r"C:\\books\\"),
        ("two\nlines", "two lines"),
        ("two\r\nlines\tand  spaces ", "two lines and spaces"),
        ("Les Misérables 🎧", "Les Misérables 🎧"),
    ],
)
def test_escaping(title: str, written: str) -> None:
    """What the format gives a meaning to is escaped in marks; a line break is a space."""
    assert f"title={written}" in ffmetadata([Mark(title, 0.0, 1.0)], 24_000).splitlines()


@given(st.integers(0, 10**10), st.integers(1, 10**10), st.sampled_from([16_000, 22_050, 24_000, 44_100, 48_000]))
def test_chapter_marks(start: int, length: int, sample_rate: int) -> None:
    """A mark is exact to the sample, in units of one sample, however far into the book."""
    mark = Mark("One", start / sample_rate, (start + length) / sample_rate)
    assert ffmetadata([mark], sample_rate) == (
        f";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/{sample_rate}\nSTART={start}\nEND={start + length}\ntitle=One\n"
    )
