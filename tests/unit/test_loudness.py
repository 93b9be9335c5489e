"""Gains that bring a voice to a loudness, and the limiter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_consumer.audio import loudness, quantise
from synth_consumer.engines import Pcm
from synth_consumer.loudness import CEILING, PAUSES, gains, level, rms

RATE = 24000


def noise(samples: int, amplitude: float, seed: int = 1) -> Pcm:
    """Return noise of so many samples."""
    return np.random.default_rng(seed).uniform(-amplitude, amplitude, samples).astype(np.float32)


def speech() -> Pcm:
    """Return a stand-in for a peaky voice: pulses 100 times a second that die away, soft and loud by turns."""
    at = np.arange(5 * RATE) % (RATE // 100)
    loud = 0.6 + 0.4 * np.sin(np.arange(5 * RATE) / RATE * 9)
    return (loud * np.exp(-at / 50) * np.cos(at / 4)).astype(np.float32)


@pytest.mark.parametrize("amplitude", [0.05, 0.3])
def test_gains_bring_a_voice_where_it_shall_be(amplitude: float) -> None:
    """Amplified, even sound is as loud as it shall be, without the limiter."""
    sound = noise(5 * RATE, amplitude)
    wanted = gains(sound, RATE)
    levelled = level(sound, RATE, wanted["r128"])
    assert not levelled.limited
    assert loudness(levelled.pcm, RATE) == pytest.approx(-19, abs=0.06)
    assert rms(level(sound, RATE, wanted["acx"]).pcm) == pytest.approx(-20 + PAUSES, abs=0.06)


def test_what_the_limiter_takes_is_given_back() -> None:
    """A voice whose peaks are held down is as loud as one without peaks."""
    voice = speech()
    wanted = gains(voice, RATE)
    loud, for_acx = (level(voice, RATE, wanted[name]) for name in ("r128", "acx"))
    assert loud.limited
    assert loudness(loud.pcm, RATE) == pytest.approx(-19, abs=0.15)
    assert rms(for_acx.pcm) == pytest.approx(-20 + PAUSES, abs=0.15)


def test_gains_have_a_bound() -> None:
    """An engine that hardly makes a sound is not amplified to noise, and a silent one not at all."""
    assert gains(noise(RATE, 0.002), RATE) == {"r128": 30.0, "acx": 30.0}
    assert gains(np.zeros(RATE, np.float32), RATE) == {}
    assert gains(noise(100, 0.5), RATE) == {}
    assert gains(np.zeros(0, np.float32), RATE) == {}


def test_gains_are_in_tenths() -> None:
    """They are said as they are written down."""
    assert all(gain == round(gain, 1) for gain in gains(speech(), RATE).values())


def test_sound_without_high_peaks_is_amplified_and_nothing_else() -> None:
    """Every sample is multiplied by the same factor."""
    sound = noise(RATE, 0.5)
    levelled = level(sound, RATE, 1.0)
    assert not levelled.limited
    assert np.array_equal(levelled.pcm, sound * np.float32(10**0.05))
    assert np.array_equal(level(sound, RATE, 0.0).pcm, sound)


@settings(max_examples=50)
@given(
    length=st.integers(1, 20000),
    amplitude=st.floats(0.01, 1.0),
    gain=st.floats(-30, 30),
    rate=st.sampled_from([8000, 22050, 24000, 44100]),
    seed=st.integers(0, 9),
)
def test_no_peak_is_too_high(length: int, amplitude: float, gain: float, rate: int, seed: int) -> None:
    """Whatever goes in, as much comes out, no higher than the ceiling, every sample with its sign and not louder."""
    sound = noise(length, amplitude, seed)
    out = level(sound, rate, gain)
    amplified = sound * np.float32(10 ** (gain / 20))
    assert out.pcm.shape == sound.shape
    assert out.pcm.dtype == np.float32
    assert np.abs(out.pcm).max() <= CEILING
    assert np.abs(quantise(out.pcm)).max() <= round(CEILING * 32768)
    assert out.limited == (np.abs(amplified).max() > CEILING)
    assert (np.abs(out.pcm) <= np.abs(amplified)).all()
    assert (out.pcm * amplified >= 0).all()


@settings(max_examples=30)
@given(peaks=st.lists(st.integers(0, 23999), min_size=1, max_size=4), height=st.floats(0.7, 1.0))
def test_samples_away_from_peaks_stay(peaks: list[int], height: float) -> None:
    """Farther than 15 ms from every peak samples are those of plain gain, bit by bit; at the peaks none is missed."""
    sound = noise(RATE, 0.1)
    sound[peaks] = height
    out = level(sound, RATE, 0.0).pcm
    away = np.abs(np.arange(RATE)[:, None] - np.array(peaks)).min(axis=1) > 0.015 * RATE
    assert np.array_equal(out[away], sound[away])
    assert out[peaks] == pytest.approx(CEILING, rel=0.01)


def test_the_gain_goes_and_returns_smoothly() -> None:
    """Around a peak the sound is turned down and up again over some milliseconds, without a step, on both sides."""
    sound = np.full(RATE, 0.4, np.float32)
    sound[RATE // 2] = 1.0
    factor = level(sound, RATE, 0.0).pcm / sound
    assert factor.min() == pytest.approx(CEILING, rel=0.01)
    assert np.abs(np.diff(factor)).max() < 0.005
    assert (np.diff(factor[: RATE // 2]) <= 1e-6).all()
    assert (np.diff(factor[RATE // 2 :]) >= -1e-6).all()
    assert 0.010 * RATE < np.count_nonzero(factor < 1) < 0.030 * RATE


def test_pulses_of_a_deep_voice_are_not_turned_up_and_down() -> None:
    """Between peaks that follow 100 times a second the gain stays where it is: it does not buzz."""
    sound = np.full(RATE, 0.1, np.float32)
    sound[:: RATE // 100] = 1.0
    factor = level(sound, RATE, 0.0).pcm[RATE // 4 : -RATE // 4] / sound[RATE // 4 : -RATE // 4]
    assert np.ptp(factor) < 1e-6


def test_silence_stays_silent() -> None:
    """Whatever the gain, zeros are zeros."""
    assert not level(np.zeros(1000, np.float32), RATE, 30.0).pcm.any()
    assert level(np.zeros(0, np.float32), RATE, 30.0).pcm.size == 0
