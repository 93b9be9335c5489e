"""Captions: every sentence, where it is heard."""

import re

from hypothesis import given
from hypothesis import strategies as st

from e2a.plan import Chapter, Plan, Sentence
from merger.captions import captions
from merger.clock import clock
from tests.unit.builders import a_part, a_plan, a_sidecar


def a_book(text: str = "Who said <b>so</b> & why?", title: str = "One") -> Plan:
    """Return a book of two chapters of a part each, the first of two sentences."""
    sentences = (Sentence(text=text, pause_ms=0), Sentence(text="Second.", spoken="second", pause_ms=0))
    chapters = (
        Chapter(index=0, title=title, group=("Part I",), parts=(a_part(0, 0, sentences=sentences),)),
        Chapter(index=1, title="Two", parts=(a_part(1, 1),)),
    )
    return a_plan(chapters=chapters)


def captions_of(plan: Plan) -> str:
    """Return the captions of a book of a second a part."""
    spans = {0: ((1024, 5120), (5120, 9216)), 1: ((2048, 8192),)}
    return captions(plan, [a_sidecar(part, sentences=spans[part.index]) for part in plan.parts])


def test_every_sentence_where_it_is_heard() -> None:
    """Cues follow each other through all parts, under the titles of their chapters, in the words of the book."""
    assert captions_of(a_book()) == (
        "WEBVTT\n\nNOTE Part I: One\n\n"
        "e2a-0-0\n00:00:00.100 --> 00:00:00.500\nWho said &lt;b&gt;so&lt;/b&gt; &amp; why?\n\n"
        "e2a-0-1\n00:00:00.500 --> 00:00:00.900\nSecond.\n\n"
        "NOTE Two\n\n"
        "e2a-1-0\n00:00:01.200 --> 00:00:01.800\nThis is part 1.\n"
    )


@given(st.text(), st.text())
def test_no_text_breaks_a_cue(text: str, title: str) -> None:
    """Whatever the book says, there is an arrow in the times only, and a block for each sentence and chapter."""
    made = captions_of(a_book(text, title))
    assert len(re.findall("-->", made)) == 3
    assert len(re.split(r"\n\n(?=NOTE|e2a-)", made)) == 6


def test_clock() -> None:
    """Times are in hours however long the book is, rounded to the millisecond."""
    assert [clock(seconds) for seconds in (0.0, 59.9996, 3661.5, 360_000.0)] == [
        "00:00:00.000",
        "00:01:00.000",
        "01:01:01.500",
        "100:00:00.000",
    ]
