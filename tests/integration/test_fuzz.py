"""Whatever is damaged in an EPUB, it is planned with every character accounted for, or refused in one line."""

from collections import Counter
from pathlib import Path

import pytest

from e2a.errors import ExitCode, UserError
from producer.accounting import TextDoesNotAddUp
from producer.ingest import Options, prepare
from tests.mutations import mutate
from tests.unit.books import Item, epub_file, nav, page

BODY = (
    "<h1 id='a'>One</h1><p>It begins, <b>here</b><a epub:type='noteref' href='#n'>1</a>. “Yes,” she said.</p>"
    "<div>text<table><tr><td>a</td></tr></table>tail<br/><br/>more</div><h2 id='b'>Two</h2><p>No.</p>"
    "<aside epub:type='footnote' id='n'><p>A note of 1,234 words.</p></aside><hr/><p>The end of it.</p>"
)
ENTRIES = (
    '<li><a href="c1.xhtml#a">I</a><ol><li><a href="c1.xhtml#b">II</a></li></ol></li><li><a href="c2.xhtml">3</a></li>'
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an EPUB with a bit of everything."""
    content = page(BODY).replace("<html ", '<html xmlns:epub="http://www.idpf.org/2007/ops" ')
    items = [nav(ENTRIES), Item("c1.xhtml", content), Item("c2.xhtml", content)]
    return epub_file(tmp_path_factory.mktemp("fuzz") / "whole.epub", items)


def planned(path: Path) -> object:
    """Return how a book comes out: read, an exit code, or what should not be."""
    try:
        accounting = prepare(path, Options(engine="simulated")).plan.accounting
    except UserError as error:
        return error if isinstance(error, TextDoesNotAddUp) or "\n" in str(error) else error.code
    except Exception as error:  # noqa: BLE001 - that none comes here is what is tested
        return error
    return "read" if accounting else None


def test_damaged_books(whole: Path, tmp_path: Path) -> None:
    """Only our own errors come out of damaged books, for bad input, and most can still be read."""
    outcomes: Counter[object] = Counter()
    for seed in range(150):
        done = mutate(whole, tmp_path / "book.epub", seed)
        outcome = planned(tmp_path / "book.epub")
        assert outcome in {"read", ExitCode.BAD_INPUT}, f"seed {seed}: {done}: {outcome!r}"
        outcomes[outcome] += 1
    assert outcomes["read"] > outcomes[ExitCode.BAD_INPUT] > 0
