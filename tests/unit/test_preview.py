"""What would be read of a book, as it is shown: every section with its verdict, every character with its rule."""

import io
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from e2a.plan import Reading
from producer import preview
from producer.ingest import Options, draft, prepare
from tests.unit.books import Item, epub_file, nav, page

ENTRIES = (
    '<li><a href="copyright.xhtml">Copyright</a></li>'
    '<li><span>Part [One]</span><ol><li><a href="one.xhtml">I</a></li></ol></li>'
)
ONE = f"<h1>I</h1><p>{'It goes on and on and on. ' * 60}</p><p>* * *</p>"
BODIES = {"copyright": "<p>Nobody owns this.</p>", "one": ONE}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    items = [Item(f"{name}.xhtml", page(body)) for name, body in BODIES.items()]
    return epub_file(tmp_path / "book.epub", [nav(ENTRIES), *items], spine=["copyright.xhtml", "one.xhtml", "lost"])


def shown(renderable: RenderableType) -> list[str]:
    """Return the lines of what a terminal shows."""
    console = Console(file=io.StringIO(), width=100)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines() if line.strip()]


def test_sections(book: Path) -> None:
    """Each section is listed with its number, its title within its part, its length, and why it is not read."""
    lines = shown(preview.section_table(draft(book, Options(engine="simulated"))))
    assert lines[0] == "Emma"
    assert lines[-1].startswith("note: ")
    assert lines[-3:-1] == ["1 Copyright 0:00:01 skip: copyright (by its title)", "2 Part [One]: I 0:01:44 read"]


def test_sections_that_are_chosen(book: Path) -> None:
    """Matter that is asked for is read, and what is not asked for is not."""
    chosen = Options(engine="simulated", reading=Reading(chapters="1"))
    lines = shown(preview.section_table(draft(book, chosen)))
    assert lines[-3].endswith("read: copyright (by its title)")
    assert lines[-2].endswith("skip: not chosen")


def test_summary(book: Path) -> None:
    """All characters are listed, spoken or not spoken by which rule, and so is what was lost in the file."""
    lines = shown(preview.summary(prepare(book, Options(engine="simulated")).plan))
    spoken = len("I" + "Itgoesonandonandon." * 60)
    assert lines[:6] == [
        f"{spoken + 26:,} characters in the book, white space not counted",
        f"{spoken:,} spoken",
        "15 not spoken: copyright",
        "8 not spoken: head",
        "3 not spoken: symbols",
        "0 neither spoken nor skipped",
    ]
    assert lines[6:8] == ["1 chapters", "1 parts, of 61 sentences"]
    assert lines[8].endswith("of audio, estimated for simulated in en-GB")
    assert lines[9].startswith("note: ")
    assert "lost" in lines[9]
