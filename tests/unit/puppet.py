"""An engine that does as it is told."""

import threading
from collections.abc import Callable
from functools import cache

from e2a.plan import Speech
from e2a.settings import SynthSettings
from synth_consumer.engines import Take, Utterance
from synth_consumer.engines.simulated import SimulatedEngine
from synth_consumer.pace import Pace, measure
from tests.unit.builders import a_speech


class Puppet(SimulatedEngine):
    """Says tones as the simulated engine does; whatever is to go wrong goes wrong in `before` and `change`."""

    name = "espeak"
    varies = True

    def __init__(self, at_once: int = 1) -> None:
        super().__init__(SynthSettings())
        self.at_once = at_once
        self.utterances: list[Utterance] = []
        self.before: Callable[[str], object] = lambda _text: None
        self.change: Callable[[Take, Utterance], Take] = lambda take, _utterance: take
        self.inside = 0
        self.most_inside = 0
        self._lock = threading.Lock()

    @property
    def spoken(self) -> list[str]:
        """What was said, in the order in which it was begun."""
        return [utterance.text for utterance in self.utterances]

    def say(self, utterance: Utterance) -> Take:
        with self._lock:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        try:
            self.before(utterance.text)
            self.utterances.append(utterance)
            return self.change(super().say(utterance), utterance)
        finally:
            with self._lock:
                self.inside -= 1


def cut(take: Take) -> Take:
    """Return a take that did not come to its end."""
    return take._replace(stopped=False)


@cache
def a_pace(speech: Speech | None = None) -> Pace:
    """Return the pace of a puppet."""
    speech = speech or a_speech()
    engine = SimulatedEngine(SynthSettings())
    return measure(lambda text, seed: engine.say(Utterance(text, speech, seed)), engine.sample_rate, speech, "")
