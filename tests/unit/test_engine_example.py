"""The engine that docs/engines.md gives as an example makes the parts of a book."""

import re
import threading
from pathlib import Path

import pytest

from e2a.checkpoint import LeaseKeeper
from e2a.messages import PartDone
from e2a.plan import Sentence
from e2a.settings import SynthSettings
from e2a.testing import Clock, MemoryCheckpoint, MemoryStore
from synth_consumer import engines
from synth_consumer.speaker import Speaker
from synth_consumer.status import Status
from synth_consumer.worker import Worker
from tests.unit.builders import a_job, a_part, a_speech

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"


def block(language: str) -> str:
    """Return the only block of code in a language."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return code


@pytest.fixture
def morse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> engines.Engine:
    """Install the example as pip would: a module, and the entry point that its pyproject names."""
    (tmp_path / "morse.py").write_text(block("python"))
    info = tmp_path / "morse-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: morse\nVersion: 1.0\n")
    group, entry = re.findall(r'\[project\.entry-points\."(.*)"\]\n(.*)', block("toml"))[0]
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return engines.create(SynthSettings(engine="morse"))


def test_the_example_speaks(morse: engines.Engine) -> None:
    """An e is one dot and a t one dash, three times as long."""
    morse.load()
    dot, dash = (morse.say(engines.Utterance(text, a_speech(engine="morse"), 1)).pcm for text in "et")
    assert (len(dot), len(dash)) == (1600, 3200)


def test_the_example_makes_a_part(morse: engines.Engine) -> None:
    """A worker with it stores what it says, and finds nothing wrong with it."""
    morse.load()
    store, status = MemoryStore(), Status("w0", morse)
    leases = LeaseKeeper(MemoryCheckpoint(Clock()), "w0")
    worker = Worker(name="w0", engine=morse, speaker=Speaker(morse), store=store, leases=leases, status=status)
    part = a_part(sentences=(Sentence(text="The ship is late.", pause_ms=400),))
    event = worker.handle(a_job(part, speech=a_speech(engine="morse")), threading.Event())
    assert isinstance(event, PartDone)
    assert event.audio_seconds > 4
    assert event.retakes == ()


def test_the_example_is_short() -> None:
    """An engine is written in forty lines or so."""
    assert len(block("python").splitlines()) <= 45
