"""Figures: the data of a moment, and the specification that stays. Pure.

Only data changes from one refresh to the next: the browser then exchanges the data of the figure that is there, and
nothing flickers. Whatever comes from books is text in it: tooltips and labels know no markup.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pyarrow import Table

from monitor import specs
from monitor.looks import PARTS
from monitor.records import Bin, Cell, ChapterRow, PartitionRow, Timeline
from monitor.specs import CROSSES, FRAME, ROWS, Spec
from monitor.words import Words, one_line

PER_ROW = 20
"""Parts in a row of the grid; a chapter that has more goes on in the next."""
PAGE = 40
"""Rows of a page of the grid."""
_TEXT = 200
"""Most characters of what a tooltip shows of a text."""
Row = dict[str, Any]


class Chart(NamedTuple):
    """A figure."""

    spec: Spec
    data: dict[str, Table]
    """Tables by the names that the specification has for them."""

    @property
    def whole(self) -> dict[str, Any]:
        """The specification with its data, as Streamlit takes it."""
        return {**self.spec, "datasets": self.data}


def pages(cells: Sequence[Cell]) -> list[list[list[Cell]]]:
    """Return the cells of a book as pages of rows of the grid, each of one chapter."""
    rows: list[list[Cell]] = []
    for cell in cells:
        if cell.place % PER_ROW == 0 or not rows:
            rows.append([])
        rows[-1].append(cell)
    return [rows[start : start + PAGE] for start in range(0, len(rows), PAGE)]


def grid(page: Iterable[Iterable[Cell]], titles: Sequence[str], chosen: int | None, _: Words) -> Chart:
    """Return a page of the grid of parts, a square each.

    Args:
        page: of `pages`.
        titles: of the chapters of the book.
        chosen: index of the part that is framed.
        _: words.
    """
    return _drawn(specs.grid(_), [_square(cell, titles[cell.chapter], chosen, _) for row in page for cell in row])


def gantt(timeline: Timeline, _: Words) -> Chart:
    """Return who was at which part when."""
    names = specs.outcomes(_)
    data = [
        {
            "worker": _short(span.worker),
            "start": max(span.start, timeline.start) * 1000,
            "end": span.end * 1000,
            "outcome": names[span.outcome],
            "book": _short(span.title),
            "part": span.part,
            "seconds": span.end - span.start,
            "audio": span.audio_seconds,
        }
        for span in timeline.spans
    ]
    failed = PARTS["failed"].mark
    crosses: list[Row] = [row | {"mark": failed} for row in data if row["outcome"] == names["failed"]]
    frame: list[Row] = [{"start": timeline.start * 1000}, {"start": timeline.end * 1000}]
    return _drawn(specs.gantt(_), data, **{CROSSES: crosses, FRAME: frame})


def utilisation(timeline: Timeline, _: Words) -> Chart:
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
    return _drawn(specs.utilisation(_), data)


def throughput(timeline: Timeline, _: Words) -> Chart:
    """Return how much audio was made a second over time."""
    return _drawn(
        specs.throughput(_), [{"time": each.time * 1000, "speed": each.speed} for each in timeline.throughput]
    )


def histogram(bins: Iterable[Bin], title: str, colour: str, _: Words) -> Chart:
    """Return how many parts lie in each of some intervals; `title` says of what."""
    data = [{"low": each.low, "high": each.high, "count": each.count} for each in bins]
    return _drawn(specs.histogram(title, colour, _), data)


def speed_up(timeline: Timeline, _: Words) -> Chart:
    """Return how many times as fast as one worker so many were, beside the line of as many times."""
    most = max((workers for workers, _times in timeline.speed_up), default=1)
    data = [{"workers": workers, "times": times, "line": _("measured")} for workers, times in timeline.speed_up]
    data += [{"workers": workers, "times": workers, "line": _("ideal")} for workers in (0, most)]
    return _drawn(specs.speed_up(_), data)


def lag(partitions: Iterable[PartitionRow], express: str, _: Words) -> Chart:
    """Return how much audio waits in each partition; `express` is the topic of what is urgent."""
    data = [
        {
            "partition": row.partition,
            "seconds": row.seconds,
            "minutes": row.seconds / 60,
            "parts": row.parts,
            "owner": _short(row.owner),
            "topic": _("express") if row.topic == express else _("chapters"),
        }
        for row in partitions
    ]
    return _drawn(specs.lag(_), data)


def loudness(chapters: Iterable[ChapterRow], _: Words) -> Chart:
    """Return the loudness of the chapters of which it is known."""
    data = [
        {"chapter": row.number, "title": _short(row.title), "loudness": row.loudness}
        for row in chapters
        if row.loudness is not None
    ]
    return _drawn(specs.loudness(_), data)


def _square(cell: Cell, title: str, chosen: int | None, _: Words) -> Row:
    first = cell.place - cell.place % PER_ROW
    name = f"{cell.chapter + 1} {_short(title)}" if not first else f"{cell.chapter + 1} … {first + 1}"
    return {
        "part": cell.part,
        "column": cell.place % PER_ROW + 1,
        "row": name,
        "order": cell.part,
        "chapter": _short(title),
        "state": specs.square(cell.state, _),
        "mark": PARTS[cell.state].mark,
        "faint": cell.state == "waiting",
        "chosen": cell.part == chosen,
        "length": _.clock(cell.seconds),
        "worker": _short(cell.worker),
        "attempts": cell.attempts,
        "reason": _short(cell.reason),
    }


def _drawn(spec: Spec, rows: list[Row], **more: list[Row]) -> Chart:
    return Chart(spec, {name: Table.from_pylist(each) for name, each in ({ROWS: rows} | more).items()})


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _TEXT else f"{line[:_TEXT]}…"
