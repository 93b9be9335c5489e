"""Runs services that write down what they do, and when: `python -m tests.witness FILE e2a-synth w0 w1=0.1`.

A worker writes a line when it begins a sentence of the SIMULATED engine, a merger when it begins and when it ends an
assembly. Several workers are forks of one process that has imported everything, each a process of its own; one with
a number after its name works that many seconds for a second of audio. The services are what users start, but for that.
"""

# ruff: noqa: PLC0415 - a process imports only the service that it runs

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from e2a.plan import Plan
from e2a.report import Report
from e2a.storage import ObjectStore

SENTENCE = "sentence"
ASSEMBLY = "assembly"
ASSEMBLED = "assembled"


class Note(NamedTuple):
    """What a service did."""

    what: str
    time: float
    """Unix time in seconds."""
    who: str
    """Name of the worker; process number of the merger."""
    of: str
    """Text of the sentence, id of the book."""
    seconds: float = 0.0
    """Of work, that a sentence takes."""


class Notes:
    """What services have written down so far.

    Args:
        path: of their file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._all: list[Note] = []

    def __call__(self, what: str = SENTENCE) -> list[Note]:
        """Return the notes of a kind, in the order in which they were written."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                whole, newline, _rest = file.read().rpartition(b"\n")
            self._read += len(whole) + len(newline)
            self._all += [Note(*json.loads(line)) for line in whole.splitlines()]
        return [note for note in self._all if note.what == what]


def run_worker(write: Callable[[Note], None]) -> None:
    """Run e2a-synth with the simulated engine."""
    from synth_consumer.__main__ import main
    from synth_consumer.engines import Take, Utterance
    from synth_consumer.engines.simulated import CHARACTERS_PER_SECOND, SimulatedEngine

    say = SimulatedEngine.say
    name, rtf = os.environ["E2A_WORKER_ID"], float(os.environ.get("E2A_SIMULATED_RTF", "0"))

    def noted(engine: SimulatedEngine, utterance: Utterance) -> Take:
        seconds = len(utterance.text) / CHARACTERS_PER_SECOND / utterance.speech.speed * rtf
        write(Note(SENTENCE, time.time(), name, utterance.text, seconds))
        return say(engine, utterance)

    SimulatedEngine.say = noted  # type: ignore[method-assign]
    main()


def run_merger(write: Callable[[Note], None]) -> None:
    """Run e2a-merge."""
    from merger import merge
    from merger.__main__ import main

    assemble = merge.assemble

    def noted(plan: Plan, store: ObjectStore, **options: object) -> Report:
        write(Note(ASSEMBLY, time.time(), str(os.getpid()), plan.book_id))
        report = assemble(plan, store, **options)  # type: ignore[arg-type]
        write(Note(ASSEMBLED, time.time(), str(os.getpid()), plan.book_id))
        return report

    merge.assemble = noted
    main()


def fork(workers: list[str], write: Callable[[Note], None]) -> int:
    """Run several workers until all have ended; a signal that ends this process ends them."""
    import synth_consumer.__main__  # noqa: F401 - imported once for all

    children = []
    for worker in workers:
        child = os.fork()
        if not child:
            be(worker)
            run_worker(write)
        children.append(child)

    def pass_on(number: int, _frame: object) -> None:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, number)

    signal.signal(signal.SIGTERM, pass_on)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def be(worker: str) -> None:
    """Take the name of a worker, and its speed."""
    name, _, rtf = worker.partition("=")
    os.environ["E2A_WORKER_ID"] = name
    if rtf:
        os.environ["E2A_SIMULATED_RTF"] = rtf


def main() -> None:
    _program, path, service, *workers = sys.argv
    sys.argv = [service]
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(note: Note) -> None:
        os.write(file, json.dumps(note).encode() + b"\n")

    if service == "e2a-merge":
        run_merger(write)
    elif len(workers) == 1:
        be(workers[0])
        run_worker(write)
    else:
        sys.exit(fork(workers, write))


if __name__ == "__main__":
    main()
