"""How engines are found, and the simulated one."""

from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from e2a.errors import ExitCode, UserError
from e2a.plan import Speech
from e2a.settings import SynthSettings
from synth_consumer import engines
from synth_consumer.engines import Pcm, Utterance
from synth_consumer.engines.simulated import CHARACTERS_PER_SECOND, SimulatedEngine
from tests.unit.builders import a_speech


def speak(text: str, seed: int = 1, speech: Speech | None = None) -> Pcm:
    """Return the simulated engine's samples of one sentence."""
    return SimulatedEngine(SynthSettings()).say(Utterance(text, speech or a_speech(), seed)).pcm


def test_finds_the_engines_that_are_installed() -> None:
    """The engines of this package are found by their entry points."""
    assert {"espeak", "simulated"} <= set(engines.names())


@pytest.mark.parametrize("name", ["espeak", "simulated"])
def test_every_engine_keeps_to_the_port(name: str) -> None:
    """An installed engine calls itself what its entry point does, and states rate and licence."""
    engine = engines.create(SynthSettings(engine=name))
    assert engine.name == name
    assert engine.sample_rate in {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}
    assert engine.licence


def test_names_an_engine_that_is_not_installed() -> None:
    """An unknown engine is a configuration error that lists the known ones."""
    with pytest.raises(UserError, match="'opera' is not installed; there are: coqui, espeak, sim") as caught:
        engines.create(SynthSettings(engine="opera"))
    assert caught.value.code == ExitCode.CONFIG


def test_names_what_an_engine_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine whose packages are missing says which."""
    broken = EntryPoint(name="broken", value="no_such_package:Engine", group=engines.GROUP)
    monkeypatch.setattr(engines, "entry_points", lambda **_query: EntryPoints([broken]))
    with pytest.raises(UserError, match="engine 'broken': No module named 'no_such_package'") as caught:
        engines.create(SynthSettings(engine="broken"))
    assert caught.value.code == ExitCode.UNAVAILABLE


def test_simulated_speech_is_as_long_as_speech() -> None:
    """Its length follows from the number of characters."""
    text = "x" * 150
    assert len(speak(text)) == 150 / CHARACTERS_PER_SECOND * SimulatedEngine.sample_rate


def test_simulated_speech_heeds_the_speed() -> None:
    """Twice the speed is half the length."""
    text = "x" * 150
    assert len(speak(text, speech=a_speech(speed=2.0))) == len(speak(text)) / 2


def test_simulated_speech_follows_from_its_seed() -> None:
    """The same seed gives the same samples, another seed others, and all of them are in range."""
    text = "The same again."
    assert np.array_equal(speak(text, seed=5), speak(text, seed=5))
    assert not np.array_equal(speak(text, seed=5), speak(text, seed=6))
    assert 0.2 < np.abs(speak(text)).max() <= 0.3


def test_simulated_work_takes_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It pretends to work for its audio seconds times the real-time factor."""
    naps: list[float] = []
    monkeypatch.setattr("synth_consumer.engines.simulated.time.sleep", naps.append)
    SimulatedEngine(SynthSettings(simulated_rtf=0.5)).say(Utterance("x" * 150, a_speech(), 1))
    assert naps == [150 / CHARACTERS_PER_SECOND * 0.5]
