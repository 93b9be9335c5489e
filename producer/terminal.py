"""What the command lines write: lines, notes, complaints and tables."""

import io
import signal
import sys
from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from typer import Typer
from typer.exceptions import TyperException

from e2a import service
from e2a.errors import ExitCode, UserError

WIDE = 10_000
"""Columns of a table that is not for a terminal: nothing in it is folded."""

console = Console()
complaints = Console(stderr=True)


def say(line: str, of: str = "") -> None:
    """Write a line, headed by the book that it is said of where there are several."""
    console.print(_headed(line, of), highlight=False, soft_wrap=True, markup=False)


def note(problems: Iterable[str], of: str = "") -> None:
    """Write what went wrong without harm, to standard error."""
    for problem in problems:
        complaints.print(f"note: {_headed(problem, of)}", highlight=False, soft_wrap=True, markup=False)


def complain(program: str, problem: object, of: str = "") -> None:
    """Write what went wrong, to standard error and in one line, as a command does that ends with it."""
    line = " ".join(str(problem).split())
    head = "" if of in line else f"{of}: "
    complaints.print(f"{program}: {head}{line}", highlight=False, soft_wrap=True, markup=False)


def show_table(columns: Iterable[Column], rows: Iterable[Sequence[str]]) -> None:
    """Write a table; what is in it is shown as it is."""
    table = Table(*(column.copy() for column in columns), box=box.SIMPLE)
    for row in rows:
        table.add_row(*map(Text, row))
    (console if console.is_terminal else Console(file=console.file, width=WIDE)).print(table)


def code_of(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of a command that was to do several things, from what each of them came to."""
    failures = set(codes) - {ExitCode.OK}
    if not failures:
        return ExitCode.OK
    return failures.pop() if len(failures) == 1 else ExitCode.BOOK_FAILED


def run(program: str, app: Typer, interrupted: str) -> int:
    """Run a command line and return its exit code; an expected failure becomes one line on standard error.

    Args:
        program: its name.
        app: what it does.
        interrupted: what to say after Ctrl-C.
    """

    def called() -> int:
        try:
            code = int(app(standalone_mode=False) or ExitCode.OK)
        except TyperException as error:
            raise UserError(error.format_message(), ExitCode.USAGE) from error
        if code == ExitCode.INTERRUPTED:
            raise UserError(interrupted, ExitCode.INTERRUPTED)
        return code

    return service.run(program, called)


def main(command: Callable[[], int]) -> None:
    """Run a command as a process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # titles hold what many a terminal cannot show
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(command())


def _headed(line: str, of: str) -> str:
    return f"{of}: {line}" if of else line
