"""What is known of engines: agrees with the engines themselves, and answers for any name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a import traits
from synth_consumer.engines import names, simulated


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
    """Of an engine that nobody knows, nothing is expected."""
    assert traits.of("coqui") == traits.Traits(250, 20, traits.KINDS)


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
