"""How good a book is: the sentences whose first take was not, with what was said and where."""

import streamlit as st
from markupsafe import Markup

from e2a.report import ReportedRetake
from monitor import markup
from monitor.grid import LISTED
from monitor.views.view import View, choose

BEFORE = 1.5
"""Seconds that are heard before a sentence."""


def report(view: View, book_id: str) -> None:
    """Show the sentences that were said more than once, the doubtful ones first; the chosen one can be heard."""
    _ = view.words
    page = view.feed.book(book_id)
    if page is None or not page.cells:
        st.html(markup.block(markup.note(_("Its parts are not known now."))))
        return
    if not page.retakes:
        st.html(markup.block(markup.note(_("Every sentence so far was good at the first take."))))
        return
    st.caption(
        _.plural("{n} sentence was said again.", "{n} sentences were said again.", page.row.retaken)
        + " "
        + _.plural("{n} is doubtful still.", "{n} are doubtful still.", page.row.doubtful)
        + " "
        + _("Choose one to hear it.")
    )
    if len(page.retakes) == LISTED:
        st.caption(_("The first {n}, doubtful ones before others; the report of the book has all.", n=_.number(LISTED)))
    rows = [_row(retake, view) for retake in page.retakes]
    names = [f"{retake.part}/{retake.start}" for retake in page.retakes]
    chosen = choose(rows, names, f"sentence-{book_id}", alt=_("Sentences that were said again"))
    if chosen is not None:
        _heard(page.retakes[names.index(chosen)], book_id, view)


def _row(retake: ReportedRetake, view: View) -> dict[str, object]:
    _ = view.words
    return {
        _("chapter"): f"{retake.chapter}. {markup.short(retake.title)}",
        _("part"): retake.part,
        _("at"): _.clock(retake.start),
        _("sentence"): markup.short(retake.text),
        _("takes"): retake.takes,
        _("first take"): ", ".join(retake.flaws),
        _("kept take"): ", ".join(retake.doubtful) or _("good"),
    }


def _heard(retake: ReportedRetake, book_id: str, view: View) -> None:
    """Show a sentence, and a player of its part that begins with it."""
    _ = view.words
    link = view.player_link(f"{book_id}/parts/{retake.part}", lambda: view.links.part(book_id, retake.part))
    play = markup.player(link, _("Play the sentence"), start=max(0.0, retake.start - BEFORE))
    st.html(markup.block(Markup('<p dir="auto"><q>{}</q></p>').format(retake.text), play))
