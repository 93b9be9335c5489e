"""The script that Streamlit executes for every viewer: who they are, in which language they read, and the pages.

Streamlit executes this file as `__main__`, so the guard at its end is the page's composition root, as
`monitor/__main__.py` is that of the process; imported, the file only defines.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from markupsafe import Markup

from e2a.settings import MonitorSettings, load
from monitor import access, feed, links, markup, uploads
from monitor.desk import Desk, servers
from monitor.feed import Feed
from monitor.links import Links
from monitor.uploads import Uploads
from monitor.views import book, queue, shelf, timeline, workers
from monitor.views.view import View
from monitor.words import LANGUAGES, words

LANGUAGE = "language of the page"
STYLE = Path(__file__).with_name("style.css")
ICON = Path(__file__).with_name("icon.svg")  # one of Streamlit's own would be fetched from elsewhere


class Sources(NamedTuple):
    """What all viewers share."""

    feed: Feed
    links: Links
    uploads: Uploads


def render(sources: Sources, desk: Desk, refresh: float, clock: Callable[[], float], *, log_out: str = "") -> None:
    """Show the page that the viewer is on.

    Args:
        sources: of what is shown.
        desk: of this viewer.
        refresh: seconds between refreshes of what is live.
        clock: Unix time in seconds.
        log_out: URL of the way out; empty where nobody logs in.
    """
    st.set_page_config(page_title="e2a", page_icon=str(ICON), layout="wide")
    st.html(STYLE)
    view = view_of(sources, desk, refresh, clock)
    st.navigation(list(view.pages.values()), position="top").run()
    _foot(view, log_out)


def view_of(sources: Sources, desk: Desk, refresh: float, clock: Callable[[], float]) -> View:
    """Return what the pages show to the viewer, in the language that they chose, or that their browser tells."""
    _ = words(st.context.locale, st.context.timezone, st.session_state.get(LANGUAGE) or "")
    pages = {
        "shelf": st.Page(lambda: shelf.show(view), title=_("Shelf"), url_path="shelf", default=True),
        "book": st.Page(lambda: book.show(view), title=_("Book"), url_path="book"),
        "timeline": st.Page(lambda: timeline.show(view), title=_("Timeline"), url_path="timeline"),
        "workers": st.Page(lambda: workers.show(view), title=_("Workers"), url_path="workers"),
        "queue": st.Page(lambda: queue.show(view), title=_("Queue"), url_path="queue"),
    }
    view = View(*sources, desk, _, clock, refresh, pages)
    return view


def _foot(view: View, log_out: str) -> None:
    """Let the viewer choose a language, and say who they are and what they may do."""
    _ = view.words
    st.divider()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            _("Language"),
            list(LANGUAGES),
            index=list(LANGUAGES).index(_.language),
            format_func=LANGUAGES.__getitem__,
            key=LANGUAGE,
            width=160,
        )
        said = [_("This page only shows; it changes nothing.")] if not view.desk.may_change else []
        account = Markup('<a href="{}" target="_self">{}</a>').format(log_out, _("Log out")) if log_out else ""
        pieces = [Markup("<bdi>{}</bdi>").format(each) for each in (*said, view.desk.viewer, account) if each]
        if pieces:
            st.html(markup.block(Markup(" · ").join(pieces)))


def main() -> None:
    """Compose the page from settings; all viewers share one feed."""
    settings = load(MonitorSettings, sys.argv[1:])
    access.require_login(settings)
    sources = Sources(feed.shared(settings), links.shared(), uploads.shared(settings))
    desk = Desk(
        *servers(settings),
        sources.uploads,
        sources.feed.look_again,
        may_change=access.may_change(settings),
        viewer=access.viewer(settings),
    )
    render(sources, desk, settings.monitor_refresh, time.time, log_out=access.log_out_url(settings))


if __name__ == "__main__":
    main()
