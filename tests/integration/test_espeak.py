"""The espeak-ng engine with the real program."""

from pathlib import Path

import numpy as np
import pytest

from e2a.errors import ExitCode, Poison, UserError
from e2a.plan import Speech
from e2a.settings import SynthSettings
from synth_consumer.engines import Utterance
from synth_consumer.engines.espeak import EspeakEngine
from tests.servers import require


@pytest.fixture(scope="module")
def engine() -> EspeakEngine:
    require("espeak-ng")
    loaded = EspeakEngine(SynthSettings())
    loaded.load()
    return loaded


def speak(engine: EspeakEngine, *sentences: str, **speech: object) -> list[np.ndarray]:
    """Speak English sentences."""
    options = Speech(**{"engine": "espeak", "language": "en"} | speech)  # type: ignore[arg-type]
    return [engine.say(Utterance(sentence, options, seed=1)).pcm for sentence in sentences]


def test_speaks_each_sentence(engine: EspeakEngine) -> None:
    """One mono array a sentence, audible, in range, and the longer sentence is the longer array."""
    short, long = speak(engine, "No.", "She counted two hundred and fourteen umbrellas.")
    assert short.dtype == long.dtype == np.float32
    assert short.ndim == long.ndim == 1
    assert engine.sample_rate < len(long) < 10 * engine.sample_rate
    assert len(short) < len(long)
    assert 0.05 < np.abs(long).max() <= 1.0


def test_says_the_same_the_same_way(engine: EspeakEngine) -> None:
    """The same sentence gives the same samples, alone or after another."""
    (alone,) = speak(engine, "Once more.")
    _other, again = speak(engine, "Something else.", "Once more.")
    assert np.array_equal(alone, again)


def test_reads_text_and_not_options_or_markup(engine: EspeakEngine) -> None:
    """A sentence that looks like an option, markup or a phoneme tag is text like any other."""
    for sentence in ("--help is said aloud.", "<b>bold</b> words", "-v fr", "été, naïve, 日本"):
        (samples,) = speak(engine, sentence)
        assert np.abs(samples).max() > 0.05
    (brackets,), (phonemes,) = speak(engine, "[[h@l'oU]]"), speak(engine, "hello")
    assert not np.array_equal(brackets, phonemes)
    (triple,) = speak(engine, "[[[h@l'oU]]]")
    assert len(triple) > 1.5 * len(phonemes)


@pytest.mark.parametrize("dash", ["-", "—"])
def test_says_no_marks(engine: EspeakEngine, dash: str) -> None:
    """A dash after an exclamation mark is a pause, and does not make espeak-ng name the mark."""
    (together,), (apart,) = speak(engine, f"Halt!{dash}mind ye"), speak(engine, f"Halt! {dash}mind ye")
    assert np.array_equal(together, apart)


def test_speed_changes_the_length(engine: EspeakEngine) -> None:
    """Twice the speed is a good deal shorter."""
    sentence = "The rain went on and on until nobody remembered the sun."
    (normal,), (fast,) = speak(engine, sentence), speak(engine, sentence, speed=2.0)
    assert len(fast) < 0.7 * len(normal)


def test_languages_have_voices(engine: EspeakEngine) -> None:
    """A tag finds its own voice, a regional tag its language, and the default of English is American."""
    assert engine.voices("en")[0] == "en-us"
    assert engine.voices("en-GB")[0] == "en-gb"
    assert engine.voices("de-AT")[0] == "de"
    assert engine.voices("zh-CN")[0] == engine.voices("zh")[0] == "cmn"
    assert engine.voices("no")[0] == "nb"
    assert engine.voices("xx") == ()


@pytest.mark.parametrize("voice", ["en-gb", "EN-GB", "en-us+f3", "en-us+Andy", "en-us+3"])
def test_takes_voices_as_espeak_names_them(engine: EspeakEngine, voice: str) -> None:
    """A voice may be written in capitals and carry a variant."""
    (samples,) = speak(engine, "Hello there.", voice=voice)
    assert np.abs(samples).max() > 0.05


@pytest.mark.parametrize(
    ("speech", "reason"),
    [
        ({"language": "xx"}, "speaks no 'xx'"),
        ({"voice": "nobody"}, "no voice 'nobody'; for 'en': en-us"),
        ({"voice": "en-us+F3"}, r"no voice 'en-us\+F3'"),
    ],
)
def test_refuses_what_it_cannot_say(engine: EspeakEngine, speech: dict[str, str], reason: str) -> None:
    """An unknown language or voice is poison, and the reason names what there is."""
    with pytest.raises(Poison, match=reason):
        speak(engine, "Hello.", **speech)


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without espeak-ng on PATH the engine says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get install espeak-ng") as caught:
        EspeakEngine(SynthSettings()).load()
    assert caught.value.code == ExitCode.UNAVAILABLE
