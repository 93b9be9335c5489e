"""The shelf: all books, what can be heard of them, and what can be done with them."""

from functools import partial

import streamlit as st
from markupsafe import Markup

from e2a.checkpoint import ACTIVE
from monitor import actions, markup
from monitor.looks import GREEN, ORANGE, PURPLE, SKY, VERMILLION
from monitor.markup import Figure
from monitor.records import BookRow
from monitor.views import card, upload
from monitor.views.queue import dead_letters
from monitor.views.view import View
from monitor.views.workers import speed

CARDS = 12
"""Books on a page."""
CHAPTERS = 100
"""Chapters of a book in work that can be heard here; its own page has all."""
LATE = 60.0
"""Seconds without a look of the merger at Kafka after which it seems to be away."""


def show(view: View) -> None:
    """Show the shelf."""
    _ = view.words
    st.title(_("Shelf"), anchor=False)
    actions.attend(_)
    view.live(glance)
    upload.show(view)
    wanted = st.text_input(_("Search"), key="search", placeholder=_("title or author"), icon=":material/search:")
    view.live(partial(books, wanted=wanted.strip()))


def glance(view: View) -> None:
    """Show everything in a few numbers, and what is missing to make books."""
    _ = view.words
    view.sources("redis", "storage")
    if not view.known("redis"):
        return
    rows, workers, queue = view.feed.shelf(), view.feed.workers(), view.feed.queue()
    speaking = sum(worker.state == "speaking" for worker in workers)
    silent = sum(worker.state == "silent" for worker in workers)
    waiting = sum(row.seconds for row in queue.partitions)
    failed = sum(row.condition == "failed" for row in rows)
    numbers = [
        Figure(_("in work"), _.number(sum(row.condition in ACTIVE for row in rows)), colour=SKY),
        Figure(_("done"), _.number(sum(row.condition == "done" for row in rows)), colour=GREEN),
        Figure(_("failed"), _.number(failed), colour=VERMILLION if failed else ""),
        Figure(
            _("workers"),
            _.number(len(workers)),
            _.plural("{n} silent", "{n} silent", silent)
            if silent
            else _.plural("{n} speaking", "{n} speaking", speaking),
            VERMILLION if silent else PURPLE,
        ),
        Figure(_("speed"), _.times(speed(workers)), _("real time")),
        Figure(_("audio that waits"), _.span(waiting)),
        dead_letters(queue, view),
    ]
    st.html(markup.block(markup.figures(numbers), *_missing(view)))


def books(view: View, wanted: str) -> None:
    """Show a page of the books that have what is wanted in title or authors."""
    _ = view.words
    rows = view.feed.shelf()
    if not rows:
        return
    found = [row for row in rows if wanted.casefold() in f"{row.title} {row.authors}".casefold()]
    if not found:
        st.html(
            markup.block(markup.note(_("No book has “{wanted}” in its title or among its authors.", wanted=wanted)))
        )
        return
    pages = -(-len(found) // CARDS)
    place = st.container()
    page = st.pagination(pages, key=f"shelf-{pages}") if pages > 1 else 1
    with place:
        grid = st.grid(min_column_width=350, gap="small", border=True)
    for row in found[(page - 1) * CARDS : page * CARDS]:
        with grid.cell():
            _book(row, view)


def _book(row: BookRow, view: View) -> None:
    _ = view.words
    st.html(markup.block(card.card(row, view)))
    if row.files:
        st.html(card.finished(row, view))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        link = {"book": row.book_id}
        st.page_link(view.pages["book"], label=_("Open"), icon=":material/menu_book:", query_params=link)
        if row.chapters_done and not row.files:
            listen = st.popover(
                _("Listen"), icon=":material/headphones:", key=f"listen-{row.book_id}", on_change="rerun"
            )
            if listen.open:
                with listen:
                    _chapters(row, view)
        actions.menu(actions.book_deeds(row, view.desk, _), _, key=f"menu-{row.book_id}")


def _chapters(row: BookRow, view: View) -> None:
    """Show the finished chapters of a book in work; made only while they are looked at."""
    _ = view.words
    page = view.feed.book(row.book_id)
    done = [chapter for chapter in page.chapters if chapter.state == "done"] if page else []
    if len(done) > CHAPTERS:
        said = _(
            "The first {n}; the page of the book has all {total}.", n=_.number(CHAPTERS), total=_.number(len(done))
        )
        st.html(markup.block(markup.note(said)))
    for chapter in done[:CHAPTERS]:
        name = f"{chapter.number}. {markup.short(chapter.title)}"
        link = view.player_link(
            f"{row.book_id}/chapters/{chapter.number}",
            lambda number=chapter.number: view.links.chapter(row.book_id, number),  # type: ignore[misc]
        )
        heard = markup.player(link, _("Play {title}", title=name), name=f"{name}.aac", download=_("Download"))
        st.html(markup.block(Markup('<p dir="auto">{}</p>').format(name), heard))


def _missing(view: View) -> list[Markup]:
    """Return what has to be done before books can be made."""
    _ = view.words
    taken = view.feed.queue().taken
    missing = []
    if view.known("storage") and not view.feed.shelf():
        how = _("No book yet. Add an EPUB below, or run") if view.desk.may_change else _("No book yet. Run")
        missing.append(_command(how, "e2a-produce book.epub"))
    if not view.feed.workers():
        missing.append(_command(_("No worker is running. Start one for each GPU with"), "e2a-synth"))
    if taken is None or view.clock() - taken > LATE:
        missing.append(_command(_("The merger is not heard of: no book is assembled. Start it with"), "e2a-merge"))
    return [markup.note(text, ORANGE) for text in missing]


def _command(said: str, command: str) -> Markup:
    return Markup("{} <code>{}</code>").format(said, command)
