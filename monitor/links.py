"""Links to covers, audio and files: whoever was given one may fetch that, and nothing else.

They are signed with a key that only this process has, and that ends with it. A link is the same for an hour, so that a
page that is drawn again does not make players begin anew, and it is good for half a day: the longest book.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from functools import cache

from itsdangerous import Signer

HOUR = 3600
GOOD_FOR = 12
"""Hours for which a link is good, at the least; it is one more for the first that asks for it."""
ROOT = "/files"
_SEAL = re.compile(r"(\d{1,12})\.([\w-]{20,100})", re.ASCII)


class Links:
    """Makes links and knows them again. URLs begin with a slash and need no escaping in HTML. Thread-safe.

    Args:
        key: secret, of 32 bytes.
        clock: Unix time in seconds.
    """

    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        self._signer = Signer(key, salt="e2a.files", digest_method=hashlib.sha256)
        self._clock = clock

    def cover(self, book_id: str) -> str:
        """Return the URL of a book's cover."""
        return self._sealed(f"{book_id}/cover")

    def part(self, book_id: str, index: int) -> str:
        """Return the URL of a part's audio; `index` counts from 0."""
        return self._sealed(f"{book_id}/parts/{index}")

    def chapter(self, book_id: str, number: int) -> str:
        """Return the URL of the audio of a chapter all of whose parts are done; `number` counts from 1."""
        return self._sealed(f"{book_id}/chapters/{number}")

    def file(self, book_id: str, index: int, *, download: bool = False) -> str:
        """Return the URL of a file of a finished book.

        Args:
            book_id: of the book.
            index: of the file in its report, from 0.
            download: whether browsers keep it as a file of the book's title, or show it.
        """
        return self._sealed(f"{book_id}/{'downloads' if download else 'outputs'}/{index}")

    def admits(self, seal: str, path: str) -> bool:
        """Say whether `seal` was made for `path`, and is still good."""
        match = _SEAL.fullmatch(seal)
        if match is None or int(match[1]) <= self._clock():
            return False
        return self._signer.verify_signature(f"{match[1]} {path}", match[2])

    def _sealed(self, path: str) -> str:
        until = (int(self._clock() // HOUR) + GOOD_FOR + 1) * HOUR
        signature = self._signer.get_signature(f"{until} {path}").decode()
        return f"{ROOT}/{until}.{signature}/{path}"


@cache
def shared() -> Links:
    """Return the links of this process: those that the page shows, and that its server knows."""
    return Links(secrets.token_bytes(32), time.time)
