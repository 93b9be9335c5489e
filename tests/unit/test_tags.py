"""Tags and chapter marks in FFmpeg's metadata format."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a.plan import Metadata, Plan
from merger.tags import Mark, ffmetadata, language_code
from tests.unit.builders import a_plan, a_speech

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
"""Whatever XML can hold, and more."""


def tags(plan: Plan, marks: tuple[Mark, ...] = ()) -> dict[str, str]:
    """Read the global tags as FFmpeg does: a backslash protects what follows it, the first bare = ends the key."""
    header, *_ = re.split(r"(?m)^\[CHAPTER\]$", ffmetadata(plan, marks, 24_000))
    first, *lines = re.findall(r"(?s)((?:\\.|[^\\\n])*)\n", header)
    assert first == ";FFMETADATA1"
    found = {}
    for line in lines:
        match = re.fullmatch(r"((?:\\.|[^\\=])*)=((?:\\.|[^\\])*)", line)
        assert match is not None, line
        assert line[0] not in ";#"
        key, value = (re.sub(r"\\(.)", r"\1", part) for part in match.groups())
        found[key] = value
    return found


def test_tags() -> None:
    """A book has title, album, authors, narrator, genre and what players need to see an audiobook."""
    plan = a_plan(title="Emma", authors=("Jane Austen", "A. Editor"), speech=a_speech(voice="en+f3"))
    assert tags(plan) == {
        "title": "Emma",
        "album": "Emma",
        "artist": "Jane Austen, A. Editor",
        "album_artist": "Jane Austen, A. Editor",
        "composer": "espeak: en+f3",
        "genre": "Audiobook",
        "media_type": "2",
        "gapless_playback": "1",
    }


ABOUT = Metadata(
    description="A novel = of; #1 \\ manners.",
    publisher="John Murray",
    date="1815-12-23",
    isbn="9780141439587",
    series="The Novels",
    series_index="4",
)


def test_what_the_book_says_of_itself() -> None:
    """Year, description and series are where players look for them."""
    found = tags(a_plan(metadata=ABOUT))
    assert found["date"] == "1815"
    assert found["description"] == found["synopsis"] == found["comment"] == ABOUT.description
    assert (found["show"], found["episode_id"], found["grouping"]) == ("The Novels", "4", "The Novels #4")


@pytest.mark.parametrize(
    ("date", "written"),
    [
        ("2011-09-01T10:00:00Z", "2011"),
        ("c. 1815", "1815"),
        ("MDCCCXV", "MDCCCXV"),
        ("20110901", "20110901"),
        ("", None),
    ],
)
def test_year(date: str, written: str | None) -> None:
    """The date is a year where one can be made out."""
    assert tags(a_plan(metadata=Metadata(date=date))).get("date") == written


def test_series_without_a_number() -> None:
    """A book may be of a series without a place in it; a place without a series is none."""
    assert tags(a_plan(metadata=Metadata(series="Novels")))["grouping"] == "Novels"
    assert not {"grouping", "episode_id", "show"} & set(tags(a_plan(metadata=Metadata(series_index="4"))))


@pytest.mark.parametrize(("tag", "code"), [("en-GB", "eng"), ("fr", "fra"), ("zh-Hans", "zho"), ("xx", "und")])
def test_language_code(tag: str, code: str) -> None:
    """The language of the audio is three letters, as MP4 has it."""
    assert language_code(a_plan(speech=a_speech(language=tag))) == code


def test_default_voice() -> None:
    """The engine alone is the narrator when no voice was chosen."""
    assert tags(a_plan(speech=a_speech(voice="")))["composer"] == "espeak"


@pytest.mark.parametrize(
    ("speech", "narrator"),
    [
        ({"engine": "xtts", "voice": "Claribel Dervla"}, "xtts: Claribel Dervla"),
        ({"engine": "xtts", "voice": f"clip:{'0f' * 32}"}, "xtts: a recorded voice"),
        ({"engine": "xtts", "model": "my-voice"}, "xtts my-voice"),
        (
            {"engine": "coqui", "model": "tts_models/en/vctk/vits", "voice": "p225"},
            "coqui tts_models/en/vctk/vits: p225",
        ),
    ],
)
def test_narrator(speech: dict[str, str], narrator: str) -> None:
    """The narrator is the engine, its model and its voice by name; a recording has no name."""
    assert tags(a_plan(speech=a_speech(**speech)))["composer"] == narrator


def test_simulated_engine_is_labelled() -> None:
    """A book without speech says so."""
    plan = a_plan(speech=a_speech(engine="simulated", voice="tone"))
    assert tags(plan)["composer"] == "simulated: tone (simulated: no speech)"


def test_empty_values_are_left_out() -> None:
    """A book without authors has no empty tags."""
    found = tags(a_plan(authors=()))
    assert not {"artist", "album_artist"} & set(found)
    assert all(found.values())


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
    """What the format gives a meaning to is escaped, in tags and in marks; a line break is a space."""
    lines = ffmetadata(a_plan(title=title), [Mark(title, 0, 1024)], 24_000).splitlines()
    assert lines.count(f"title={written}") == 2
    assert f"album={written}" in lines


@given(TEXT, st.lists(TEXT, max_size=2), TEXT)
def test_any_text_survives(title: str, authors: list[str], chapter: str) -> None:
    """Whatever a book is called, a reader of the format gets its words back and no tag more."""
    found = tags(a_plan(title=title, authors=tuple(authors)), (Mark(chapter, 0, 1024),))
    assert found.get("title", "") == " ".join(title.split())
    assert found.get("artist", "") == " ".join(", ".join(authors).split())
    assert set(found) <= set(tags(a_plan()))


def test_chapter_marks() -> None:
    """Each mark is exact to the sample, in units of one sample, in the order given."""
    marks = [Mark("One", 0, 30_720), Mark("", 30_720, 61_441)]
    _, first, second = ffmetadata(a_plan(), marks, 24_000).split("[CHAPTER]\n")
    assert first == "TIMEBASE=1/24000\nSTART=0\nEND=30720\ntitle=One\n"
    assert second == "TIMEBASE=1/24000\nSTART=30720\nEND=61441\ntitle=\n"
