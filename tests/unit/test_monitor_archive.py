"""What the page knows of storage, and how little it reads for that."""

from collections.abc import Callable, Iterator

import pytest

from e2a.errors import Unavailable
from e2a.plan import BITRATE, Accounting, Order, Output, Sentence
from e2a.report import Report, ReportedChapter, ReportedFile
from e2a.shelf import change_order
from e2a.storage import keys
from e2a.testing import Clock, MemoryStore
from monitor.archive import ODD, OPENED, Archive, Facts, Name
from tests.unit.builders import BOOK, a_part, a_plan, put_plan

OTHER = "aaaa000000000001"
OUTPUT = keys.output(BOOK, "book.m4b")
REPORT = Report(
    book_id=BOOK,
    title="Emma",
    authors=("Jane Austen", "B"),
    output=OUTPUT,
    audio_seconds=3.0,
    audio_bytes=3000,
    files=(ReportedFile(format="m4b", key=OUTPUT, name=".m4b", size=3000),),
    problems=("no cover",),
    chapters=(ReportedChapter(title="I", start=0.0, seconds=3.0, loudness=-19.0),),
)


class Source(MemoryStore):
    """A store that counts what is read of it, and goes away when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.read_keys: list[str] = []
        self.away = ""
        self.odd: list[str] = []

    def get(self, key: str) -> bytes:
        if self.away or any(part in key for part in self.odd):
            raise Unavailable(self.away or f"{key}: permission denied")
        self.read_keys.append(key.rpartition("/")[2])
        return super().get(key)

    def list(self, prefix: str) -> Iterator[str]:
        if self.away:
            raise Unavailable(self.away)
        return super().list(prefix)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = 1000.0
    return clock


@pytest.fixture
def store() -> Source:
    store = Source()
    put_plan(store, a_plan())
    return store


@pytest.fixture
def archive(store: Source, clock: Clock) -> Archive:
    return Archive(store, clock)


def finish(store: MemoryStore) -> None:
    """Put the finished book where the merger does."""
    store.put(OUTPUT, bytes(3000))
    store.put(keys.report(BOOK), REPORT.model_dump_json().encode())


def test_a_book_that_is_recorded(archive: Archive, store: Source, clock: Clock) -> None:
    """Of a book that the checkpoint has, storage says what is wanted of it, and nothing is read for that."""
    archive.read({BOOK})
    assert archive.facts == {BOOK: Facts(has_plan=True, is_retired=False)}
    assert (archive.reading.taken, archive.reading.problem) == (1000.0, "")
    assert store.read_keys == []
    change_order(store, BOOK, state="paused", urgent=True)
    store.put(keys.book(BOOK, "cover.jpg"), b"jpeg")
    archive.read({BOOK})
    assert archive.facts[BOOK].order == Order(state="paused", urgent=True)
    assert archive.facts[BOOK].cover


def test_a_book_that_is_not_recorded(archive: Archive, store: Source) -> None:
    """The name of a book that only storage knows is read of its plan, once; also while the book is being removed."""
    archive.read(())
    assert archive.facts[BOOK].name == Name(title="Emma", authors=("Jane Austen",))
    archive.read(())
    assert store.read_keys == [keys.PLAN]
    store.put(keys.book(OTHER, keys.REMOVED), a_plan(title="Persuasion").model_dump_json().encode())
    archive.read({BOOK})
    assert archive.facts[OTHER].name == Name(title="Persuasion", authors=("Jane Austen",))
    assert (archive.facts[OTHER].is_retired, archive.facts[OTHER].has_plan) == (True, False)


@pytest.mark.parametrize("plan", [b"{}", b"\xff"])
def test_a_plan_that_cannot_be_read(archive: Archive, store: Source, plan: bytes) -> None:
    """Nobody knows the name of a book whose plan cannot be read, nor anything else that it says."""
    store.put(keys.book(BOOK, keys.PLAN), plan)
    archive.read(())
    assert (archive.facts[BOOK].name, archive.script(BOOK)) == (None, None)


def test_a_finished_book(archive: Archive, store: Source) -> None:
    """What the report says of a finished book is read once, and again when the book was made anew."""
    finish(store)
    archive.read({BOOK})
    archive.read({BOOK})
    finished = archive.facts[BOOK].finished
    assert finished is not None
    assert (finished.title, finished.authors, finished.audio_seconds) == ("Emma", "Jane Austen, B", 3.0)
    assert (finished.files, finished.problems, finished.loudness) == (REPORT.files, ("no cover",), (-19.0,))
    assert store.read_keys == ["book.json"]
    store.put(keys.report(BOOK), REPORT.model_copy(update={"title": "Emma, again"}).model_dump_json().encode())
    archive.read({BOOK})
    assert archive.facts[BOOK].finished == finished._replace(title="Emma, again", size=finished.size + 7)
    store.delete(keys.report(BOOK))
    archive.read({BOOK})
    assert archive.facts[BOOK].finished is None


def test_a_book_whose_files_are_not_whole(archive: Archive, store: Source) -> None:
    """A report of files that are not there is of no finished book."""
    finish(store)
    store.delete(OUTPUT)
    archive.read({BOOK})
    assert archive.facts[BOOK].finished is None


def test_what_is_left_of_a_book(archive: Archive, store: Source) -> None:
    """A folder without source and plan is no book."""
    store.delete(keys.book(BOOK, keys.PLAN))
    store.put(keys.book(BOOK, "cover.jpg"), b"jpeg")
    archive.read(())
    assert archive.facts == {}
    store.put(keys.book(BOOK, keys.SOURCE), b"epub")
    archive.read(())
    assert not archive.facts[BOOK].has_plan


def test_script(archive: Archive, store: Source) -> None:
    """A plan says what each part is called and what is said in it, and is read once."""
    accounting = Accounting(characters=10, spoken=8, skipped={"note": 2})
    sentences = (Sentence(text="Mr. Knightley", spoken="Mister Knightley", pause_ms=1), Sentence(text="B.", pause_ms=1))
    plan = a_plan((1,), accounting=accounting, problems=("odd",), output=Output(bitrate=96_000))
    chapter = plan.chapters[0].model_copy(update={"parts": (a_part(sentences=sentences),)})
    put_plan(store, plan.model_copy(update={"chapters": (chapter,)}))
    script = archive.script(BOOK)
    assert script is not None
    assert script.texts == (("Mr. Knightley", "B."),)
    assert (script.digests, script.bitrate) == ((a_part(sentences=sentences).digest,), 96_000)
    assert (script.accounting, script.problems) == (accounting, ("odd",))
    assert archive.script(BOOK) is script
    assert store.read_keys == [keys.PLAN]
    put_plan(store, a_plan(book_id=OTHER))
    other = archive.script(OTHER)
    assert other is not None
    assert other.bitrate == BITRATE


def test_only_the_last_scripts_are_remembered(archive: Archive, store: Source) -> None:
    """Texts of a few books are remembered: they are by far the most of what there is."""
    ids = [f"aaaa00000000000{number}" for number in range(OPENED + 1)]
    for book_id in ids:
        put_plan(store, a_plan(book_id=book_id))
        archive.script(book_id)
    archive.script(ids[-1])
    assert len(store.read_keys) == OPENED + 1
    archive.script(ids[0])
    assert len(store.read_keys) == OPENED + 2


@pytest.mark.parametrize("ask", [lambda archive: archive.read(()), lambda archive: archive.script(BOOK)])
def test_storage_goes_away_and_comes_back(
    archive: Archive, store: Source, clock: Clock, ask: Callable[[Archive], object]
) -> None:
    """While storage is away what was known stays, with the reason; nobody else waits for it before it is back."""
    archive.read(())
    store.away = "storage s3: refused"
    clock.now += 5
    ask(archive)
    assert (archive.reading.taken, archive.reading.problem) == (1000.0, "storage s3: refused")
    assert BOOK in archive.facts
    store.away = ""
    assert archive.script(BOOK) is None
    archive.read(())
    assert (archive.reading.taken, archive.reading.problem) == (1005.0, "")
    assert archive.script(BOOK) is not None


def test_an_odd_object_of_one_book(archive: Archive, store: Source, clock: Clock) -> None:
    """A book of which something cannot be read stays as it was known, with the reason; all others are read."""
    archive.read(())
    change_order(store, BOOK, urgent=True)
    change_order(store, OTHER, urgent=True)
    store.odd = [f"{BOOK}/{keys.ORDER}"]
    put_plan(store, a_plan(book_id=OTHER))
    clock.now += 5
    archive.read(())
    assert (archive.facts[BOOK].order.urgent, archive.facts[OTHER].order.urgent) == (False, True)
    assert archive.reading.taken == 1005.0
    assert "permission denied" in archive.reading.problem
    assert archive.script(OTHER) is not None
    store.odd = []
    archive.read(())
    assert archive.facts[BOOK].order.urgent
    assert archive.reading.problem == ""


def test_storage_of_which_much_cannot_be_read_is_away(archive: Archive, store: Source, clock: Clock) -> None:
    """After some books that cannot be read no other is tried: each may have to be waited for."""
    archive.read(())
    for number in range(ODD + 3):
        put_plan(store, a_plan(book_id=f"{number:016x}"))
    store.odd = [f"/{keys.PLAN}"]
    clock.now += 5
    archive.read(())
    assert archive.reading.taken == 1000.0
    assert list(archive.facts) == [BOOK]
