"""Whether a book is wanted: people pause, cancel and remove books while their parts wait in Kafka."""

from typing import Protocol

from e2a.checkpoint import STOPPED, PartRecord, Stage
from e2a.errors import Unavailable
from e2a.storage import ObjectStore, has_plan


class Stages(Protocol):
    """The part of a checkpoint that is needed here."""

    def stage(self, book_id: str) -> Stage | None: ...

    def part(self, book_id: str, index: int) -> PartRecord | None: ...


class Orders:
    """What is wanted of books. When nobody can be asked every book is wanted: work goes on. Thread-safe.

    Args:
        stages: the checkpoint.
        store: where plans live.
    """

    def __init__(self, stages: Stages, store: ObjectStore) -> None:
        self._stages = stages
        self._store = store

    def wants(self, book_id: str, part: int) -> bool:
        """Say whether a part of a book is to be made: not of a stopped or removed one, and not what was given up."""
        try:
            stage = self._stages.stage(book_id)
            record = self._stages.part(book_id, part)
        except Unavailable:
            return True
        if stage in STOPPED or (record is not None and record.state == "failed"):
            return False
        return stage is not None or self._has_plan(book_id)

    def is_stopped(self, book_id: str) -> bool:
        """Say whether a book is paused or cancelled; storage is not asked."""
        try:
            return self._stages.stage(book_id) in STOPPED
        except Unavailable:
            return False

    def is_removed(self, book_id: str) -> bool:
        """Say whether a book is gone: neither the checkpoint nor storage knows it."""
        try:
            return self._stages.stage(book_id) is None and not self._has_plan(book_id)
        except Unavailable:
            return False

    def _has_plan(self, book_id: str) -> bool:
        try:
            return has_plan(self._store, book_id)
        except Unavailable:
            return True
