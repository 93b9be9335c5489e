"""Life and death of a process: signals, and exceptions that become exit codes."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType

from e2a.errors import ExitCode, Refused, Retryable, UserError


def stop_on_signals() -> threading.Event:
    """Return an event that the first SIGTERM or SIGINT sets; the second ends the process at once."""
    stop = threading.Event()
    signalled = False  # a second signal may arrive inside Event.set, which must not be entered again

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal signalled
        if signalled:
            os._exit(ExitCode.INTERRUPTED)
        signalled = True
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop


def end_on_bugs_in_threads() -> None:
    """Let an exception in any thread end the process: without its leases, say, a worker would do harm."""

    def end(failure: threading.ExceptHookArgs) -> None:
        threading.__excepthook__(failure)
        sys.stderr.flush()
        os._exit(ExitCode.BUG)

    threading.excepthook = end


def run(name: str, main: Callable[[], int]) -> int:
    """Run a command and return its exit code; an expected failure becomes one line on standard error."""
    try:
        return main()
    except UserError as error:
        _say(name, error)
        return error.code
    except Retryable as error:
        _say(name, error)
        return ExitCode.CONFIG if isinstance(error, Refused) else ExitCode.UNAVAILABLE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception:  # noqa: BLE001 - a bug has an exit code too, and threads that still work cannot delay it
        traceback.print_exc()
        return ExitCode.BUG


def _say(name: str, error: Exception) -> None:
    sys.stderr.write(f"{name}: {' '.join(str(error).split())}\n")
