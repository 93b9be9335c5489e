"""What figures look like: specifications of Vega-Lite, made once for each language. The home of altair.

A refresh of a page exchanges the data of a figure and nothing else, so a specification has no data, but the names of
the tables that `monitor.charts` fills: `rows`, and where there is more than one, others.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import altair as alt
import pandas  # noqa: F401 - altair looks for it, and must not meet it half imported by the thread of another viewer

from monitor.looks import BLUE, GREEN, GREY, ORANGE, PARTS, SKY, VERMILLION, part_state
from monitor.records import Outcome, PartState
from monitor.words import Words

ROWS, CROSSES, FRAME = "rows", "crosses", "frame"
"""Names of tables."""
PART = "part"
"""Parameter of the grid that says which part was clicked."""
_KEPT = 32
"""Viewers' languages and zones whose specifications are kept: what a browser says of itself is up to whoever asks."""
_STEP = 22
"""Pixels of a row."""
_HEIGHT = 260
"""Pixels of a figure without rows, axes and legend included."""
_LABEL = 170
"""Most pixels of the name of a worker."""
_TITLE = 120
"""Most pixels of the title of a chapter, so that squares are seen on a phone too."""
_INSIDE = 0.2
"""Least share whose label lies in its bar, on a phone too: others lie on the page, which may be dark."""
Spec = Mapping[str, Any]
alt.theme.enable("none")  # Streamlit's own follows the page


@lru_cache(_KEPT)
def grid(_: Words) -> Spec:
    """Return the grid of parts, a square each, which the parameter `PART` is about."""
    states = {square(state, _): look.colour for state, look in PARTS.items()}
    base = _chart().encode(
        x=alt.X("column:O", title=_("part of the chapter"), axis=alt.Axis(orient="top", labelAngle=0)),
        y=alt.Y("row:O", title=None, sort=alt.EncodingSortField("order"), axis=alt.Axis(labelLimit=_TITLE)),
    )
    tooltip = [
        alt.Tooltip("part:Q", title=_("part")),
        alt.Tooltip("chapter:N", title=_("chapter")),
        alt.Tooltip("state:N", title=_("state")),
        alt.Tooltip("length:N", title=_("length")),
        alt.Tooltip("worker:N", title=_("worker")),
        alt.Tooltip("attempts:Q", title=_("failed attempts")),
        alt.Tooltip("reason:N", title=_("reason")),
    ]
    squares = base.mark_rect(cornerRadius=3, strokeWidth=2.5, cursor="pointer").encode(
        color=alt.Color("state:N", scale=_scale(states), legend=None),
        stroke=alt.when("datum.chosen").then(alt.value(BLUE)).otherwise(alt.value("transparent")),
        fillOpacity=alt.when("datum.faint").then(alt.value(0.35)).otherwise(alt.value(1.0)),
        tooltip=tooltip,
    )
    click = alt.selection_point(name=PART, fields=["part"], on="click", empty=False, toggle=False)
    marks = base.mark_text(fontSize=11, fontWeight="bold", color="black", cursor="pointer", tooltip=False).encode(
        text="mark:N"
    )
    return _spec(alt.LayerChart(layer=[squares.add_params(click), marks]), _, height=alt.Step(_STEP))


@lru_cache(_KEPT)
def gantt(_: Words) -> Spec:
    """Return who was at which part when, a row a worker: idle time is what stays empty.

    Tables: spans, those that failed as `CROSSES`, and begin and end of the stretch as `FRAME`.
    """
    names = outcomes(_)
    colours = {names["done"]: GREEN, names["failed"]: VERMILLION, names["running"]: SKY}
    rows = alt.Y("worker:N", title=None, axis=alt.Axis(labelLimit=_LABEL, grid=True))
    bars = (
        _chart()
        .mark_bar(cornerRadius=2, height={"band": 0.7})
        .encode(
            x=alt.X("start:T", title=None, axis=alt.Axis(tickCount=8)),
            x2="end:T",
            y=rows,
            color=alt.Color("outcome:N", scale=_scale(colours), legend=_legend()),
            fillOpacity=alt.when(alt.datum.outcome == names["running"]).then(alt.value(0.4)).otherwise(alt.value(1.0)),
            tooltip=[
                alt.Tooltip("worker:N", title=_("worker")),
                alt.Tooltip("book:N", title=_("book")),
                alt.Tooltip("part:Q", title=_("part")),
                alt.Tooltip("outcome:N", title=_("state")),
                alt.Tooltip("start:T", title=_("from"), format="%H:%M:%S"),
                alt.Tooltip("end:T", title=_("until"), format="%H:%M:%S"),
                alt.Tooltip("seconds:Q", title=_("seconds of work"), format=",.1f"),
                alt.Tooltip("audio:Q", title=_("seconds of audio"), format=",.1f"),
            ],
        )
    )
    crosses = (
        _chart(CROSSES)
        .mark_text(fontWeight="bold", align="left", dx=2, tooltip=False)
        .encode(x="start:T", y=rows, text="mark:N", color=alt.value("black"))
    )
    frame = _chart(FRAME).mark_point(opacity=0).encode(x="start:T")
    return _spec(alt.LayerChart(layer=[frame, bars, crosses]), _, height=alt.Step(_STEP))


@lru_cache(_KEPT)
def utilisation(_: Words) -> Spec:
    """Return the share of the time in which each worker spoke."""
    base = _chart().encode(
        x=alt.X("share:Q", title=_("share of the time"), scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
        y=alt.Y("worker:N", title=None, axis=alt.Axis(labelLimit=_LABEL)),
        tooltip=[
            alt.Tooltip("worker:N", title=_("worker")),
            alt.Tooltip("label:N", title=_("share of the time")),
            alt.Tooltip("busy:Q", title=_("seconds of work"), format=",.0f"),
            alt.Tooltip("parts:Q", title=_("parts")),
        ],
    )
    bars = base.mark_bar(color=SKY, height={"band": 0.7})
    labels = base.mark_text(align="left", dx=4).encode(
        text="label:N",
        x=alt.datum(0),
        color=alt.when(alt.datum.share < _INSIDE).then(alt.value(BLUE)).otherwise(alt.value("black")),
    )
    return _spec(alt.LayerChart(layer=[bars, labels]), _, height=alt.Step(_STEP))


@lru_cache(_KEPT)
def throughput(_: Words) -> Spec:
    """Return how much audio was made a second over time."""
    chart = (
        _chart()
        .mark_area(color=SKY, opacity=0.5, interpolate="step-after", line={"color": SKY})
        .encode(
            x=alt.X("time:T", title=None, axis=alt.Axis(tickCount=6)),
            y=alt.Y("speed:Q", title=_("seconds of audio a second")),
            tooltip=[
                alt.Tooltip("time:T", title=_("from"), format="%H:%M:%S"),
                alt.Tooltip("speed:Q", title=_("seconds of audio a second"), format=",.1f"),
            ],
        )
    )
    return _spec(chart, _, height=_HEIGHT)


@lru_cache(2 * _KEPT)
def histogram(title: str, colour: str, _: Words) -> Spec:
    """Return how many parts lie in each of some intervals; `title` says of what."""
    chart = (
        _chart()
        .mark_bar(color=colour)
        .encode(
            x=alt.X("low:Q", title=title, bin="binned"),
            x2="high:Q",
            y=alt.Y("count:Q", title=_("parts"), axis=alt.Axis(tickMinStep=1)),
            tooltip=[
                alt.Tooltip("low:Q", title=_("from"), format=",.3~r"),
                alt.Tooltip("high:Q", title=_("until"), format=",.3~r"),
                alt.Tooltip("count:Q", title=_("parts")),
            ],
        )
    )
    return _spec(chart, _, height=_HEIGHT)


@lru_cache(_KEPT)
def speed_up(_: Words) -> Spec:
    """Return how many times as fast as one worker so many were, beside the line of as many times."""
    measured, ideal = _("measured"), _("ideal")
    names = {measured: BLUE, ideal: GREY}
    base = _chart().encode(
        x=alt.X("workers:Q", title=_("workers at work"), axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("times:Q", title=_("times one worker")),
        color=alt.Color("line:N", scale=_scale(names), legend=_legend(symbolType="stroke")),
        tooltip=[
            alt.Tooltip("line:N", title=_("line")),
            alt.Tooltip("workers:Q", title=_("workers at work")),
            alt.Tooltip("times:Q", title=_("times one worker"), format=",.2f"),
        ],
    )
    lines = base.mark_line().encode(
        strokeDash=alt.StrokeDash("line:N", scale=alt.Scale(domain=list(names), range=[[1, 0], [4, 4]]), legend=None)
    )
    points = base.mark_point(filled=True, size=70).transform_filter(alt.datum.line == measured)
    return _spec(alt.LayerChart(layer=[lines, points]), _, height=_HEIGHT)


@lru_cache(_KEPT)
def lag(_: Words) -> Spec:
    """Return how much audio waits in each partition, those of the two topics beside each other."""
    names = {_("express"): ORANGE, _("chapters"): SKY}
    chart = (
        _chart()
        .mark_bar()
        .encode(
            x=alt.X("partition:O", title=_("partition"), axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            xOffset="topic:N",
            y=alt.Y("minutes:Q", title=_("minutes of audio")),
            color=alt.Color("topic:N", scale=_scale(names), legend=_legend()),
            tooltip=[
                alt.Tooltip("topic:N", title=_("topic")),
                alt.Tooltip("partition:O", title=_("partition")),
                alt.Tooltip("owner:N", title=_("worker")),
                alt.Tooltip("parts:Q", title=_("parts")),
                alt.Tooltip("seconds:Q", title=_("seconds of audio"), format=",.0f"),
            ],
        )
    )
    return _spec(chart, _, height=_HEIGHT)


@lru_cache(_KEPT)
def loudness(_: Words) -> Spec:
    """Return the loudness of chapters."""
    chart = (
        _chart()
        .mark_point(filled=True, size=60, color=BLUE)
        .encode(
            x=alt.X("chapter:Q", title=_("chapter"), axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("loudness:Q", title=_("LUFS"), scale=alt.Scale(zero=False, padding=12)),
            tooltip=[
                alt.Tooltip("chapter:Q", title=_("chapter")),
                alt.Tooltip("title:N", title=_("title")),
                alt.Tooltip("loudness:Q", title=_("LUFS"), format=".1f"),
            ],
        )
    )
    return _spec(chart, _, height=_HEIGHT)


def square(state: PartState, _: Words) -> str:
    """Return a state of a part with its mark, for tooltip and colour."""
    return f"{PARTS[state].mark} {part_state(state, _)}"


def outcomes(_: Words) -> dict[Outcome, str]:
    """Return what became of a part that was begun."""
    return {"done": _("done"), "failed": _("failed"), "running": _("speaking")}


def _chart(table: str = ROWS) -> alt.Chart:
    return alt.Chart(alt.NamedData(table))


def _legend(**more: Any) -> alt.Legend:
    return alt.Legend(title=None, orient="top", padding=0, offset=6, **more)


def _scale(colours: Mapping[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _spec(chart: alt.Chart | alt.LayerChart, _: Words, **properties: Any) -> Spec:
    """Return the specification of a chart of this size whose axes write numbers and times as the viewer does."""
    return dict(chart.properties(**properties).configure(locale=_.figures()).to_dict())
