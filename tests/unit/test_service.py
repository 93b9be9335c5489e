"""Exit codes of expected failures, and what signals do."""

import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest

from e2a import service
from e2a.errors import ExitCode, Poison, Refused, Retryable, UserError

SELF_SIGNALLED = """
import os, signal
from e2a.service import stop_on_signals

stop = stop_on_signals()
assert not stop.is_set()
signal.raise_signal(signal.{first})
print("stopping" if stop.is_set() else "deaf", flush=True)
signal.raise_signal(signal.{second})
print("still here", flush=True)
"""


def raising(error: BaseException) -> Callable[[], NoReturn]:
    """Return a command that ends with an exception."""

    def main() -> NoReturn:
        raise error

    return main


def test_exit_codes_never_change() -> None:
    """Scripts and supervisors know these numbers."""
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "BUG": 1,
        "BOOK_FAILED": 2,
        "USAGE": 64,
        "BAD_INPUT": 65,
        "NO_INPUT": 66,
        "UNAVAILABLE": 69,
        "STUCK": 70,
        "CANNOT_WRITE": 73,
        "FAILING": 75,
        "CONFIG": 78,
        "INTERRUPTED": 130,
    }


def test_a_bug_in_a_thread_ends_the_process() -> None:
    """A service does not go on without one of its threads; the traceback is written."""
    program = (
        "import threading\n"
        "from e2a import service\n"
        "service.end_on_bugs_in_threads()\n"
        "threading.Thread(target=lambda: 1 / 0).start()\n"
        "threading.Event().wait(30)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == ExitCode.BUG
    assert "ZeroDivisionError" in ended.stderr


@pytest.mark.parametrize("code", [ExitCode.OK, ExitCode.BOOK_FAILED])
def test_the_command_chooses(code: ExitCode, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that returns sets its own exit code, and nothing is written."""
    assert service.run("e2a-x", lambda: code) == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("no such file", ExitCode.NO_INPUT), ExitCode.NO_INPUT),
        (UserError("no such setting", ExitCode.CONFIG), ExitCode.CONFIG),
        (Retryable("Kafka 127.0.0.1:9092: away"), ExitCode.UNAVAILABLE),
        (Refused("Kafka 127.0.0.1:9092: wrong password"), ExitCode.CONFIG),
    ],
)
def test_expected_failure(error: Exception, code: ExitCode, capsys: pytest.CaptureFixture[str]) -> None:
    """An expected failure becomes its exit code and exactly one line on standard error."""
    assert service.run("e2a-x", raising(error)) == code
    assert capsys.readouterr() == ("", f"e2a-x: {error}\n")


def test_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C has its exit code and needs no explanation."""
    assert service.run("e2a-x", raising(KeyboardInterrupt())) == ExitCode.INTERRUPTED
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("bug", [ZeroDivisionError, Poison])
def test_a_bug_is_told(bug: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    """Any other exception has an exit code of its own, and its traceback on standard error."""
    assert service.run("e2a-x", raising(bug("why"))) == ExitCode.BUG
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.rstrip().endswith("why")


@pytest.mark.parametrize(("first", "second"), [("SIGTERM", "SIGTERM"), ("SIGINT", "SIGTERM"), ("SIGTERM", "SIGINT")])
def test_signals(first: str, second: str) -> None:
    """The first signal sets the flag and the process goes on; the second ends it at once, by name."""
    program = SELF_SIGNALLED.format(first=first, second=second)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("stopping\n", "")
    assert result.returncode == ExitCode.INTERRUPTED
