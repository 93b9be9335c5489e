"""What is known of speech engines without loading them: limits, what is spelled out for them, their speed.

The producer plans with it and the workers check with it, so it imports nothing heavy. An engine that is not listed gets
cautious values.
"""

from typing import NamedTuple

KINDS = frozenset(
    ["abbreviation", "figure", "money", "number", "ordinal", "roman", "symbol", "time", "year"],
)
"""What the producer can write out. `figure` keeps digits but drops what hinders engines that read them: thousands
marked by spaces, fraction signs, the typographic minus; `number` writes all of it in words."""


class Traits(NamedTuple):
    """What the producer has to respect of an engine."""

    sentence_limit: int
    """Most characters in one sentence."""
    shortest: int
    """Pieces with fewer characters are joined to a neighbour."""
    spells: frozenset[str]
    """What has to be written out for it: some of `KINDS`."""


_ENGINES = {
    # It says years, ordinals, percent and "Mr." well in English, but "dollar three point five zero", "roman fourteen",
    # "dé-er Müller", "deux e", "drei. Oktober", "zehn Uhr dreißig Uhr". Numbers stay digits: it cannot read kanji.
    "espeak": Traits(sentence_limit=1000, shortest=20, spells=KINDS - {"number"}),
    # a tone has nothing to say
    "simulated": Traits(sentence_limit=1000, shortest=20, spells=frozenset()),
}
_DEFAULT = Traits(sentence_limit=250, shortest=20, spells=KINDS)

_SIMULATED_RATE = 15.0
"""`CHARACTERS_PER_SECOND` of the simulated engine; a test holds the two equal."""
_ESPEAK_RATES = {
    "ar": 10.8,
    "de": 18.3,
    "el": 17.4,
    "en": 18.2,
    "es": 17.0,
    "fr": 22.2,
    "he": 13.8,
    "hi": 14.0,
    "it": 17.5,
    "ja": 2.4,
    "ko": 7.1,
    "nl": 16.6,
    "pl": 14.8,
    "pt": 15.9,
    "ru": 17.3,
    "tr": 14.2,
    "zh": 2.8,
}
"""Measured with espeak-ng 1.51: two to five sentences of plain prose, each `espeak-ng -v LANGUAGE -s 175 -b 1 --stdin
--stdout` (en-us and cmn for en and zh), characters over samples / 22,050. Japanese is slow because it spells kanji."""
_FAMILIES = {
    "abjad": (frozenset(["ar", "ckb", "fa", "he", "ps", "sd", "ug", "ur", "yi"]), 12.0, 12.0),
    "han": (frozenset(["wuu", "yue", "zh"]), 2.8, 4.5),
    "hangul": (frozenset(["ko"]), 7.1, 7.0),
    "indic": (frozenset(["as", "bn", "gu", "hi", "kn", "ml", "mr", "ne", "or", "pa", "si", "ta", "te"]), 14.0, 12.0),
    "kana": (frozenset(["ja"]), 2.4, 7.0),
}
"""By script: languages, characters a second of espeak-ng, and of a narrator (a guess that measured speed corrects)."""
_ALPHABET = (16.5, 15.0)


def of(engine: str) -> Traits:
    """Return what is known of an engine, by the name of its entry point; cautious values for one not known."""
    return _ENGINES.get(engine, _DEFAULT)


def primary_subtag(language: str) -> str:
    """Return the language of a tag without script and region, in lower case (BCP 47, section 2.2.1)."""
    return language.replace("_", "-").split("-", maxsplit=1)[0].lower()


def rate(engine: str, language: str) -> float:
    """Return how many characters of text, white space included, make a second of audio at speed 1.0.

    Args:
        engine: name of an entry point.
        language: BCP 47 tag.
    """
    if engine == "simulated":
        return _SIMULATED_RATE
    base = primary_subtag(language)
    espeak, narrator = next((rates for languages, *rates in _FAMILIES.values() if base in languages), _ALPHABET)
    return _ESPEAK_RATES.get(base, espeak) if engine == "espeak" else narrator
