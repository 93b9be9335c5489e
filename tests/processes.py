"""Processes of this machine, as tests find them."""

from contextlib import suppress
from pathlib import Path


def running_in(data: Path) -> list[str]:
    """Return the command lines of the processes that were started for a data directory."""
    mark = f"E2A_DATA={data}\0".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


def commanded(program: str, *words: str) -> list[int]:
    """Return the processes of a program that were started with these words."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command, *given = (process / "cmdline").read_text().split("\0")
            if Path(command).name == program and set(words) <= set(given):
                found.append(int(process.name))
    return found
