"""Whatever the bytes of an EPUB are, it is read or refused in one line."""

import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from e2a.errors import ExitCode, UserError
from e2a.plan import Metadata
from producer import epub
from producer.epub import Cover
from tests.unit.books import METADATA, Item, epub_file, nav, ncx, page, zip_file
from tests.unit.epub.common import CONTAINER, JPEG, PACKAGE, TWO, flat, refined


def outcome(path: Path) -> object:
    """Return the exit code of a refusal, OK when the file is read, or the exception that should not be."""
    try:
        epub.read(path)
    except UserError as error:
        return error.code
    except Exception as error:  # noqa: BLE001 - that none comes here is what is tested
        return repr(error)
    return ExitCode.OK


def whole_epub(path: Path) -> Path:
    """Write an EPUB that has one of everything."""
    marks = "<li><a epub:type='cover' href='one.xhtml'>C</a></li>"
    table = nav("<li><a href='one.xhtml'>I</a><ol><li><a href='two.xhtml#b'>II</a></li></ol></li>")
    content = str(table.content).replace("</body>", f"<nav epub:type='landmarks'><ol>{marks}</ol></nav></body>")
    metadata = (
        METADATA
        + '<dc:title id="t">Main</dc:title><dc:description>&lt;p&gt;A &amp;amp; B&lt;/p&gt;</dc:description>'
        + '<dc:identifier>urn:isbn:9780306406157</dc:identifier><dc:date event="publication">1815</dc:date>'
        + '<meta name="cover" content="front.jpg"/><meta property="belongs-to-collection" id="c">Novels</meta>'
        + refined("c", group_position="4")
        + refined("t", title_type="main", display_seq="1")
    )
    shown = Item("one.xhtml", page("<h1>One</h1><img src='front.jpg'/>"))
    items = [table._replace(content=content), ncx(one="I", two="II"), shown, TWO, JPEG, Item("a.css", "", "text/css")]
    guide = '<guide><reference type="text" href="one.xhtml"/></guide>'
    files = {"META-INF/encryption.xml": "<encryption><EncryptedData/></encryption>"}
    return epub_file(path, items, metadata=metadata, guide=guide, files=files)


def flipped(path: Path, chance: random.Random) -> None:
    """Change some bytes of the zip."""
    whole = bytearray(path.read_bytes())
    for _ in range(chance.randrange(1, 5)):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    path.write_bytes(whole)


def cut(path: Path, chance: random.Random) -> None:
    """Cut, or double, some of the zip."""
    whole = path.read_bytes()
    start, end = sorted(chance.randrange(len(whole)) for _ in range(2))
    path.write_bytes(
        chance.choice([whole[:end], whole[start:], whole[:start] + whole[end:], whole[:end] + whole[start:]])
    )


def swapped(path: Path, chance: random.Random) -> None:
    """Empty, cut, drop, scramble or exchange files of the EPUB."""
    with zipfile.ZipFile(path) as opened:
        files: dict[str, str | bytes] = {name: opened.read(name) for name in opened.namelist()}
    names = sorted(files)
    for _ in range(chance.randrange(1, 4)):
        name, other = chance.choice(names), chance.choice(names)
        content = bytes(files.get(name, b""))  # type: ignore[arg-type]
        changes = [b"", content[: len(content) // 2], chance.randbytes(50), bytes(files.get(other, b""))]  # type: ignore[arg-type]
        files[name] = chance.choice([*changes, content.decode("utf-8", "replace").encode("utf-16")])
        if chance.random() < 0.2:
            del files[name]
    zip_file(path, files)


MARKUP = [CONTAINER, PACKAGE, "OEBPS/nav.xhtml", "OEBPS/toc.ncx", "META-INF/encryption.xml", "OEBPS/one.xhtml"]
PIECES = [
    "",
    "<",
    "&x;",
    "\x00",
    "\x01",
    "x",
    "#",
    "../../",
    "%ff",
    "http://x",
    "\u202e",
    "<a>" * 300,
    "<![CDATA[",
    "&#0;",
    "&#xD800;",
]


def rewritten(path: Path, chance: random.Random) -> None:
    """Drop, double, rename or exchange elements and attributes of the markup."""
    name = chance.choice(MARKUP)
    with zipfile.ZipFile(path) as opened:
        files: dict[str, str | bytes] = {each: opened.read(each) for each in opened.namelist()}
    tokens = re.findall(r"<[^<>]*>|[^<>\"']+|.", str(files[name], "utf-8"), re.DOTALL)  # type: ignore[arg-type]
    for _ in range(chance.randrange(1, 6)):
        at, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
        words = re.split(r"([\w:-]+)", tokens[at])
        words[chance.randrange(len(words))] = chance.choice(PIECES)
        tokens[at] = chance.choice(["", tokens[at] * 2, tokens[other], "".join(words)])
    zip_file(path, files | {name: "".join(tokens).encode("utf-8", "replace")})


@pytest.mark.parametrize(("mutation", "count"), [(flipped, 100), (cut, 40), (swapped, 80), (rewritten, 150)])
def test_damaged_files(path: Path, mutation: Callable[[Path, random.Random], None], count: int) -> None:
    """Whatever of an EPUB is damaged, it is read or refused with one line: nothing else is ever raised."""
    whole = whole_epub(path).read_bytes()
    outcomes = set()
    for seed in range(count):
        path.write_bytes(whole)
        mutation(path, random.Random(seed))
        outcomes.add(outcome(path))
    assert outcomes == {ExitCode.OK, ExitCode.BAD_INPUT}


def test_whole_epub(path: Path) -> None:
    """What the damage starts from is read without a problem."""
    book = epub.read(whole_epub(path))
    assert book.problems == ()
    assert book.title == "Main"
    assert book.cover == Cover("OEBPS/front.jpg", JPEG.content)
    assert len(flat(book.contents)) == 2
    assert book.metadata == Metadata(
        description="A & B", date="1815", isbn="9780306406157", series="Novels", series_index="4"
    )
