"""Several books in one command: in which order, what an odd one does to the others, and what is told in the end."""

import json
import unicodedata
from pathlib import Path

import pytest

from e2a import placement
from e2a.errors import ExitCode, Unavailable
from e2a.messages import BookPlanned
from e2a.plan import Order
from e2a.shelf import change_order
from e2a.storage import read_order
from e2a.topics import CHAPTERS, EVENTS, EXPRESS
from producer import looking, making
from tests.integration.produce.common import Asked, Merger, Produce, excerpt, finish, submit
from tests.unit.books import Item, epub_file, page
from tests.unit.builders import a_book_record

METADATA = "<dc:title>{}</dc:title><dc:language>en-GB</dc:language>"


def titled(path: Path, title: str) -> Path:
    """Write an EPUB of two chapters with a title."""
    path.parent.mkdir(parents=True, exist_ok=True)
    items = [Item(f"c{number}.xhtml", page(f"<h1>{number}</h1><p>{title} says so.</p>")) for number in (1, 2)]
    return epub_file(path, items, metadata=METADATA.format(title))


@pytest.fixture
def emma(tmp_path: Path) -> Path:
    return titled(tmp_path / "in/emma.epub", "Emma")


@pytest.fixture
def persuasion(tmp_path: Path) -> Path:
    return titled(tmp_path / "in/persuasion.EPUB", "Persuasion")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.epub"
    path.write_text("<html>404</html>")
    return path


def rows(shown: str) -> list[list[str]]:
    """Return the cells of the table at the end of what was shown."""
    lines = shown.splitlines()
    rule = next(number for number, line in enumerate(lines) if "────" in line)
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[rule + 1 :] if line.strip()]


def test_a_folder_and_files(
    produce: Produce, merger: Merger, emma: Path, persuasion: Path, odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Books of a folder and others are made together, each once; one that cannot be read is told and stops no other."""
    (emma.parent / "._emma.epub").write_bytes(b"what macOS leaves")
    (emma.parent / "notes.txt").write_bytes(b"no book")
    link = emma.parent.parent / "again.epub"
    link.symlink_to(emma)
    assert produce(odd, emma.parent, link) == ExitCode.BAD_INPUT
    captured = capsys.readouterr()
    assert captured.err == f"e2a-produce: {odd}: not an EPUB but a web page: fetch it again\n"
    assert captured.out.splitlines()[:2] == [
        "Emma: 2 of 2 parts to speak, 0 are there already",
        "Persuasion: 2 of 2 parts to speak, 0 are there already",
    ]
    assert rows(captured.out) == [
        ["odd.epub", "failed", f"{odd}: not an EPUB but a web page: fetch it again"],
        ["Emma", "done", "2", "1:01:01", str(emma.with_suffix(".m4b"))],
        ["Persuasion", "done", "2", "1:01:01", str(persuasion.with_suffix(".m4b"))],
    ]
    assert sorted(path.name for path in emma.parent.glob("*.m4b")) == ["emma.m4b", "persuasion.m4b"]


def test_each_is_delivered_when_it_is_done(
    produce: Produce, merger: Merger, emma: Path, persuasion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All books are submitted before the first is waited for, and a finished one does not wait for the others."""
    there: list[tuple[int, bool]] = []

    def sleep(seconds: float) -> None:
        there.append((len(merger.broker.messages(EVENTS)), emma.with_suffix(".m4b").exists()))
        Merger.sleep(merger, seconds)

    monkeypatch.setattr(merger, "sleep", sleep)
    assert produce(emma, persuasion) == ExitCode.OK
    assert there == [(2, False), (2, True)]


def test_one_that_fails(
    produce: Produce, merger: Merger, emma: Path, persuasion: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A book of which parts cannot be made does not keep the other from being delivered; the exit code tells."""
    merger.failures = {"Emma": "no such voice"}
    assert produce(emma, persuasion) == ExitCode.BOOK_FAILED
    captured = capsys.readouterr()
    assert captured.err == "e2a-produce: 'Emma' is not whole: no such voice\n"
    failed, done = rows(captured.out)
    assert failed == ["Emma", "failed", "1/2", "'Emma' is not whole: no such voice"]
    assert done[1] == "done"


def test_failures_of_several_kinds(produce: Produce, odd: Path, tmp_path: Path) -> None:
    """Where books fail for different reasons the exit code is that of a failed book, else that of the reason."""
    assert produce(odd, tmp_path / "none.epub") == ExitCode.BOOK_FAILED
    assert produce(tmp_path / "none.epub", tmp_path / "nor.epub") == ExitCode.NO_INPUT


def test_books_that_would_be_the_same_file(
    produce: Produce, merger: Merger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second of two books that would be delivered under one name is told; the first is made."""
    first, second = titled(tmp_path / "a/book.epub", "Emma"), titled(tmp_path / "b/book.epub", "Persuasion")
    assert produce(first, second, "--output-dir", tmp_path / "out") == ExitCode.CANNOT_WRITE
    base = tmp_path / "out/book"
    assert capsys.readouterr().err == f"e2a-produce: {second}: would be put where {first} is, as {base}\n"
    assert (tmp_path / "out/book.m4b").exists()
    assert len(merger.broker.messages(EVENTS)) == 1


def test_servers_that_are_away_are_waited_for_once(
    produce: Produce, emma: Path, persuasion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without servers finished books are delivered all the same, and those that are not wait only once."""
    looked: list[object] = []
    require = making.require
    monkeypatch.setattr(making, "require", lambda *checks: (looked.append(checks), require(*checks))[1])
    finish(persuasion, tmp_path / "storage")
    third = titled(tmp_path / "in/third.epub", "Third")
    assert produce(emma, persuasion, third) == ExitCode.UNAVAILABLE
    assert persuasion.with_suffix(".m4b").exists()
    assert [len(checks) for checks in looked] == [1, 2]  # storage, then Kafka and Redis


class Refusing:
    """Kafka that answers, but makes no topics."""

    asked = 0

    def __init__(self, *_arguments: object) -> None:
        pass

    def check(self) -> None:
        pass

    partitions = check

    def ensure_topics(self, _topics: object) -> None:
        Refusing.asked += 1
        raise Unavailable("Kafka: no topics")


def test_topics_that_cannot_be_made(
    produce: Produce,
    emma: Path,
    persuasion: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kafka that refuses to make the topics is asked once for all books."""
    monkeypatch.setattr(making, "Admin", Refusing)
    monkeypatch.setattr(making, "open_checkpoint", Refusing)
    monkeypatch.setattr(Refusing, "asked", 0)
    assert produce(emma, persuasion) == ExitCode.UNAVAILABLE
    said = "not reachable: Kafka: no topics"
    assert capsys.readouterr().err == f"e2a-produce: Emma: {said}\ne2a-produce: Persuasion: {said}\n"
    assert Refusing.asked == 1


def test_name_that_happens_to_be_in_the_message(
    produce: Produce, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A book is named although its title is a word of what is said of it."""
    books = [titled(tmp_path / f"in/{title}.epub", title) for title in ("Redis", "Emma")]
    assert produce(*books) == ExitCode.UNAVAILABLE
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("e2a-produce: Redis: not reachable: ")
    assert second.startswith("e2a-produce: Emma: not reachable: ")


def test_title_that_would_move_the_cursor(
    produce: Produce, merger: Merger, emma: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a title does to a terminal is left out of all that is shown; in a table a long one is cut."""
    odd = titled(tmp_path / "in/od\x1bd.epub", f"O\u202edd {'very ' * 20}long")
    merger.failures = {"Emma": "no such voice"}
    for arguments in ([emma, odd], [odd, "--list-chapters"]):
        produce(*arguments)
        captured = capsys.readouterr()
        shown = captured.out + captured.err
        assert "Odd very" in shown
        assert not any(unicodedata.category(each) in {"Cc", "Cf"} for each in shown.replace("\n", ""))
        if odd is not arguments[0]:
            assert rows(captured.out)[1][0] == f"Odd {'very ' * 20}"[:59] + "…"


def test_detached(
    produce: Produce, merger: Merger, emma: Path, persuasion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for books that are submitted detached, nor are they put anywhere; the table says what they are."""
    finish(emma, tmp_path / "storage")
    assert produce(emma, persuasion, "--detach") == ExitCode.OK
    assert rows(capsys.readouterr().out) == [["Emma", "finished", "2"], ["Persuasion", "submitted", "2"]]
    assert list(emma.parent.glob("*.m4b")) == []


def test_sequential(
    produce: Produce, emma: Path, persuasion: Path, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without servers the books are made one after another, with one engine."""
    assert produce(emma, persuasion, "--sequential") == ExitCode.BOOK_FAILED
    assert [plan.title for plan, _ in asked] == ["Emma", "Persuasion"]
    assert asked.makers == 1
    assert [row[:2] for row in rows(capsys.readouterr().out)] == [["Emma", "failed"], ["Persuasion", "failed"]]


@pytest.mark.parametrize("option", ["--list-chapters", "--dry-run"])
def test_looking(
    produce: Produce, emma: Path, persuasion: Path, odd: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What would be read is shown of each, headed by its name; one that cannot be read is told."""
    assert produce(emma, odd, persuasion, option) == ExitCode.BAD_INPUT
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines.index(str(emma)) < lines.index(str(persuasion))
    assert captured.err.startswith(f"e2a-produce: {odd}: ")


def test_status(
    produce: Produce,
    merger: Merger,
    emma: Path,
    persuasion: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The checkpoints of several books name them."""
    monkeypatch.setattr(looking, "open_checkpoint", lambda _settings: merger.checkpoint)
    for path in (emma, persuasion):
        plan, _ = submit(path, tmp_path / "storage", 0)
        merger.checkpoint.seed(a_book_record(plan.book_id), {})
    assert produce(emma, persuasion, "--status") == ExitCode.OK
    shown, end = capsys.readouterr().out, 0
    found = []
    while shown[end:].strip():
        value, end = json.JSONDecoder().raw_decode(shown, end)
        found.append((value["book"], value["stage"]))
        end += 1
    assert found == [(str(emma), "synthesising"), (str(persuasion), "synthesising")]


def test_partial(
    produce: Produce,
    emma: Path,
    persuasion: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is finished of several books is fetched of each, although one has nothing yet."""
    submit(emma, tmp_path / "storage", 0)
    submit(persuasion, tmp_path / "storage", 1)
    monkeypatch.setattr(looking.making, "sequential_mode", Excerpts)
    assert produce(emma, persuasion, "--partial", "--sequential") == ExitCode.UNAVAILABLE
    captured = capsys.readouterr()
    assert captured.out == f"{persuasion.with_suffix('.partial.m4b')}  chapter 1 of 2, 0:01:01\n"
    assert captured.err.startswith("e2a-produce: ")
    assert "the first chapter of 'Emma' is not finished yet" in captured.err


def test_partial_of_books_that_would_be_the_same_file(
    produce: Produce, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two books that would be fetched under one name the second is told, and does not replace the first."""
    first, second = titled(tmp_path / "a/book.epub", "Emma"), titled(tmp_path / "b/book.epub", "Persuasion")
    for path in (first, second):
        submit(path, tmp_path / "storage", 1)
    monkeypatch.setattr(looking.making, "sequential_mode", Excerpts)
    arguments = ("--partial", "--sequential", "--output-dir", tmp_path / "out")
    assert produce(first, second, *arguments) == ExitCode.CANNOT_WRITE
    base = tmp_path / "out/book"
    assert capsys.readouterr().err == f"e2a-produce: {second}: would be put where {first} is, as {base}\n"


class Excerpts:
    """Sequential mode that has one chapter of every book."""

    @staticmethod
    def partial(plan, store):
        return excerpt(plan, store, 1)


def test_interrupted(
    produce: Produce,
    merger: Merger,
    emma: Path,
    persuasion: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C ends the following of all books, and says that nothing is lost."""

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(merger, "sleep", interrupted)
    assert produce(emma, persuasion) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "e2a-produce: stopped; the same command again goes on\n"


def test_urgent(
    produce: Produce, merger: Merger, emma: Path, persuasion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An urgent book is announced as one, and its jobs go before others; so they do when it is submitted again."""
    monkeypatch.setattr(placement, "EXPRESS_SECONDS", 0)
    assert produce(persuasion, "--detach") == ExitCode.OK
    assert (len(merger.broker.take(CHAPTERS)), merger.broker.take(EXPRESS)) == (2, [])
    merger.broker.take(EVENTS)
    for arguments in (["--urgent"], []):
        assert produce(emma, "--detach", *arguments) == ExitCode.OK
    ((book_id,),) = [{event.book_id for event in merger.broker.take(EVENTS) if isinstance(event, BookPlanned)}]
    assert read_order(merger.store, book_id) == Order(urgent=True)
    assert (len(merger.broker.take(EXPRESS)), merger.broker.take(CHAPTERS)) == (4, [])


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_submitted_again(produce: Produce, merger: Merger, emma: Path, tmp_path: Path, state: str) -> None:
    """A book that was paused or cancelled is wanted when it is submitted again; nothing else of its order changes."""
    plan, store = submit(emma, tmp_path / "storage", 0)
    change_order(store, plan.book_id, state=state, urgent=True)
    assert produce(emma) == ExitCode.OK
    assert read_order(store, plan.book_id) == Order(urgent=True)


def test_order_stays_while_servers_are_away(produce: Produce, emma: Path, tmp_path: Path) -> None:
    """A submission that does not get through changes nothing of what is wanted."""
    plan, store = submit(emma, tmp_path / "storage", 0)
    change_order(store, plan.book_id, state="paused")
    assert produce(emma) == ExitCode.UNAVAILABLE
    assert read_order(store, plan.book_id).state == "paused"
