"""What is known of engines: agrees with the engines themselves, and answers for any name."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a import traits
from synth_consumer.engines import Engine, names, simulated
from synth_consumer.engines.espeak import EspeakEngine


def test_the_simulated_rate_is_the_engines_own() -> None:
    """An estimate for the simulated engine is exact, whatever the language."""
    assert {traits.rate("simulated", language) for language in ("en", "ja", "")} == {simulated.CHARACTERS_PER_SECOND}


@pytest.mark.parametrize("engine", [*names(), "of a third party"])
def test_traits_are_sensible(engine: str) -> None:
    """Limits leave room between them, and only known kinds are spelled."""
    known = traits.of(engine)
    assert 0 < known.shortest < known.sentence_limit
    assert known.spells <= traits.KINDS


def test_an_unknown_engine_gets_everything_spelled() -> None:
    """Of an engine that nobody knows, nothing is expected and nothing excluded."""
    known = traits.of("parrot", "xx")
    assert (known.sentence_limit, known.shortest, known.spells) == (250, 20, traits.KINDS)
    assert (known.languages, known.clones, known.models, known.cpml) == (None, None, True, False)


@pytest.mark.parametrize("engine", [EspeakEngine, simulated.SimulatedEngine])
def test_licence_is_the_engines_own(engine: type[Engine]) -> None:
    """Users are told the licence that the engine states."""
    assert traits.of(engine.name).licence == engine.licence


@pytest.mark.parametrize(
    ("language", "limit"), [("en", 200), ("en-GB", 200), ("FR_ca", 218), ("ja", 56), ("zh-Hant", 65), ("nb", 200)]
)
def test_limit_of_xtts_belongs_to_the_language(language: str, limit: int) -> None:
    """A sentence for XTTS is as long as its language allows, whatever the script and region; other engines have one."""
    assert traits.of("xtts", language).sentence_limit == limit
    assert traits.of("coqui", language).sentence_limit == 250


def test_limits_of_xtts_keep_below_those_of_coqui() -> None:
    """Sentences use at most four fifths of what the installed coqui-tts takes, in exactly its languages."""
    package = find_spec("TTS")
    if package is None or package.origin is None:
        pytest.skip("coqui-tts is not installed")
    source = (Path(package.origin).parent / "tts/layers/xtts/tokenizer.py").read_text(encoding="utf-8")
    match = re.search(r"self\.char_limits = (\{.*?\})", source, re.DOTALL)
    assert match
    limits = ast.literal_eval(match[1])
    assert traits.of("xtts").languages == set(limits)
    for language, limit in limits.items():
        assert 0.78 * limit < traits.of("xtts", language).sentence_limit <= 0.8 * limit


@pytest.mark.parametrize(
    ("engine", "model", "under"),
    [
        *[("xtts", "", True), ("xtts", "my-voice", True), ("espeak", "xtts", False), ("parrot", "xtts", False)],
        *[("coqui", "", False), ("coqui", "tts_models/en/vctk/vits", False), ("coqui", "my-XTTS", True)],
        ("coqui", "tts_models/multilingual/multi-dataset/xtts_v2", True),
    ],
)
def test_licence_that_has_to_be_accepted(engine: str, model: str, under: bool) -> None:
    """XTTSv2 is under its licence whichever engine loads it; other models and engines are not."""
    assert traits.under_cpml(engine, model) is under


def test_espeak_keeps_its_figures() -> None:
    """It says numbers itself in every language, and cannot read the kanji that num2words would give it."""
    assert traits.KINDS - traits.of("espeak").spells == {"number"}


@pytest.mark.parametrize(
    ("language", "slowest", "fastest"),
    [
        *[("en", 17, 19), ("en-GB", 17, 19), ("FR_ca", 21, 23), ("ja", 2, 3), ("zh-Hant", 2, 3), ("yue", 2, 3)],
        *[("ko", 6, 8), ("ar", 10, 12), ("fa", 11, 13), ("bn", 13, 15), ("sv", 16, 17), ("", 16, 17)],
    ],
)
def test_espeak_is_as_fast_as_measured(language: str, slowest: float, fastest: float) -> None:
    """Measured languages have their rate whatever their tag; others that of their script."""
    assert slowest <= traits.rate("espeak", language) <= fastest


@given(st.text(), st.text())
def test_every_engine_has_a_rate(engine: str, language: str) -> None:
    """A rate is positive, so an estimate can be divided by it."""
    assert traits.rate(engine, language) > 0
