"""Folders to work in: removed afterwards, and at the next start of their service when it was killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2a import log

logger = log.get(__name__)


@contextmanager
def scratch(work: str) -> Iterator[Path]:
    """Yield an empty folder, and remove it with all that is in it afterwards. It is locked for as long as we live.

    Args:
        work: what is done in it, in a word.

    Raises:
        OSError: it cannot be made.
    """
    with tempfile.TemporaryDirectory(prefix=f"e2a-{work}-{os.getpid()}-") as name:
        lock = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(lock)


def remove_abandoned(work: str) -> None:
    """Remove the folders of some work whose process was killed: nobody holds their lock any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"e2a-{work}-*"):
        if folder.is_dir() and _is_abandoned(folder):
            logger.info("scratch.removed", folder=str(folder))
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:  # another user's, or gone in the meantime
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(lock)
