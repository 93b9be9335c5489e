"""Books to compare with, and their plans: parts are cut small, as the pretended work is."""

import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from bench.celery.said import NAME
from e2a.plan import Plan, Sentence
from producer import ingest, planner
from tests.epubs import made_epub
from tests.stores import directory_store

PARAGRAPHS = 3
"""Of a part: a sentence each, 17 seconds of audio together."""
BOOKS = {
    "equal": (2,) * 24,
    "unequal": (1, 1, 3, 10, 1, 2, 4, 1, 1, 4, 10, 1, 2, 1, 4, 1, 1),
}
"""How many parts each chapter has."""


def make(path: Path, parts: Sequence[int]) -> Path:
    """Write an EPUB whose chapters have so many parts."""
    whole = made_epub(path.with_suffix(".whole"), chapters=len(parts), characters=max(parts) * PARAGRAPHS * 80 + 800)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            content = source.read(info).decode()
            if found := re.fullmatch(r"c(\d+)\.xhtml", info.filename):
                head, *paragraphs = content.split("<p>")
                kept = paragraphs[: parts[int(found[1]) - 1] * PARAGRAPHS]
                content = "<p>".join([head, *kept]).removesuffix("</body></html>") + "</body></html>"
            target.writestr(info, content)
    whole.unlink()
    return path


def store(book: Path, storage: Path, voices: Path | None = None) -> Plan:
    """Plan a book with small parts and put it into storage, where it counts for whoever submits the book.

    Args:
        book: the EPUB.
        storage: the directory.
        voices: storage of a run that has measured the voice.
    """
    if voices:
        shutil.copytree(voices / "voices", storage / "voices")
    with mock.patch.object(planner, "split_parts", _small):
        submission = ingest.prepare(book, ingest.Options(engine=NAME))
    return ingest.store_book(submission, directory_store(storage, 5.0))


def _small(paragraphs: Sequence[planner.Paragraph], _limit: int) -> list[tuple[Sentence, ...]]:
    """Return a chapter's sentences by parts; the first has the heading too."""
    heading, *others = paragraphs
    runs = [others[start : start + PARAGRAPHS] for start in range(0, len(others), PARAGRAPHS)]
    runs[0] = [heading, *runs[0]]
    return [tuple(sentence for paragraph in run for sentence in paragraph) for run in runs]
