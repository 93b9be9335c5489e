"""Who may work at the same time: many together, or one alone."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Gate:
    """A lock that lets many threads in together, or one alone. Whoever wants to be alone goes before newcomers.

    Args:
        poll: seconds between looks, while waiting, whether the wish is still there.
    """

    def __init__(self, poll: float) -> None:
        self._poll = poll
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def entered(self, *, alone: bool, abandoned: threading.Event) -> Iterator[bool]:
        """Go in and, at the end of the block, out; yields False, not inside, when abandoned while waiting."""
        entered = self._enter_alone(abandoned) if alone else self._enter(abandoned)
        try:
            yield entered
        finally:
            if entered:
                self._leave(alone)

    def _enter(self, abandoned: threading.Event) -> bool:
        with self._changed:
            if not self._waited(lambda: not self._closed, abandoned):
                return False
            self._inside += 1
            return True

    def _enter_alone(self, abandoned: threading.Event) -> bool:
        with self._changed:
            if not self._waited(lambda: not self._closed, abandoned):
                return False
            self._closed = True
            self._changed.notify_all()
            if not self._waited(lambda: not self._inside, abandoned):
                self._open()
                return False
            self._inside += 1
            return True

    def _waited(self, until: Callable[[], bool], abandoned: threading.Event) -> bool:
        """Wait, while the wish is there, and say whether it has come true."""
        while not until():
            if abandoned.is_set():
                return False
            self._changed.wait(self._poll)
        return True

    def _leave(self, alone: bool) -> None:
        with self._changed:
            self._inside -= 1
            if alone:
                self._open()
            self._changed.notify_all()

    def _open(self) -> None:
        self._closed = False
        self._changed.notify_all()
