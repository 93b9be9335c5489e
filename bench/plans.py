"""Plans of books that nobody wrote, put where workers and merger find them: any number of parts of any length."""

import random
from collections.abc import Sequence

from e2a.plan import Chapter, Part, Plan, Sentence, Speech, part_digest, speech_digest
from e2a.settings import SynthSettings
from e2a.storage import ObjectStore, keys
from synth_consumer.engines import Take, Utterance
from synth_consumer.engines.simulated import CHARACTERS_PER_SECOND, SimulatedEngine
from synth_consumer.pace import measure

SPEECH = Speech(engine="simulated", language="en")
SENTENCE = 75
"""Most characters of a sentence."""


def lengths(parts: int, full: int, seed: int) -> list[int]:
    """Return the characters of parts as books have them: most are full, the last of a chapter is shorter."""
    chance = random.Random(seed)
    return [full if chance.random() < 0.7 else round(full * chance.uniform(0.2, 1.0)) for _ in range(parts)]


def made_plan(number: int, characters: Sequence[int], per_chapter: int = 10) -> Plan:
    """Return the plan of a book.

    Args:
        number: of the book; no two books share a part.
        characters: of each part.
        per_chapter: parts of a chapter.
    """
    parts = [_part(number, index, index // per_chapter, count) for index, count in enumerate(characters)]
    chapters = tuple(
        Chapter(index=first // per_chapter, title=f"Chapter {first}", parts=tuple(parts[first : first + per_chapter]))
        for first in range(0, len(parts), per_chapter)
    )
    return Plan(
        book_id=f"{number:016x}", title=f"Book {number}", authors=("A. Maker",), speech=SPEECH, chapters=chapters
    )


def _part(book: int, index: int, chapter: int, characters: int) -> Part:
    count = -(-characters // SENTENCE)
    size = characters // count
    texts = [f"{_name(book)} {_name(index)} {_name(number)} ".ljust(size, "o") for number in range(count)]
    sentences = tuple(Sentence(text=text, pause_ms=0) for text in texts)
    return Part(
        index=index,
        chapter=chapter,
        digest=part_digest(sentences, SPEECH),
        estimate=sum(map(len, texts)) / CHARACTERS_PER_SECOND,
        sentences=sentences,
    )


def _name(number: int) -> str:
    """Return a number in letters: digits may be spoken as words, and count for more than they are."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def store_plan(plan: Plan, store: ObjectStore) -> None:
    """Put a plan where the merger looks for it."""
    store.put(keys.book(plan.book_id, keys.PLAN), plan.model_dump_json().encode())


def store_pace(store: ObjectStore) -> None:
    """Put the measured voice into storage, so that no worker has to work on that."""
    engine = SimulatedEngine(SynthSettings(simulated_rtf=0.0))

    def say(text: str, seed: int) -> Take:
        return engine.say(Utterance(text, SPEECH, seed))

    pace = measure(say, engine.sample_rate, SPEECH, engine.weights, 1)
    store.put(keys.pace(speech_digest(SPEECH)), pace.model_dump_json().encode())
