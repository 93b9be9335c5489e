"""What the event topic has told of parts, and the dead letters: a bounded memory that a thread keeps up to date.

It is made anew from Kafka whenever the page is started, so nothing that is restarted loses it.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from e2a import log
from e2a.bus import Dated, Letter, Tail
from e2a.deadletters import latest
from e2a.errors import Unavailable
from e2a.messages import PartDone, PartFailed
from monitor.records import PartEvent, Reading

KEPT = 100_000
"""Most happenings that are remembered, the last ones: 173 bytes each, measured by bench/monitor.py."""
LETTERS = 500
"""Most dead letters that are remembered, the last ones."""
REASON = 500
"""Most characters of a reason that are remembered."""
PARTS = 1 << 20
"""What the index of a part is less than; others are somebody's mistake."""
LONGEST = 30 * 86_400.0
"""Seconds of work, and of audio, that no part has."""

logger = log.get(__name__)


class Happening(NamedTuple):
    """What was told of a part."""

    time: float
    """When, Unix time in seconds."""
    book_id: str
    part: int
    worker: str
    work: float
    """Seconds that it was spoken for; 0 when it failed, or when it was there already."""
    audio: float
    """Seconds of audio; 0 when it failed."""
    reason: str | None
    """Why it failed; None when it is done."""


class History:
    """What has happened to parts. One thread reads it on, any number look at it.

    Args:
        events: the event topic.
        letters: the topic of dead letters.
        clock: Unix time in seconds.
    """

    def __init__(self, events: Tail[Dated], letters: Tail[Letter], clock: Callable[[], float]) -> None:
        self._events = events
        self._letters = letters
        self._clock = clock
        self._events_generation = 0
        self._letters_generation = 0
        self._told: dict[str, int] = {}
        """Of each book, a bit for each part of which an event says that it is done."""
        self.happenings: Sequence[Happening] = ()
        """By time; replaced, never changed."""
        self.letters: Sequence[Letter] = ()
        """The last dead letter of each part, and all that are of none, oldest first; without payloads."""
        self.reading = Reading()
        """When all was read that there is."""

    def read(self) -> bool:
        """Take in what has come, a batch of each topic; say whether more may be there already."""
        try:
            self._read_events()
            self._read_letters()
        except Unavailable as error:
            if not self.reading.problem:
                logger.warning("monitor.source_away", reason=str(error))
            self.reading = self.reading.model_copy(update={"problem": str(error)})
            return False
        behind = bool(self._events.behind() or self._letters.behind())
        self.reading = Reading(taken=self.reading.taken if behind else self._clock())
        return behind

    def told(self, book_id: str) -> int:
        """Return of how many parts of a book an event says that they are done."""
        return self._told.get(book_id, 0).bit_count()

    def of_part(self, book_id: str, part: int) -> tuple[PartEvent, ...]:
        """Return what has happened to a part, oldest first."""
        return tuple(
            PartEvent(
                time=each.time,
                worker=each.worker,
                outcome="done" if each.reason is None else "failed",
                work_seconds=each.work,
                reason=each.reason or "",
            )
            for each in self.happenings
            if each.part == part and each.book_id == book_id
        )

    def made(self, since: Mapping[str, float]) -> dict[str, float]:
        """Return how many seconds of audio were made of books, each since a time; what was there before is not."""
        seconds: dict[str, float] = defaultdict(float)
        earliest = min(since.values(), default=math.inf)
        for each in reversed(self.happenings):
            if each.time < earliest:
                break
            if each.work and each.time >= since.get(each.book_id, math.inf):
                seconds[each.book_id] += each.audio
        return dict(seconds)

    def _read_events(self) -> None:
        """Take in a batch; what stood in a topic that is gone is forgotten."""
        events, generation = self._events.poll(), self._events.generation()
        if generation != self._events_generation:
            self._events_generation, self.happenings, self._told = generation, (), {}
        if events:
            self._take(events)

    def _read_letters(self) -> None:
        letters, generation = self._letters.poll(), self._letters.generation()
        known = self.letters if generation == self._letters_generation else ()
        self._letters_generation = generation
        if letters or not known:
            now = self._clock()
            self.letters = latest([*known, *(_shortened(each, now) for each in letters)])[-LETTERS:]

    def _take(self, events: Sequence[Dated]) -> None:
        """Remember what was told of parts; clocks that are ahead of ours tell of now."""
        fresh, now = [], self._clock()
        for time, event in events:
            if isinstance(event, PartDone) and _is_possible(event):
                fresh.append(_done(min(time, now), event))
                self._told[event.book_id] = self._told.get(event.book_id, 0) | 1 << event.part
            elif isinstance(event, PartFailed) and 0 <= event.part < PARTS:
                fresh.append(_failed(min(time, now), event))
        # the partitions of a topic are not read in the order of time
        self.happenings = sorted([*self.happenings, *fresh], key=itemgetter(0))[-KEPT:]


def _is_possible(event: PartDone) -> bool:
    lengths = event.work_seconds, event.audio_seconds
    return 0 <= event.part < PARTS and all(0 <= seconds < LONGEST for seconds in lengths)  # which no NaN is


def _done(time: float, event: PartDone) -> Happening:
    book_id, worker = sys.intern(event.book_id), sys.intern(event.worker)
    return Happening(time, book_id, event.part, worker, event.work_seconds, event.audio_seconds, None)


def _failed(time: float, event: PartFailed) -> Happening:
    book_id, worker, reason = sys.intern(event.book_id), sys.intern(event.worker), sys.intern(event.reason[:REASON])
    return Happening(time, book_id, event.part, worker, 0.0, 0.0, reason)


def _shortened(letter: Letter, now: float) -> Letter:
    said = letter.letter
    return letter._replace(time=min(letter.time, now), letter=said.model_copy(update={"reason": said.reason[:REASON]}))
