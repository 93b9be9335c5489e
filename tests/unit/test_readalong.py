"""The sound of a book into its pages."""

import io
import re
import zipfile
from pathlib import Path

import pytest
from lxml import etree

from e2a.plan import Chapter, Plan, Sentence, Sidecar
from merger.faults import AssemblyFailed
from merger.readalong import Clip, clips, read_along
from producer import epub
from producer.edition import edition
from tests.unit.books import plan_of, small_epub
from tests.unit.builders import a_part, a_plan, a_sidecar

RATE = 10_240
BODIES = ("<h1>One</h1><p>It begins.</p>", "<h1>Two</h1><p>It ends.</p>")


def sidecars_of(plan: Plan) -> list[Sidecar]:
    """Return sidecars that say that each sentence takes a second, 100 ms of silence before it and 200 ms after."""
    return [
        a_sidecar(
            part,
            samples=len(part.sentences) * RATE,
            sentences=tuple((n * RATE + 1024, n * RATE + 8192) for n in range(len(part.sentences))),
        )
        for part in plan.parts
    ]


class Made:
    """A read-along edition of a small book."""

    def __init__(self, folder: Path, *bodies: str) -> None:
        path = small_epub(folder / "book.epub", *(bodies or BODIES))
        self.plan = plan_of(epub.read(path))
        self.pages = folder / "edition.epub"
        self.pages.write_bytes(edition(path, self.plan))
        self.recordings = [folder / f"{chapter.index}.m4a" for chapter in self.plan.chapters]
        for recording in self.recordings:
            recording.write_bytes(recording.name.encode() * 1000)
        self.target = folder / "read-along.epub"
        self.make()

    def make(self) -> bytes:
        read_along(self.plan, sidecars_of(self.plan), self.pages, self.recordings, self.target)
        return self.target.read_bytes()

    def text(self, name: str) -> str:
        with zipfile.ZipFile(self.target) as archive:
            return archive.read(f"OEBPS/{name}").decode()


def two_chapters() -> Plan:
    """Return a plan of two chapters: one of two parts with two sentences each, and one of one sentence."""
    sentence = Sentence(text="It begins.", pause_ms=200)
    parts = [a_part(index, chapter=index // 2, sentences=(sentence,) * (2 - index // 2)) for index in range(3)]
    titles = {0: parts[:2], 1: parts[2:]}
    return a_plan(chapters=tuple(Chapter(index=n, title="x", parts=tuple(found)) for n, found in titles.items()))


def test_clips() -> None:
    """Clips follow each other without a gap through the parts of a chapter, and begin again in the next."""
    plan = two_chapters()
    present = ["e2a-0-0", "e2a-0-1", "e2a-1-0", "e2a-1-1", "e2a-2-0"]
    assert list(clips(plan, sidecars_of(plan), present)) == [
        Clip("e2a-0-0", 0, 0, 1100),
        Clip("e2a-0-1", 0, 1100, 2100),
        Clip("e2a-1-0", 0, 2100, 3100),
        Clip("e2a-1-1", 0, 3100, 4000),
        Clip("e2a-2-0", 1, 0, 1000),
    ]


def test_clips_of_what_has_no_element() -> None:
    """A sentence without an element is heard while the one before it lights up, the first with the one after it."""
    plan = two_chapters()
    assert list(clips(plan, sidecars_of(plan), ["e2a-0-1", "e2a-1-1"])) == [
        Clip("e2a-0-1", 0, 0, 3100),
        Clip("e2a-1-1", 0, 3100, 4000),
    ]


def test_clips_end_in_the_recording() -> None:
    """No clip ends after the audio, also when that is no whole number of milliseconds."""
    plan = a_plan((1,))
    sidecar = a_sidecar(plan.parts[0], sample_rate=24_000, samples=1024 * 25, sentences=((2048, 20_000),))
    assert list(clips(plan, [sidecar], ["e2a-0-0"])) == [Clip("e2a-0-0", 0, 0, 1066)]


def test_package(tmp_path: Path) -> None:
    """The package names overlays, recordings, durations, narrator and class."""
    made = Made(tmp_path)
    package = made.text("book.opf")
    for expected in (
        '<item id="item-3" href="c1.xhtml" media-type="application/xhtml+xml" media-overlay="e2a-overlay-1"/>',
        '<item id="e2a-overlay-2" href="e2a-overlay-002.smil" media-type="application/smil+xml"/>',
        '<item id="e2a-audio-1" href="e2a-chapter-001.m4a" media-type="audio/mp4"/>',
        '<meta property="media:duration" refines="#e2a-overlay-1">2.000s</meta>',
        '<meta property="media:duration">4.000s</meta>',
        '<meta property="media:narrator">simulated (simulated: no speech)</meta>',
        '<meta property="media:active-class">-epub-media-overlay-active</meta>',
    ):
        assert expected in package
    assert ".-epub-media-overlay-active" in made.text("e2a-read-along.css")


def test_overlay(tmp_path: Path) -> None:
    """Each page has an overlay that says which element is heard when, in which recording."""
    made = Made(tmp_path)
    root = etree.fromstring(made.text("e2a-overlay-002.smil").encode())
    texts = [each.get("src") for each in root.iter("{*}text")]
    assert texts == ["c2.xhtml#e2a-1-0", "c2.xhtml#e2a-1-1"]
    assert [dict(each.attrib) for each in root.iter("{*}audio")] == [
        {"src": "e2a-chapter-002.m4a", "clipBegin": "0.000s", "clipEnd": "1.100s"},
        {"src": "e2a-chapter-002.m4a", "clipBegin": "1.100s", "clipEnd": "2.000s"},
    ]
    assert all(f'id="{text.partition("#")[2]}"' in made.text("c2.xhtml") for text in texts if text)


def test_chapters_that_share_a_page(tmp_path: Path) -> None:
    """A page has one overlay, however many chapters it holds, and may play several recordings."""
    made = Made(tmp_path, "<h1>One</h1><p>It begins.</p><h1>Two</h1><p>It ends.</p>")
    assert len(made.plan.chapters) == 2
    sources = re.findall(r'audio src="([^"]*)"', made.text("e2a-overlay-001.smil"))
    assert sources == ["e2a-chapter-001.m4a"] * 2 + ["e2a-chapter-002.m4a"] * 2
    assert made.text("book.opf").count("media-overlay=") == 1


def test_names_that_the_book_has(tmp_path: Path) -> None:
    """Files of the book that are called as those that are added stay; the added ones are called differently."""
    made = Made(tmp_path)
    with zipfile.ZipFile(made.pages, "a") as archive:
        archive.writestr("OEBPS/E2A-chapter-001.m4a", b"own")
    made.make()
    assert made.text("E2A-chapter-001.m4a") == "own"
    assert 'src="e2a_-chapter-001.m4a"' in made.text("e2a_-overlay-001.smil")
    assert 'href="e2a_-chapter-001.m4a"' in made.text("book.opf")
    assert made.text("e2a_-chapter-001.m4a").startswith("0.m4a")


def test_identifiers_in_text(tmp_path: Path) -> None:
    """What looks like the name of a sentence in the text of a page is none."""
    made = Made(tmp_path, "<p>It begins.</p>", '<p>Write id="e2a-0-0" here.</p>')
    assert "c1.xhtml#e2a-0-0" in made.text("e2a-overlay-001.smil")


def test_zip(tmp_path: Path) -> None:
    """The zip begins as an EPUB must, the recordings are in it as they are, and the same files make the same bytes."""
    made = Made(tmp_path)
    content = made.target.read_bytes()
    assert made.make() == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        assert [info.filename for info in infos[:2]] == ["mimetype", "META-INF/container.xml"]
        assert infos[0].compress_type == zipfile.ZIP_STORED
        names = [info.filename for info in infos[1:]]
        assert len(set(names)) == len(names)
        recording = archive.getinfo("OEBPS/e2a-chapter-002.m4a")
        assert recording.compress_type == zipfile.ZIP_STORED
        assert archive.read(recording) == b"1.m4a" * 1000
        assert {info.date_time[0] for info in infos} == {1980}


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18)], ids=["no zip", "empty"])
def test_damaged_edition(tmp_path: Path, content: bytes) -> None:
    """An edition that is damaged in storage fails the assembly, and is named."""
    pages = tmp_path / "edition.epub"
    pages.write_bytes(content)
    plan = a_plan((1,))
    with pytest.raises(AssemblyFailed, match=r"edition\.epub: "):
        read_along(plan, sidecars_of(plan), pages, [tmp_path / "0.m4a"], tmp_path / "book.epub")
