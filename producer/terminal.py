"""What the command lines write: lines, notes, complaints and tables."""

import io
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from typer import Typer
from typer.exceptions import TyperException

from e2a import service
from e2a.errors import ExitCode, Retryable, UserError

WIDE = 10_000
"""Columns of a table that is not for a terminal: nothing in it is folded."""

TITLE_WIDTH = 60
"""Most characters of a title in a table."""

console = Console()
complaints = Console(stderr=True)


def say(line: str, of: str = "") -> None:
    """Write a line, headed by the book that it is said of where there are several."""
    console.print(_headed(line, of), highlight=False, soft_wrap=True, markup=False)


def note(problems: Iterable[str], of: str = "") -> None:
    """Write what went wrong without harm, to standard error."""
    for problem in problems:
        complaints.print(f"note: {_headed(problem, of)}", highlight=False, soft_wrap=True, markup=False)


def complain(program: str, problem: object, of: str = "", names: Iterable[str] = ()) -> None:
    """Write what went wrong, to standard error and in one line, as a command does that ends with it.

    Args:
        program: its name.
        problem: what went wrong.
        of: the book, which heads the line unless that names it.
        names: how it may be named there, beside in quotes.
    """
    line = _flat(str(problem))
    named = any(_flat(name) in line for name in (repr(of), *names))
    complaints.print(
        f"{program}: {_headed(line, '' if named else _flat(of))}", highlight=False, soft_wrap=True, markup=False
    )


def title_column(header: str) -> Column:
    """Return a column for titles: on a terminal long ones are folded, elsewhere cut."""
    return Column(header, overflow="fold", max_width=TITLE_WIDTH)


def show_table(columns: Iterable[Column], rows: Iterable[Sequence[str]]) -> None:
    """Write a table; what is in it is shown as it is."""
    cut: dict[str, Any] = {} if console.is_terminal else {"no_wrap": True, "overflow": "ellipsis"}
    table = Table(*(replace(column.copy(), **cut) for column in columns), box=box.SIMPLE)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    (console if console.is_terminal else Console(file=console.file, width=WIDE)).print(table)


def printable(text: str) -> str:
    """Return a text that does nothing to a terminal: no control characters, nor any that turn the direction."""
    kinds = ((character, unicodedata.category(character)) for character in text)
    return "".join(" " if kind == "Cc" else character for character, kind in kinds if kind != "Cf")


def code_of(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of a command that was to do several things, from what each of them came to."""
    failures = set(codes) - {ExitCode.OK}
    if not failures:
        return ExitCode.OK
    return failures.pop() if len(failures) == 1 else ExitCode.BOOK_FAILED


def code_for(error: UserError | Retryable) -> ExitCode:
    """Return the exit code of an expected failure."""
    return error.code if isinstance(error, UserError) else ExitCode.UNAVAILABLE


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
            complain(program, error.format_message())
            return ExitCode.USAGE
        except (UserError, Retryable) as error:
            complain(program, error)
            return code_for(error)
        if code == ExitCode.INTERRUPTED:
            complain(program, interrupted)
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
    return printable(f"{of}: {line}" if of else line)


def _flat(text: str) -> str:
    return " ".join(printable(text).split())
