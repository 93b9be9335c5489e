"""The page. A home of streamlit, as its server is.

Streamlit executes this file as `__main__` for every viewer, so the guard at its end is the page's composition
root, as `monitor/__main__.py` is that of the process; imported, the file only defines. `render` takes what it
needs, so a test gives it a feed of its own.
"""

import re
import sys
import time
from collections.abc import Callable, Sequence

import streamlit as st

from e2a.checkpoint import RedisCheckpoint
from e2a.report import ReportedRetake
from e2a.settings import MonitorSettings, load
from monitor.feed import Feed, Snapshot
from monitor.progress import (
    LISTED,
    UNKNOWN,
    BookRow,
    WorkerRow,
    ago,
    chapters,
    duration,
    elapsed,
    gigabytes,
    percent,
    times,
)

# Books shown as cards; the others are lines of a table. A docstring here would be written on the page.
CARDS = 10


def render(feed: Feed, refresh: float, clock: Callable[[], float]) -> None:
    """Show a feed and refresh it every `refresh` seconds without loading the page again."""
    st.set_page_config(page_title="e2a", layout="wide")
    st.title("e2a")
    st.fragment(_live, run_every=refresh)(feed, clock)


def _live(feed: Feed, clock: Callable[[], float]) -> None:
    snapshot = feed.read()
    age = None if snapshot.taken is None else ago(elapsed(snapshot.taken, clock()))
    if snapshot.error:
        shown = "Nothing is known yet" if age is None else f"This is what was known {age} ago"
        st.warning(f"{_plain(snapshot.error)}\n\n{shown}; the page keeps trying.")
    if age is None:
        return
    st.caption(f"Read {age} ago")
    _books(snapshot)
    _retakes(snapshot.books)
    _workers(snapshot.workers)


def _books(snapshot: Snapshot) -> None:
    st.header("Books")
    if not snapshot.books:
        st.info("No book yet. Make one with `e2a-produce book.epub`.")
    cards = [row for row in snapshot.books if row.stage != "done"][:CARDS]
    for row in cards:
        _card(row)
    rest = snapshot.books[len(cards) :]
    if rest:
        st.dataframe(
            [_line(row) for row in rest],
            hide_index=True,
            column_config={"progress": st.column_config.ProgressColumn(format="percent", max_value=1.0)},
        )


def _card(row: BookRow) -> None:
    with st.container(border=True):
        heading, stage = st.columns([6, 1])
        heading.markdown(f"**{_plain(row.title)}**  \n{_plain(row.authors)}")
        stage.badge(row.stage, color="red" if row.stage == "failed" else "blue")
        st.progress(row.fraction, text=f"{percent(row.fraction)} · {chapters(row)}")
        audio, speed, eta, retried, doubtful, age = st.columns(6)
        audio.metric("audio so far", duration(row.audio_seconds))
        speed.metric("speed", times(row.speed))
        eta.metric("ready in", duration(row.eta))
        retried.metric("retried", row.retaken)
        doubtful.metric("doubtful", row.doubtful)
        age.metric("last news", f"{ago(row.age)} ago")
        if row.reason:
            st.error(_plain(row.reason))


def _line(row: BookRow) -> dict[str, object]:
    return {
        "title": row.title,
        "authors": row.authors,
        "stage": row.stage,
        "progress": row.fraction,
        "chapters": chapters(row),
        "audio": duration(row.audio_seconds),
        "speed": times(row.speed),
        "ready in": duration(row.eta),
        "retried": row.retaken,
        "doubtful": row.doubtful,
        "last news": f"{ago(row.age)} ago",
        "reason": row.reason,
    }


def _retakes(books: Sequence[BookRow]) -> None:
    """Show the retakes of one book, which the viewer chooses, so that a library costs the browser no more."""
    rows = {row.book_id: row for row in books if row.retakes}
    if not rows:
        return
    st.header("Sentences whose first take was not good")
    chosen = st.selectbox("book", rows, format_func=lambda book_id: _label(rows[book_id]), key="retakes")
    shown = rows[chosen].retakes
    if len(shown) == LISTED:
        st.caption(f"The first {LISTED}, doubtful ones before others; the report beside the finished book has all.")
    st.dataframe([_retake(row) for row in shown], hide_index=True)


def _label(row: BookRow) -> str:
    """Return what names a book among others of its title."""
    return f"{' '.join(row.title.split())} ({row.book_id})"


def _retake(row: ReportedRetake) -> dict[str, object]:
    return {
        "chapter": f"{row.chapter}: {row.title}",
        "part": row.part,
        "at": duration(row.start),
        "text": row.text,
        "takes": row.takes,
        "first take": ", ".join(row.flaws),
        "kept take": ", ".join(row.doubtful) or "good",
    }


def _workers(rows: Sequence[WorkerRow]) -> None:
    st.header("Workers")
    if not rows:
        st.info("No worker is running. Start one for each GPU with `e2a-synth`.")
        return
    st.dataframe(
        [
            {
                "worker": row.worker,
                "engine": row.engine,
                "model": row.model,
                "device": row.device,
                "memory": gigabytes(row.memory),
                "at once": row.at_once,
                "does": row.activity,
                "book": row.book,
                "done": row.done,
                "failed": row.failed,
                "partitions": ", ".join(map(str, row.partitions)),
                "real-time factor": row.real_time_factor,
                "retried": row.retaken,
                "doubtful": row.doubtful,
                "last take": UNKNOWN if row.last_take is None else f"{ago(row.last_take)} ago",
                "last seen": f"{ago(row.age)} ago",
            }
            for row in rows
        ],
        hide_index=True,
        column_config={"real-time factor": st.column_config.NumberColumn(format="%.2f")},
    )


def _plain(text: str) -> str:
    """Return Markdown that shows `text` as it is: titles come from books, reasons from engines."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])", r"\\\1", " ".join(text.split()))


@st.cache_resource(show_spinner=False)
def _shared_feed(redis_url: str, keep: float) -> Feed:
    return Feed(RedisCheckpoint(redis_url), time.time, keep)


def main() -> None:
    """Compose the page from settings; all viewers share one feed, read at most twice a refresh."""
    settings = load(MonitorSettings, sys.argv[1:])
    render(_shared_feed(settings.redis_url, settings.monitor_refresh / 2), settings.monitor_refresh, time.time)


if __name__ == "__main__":
    main()
