"""What every page needs, and what all of them say: how old their figures are, and what is away."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st
from markupsafe import Markup
from streamlit.elements.arrow import DataframeStateInput
from streamlit.navigation.page import Page

from monitor import markup
from monitor.desk import Desk
from monitor.feed import Feed
from monitor.links import Links
from monitor.records import Source
from monitor.uploads import Uploads
from monitor.words import Words

KEPT = 6 * 3600.0
"""Seconds for which a viewer keeps the link of a player; it is good for twice as long."""


@dataclass(frozen=True)
class View:
    """One viewer's look at everything."""

    feed: Feed
    links: Links
    uploads: Uploads
    desk: Desk
    words: Words
    clock: Callable[[], float]
    refresh: float
    """Seconds between refreshes of what is live."""
    pages: Mapping[str, Page]
    """By name, for links between them."""

    def live(self, show: Callable[["View"], None]) -> None:
        """Show a part of the page, and refresh it for ever without loading the page again."""
        st.fragment(show, run_every=self.refresh)(self)

    def sources(self, *sources: Source) -> bool:
        """Say how old the figures below are, and which sources are away; False when one was never read.

        All of it is one block, so what is below stays where it is.
        """
        _ = self.words
        names: dict[Source, str] = {"redis": "Redis", "kafka": "Kafka", "storage": _("storage")}
        ages, missing = [], []
        for source in sources:
            reading = self.feed.reading(source)
            name = names[source]
            if reading.taken is None:
                shown = _("nothing is known yet")
            else:
                age = _.ago(max(0.0, self.clock() - reading.taken))
                ages.append(f"{name} {age}")
                shown = _("this is what was known {age}", age=age)
            if reading.problem:
                said = _("{source} is away: {shown}; the page keeps trying.", source=name, shown=shown)
                missing.append(markup.warning(Markup("{}<br><small>{}</small>").format(said, reading.problem)))
        age = Markup('<p class="e2a-age">{}</p>').format(" · ".join(ages))
        st.html(markup.block(*missing, age))
        return self.known(*sources)

    def known(self, *sources: Source) -> bool:
        """Say whether all of some sources were ever read: before that nothing is claimed, not even that nothing is."""
        return all(self.feed.reading(source).taken is not None for source in sources)

    def player_link(self, name: str, make: Callable[[], str]) -> str:
        """Return the link of an audio player, the same for hours, so that it goes on while the page is refreshed."""
        kept: dict[str, tuple[float, str]] = st.session_state.setdefault("links", {})
        now = self.clock()
        if name not in kept or now - kept[name][0] > KEPT:
            kept[name] = now, make()
        return kept[name][1]


def choose(rows: Sequence[Mapping[str, object]], identities: Sequence[str], key: str, alt: str) -> str | None:
    """Show a table of which a row can be chosen, and return which is; it stays chosen while others come and go.

    Args:
        rows: of the table.
        identities: what names each of them.
        key: of the choice in the session.
        alt: what the table is, for those who do not see it.
    """
    kept = st.session_state.get(key)
    selected: DataframeStateInput = {"selection": {"rows": [identities.index(kept)] if kept in identities else []}}
    state = st.dataframe(
        rows,
        key=f"{key}-{hash(tuple(identities))}",  # a widget counts its rows, so other rows need another one
        on_select="rerun",
        selection_mode="single-row",
        selection_default=selected,
        hide_index=True,
        alt=alt,
    )
    chosen = next((identities[row] for row in state.selection.rows if row < len(identities)), None)
    st.session_state[key] = chosen
    return chosen
