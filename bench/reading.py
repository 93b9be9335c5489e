"""How fast an EPUB becomes text, and with how much memory, beside BeautifulSoup on the same documents.

Each way runs three times in a process of its own; the median time and the largest peak count. The documents are read
from the zip before the clock starts, except by the whole producer. Peak memory is the most that the process had while
it worked, less what it had before (Linux: `VmHWM`, reset at the start).
"""

import argparse
import json
import multiprocessing
import platform
import re
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from producer import epub, markup
from producer.ingest import Options, prepare
from producer.sections import notes
from producer.sections.extract import extract
from tests.epubs import CORPUS, made_epub

MOBY_DICK = CORPUS / "gutenberg/moby-dick.epub"
Way = Callable[[Path, epub.Book], int]


def extracted(_path: Path, book: epub.Book) -> int:
    """Return how many characters the extractor finds, each with its place in the document."""
    roots = [markup.parse(markup.decode(document.content)) for document in book.documents]
    blocks = (block for root in roots for block in extract(root, notes.NONE).blocks)
    return sum(len(block.text) for block in blocks)


def soup(parser: str) -> Way:
    """Return what counts the characters of BeautifulSoup's text, white space collapsed."""

    def count(_path: Path, book: epub.Book) -> int:
        from bs4 import BeautifulSoup  # noqa: PLC0415 - only this way pays for it

        texts = (BeautifulSoup(document.content, parser).get_text() for document in book.documents)
        return sum(len(markup.collapse(text)) for text in texts)

    return count


def planned(path: Path, _book: epub.Book) -> int:
    """Return how many characters a plan speaks: sections, sentences, spoken forms, sources and the accounting."""
    plan = prepare(path, Options(engine="espeak")).plan
    return sum(len(sentence.text) for part in plan.parts for sentence in part.sentences)


WAYS = {
    "e2a: text with places": extracted,
    "BeautifulSoup, lxml": soup("lxml"),
    "BeautifulSoup, html.parser": soup("html.parser"),
    "e2a: whole plan, with accounting": planned,
}


def measure(path: Path, name: str) -> tuple[int, float, float]:
    """Return characters, seconds, and megabytes at the peak."""
    warnings.simplefilter("ignore")
    book = epub.read(path)
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    started = time.perf_counter()
    characters = WAYS[name](path, book)
    return characters, time.perf_counter() - started, _peak() - before


def _peak() -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure reading beside BeautifulSoup.")
    parser.add_argument("--megabytes", type=int, default=10, help="of text in the made book")
    options = parser.parse_args()
    print(json.dumps({"python": platform.python_version(), "machine": platform.machine()}))
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as folder:
        chapters = 50
        size = options.megabytes * 1_000_000 // chapters
        books = [
            MOBY_DICK,
            made_epub(Path(folder, f"made-{options.megabytes}MB.epub"), chapters=chapters, characters=size),
        ]
        for path in books:
            for name in WAYS:
                with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
                    runs = [pool.apply(measure, (path, name)) for _ in range(3)]
                seconds = statistics.median(run[1] for run in runs)
                row = {"book": path.name, "way": name, "characters": runs[0][0], "seconds": round(seconds, 3)}
                row |= {"MB_per_s": round(runs[0][0] / 1e6 / seconds, 2), "peak_MB": round(max(run[2] for run in runs))}
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
