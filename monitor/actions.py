"""What viewers can ask for on the pages: menus, and the questions before what stops work or cannot be undone."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st
from markupsafe import Markup

from e2a.checkpoint import STOPPED, Wish
from e2a.deadletters import Entry, Retried
from e2a.errors import Retryable, UserError
from e2a.shelf import Removal
from monitor import markup
from monitor.desk import Desk
from monitor.records import BookRow, WorkerRow
from monitor.words import Words

OUTCOME = "outcome"
"""Key in the session of what the last deed came to, until it is said."""
ASKED = "asked"
"""Key in the session of the deed that waits for a yes or no."""
_UNFINISHED = frozenset(["synthesising", "assembling", "failed", "paused", "cancelled", "submitted"])


class Deed(NamedTuple):
    """Something to be done."""

    label: str
    do: Callable[[], Markup | str]
    """Does it, and returns what to say."""
    question: str = ""
    """Asked before; empty when it is done at once."""


def attend(_: Words) -> None:
    """Say what the last deed came to, once, and ask what is to be asked; the place for it is always there."""
    said = st.session_state.pop(OUTCOME, "")
    with st.container():
        if said:
            st.html(markup.block(said))
    if ASKED in st.session_state:
        _ask(st.session_state[ASKED], _)


def menu(deeds: Sequence[Deed], _: Words, key: str) -> None:
    """Offer deeds in a menu; nothing where there are none."""
    if not deeds:
        return
    named = {deed.label: deed for deed in deeds}
    picked = st.menu_button(_("Actions"), list(named), key=key, icon=":material/more_horiz:")
    if picked is not None:
        begin(named[picked])


def button(deed: Deed, _: Words, key: str) -> None:
    """Offer a deed as a button."""
    if st.button(deed.label, key=key):
        begin(deed)


def begin(deed: Deed) -> None:
    """Do a deed, or ask first. The page begins anew, so that it also shows what has changed."""
    if deed.question:
        st.session_state[ASKED] = deed
    else:
        st.session_state[OUTCOME], _done = _outcome(deed)
    st.rerun()


def book_deeds(row: BookRow, desk: Desk, _: Words) -> list[Deed]:
    """Return what can be done with a book as it is; nothing where viewers may only look."""
    title, book_id = markup.short(row.title) or row.book_id, row.book_id
    stopped, unfinished = row.condition in STOPPED, row.condition in _UNFINISHED
    removal = partial(_removed, partial(desk.remove, book_id), title, _)
    offers = [
        (stopped, _simple(_("Resume"), partial(desk.resume, book_id), _("“{title}” goes on.", title=title))),
        (unfinished and bool(row.chapters_failed), _retry(title, partial(desk.retry, book_id), _)),
        (unfinished, _urgency(title, row.urgent, partial(desk.set_urgent, book_id, not row.urgent), _)),
        (unfinished and not stopped, _pause(title, partial(desk.pause, book_id), _)),
        (unfinished and row.condition != "cancelled", _cancel(title, partial(desk.cancel, book_id), _)),
        (True, Deed(_("Remove"), removal, _removal_question(row, _))),
    ]
    return [deed for fits, deed in offers if fits and desk.may_change]


def part_deed(book_id: str, part: int, desk: Desk, _: Words) -> Deed:
    """Return how a part that has failed is tried again."""
    change = partial(desk.retry, book_id, [part])
    return _simple(_("Retry this part"), change, _("Part {part} is tried again.", part=part))


def worker_deeds(row: WorkerRow, desk: Desk, _: Words) -> list[Deed]:
    """Return what can be wanted of a worker; nothing where viewers may only look."""
    worker = markup.short(row.worker)

    def wish(label: str, wanted: Wish, said: str, question: str = "") -> Deed:
        return _simple(label, partial(desk.wish, row.worker, wanted), said, question)

    drain = _("Drain {worker}? It ends the parts in hand and takes no others until it is told to.", worker=worker)
    stop = _("Stop {worker}? Its process ends, and has to be started where it runs.", worker=worker)
    offers = [
        (row.wish != "work", wish(_("Work again"), "work", _("{worker} works again.", worker=worker))),
        (row.wish == "work", wish(_("Drain"), "drain", _("{worker} takes no more parts.", worker=worker), drain)),
        (row.wish != "stop", wish(_("Stop"), "stop", _("{worker} is told to end.", worker=worker), stop)),
    ]
    return [deed for fits, deed in offers if fits and desk.may_change]


def letter_deed(entries: Sequence[Entry], label: str, desk: Desk, _: Words, *, ask: bool) -> Deed:
    """Return how the parts of dead letters are tried again; `ask` first where they are many."""
    question = _.plural("Try {n} part again?", "Try {n} parts again?", len(entries)) if ask else ""
    return Deed(label, lambda: _redriven(desk.redrive(entries), _), question)


def _ask(deed: Deed, _: Words) -> None:
    @st.dialog(_("Are you sure?"), on_dismiss=_forget)
    def dialog() -> None:
        st.html(markup.block(Markup('<p dir="auto">{}</p>').format(deed.question)))
        with st.container(horizontal=True):
            sure = st.button(deed.label, type="primary", key="sure")
            left = st.button(_("Leave it"), key="leave")
        if sure:
            with st.spinner(_("One moment")):
                said, done = _outcome(deed)
            if not done:
                st.html(markup.block(said))
                return
            st.session_state[OUTCOME] = said
        if sure or left:
            _forget()
            st.rerun()

    dialog()


def _forget() -> None:
    st.session_state.pop(ASKED, None)


def _outcome(deed: Deed) -> tuple[Markup, bool]:
    """Do a deed; return what to say, and whether it was done."""
    try:
        return markup.note(deed.do()), True
    except (UserError, Retryable) as error:
        return markup.failure(str(error)), False


def _simple(label: str, change: Callable[[], None], said: str, question: str = "") -> Deed:
    def do() -> str:
        change()
        return said

    return Deed(label, do, question)


def _retry(title: str, change: Callable[[], None], _: Words) -> Deed:
    return _simple(_("Retry what failed"), change, _("What has failed of “{title}” is tried again.", title=title))


def _urgency(title: str, urgent: bool, change: Callable[[], None], _: Words) -> Deed:
    if urgent:
        return _simple(_("No longer urgent"), change, _("“{title}” is made when its turn comes.", title=title))
    return _simple(_("Make urgent"), change, _("“{title}” is made before all others.", title=title))


def _pause(title: str, change: Callable[[], None], _: Words) -> Deed:
    question = _("Pause “{title}”? Nobody begins another part of it until it is resumed.", title=title)
    return _simple(_("Pause"), change, _("“{title}” is paused.", title=title), question)


def _cancel(title: str, change: Callable[[], None], _: Words) -> Deed:
    question = _("Give “{title}” up? What is spoken of it stays, and it can be resumed.", title=title)
    return _simple(_("Cancel"), change, _("“{title}” is cancelled.", title=title), question)


def _removal_question(row: BookRow, _: Words) -> str:
    return _(
        "Remove “{title}” ({book_id}) with its source and its audio? This cannot be undone.",
        title=markup.short(row.title),
        book_id=row.book_id,
    )


def _removed(remove: Callable[[], Removal], title: str, _: Words) -> str:
    removal = remove()
    said = _("“{title}” is removed.", title=title)
    if removal.shared:
        said += " " + _.plural("{n} part stays for other books.", "{n} parts stay for other books.", removal.shared)
    if removal.unfinished:
        said = _("“{title}” is not wholly removed; remove it again: {why}", title=title, why=removal.unfinished)
    return said


def _redriven(retried: Retried, _: Words) -> Markup:
    lines = [
        _.plural("{n} failed part is tried again.", "{n} failed parts are tried again.", retried.parts)
        if retried.parts
        else _("No failed part to try again.")
    ]
    if retried.odd:
        lines.append(
            _.plural("{n} letter cannot be tried again.", "{n} letters cannot be tried again.", len(retried.odd))
        )
    lines += [str(error) for error in retried.refused]
    return Markup("<br>").join(lines)
