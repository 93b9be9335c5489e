"""What the page remembers of the event topic and of the dead letters."""

import pytest

from e2a.bus.tail import BATCH
from e2a.errors import Unavailable
from e2a.messages import BookPlanned, DeadLetter
from e2a.testing import Clock, MemoryBroker
from e2a.topics import DEAD_LETTERS, EVENTS
from monitor import history as module
from monitor.history import PARTS, REASON, Happening, History
from tests.unit.builders import BOOK, a_part_done, a_part_failed

OTHER = "aaaa000000000001"


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = 1000.0
    return clock


@pytest.fixture
def broker(clock: Clock) -> MemoryBroker:
    return MemoryBroker(2, clock)


@pytest.fixture
def history(broker: MemoryBroker, clock: Clock) -> History:
    return History(broker.event_tail(), broker.letter_tail(), clock)


def a_letter(part: int | None = 0, **changes: object) -> DeadLetter:
    given = {"book_id": BOOK, "part": part, "reason": "no voice", "source": "merger", "payload": "{}"}
    return DeadLetter.model_validate(given | changes)


def test_what_was_told_of_parts(history: History, broker: MemoryBroker, clock: Clock) -> None:
    """A part that is done or has failed is remembered with its time; other events say nothing of parts."""
    broker.send(EVENTS, [BookPlanned(book_id=BOOK), a_part_done(part=3, audio_seconds=60.0, work_seconds=4.0)])
    clock.now += 5
    broker.send(EVENTS, [a_part_failed(part=4, worker="gpu-1", reason="out of memory")])
    assert not history.read()
    assert history.happenings == [
        Happening(1000.0, BOOK, 3, "gpu-0", 4.0, 60.0, None),
        Happening(1005.0, BOOK, 4, "gpu-1", 0.0, 0.0, "out of memory"),
    ]


def test_order_of_time(history: History, broker: MemoryBroker, clock: Clock) -> None:
    """Partitions are read one after the other; what is remembered is in the order of time."""
    for part in range(4):
        broker.send(EVENTS, [a_part_done(part=part)], [1 - part % 2])
        clock.now += 1
    history.read()
    assert [each.part for each in history.happenings] == [0, 1, 2, 3]


def test_story_of_a_part(history: History, broker: MemoryBroker, clock: Clock) -> None:
    """What became of a part is told from the beginning, and nothing of other parts and books."""
    broker.send(EVENTS, [a_part_failed(part=1, reason="out of memory"), a_part_done(part=1, book_id=OTHER)])
    clock.now += 60
    broker.send(EVENTS, [a_part_done(part=2), a_part_done(part=1, worker="gpu-7", work_seconds=3.0)])
    history.read()
    assert [
        (each.time, each.outcome, each.worker, each.work_seconds, each.reason) for each in history.of_part(BOOK, 1)
    ] == [
        (1000.0, "failed", "gpu-0", 0.0, "out of memory"),
        (1060.0, "done", "gpu-7", 3.0, ""),
    ]


def test_parts_that_were_told(history: History, broker: MemoryBroker) -> None:
    """A part counts once, however often it is said to be done, and not when it failed."""
    broker.send(EVENTS, [a_part_done(part=part) for part in (0, 5, 5, 1000)] + [a_part_failed(part=7)])
    history.read()
    assert (history.told(BOOK), history.told(OTHER)) == (3, 0)


@pytest.mark.parametrize("part", [-1, PARTS, 10**30])
def test_mad_parts_cost_nothing(history: History, broker: MemoryBroker, part: int) -> None:
    """An index that no part has is passed over: what is remembered of it could not be held in memory."""
    broker.send(EVENTS, [a_part_done(part=part), a_part_failed(part=part)])
    history.read()
    assert (list(history.happenings), history.told(BOOK)) == ([], 0)


@pytest.mark.parametrize("seconds", [-1.0, 1e300, float("inf"), float("nan")])
def test_mad_lengths_are_passed_over(history: History, broker: MemoryBroker, seconds: float) -> None:
    """What took no time that there is does not reach the figures."""
    for name in ("work_seconds", "audio_seconds"):
        event = a_part_done(**{name: 5.0}).model_dump_json().replace(f'"{name}":5.0', f'"{name}":{seconds:g}')
        broker.send_raw(EVENTS, event.replace("inf", "Infinity").replace("nan", "NaN").encode())
    history.read()
    assert list(history.happenings) == []


def test_clocks_that_are_ahead(history: History, broker: MemoryBroker, clock: Clock) -> None:
    """What a machine whose clock is ahead of ours tells, it tells now."""
    clock.now += 60
    broker.send(EVENTS, [a_part_done(part=0)])
    broker.send(EVENTS, [a_part_failed(part=1)])
    broker.send(DEAD_LETTERS, [a_letter()])
    clock.now -= 60
    history.read()
    assert [each.time for each in history.happenings] == [1000.0, 1000.0]
    assert [each.time for each in history.letters] == [1000.0]


def test_audio_that_was_made_lately(history: History, broker: MemoryBroker, clock: Clock) -> None:
    """Audio counts for its book from when it was made on; what was there already was not made."""
    broker.send(EVENTS, [a_part_done(part=0, audio_seconds=7.0, work_seconds=1.0)])
    clock.now += 10
    broker.send(EVENTS, [a_part_done(part=part, audio_seconds=20.0, work_seconds=1.0) for part in (1, 2)])
    broker.send(EVENTS, [a_part_done(part=3, audio_seconds=99.0), a_part_failed(part=4)])
    broker.send(EVENTS, [a_part_done(book_id=OTHER, audio_seconds=5.0, work_seconds=1.0)])
    history.read()
    assert history.made({BOOK: 1010.0, OTHER: 1000.0}) == {BOOK: 40.0, OTHER: 5.0}
    assert history.made({BOOK: 1000.0, OTHER: 1011.0}) == {BOOK: 47.0}
    assert history.made({}) == {}


def test_memory_is_bounded(
    history: History, broker: MemoryBroker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the last happenings are remembered, whichever partition came first, and all parts that were told."""
    monkeypatch.setattr(module, "KEPT", 3)
    for part in range(6):
        broker.send(EVENTS, [a_part_done(part=part)], [part % 2])
        clock.now += 1
    history.read()
    assert [each.part for each in history.happenings] == [3, 4, 5]
    assert history.told(BOOK) == 6


def test_long_reasons_are_cut(history: History, broker: MemoryBroker) -> None:
    """A reason may be as long as a message; only its beginning is remembered."""
    broker.send(EVENTS, [a_part_failed(reason="x" * 10_000)])
    broker.send(DEAD_LETTERS, [a_letter(reason="y" * 10_000)])
    history.read()
    assert history.happenings[0].reason == "x" * REASON
    assert history.letters[0].letter.reason == "y" * REASON


def test_dead_letters(history: History, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last letter of each part is remembered, without its text, and of all those the last ones."""
    monkeypatch.setattr(module, "LETTERS", 3)
    broker.send(DEAD_LETTERS, [a_letter(0), a_letter(1), a_letter(None)])
    history.read()
    broker.send(DEAD_LETTERS, [a_letter(0, reason="again"), a_letter(None)])
    history.read()
    assert [(each.number, each.letter.part, each.letter.reason) for each in history.letters] == [
        (2, None, "no voice"),
        (3, 0, "again"),
        (4, None, "no voice"),
    ]
    assert {each.letter.payload for each in history.letters} == {""}


@pytest.mark.parametrize("topic", [EVENTS, DEAD_LETTERS])
def test_topics_made_anew(history: History, broker: MemoryBroker, topic: str) -> None:
    """What stood in a topic that is gone is forgotten, what stands in the new one is read, the other topic stays."""
    broker.send(EVENTS, [a_part_done(part=0)])
    broker.send(DEAD_LETTERS, [a_letter(0)])
    history.read()
    del broker.logs[topic]
    broker.send(topic, [a_part_done(part=1) if topic == EVENTS else a_letter(1)])
    history.read()
    is_events = topic == EVENTS
    assert [each.part for each in history.happenings] == [1 if is_events else 0]
    assert [each.letter.part for each in history.letters] == [0 if is_events else 1]
    assert history.told(BOOK) == 1


def test_how_far_it_has_read(history: History, broker: MemoryBroker, clock: Clock) -> None:
    """Before all is read nothing counts as known; from then on it is as of the last look."""
    broker.send(EVENTS, [a_part_done(part=part % 100) for part in range(BATCH + 1)])
    assert history.reading.taken is None
    assert history.read()
    assert history.reading.taken is None
    assert not history.read()
    assert history.reading.taken == 1000.0
    clock.now += 7
    history.read()
    assert history.reading.taken == 1007.0


def test_kafka_goes_away_and_comes_back(
    history: History, broker: MemoryBroker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Kafka is away what was read stays, with the reason, also the half of a reading; then it goes on."""
    broker.send(EVENTS, [a_part_done(part=0)])
    history.read()

    def refuse() -> list[object]:
        raise Unavailable("Kafka k:9092: refused")

    broker.send(EVENTS, [a_part_done(part=1)])
    with monkeypatch.context() as away:
        away.setattr(history._letters, "poll", refuse)
        clock.now += 5
        assert not history.read()
        assert (history.reading.taken, history.reading.problem) == (1000.0, "Kafka k:9092: refused")
        assert [each.part for each in history.happenings] == [0, 1]
    history.read()
    assert (history.reading.taken, history.reading.problem) == (1005.0, "")
    assert len(history.happenings) == 2
