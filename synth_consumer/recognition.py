"""Whether a recogniser hears in a take what was to be said: an optional check, for it costs a second model.

A recogniser is an entry point in the group `e2a.recognisers` that names a factory `(SynthSettings) -> Recogniser`, as
engines are in `e2a.engines`. None comes with this package.
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import NamedTuple

from e2a import traits
from e2a.errors import ExitCode, UserError
from e2a.settings import SynthSettings
from synth_consumer.engines import Pcm

GROUP = "e2a.recognisers"
_NO_SPACES = frozenset(["bo", "ja", "km", "lo", "my", "th", "wuu", "yue", "zh"])
"""Languages that do not part words: their characters are compared."""
_UNWRITTEN_VOWELS = frozenset(["ar", "fa", "he", "ur", "yi"])
"""Languages whose vowel signs one writes and another leaves out."""
_CHARACTER = re.compile(r"[0-9a-z]+|\S")
"""Numbers and words of the Latin script are wholes."""
_WORDS_OF_DIGIT = 2
_MOST_ERRORS = 0.25
_RUN = 3
_SHORT = 5


class Recogniser(ABC):
    """Turns sound into text."""

    name: str
    """Name of its entry point."""

    @abstractmethod
    def load(self) -> None:
        """Load the model, once, before the first job.

        Raises:
            UserError: a model or a device that is needed is missing; the message says how to get it.
        """

    @abstractmethod
    def hear(self, pcm: Pcm, sample_rate: int, language: str) -> str:
        """Return what is said; empty when nothing is.

        Args:
            pcm: mono float32 samples in [-1, 1], of shape (samples,).
            sample_rate: in hertz; the recogniser resamples to what its model takes.
            language: BCP 47 tag.

        Raises:
            Retryable: it failed now and may work later.
        """


class Difference(NamedTuple):
    """A stretch in which two texts differ."""

    expected: tuple[str, ...]
    heard: tuple[str, ...]

    @property
    def errors(self) -> int:
        """How many words are wrong, missing or too many; a number may be heard in words, and joints do not count."""
        if "".join(self.expected) == "".join(self.heard):
            return 0
        longer = max(len(self.expected), len(self.heard))
        digits = [sum(map(str.isdecimal, "".join(side))) for side in self]
        if self.expected and self.heard and min(digits) == 0:
            return max(0, longer - _WORDS_OF_DIGIT * sum(digits))
        return longer

    @property
    def run(self) -> int:
        """How many words in a row are missing or too many."""
        return min(self.errors, abs(len(self.expected) - len(self.heard)))


def create(settings: SynthSettings) -> Recogniser | None:
    """Return the recogniser that the settings name, loaded; None when they name none.

    Raises:
        UserError: it is not installed, or what it needs is not (exit code CONFIG or UNAVAILABLE).
    """
    if not settings.recogniser:
        return None
    name, installed = settings.recogniser, entry_points(group=GROUP)
    if name not in installed.names:
        there = ", ".join(sorted(installed.names)) or "none"
        raise UserError(f"recogniser {name!r} is not installed; there are: {there}", ExitCode.CONFIG)
    try:
        factory = installed[name].load()
    except ImportError as error:
        raise UserError(f"recogniser {name!r}: {error}", ExitCode.UNAVAILABLE) from error
    recogniser: Recogniser = factory(settings)
    recogniser.load()
    return recogniser


def word_errors(expected: str, heard: str, language: str) -> float:
    """Return wrong, missing and extra words over the words of the text; characters in languages without spaces.

    Case and punctuation do not count, nor whether a number is in digits. 1.0 when nothing was to be said and
    something is heard.

    Args:
        expected: what was to be said.
        heard: what the recogniser returned.
        language: BCP 47 tag.
    """
    wanted, got = words(expected, language), words(heard, language)
    return sum(each.errors for each in _differences(wanted, got)) / max(1, len(wanted))


def misheard(expected: str, heard: str, language: str) -> bool:
    """Say whether what is heard differs from the text by more than recognisers do.

    That is more than one word in four, or three in a row that are missing or too many. Of less than five words a
    recogniser makes others that sound alike, so there only silence, three wrong words or three more are a fault.
    Twice as many characters in languages without spaces.

    Args:
        expected: what was to be said.
        heard: what the recogniser returned.
        language: BCP 47 tag.
    """
    wanted, got = words(expected, language), words(heard, language)
    if not wanted or not got:
        return bool(wanted)
    scale = 2 if traits.primary_subtag(language) in _NO_SPACES else 1
    found = list(_differences(wanted, got))
    errors = sum(each.errors for each in found)
    if any(each.run >= _RUN * scale for each in found):
        return True
    if len(wanted) < _SHORT * scale:
        return errors >= max(len(wanted), _RUN * scale)
    return word_errors(expected, heard, language) > _MOST_ERRORS


def words(text: str, language: str) -> list[str]:
    """Return what is compared of a text: words in small letters, or characters in languages without spaces."""
    base = traits.primary_subtag(language)
    text = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(_kept(each, base) for each in text)
    if base not in _NO_SPACES:
        return kept.split()
    return _CHARACTER.findall(kept)


def _kept(character: str, base: str) -> str:
    kind = unicodedata.category(character)[0]
    if kind == "M" and base in _UNWRITTEN_VOWELS:
        return ""
    return character if kind in "LMN" else " "


def _differences(expected: list[str], heard: list[str]) -> Iterator[Difference]:
    """Yield the stretches in which two texts differ, by the fewest edits (Levenshtein 1966), the last first."""
    costs = _edit_costs(expected, heard)
    row, column = end = len(expected), len(heard)
    while row or column:
        if row and column and expected[row - 1] == heard[column - 1]:
            if (row, column) != end:
                yield Difference(tuple(expected[row : end[0]]), tuple(heard[column : end[1]]))
            row, column = end = row - 1, column - 1
        else:
            steps = [(row - 1, column - 1), (row - 1, column), (row, column - 1)]
            row, column = min((step for step in steps if min(step) >= 0), key=lambda step: costs[step[0]][step[1]])
    if end != (0, 0):
        yield Difference(tuple(expected[: end[0]]), tuple(heard[: end[1]]))


def _edit_costs(expected: list[str], heard: list[str]) -> list[list[int]]:
    costs = [list(range(len(heard) + 1))]
    for number, word in enumerate(expected, start=1):
        above, row = costs[-1], [number]
        for column, other in enumerate(heard):
            row.append(min(above[column] + (word != other), above[column + 1] + 1, row[column] + 1))
        costs.append(row)
    return costs
