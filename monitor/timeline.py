"""Who did what when, in figures: pure functions of what has happened to parts.

The audio of a part is spread evenly over the time in which it was spoken, for nobody tells when each second of it was
made. A part that is still being spoken keeps its worker busy; its audio counts when it is done.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter, itemgetter
from typing import NamedTuple

from monitor.history import Happening
from monitor.records import Bin, Span, Throughput, Timeline, Usage

LIMIT = 2000
"""Most spans that are given, the last ones."""
INTERVALS = 60
"""Of the throughput."""
BINS = 20
"""Most of a histogram."""
TYPICAL = 0.98
"""Share of the values that all bins but the last one divide evenly: a part that took an hour hides no others."""

Stretch = tuple[float, float]
"""Beginning and end, Unix times in seconds."""


class Frame(NamedTuple):
    """The stretch of time that is shown, in `INTERVALS`."""

    start: float
    end: float

    @property
    def width(self) -> float:
        """Of an interval, in seconds."""
        return (self.end - self.start) / INTERVALS

    def clip(self, begin: float, end: float) -> Stretch:
        """Return what is shown of a stretch; it is empty, or ends before it begins, where that is nothing."""
        return max(begin, self.start), min(end, self.end)


class Work(NamedTuple):
    """What was done in a frame."""

    busy: dict[str, list[Stretch]]
    """When each worker spoke; disjoint, in order."""
    audio: list[float]
    """Seconds of audio that were made in each interval."""
    present: list[set[str]]
    """Who spoke in each interval."""


def timeline(
    happenings: Sequence[Happening],
    running: Sequence[Span],
    *,
    titles: Mapping[str, str],
    live: Mapping[str, float],
    since: float | None,
    now: float,
) -> Timeline:
    """Return what happened in a stretch of time.

    Args:
        happenings: to parts, by time.
        running: parts that are being spoken.
        titles: of books, by id.
        live: when the workers that are there now began, Unix times in seconds; they are shown also when they did
            nothing.
        since: Unix time in seconds; None shows all, from the first beginning to the last end.
        now: end of the stretch, Unix time in seconds.
    """
    told = [each for each in happenings if each.work or each.reason is not None]
    frame = _frame(told, running, since, now)
    told = told[bisect_right(told, frame.start, key=itemgetter(0)) if since is not None else 0 :]
    spoken = [each for each in told if each.work]
    work = _work(spoken, frame)
    spans = sorted([*(_span(each, titles) for each in told[-LIMIT:]), *running], key=attrgetter("end"))[-LIMIT:]
    return Timeline(
        start=frame.start,
        end=frame.end,
        spans=tuple(spans),
        left_out=len(told) + len(running) - len(spans),
        usage=_usage(_with(work.busy, running, frame), spoken, live, frame),
        throughput=tuple(
            Throughput(time=frame.start + index * frame.width, speed=audio / frame.width)
            for index, audio in enumerate(work.audio)
        ),
        mean=sum(each.work for each in spoken) / len(spoken) if spoken else None,
        durations=_histogram([each.work for each in spoken]),
        factors=_histogram([each.work / each.audio for each in spoken if each.audio]),
        speed_up=_speed_up(work, frame, until=min((each.start for each in running), default=frame.end)),
    )


def _frame(told: Sequence[Happening], running: Sequence[Span], since: float | None, now: float) -> Frame:
    if since is not None:
        return Frame(since, now)
    begins = [each.time - each.work for each in told] + [each.start for each in running]
    last = told[-1].time if told else now
    return Frame(min(begins, default=now), now if running else last)


def _work(spoken: Sequence[Happening], frame: Frame) -> Work:
    """Return what was done in a frame; there are no intervals of one that is no longer than a moment."""
    busy: dict[str, list[Stretch]] = defaultdict(list)
    (start, stop), width = frame, frame.width
    if width <= 0:
        return Work(busy, [], [])
    audio, present = [0.0] * INTERVALS, [set[str]() for _ in range(INTERVALS)]
    for end, _book_id, _part, worker, work, seconds, _reason in spoken:  # a hundred thousand: no calls in here
        begin = end - work if end - work > start else start
        until = end if end < stop else stop
        if until <= begin:
            continue
        busy[worker].append((begin, until))
        first, last = int((begin - start) / width), math.ceil((until - start) / width)
        for index in range(min(first, INTERVALS - 1), min(max(last, first + 1), INTERVALS)):
            border = start + index * width
            audio[index] += seconds / work * (min(until, border + width) - max(begin, border))
            present[index].add(worker)
    return Work({worker: _union(stretches) for worker, stretches in busy.items()}, audio, present)


def _union(stretches: list[Stretch]) -> list[Stretch]:
    """Return when any of some stretches is: a worker may be at several parts at a time."""
    united: list[Stretch] = []
    for begin, end in sorted(stretches):
        if united and begin <= united[-1][1]:
            united[-1] = united[-1][0], max(end, united[-1][1])
        else:
            united.append((begin, end))
    return united


def _with(busy: Mapping[str, list[Stretch]], running: Iterable[Span], frame: Frame) -> dict[str, list[Stretch]]:
    """Return when each worker was busy, with the parts that are being spoken."""
    found = dict(busy)
    for each in running:
        begin, end = frame.clip(each.start, each.end)
        stretches = found.get(each.worker, [])
        before = bisect_left(stretches, begin, key=itemgetter(1))
        found[each.worker] = [*stretches[:before], *_union([*stretches[before:], (begin, max(begin, end))])]
    return found


def _length(stretches: Sequence[Stretch]) -> float:
    return sum(end - begin for begin, end in stretches)


def _usage(
    busy: Mapping[str, Sequence[Stretch]], spoken: Sequence[Happening], live: Mapping[str, float], frame: Frame
) -> tuple[Usage, ...]:
    parts = Counter(each.worker for each in spoken)
    found = []
    for worker in sorted(busy.keys() | live.keys() | parts.keys()):
        stretches = busy.get(worker, ())
        first, last = (stretches[0][0], stretches[-1][1]) if stretches else (frame.end, frame.end)
        began, ended = (min(live[worker], first), frame.end) if worker in live else (first, last)
        seconds, wall = _length(stretches), ended - max(frame.start, began)
        share = min(1.0, seconds / wall) if wall > 0 else 0.0
        found.append(Usage(worker=worker, busy=seconds, wall=wall, share=share, parts=parts[worker]))
    return tuple(found)


def _speed_up(work: Work, frame: Frame, until: float) -> tuple[tuple[int, float], ...]:
    """Return by how many workers were at work how many of them alone would have made as much, on the average.

    One alone makes what all have made while they were busy, over how long they were. Intervals count up to `until`,
    from when on not all is known.
    """
    busy, audio = sum(map(_length, work.busy.values())), sum(work.audio)
    if not busy or not audio:
        return ()
    alone = audio / busy * frame.width
    found: dict[int, list[float]] = defaultdict(list)
    for index, (seconds, workers) in enumerate(zip(work.audio, work.present, strict=True)):
        if workers and frame.start + (index + 1) * frame.width <= until + frame.width / 1000:
            found[len(workers)].append(seconds / alone)
    return tuple((count, sum(each) / len(each)) for count, each in sorted(found.items()))


def _histogram(values: Sequence[float]) -> tuple[Bin, ...]:
    if not values:
        return ()
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    typical = ordered[int(TYPICAL * (len(ordered) - 1))]
    step = (typical - low) / (BINS - 1)
    edges = [low + step * index for index in range(BINS)] if step else [low]
    edges = [*edges[:-1], high] if typical == high and step else [*edges, high]
    places = [0, *(bisect_left(ordered, edge) for edge in edges[1:-1]), len(ordered)]
    return tuple(
        Bin(low=first, high=last, count=count)
        for (first, last), count in zip(pairwise(edges), (b - a for a, b in pairwise(places)), strict=True)
    )


def _span(each: Happening, titles: Mapping[str, str]) -> Span:
    return Span(
        worker=each.worker,
        book_id=each.book_id,
        title=titles.get(each.book_id, ""),
        part=each.part,
        start=each.time - each.work,
        end=each.time,
        outcome="done" if each.reason is None else "failed",
        audio_seconds=each.audio,
    )
