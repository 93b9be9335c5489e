"""What links lead to: found in plan and report, never by a key that somebody sent."""

import pytest

from e2a.plan import BITRATE
from e2a.report import Report, ReportedFile
from e2a.storage import keys
from monitor.library import LONGEST_NAME, Library, Served, file_name, picture_type
from tests.unit.builders import BOOK, put_plan, some_audio
from tests.unit.served.shelf import JPEG, Shelf


@pytest.fixture
def library(shelf: Shelf) -> Library:
    return Library(shelf.store)


def test_a_part_is_its_audio(shelf: Shelf, library: Library) -> None:
    """A part is one object of ADTS, whose version is that of its bytes."""
    shelf.speak(0, 2)
    first, third = library.find(f"{BOOK}/parts/0"), library.find(f"{BOOK}/parts/2")
    part = shelf.plan.parts[0]
    assert first.objects == ((keys.part_audio(part.digest, BITRATE), len(some_audio(part))),)
    assert first.media_type == "audio/aac"
    assert first.version != third.version


def test_a_chapter_is_its_parts(shelf: Shelf, library: Library) -> None:
    """A chapter is the audio of its parts in their order, as one."""
    shelf.speak(0, 1, 2)
    found = library.find(f"{BOOK}/chapters/1")
    assert [key for key, _ in found.objects] == [keys.part_audio(p.digest, BITRATE) for p in shelf.plan.parts[:2]]
    assert found.size == sum(len(some_audio(part)) for part in shelf.plan.parts[:2])


@pytest.mark.parametrize("spoken", [(), (0,), (1,)])
def test_a_chapter_that_is_not_finished(shelf: Shelf, library: Library, spoken: tuple[int, ...]) -> None:
    """A chapter of which a part is missing cannot be fetched."""
    shelf.speak(*spoken)
    with pytest.raises(KeyError):
        library.find(f"{BOOK}/chapters/1")


def test_audio_that_is_not_whole(shelf: Shelf, library: Library) -> None:
    """Audio of another length than its sidecar says is as good as none, and so is a sidecar that cannot be read."""
    shelf.speak(0, 1)
    digests = [part.digest for part in shelf.plan.parts]
    shelf.store.put(keys.part_audio(digests[0], BITRATE), b"half")
    shelf.store.put(keys.part_sidecar(digests[1]), b"{")
    for index in range(2):
        with pytest.raises(KeyError):
            library.find(f"{BOOK}/parts/{index}")


@pytest.mark.parametrize(
    "path",
    [
        "",
        BOOK,
        f"{BOOK}/",
        f"{BOOK}/plan.json",
        f"{BOOK}/cover/",
        f"{BOOK}/cover\n",
        f"{BOOK}/parts/",
        f"{BOOK}/parts/-1",
        f"{BOOK}/parts/00",
        f"{BOOK}/parts/3",
        f"{BOOK}/parts/٣",
        f"{BOOK}/parts/99999999999999999999",
        f"{BOOK}/chapters/0",
        f"{BOOK}/chapters/3",
        f"{BOOK}/outputs/1",
        f"../{BOOK}/cover",
        f"{BOOK}/../{BOOK}/cover",
        "B0123456789ABCDE/cover",
        "c0123456789abcde/cover",
        "c0123456789abcde/parts/0",
        "c0123456789abcde/outputs/0",
    ],
)
def test_what_is_not_there(shelf: Shelf, library: Library, path: str) -> None:
    """Every path that does not mean something that is there leads nowhere."""
    shelf.speak(0, 1, 2)
    shelf.finish((".m4b", b"book"))
    with pytest.raises(KeyError):
        library.find(path)


def test_a_plan_is_read_once(shelf: Shelf, library: Library) -> None:
    """A plan, which never changes, is remembered; that there was none is not."""
    shelf.speak(0)
    library.find(f"{BOOK}/parts/0")
    shelf.store.delete(keys.book(BOOK, keys.PLAN))
    assert library.find(f"{BOOK}/parts/0")
    other = "c0123456789abcde"
    with pytest.raises(KeyError):
        library.find(f"{other}/parts/0")
    put_plan(shelf.store, shelf.plan.model_copy(update={"book_id": other}))
    assert library.find(f"{other}/parts/0")


def test_a_cover_is_what_its_bytes_say(shelf: Shelf, library: Library) -> None:
    """The type of a cover is that of its bytes, not that of its name; what browsers may run is not shown."""
    shelf.store.put(keys.book(BOOK, "cover.jpg"), JPEG)
    assert library.find(f"{BOOK}/cover").media_type == "image/jpeg"
    shelf.store.put(keys.book(BOOK, "cover.jpg"), b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    with pytest.raises(KeyError):
        library.find(f"{BOOK}/cover")


@pytest.mark.parametrize("name", ["", "../other/cover.jpg", "a/b.jpg", ".jpg", "output/../cover.jpg"])
def test_a_cover_lies_beside_its_plan(shelf: Shelf, name: str) -> None:
    """A plan that names a cover elsewhere has none, and neither has an old one that names nothing."""
    put_plan(shelf.store, shelf.plan.model_copy(update={"cover": name}))
    shelf.store.put(keys.book(BOOK, name), JPEG)
    with pytest.raises(KeyError):
        Library(shelf.store).find(f"{BOOK}/cover")


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xff\xd8\xff\xdb", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"GIF87a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"<?xml version='1.", None),
        (b"<html>", None),
        (b"GIF", None),
        (b"", None),
    ],
)
def test_pictures_by_their_bytes(head: bytes, media_type: str | None) -> None:
    """A picture is one of four kinds by how it begins, or none."""
    assert picture_type(head) == media_type


@pytest.mark.parametrize(
    ("name", "media_type", "kept"),
    [
        (".m4b", "audio/mp4", False),
        ("/01 One.mp3", "audio/mpeg", False),
        (".opus", "audio/ogg", False),
        (".vtt", "text/vtt", False),
        (".read-along.epub", "application/epub+zip", True),
        (".html", "application/octet-stream", True),
        (".svg", "application/octet-stream", True),
    ],
)
def test_files_by_their_names(shelf: Shelf, library: Library, name: str, media_type: str, kept: bool) -> None:
    """A file is of a type that browsers play, or they keep it; all of them may be kept."""
    shelf.finish((name, b"data"))
    found = library.find(f"{BOOK}/outputs/0")
    assert (found.media_type, bool(found.name)) == (media_type, kept)
    assert library.find(f"{BOOK}/downloads/0").name.startswith("Emma")


def test_a_report_leads_to_its_own_files(shelf: Shelf, library: Library) -> None:
    """A report that names an object elsewhere, or one of another size, leads nowhere, nor does one that is none."""
    shelf.store.put("secrets/key", b"hush")
    for key, size in [("secrets/key", 4), (keys.output(BOOK, "0.m4b"), 3), (keys.output(BOOK, "none"), 1)]:
        shelf.finish((".m4b", b"book"))
        file = ReportedFile(format="m4b", key=key, name=".m4b", size=size)
        report = Report(book_id=BOOK, output=key, audio_seconds=1.0, audio_bytes=size, files=(file,))
        shelf.store.put(keys.report(BOOK), report.model_dump_json().encode())
        with pytest.raises(KeyError):
            library.find(f"{BOOK}/outputs/0")
    shelf.store.put(keys.report(BOOK), b"[]")
    with pytest.raises(KeyError):
        library.find(f"{BOOK}/outputs/0")


@pytest.mark.parametrize(
    ("title", "rest", "name"),
    [
        ("Emma", ".m4b", "Emma.m4b"),
        ("Emma", "/03 Volume: I.mp3", "Emma - 03 Volume I.mp3"),
        ("Emma", " (ACX)/01 One.mp3", "Emma (ACX) - 01 One.mp3"),
        ('a/b\\c:"d"\r\nSet-Cookie: x=1', ".m4b", "a b c d Set-Cookie x=1.m4b"),
        ("../../etc/passwd", ".m4b", "etc passwd.m4b"),
        ("", ".m4b", "audiobook.m4b"),
        ("...", ".m4b", "audiobook.m4b"),
        ("\u202egnp.exe\u2066", ".m4b", "gnp.exe.m4b"),
        ("Éire 🎧 ספר", ".m4b", "Éire 🎧 ספר.m4b"),
        ("\ud800x", ".m4b", "x.m4b"),
    ],
)
def test_names_of_files(title: str, rest: str, name: str) -> None:
    """A file is kept as its title, without what any system or browser makes something else of."""
    assert file_name(title, ReportedFile.model_construct(format="m4b", key="k", name=rest, size=1)) == name


def test_a_long_name_is_cut_between_letters() -> None:
    """A title of any length makes a name that file systems take, of whole letters."""
    name = file_name("ä" * 10_000, ReportedFile(format="m4b", key="k", name=".m4b", size=1))
    assert name == "ä" * (LONGEST_NAME // 2) + ".m4b"


@pytest.mark.parametrize(("start", "end"), [(0, 9), (0, 0), (1, 2), (2, 3), (2, 9), (5, 6), (3, 7), (8, 9)])
@pytest.mark.parametrize("most", [1, 2, 100])
def test_pieces_are_the_range(start: int, end: int, most: int) -> None:
    """The pieces of a range, put together, are the range, whatever objects it reaches over."""
    objects = {"a": b"abc", "b": b"", "c": b"defghi"}
    served = Served(tuple((key, len(data)) for key, data in objects.items()), "audio/aac", "1")
    pieces = [objects[key][offset : offset + length] for key, offset, length in served.cut(start, end, most)]
    assert b"".join(pieces) == b"abcdefghi"[start:end]
    assert all(0 < len(piece) <= most for piece in pieces)
