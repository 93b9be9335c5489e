"""Who may speak at the same time: as many as there is room for, or one alone."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turn:
    """Leave to speak. It may end before what it was taken for does, so that the next can speak meanwhile."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._ended = False

    def end(self) -> None:
        """Let the next speak; nothing happens the second time."""
        if not self._ended:
            self._ended = True
            self._end()


class Gate:
    """A lock that lets some threads in together, or one alone. Whoever wants to be alone goes before newcomers.

    Who has ended its turn takes no room any more, but is still company for one who wants to be alone.

    Args:
        room: how many have a turn at the same time.
        poll: seconds between looks, while waiting, whether the wish is still there.
    """

    def __init__(self, room: int, poll: float) -> None:
        self._room = room
        self._poll = poll
        self._changed = threading.Condition()
        self._turns = 0
        self._inside = 0
        self._closed = False

    @contextmanager
    def turn(self, *, alone: bool, abandoned: threading.Event) -> Iterator[Turn | None]:
        """Go in and, at the end of the block, out; yields None, not inside, when abandoned while waiting.

        Who is alone stays so to the end of the block, also when its turn has ended.
        """
        if not (self._enter_alone(abandoned) if alone else self._enter(abandoned)):
            yield None
            return
        turn = Turn(self._end_turn)
        try:
            yield turn
        finally:
            turn.end()
            self._leave(alone)

    def _enter(self, abandoned: threading.Event) -> bool:
        with self._changed:
            if not self._waited(lambda: not self._closed and self._turns < self._room, abandoned):
                return False
            self._go_in()
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
            self._go_in()
            return True

    def _waited(self, until: Callable[[], bool], abandoned: threading.Event) -> bool:
        """Wait, while the wish is there, and say whether it has come true."""
        while not until():
            if abandoned.is_set():
                return False
            self._changed.wait(self._poll)
        return True

    def _go_in(self) -> None:
        self._inside += 1
        self._turns += 1

    def _end_turn(self) -> None:
        with self._changed:
            self._turns -= 1
            self._changed.notify_all()

    def _leave(self, alone: bool) -> None:
        with self._changed:
            self._inside -= 1
            if alone:
                self._open()
            self._changed.notify_all()

    def _open(self) -> None:
        self._closed = False
        self._changed.notify_all()
