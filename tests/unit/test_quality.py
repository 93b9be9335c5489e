"""Which takes are good, and what is said of the others."""

# ruff: noqa: RUF001 - the marks of other scripts look like ASCII

import numpy as np
import pytest

from synth_consumer.engines import Pcm, Take
from synth_consumer.pace import Pace, guess, measure
from synth_consumer.quality import FLAWS, badness, flaws
from synth_consumer.sound import listen, trim
from tests.takes import hum
from tests.unit.builders import a_speech

RATE = 24000
TEXT = "The carrier had not yet come back from the mill, and the horse was with him."


@pytest.fixture(scope="module")
def pace() -> Pace:
    """Return the pace of a humming voice."""
    return measure(lambda text, _seed: Take(hum(text)), RATE, a_speech(), "", takes=1)


def silence(seconds: float, rate: int = RATE) -> Pcm:
    return np.zeros(round(seconds * rate), np.float32)


def joined(*pieces: Pcm) -> Take:
    return Take(np.concatenate(pieces))


def noise(seconds: float) -> Pcm:
    """Return a bit of sound with nothing around it."""
    return np.random.default_rng(1).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 44100, 48000])
def test_a_good_take_has_no_flaw_at_any_rate(rate: int) -> None:
    """The bounds are in seconds, so the rate of the samples does not matter."""
    pace = measure(lambda text, _seed: Take(hum(text, rate)), rate, a_speech(), "", takes=1)
    assert flaws(Take(hum(TEXT, rate)), TEXT, rate, pace) == ()
    assert flaws(Take(hum(TEXT * 2, rate)), TEXT, rate, pace) == ("too-long",)


@pytest.mark.parametrize("text", ["A", "No.", "Well, no.", "Chapter 12", "我们走了。", "はい。", "…"])
def test_short_texts_have_room(text: str, pace: Pace) -> None:
    """A letter, a number or a few characters of another script is no fault."""
    assert flaws(Take(hum("no, well")), text, RATE, guess(a_speech(), "")) == ()
    assert "too-short" not in flaws(Take(hum("no")), text[:1], RATE, pace)


def test_nobody_knows_how_long_a_number_is(pace: Pace) -> None:
    """Digits may be said one by one, or in many words."""
    text = "They came in 1984 and left in 1991."
    for spoken in ("They came in one nine and left in one nine", TEXT):
        assert flaws(Take(hum(spoken)), text, RATE, pace) == ()


@pytest.mark.parametrize("level", [0.1, 1.0, 3.0])
def test_loudness_does_not_matter(level: float, pace: Pace) -> None:
    """Speech is told from silence by its own level."""
    quiet = Take(level * hum(TEXT))
    assert set(flaws(quiet, TEXT, RATE, pace)) <= {"clipped"}


def test_hiss_is_silence(pace: Pace) -> None:
    """A voice that was cloned from a noisy recording has no silence, only something far below its speech."""
    hiss = np.random.default_rng(2).normal(0, 0.0005, len(hum(TEXT))).astype(np.float32)
    assert flaws(Take(hum(TEXT) + hiss + np.float32(0.02)), TEXT, RATE, pace) == ()


def test_closures_and_murmur_are_no_pauses() -> None:
    """A short silence belongs to a word, a longer one parts two, and sound 45 dB down is none."""
    murmur = 0.005 * noise(0.2)
    sound = listen(np.concatenate([noise(0.3), silence(0.1), noise(0.3), murmur, noise(0.3)]), RATE)
    assert sound.stretches == (pytest.approx((0, 0.7)), pytest.approx((0.9, 1.2)))
    assert sound.pauses == pytest.approx((0.2,))
    assert sound.speech == pytest.approx(1.0)


def test_no_numbers(pace: Pace) -> None:
    """One sample of NaN or infinity is enough, and nothing else is said of it."""
    for value in (np.nan, np.inf):
        assert flaws(joined(hum(TEXT), np.full(1, value, np.float32)), TEXT, RATE, pace) == ("nan",)


@pytest.mark.parametrize("seconds", [0, 0.001, 0.03, 3])
def test_nothing_said(seconds: float, pace: Pace) -> None:
    """No samples, too few to hear and only silence are all silent."""
    assert flaws(Take(silence(seconds)), TEXT, RATE, pace) == ("silent",)
    assert flaws(Take(silence(seconds) + np.float32(0.3)), TEXT, RATE, pace) == ("silent",)


def test_no_stop(pace: Pace) -> None:
    """A take that the engine cut is bad however it sounds."""
    assert flaws(Take(hum(TEXT), stopped=False), TEXT, RATE, pace) == ("no-stop",)


def test_clipped(pace: Pace) -> None:
    """A sample in a thousand at full scale crackles; a single one does not."""
    assert flaws(Take(np.clip(20 * hum(TEXT), -1, 1)), TEXT, RATE, pace) == ("clipped",)
    touched = hum(TEXT)
    touched[RATE] = 1.0
    assert flaws(Take(touched), TEXT, RATE, pace) == ()


def test_length(pace: Pace) -> None:
    """Half of the words are too short, and words doubled too long."""
    assert flaws(Take(hum("The carrier had not yet, and the")), TEXT, RATE, pace) == ("too-short",)
    assert flaws(joined(hum(TEXT), hum(TEXT)), TEXT, RATE, pace) == ("too-long",)


def test_cut_off(pace: Pace) -> None:
    """Speech up to the last sample is cut off, for a voice whose takes end in silence."""
    cut = Take(trim(hum(TEXT), RATE)[: -RATE // 5])
    assert flaws(cut, TEXT, RATE, pace) == ("cut-off",)
    assert flaws(cut, TEXT, RATE, pace.model_copy(update={"ending": -5.0})) == ()
    assert flaws(cut, f"{TEXT} M.", RATE, pace) == ()


def test_silence_around(pace: Pace) -> None:
    """Long silence before or after is told, although it is cut off."""
    assert flaws(joined(silence(3), hum(TEXT)), TEXT, RATE, pace) == ("edge-silence",)
    assert flaws(joined(hum(TEXT), silence(3)), TEXT, RATE, pace) == ("edge-silence",)
    assert flaws(joined(hum("No."), silence(30)), "No.", RATE, pace) == ("edge-silence",)


@pytest.mark.parametrize(
    ("text", "seconds", "found"),
    [
        ("The carrier had not come and the horse was with him", 0.9, ()),
        ("The carrier had not come and the horse was with him", 1.4, ("long-pause",)),
        ("The carrier had not come, and the horse was with him", 1.4, ()),
        ("The carrier had not come, and the horse was with him", 2.0, ("long-pause",)),
        ("The carrier had not come – and the horse was with him", 2.0, ()),
        ("The carrier had not come … and the horse was with him", 2.0, ()),
        ("The carrier had not come: and the horse was with him", 2.0, ()),
        ("The carrier had not come.\nAnd the horse was with him", 2.0, ()),
        ("The carrier had not come: and the horse was with him", 3.0, ("long-pause",)),
    ],
)
def test_pauses_that_the_text_asks_for_are_no_flaws(
    text: str, seconds: float, found: tuple[str, ...], pace: Pace
) -> None:
    """The longer the pause that punctuation asks for, the more is let pass."""
    half = "The carrier had not come"
    take = joined(hum(half), silence(seconds - 0.6), hum("and the horse was with him"))
    assert flaws(take, text, RATE, pace) == found


def test_islands(pace: Pace) -> None:
    """A bit of sound that stands alone is a flaw, unless the text has a word there."""
    assert flaws(joined(hum(TEXT), silence(0.4), noise(0.3)), TEXT, RATE, pace) == ("cut-off", "tail-island")
    assert flaws(joined(noise(0.2), silence(0.3), hum(TEXT)), TEXT, RATE, pace) == ("head-island",)
    text = "Ah, the carrier had not yet come back from the mill, no."
    take = joined(*[piece for clause in text.split(",") for piece in (hum(clause), silence(0.2))])
    assert flaws(take, text, RATE, pace) == ()
    assert flaws(joined(hum("No"), hum("um")), "No", RATE, pace) == ("head-island", "tail-island")


@pytest.mark.parametrize("period", [1, 2, 5, 12])
def test_code_loop(period: int, pace: Pace) -> None:
    """A second or more of one pattern of tokens is a loop, wherever it is; less is not."""
    chance = np.random.default_rng(period)
    codes, pattern = chance.integers(0, 1024, 120).tolist(), chance.integers(0, 1024, period).tolist()
    for where in (0, 60, 120):
        looped = (*codes[:where], *np.resize(pattern, 24 + 3 * period).tolist(), *codes[where:])
        assert flaws(Take(hum(TEXT), codes=looped), TEXT, RATE, pace) == ("code-loop",)
        shorter = (*codes[:where], *np.resize(pattern, 20).tolist(), *codes[where:])
        assert flaws(Take(hum(TEXT), codes=shorter), TEXT, RATE, pace) == ()


@pytest.mark.parametrize("count", [0, 1, 5, 24, 25, 30])
def test_few_codes_are_no_loop(count: int, pace: Pace) -> None:
    """A short sentence has few tokens, all different."""
    assert flaws(Take(hum(TEXT), codes=tuple(range(count))), TEXT, RATE, pace) == ()


def test_the_worst_flaw_comes_first(pace: Pace) -> None:
    """Reports name the worst first, and several flaws are worse than each of them."""
    found = flaws(Take(hum(TEXT * 2), stopped=False, codes=(1,) * 40), TEXT, RATE, pace)
    assert found == ("no-stop", "code-loop", "too-long")
    assert badness(found) > max(badness([name]) for name in found)
    severities = [flaw.severity for flaw in FLAWS.values()]
    assert severities == sorted(severities, reverse=True)
    assert badness([]) == 0 < min(severities)


def test_every_flaw_has_a_meaning() -> None:
    """Users read the names in reports, so each is explained, and no two alike."""
    assert all(flaw.meaning for flaw in FLAWS.values())
    assert len({flaw.meaning for flaw in FLAWS.values()}) == len(FLAWS)


def test_trims_silence_to_a_margin() -> None:
    """What remains is the sound and 50 ms on either side, unchanged."""
    sound = noise(1)
    trimmed = trim(np.concatenate([silence(0.7), sound, silence(2)]), RATE)
    assert len(trimmed) / RATE == pytest.approx(1.1, abs=0.02)
    start = np.flatnonzero(trimmed)[0]
    assert np.array_equal(trimmed[start : start + RATE], sound)


def test_trims_nothing_where_there_is_no_long_silence() -> None:
    """A take with up to 50 ms of silence is returned as it is, and trimming twice is trimming once."""
    take = np.concatenate([silence(0.04), noise(1), silence(0.05)])
    assert np.array_equal(trim(take, RATE), take)
    once = trim(hum(TEXT), RATE)
    assert np.array_equal(trim(once, RATE), once)


def test_a_soft_beginning_is_kept() -> None:
    """Sound 40 dB below the voice, such as an `h`, is not silence."""
    soft = np.concatenate([silence(1), 0.01 * noise(0.2), noise(1)])
    assert len(trim(soft, RATE)) / RATE == pytest.approx(1.25, abs=0.02)


@pytest.mark.parametrize("take", [silence(2), silence(0), np.full(RATE, np.nan, np.float32)])
def test_a_take_without_sound_is_not_trimmed(take: Pcm) -> None:
    """The check rejects it; there is nothing to cut around."""
    assert trim(take, RATE) is take or np.array_equal(trim(take, RATE), take)
