"""A finished book out of storage: where its files go, what is said of them, and what is never left behind."""

from pathlib import Path

import pytest

from e2a.errors import ExitCode, Retryable, UserError
from e2a.report import Report, ReportedChapter, ReportedFile
from e2a.storage import ObjectStore, keys
from e2a.storage.directory import renamed
from e2a.testing import MemoryStore
from producer import delivery
from producer.ingest import output_of
from tests.stores import directory_store
from tests.unit.builders import BOOK

NAMES = {
    "m4b": [".m4b"],
    "mp3": ["/01 One.mp3", "/02 Two.mp3"],
    "acx": [" (ACX)/01 One.mp3"],
    "epub": [".read-along.epub"],
    "vtt": [".vtt"],
}


def finish(store: ObjectStore, names: dict[str, list[str]]) -> Report:
    """Put files of a book into storage, each of 1,500 bytes, and its report after them."""
    files = [
        ReportedFile(format=each, key=keys.output(BOOK, f"{each}/{number}"), name=name, size=1500)
        for each, members in names.items()
        for number, name in enumerate(members)
    ]
    for file in files:
        store.put(file.key, file.name.encode().ljust(1500))
    first = files[0]
    report = Report(book_id=BOOK, output=first.key, audio_seconds=3661.2, audio_bytes=1500, files=tuple(files))
    store.put(keys.report(BOOK), report.model_dump_json().encode())
    return report


@pytest.fixture(params=["memory", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return MemoryStore() if request.param == "memory" else directory_store(tmp_path / "storage")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "audio books/emma 1.5"


def found(base: Path) -> set[str]:
    """Return all files of the folder that a book was delivered to."""
    return {str(path.relative_to(base.parent)) for path in base.parent.rglob("*") if path.is_file()}


def test_every_file_is_delivered(store: ObjectStore, base: Path) -> None:
    """Files go beside each other under the name of the book, those of a chapter each into a folder, with the report."""
    list(delivery.deliver(finish(store, NAMES), store, base))
    own = [name for names in NAMES.values() for name in names]
    assert found(base) == {f"emma 1.5{name}" for name in [*own, ".report.json"]}
    assert all((base.parent / f"emma 1.5{name}").read_bytes() == name.encode().ljust(1500) for name in own)
    assert (base.parent / "emma 1.5.report.json").read_bytes() == store.get(keys.report(BOOK))


def test_summary(store: ObjectStore, base: Path) -> None:
    """Files are listed with length and size, a folder as one; captions, and chapters with room tone, have no length."""
    assert list(delivery.deliver(finish(store, NAMES), store, base)) == [
        f"{base}.m4b  1:01:01  1.5 kB",
        f"{base}/  2 files  1:01:01  3.0 kB",
        f"{base} (ACX)/  1 file  1.5 kB",
        f"{base}.read-along.epub  1:01:01  1.5 kB",
        f"{base}.vtt  1.5 kB",
    ]


def test_delivered_again(store: ObjectStore, base: Path) -> None:
    """What was there before is replaced, and what is not of this book stays."""
    base.mkdir(parents=True)
    (base / "01 One.mp3").write_bytes(b"older")
    (base / "notes.txt").write_bytes(b"mine")
    list(delivery.deliver(finish(store, {"mp3": ["/01 One.mp3"]}), store, base))
    assert (base / "01 One.mp3").read_bytes().startswith(b"/01 One.mp3")
    assert found(base) == {"emma 1.5/01 One.mp3", "emma 1.5/notes.txt", "emma 1.5.report.json"}


@pytest.mark.parametrize("base", ["/books/emma", "emma", "../emma"])
@pytest.mark.parametrize("name", ["/..", "/../../x", "/x/../..", "/../../../etc/passwd"])
def test_names_that_lead_out_of_the_folder(base: str, name: str) -> None:
    """No name, whoever wrote it, puts a file anywhere but into the folder of the book."""
    assert delivery.place(Path(base), "/01 One.mp3") == Path(f"{base}/01 One.mp3")
    with pytest.raises(UserError, match="not in the folder") as caught:
        delivery.place(Path(base), name)
    assert caught.value.code == ExitCode.CANNOT_WRITE


def test_malicious_report(store: ObjectStore, base: Path) -> None:
    """A report with such a name delivers nothing at all."""
    report = finish(store, {"m4b": [".m4b"], "mp3": ["/x.mp3"]})
    bad = report.files[1].model_copy(update={"name": "/../../x.mp3"})
    with pytest.raises(UserError, match="not in the folder"):
        list(delivery.deliver(report.model_copy(update={"files": (report.files[0], bad)}), store, base))
    assert found(base) == set()


class Interrupted(MemoryStore):
    """A store in the middle of whose second file the user presses Ctrl-C."""

    fetched = 0

    def get_file(self, key: str, path: Path) -> None:
        self.fetched += 1
        if self.fetched == 2:
            with renamed(path) as temporary:
                temporary.write_bytes(b"half of")
                raise KeyboardInterrupt
        super().get_file(key, path)


def test_interrupted(base: Path) -> None:
    """Ctrl-C leaves whole files and nothing else."""
    store = Interrupted()
    report = finish(store, {"mp3": ["/01 One.mp3", "/02 Two.mp3", "/03 Three.mp3"]})
    with pytest.raises(KeyboardInterrupt):
        list(delivery.deliver(report, store, base))
    assert found(base) == {"emma 1.5/01 One.mp3"}


def test_file_that_has_left_storage(store: ObjectStore, base: Path) -> None:
    """A file that is gone is named; what was delivered of an older book stays as it was."""
    report = finish(store, {"m4b": [".m4b"]})
    store.delete(report.output)
    base.parent.mkdir(parents=True)
    Path(f"{base}.m4b").write_bytes(b"older")
    with pytest.raises(Retryable, match=f"{report.output} has left storage"):
        list(delivery.deliver(report, store, base))
    assert Path(f"{base}.m4b").read_bytes() == b"older"
    assert found(base) == {"emma 1.5.m4b"}


@pytest.mark.parametrize("target", ["file/book.m4b", "file/folder/book.m4b", "folder"])
def test_target_that_cannot_be_written(store: ObjectStore, tmp_path: Path, target: str) -> None:
    """A target that cannot be written is named, whichever store the book comes from."""
    store.put("book", b"book")
    (tmp_path / "file").write_text("a file where a folder should be")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"^{tmp_path / target}: ") as caught:
        delivery.fetch(store, "book", tmp_path / target)
    assert caught.value.code == ExitCode.CANNOT_WRITE
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "folder", "storage"}


@pytest.mark.parametrize(
    ("there", "names", "said"),
    [
        ("emma.m4b/x", [".m4b"], "emma.m4b: is a folder"),
        ("emma", ["/01 One.mp3"], "emma: a file is where a folder should be"),
        ("x", ["y" * 300], "File name too long"),
    ],
)
def test_what_is_in_the_way(tmp_path: Path, there: str, names: list[str], said: str) -> None:
    """What would keep a file from its name is told before anything is made."""
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).touch()
    with pytest.raises(UserError, match=said) as caught:
        delivery.check(tmp_path / "emma", names)
    assert caught.value.code == ExitCode.CANNOT_WRITE


def test_expected_names() -> None:
    """What will be made is known before the book is, but for the names of chapters: another is in their place."""
    several = delivery.expected(output_of(["mp3", "acx", "epub"]))
    assert several == [".report.json", ".vtt", ".read-along.epub", ".mp3", " (ACX)/01.mp3"]
    assert delivery.expected(output_of(["mp3"], split=True))[3:] == ["/01.mp3"]
    split = delivery.expected(output_of(["mp3", "flac"], split=True))[3:]
    assert split == [" (MP3)/01.mp3", " (FLAC)/01.flac"]


@pytest.mark.parametrize(("count", "which"), [(1, "chapter 1"), (3, "chapters 1–3")])  # noqa: RUF001 - a range
def test_part_of_a_book(store: ObjectStore, base: Path, count: int, which: str) -> None:
    """What is finished of a book is a file of its own, and it is said what it is."""
    chapters = tuple(ReportedChapter(title=f"{number}", start=0.0, seconds=1.0) for number in range(count))
    report = finish(store, {"m4b": [".m4b"]}).model_copy(update={"chapters": chapters})
    line = delivery.deliver_partial(report, store, base, chapters=12)
    assert line == f"{base}.partial.m4b  {which} of 12, 1:01:01"
    assert found(base) == {"emma 1.5.partial.m4b"}


@pytest.mark.parametrize(
    ("first", "expected"), [("m4b", "emma 1.5.m4b"), ("mp3", "emma 1.5"), ("acx", "emma 1.5 (ACX)")]
)
def test_main_file(store: ObjectStore, base: Path, first: str, expected: str) -> None:
    """A book is said to be where its first file is, or the folder that this is in with others."""
    report = finish(store, {first: NAMES[first], "vtt": NAMES["vtt"]})
    assert delivery.main_file(report, base) == base.parent / expected
