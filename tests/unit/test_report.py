"""The report of a finished book: what is in it, and that what was ever stored stays readable."""

import json
from pathlib import Path
from typing import Any

import pytest

from e2a.plan import Accounting, Chapter, Plan, Retake, Sidecar
from e2a.report import Report, ReportedChapter, ReportedFile, ReportedRetake, ReportedWorker
from merger.assembly import chapter_marks
from merger.report import report
from tests.unit.builders import BOOK, a_part, a_plan, a_sidecar, a_speech

PLAN = a_plan(
    chapters=(
        Chapter(index=0, title="I", parts=(a_part(0, 0), a_part(1, 0))),
        Chapter(index=1, title="II", group=("Book One",), parts=(a_part(2, 1),)),
    )
)
AGAIN = Retake(sentence=0, start=0.25, text="Where am I?", takes=2, flaws=("too-short",))
DOUBTFUL = Retake(sentence=0, start=0.5, text="Here.", takes=4, flaws=("loop",), doubtful=("cut",))


FILES = (
    ReportedFile(format="m4b", key="books/book.m4b", name=".m4b", size=7),
    ReportedFile(format="mp3", key="books/mp3/001.mp3", name="/01 I.mp3", size=8),
)


def reported(plan: Plan = PLAN, retakes: dict[int, tuple[Retake, ...]] | None = None) -> Report:
    """Return the report of a book whose parts last 1 s, 2 s and 3 s."""
    sidecars: list[Sidecar] = [
        a_sidecar(part, samples=10_240 * (part.index + 1), retakes=(retakes or {}).get(part.index, ()))
        for part in plan.parts
    ]
    return report(plan, sidecars, chapter_marks(plan, sidecars), files=FILES, problems=("late",), versions={"e2a": "1"})


def test_what_the_producer_needs() -> None:
    """The report names the book, its length, all files, and the first of them with its size."""
    made = reported()
    assert made.files == FILES
    assert (made.version, made.book_id, made.output, made.audio_seconds, made.audio_bytes) == (
        3,
        BOOK,
        "books/book.m4b",
        6.0,
        7,
    )


def made_of(**changes: list[Any]) -> Report:
    """Return the report of a book whose three parts of 1 s, 2 s and 3 s have sidecars with these values, in order."""
    sidecars = [
        a_sidecar(
            part, samples=10_240 * (part.index + 1), **{name: values[part.index] for name, values in changes.items()}
        )
        for part in PLAN.parts
    ]
    return report(PLAN, sidecars, chapter_marks(PLAN, sidecars), files=())


def test_a_book_without_files() -> None:
    """What could not be made is not made up: a book without a file has none."""
    made = made_of()
    assert (made.output, made.audio_bytes, made.files) == ("", 0, ())


def test_loudness() -> None:
    """A chapter is as loud as its parts are on average by energy, the longer counting for more."""
    loudness = [chapter.loudness for chapter in made_of(loudness=[-20.0, -17.0, None]).chapters]
    assert loudness == [pytest.approx(-17.79, abs=0.01), None]
    assert made_of(loudness=[None, -17.0, -18.5]).chapters[0].loudness == -17.0


def test_workers() -> None:
    """Each worker has its parts, what they are long and what they cost."""
    made = made_of(worker=["gpu-1", "gpu-0", "gpu-1"], work_seconds=[0.5, 0.25, 0.5])
    assert made.workers == (
        ReportedWorker(worker="gpu-0", parts=1, audio_seconds=2.0, work_seconds=0.25),
        ReportedWorker(worker="gpu-1", parts=2, audio_seconds=4.0, work_seconds=1.0),
    )


def test_versions() -> None:
    """What spoke and what encoded is named beside what assembled, all of them where there were several."""
    assert made_of(engine=["a", "b", "a"]).versions == {"engine": "a, b", "encoder": "aac"}
    assert reported().versions == {"e2a": "1", "engine": "espeak", "encoder": "aac"}


def test_what_the_plan_says() -> None:
    """Title, authors, way of speaking, accounting and problems are those of the plan."""
    accounting = Accounting(characters=9, spoken=8, skipped={"footnote": 1})
    speech = a_speech(engine="xtts", voice="Ana")
    plan = PLAN.model_copy(update={"accounting": accounting, "problems": ("a.xhtml is missing",), "speech": speech})
    made = reported(plan)
    assert (made.title, made.authors, made.speech) == ("Emma", ("Jane Austen",), speech)
    assert (made.accounting, made.problems) == (accounting, ("a.xhtml is missing", "late"))


def test_chapters() -> None:
    """Every chapter has its full title, its beginning in the book and its length."""
    assert reported().chapters == (
        ReportedChapter(title="I", start=0.0, seconds=3.0, loudness=-19.0),
        ReportedChapter(title="Book One: II", start=3.0, seconds=3.0, loudness=-19.0),
    )


def test_retakes() -> None:
    """Every retake is there in reading order, with its chapter as readers count and its place in the whole book."""
    assert reported(retakes={2: (DOUBTFUL,), 1: (AGAIN, DOUBTFUL)}).retakes == (
        ReportedRetake(
            chapter=1, title="I", part=1, start=1.25, text="Where am I?", takes=2, flaws=("too-short",), doubtful=()
        ),
        ReportedRetake(
            chapter=1, title="I", part=1, start=1.5, text="Here.", takes=4, flaws=("loop",), doubtful=("cut",)
        ),
        ReportedRetake(
            chapter=2,
            title="Book One: II",
            part=2,
            start=3.5,
            text="Here.",
            takes=4,
            flaws=("loop",),
            doubtful=("cut",),
        ),
    )


def test_without_retakes() -> None:
    """A book whose first takes were all good has none."""
    assert reported().retakes == ()


@pytest.mark.parametrize("name", ["golden/BookDone-1", "stored/Report-2", "stored/Report-3"])
def test_what_is_in_storage_stays_readable(name: str) -> None:
    """A report of every version, the first of which was an event, is read, and no field of it is lost or changed."""
    stored = json.loads((Path(__file__).parent / f"{name}.json").read_text())
    known = {field: value for field, value in stored.items() if field != "type"}
    only = {"format": "m4b", "key": stored["output"], "name": ".m4b", "size": stored["audio_bytes"]}
    read = Report.model_validate(stored).model_dump(mode="json", exclude_unset=True)
    assert read == {"files": [only]} | known
