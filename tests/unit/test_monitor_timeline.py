"""Who did what when, in figures that add up."""

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.history import Happening
from monitor.records import Span, Timeline
from monitor.timeline import BINS, INTERVALS, LIMIT, timeline
from tests.unit.builders import BOOK

START, NOW = 1_000.0, 2_000.0


def spoken(end: float, work: float = 10.0, worker: str = "a", audio: float = 100.0, part: int = 0) -> Happening:
    return Happening(end, BOOK, part, worker, work, audio, None)


def failed(at: float, worker: str = "a") -> Happening:
    return Happening(at, BOOK, 0, worker, 0.0, 0.0, "no voice")


def running(start: float, worker: str = "a", now: float = NOW) -> Span:
    return Span(worker=worker, book_id=BOOK, title="", part=0, start=start, end=now, outcome="running")


def shown(
    happenings: list[Happening],
    at_work: list[Span] | None = None,
    *,
    live: dict[str, float] | None = None,
    since: float | None = START,
    now: float = NOW,
) -> Timeline:
    titles = {BOOK: "Emma"}
    told = sorted(happenings, key=lambda each: each.time)
    return timeline(told, at_work or [], titles=titles, live=live or {}, since=since, now=now)


happenings = st.lists(
    st.builds(
        spoken,
        end=st.floats(START - 100, NOW + 10),
        work=st.floats(0.1, 400.0),
        worker=st.sampled_from("abcd"),
        audio=st.floats(0.0, 5_000.0),
    )
    | st.builds(failed, at=st.floats(START - 100, NOW)),
    max_size=30,
)
at_work = st.lists(st.builds(running, start=st.floats(START - 100, NOW), worker=st.sampled_from("abcx")), max_size=4)
sinces = st.sampled_from([None, START, START + 900])


@given(happenings, at_work, sinces)
def test_audio_adds_up(told: list[Happening], at_it: list[Span], since: float | None) -> None:
    """All intervals together have the audio that was made in the stretch: a share of a part that began before."""
    found = shown(told, at_it, since=since)
    width = (found.end - found.start) / INTERVALS
    shares = [
        max(0.0, min(each.time, found.end) - max(each.time - each.work, found.start)) / each.work * each.audio
        for each in told
        if each.work
    ]
    assert sum(each.speed for each in found.throughput) * width == pytest.approx(sum(shares), rel=1e-6, abs=1e-3)


@given(happenings, at_work, sinces)
def test_nobody_is_busier_than_always(told: list[Happening], at_it: list[Span], since: float | None) -> None:
    """However many parts a worker is at, it is busy no longer than the stretch, nor than all of them took."""
    found = shown(told, at_it, since=since)
    took: dict[str, float] = defaultdict(float)
    for each in told:
        took[each.worker] += each.work
    for span in at_it:
        took[span.worker] += span.end - span.start
    for usage in found.usage:
        assert 0 <= usage.busy <= found.end - found.start + 1e-6
        assert usage.busy <= took[usage.worker] + 1e-6
        assert 0 <= usage.share <= 1


@given(happenings, at_work, sinces)
def test_nothing_is_left_out_of_the_figures(told: list[Happening], at_it: list[Span], since: float | None) -> None:
    """Each part that ended in the stretch is in one bin of a histogram; bins follow each other."""
    found = shown(told, at_it, since=since)
    ended = [each for each in told if since is None or each.time > found.start]
    done = [each for each in ended if each.work]
    assert sum(each.count for each in found.durations) == len(done) == sum(each.parts for each in found.usage)
    assert sum(each.count for each in found.factors) == sum(each.audio > 0 for each in done)
    assert len(found.durations) <= BINS
    assert all(one.high == two.low for one, two in zip(found.durations, found.durations[1:], strict=False))
    assert len(found.spans) + found.left_out == len(ended) + len(at_it)


@given(happenings, st.sampled_from([START, START + 900]))
def test_busy_is_when_anything_was_spoken(told: list[Happening], since: float) -> None:
    """How long a worker was busy is what looking at each moment finds."""
    whole = [spoken(float(int(each.time)), float(math.ceil(each.work)), each.worker) for each in told if each.work]
    found = {usage.worker: usage.busy for usage in shown(whole, since=since).usage}
    for worker, busy in found.items():
        moments = {
            moment
            for each in whole
            if each.worker == worker
            for moment in range(int(each.time - each.work), int(each.time))
            if since <= moment < NOW
        }
        assert busy == pytest.approx(len(moments))


def test_stretch_of_all_that_is_known() -> None:
    """All goes from the first beginning to the last end; while somebody speaks, to now."""
    told = [spoken(1100.0, 50.0), spoken(1300.0)]
    ended = shown(told, since=None)
    assert (ended.start, ended.end) == (1050.0, 1300.0)
    going_on = shown(told, [running(1900.0)], since=None)
    assert (going_on.start, going_on.end) == (1050.0, NOW)
    empty = shown([], since=None)
    assert (empty.start, empty.end, empty.spans, empty.throughput, empty.speed_up) == (NOW, NOW, (), (), ())


def test_spans() -> None:
    """Spans have their book's title and what came of them; what was there already is none."""
    there = Happening(1500.0, BOOK, 4, "a", 0.0, 60.0, None)
    found = shown([spoken(1200.0), there, failed(1300.0, "b")], [running(1990.0, "c")])
    assert [(span.worker, span.start, span.end, span.outcome, span.audio_seconds) for span in found.spans] == [
        ("a", 1190.0, 1200.0, "done", 100.0),
        ("b", 1300.0, 1300.0, "failed", 0.0),
        ("c", 1990.0, NOW, "running", 0.0),
    ]
    assert found.spans[0].title == "Emma"


def test_only_the_last_spans_are_given() -> None:
    """Of many spans the last ones are given, and how many are not; the figures count all."""
    found = shown([spoken(1200.0 + number / 100, part=number) for number in range(LIMIT + 5)], [running(1990.0)])
    assert [span.part for span in found.spans[:2]] == [6, 7]
    assert found.spans[-1].outcome == "running"
    assert (len(found.spans), found.left_out) == (LIMIT, 6)
    assert found.usage[0].parts == LIMIT + 5


def test_usage() -> None:
    """Overlapping parts count once, a worker that came late is measured from then, and idle ones are shown."""
    told = [spoken(1100.0, 100.0), spoken(1150.0, 100.0), spoken(1900.0, 100.0, "late")]
    found = shown(told, [running(1900.0, "a")], live={"a": 500.0, "late": 1600.0, "idle": 1500.0})
    usage = {each.worker: (each.busy, each.share, each.parts) for each in found.usage}
    assert usage == {"a": (250.0, 0.25, 2), "late": (100.0, 0.25, 1), "idle": (0.0, 0.0, 0)}


def test_usage_of_workers_that_are_gone() -> None:
    """Two that were busy until they were started again under other names, half-way, were not idle after it."""
    told = [spoken(time, 100.0, worker) for worker, time in (("a1", 1100.0), ("a1", 1200.0), ("a2", 1300.0))]
    (gone, there) = shown([*told, spoken(1400.0, 100.0, "a2")], live={"a2": 1200.0}, since=1000.0, now=1400.0).usage
    assert (gone.worker, gone.busy, gone.wall, gone.share) == ("a1", 200.0, 200.0, 1.0)
    assert (there.worker, there.busy, there.wall, there.share) == ("a2", 200.0, 200.0, 1.0)


def test_mean_is_of_parts_that_are_done() -> None:
    """What a part took on the average knows nothing of parts in hand, of others at the same time, or of failures."""
    told = [spoken(1100.0, 80.0), spoken(1100.0, 100.0), failed(1150.0)]
    assert shown(told, [running(1200.0)]).mean == 90.0
    assert shown([failed(1150.0)], [running(1200.0)]).mean is None


def test_worker_that_was_started_again() -> None:
    """One that did something before it began, under the same name, is measured from what it did first."""
    (usage,) = shown([spoken(1500.0, 100.0)], live={"a": 1900.0}).usage
    assert usage.share == pytest.approx(100 / 600)


def test_throughput() -> None:
    """A part's audio is spread over the time in which it was spoken."""
    found = shown([spoken(1600.0, 300.0, audio=3000.0), spoken(1600.0, 150.0, "b", audio=600.0)], since=1400.0)
    assert [each.time for each in found.throughput[:3]] == [1400.0, 1410.0, 1420.0]
    assert [round(each.speed, 6) for each in found.throughput] == [10.0] * 5 + [14.0] * 15 + [0.0] * 40


def test_outlier_does_not_hide_the_others() -> None:
    """One part that took an hour has a bin for itself, the others still have many."""
    works = [20.0 + number / 10 for number in range(100)] + [3600.0]
    bins = shown([spoken(1999.0, work) for work in works], since=None).durations
    assert len(bins) == BINS
    assert (bins[0].low, bins[-1].high) == (20.0, 3600.0)
    assert bins[-1].low < 31.0
    assert [each.count for each in bins[:-1]] == pytest.approx([5] * 19, abs=1)


def test_equal_values_are_one_bin() -> None:
    """Where all parts took as long there is one bar."""
    (only,) = shown([spoken(1500.0), spoken(1600.0)]).durations
    assert (only.low, only.high, only.count) == (10.0, 10.0, 2)


def test_speed_up() -> None:
    """Two workers that never wait make twice as much as one alone; waiting shows."""
    told = [spoken(1100.0 + 100 * number, 100.0, audio=1000.0) for number in range(10)]
    told += [spoken(1100.0 + 100 * number, 50.0, "b", audio=500.0) for number in range(5, 10)]
    found = shown(told, since=1000.0)
    assert [count for count, _times in found.speed_up] == [1, 2]
    assert dict(found.speed_up) == pytest.approx({1: 1.0, 2: 2.0}, rel=0.2)
    idle = shown([spoken(1110.0 + 100 * number, 2.0, audio=20.0) for number in range(9)], since=1000.0)
    assert idle.speed_up[0][1] < 0.5


def test_speed_up_waits_for_what_is_being_spoken() -> None:
    """Moments since when somebody is at a part that is not done yet do not count: its audio is missing."""
    told = [spoken(1500.0, 500.0, audio=5000.0), spoken(1600.0, 100.0, audio=10.0)]
    assert len(shown(told).speed_up) == 1
    assert shown(told, [running(1450.0, "b")]).speed_up == ((1, pytest.approx(5000 / 600 / (5010 / 600), rel=0.3)),)
    assert shown(told, [running(990.0, "b")]).speed_up == ()
