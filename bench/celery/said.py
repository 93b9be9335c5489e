"""The SIMULATED engine, which writes down what it says: so work that is done twice is seen, on either side."""

import os
from math import fsum
from pathlib import Path
from typing import NamedTuple

from e2a.plan import Plan
from e2a.settings import SynthSettings
from synth_consumer.engines import Take, Utterance
from synth_consumer.engines.simulated import CHARACTERS_PER_SECOND, SimulatedEngine

NAME = "counted"


class CountedEngine(SimulatedEngine):
    """`SimulatedEngine` that adds a line to a file beside the storage for each sentence that it has said."""

    name = NAME

    def __init__(self, settings: SynthSettings) -> None:
        super().__init__(settings)
        self._worker = settings.worker_id
        self._path = record(Path(settings.storage))

    def say(self, utterance: Utterance) -> Take:
        take = super().say(utterance)
        line = f"{self._worker}\t{utterance.text}\n".encode()
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, line)
        os.close(file)
        return take


def record(storage: Path) -> Path:
    """Return the file in which is written what was said."""
    return storage.parent / "said.tsv"


def install(folder: Path) -> None:
    """Make the engine known to all whose PYTHONPATH has the folder, as pip would."""
    info = folder / "counted-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[e2a.engines]\n{NAME} = bench.celery.said:CountedEngine\n")


class Line(NamedTuple):
    """A sentence that was said."""

    worker: str
    text: str


class Said:
    """What was said of a book so far.

    Args:
        plan: of the book; no two sentences of it are the same.
        storage: the directory.
    """

    def __init__(self, plan: Plan, storage: Path) -> None:
        self._path = record(storage)
        self._seconds = {
            each.say: len(each.say) / CHARACTERS_PER_SECOND for part in plan.parts for each in part.sentences
        }
        self._inner = {each.say for part in plan.parts for each in part.sentences[:-1]}
        self.lines: list[Line] = []
        """In the order in which they were said; what measures the voice is left out."""

    def read(self) -> None:
        """Read what was said since."""
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        found = (Line(*line.split("\t")) for line in text.splitlines())
        self.lines = [line for line in found if line.text in self._seconds]

    @property
    def book_seconds(self) -> float:
        """Seconds of audio that the book needs."""
        return fsum(self._seconds.values())

    @property
    def progress(self) -> float:
        """How much of the book was said, from 0 to 1."""
        return fsum(self._seconds[text] for text in {line.text for line in self.lines}) / self.book_seconds

    @property
    def spoken(self) -> float:
        """Audio that was made, whatever became of it, over that which the book needs."""
        return fsum(self._seconds[line.text] for line in self.lines) / self.book_seconds

    def is_inner(self, line: Line) -> bool:
        """Say whether more of the part comes after a sentence."""
        return line.text in self._inner
