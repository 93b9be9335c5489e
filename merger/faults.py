"""What can go wrong with a book on its way out of storage."""

from collections.abc import Sequence

from e2a.errors import Retryable
from e2a.plan import Part


class AssemblyFailed(Retryable):
    """No whole book was made: the scratch disk is full or missing, or ffmpeg cannot read what it is given."""


class Cancelled(Retryable):
    """The merger is ending; another one, or this one when it is started again, assembles the book."""


class Superseded(Retryable):
    """Another merger has taken the book over, while this one was stopped or cut off; its work is left to the other."""


class CorruptParts(Exception):
    """Objects of parts are missing or damaged: the parts have to be made again.

    Args:
        parts: which of the book, in reading order; at least one.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        first, *others = parts
        more = f" (and {len(others)} others)" if others else ""
        super().__init__(f"part {first.index} of chapter {first.chapter + 1}{more} is missing or damaged in storage")
        self.parts = tuple(parts)


class TextLost(Exception):
    """The plan speaks other text than its accounting of the book says; no part can mend it."""
