"""Figures: valid, of colours that everybody tells apart, and the same from refresh to refresh but for their data."""

import json
from collections.abc import Callable
from typing import Any

import altair as alt
import pytest

from e2a.topics import EXPRESS
from monitor import charts, looks
from monitor.charts import Chart
from monitor.looks import BOOKS, PARTS, WORKERS
from monitor.words import words
from tests.unit.pages_feed import HOSTILE, NOW, a_book_page, a_cell, a_queue, a_timeline

ENGLISH, FRENCH = words("en", None), words("fr", None)
OKABE_ITO = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999"}
TITLES = [f"Chapter {number}" for number in range(1, 5)]


def a_grid(chosen: int | None = None, **changes: Any) -> Chart:
    cells = [cell.model_copy(update=changes) for cell in a_book_page().cells]
    return charts.grid(charts.pages(cells)[0], TITLES, chosen, ENGLISH)


FIGURES: dict[str, Callable[[], Chart]] = {
    "grid": a_grid,
    "gantt": lambda: charts.gantt(a_timeline(), ENGLISH),
    "utilisation": lambda: charts.utilisation(a_timeline(), ENGLISH),
    "throughput": lambda: charts.throughput(a_timeline(), ENGLISH),
    "histogram": lambda: charts.histogram(a_timeline().durations, "seconds", looks.GREEN, ENGLISH),
    "speed-up": lambda: charts.speed_up(a_timeline(), ENGLISH),
    "lag": lambda: charts.lag(a_queue().partitions, EXPRESS, ENGLISH),
    "loudness": lambda: charts.loudness(a_book_page().chapters, ENGLISH),
}


def named(spec: Any) -> set[str]:
    """Return the names of the tables that a specification asks for."""
    if isinstance(spec, list):
        return set().union(*map(named, spec))
    if not isinstance(spec, dict):
        return set()
    here = {spec["data"]["name"]} if "data" in spec else set()
    return here.union(*map(named, spec.values()))


def rows(chart: Chart, table: str = "rows") -> list[dict[str, Any]]:
    """Return the data of a chart."""
    return chart.data[table].to_pylist()


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_valid(name: str) -> None:
    """Every figure follows the schema of Vega-Lite, empty ones included."""
    alt.Chart.from_dict(FIGURES[name]().spec, validate=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (a_grid(), a_grid(3, state="done", reason="x")),
        (charts.gantt(a_timeline(), ENGLISH), charts.gantt(a_timeline(4, 9, start=NOW - 9000), ENGLISH)),
        (charts.utilisation(a_timeline(), ENGLISH), charts.utilisation(a_timeline(9), ENGLISH)),
        (charts.throughput(a_timeline(), ENGLISH), charts.throughput(a_timeline(throughput=()), ENGLISH)),
        (charts.speed_up(a_timeline(), ENGLISH), charts.speed_up(a_timeline(9), ENGLISH)),
        (
            charts.lag(a_queue().partitions, EXPRESS, ENGLISH),
            charts.lag(a_queue().partitions[:1], EXPRESS, ENGLISH),
        ),
    ],
    ids=["grid", "gantt", "utilisation", "throughput", "speed-up", "lag"],
)
def test_only_data_changes(before: Chart, after: Chart) -> None:
    """Whatever happens, the specification of a figure stays, so the browser exchanges its data and draws no other."""
    assert rows(before) != rows(after)
    assert before.spec is after.spec
    assert before.data.keys() == after.data.keys() == named(before.spec)


def test_colours_can_be_told_apart() -> None:
    """All colours are of Okabe and Ito's palette; states of a kind differ in colour or mark, and each has a mark."""
    for kind in (PARTS, BOOKS, WORKERS):
        assert {look.colour for look in kind.values()} <= OKABE_ITO
        assert len(set(kind.values())) >= len(kind) - 1  # a worker that is drained looks like none that speaks
        assert all(len(look.mark) == 1 for look in kind.values())
    assert len({look.mark for look in PARTS.values()}) == len({look.colour for look in PARTS.values()}) == len(PARTS)
    spoken = json.dumps([figure().spec for figure in FIGURES.values()])
    assert {colour for colour in spoken.split('"') if colour.startswith("#")} - {"#,##0"} <= OKABE_ITO


def test_grid_has_a_square_a_part() -> None:
    """A part is a square with its mark, in the row of its chapter, and says what became of it; the chosen is framed."""
    squares = rows(a_grid(6))
    assert [square["part"] for square in squares] == list(range(8))
    assert [square["row"] for square in squares[:3]] == ["1 Chapter 1", "1 Chapter 1", "2 Chapter 2"]
    assert [square["column"] for square in squares[:3]] == [1, 2, 1]
    assert squares[6]["state"] == "✕ failed"
    assert [square["part"] for square in squares if square["chosen"]] == [6]


def test_long_chapters_go_on_in_the_next_row() -> None:
    """A chapter of more parts than fit goes on below, and rows come in pages; no part is lost."""
    cells = [a_cell(part, chapter=0, place=part) for part in range(charts.PER_ROW + 1)]
    cells += [a_cell(100 + part, chapter=1 + part, place=0) for part in range(2 * charts.PAGE)]
    pages = charts.pages(cells)
    assert [len(row) for row in pages[0][:3]] == [charts.PER_ROW, 1, 1]
    assert [len(page) for page in pages] == [charts.PAGE, charts.PAGE, 2]
    assert [cell for page in pages for row in page for cell in row] == cells
    squares = rows(charts.grid(pages[0], ["A"] * 100, None, ENGLISH))
    assert squares[charts.PER_ROW]["row"] == f"1 … {charts.PER_ROW + 1}"


def test_grid_of_no_part() -> None:
    """A book whose parts are not known has no page."""
    assert charts.pages([]) == []


def test_hostile_titles_are_text() -> None:
    """What comes from books and workers is a value of the data, in one line and cut where it is far too long."""
    spec = charts.grid([[a_cell(reason="x" * 900, worker=HOSTILE)]], [HOSTILE], None, ENGLISH)
    squares = rows(spec)
    assert squares[0]["chapter"].startswith('<b onclick="x()">T</b> ![x](http://y) $z$ :red[r] :smile: `c` # h evil')
    assert len(squares[0]["reason"]) < 210
    assert "onclick" not in json.dumps(spec.spec)


def test_gantt_shows_the_whole_stretch() -> None:
    """The axis goes from the beginning of the stretch to its end, so that idle time is seen at both."""
    frame = rows(charts.gantt(a_timeline(spans=()), ENGLISH), "frame")
    assert [point["start"] for point in frame] == [(NOW - 600) * 1000, NOW * 1000]


def test_gantt_begins_with_the_stretch() -> None:
    """A part that was begun before the stretch is drawn from its beginning, so that it does not widen the axis."""
    earlier = a_timeline().spans[0].model_copy(update={"start": NOW - 9000, "end": NOW - 500})
    (bar,) = rows(charts.gantt(a_timeline(spans=(earlier,)), ENGLISH))
    assert bar["start"] == (NOW - 600) * 1000


def test_gantt_marks_what_failed() -> None:
    """A part that failed has a cross as well as a colour."""
    crosses = rows(charts.gantt(a_timeline(), ENGLISH), "crosses")
    assert [(cross["mark"], cross["outcome"]) for cross in crosses] == [("✕", "failed")]


def test_small_shares_can_be_read() -> None:
    """The share of a worker that is hardly busy lies beside its bar, on a page that may be dark, and is not black."""
    colour = charts.utilisation(a_timeline(), ENGLISH).spec["layer"][1]["encoding"]["color"]
    (condition,) = colour["condition"]
    assert condition == {"test": "(datum.share < 0.2)", "value": looks.BLUE}
    assert colour["value"] == "black"


def test_ideal_line_is_straight() -> None:
    """The ideal goes from nothing to as many times as there were workers."""
    points = rows(charts.speed_up(a_timeline(4), ENGLISH))
    assert [(p["workers"], p["times"]) for p in points if p["line"] == "ideal"] == [(0, 0), (4, 4)]


def test_lag_tells_urgent_from_ordinary() -> None:
    """Partitions of the two topics of one number stand beside each other, by name and colour."""
    partition = a_queue().partitions[1]
    bars = rows(charts.lag([partition, partition.model_copy(update={"topic": EXPRESS})], EXPRESS, FRENCH))
    assert [(bar["partition"], bar["topic"], bar["minutes"]) for bar in bars] == [
        (1, "chapitres", 1.0),
        (1, "express", 1.0),
    ]


def test_figures_speak_the_viewers_language() -> None:
    """Titles of axes and the way numbers are written are those of the viewer."""
    spec = charts.utilisation(a_timeline(), FRENCH).spec
    assert spec["config"]["locale"]["number"]["decimal"] == ","
    assert "part du temps" in json.dumps(spec)
