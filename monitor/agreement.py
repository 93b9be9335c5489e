"""Whether checkpoint, events and storage say the same of a book."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from e2a.checkpoint import PartRecord
from e2a.storage import ObjectStore, keys
from monitor.archive import Script
from monitor.records import Agreement, BookRow


def agreement(
    book: BookRow, script: Script, parts: Mapping[int, PartRecord], *, told: int, store: ObjectStore
) -> Agreement:
    """Compare what is said of the parts of a book. Raises `Unavailable`.

    Args:
        book: which.
        script: its plan.
        parts: its records; empty when there are none.
        told: parts of which an event says that they are done.
        store: where the audio of its parts is.
    """
    recorded = {index for index, part in parts.items() if part.state == "done"}
    stored = _stored(script, store)
    return Agreement(
        book_id=book.book_id,
        title=book.title,
        parts=len(script.digests),
        recorded=len(recorded),
        told=told,
        stored=len(stored),
        missing=tuple(sorted(recorded - stored)),
        unrecorded=tuple(sorted(stored - recorded)),
    )


def _stored(script: Script, store: ObjectStore) -> set[int]:
    """Return the parts whose audio and sidecar are there: a look at a folder is a look at all that are in it."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for digest in script.digests:
        for key in _objects(digest, script.bitrate):
            wanted[key.rpartition("/")[0] + "/"].add(key)
    found = {key for folder, names in wanted.items() for key in _there(store, folder, names)}
    return {index for index, digest in enumerate(script.digests) if found.issuperset(_objects(digest, script.bitrate))}


def _there(store: ObjectStore, folder: str, names: Collection[str]) -> set[str]:
    return {key for key in store.list(folder) if key in names}


def _objects(digest: str, bitrate: int) -> tuple[str, str]:
    return keys.part_sidecar(digest), keys.part_audio(digest, bitrate)
