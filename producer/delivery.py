"""A finished book out of storage: every file of it, whole, into the folder where the user wants it."""

import os
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from rich.filesize import decimal

from e2a.errors import ExitCode, Retryable, UserError
from e2a.plan import Output, first_chapters
from e2a.report import Report, ReportedFile
from e2a.storage import ObjectStore, keys

REPORT = ".report.json"
PARTIAL = ".partial.m4b"
_EDITION = ".read-along.epub"
_LENGTHLESS = frozenset(["vtt", "acx"])
"""Formats that are not as long as the book: captions, and what has room tone around every chapter."""


def expected(output: Output) -> list[str]:
    """Return names that files of a book will have, after the book's own name; in a folder, one such as theirs."""
    whole = () if output.split else output.recordings
    by_chapter = [each for each in output.formats if each == "acx" or (output.split and each in output.recordings)]
    folders = [f"{output.folder(each)}/01.{'mp3' if each == 'acx' else each}" for each in by_chapter]
    return [REPORT, ".vtt", _EDITION, *(f".{each}" for each in whole), *folders]


def check(base: Path, names: Iterable[str]) -> None:
    """Make the folder that a book goes to, and see that it can.

    Args:
        base: the folder and the book's own name, without a suffix.
        names: what comes after it in the names of the files.

    Raises:
        UserError: the folder cannot be made or written, a name leads out of it, or a folder is where a file should be,
            or the other way round (exit code CANNOT_WRITE).
    """
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{base.parent}: cannot be a folder: {error.strerror}", ExitCode.CANNOT_WRITE) from error
    for target in (place(base, name) for name in names):
        try:
            if target.is_dir():
                raise UserError(f"{target}: is a folder", ExitCode.CANNOT_WRITE)
            if target.parent.exists() and not target.parent.is_dir():
                raise UserError(f"{target.parent}: a file is where a folder should be", ExitCode.CANNOT_WRITE)
        except OSError as error:
            raise UserError(f"{target}: {error.strerror}", ExitCode.CANNOT_WRITE) from error
        folder = target.parent if target.parent.exists() else base.parent
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f"{folder}: not writable", ExitCode.CANNOT_WRITE)


def place(base: Path, name: str) -> Path:
    """Return where a file goes.

    Raises:
        UserError: that is not in the folder of the book (exit code CANNOT_WRITE).
    """
    target = Path(f"{base}{name}")
    if Path(os.path.abspath(base.parent)) not in Path(os.path.abspath(target)).parents:
        raise UserError(f"{target}: not in the folder {base.parent}, so it is not written", ExitCode.CANNOT_WRITE)
    return target


def deliver(report: Report, store: ObjectStore, base: Path) -> Iterator[str]:
    """Fetch all files of a book and its report; yield a line for each file, or folder of files, that is there.

    Raises what `check` and `fetch` do.
    """
    check(base, [REPORT, *(file.name for file in report.files)])
    for file in report.files:
        fetch(store, file.key, place(base, file.name))
    fetch(store, keys.report(report.book_id), place(base, REPORT))
    folders: dict[Path, list[ReportedFile]] = {}
    for file in report.files:
        target = place(base, file.name)
        alone = target.parent == base.parent
        folders.setdefault(target if alone else target.parent, []).append(file)
    for path, files in folders.items():
        count = "1 file" if len(files) == 1 else f"{len(files)} files"
        name = f"{path}" if path == place(base, files[0].name) else f"{path}{os.sep}  {count}"
        length = "" if files[0].format in _LENGTHLESS else f"  {duration(report.audio_seconds)}"
        yield f"{name}{length}  {decimal(sum(file.size for file in files))}"


def main_file(report: Report, base: Path) -> Path:
    """Return the first file of a book, or the folder that it is in with others; `base` is what `deliver` takes."""
    target = place(base, report.files[0].name)
    return target if target.parent == base.parent else target.parent


def deliver_partial(report: Report, store: ObjectStore, base: Path, chapters: int) -> str:
    """Fetch what is finished of a book of so many chapters; return a line that says what it is.

    Raises what `check` and `fetch` do.
    """
    check(base, [PARTIAL])
    target = place(base, PARTIAL)
    fetch(store, report.output, target)
    return f"{target}  {first_chapters(len(report.chapters))} of {chapters}, {duration(report.audio_seconds)}"


def fetch(store: ObjectStore, key: str, target: Path) -> None:
    """Download a file; it appears under its name only when it is whole.

    Raises:
        UserError: the target cannot be written (exit code CANNOT_WRITE).
        Retryable: storage cannot be reached, or the file is no longer there.
    """
    try:
        store.get_file(key, target)
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}", ExitCode.CANNOT_WRITE) from error
    except KeyError as error:
        raise Retryable(f"{key} has left storage; run the same command again") from error


def duration(seconds: float) -> str:
    """Return seconds as `1:02:03`."""
    return str(timedelta(seconds=round(seconds)))
