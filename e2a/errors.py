"""The expected kinds of failure, and the exit codes that name them.

`Retryable` and `Poison` are the only exceptions that services handle; anything else is a bug and crashes the
process, whose supervisor starts it again. `UserError` ends a command line with one line of text.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every e2a command; numbers follow BSD sysexits where one fits."""

    OK = 0
    BUG = 1
    """Unexpected exception: a traceback was logged."""
    BOOK_FAILED = 2
    """The pipeline worked, but parts of a book could not be synthesised; or several things failed in different ways."""
    USAGE = 64
    BAD_INPUT = 65
    """The file is there but is not a readable EPUB, or holds no text."""
    NO_INPUT = 66
    UNAVAILABLE = 69
    """A server, program or engine that is needed cannot be reached; the message names it."""
    STUCK = 70
    """The engine did not finish a sentence for too long."""
    CANNOT_WRITE = 73
    FAILING = 75
    """Too many parts in a row failed on this worker: its engine or its machine is sick, or is not the one wanted."""
    CONFIG = 78
    """A setting has a wrong value; the message names it."""
    INTERRUPTED = 130


class Retryable(Exception):
    """It did not work now and may work later: a server is away, memory ran out."""


class Unavailable(Retryable):
    """A server cannot be reached, or refuses for now: whoever needs it waits and says so; nothing counts as failed."""


class Refused(Unavailable):
    """A server that is there does not let us in: a wrong password or certificate, or a right that is missing.

    What runs waits for it as for one that is away; what begins ends with exit code CONFIG.
    """


def may_pass(error: Exception) -> bool:
    """Say whether it helps to wait: a server is away, and has not refused us."""
    return isinstance(error, Unavailable) and not isinstance(error, Refused)


class Poison(Exception):
    """It will never work: a message that cannot be read, a text no engine can say."""


class UserError(Exception):
    """Ends a command with one line of text and a named exit code.

    Args:
        message: what was wrong, where, and what to do.
        code: exit status of the process.
    """

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code
