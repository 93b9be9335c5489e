"""Every object key in one place."""

PLAN = "plan.json"
SOURCE = "source.epub"


def book(book_id: str, name: str) -> str:
    """Return the key of a file that belongs to one book."""
    return f"books/{book_id}/{name}"


def output(book_id: str, extension: str) -> str:
    """Return the key of a finished book."""
    return f"books/{book_id}/output/book.{extension}"


def report(book_id: str) -> str:
    """Return the key of a finished book's `BookDone`. It is put after the book: a book is done when it exists."""
    return f"books/{book_id}/output/book.json"


def part_audio(digest: str) -> str:
    """Return the key of a part's strict ADTS AAC."""
    return f"parts/{digest[:2]}/{digest}.aac"


def part_sidecar(digest: str) -> str:
    """Return the key of a part's sidecar. It is put after the audio: a part is done when its sidecar exists."""
    return f"parts/{digest[:2]}/{digest}.json"
