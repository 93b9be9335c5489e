"""The page as a viewer sees it, run by Streamlit's own test runner."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from e2a.checkpoint import BookRecord, PartRecord, WorkerRecord
from e2a.errors import Retryable
from e2a.plan import Retake
from e2a.testing import Clock, MemoryCheckpoint
from monitor import dashboard
from monitor.feed import Feed
from monitor.progress import LISTED

BOOK = BookRecord(
    book_id="b",
    title="Emma",
    authors=("Jane Austen",),
    engine="espeak",
    chapter_titles=("I", "II"),
    start_time=900.0,
    resumed_at=900.0,
    last_update=990.0,
)
PARTS = {
    0: PartRecord(chapter=0, estimate=100.0, state="done", audio_seconds=100.0),
    1: PartRecord(chapter=1, estimate=300.0),
}
WORKER = WorkerRecord(
    worker="gpu-0",
    engine="espeak",
    device="cpu",
    started=900.0,
    last_seen=999.0,
    last_take=930.0,
    partitions=(0, 3),
    book_id="b",
    chapter=1,
    sentence=12,
    sentences=40,
    audio_seconds=100.0,
    work_seconds=25.0,
    retaken=4,
    doubtful=1,
)


AGAIN = Retake(sentence=3, start=65.0, text="Where am I?", takes=2, flaws=("too-short",))
DOUBTFUL = Retake(sentence=0, start=1.0, text="![x](http://y) <b>\n# $z$", takes=4, flaws=("loop",), doubtful=("cut",))


def with_retakes(*retakes: Retake) -> dict[int, PartRecord]:
    """Return the parts of a book, the first of which has these retakes."""
    return PARTS | {0: PARTS[0].model_copy(update={"retakes": retakes})}


class Source(MemoryCheckpoint):
    """A checkpoint that goes away when told to."""

    away = ""

    def workers(self) -> list[WorkerRecord]:
        if self.away:
            raise Retryable(self.away)
        return super().workers()


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = 1000.0
    return clock


@pytest.fixture
def source(clock: Clock) -> Source:
    return Source(clock)


@pytest.fixture
def page(source: Source, clock: Clock) -> AppTest:
    return AppTest.from_function(
        script, kwargs={"feed": Feed(source, clock, keep=1.0), "clock": clock}, default_timeout=30
    )


def script(feed, clock):
    from monitor.dashboard import render  # noqa: PLC0415 - Streamlit runs the source of this function alone

    render(feed, 2.0, clock)


def texts(page: AppTest) -> str:
    """Return all that the page says outside tables."""
    assert not page.exception, page.exception
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error)
    return "\n".join(element.value for elements in kinds for element in elements)


def progress_bars(page: AppTest) -> list[tuple[int, str]]:
    return [(bar.proto.value, bar.proto.text) for bar in page.get("progress")]


def test_empty_page_says_what_to_do(page: AppTest) -> None:
    """Without books and workers the page names the commands that make some."""
    said = texts(page.run())
    assert "e2a-produce book.epub" in said
    assert "e2a-synth" in said
    assert not page.dataframe


def test_running_book_is_a_card(page: AppTest, source: Source) -> None:
    """A running book shows its title, stage, progress bar, chapters, speed and ETA; no list when all takes are good."""
    source.seed(BOOK, PARTS)
    said = texts(page.run())
    assert "**Emma**" in said
    assert "Jane Austen" in said
    assert "synthesising" in said
    assert progress_bars(page) == [(25, "25 % · 1 of 2 chapters")]
    metrics = {metric.label: metric.value for metric in page.metric}
    assert metrics == {
        "audio so far": "1:40",
        "speed": "1.0x",
        "ready in": "5:00",
        "retried": "0",
        "doubtful": "0",
        "last news": "10 s ago",
    }
    assert "Read 0 s ago" in said
    assert not page.selectbox
    assert not page.dataframe


def test_failed_book_says_why(page: AppTest, source: Source) -> None:
    """A failed book shows its reason as an error, letter for letter."""
    source.seed(BOOK.model_copy(update={"stage": "failed", "reason": "part 2: no *voice* [xx]"}), PARTS)
    page.run()
    assert [error.value for error in page.error] == [r"part 2\: no \*voice\* \[xx\]"]


def test_titles_are_not_markdown(page: AppTest, source: Source) -> None:
    """A title from a book cannot put links, images, HTML or line breaks into the page."""
    source.seed(BOOK.model_copy(update={"title": "![x](http://y) <b>\n# :red[z]"}), PARTS)
    assert r"**\!\[x\]\(http\://y\) \<b\> \# \:red\[z\]**" in texts(page.run())


def test_finished_books_are_a_table(page: AppTest, source: Source) -> None:
    """Finished books are lines of a table and need no card."""
    source.seed(BOOK.model_copy(update={"stage": "done"}), {0: with_retakes(AGAIN, DOUBTFUL)[0]})
    table = page.run().dataframe[0].value
    shown = ["title", "stage", "progress", "chapters", "audio", "speed", "retried", "doubtful"]
    assert table[shown].to_numpy().tolist() == [["Emma", "done", 1.0, "1 of 1 chapters", "1:40", "1.1x", 2, 1]]
    assert progress_bars(page) == []


def test_many_books_do_not_make_a_long_page(page: AppTest, source: Source) -> None:
    """Beyond the first cards running books are lines of the table, and none is lost."""
    for number in range(dashboard.CARDS + 3):
        source.seed(BOOK.model_copy(update={"book_id": str(number), "start_time": 900.0 + number}), PARTS)
    page.run()
    assert len(progress_bars(page)) == dashboard.CARDS
    assert len(page.dataframe[0].value) == 3


def test_retakes_are_a_table(page: AppTest, source: Source) -> None:
    """Sentences that were said again are listed with their place, what was wrong and what still is, as they are."""
    source.seed(BOOK, with_retakes(AGAIN, DOUBTFUL))
    (table,) = page.run().dataframe
    assert table.value.to_dict("records") == [
        {
            "chapter": "1: I",
            "part": 0,
            "at": "0:01",
            "text": "![x](http://y) <b>\n# $z$",
            "takes": 4,
            "first take": "loop",
            "kept take": "cut",
        },
        {
            "chapter": "1: I",
            "part": 0,
            "at": "1:05",
            "text": "Where am I?",
            "takes": 2,
            "first take": "too-short",
            "kept take": "good",
        },
    ]
    said = texts(page)
    assert "![x]" not in said
    assert "the report beside" not in said
    assert {metric.label: metric.value for metric in page.metric}["retried"] == "2"


def test_retakes_of_one_book_at_a_time(page: AppTest, source: Source) -> None:
    """However many books there are the page lists the sentences of the one that was chosen, also of equal titles."""
    for book_id, retake in {"b": AGAIN, "c": DOUBTFUL}.items():
        record = BOOK.model_copy(update={"book_id": book_id, "title": "Emma\n*", "start_time": 900.0 + len(book_id)})
        source.seed(record, with_retakes(retake))
    (box,) = page.run().selectbox
    assert box.options == ["Emma * (b)", "Emma * (c)"]
    assert page.dataframe[0].value["text"].tolist() == ["Where am I?"]
    box.set_value("c").run()
    assert page.dataframe[0].value["text"].tolist() == [DOUBTFUL.text]


def test_the_choice_stays_while_books_come_and_go(page: AppTest, source: Source, clock: Clock) -> None:
    """A chosen book stays chosen when another has news; when it has no retakes any more, another one is listed."""

    def listed(book_id: str, *retakes: Retake) -> list[str]:
        source.seed(BOOK.model_copy(update={"book_id": book_id}), with_retakes(*retakes))
        clock.now += 10
        texts(page.run())
        return page.dataframe[0].value["text"].tolist()

    listed("b", AGAIN)
    listed("c", DOUBTFUL)
    page.selectbox[0].set_value("c")
    assert listed("d", AGAIN) == [DOUBTFUL.text]
    assert listed("c") == [AGAIN.text]


def test_a_long_list_says_so(page: AppTest, source: Source) -> None:
    """A list that was cut says where the rest is."""
    source.seed(BOOK, with_retakes(*[AGAIN] * (LISTED + 1)))
    assert "the report beside the finished book has all" in texts(page.run())
    assert len(page.dataframe[0].value) == LISTED


def test_workers_are_a_table(page: AppTest, source: Source) -> None:
    """A worker's line says what it runs, what it does, for which book, and how fast; a new one has no last take."""
    source.seed(BOOK, PARTS)
    source.heartbeat(WORKER)
    gpu = {"worker": "gpu-1", "model": "xtts_v2", "device": "cuda:0 NVIDIA H100", "memory": 5_300_000_000}
    source.heartbeat(WORKER.model_copy(update=gpu | {"at_once": 16, "last_take": 0.0}))
    line, other = page.run().dataframe[0].value.to_dict("records")
    assert (other["model"], other["device"], other["memory"]) == ("xtts_v2", "cuda:0 NVIDIA H100", "5.3 GB")
    assert (other["at once"], other["last take"]) == (16, "-")
    assert line == {
        "worker": "gpu-0",
        "engine": "espeak",
        "model": "",
        "device": "cpu",
        "memory": "-",
        "at once": 1,
        "does": "chapter 2, sentence 12 of 40",
        "book": "Emma",
        "done": 0,
        "failed": 0,
        "partitions": "0, 3",
        "real-time factor": 0.25,
        "retried": 4,
        "doubtful": 1,
        "last take": "1 min ago",
        "last seen": "1 s ago",
    }


def test_source_away_keeps_the_last_rows(page: AppTest, source: Source, clock: Clock) -> None:
    """When the source goes away the page names it, and shows what was known, as it was then, and its age."""
    source.seed(BOOK, PARTS)
    source.heartbeat(WORKER)
    page.run()
    source.away = "Redis redis://r:6379: refused"
    clock.now += 42
    said = texts(page.run())
    (warning,) = page.warning
    assert warning.value.startswith(r"Redis redis\://r\:6379\: refused")
    assert "what was known 42 s ago" in warning.value
    assert "Read 42 s ago" in said
    assert page.dataframe[0].value["does"].tolist() == ["chapter 2, sentence 12 of 40"]


def test_source_never_there(page: AppTest, source: Source) -> None:
    """When nothing could ever be read the page says so and does not claim that there is no book."""
    source.away = "Redis redis://r:6379: refused"
    said = texts(page.run())
    assert "Nothing is known yet" in said
    assert "e2a-produce" not in said


def test_page_refreshes_itself(monkeypatch: pytest.MonkeyPatch, source: Source, clock: Clock) -> None:
    """Everything that changes is in a fragment that runs again every `refresh` seconds."""
    seen: list[object] = []

    def fragment(function: Callable[..., None], run_every: float) -> Callable[..., None]:
        seen.append(run_every)
        return lambda *_: None

    monkeypatch.setattr(dashboard.st, "fragment", fragment)
    app = AppTest.from_function(script, kwargs={"feed": Feed(source, clock, 1.0), "clock": clock})
    assert [title.value for title in app.run(timeout=30).title] == ["e2a"]
    assert texts(app) == ""
    assert seen == [2.0]


def test_script_composes_itself_from_options(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    """Run by Streamlit, the file reads its options and gives all viewers one feed of that Redis."""
    urls: list[str] = []

    def connect(url: str) -> Source:
        urls.append(url)
        return source

    source.seed(BOOK, PARTS)
    st.cache_resource.clear()
    monkeypatch.setattr("e2a.checkpoint.RedisCheckpoint", connect)
    monkeypatch.setattr(sys, "argv", ["dashboard.py", "--redis-url", "redis://elsewhere"])
    for _viewer in range(2):
        assert texts(AppTest.from_file(Path(dashboard.__file__), default_timeout=30).run()).startswith("**Emma**")
    assert urls == ["redis://elsewhere"]
    st.cache_resource.clear()
