"""`make audiobook`: start the whole pipeline on this machine, make a book or a folder of them, stop everything again.

A pipeline that `make up` has started is used as it is, and keeps running. e2a-produce runs in front, on the terminal.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from deploy.local import options
from deploy.local.kept import BIN, Wish
from deploy.local.options import Parser
from deploy.local.stack import ENDS_WITH_US, Stack, begin, wait_for_end
from e2a.errors import ExitCode

DESCRIPTION = (
    "Start the pipeline on this machine, make a book, stop it again; or use the one that `make up` has started."
)
LASTING = {"--detach", "--status"}
"""Options of e2a-produce for a pipeline that keeps running."""


def arguments() -> tuple[Parser, argparse.Namespace, list[str]]:
    """Return what was asked for, and what is e2a-produce's."""
    parser = options.parser("audiobook", DESCRIPTION)
    parser.add_argument("book", type=Path, help="an EPUB, or a folder of them")
    options.add_wish(parser)
    parser.add_argument("--output-dir", type=Path, default=Path("audiobooks"))
    known, more = parser.parse_known_args()
    if not known.book.exists():
        parser.exit(ExitCode.NO_INPUT, f"{known.book}: no such file\n")
    if known.book.is_dir() and not any(each.suffix.lower() == ".epub" for each in known.book.iterdir()):
        parser.exit(ExitCode.NO_INPUT, f"{known.book}: no EPUB is in this folder\n")
    return parser, known, [str(known.book), "--output-dir", str(known.output_dir.expanduser()), *more]


def produce(env: Mapping[str, str], given: list[str], trouble: Callable[[], list[str]]) -> int:
    """Run e2a-produce until it ends, or until there is trouble, which is told."""
    producer = subprocess.Popen([*ENDS_WITH_US, BIN / "e2a-produce", *given], env=env)
    try:
        while producer.poll() is None:
            if lines := trouble():
                wait_for_end(producer)
                print(*lines, "The same command again goes on.", sep="\n", file=sys.stderr)
                return ExitCode.UNAVAILABLE
            time.sleep(0.2)
        return producer.returncode
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired):
            producer.wait(3)  # Ctrl-C has reached it too: it tidies the terminal up
        raise
    finally:
        wait_for_end(producer)


def use(stack: Stack, wish: Wish, given: list[str]) -> int:
    """Make a book with the pipeline that runs.

    Raises:
        UserError: another one is asked for (exit code USAGE).
    """
    stack.require(wish.settings(stack.data))
    return produce(
        stack.environment(),
        given,
        lambda: [] if stack.state() else ["the pipeline has ended; `make up` starts it again"],
    )


def start_and_stop(stack: Stack, wish: Wish, given: list[str]) -> int:
    """Start the pipeline, make a book, and stop it."""
    with stack.locked():
        env, supervisor = begin(stack, wish, "run")
        try:
            print(f"monitor: http://127.0.0.1:{env['E2A_MONITOR_PORT']}   logs: {stack.logs}/*.log", flush=True)

            def trouble() -> list[str]:
                return stack.obituary() if supervisor.poll() is None else stack.complaints()

            return produce(env, given, trouble)
        finally:
            stack.stop()


def main() -> int:
    parser, known, given = arguments()
    wish = options.wish(parser, known)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(128 + signal.SIGTERM))
    stack = Stack(known.data.expanduser().resolve())
    if stack.state() == "up":
        code = use(stack, wish, given)
    elif unfit := LASTING & set(given):
        parser.error(f"{', '.join(unfit)} needs a pipeline that keeps running: `make up` starts one")
    else:
        code = start_and_stop(stack, wish, given)
    if code == 0:
        print("Listen with any player that knows chapters: VLC, BookPlayer, Apple Books, Audiobookshelf.")
    return code


if __name__ == "__main__":
    sys.exit(options.run("audiobook", main))
