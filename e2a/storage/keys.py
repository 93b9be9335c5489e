"""Every object key in one place."""

from e2a.plan import CLIP

PLAN = "plan.json"
SOURCE = "source.epub"


def book(book_id: str, name: str) -> str:
    """Return the key of a file that belongs to one book."""
    return f"books/{book_id}/{name}"


def output(book_id: str, extension: str) -> str:
    """Return the key of a finished book."""
    return f"books/{book_id}/output/book.{extension}"


def report(book_id: str) -> str:
    """Return the key of a finished book's `Report`. It is put after the book: a book is done when it exists."""
    return f"books/{book_id}/output/book.json"


def part_audio(digest: str) -> str:
    """Return the key of a part's strict ADTS AAC."""
    return f"parts/{digest[:2]}/{digest}.aac"


def part_sidecar(digest: str) -> str:
    """Return the key of a part's sidecar. It is put after the audio: a part is done when its sidecar exists."""
    return f"parts/{digest[:2]}/{digest}.json"


def clip(voice: str) -> str:
    """Return the key of the reference recording that a voice `clip:...` names."""
    return f"voices/{voice.removeprefix(CLIP)}.clip"


def pace(speech_digest: str) -> str:
    """Return the key of how fast a way of speaking is."""
    return f"voices/{speech_digest}.json"
