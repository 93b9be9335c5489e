"""Names of files that every system takes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a.report import ReportedFile
from merger.names import LONGEST, safe, track_name

NOT_ON_WINDOWS = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("The Pool of Tears", "The Pool of Tears"),
        ("Part One: Chapter 3", "Part One - Chapter 3"),
        ("12:30", "12-30"),
        ("Either/Or \\ Both", "Either-Or - Both"),
        ('"Who?" *she* <said>', "Who she said"),
        ("The end...", "The end"),
        (" two\nlines\u2028three\tx ", "two lines three x"),
        ("CON", "CON"),
        ("...", ""),
        ("👩‍👩‍👧 🎧", "👩‍👩‍👧 🎧"),
        ("a\u202eb\x00\x7fc\ufeff", "abc"),
        ("Cafe\u0301", "Café"),
    ],
)
def test_safe(title: str, name: str) -> None:
    """A title stays what it is where it can, and loses what some system forbids or does not show."""
    assert safe(title) == name


def test_track_name() -> None:
    """Numbers are as wide as the largest, at least two digits; a chapter without a title has its number."""
    assert track_name(3, 12, "The Pool of Tears") == "03 The Pool of Tears"
    assert track_name(3, 120, "CON") == "003 CON"
    assert track_name(3, 9, "??") == "03"


@pytest.mark.parametrize("title", ["é" * 500, "🎧" * 500, "👩‍👩‍👧" * 50, "e\u0323\u0302" * 200, "x" * 500])
def test_long_titles_are_cut_between_characters(title: str) -> None:
    """A title is cut to its most bytes, and what is left is a whole beginning of it."""
    name = safe(title)
    assert LONGEST - 30 < len(name.encode()) <= LONGEST
    assert safe(title * 2) == name
    assert not name.endswith("\u200d")


@given(st.text(), st.integers(1, 999))
def test_any_title_is_a_name(title: str, number: int) -> None:
    """Whatever a chapter is called, its name is one that every system and the report take."""
    name = track_name(number, 999, title)
    assert not NOT_ON_WINDOWS.search(name)
    assert name == name.strip(" .")
    assert name.startswith(f"{number:03}")
    assert len(f"{name}.opus".encode()) <= 143
    assert ReportedFile(format="mp3", key="k", name=f"/{name}.mp3", size=1).name
