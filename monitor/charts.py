"""Figures, from data to Altair charts. Pure.

Only data changes from one refresh to the next, never a specification: the browser then exchanges the data of the
figure that is there, and nothing flickers. Whatever comes from books is text in it: tooltips and labels know no markup.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import altair as alt
import pandas  # noqa: F401 - altair looks for it, and must not meet it half imported by the thread of another viewer
from pyarrow import Table

from monitor.looks import BLUE, GREEN, GREY, ORANGE, PARTS, SKY, VERMILLION, part_state
from monitor.records import Bin, Cell, ChapterRow, PartitionRow, PartState, Timeline
from monitor.words import Words, one_line

PER_ROW = 20
"""Parts in a row of the grid; a chapter that has more goes on in the next."""
ROWS = 40
"""Rows of a page of the grid."""
PART = "part"
"""Parameter of the grid that says which part was clicked."""
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
_TEXT = 200
"""Most characters of what a tooltip shows of a text."""
Row = dict[str, Any]
Figure = TypeVar("Figure", alt.Chart, alt.LayerChart)


def pages(cells: Sequence[Cell]) -> list[list[list[Cell]]]:
    """Return the cells of a book as pages of rows of the grid, each of one chapter."""
    rows: list[list[Cell]] = []
    for cell in cells:
        if cell.place % PER_ROW == 0 or not rows:
            rows.append([])
        rows[-1].append(cell)
    return [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]


def grid(page: Iterable[Iterable[Cell]], titles: Sequence[str], chosen: int | None, _: Words) -> alt.LayerChart:
    """Return a page of the grid of parts, a square each, which the parameter `PART` is about.

    Args:
        page: of `pages`.
        titles: of the chapters of the book.
        chosen: index of the part that is framed.
        _: words.
    """
    data = [_square(cell, titles[cell.chapter], chosen, _) for row in page for cell in row]
    states = {_state(state, _): look.colour for state, look in PARTS.items()}
    base = alt.Chart(_data(data)).encode(
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
    return _finished(alt.LayerChart(layer=[squares.add_params(click), marks]), _, height=alt.Step(_STEP))


def gantt(timeline: Timeline, _: Words) -> alt.LayerChart:
    """Return who was at which part when, a row a worker: idle time is what stays empty."""
    outcomes = {_("done"): GREEN, _("failed"): VERMILLION, _("speaking"): SKY}
    names = dict(zip(("done", "failed", "running"), outcomes, strict=True))
    data = [
        {
            "worker": _short(span.worker),
            "start": span.start * 1000,
            "end": span.end * 1000,
            "outcome": names[span.outcome],
            "book": _short(span.title),
            "part": span.part,
            "seconds": span.end - span.start,
            "audio": span.audio_seconds,
        }
        for span in timeline.spans
    ]
    rows = alt.Y("worker:N", title=None, axis=alt.Axis(labelLimit=_LABEL, grid=True))
    bars = (
        alt.Chart(_data(data))
        .mark_bar(cornerRadius=2, height={"band": 0.7})
        .encode(
            x=alt.X("start:T", title=None, axis=alt.Axis(tickCount=8)),
            x2="end:T",
            y=rows,
            color=alt.Color("outcome:N", scale=_scale(outcomes), legend=_legend()),
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
        alt.Chart(_data([row | {"mark": PARTS["failed"].mark} for row in data if row["outcome"] == names["failed"]]))
        .mark_text(fontWeight="bold", align="left", dx=2, tooltip=False)
        .encode(x="start:T", y=rows, text="mark:N", color=alt.value("black"))
    )
    ends = [{"start": timeline.start * 1000}, {"start": timeline.end * 1000}]
    frame = alt.Chart(_data(ends)).mark_point(opacity=0).encode(x="start:T")
    return _finished(alt.LayerChart(layer=[frame, bars, crosses]), _, height=alt.Step(_STEP))


def utilisation(timeline: Timeline, _: Words) -> alt.LayerChart:
    """Return the share of the time in which each worker spoke."""
    data = [
        {
            "worker": _short(usage.worker),
            "share": usage.share,
            "label": _.percent(usage.share),
            "parts": usage.parts,
            "busy": usage.busy,
        }
        for usage in timeline.usage
    ]
    base = alt.Chart(_data(data)).encode(
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
    return _finished(alt.LayerChart(layer=[bars, labels]), _, height=alt.Step(_STEP))


def throughput(timeline: Timeline, _: Words) -> alt.Chart:
    """Return how much audio was made a second over time."""
    data = [{"time": each.time * 1000, "speed": each.speed} for each in timeline.throughput]
    chart: alt.Chart = (
        alt.Chart(_data(data))
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
    return _finished(chart, _, height=_HEIGHT)


def histogram(bins: Iterable[Bin], title: str, colour: str, _: Words) -> alt.Chart:
    """Return how many parts lie in each of some intervals; `title` says of what."""
    data = [{"low": each.low, "high": each.high, "count": each.count} for each in bins]
    chart: alt.Chart = (
        alt.Chart(_data(data))
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
    return _finished(chart, _, height=_HEIGHT)


def speed_up(timeline: Timeline, _: Words) -> alt.LayerChart:
    """Return how many times as fast as one worker so many were, beside the line of as many times."""
    most = max((workers for workers, _times in timeline.speed_up), default=1)
    names = {_("measured"): BLUE, _("ideal"): GREY}
    measured, ideal = names
    data = [{"workers": workers, "times": times, "line": measured} for workers, times in timeline.speed_up]
    data += [{"workers": workers, "times": workers, "line": ideal} for workers in (0, most)]
    base = alt.Chart(_data(data)).encode(
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
    return _finished(alt.LayerChart(layer=[lines, points]), _, height=_HEIGHT)


def lag(partitions: Iterable[PartitionRow], express: str, _: Words) -> alt.Chart:
    """Return how much audio waits in each partition; `express` is the topic of what is urgent."""
    names = {_("express"): ORANGE, _("chapters"): SKY}
    urgent, ordinary = names
    data = [
        {
            "partition": row.partition,
            "seconds": row.seconds,
            "minutes": row.seconds / 60,
            "parts": row.parts,
            "owner": _short(row.owner),
            "topic": urgent if row.topic == express else ordinary,
        }
        for row in partitions
    ]
    chart: alt.Chart = (
        alt.Chart(_data(data))
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
    return _finished(chart, _, height=_HEIGHT)


def loudness(chapters: Iterable[ChapterRow], _: Words) -> alt.Chart:
    """Return the loudness of the chapters of which it is known."""
    data = [
        {"chapter": row.number, "title": _short(row.title), "loudness": row.loudness}
        for row in chapters
        if row.loudness is not None
    ]
    chart: alt.Chart = (
        alt.Chart(_data(data))
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
    return _finished(chart, _, height=_HEIGHT)


def _square(cell: Cell, title: str, chosen: int | None, _: Words) -> Row:
    first = cell.place - cell.place % PER_ROW
    name = f"{cell.chapter + 1} {_short(title)}" if not first else f"{cell.chapter + 1} … {first + 1}"
    return {
        "part": cell.part,
        "column": cell.place % PER_ROW + 1,
        "row": name,
        "order": cell.part,
        "chapter": _short(title),
        "state": _state(cell.state, _),
        "mark": PARTS[cell.state].mark,
        "faint": cell.state == "waiting",
        "chosen": cell.part == chosen,
        "length": _.clock(cell.seconds),
        "worker": _short(cell.worker),
        "attempts": cell.attempts,
        "reason": _short(cell.reason),
    }


def _state(state: PartState, _: Words) -> str:
    """Return a state with its mark, for tooltip and legend."""
    return f"{PARTS[state].mark} {part_state(state, _)}"


def _data(rows: list[Row]) -> Table:
    """Return rows as a table: Altair copies lists several times, and Streamlit sends tables as they are."""
    return Table.from_pylist(rows)


def _legend(**more: Any) -> alt.Legend:
    return alt.Legend(title=None, orient="top", padding=0, offset=6, **more)


def _scale(colours: Mapping[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _finished(chart: Figure, _: Words, **properties: Any) -> Figure:
    """Return a chart of this size whose axes write numbers and times as the viewer does."""
    finished: Figure = chart.properties(**properties).configure(locale=_.figures())
    return finished


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _TEXT else f"{line[:_TEXT]}…"
