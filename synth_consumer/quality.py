"""Whether a take of a sentence is good: cheap checks of the sound against the text and the pace of the voice.

They see what lasts too long or too short, what is silent and what is broken. A word that is wrong, left out of a long
sentence or said twice in one sounds as good as the others: only a recogniser hears it (`synth_consumer.recognition`).
"""

# ruff: noqa: RUF001 - the marks of other scripts look like ASCII

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from synth_consumer.engines import Pcm, Take
from synth_consumer.pace import MARK, Pace
from synth_consumer.sound import Sound, listen

NAN = "nan"
SILENT = "silent"
NO_STOP = "no-stop"
CODE_LOOP = "code-loop"
TOO_SHORT = "too-short"
CUT_OFF = "cut-off"
MISHEARD = "misheard"
TOO_LONG = "too-long"
CLIPPED = "clipped"
LONG_PAUSE = "long-pause"
HEAD_ISLAND = "head-island"
TAIL_ISLAND = "tail-island"
EDGE_SILENCE = "edge-silence"


class Flaw(NamedTuple):
    """How bad it is, to choose among takes that all have one, and what a reader of a report is told."""

    severity: float
    meaning: str


FLAWS = {
    NAN: Flaw(100, "samples that are no numbers"),
    SILENT: Flaw(90, "nothing is said"),
    NO_STOP: Flaw(20, "the model did not come to an end and was cut"),
    CODE_LOOP: Flaw(20, "the model repeats a short pattern of sound over and over"),
    TOO_SHORT: Flaw(12, "less speech than the text needs: words may be missing"),
    CUT_OFF: Flaw(10, "the sound breaks off in the middle of a word"),
    MISHEARD: Flaw(10, "a recogniser heard other words"),
    TOO_LONG: Flaw(8, "more speech than the text has: words may be doubled or made up"),
    CLIPPED: Flaw(5, "louder than full scale: it crackles"),
    LONG_PAUSE: Flaw(4, "a long silence where the text has none"),
    HEAD_ISLAND: Flaw(3, "a bit of sound that stands alone before the first word"),
    TAIL_ISLAND: Flaw(3, "a bit of sound that stands alone after the last word"),
    EDGE_SILENCE: Flaw(1, "a long silence before or after the words, which is cut off"),
}
"""Every flaw by its name in reports, the worst first."""

_FULL_SCALE = 0.999
_MOST_CLIPPED = 0.001
_MOST_LEAD = 1.0
_MOST_TAIL = 1.5
_ISLAND = 0.8
_APART = 0.45
_ABRUPT = -20.0
_SLOW_MARK = re.compile(r"[.!?:;…—–。！？：；\n]|\s-\s")
_INITIAL = re.compile(r"(?<!\w)\w\W*$")
"""What follows an initial is cut off by espeak-ng, which waits for the name."""
_PERIODS = range(1, 13)
_LEAST_LOOP = 24
"""Tokens, a second of XTTS's."""


def flaws(take: Take, text: str, sample_rate: int, pace: Pace) -> tuple[str, ...]:
    """Return what is wrong with a take, the worst first; empty when nothing is.

    Args:
        take: as the engine made it, not trimmed.
        text: what was to be said, as the engine was given it.
        sample_rate: in hertz.
        pace: of the way of speaking.
    """
    if not np.isfinite(take.pcm).all():
        return (NAN,)
    sound = listen(take.pcm, sample_rate)
    found = set(_of_tokens(take))
    if sound.silent:
        found.add(SILENT)
    else:
        found.update(
            _of_level(take.pcm, sound, text, pace), _of_length(sound, text, pace), _of_pauses(sound, text, pace)
        )
    return tuple(name for name in FLAWS if name in found)


def badness(names: Iterable[str]) -> float:
    """Return how bad a take with these flaws is: 0 for a good one."""
    return sum(FLAWS[name].severity for name in names)


def _of_tokens(take: Take) -> Iterator[str]:
    if not take.stopped:
        yield NO_STOP
    if _loops(take.codes):
        yield CODE_LOOP


def _of_level(pcm: Pcm, sound: Sound, text: str, pace: Pace) -> Iterator[str]:
    if np.count_nonzero(np.abs(pcm) >= _FULL_SCALE) > _MOST_CLIPPED * len(pcm):
        yield CLIPPED
    if sound.ending > max(_ABRUPT, pace.ending + 10) and not _INITIAL.search(text):
        yield CUT_OFF


def _of_length(sound: Sound, text: str, pace: Pace) -> Iterator[str]:
    least, most = pace.bounds(text)
    if sound.speech < least:
        yield TOO_SHORT
    if sound.speech > most:
        yield TOO_LONG


def _of_pauses(sound: Sound, text: str, pace: Pace) -> Iterator[str]:
    lead, tail = sound.stretches[0][0], sound.seconds - sound.stretches[-1][1]
    if lead > _MOST_LEAD or tail > _MOST_TAIL:
        yield EDGE_SILENCE
    if not sound.pauses:
        return
    clauses = [clause for clause in MARK.split(text) if any(map(str.isalnum, clause))]
    if max(sound.pauses) > _longest_pause(text, len(clauses), pace):
        yield LONG_PAUSE
    apart = max(_APART, 1.5 * pace.pause)
    unasked = sum(pause > apart for pause in sound.pauses) >= max(1, len(clauses))
    for name, index in ((HEAD_ISLAND, 0), (TAIL_ISLAND, -1)):
        start, end = sound.stretches[index]
        least = pace.bounds(clauses[index])[0] + pace.slack / 4 if clauses else 0.0
        if sound.pauses[index] > apart and end - start < _ISLAND and (unasked or end - start < least):
            yield name


def _longest_pause(text: str, clauses: int, pace: Pace) -> float:
    """Return the seconds of a pause that the punctuation asks for."""
    if _SLOW_MARK.search(text.strip()[:-1]):
        return max(2.5, 5 * pace.pause)
    return max(1.6, 4 * pace.pause) if clauses > 1 else max(1.0, 3 * pace.pause)


def _loops(codes: tuple[int, ...]) -> bool:
    """Say whether a pattern of at most twelve tokens goes on for a second or more."""
    tokens = np.asarray(codes)
    for period in _PERIODS:
        if len(tokens) < _LEAST_LOOP + period:
            return False
        breaks = np.flatnonzero(tokens[period:] != tokens[:-period])
        runs = np.diff(breaks, prepend=-1, append=len(tokens) - period) - 1
        if runs.max() >= max(_LEAST_LOOP, 3 * period):
            return True
    return False
