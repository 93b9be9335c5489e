"""What links lead to: covers, audio and files of books, found by book and number in plan and report, never by a key."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from pydantic import ValidationError

from e2a.plan import Sidecar
from e2a.report import Report, ReportedFile
from e2a.storage import ObjectStore, has_audio, keys, read_plan

ADTS = "audio/aac"
_PATH = re.compile(r"([0-9a-f]{16})/(?:(cover)|(parts|chapters|outputs|downloads)/(0|[1-9]\d{0,6}))", re.ASCII)
_TYPES = {
    "m4b": "audio/mp4",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "vtt": "text/vtt",
    "epub": "application/epub+zip",
}
_SHOWN = ("audio/", "text/vtt")
"""What browsers may do something with but keep it."""
_FORBIDDEN = '<>:"/\\|?*%'
"""In names of files: some system, or some browser, makes something else of them."""
LONGEST_NAME = 150
"""Bytes of the name of a file that is kept, without its suffix."""


class Served(NamedTuple):
    """Objects that are sent one after the other as one."""

    objects: tuple[tuple[str, int], ...]
    """Key and size in bytes of each."""
    media_type: str
    version: str
    """Changes when the bytes do."""
    name: str = ""
    """Of the file that it is kept as; empty for what is shown or played."""

    @property
    def size(self) -> int:
        """Of all of it, in bytes."""
        return sum(size for _, size in self.objects)

    def cut(self, start: int, end: int, most: int) -> Iterator[tuple[str, int, int]]:
        """Yield the pieces of at most `most` bytes that lie between two places: key, offset in its object, length."""
        for key, size in self.objects:
            for offset in range(max(start, 0), min(end, size), most):
                yield key, offset, min(most, min(end, size) - offset)
            start, end = start - size, end - size


class _Known(NamedTuple):
    """What is remembered of a plan, which may be a hundred times as large."""

    cover: str
    bitrate: int
    chapters: tuple[tuple[str, ...], ...]
    """Digests of the parts of each."""


class Library:
    """Finds what can be fetched of books. Thread-safe.

    Args:
        store: where books live.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self._known = lru_cache(32)(self._read)  # a plan is written once, and what raises is not remembered

    def find(self, path: str) -> Served:
        """Return what a path of `Links` leads to.

        Raises:
            KeyError: it leads nowhere, or what it leads to is not there, or not yet.
            Unavailable: storage cannot be reached.
        """
        match = _PATH.fullmatch(path)
        if match is None:
            raise KeyError(path)
        book_id, cover, kind, number = match.groups()
        if cover:
            return self._cover(book_id)
        if kind == "parts":
            return self._part(book_id, int(number))
        if kind == "chapters":
            return self._chapter(book_id, int(number))
        return self._file(book_id, int(number), download=kind == "downloads")

    def _cover(self, book_id: str) -> Served:
        name = self._known(book_id).cover
        key = keys.book(book_id, name)
        if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII) or (size := self.store.size(key)) is None:
            raise KeyError(key)
        media_type = picture_type(self.store.read(key, 0, 16))
        if media_type is None:
            raise KeyError(key)
        return Served(((key, size),), media_type, f"{book_id}-{size}")

    def _part(self, book_id: str, index: int) -> Served:
        known = self._known(book_id)
        digests = [digest for chapter in known.chapters for digest in chapter]
        if index >= len(digests):
            raise KeyError(f"{book_id} has no part {index}")
        return self._audio([digests[index]], known.bitrate)

    def _chapter(self, book_id: str, number: int) -> Served:
        known = self._known(book_id)
        if not 1 <= number <= len(known.chapters):
            raise KeyError(f"{book_id} has no chapter {number}")
        return self._audio(known.chapters[number - 1], known.bitrate)

    def _audio(self, digests: Sequence[str], bitrate: int) -> Served:
        """Return the audio of parts, all of which must be done."""
        blobs = []
        for digest in digests:
            try:
                sidecar = Sidecar.model_validate_json(self.store.get(keys.part_sidecar(digest)))
            except ValidationError as error:
                raise KeyError(digest) from error
            if not has_audio(self.store, sidecar, bitrate):
                raise KeyError(digest)
            blobs.append(sidecar.aac[bitrate])
        objects = ((keys.part_audio(digest, bitrate), blob.size) for digest, blob in zip(digests, blobs, strict=True))
        return Served(tuple(objects), ADTS, _digest("".join(blob.sha256 for blob in blobs).encode()))

    def _file(self, book_id: str, index: int, *, download: bool) -> Served:
        raw = self.store.get(keys.report(book_id))
        try:
            report = Report.model_validate_json(raw)
        except ValidationError as error:
            raise KeyError(book_id) from error
        if index >= len(report.files):
            raise KeyError(f"{book_id} has no file {index}")
        file = report.files[index]
        if not file.key.startswith(keys.output(book_id, "")) or self.store.size(file.key) != file.size:
            raise KeyError(file.key)
        media_type = _TYPES.get(file.key.rpartition(".")[2], "application/octet-stream")
        kept = download or not media_type.startswith(_SHOWN)
        name = file_name(report.title, file) if kept else ""
        return Served(((file.key, file.size),), media_type, _digest(raw + file.key.encode()), name)

    def _read(self, book_id: str) -> _Known:
        plan = read_plan(self.store, book_id)
        if plan is None:
            raise KeyError(book_id)
        chapters = tuple(tuple(part.digest for part in chapter.parts) for chapter in plan.chapters)
        return _Known(plan.cover, plan.output.bitrate, chapters)


def picture_type(head: bytes) -> str | None:
    """Return the media type of a picture by its first 16 bytes; None for what browsers might run instead of show."""
    signs = {
        "image/jpeg": head.startswith(b"\xff\xd8\xff"),
        "image/png": head.startswith(b"\x89PNG\r\n\x1a\n"),
        "image/gif": head.startswith((b"GIF87a", b"GIF89a")),
        "image/webp": head.startswith(b"RIFF") and head[8:12] == b"WEBP",
    }
    return next((media_type for media_type, found in signs.items() if found), None)


def file_name(title: str, file: ReportedFile) -> str:
    """Return what a file of a book is kept as, on any system: its title, and what the file has after it."""
    stem, _, suffix = f"{title}{file.name.replace('/', ' - ')}".rpartition(".")
    shown = "".join(each if each.isprintable() and each not in _FORBIDDEN else " " for each in stem)
    cut = " ".join(shown.split()).strip(".- ").encode()[:LONGEST_NAME].decode(errors="ignore").strip()
    return f"{cut or 'audiobook'}.{re.sub(r'[^A-Za-z0-9]', '', suffix)}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
