"""Who did what when, how busy everybody was, and how much faster many are than one."""

from functools import partial

import streamlit as st
from markupsafe import Markup

from monitor import actions, charts, markup
from monitor.charts import Chart
from monitor.looks import BLUE, GREEN, ORANGE, PURPLE, SKY
from monitor.markup import Figure
from monitor.records import Timeline
from monitor.views.book import label
from monitor.views.view import View
from monitor.words import Words

STRETCHES: dict[str, float | None] = {"10min": 600.0, "1h": 3_600.0, "1d": 86_400.0, "all": None}
"""Seconds that can be looked back, by the value of the choice."""


def show(view: View) -> None:
    """Show the timeline of a stretch of time, of all books or one."""
    _ = view.words
    st.title(_("Timeline"), anchor=False)
    actions.attend(_)
    names = {"10min": _("10 minutes"), "1h": _("1 hour"), "1d": _("1 day"), "all": _("all")}
    rows = {row.book_id: row for row in view.feed.shelf()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        stretch = st.segmented_control(
            _("Stretch of time"),
            list(STRETCHES),
            format_func=names.__getitem__,
            default="1h",
            key="stretch",
            required=True,
        )
        book_id = st.selectbox(
            _("Book"),
            ["", *rows],
            format_func=lambda book_id: label(rows[book_id]) if book_id else _("all books"),
            key="of",
        )
    view.live(partial(figures, seconds=STRETCHES[stretch], book_id=book_id))


def figures(view: View, seconds: float | None, book_id: str) -> None:
    """Show the figures of a stretch of so many seconds up to now, or of everything; of all books, or of one."""
    _ = view.words
    view.sources("kafka", "redis")
    if not view.known("kafka"):
        st.html(markup.block(markup.note(_("Not known yet."))))
        return
    timeline = view.feed.timeline(seconds, book_id)
    if not timeline.spans:
        st.html(markup.block(markup.note(_("Nobody was at a part in this stretch of time."))))
        return
    st.html(markup.block(_numbers(timeline, _)))
    st.subheader(_("Who was at what"), anchor=False)
    if timeline.left_out:
        st.caption(
            _.plural(
                "{n} earlier part is not drawn; all figures count it.",
                "{n} earlier parts are not drawn; all figures count them.",
                timeline.left_out,
            )
        )
    st.vega_lite_chart(charts.gantt(timeline, _).whole, key="gantt", alt=_("Parts by worker over time"))
    st.subheader(_("How busy"), anchor=False)
    st.vega_lite_chart(charts.utilisation(timeline, _).whole, key="utilisation", alt=_("Share of the time, by worker"))
    with st.grid(2, min_column_width=340):
        for title, key, chart, alt in _charts(timeline, _):
            with st.container(gap="small"):
                st.subheader(title, anchor=False)
                st.vega_lite_chart(chart.whole, key=key, alt=alt)


def _charts(timeline: Timeline, _: Words) -> list[tuple[str, str, Chart, str]]:
    """Return the small figures: title, key, chart, and what it shows for those who do not see it."""
    return [
        (
            _("Audio made a second"),
            "throughput",
            charts.throughput(timeline, _),
            _("Seconds of audio made a second, over time"),
        ),
        (
            _("Speed-up against one worker"),
            "speed-up",
            charts.speed_up(timeline, _),
            _("Measured speed-up beside the ideal, by workers at work"),
        ),
        (
            _("Time for a part"),
            "durations",
            charts.histogram(timeline.durations, _("seconds of work"), GREEN, _),
            _("How many parts took how long"),
        ),
        (
            _("Work for a second of audio"),
            "factors",
            charts.histogram(timeline.factors, _("real-time factor"), PURPLE, _),
            _("How many parts had which real-time factor"),
        ),
    ]


def _numbers(timeline: Timeline, _: Words) -> Markup:
    parts = sum(usage.parts for usage in timeline.usage)
    wall = sum(usage.wall for usage in timeline.usage)
    busy = min(1.0, sum(usage.busy for usage in timeline.usage) / wall) if wall > 0 else None
    speeds = [each.speed for each in timeline.throughput]
    mean = sum(speeds) / len(speeds) if speeds else None
    return markup.figures(
        [
            Figure(_("parts"), _.number(parts), colour=GREEN),
            Figure(_("mean time"), _.span(timeline.mean), colour=ORANGE),
            Figure(_("speed"), _.times(mean), _("real time"), SKY),
            Figure(_("workers"), _.number(len(timeline.usage)), colour=PURPLE),
            Figure(_("busy"), _.span(None) if busy is None else _.percent(busy), colour=BLUE),
        ]
    )
