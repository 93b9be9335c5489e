"""What the engines of this package do alike with what they are asked: voices by name, and texts by their tokens."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from e2a.errors import Poison
from synth_consumer.engines import Take, TooLong

SILENCE = 0.25
"""Seconds that stand for a text without anything to say."""
LISTED = 20
"""Voices that an error lists, at most."""

_HINDI_DIGITS = {
    ord(digit): f" {word} "
    for digits in ("0123456789", "०१२३४५६७८९")
    for digit, word in zip(digits, "शून्य एक दो तीन चार पाँच छह सात आठ नौ".split(), strict=True)
}
"""Hindi is said digit by digit: neither coqui's tokenizer nor the producer's num2words knows its numbers."""


def silence(sample_rate: int) -> Take:
    """Return what stands for a text without letters and digits."""
    return Take(np.zeros(round(SILENCE * sample_rate), np.float32))


def listed(voices: Iterable[str]) -> str:
    """Return the names of voices for an error."""
    names = list(voices) or ["none of its own, so give it a recording"]
    return ", ".join([*names[:LISTED], *(["..."] if len(names) > LISTED else [])])


def xtts_tokens(xtts: Any, text: str, language: str | None) -> tuple[int, ...]:
    """Return the text tokens of coqui's `Xtts`, without those that start and end a text.

    Raises:
        TooLong: more than the model takes.
    """
    if language == "hi":
        text = text.translate(_HINDI_DIGITS)
    tokens = tuple(xtts.tokenizer.encode(text.strip().lower(), lang=language))
    if len(tokens) >= xtts.args.gpt_max_text_tokens:
        raise TooLong(f"{len(tokens)} tokens; an XTTS takes fewer than {xtts.args.gpt_max_text_tokens}")
    return tokens


@contextlib.contextmanager
def tokenizing(who: str, text: str, language: str | None) -> Iterator[None]:
    """Say what it means that a tokenizer fails; it gives up on some numbers.

    Raises:
        Poison: a package that the language needs is missing.
        TooLong: what it cannot write out whole, such as a number of 400 digits, it may be able to in pieces.
    """
    try:
        yield
    except ImportError as error:  # of the romanisation of a script
        raise Poison(f"{who} cannot read {language!r} here: {error}") from error
    except (ArithmeticError, LookupError, ValueError, RuntimeError) as error:
        reason = f"{who} cannot read {text!r} in {language!r}: {type(error).__name__} {error}"
        raise TooLong(reason[:500].strip()) from error


def has_words(who: str, text: str, tokens: Iterable[str]) -> bool:
    """Return whether any token of a text is a letter or a digit; False for a text that has none, such as `* * *`.

    Raises:
        Poison: the text has some, but in a script that the model does not know: they would be lost without a word.
    """
    if any(token.isalnum() for token in tokens):
        return True
    if any(letter.isalnum() for letter in text):
        raise Poison(f"{who} knows no letter of {text!r}")
    return False
