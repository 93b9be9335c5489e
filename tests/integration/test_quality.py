"""How many bad takes the checks find, and that they find no good one bad, with speech of the real espeak-ng."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from e2a.plan import Speech
from e2a.settings import SynthSettings
from synth_consumer.engines import Pcm, Take, Utterance
from synth_consumer.engines.espeak import EspeakEngine
from synth_consumer.pace import Pace, measure
from synth_consumer.quality import FLAWS, flaws
from tests.servers import require
from tests.takes import DEFECTS, caught, scenes, sentences

GOOD = [
    ("en", 1.0, 200),
    ("en", 0.6, 50),
    ("de", 1.0, 200),
    ("de", 1.6, 50),
    ("fr", 1.0, 200),
    ("fr", 0.8, 50),
    ("es", 1.0, 150),
    ("zh", 1.0, 50),
    ("ja", 1.0, 50),
]
"""Language, speed and number of sentences: a thousand."""
LEAST_CAUGHT = {
    "last 40 % cut": 90,
    "last 20 % cut": 70,
    "last 40 % of the words not said": 65,
    "sentence twice": 95,
    "detached word after a pause": 95,
    "detached word before a pause": 80,
    "2 s babble attached": 45,
} | dict.fromkeys(list(DEFECTS)[list(DEFECTS).index("15 s runaway") :], 100)
"""Of a hundred takes. Words dropped or repeated in the middle are for a recogniser to hear."""


@pytest.fixture(scope="module")
def engine() -> EspeakEngine:
    require("espeak-ng")
    loaded = EspeakEngine(SynthSettings())
    loaded.load()
    return loaded


def voice(engine: EspeakEngine, language: str, speed: float = 1.0) -> tuple[Callable[[str], Pcm], Pace]:
    """Return what says a sentence, and its pace as measured on the fixed text alone."""
    speech = Speech(engine="espeak", language=language, speed=speed)
    say = cache(lambda text: engine.say(Utterance(text, speech, seed=0)))
    pace = measure(lambda text, _seed: say(text), engine.sample_rate, speech, engine.weights, takes=1)
    assert pace.calibrated
    return lambda text: say(text).pcm, pace


def test_no_good_take_is_rejected(engine: EspeakEngine) -> None:
    """None of a thousand sentences, in six languages and at five speeds, has a flaw."""
    rejected, checked = [], 0
    with ThreadPoolExecutor(2) as pool:
        for language, speed, count in GOOD:
            say, pace = voice(engine, language, speed)
            texts = sentences(language, count, seed=2)
            for text, pcm in zip(texts, pool.map(say, texts), strict=True):
                found = flaws(Take(pcm), text, engine.sample_rate, pace)
                rejected += [(language, speed, text, found)] if found else []
                checked += 1
    assert checked == 1000
    assert rejected == []


def test_bad_takes_are_found(engine: EspeakEngine) -> None:
    """Of a hundred takes with a defect at least so many are rejected, and each flaw that sound shows is found."""
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for language in ("en", "de", "fr", "es"):
        say, pace = voice(engine, language)
        for scene in scenes(sentences(language, 25, seed=2), engine.sample_rate, say):
            for defect, found in caught(scene, pace):
                counts[defect] += bool(found)
                seen.update(found)
    assert {defect: counts[defect] for defect, least in LEAST_CAUGHT.items() if counts[defect] < least} == {}
    assert seen == FLAWS.keys() - {"misheard"}
