"""`make up`, `make status`, `make logs` and `make down`: the pipeline on this machine, for long use."""

import os
import shlex
import sys
import time
from collections.abc import Callable

from deploy.local import health, options
from deploy.local.health import Health
from deploy.local.kept import FILE
from deploy.local.stack import Stack, begin
from e2a.errors import ExitCode, Unavailable, UserError

START_PATIENCE = 600.0
"""Seconds until all are healthy; a neural engine may load its model for minutes."""
FORM = "{:<9} {:<9} {:>8} {:>9} {:>11} {:>9}  {}"


def main(command: str) -> int:
    return COMMANDS[command](command)


def up(command: str) -> int:
    """Start it, and return when all of it is healthy."""
    parser = options.parser(
        command, "Start the pipeline in the background. What is not given is as it was the last time."
    )
    options.add_wish(parser)
    known = parser.parse_args()
    wish, stack = options.wish(parser, known), Stack(known.data.expanduser().resolve())
    with stack.locked():
        if stack.state() == "up":
            stack.require(wish.settings(stack.data))
            print(f"it runs already, at {_page(stack)}; `make status` says how it is")
            return ExitCode.OK
        _env, supervisor = begin(stack, wish, "up")
        try:
            _await_health(stack, lambda: supervisor.poll() is None)
        except (UserError, KeyboardInterrupt):
            stack.stop()
            raise
    _show(health.look(stack))
    print(f"page: {_page(stack)}", "add a book there, or: make audiobook BOOK=path/to/book.epub", sep="\n")
    print(f"in this shell: . {shlex.quote(str(stack.data / FILE))}; e2a-books list")
    return ExitCode.OK


def _await_health(stack: Stack, lives: Callable[[], bool]) -> None:
    """Return when all are healthy.

    Raises:
        UserError: one has ended at its start, or is not healthy after a long time (exit code UNAVAILABLE).
    """
    deadline = time.monotonic() + START_PATIENCE
    while True:
        if not lives():
            raise UserError(" ".join(stack.complaints()), ExitCode.UNAVAILABLE)
        if lines := stack.obituary():
            print(*lines, sep="\n", file=sys.stderr)
            raise UserError("all are stopped again", ExitCode.UNAVAILABLE)
        found = health.look(stack)
        sick = [f"{each.name} {each.trouble}" for each in found if each.trouble]
        if found and not sick:
            return
        if time.monotonic() > deadline:
            raise UserError(
                f"after {START_PATIENCE:.0f} s {'; '.join(sick)}; all are stopped again", ExitCode.UNAVAILABLE
            )
        time.sleep(0.2)


def status(command: str) -> int:
    """Say how it is; OK when all of it is healthy, UNAVAILABLE otherwise."""
    stack = _stack(command, "Say what runs, how it is, and what it works on.")
    found = health.look(stack)
    if not found:
        print("nothing runs; `make up` starts it")
        return ExitCode.UNAVAILABLE
    _show(found)
    print(f"page: {_page(stack)}")
    try:
        books = health.books(stack.environment())
    except Unavailable as error:
        print(f"books: {error}")
        return ExitCode.UNAVAILABLE
    others = [book for book in books if book["stage"] != "done"]
    print(f"books: {len(books) - len(others)} done, {len(others)} others")
    for book in others:
        done = "" if book["percent"] is None else f", {book['percent']} % done"
        print(f"  {book['title'] or book['book_id']}: {book['stage']}{done}")
    return ExitCode.UNAVAILABLE if any(each.trouble for each in found) else ExitCode.OK


def _show(found: list[Health]) -> None:
    print(FORM.format("service", "state", "process", "memory", "runs for", "restarts", "").rstrip())
    for each in found:
        state = "not well" if each.trouble else "healthy"
        memory = f"{each.memory / 1e6:.0f} MB"
        line = FORM.format(each.name, state, each.pid, memory, _time(each.seconds), each.restarts, each.trouble)
        print(line.rstrip())


def _time(seconds: float) -> str:
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    if hours:
        return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds) % 60} s" if minutes else f"{int(seconds)} s"


def _page(stack: Stack) -> str:
    return f"http://127.0.0.1:{stack.environment()['E2A_MONITOR_PORT']}"


def logs(command: str) -> int:
    """Follow all logs, also when they are rotated."""
    stack = _stack(command, "Follow the logs of all services.")
    found = sorted(stack.logs.glob("*.log"))
    if not found:
        raise UserError(f"{stack.logs}: no logs yet", ExitCode.NO_INPUT)
    os.execvp("tail", ["tail", "-n", "20", "-F", *map(str, found)])


def down(command: str) -> int:
    """Stop all of it; data are kept."""
    stack = _stack(command, "Stop the pipeline. Data are kept.")
    if not stack.data.is_dir():
        print("nothing runs")
        return ExitCode.OK
    with stack.locked():
        ran = bool(stack.state())
        stack.stop()
    print(f"all are stopped; data are kept in {stack.data}" if ran else "nothing runs")
    return ExitCode.OK


def _stack(command: str, description: str) -> Stack:
    return Stack(options.parser(command, description).parse_args().data.expanduser().resolve())


COMMANDS = {"up": up, "status": status, "logs": logs, "down": down}

if __name__ == "__main__":
    name = sys.argv.pop(1)
    sys.exit(options.run(name, lambda: main(name)))
