"""`e2a-produce` as a process that reads one EPUB, which may be hostile.

It has a folder with nothing else in it, little memory and time, and none of the page's secrets in its environment; what
it does not survive, the page does. It is no sandbox: it runs as the same user, and reaches what that user may.
"""

import math
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from e2a import log
from e2a.errors import ExitCode, UserError
from e2a.plan import Frozen

logger = log.get(__name__)

PRODUCE = (sys.executable, "-P", "-m", "producer")
"""`e2a-produce` of the same installation; `-P` keeps the folder of the book out of Python's path."""
PLAIN = {"COLUMNS": "100", "NO_COLOR": "1", "FORCE_COLOR": ""}
LONGEST_NAME = 120
"""Bytes of the name of a book's file."""
LONGEST_LINE = 500
LARGEST_OUTPUT = 200_000
"""Bytes of what is shown before a book is sent."""
_NAME = r"[A-Za-z0-9][\w.+-]{0,63}"
_FORMS = {
    "engine": rf"({_NAME})?",
    "model": rf"({_NAME}(/{_NAME}){{0,5}})?",
    "voice": r"([^\W_][^/\\\x00-\x1f\x7f]{0,99})?",
    "language": r"([A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8}){0,5})?",
}
"""What options look like. None can be taken for another option, or for a file of another folder."""


class UploadOptions(Frozen):
    """What a viewer asks for; empty fields take what the book or the cluster says."""

    engine: str = ""
    model: str = ""
    voice: str = ""
    language: str = ""
    speed: float = 1.0
    """From 0.5 to 2.0."""
    urgent: bool = False


class Limits(NamedTuple):
    """What a process that reads a book may use."""

    memory: int = 2 << 30
    """Bytes of address space."""
    cpu: int = 120
    """Seconds of its processors."""
    wall: float = 300.0
    """Seconds on the clock."""


LIMITS = Limits()


class Ended(NamedTuple):
    """How a producer ended."""

    code: int
    """Exit code; negative for a signal."""
    output: str
    """What it wrote to standard output, as much as may be shown."""
    complaint: str
    """Why it failed, in one line; empty when it did not."""


class Producer:
    """Runs `e2a-produce`. Thread-safe.

    Args:
        environment: of its processes, with the settings of the servers.
        program: what to run.
        limits: of each process.
    """

    def __init__(
        self, environment: Mapping[str, str], program: Sequence[str] = PRODUCE, limits: Limits = LIMITS
    ) -> None:
        self._environment = {**environment, **PLAIN}
        self._program = program
        self._limits = limits
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._closed = False

    def run(self, folder: Path, name: str, options: Sequence[str]) -> Ended:
        """Run it on a file of a folder, to its end or to that of its time. Raises `OSError` when it cannot begin."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(
                [*self._program, *options, "--", name],
                cwd=folder,
                env={**self._environment, "TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            with self._known(process.pid):
                self._restrict(process.pid)
                code = _wait(process, self._limits.wall)
            out.seek(0)
            output = out.read(LARGEST_OUTPUT).decode(errors="replace")
            err.seek(max(0, err.seek(0, os.SEEK_END) - 10 * LONGEST_LINE))
            written = err.read().decode(errors="replace")
        if code == ExitCode.BUG:
            logger.warning("monitor.producer_failed", output=written)
        return Ended(code, output, _complaint(code, written, name) if code else "")

    def close(self) -> None:
        """Kill what runs, and what is begun after."""
        with self._lock:
            self._closed = True
            for process in self._running:
                _kill(process)

    def _restrict(self, process: int) -> None:
        """Limit a process from outside: in it, before it begins, is not safe where there are threads."""
        limits = {
            resource.RLIMIT_AS: self._limits.memory,
            resource.RLIMIT_CPU: self._limits.cpu,
            resource.RLIMIT_CORE: 0,
        }
        with suppress(ProcessLookupError):  # it has ended
            for kind, most in limits.items():
                resource.prlimit(process, kind, (most, most))

    @contextmanager
    def _known(self, process: int) -> Iterator[None]:
        """Have a process killed when this is closed."""
        with self._lock:
            self._running.add(process)
            if self._closed:
                _kill(process)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(process)


def safe_name(name: str) -> str:
    """Return a name that a file of any folder can have, and that is no option, for what a browser calls a file."""
    base = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(each if each.isprintable() else " " for each in base)
    stem = " ".join(re.sub(r"\.epub$", "", shown, flags=re.IGNORECASE).split()).strip(".- ")
    cut = stem.encode()[:LONGEST_NAME].decode(errors="ignore").strip()
    return f"{cut or 'book'}.epub"


def arguments(options: UploadOptions) -> list[str]:
    """Return the options of `e2a-produce`.

    Raises:
        UserError: one is not what it should be (exit code USAGE).
    """
    for name, form in _FORMS.items():
        value = getattr(options, name)
        if not re.fullmatch(form, value):
            raise UserError(f"{value[:LONGEST_LINE]!r}: no {name} is called so", ExitCode.USAGE)
    if not math.isfinite(options.speed) or not 0.5 <= options.speed <= 2.0:
        raise UserError(f"speed {options.speed}: must be from 0.5 to 2.0", ExitCode.USAGE)
    named = [f"--{name}={value}" for name in _FORMS if (value := getattr(options, name))]
    return ["--no-recording", *named, f"--speed={options.speed}", *(["--urgent"] if options.urgent else [])]


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> int:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        _kill(process.pid)
        return process.wait()


def _kill(process: int) -> None:
    """Kill a process, and what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)


def _complaint(code: int, written: str, name: str) -> str:
    """Return why a producer failed: the last line that it wrote, without its name and that of the book."""
    if code < 0:
        return "to read it takes too long, or too much memory"
    lines = [line for line in written.splitlines() if line.strip() and not line.startswith("note: ")]
    last = lines[-1].strip() if lines else f"status {code}"
    if code == ExitCode.BUG:
        return f"e2a-produce failed: {last}"[:LONGEST_LINE]
    return last.removeprefix("e2a-produce: ").removeprefix(f"{name}: ")[:LONGEST_LINE]
