"""Options of `make audiobook`, `make up`, `make status` and `make down`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from deploy.local.kept import Wish
from deploy.local.stack import ROOT
from e2a import service
from e2a.errors import ExitCode, UserError

SPEECH = {"engine": "speech engine", "model": "model of the engine", "device": "device, cuda or cpu,"}


class Parser(argparse.ArgumentParser):
    """Ends with one line and USAGE when an option is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}\n")


def parser(command: str, description: str) -> Parser:
    """Return a parser that knows where the data are."""
    made = Parser(prog=f"make {command}", description=description)
    made.add_argument("--data", type=Path, default=ROOT / ".e2a", help="where servers and storage keep their data")
    return made


def add_wish(made: Parser) -> None:
    """Add how the stack is to be started."""
    made.add_argument("--workers", type=int)
    made.add_argument("--storage", choices=["directory", "minio"])
    for option, what in SPEECH.items():
        made.add_argument(f"--{option}", help=f"{what} of the workers")
    made.add_argument("--accept-cpml", action="store_const", const="1", help="accept the licence of XTTSv2's weights")


def wish(made: Parser, known: argparse.Namespace) -> Wish:
    """Return how the stack is to be started."""
    if known.workers is not None and known.workers < 1:
        made.error(f"WORKERS={known.workers}: at least one is needed")
    return Wish(known.workers, known.storage, {name: getattr(known, name) for name in (*SPEECH, "accept_cpml")})


def run(command: str, main: Callable[[], int]) -> int:
    """Run a command and return its exit code; a file that cannot be written is told in one line too."""

    def guarded() -> int:
        try:
            return main()
        except OSError as error:
            if error.filename is None:
                raise
            raise UserError(f"{error.filename}: {error.strerror}", ExitCode.CANNOT_WRITE) from error

    return service.run(f"make {command}", guarded)
