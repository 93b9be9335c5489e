"""Books that viewers send, and what became of them: read and submitted by `e2a-produce`, a few at a time."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Literal

from e2a import log, metrics
from e2a.errors import ExitCode, UserError
from e2a.plan import Frozen
from e2a.scratch import scratch
from e2a.settings import MonitorSettings, environment_for
from monitor.producing import Producer, UploadOptions, arguments, safe_name

__all__ = ["Upload", "UploadOptions", "Uploads", "shared"]

logger = log.get(__name__)

WORK = "upload"
"""What is done in the folders of books that are read."""
AT_ONCE = 2
"""Books that are read at the same time; the others wait."""
MOST_WAITING = 10
KEPT = 50
"""Uploads that are listed, the last ones."""
PATIENCE = 30
"""Seconds that a producer waits for a server."""
State = Literal["waiting", "running", "submitted", "refused"]


class Upload(Frozen):
    """A book that was sent."""

    name: str
    """Of its file."""
    state: State
    """A book that was submitted is on the shelf."""
    message: str = ""
    """Why it was refused, in one line."""
    time: float
    """Unix time at which it came into this state."""


class Uploads:
    """Takes books, and remembers what became of the last ones. Thread-safe; lives in this process only.

    Args:
        producer: reads and submits them.
        clock: Unix time in seconds.
    """

    def __init__(self, producer: Producer, clock: Callable[[], float]) -> None:
        self._producer = producer
        self._clock = clock
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="uploads")
        self._lock = threading.Lock()
        self._uploads: dict[int, Upload] = {}
        self._count = 0

    def begin(self, name: str, data: bytes, options: UploadOptions) -> None:
        """Have a book submitted; what becomes of it is listed, also when it is refused at once."""
        name = safe_name(name)
        waiting = sum(each.state == "waiting" for each in self.listed())
        number = self._enter(name)
        try:
            asked = arguments(options)
            if waiting >= MOST_WAITING:
                raise UserError(f"{waiting} books wait already; send it again later", ExitCode.UNAVAILABLE)
            with ExitStack() as stack:
                folder = stack.enter_context(scratch(WORK))
                (folder / name).write_bytes(data)
                task = self._threads.submit(self._submit, number, folder, name, ["--detach", *asked])
                kept = stack.pop_all()
                task.add_done_callback(lambda _: kept.close())  # also when it is cancelled
        except (UserError, OSError, RuntimeError) as error:  # the last when the page is being closed
            self._become(number, "refused", str(error))

    def listed(self) -> tuple[Upload, ...]:
        """Return the last uploads, the newest first."""
        with self._lock:
            return tuple(reversed(self._uploads.values()))

    def chapters(self, name: str, data: bytes, options: UploadOptions) -> str:
        """Return a table of what would be read of a book and why, as text; books that are being read go first.

        Raises:
            UserError: an option is wrong (exit code USAGE), the book cannot be read (that of `e2a-produce`), or there
                is no room for it (CANNOT_WRITE).
        """
        name, asked = safe_name(name), arguments(options.model_copy(update={"urgent": False}))
        try:
            with scratch(WORK) as folder:
                (folder / name).write_bytes(data)
                ended = self._threads.submit(self._producer.run, folder, name, ["--list-chapters", *asked]).result()
        except OSError as error:
            raise UserError(f"{name}: {error.strerror}", ExitCode.CANNOT_WRITE) from error
        if ended.complaint:
            raise UserError(ended.complaint, ExitCode(ended.code) if ended.code in set(ExitCode) else ExitCode.BUG)
        return ended.output

    def close(self) -> None:
        """Kill what runs, forget what waits, and return when nothing of them is left."""
        self._producer.close()
        self._threads.shutdown(cancel_futures=True)

    def _enter(self, name: str) -> int:
        with self._lock:
            self._count += 1
            self._uploads[self._count] = Upload(name=name, state="waiting", time=self._clock())
            ended = [number for number, each in self._uploads.items() if each.state in {"submitted", "refused"}]
            for number in ended[: max(0, len(self._uploads) - KEPT)]:
                del self._uploads[number]
            return self._count

    def _become(self, number: int, state: State, message: str = "") -> None:
        with self._lock:
            if number in self._uploads:
                change = {"state": state, "message": message, "time": self._clock()}
                self._uploads[number] = self._uploads[number].model_copy(update=change)
        if state in {"submitted", "refused"}:
            metrics.UPLOADS.labels(state).inc()
        logger.info("monitor.upload", number=number, state=state, reason=message)

    def _submit(self, number: int, folder: Path, name: str, options: list[str]) -> None:
        self._become(number, "running")
        try:
            ended = self._producer.run(folder, name, options)
        except OSError as error:
            self._become(number, "refused", str(error))
        else:
            self._become(number, "refused" if ended.code else "submitted", ended.complaint)


@cache
def shared(settings: MonitorSettings) -> Uploads:
    """Return the uploads of this process: those that the page's script begins, and that its server closes."""
    return Uploads(Producer(environment_for(settings, patience=PATIENCE)), time.time)
