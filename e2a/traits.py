"""What is known of speech engines without loading them: limits, languages, licences, voices, their speed.

The producer plans with it and the workers check with it, so it imports nothing heavy. An engine that is not listed gets
cautious values. docs/voices.md says the same to users; a test compares them.
"""

from typing import NamedTuple

KINDS = frozenset(
    ["abbreviation", "figure", "money", "number", "ordinal", "roman", "symbol", "time", "year"],
)
"""What the producer can write out. `figure` keeps digits but drops what hinders engines that read them: thousands
marked by spaces, fraction signs, the typographic minus; `number` writes all of it in words."""


class Traits(NamedTuple):
    """What the producer has to respect of an engine, and what its users should know."""

    sentence_limit: int
    """Most characters in one sentence; of `xtts` in English (`of` knows other languages)."""
    shortest: int = 20
    """Pieces with fewer characters are joined to a neighbour."""
    spells: frozenset[str] = KINDS
    """What has to be written out for it: some of `KINDS`."""
    languages: frozenset[str] | None = None
    """Primary subtags of BCP 47; None where only its program or model knows."""
    licence: str = ""
    """Of the model and of what it makes."""
    voices: str = ""
    """How they are named."""
    clones: bool | None = None
    """Whether it can speak with the voice of a recording; None where only its model knows."""
    models: bool = True
    """Whether there are several models to choose from."""
    needs_model: bool = False
    """Whether one of them has to be named."""
    gpu: bool = False
    """Whether it wants a GPU."""
    cpml: bool = False
    """Whether the Coqui Public Model License has to be accepted."""
    program: str = ""
    """What has to be on PATH where it speaks; empty if nothing."""
    package: str = ""
    """Python package without which it does not speak; empty if none beside ours. The extra `coqui` has it."""


_XTTS_CHARACTERS = {
    **{"ar": 166, "cs": 186, "de": 253, "en": 250, "es": 239, "fr": 273, "hi": 150, "hu": 224, "it": 213},
    **{"ja": 71, "ko": 95, "nl": 251, "pl": 224, "pt": 203, "ru": 182, "tr": 226, "zh": 82},
}
"""By language, after how many characters coqui-tts 0.28 warns that speech may be cut (`VoiceBpeTokenizer.char_limits`).
It counts before it writes out what was not spelled, and the model itself takes 400 tokens: sentences keep below."""

ENGINES = {
    # It says years, ordinals, percent and "Mr." well in English, but "dollar three point five zero", "roman fourteen",
    # "dé-er Müller", "deux e", "drei. Oktober", "zehn Uhr dreißig Uhr". Numbers stay digits: it cannot read kanji.
    "espeak": Traits(
        sentence_limit=1000,
        spells=KINDS - {"number"},
        licence="GPL-3.0-or-later (program); what it speaks is yours",
        voices="those that `espeak-ng --voices` lists, also with a variant: en-us+f3",
        clones=False,
        models=False,
        program="espeak-ng",
    ),
    # a tone has nothing to say
    "simulated": Traits(
        sentence_limit=1000,
        spells=frozenset(),
        licence="CC0-1.0",
        voices="none: a tone takes the place of speech, for tests",
        clones=False,
        models=False,
    ),
    "coqui": Traits(
        sentence_limit=250,
        licence="that of its model; XTTSv2 is for non-commercial use only (CPML)",
        voices="speakers of its model, if it has several, such as p225",
        needs_model=True,
        gpu=True,
        package="TTS",
    ),
    "xtts": Traits(
        sentence_limit=200,
        shortest=25,
        languages=frozenset(_XTTS_CHARACTERS),
        licence="weights of XTTSv2 and what they say: for non-commercial use only (CPML)",
        voices="speakers of XTTSv2, such as Claribel Dervla",
        clones=True,
        gpu=True,
        cpml=True,
        package="TTS",
    ),
}
"""By the name of their entry point."""
_UNKNOWN = Traits(sentence_limit=250)

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


def of(engine: str, language: str = "") -> Traits:
    """Return what is known of an engine; cautious values for one not known.

    Args:
        engine: name of its entry point.
        language: BCP 47 tag of what it is to say.
    """
    known = ENGINES.get(engine, _UNKNOWN)
    characters = _XTTS_CHARACTERS.get(primary_subtag(language)) if engine == "xtts" else None
    return known._replace(sentence_limit=characters * 4 // 5) if characters else known


def under_cpml(engine: str, model: str) -> bool:
    """Say whether the Coqui Public Model License has to be accepted: for XTTSv2, whichever engine loads it.

    Args:
        engine: name of its entry point.
        model: its name (`e2a.plan.model_name`); empty for the engine's default.
    """
    return of(engine).cpml or (engine == "coqui" and "xtts" in model.lower())


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
