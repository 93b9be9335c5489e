"""The parts of a book: a grid of squares, and all there is to say of the one that is chosen."""

from collections import Counter

import streamlit as st
from markupsafe import Markup

from monitor import actions, charts, looks, markup
from monitor.looks import PARTS
from monitor.records import BookPage, Cell, PartPage
from monitor.specs import PART
from monitor.views.view import View
from monitor.words import Words


def grid(view: View, book_id: str) -> None:
    """Show the parts of a book as squares, and the one that is chosen."""
    _ = view.words
    page = view.feed.book(book_id)
    if page is None or not page.cells:
        st.html(markup.block(markup.note(_("Its parts are not known now."))))
        return
    pages = charts.pages(page.cells)
    chosen = _number(page, view)
    squares, shown = st.columns([3, 2], gap="medium")
    with squares:
        _squares(page, pages, chosen, view)
    with shown, st.container(key="chosen-part"):
        if chosen is None:
            st.html(markup.block(markup.note(_("Choose a part to see its text and to hear it."))))
        else:
            _part(view, book_id, chosen)


def _number(page: BookPage, view: View) -> int | None:
    """Ask for the number of a part: the other way to choose one, also without a pointer."""
    _ = view.words
    value = st.number_input(
        _("Part"), min_value=0, max_value=len(page.cells) - 1, value=None, step=1, key=_chosen(page), width=180
    )
    return None if value is None else int(value)


def _chosen(page: BookPage) -> str:
    """Return the key of the part of this book that is chosen, in the session."""
    return f"part-{page.row.book_id}"


def _squares(page: BookPage, pages: list[list[list[Cell]]], chosen: int | None, view: View) -> None:
    _ = view.words
    st.html(markup.block(_legend(page, _)))
    place = st.container()
    number = st.pagination(len(pages), key=f"grid-{page.row.book_id}-{len(pages)}") if len(pages) > 1 else 1
    titles = [chapter.title for chapter in page.chapters]
    key = f"squares-{page.row.book_id}-{number}"

    def clicked() -> None:
        picked = st.session_state[key].selection.get(PART)
        if picked:
            st.session_state[_chosen(page)] = int(picked[0]["part"])

    with place:
        st.vega_lite_chart(
            charts.grid(pages[number - 1], titles, chosen, _).whole,
            key=key,
            on_select=clicked,
            selection_mode=PART,
            alt=_("Parts by chapter, coloured by state; the field Part chooses one as well"),
        )


def _legend(page: BookPage, _: Words) -> Markup:
    """Return what marks and colours mean, and how many parts are in each state."""
    counts = Counter(cell.state for cell in page.cells)
    pills = [
        markup.pill(look, f"{looks.part_state(state, _)} {_.number(counts[state])}") for state, look in PARTS.items()
    ]
    return Markup('<p class="e2a-counts">{}</p>').format(Markup("").join(pills))


def _part(view: View, book_id: str, index: int) -> None:
    _ = view.words
    found = view.feed.part(book_id, index)
    if found is None:
        st.html(markup.block(markup.note(_("Part {part} is not known now.", part=index))))
        return
    cell = found.cell
    heard = []
    if cell.state == "done":
        link = view.player_link(f"{book_id}/parts/{index}", lambda: view.links.part(book_id, index))
        heard.append(markup.player(link, _("Play part {part}", part=index)))
    name = _("Part {part}, chapter {chapter}", part=index, chapter=cell.chapter + 1)
    st.subheader(name, anchor=False)
    st.html(markup.block(markup.pill(PARTS[cell.state], looks.part_state(cell.state, _)), *heard))
    st.html(markup.block(markup.facts(_facts(found, view))))
    if cell.reason:
        st.html(markup.block(markup.failure(cell.reason)))
    if cell.state in {"failed", "retry"} and view.desk.may_change:
        actions.button(actions.part_deed(book_id, index, view.desk, _), _, key=f"retry-{index}")
    if found.history:
        st.html(
            markup.block(
                markup.table((_("time"), _("worker"), _("outcome"), _("took"), _("reason")), _past(found, view))
            )
        )
    st.html(markup.block(markup.sentences(found.text)))


def _facts(page: PartPage, view: View) -> list[tuple[str, str]]:
    _ = view.words
    cell = page.cell
    due = "" if cell.due is None else _("in {span}", span=_.span(max(0.0, cell.due - view.clock())))
    return [
        (_("length"), _.clock(cell.seconds)),
        (_("worker"), markup.short(cell.worker)),
        (_("failed attempts"), _.number(cell.attempts) if cell.attempts else ""),
        (_("tried again"), due),
        (_("said again"), _.plural("{n} sentence", "{n} sentences", cell.retaken) if cell.retaken else ""),
        (_("doubtful"), _.plural("{n} sentence", "{n} sentences", cell.doubtful) if cell.doubtful else ""),
        (_("digest"), page.digest[:16]),
    ]


def _past(page: PartPage, view: View) -> list[tuple[str, ...]]:
    _ = view.words
    outcomes = {"done": _("done"), "failed": _("failed")}
    return [
        (
            _.moment(event.time),
            markup.short(event.worker),
            f"{PARTS[event.outcome].mark} {outcomes[event.outcome]}",
            _.span(event.work_seconds) if event.work_seconds else "",
            markup.short(event.reason),
        )
        for event in page.history
    ]
