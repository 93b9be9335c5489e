"""An engine that hangs ends its worker, which a supervisor starts again."""

import os
import threading

import pytest
from structlog.testing import capture_logs

from e2a.errors import ExitCode
from synth_consumer.recognition import Recogniser
from synth_consumer.speaker import Speaker, Voice
from synth_consumer.watchdog import watch
from tests.unit.builders import a_speech
from tests.unit.puppet import Puppet, a_pace

NEVER = threading.Event()


class Looks(threading.Event):
    """An event that is waited for so many times, and is set then."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def wait(self, timeout: float | None = None) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.fixture(autouse=True)
def _no_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr("logging.shutdown", lambda: None)


def test_an_engine_that_is_silent_too_long_ends_the_process() -> None:
    """The process ends by name, after one line that says what to do."""
    silence = iter([0.0, 900.0, 901.0])
    with capture_logs() as logs, pytest.raises(SystemExit) as ended:
        watch(lambda: next(silence), 900.0, Looks(3))
    assert ended.value.code == ExitCode.STUCK
    (line,) = logs
    assert (line["event"], line["silent_seconds"]) == ("engine.stuck", 901)
    assert "E2A_ENGINE_PATIENCE" in line["remedy"]


def test_looks_until_it_is_told_to_stop() -> None:
    """An engine that speaks, or has nothing to say, is left alone."""
    watch(lambda: 899.0, 900.0, Looks(100))


def hanging(speaker: Speaker, at: threading.Event, go_on: threading.Event) -> None:
    """Let a speaker speak, and watch it once it hangs: only what hangs is silent."""
    voice, text = Voice(a_speech(), a_pace()), "This is a sentence."
    assert speaker.silent_seconds == 0
    thread = threading.Thread(target=speaker.speak, args=([text], voice, NEVER, lambda: None), daemon=True)
    thread.start()
    assert at.wait(30)
    try:
        with pytest.raises(SystemExit):
            watch(lambda: speaker.silent_seconds, 1e-9, Looks(1000))
    finally:
        go_on.set()
        thread.join(30)
    assert speaker.silent_seconds == 0


def test_an_engine_that_hangs_is_silent() -> None:
    """While the engine's thread hangs another sees for how long."""
    engine, at, go_on = Puppet(), threading.Event(), threading.Event()
    engine.before = lambda _text: (at.set(), go_on.wait(30))
    hanging(Speaker(engine), at, go_on)


def test_a_recogniser_that_hangs_is_silent() -> None:
    """Whoever listens to takes may hang as well."""
    at, go_on = threading.Event(), threading.Event()

    class Deaf(Recogniser):
        def load(self) -> None:
            return

        def hear(self, *_arguments: object) -> str:  # type: ignore[override]
            at.set()
            go_on.wait(30)
            return "This is a sentence."

    hanging(Speaker(Puppet(), Deaf()), at, go_on)
