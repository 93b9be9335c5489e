"""Every object key in one place."""

from e2a.plan import CLIP

PLAN = "plan.json"
SOURCE = "source.epub"
ORDER = "order.json"
REMOVED = "removed.json"
"""The plan of a book that is being removed."""
BOOKS = "books/"
"""What the keys of all books begin with."""
EDITION = "edition.epub"
"""The book as EPUB 3, every sentence an element: what a read-along edition is made of."""


def book(book_id: str, name: str) -> str:
    """Return the key of a file that belongs to one book."""
    return f"{BOOKS}{book_id}/{name}"


def output(book_id: str, name: str) -> str:
    """Return the key of a file of a finished book, such as `book.m4b` or `mp3/001.mp3`."""
    return book(book_id, f"output/{name}")


def report(book_id: str) -> str:
    """Return the key of a finished book's `Report`. It is put after the book: a book is done when it exists."""
    return output(book_id, "book.json")


def partial_report(book_id: str) -> str:
    """Return the key of the `Report` of the chapters that were finished when somebody asked; put after their file."""
    return output(book_id, "partial.json")


def part_master(digest: str) -> str:
    """Return the key of a part's FLAC, of which all other audio is made."""
    return f"parts/{digest[:2]}/{digest}.flac"


def part_audio(digest: str, bitrate: int) -> str:
    """Return the key of a part's strict ADTS AAC of so many bits a second."""
    return f"parts/{digest[:2]}/{digest}.{bitrate // 1000}k.aac"


def part_sidecar(digest: str) -> str:
    """Return the key of a part's sidecar. It is put after the audio: a part is done when its sidecar exists."""
    return f"parts/{digest[:2]}/{digest}.json"


def clip(voice: str) -> str:
    """Return the key of the reference recording that a voice `clip:...` names."""
    return f"voices/{voice.removeprefix(CLIP)}.clip"


def pace(speech_digest: str) -> str:
    """Return the key of how fast a way of speaking is."""
    return f"voices/{speech_digest}.json"
