"""What waits in Kafka, what is tried again when, what could not be made, and whether all places agree."""

from collections.abc import Mapping

import streamlit as st
from markupsafe import Markup

from e2a.deadletters import OPEN, Entry
from e2a.errors import Retryable
from e2a.topics import EXPRESS
from monitor import actions, charts, markup
from monitor.looks import GREEN, ORANGE, SKY, VERMILLION
from monitor.markup import Figure
from monitor.records import Agreement, QueuePage
from monitor.views.book import label
from monitor.views.view import View, choose
from monitor.words import Words

PARTS = 20
"""Parts that are named where places do not agree."""


def show(view: View) -> None:
    """Show the queue."""
    _ = view.words
    st.title(_("Queue"), anchor=False)
    actions.attend(_)
    view.live(partitions)
    view.live(retries)
    view.live(letters)
    st.fragment(agreement)(view)


def partitions(view: View) -> None:
    """Show what waits in each partition."""
    _ = view.words
    page = view.feed.queue()
    view.sources("redis", "kafka")
    if not view.known("redis"):
        return
    if page.taken is None:
        said = Markup("{} <code>e2a-merge</code>").format(_("Nobody has looked at Kafka yet. Start the merger with"))
        st.html(markup.block(markup.warning(said)))
        return
    st.html(markup.block(_numbers(page, view)))
    st.vega_lite_chart(
        charts.lag(page.partitions, EXPRESS, _).whole, key="lag", alt=_("Audio that waits, by partition")
    )
    rows = [
        {
            _("topic"): row.topic,
            _("partition"): row.partition,
            _("worker"): markup.short(row.owner) or _("nobody"),
            _("parts"): row.parts,
            _("audio"): _.clock(row.seconds),
            _("committed"): row.committed,
            _("end"): row.end,
        }
        for row in page.partitions
    ]
    with st.expander(_("Partitions and offsets")):
        st.dataframe(rows, hide_index=True, key="partitions", alt=_("Partitions and offsets"))


def retries(view: View) -> None:
    """Show what is tried again, and when."""
    _ = view.words
    rows = view.feed.queue().retries
    st.header(_("To be tried again"), anchor=False)
    if not view.known("redis"):
        st.html(markup.block(markup.note(_("Not known yet."))))
        return
    if not rows:
        st.html(markup.block(markup.note(_("Nothing waits to be tried again."))))
        return
    now = view.clock()
    table = [
        {
            _("book"): markup.short(row.title) or row.book_id,
            _("part"): row.part,
            _("due"): _("in {span}", span=_.span(row.due - now)) if row.due > now else _("now"),
            _("failed attempts"): row.attempts,
            _("worker"): markup.short(row.worker),
            _("reason"): markup.short(row.reason),
        }
        for row in sorted(rows, key=lambda row: row.due)
    ]
    st.dataframe(table, hide_index=True, key="retries", alt=_("To be tried again"))


def letters(view: View) -> None:
    """Show the dead letters; the chosen one with its text, and what is tried again."""
    _ = view.words
    entries = {str(entry.letter.number): entry for entry in view.feed.queue().letters}
    st.header(_("Dead letters"), anchor=False)
    if not view.known("kafka", "redis"):
        st.html(markup.block(markup.note(_("Not known yet."))))
        return
    if not entries:
        st.html(markup.block(markup.note(_("No dead letter: nothing failed for good."), GREEN)))
        return
    open_ones = [entry for entry in entries.values() if entry.since in OPEN]
    st.caption(_("Choose a letter to see its text."))
    rows = [_letter_row(entry, _) for entry in entries.values()]
    chosen = choose(rows, list(entries), "letter", alt=_("Dead letters"))
    if len(open_ones) > 1 and view.desk.may_change:
        deed = actions.letter_deed(open_ones, _("Try all again"), view.desk, _, ask=True)
        actions.button(deed, _, key="redrive-all")
    if chosen is not None:
        _letter(entries[chosen], view)


def agreement(view: View) -> None:
    """Compare what checkpoint, events and storage say of a book, when it is asked."""
    _ = view.words
    rows = {row.book_id: row for row in view.feed.shelf()}
    st.header(_("Do all places agree?"), anchor=False)
    if not rows:
        said = _("No book yet.") if view.known("redis", "storage") else _("Not known yet.")
        st.html(markup.block(markup.note(said)))
        return
    st.caption(_("Storage is the truth: it is read now, every part of the book."))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        book_id = st.selectbox(_("Book"), rows, format_func=lambda book_id: label(rows[book_id]), key="agreement")
        asked = st.button(_("Compare"), key="compare")
    if not asked or book_id is None:
        return
    try:
        with st.spinner(_("Reading storage")):
            found = view.feed.agreement(book_id)
    except Retryable as error:
        st.html(markup.block(markup.failure(str(error))))
        return
    st.html(markup.block(_agreement(found, _)))


def dead_letters(page: QueuePage, view: View) -> Figure:
    """Return how many parts have failed for good and are not tried again; nobody can say before Kafka was read."""
    _ = view.words
    count = sum(entry.since in OPEN for entry in page.letters) if view.known("kafka") else None
    return Figure(_("dead letters"), _.number(count), colour=VERMILLION if count else "")


def _numbers(page: QueuePage, view: View) -> Markup:
    _ = view.words
    seconds = sum(row.seconds for row in page.partitions)
    orphans = sum(not row.owner for row in page.partitions)
    return markup.figures(
        [
            Figure(_("parts wait"), _.number(sum(row.parts for row in page.partitions)), colour=SKY),
            Figure(_("audio waits"), _.clock(seconds), colour=SKY),
            Figure(_("skew"), _.times(page.skew), _("fullest to mean")),
            Figure(_("rebalances"), _.number(page.rebalances)),
            Figure(_("without a worker"), _.number(orphans), _("partitions"), ORANGE if orphans else ""),
            Figure(_("to be tried again"), _.number(len(page.retries)), colour=ORANGE if page.retries else ""),
            dead_letters(page, view),
            Figure(_("looked at"), _.ago(max(0.0, view.clock() - (page.taken or 0.0)))),
        ]
    )


def _letter_row(entry: Entry, _: Words) -> Mapping[str, object]:
    letter = entry.letter.letter
    return {
        _("no."): entry.letter.number,
        _("time"): _.moment(entry.letter.time),
        _("book"): markup.short(entry.title or letter.book_id),
        _("chapter"): entry.chapter,
        _("part"): letter.part,
        _("attempts"): letter.attempts or None,
        _("since"): _since(entry, _),
        _("reason"): markup.short(letter.reason),
    }


def _letter(entry: Entry, view: View) -> None:
    _ = view.words
    letter = entry.letter.letter
    facts = [
        (_("book"), markup.short(entry.title)),
        (_("part"), "" if letter.part is None else str(letter.part)),
        (_("since"), _since(entry, _)),
        (_("from"), markup.short(letter.source)),
    ]
    found = view.feed.part(letter.book_id, letter.part) if letter.part is not None else None
    text = markup.sentences(found.text) if found else ""
    st.html(markup.block(markup.facts(facts), markup.failure(letter.reason), text))
    if letter.part is not None and entry.since in OPEN and view.desk.may_change:
        deed = actions.letter_deed([entry], _("Try this part again"), view.desk, _, ask=False)
        actions.button(deed, _, key="redrive")


def _since(entry: Entry, _: Words) -> str:
    """Return what has become of the part of a letter since."""
    return {
        "done": _("done since"),
        "waiting": _("waits for a worker"),
        "to be tried again": _("to be tried again"),
        "still failed": _("still failed"),
        "not of a book": _("not of a book"),
        "book gone": _("its book is gone"),
        "not known": _("not known"),
    }[entry.since]


def _agreement(found: Agreement, _: Words) -> Markup:
    if not found.parts:
        return markup.warning(_("This book has no plan that can be read, so there is nothing to compare."))
    figures = markup.figures(
        [
            Figure(_("parts"), _.number(found.parts)),
            Figure(_("done in the checkpoint"), _.number(found.recorded), colour=SKY),
            Figure(_("done in the events"), _.number(found.told), _("of a week"), SKY),
            Figure(_("stored"), _.number(found.stored), colour=GREEN),
        ]
    )
    if not found.missing and not found.unrecorded:
        return figures + markup.note(_("Checkpoint and storage agree."), GREEN)
    said = []
    if found.missing:
        said.append(_("Recorded as done, but not stored: {parts}", parts=_parts(found.missing, _)))
    if found.unrecorded:
        said.append(_("Stored, but not recorded as done: {parts}", parts=_parts(found.unrecorded, _)))
    return figures + markup.failure(Markup("<br>").join(said))


def _parts(parts: tuple[int, ...], _: Words) -> str:
    named = [str(part) for part in parts[:PARTS]]
    if len(parts) > PARTS:
        named.append(_("{n} others", n=_.number(len(parts) - PARTS)))
    return _.listed(named)
