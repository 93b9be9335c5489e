"""A book: its parts and chapters, what can be heard, where its text went, and how good it is."""

from functools import partial

import streamlit as st
from markupsafe import Markup

from monitor import actions, charts, looks, markup
from monitor.looks import PARTS
from monitor.records import BookPage, BookRow, ChapterRow
from monitor.views import card, part, quality
from monitor.views.view import View, choose

BOOK = "book"
"""Query parameter, and key of the choice in the session."""


def show(view: View) -> None:
    """Show the book that the address names, or that the viewer chooses."""
    _ = view.words
    st.title(_("Book"), anchor=False)
    actions.attend(_)
    row = _chosen(view)
    if row is None:
        return
    book_id = row.book_id
    view.live(partial(head, book_id=book_id))
    names = [_("Parts"), _("Chapters"), _("Text"), _("Quality")]
    pieces = [part.grid, chapters, text, quality.report]
    for tab, piece in zip(st.tabs(names, on_change="rerun", key="tab"), pieces, strict=True):
        if tab.open:
            with tab:
                view.live(partial(piece, book_id=book_id))


def head(view: View, book_id: str) -> None:
    """Show what a book is and how far it is, and what can be done with it."""
    view.sources("redis", "storage")
    page = _page(view, book_id)
    if page is None:
        return
    row = page.row
    st.html(markup.block(card.card(row, view)))
    if row.files:
        st.html(card.finished(row, view))
    actions.menu(actions.book_deeds(row, view.desk, view.words), view.words, key="menu")
    if page.problems:
        problems = [Markup('<li dir="auto">{}</li>').format(markup.short(each)) for each in page.problems]
        said = view.words.plural("{n} thing had to be read around", "{n} things had to be read around", len(problems))
        more = Markup("<details><summary>{}</summary><ul>{}</ul></details>").format(said, Markup("").join(problems))
        st.html(markup.block(markup.warning(more)))


def chapters(view: View, book_id: str) -> None:
    """Show the chapters as a table; the one that is chosen can be heard when it is finished."""
    _ = view.words
    page = _page(view, book_id)
    if page is None:
        return
    names = [_("no."), _("chapter"), _("state"), _("parts"), _("length"), _("loudness")]
    rows = [
        dict(
            zip(
                names,
                (
                    chapter.number,
                    markup.short(chapter.title),
                    f"{PARTS[chapter.state].mark} {looks.part_state(chapter.state, _)}",
                    f"{_.number(chapter.parts_done)}/{_.number(chapter.parts)}",
                    _.clock(chapter.seconds),
                    _.number(chapter.loudness, 1),
                ),
                strict=True,
            )
        )
        for chapter in page.chapters
    ]
    if not rows:
        st.html(markup.block(markup.note(_("Its chapters are not known now."))))
        return
    st.caption(_("Choose a chapter to hear it."))
    numbers = [str(chapter.number) for chapter in page.chapters]
    chosen = choose(rows, numbers, f"chapter-{book_id}", alt=_("Chapters of the book"))
    if chosen is not None:
        _heard(page.chapters[numbers.index(chosen)], book_id, view)
    if any(chapter.loudness is not None for chapter in page.chapters):
        st.subheader(_("Loudness"), anchor=False)
        st.vega_lite_chart(charts.loudness(page.chapters, _).whole, alt=_("Loudness of each chapter"))


def text(view: View, book_id: str) -> None:
    """Show where every character of the book went."""
    _ = view.words
    page = _page(view, book_id)
    if page is None:
        return
    account = page.accounting
    if account is None:
        st.html(markup.block(markup.note(_("Where its characters went is not known of this book."))))
        return
    total = account.characters or 1
    lines = [(_("spoken"), account.spoken), *sorted(account.skipped.items(), key=lambda each: -each[1])]
    rows = [(rule, _.number(count), _.percent(count / total)) for rule, count in lines]
    rows.append((_("all"), _.number(account.characters), _.percent(1.0)))
    if account.adds_up:
        sums = markup.note(_("It adds up: nothing is lost, and nothing doubled."), looks.GREEN)
    else:
        sums = markup.failure(_("It does not add up: something was lost or doubled."))
    st.html(markup.block(markup.table((_("where"), _("characters"), _("share")), rows), sums))
    st.caption(_("White space is not counted."))


def _chosen(view: View) -> BookRow | None:
    """Return the book that is looked at: the address says which, so it can be linked and loaded again."""
    _ = view.words
    rows = {row.book_id: row for row in view.feed.shelf()}
    if not rows:
        view.live(_nothing)
        return None
    wanted = st.query_params.get(BOOK, "")
    if wanted and wanted not in rows:
        st.html(markup.block(markup.warning(_("There is no such book; it may have been removed."))))
    st.session_state[BOOK] = wanted if wanted in rows else None

    def go() -> None:
        if st.session_state[BOOK]:
            st.query_params[BOOK] = st.session_state[BOOK]

    chosen = st.selectbox(
        _("Book"),
        rows,
        format_func=lambda book_id: label(rows[book_id]),
        key=BOOK,
        on_change=go,
        placeholder=_("Choose a book"),
        label_visibility="collapsed",
    )
    return rows.get(chosen) if chosen else None


def label(row: BookRow) -> str:
    """Return what names a book among others of its title."""
    return f"{markup.short(row.title)} ({row.book_id})"


def _nothing(view: View) -> None:
    _ = view.words
    if view.feed.shelf():
        st.rerun()
    if view.sources("redis", "storage"):
        st.html(markup.block(markup.note(_("No book yet: the shelf says how to make one."))))


def _page(view: View, book_id: str) -> BookPage | None:
    _ = view.words
    page = view.feed.book(book_id)
    if page is None:
        st.html(markup.block(markup.note(_("Nothing is known of this book now."))))
    return page


def _heard(chapter: ChapterRow, book_id: str, view: View) -> None:
    _ = view.words
    name = f"{chapter.number}. {markup.short(chapter.title)}"
    if chapter.state != "done":
        st.html(markup.block(markup.note(_("“{title}” can be heard when it is finished.", title=name))))
        return
    link = view.player_link(f"{book_id}/chapters/{chapter.number}", lambda: view.links.chapter(book_id, chapter.number))
    play = markup.player(link, _("Play {title}", title=name), name=f"{name}.aac", download=_("Download"))
    st.html(markup.block(Markup('<p dir="auto"><b>{}</b></p>').format(name), play))
