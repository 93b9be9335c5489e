"""Storage of tests."""

from pathlib import Path

from e2a.storage import DirectoryStore


def directory_store(root: Path, patience: float = 0.01) -> DirectoryStore:
    """Return storage in a directory, which is made when it is missing."""
    store = DirectoryStore(root, patience)
    store.check()
    return store
