"""How many bad takes the checks find, and what they cost, with speech of espeak-ng: not of XTTS.

Each voice is measured on the fixed text of its language, as workers do; the sentences are others. The words of good
takes are made up, or those of books. Defects are made by cutting, joining and leaving out.
"""

import argparse
import json
import platform
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from e2a.plan import Speech
from e2a.settings import SynthSettings
from producer.ingest import Options, prepare
from synth_consumer.engines import Pcm, Take, Utterance
from synth_consumer.engines.espeak import EspeakEngine
from synth_consumer.pace import Pace, measure
from synth_consumer.quality import flaws
from synth_consumer.sound import trim
from tests.epubs import CORPUS
from tests.takes import DEFECTS, LANGUAGES, caught, scenes, sentences

BOOKS = [
    CORPUS / "gutenberg/alice-in-wonderland.epub",
    CORPUS / "gutenberg/jekyll-and-hyde.epub",
    CORPUS / "gutenberg/moby-dick.epub",
    CORPUS / "idpf/kusamakura-japanese-vertical-writing.epub",
]
SPEEDS = (0.5, 0.7, 1.0, 1.5, 2.0)
Say = Callable[[str], Pcm]


def voice(engine: EspeakEngine, language: str, speed: float = 1.0) -> tuple[Say, Pace]:
    """Return what says a sentence, and its pace."""
    speech = Speech(engine=engine.name, language=language, speed=speed)
    say = cache(lambda text: engine.say(Utterance(text, speech, seed=0)).pcm)
    return say, measure(lambda text, _seed: Take(say(text)), engine.sample_rate, speech, "", takes=1)


def good(engine: EspeakEngine, say: Say, pace: Pace, texts: list[str]) -> dict[str, object]:
    """Return how many good takes are rejected, which, and the milliseconds of checking and of trimming one."""
    rejected, check_ms, trim_ms = [], [], []
    for text in texts:
        take = Take(say(text))
        started = time.perf_counter()
        found = flaws(take, text, engine.sample_rate, pace)
        checked = time.perf_counter()
        trim(take.pcm, engine.sample_rate)
        check_ms.append((checked - started) * 1000)
        trim_ms.append((time.perf_counter() - checked) * 1000)
        rejected += [f"{', '.join(found)}: {text}"] if found else []
    times = {"check_ms": round(statistics.median(check_ms), 2), "trim_ms": round(statistics.median(trim_ms), 2)}
    return {"sentences": len(texts), "rejected": len(rejected), **times, "which": rejected}


def of_book(path: Path, count: int) -> tuple[str, list[str]]:
    """Return the language of a book and some of its sentences, as the engine is given them."""
    plan = prepare(path, Options(engine="espeak")).plan
    texts = [sentence.say for part in plan.parts for sentence in part.sentences]
    return plan.speech.language, random.Random(path.name).sample(texts, min(count, len(texts)))


def full_size_ms() -> float:
    """Return the median milliseconds of checking 20 s at 24 kHz with the tokens of XTTS."""
    chance = np.random.default_rng(1)
    pcm = chance.normal(0, 0.1, 480_000).astype(np.float32)
    take = Take(pcm, codes=tuple(chance.integers(0, 1024, 430).tolist()))
    pace = Pace(
        offset=0, per_letter=0.06, spread=0.1, slack=0.25, pause=0.3, ending=-60, weights="", calibrated=True, gains={}
    )
    times = []
    for _ in range(50):
        started = time.perf_counter()
        flaws(take, "The carrier had not yet come back, and the horse was with him. " * 4, 24_000, pace)
        times.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(times), 2)


def defects(engine: EspeakEngine, count: int) -> None:
    """Print the defects, how many of a hundred takes with each are rejected, and for what."""
    counts: Counter[str] = Counter()
    reasons = {defect: Counter[str]() for defect in DEFECTS}
    languages = ("en", "de", "fr", "es")
    for language in languages:
        say, pace = voice(engine, language)
        for scene in scenes(sentences(language, count, seed=3), engine.sample_rate, say):
            for defect, found in caught(scene, pace):
                counts[defect] += bool(found)
                reasons[defect].update(found)
    print(f"\nof {count} sentences each in {', '.join(languages)}, percent caught:")
    for defect in DEFECTS:
        why = ", ".join(f"{name} {number}" for name, number in reasons[defect].most_common(3))
        print(f"{defect:34} {100 * counts[defect] / count / len(languages):5.1f}   {why}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the checks of takes with espeak-ng.")
    parser.add_argument("--sentences", type=int, default=200, help="good ones for each language and speed")
    parser.add_argument("--defects", type=int, default=100, help="sentences for each language")
    parser.add_argument("--of-books", type=int, default=1000, help="good ones for each book")
    options = parser.parse_args()
    engine = EspeakEngine(SynthSettings())
    engine.load()
    print(f"$ python -m bench.quality {' '.join(sys.argv[1:])}".rstrip())
    print(json.dumps({"speech": "espeak-ng, not XTTS", "python": platform.python_version()}))
    for language in LANGUAGES:
        for speed in SPEEDS:
            say, pace = voice(engine, language, speed)
            row = good(engine, say, pace, sentences(language, options.sentences, seed=3))
            print(json.dumps({"good": language, "speed": speed} | row, ensure_ascii=False), flush=True)
    for path in filter(Path.is_file, BOOKS):
        language, texts = of_book(path, options.of_books)
        row = good(engine, *voice(engine, language), texts)
        print(json.dumps({"good": path.name, "speed": 1.0} | row, ensure_ascii=False), flush=True)
    print(json.dumps({"check of 20 s at 24 kHz, ms": full_size_ms()}))
    defects(engine, options.defects)


if __name__ == "__main__":
    main()
