"""e2a-books as it is typed, without servers: what it shows, changes and refuses."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2a import service
from e2a.bus import Letter
from e2a.checkpoint import BookRecord
from e2a.errors import ExitCode
from e2a.messages import BookChanged, DeadLetter, PartsWanted, chapter_job, dead_letter, encode
from e2a.plan import Plan
from e2a.storage import keys, read_order
from e2a.testing import Clock, MemoryBroker, MemoryCheckpoint
from e2a.topics import EVENTS
from producer import books as command
from tests.integration.produce.common import put_files
from tests.stores import directory_store
from tests.unit.builders import a_book_record, a_part_record, a_plan, a_worker_record, put_plan

EMMA, SENSE = "aaaa000000000001", "bbbb000000000002"
AWAY = {"KAFKA_BOOTSTRAP": "127.0.0.1:1", "REDIS_URL": "redis://:hunter2@127.0.0.1:2/0", "PATIENCE": "0.3"}


class Scene:
    """A cluster with two books: of Emma a part failed and another waits to be tried again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, storage: Path) -> None:
        self._monkeypatch = monkeypatch
        self.store = directory_store(storage)
        self.checkpoint = MemoryCheckpoint(Clock())
        self.broker = MemoryBroker()
        self.letters: list[Letter] = []
        self.emma = a_plan((2, 1), book_id=EMMA, title="Emma [draft]")
        self.sense = a_plan((1,), book_id=SENSE, title="Sense and Sensibility")
        put_plan(self.store, self.emma)
        put_plan(self.store, self.sense)
        parts = {
            0: a_part_record("done", audio_seconds=61.0),
            1: a_part_record("failed", attempts=3, reason="no such voice", worker="w1"),
            2: a_part_record(chapter=1, attempts=1, retry_at=1012.0, reason="out of memory", worker="w0"),
        }
        self.checkpoint.seed(a_book_record(EMMA, title="Emma [draft]"), parts)
        self.checkpoint.heartbeat(a_worker_record("w0", book_id=EMMA, chapter=1, last_seen=999.0))
        for name, value in ({"STORAGE": str(storage)} | AWAY).items():
            monkeypatch.setenv(f"E2A_{name}", value)
        monkeypatch.setattr("time.time", lambda: 1000.0)

        monkeypatch.setattr(command, "LETTING_GO", 0.0)

    def serve(self) -> None:
        """Let the command find the servers."""
        self._monkeypatch.setattr(command, "open_checkpoint", lambda _settings: self.checkpoint)
        self._monkeypatch.setattr(command, "KafkaPublisher", lambda *_: self.broker)
        self._monkeypatch.setattr(command, "read_letters", lambda *_: iter(self.letters))

    def run(self, *arguments: object) -> int:
        self._monkeypatch.setattr(sys, "argv", ["e2a-books", *map(str, arguments)])
        return service.run("e2a-books", command._run)

    def bury(self, plan: Plan, index: int, reason: str = "no such voice") -> None:
        """Add the dead letter of a part."""
        raw = encode(chapter_job(plan, plan.parts[index], attempt=3))
        self.post(dead_letter(raw, reason=reason, source="e2a.merger"))

    def post(self, letter: DeadLetter) -> None:
        self.letters.append(Letter(len(self.letters), 500.0 + len(self.letters), letter))


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    """Return a scene in which no server answers but storage."""
    return Scene(monkeypatch, tmp_path / "storage")


@pytest.fixture
def scene(unserved: Scene) -> Scene:
    unserved.serve()
    return unserved


def cells(shown: str) -> Iterator[list[str]]:
    """Yield the cells of the lines of tables."""
    for line in shown.splitlines():
        if line.startswith("  ") and line.strip():
            yield [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_list(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Books are listed with what is done, failed and to be tried again, and are JSON where that is wanted."""
    scene.run("urgent", "sense")
    capsys.readouterr()
    assert scene.run("list") == ExitCode.OK
    assert list(cells(capsys.readouterr().out)) == [
        ["title", "id", "stage", "done", "chapters"],
        ["Emma [draft]", EMMA[:8], "synthesising", "33.3%", "0/2", "1 failed, 1 to be tried again"],
        ["Sense and Sensibility", SENSE[:8], "submitted", "urgent"],
    ]
    assert scene.run("list", "--json") == ExitCode.OK
    emma, sense = json.loads(capsys.readouterr().out)
    assert (emma["percent"], emma["retries"], emma["progress"]["failed"]) == (33.3, 1, 1)
    assert (sense["title"], sense["stage"], sense["urgent"], sense["percent"]) == (
        "Sense and Sensibility",
        "submitted",
        True,
        None,
    )


def test_no_books(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty shelf is said to be empty."""
    for plan in (scene.emma, scene.sense):
        scene.store.delete(keys.book(plan.book_id, keys.PLAN))
        (scene.store._root / keys.book(plan.book_id, "")).rmdir()
    assert scene.run("list") == ExitCode.OK
    assert capsys.readouterr().out == "no books\n"


def test_show(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a book its chapters are shown, who is at them, and which parts failed, why, and when they are tried again."""
    assert scene.run("show", "emma") == ExitCode.OK
    shown = capsys.readouterr().out
    assert shown.startswith(f"'Emma [draft]' ({EMMA}): synthesising\n")
    assert list(cells(shown)) == [
        ["no.", "chapter", "state", "parts", "length", "workers"],
        ["1", "Chapter 1", "failed", "1/2", "0:01:01"],
        ["2", "Chapter 2", "in work", "0/1", "w0"],
        ["part", "chapter", "state", "failed", "worker", "why"],
        ["1", "1", "failed", "3 times", "w1", "no such voice"],
        ["2", "2", "again in 12 s", "once", "w0", "out of memory"],
    ]
    assert scene.run("show", "emma", "--json") == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert [chapter["state"] for chapter in told["chapters"]] == ["failed", "in work"]
    assert [(part["part"], part["attempts"], part["retry_in"]) for part in told["parts"]] == [(1, 3, 0.0), (2, 1, 12.0)]


def test_show_a_failed_book(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a book that failed it is said why."""

    def fail(book: BookRecord) -> BookRecord:
        return book.model_copy(update={"stage": "failed", "reason": "1 part missing"})

    scene.checkpoint.update_book(EMMA, fail)
    assert scene.run("show", EMMA) == ExitCode.OK
    assert capsys.readouterr().out.splitlines()[:2] == [f"'Emma [draft]' ({EMMA}): failed", "1 part missing"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pause"], "is paused"),
        (["resume"], "is not paused"),
        (["cancel"], "is cancelled"),
        (["urgent"], "is made before all others"),
        (["urgent", "--off"], "is made when its turn comes"),
    ],
)
def test_orders(scene: Scene, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Several books are changed at once, each is named, and the merger is told."""
    assert scene.run(*arguments, "emma", "sense", "aaaa") == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        f"'Emma [draft]' ({EMMA}) {said}",
        f"'Sense and Sensibility' ({SENSE}) {said}",
    ]
    assert scene.broker.messages(EVENTS) == [BookChanged(book_id=EMMA), BookChanged(book_id=SENSE)]


@pytest.mark.parametrize("state", ["pause", "cancel"])
def test_resume(scene: Scene, state: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A book that was paused or cancelled goes on."""
    scene.run(state, "emma")
    capsys.readouterr()
    assert scene.run("resume", "emma") == ExitCode.OK
    assert capsys.readouterr().out == f"'Emma [draft]' ({EMMA}) goes on\n"


def test_retry(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """All failed parts of a book are tried again; how many they are is said where that is known."""
    persuasion = "cccc000000000003"
    put_plan(scene.store, a_plan(book_id=persuasion, title="Persuasion"))
    scene.checkpoint.seed(a_book_record(persuasion, title="Persuasion"), {0: a_part_record("done")})
    assert scene.run("retry", "emma", "sense", "persuasion") == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        f"'Emma [draft]' ({EMMA}): 1 failed part is tried again",
        f"'Sense and Sensibility' ({SENSE}): what has failed is tried again",
        f"'Persuasion' ({persuasion}): no failed part to try again",
    ]
    assert scene.broker.messages(EVENTS) == [PartsWanted(book_id=each) for each in (EMMA, SENSE, persuasion)]


def test_one_that_cannot_be_found(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """When one of several books is not there nothing is done to any."""
    assert scene.run("cancel", "emma", "persuasion") == ExitCode.NO_INPUT
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "",
        "e2a-books: 'persuasion': no such book; e2a-books list shows those there are\n",
    )
    assert read_order(scene.store, EMMA).state == "wanted"


def test_one_that_is_finished(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """A finished book that cannot be paused is told, and keeps no other from being paused."""
    put_files(scene.store, EMMA)
    assert scene.run("pause", "emma", "sense") == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.err == f"e2a-books: 'Emma [draft]' ({EMMA}) is finished\n"
    assert captured.out == f"'Sense and Sensibility' ({SENSE}) is paused\n"


def test_remove(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """A book is removed, and it is told what became of its parts, and whether it is to be removed again."""
    scene.checkpoint.claim(f"part/{scene.emma.parts[2].digest}", "w0", ttl=60)
    scene.checkpoint.forget(EMMA)
    head = f"'Emma [draft]' ({EMMA}) is removed; of its parts"
    assert scene.run("remove", "emma", "--yes") == ExitCode.OK
    assert capsys.readouterr().out == (
        f"{head} 1 removed, 1 kept for other books; not finished, remove it again: 1 of its parts in work\n"
    )
    scene.checkpoint.release(f"part/{scene.emma.parts[2].digest}", "w0")
    assert scene.run("remove", "emma", "--yes") == ExitCode.OK
    assert capsys.readouterr().out == f"{head} 2 removed, 1 kept for other books\n"


class Keyboard:
    """A terminal on which somebody types."""

    def __init__(self, typed: str) -> None:
        self._typed = typed

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self._typed


@pytest.mark.parametrize(("typed", "stays"), [("y\n", False), ("n\n", True), ("\n", True)])
def test_remove_asks(
    scene: Scene, typed: str, stays: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sits at a terminal is asked before anything is removed."""
    monkeypatch.setattr(sys, "stdin", Keyboard(typed))
    assert scene.run("remove", "emma") == ExitCode.OK
    shown = capsys.readouterr().out
    assert f"Remove 'Emma [draft]' ({EMMA}) from storage?" in shown
    assert ("stays\n" in shown) is stays
    assert (scene.store.size(keys.book(EMMA, keys.PLAN)) is not None) is stays


def test_remove_where_nobody_can_be_asked(
    scene: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that does not say --yes removes nothing."""
    monkeypatch.setattr(Keyboard, "isatty", lambda _: False)
    monkeypatch.setattr(sys, "stdin", Keyboard(""))
    assert scene.run("remove", "emma") == ExitCode.USAGE
    assert "--yes removes it where nobody can be asked" in capsys.readouterr().err
    assert scene.store.size(keys.book(EMMA, keys.PLAN)) is not None


def test_list_of_dead_letters(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Of each part the last letter is listed, the newest last, with what became of the part since."""
    scene.bury(scene.emma, 1, reason="first")
    scene.bury(scene.emma, 0)
    scene.post(DeadLetter(reason="not JSON", source="e2a.chapters/0/7", payload="{"))
    scene.bury(scene.emma, 2)
    scene.bury(a_plan(book_id="cccc000000000003"), 0)
    scene.bury(scene.emma, 1, reason="second")
    assert scene.run("dlq", "list") == ExitCode.OK
    rows = [[row[0], *row[2:]] for row in cells(capsys.readouterr().out)]
    assert rows == [
        ["no.", "book", "chapter/part", "tries", "since", "why"],
        ["1", "Emma [draft]", "1/0", "3", "done", "no such voice"],
        ["2", "not of a book", "not JSON"],
        ["3", "Emma [draft]", "2/2", "3", "to be tried again", "no such voice"],
        ["4", "cccc000000000003", "?/0", "3", "book gone", "no such voice"],
        ["5", "Emma [draft]", "1/1", "3", "still failed", "second"],
    ]
    assert scene.run("dlq", "list", "--json") == ExitCode.OK
    letters = json.loads(capsys.readouterr().out)
    assert [(letter["number"], letter["part"]) for letter in letters] == [(1, 0), (2, None), (3, 2), (4, 0), (5, 1)]
    assert "payload" not in letters[0]


def test_no_dead_letters(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """No dead letters are said to be none."""
    assert scene.run("dlq", "list") == ExitCode.OK
    assert capsys.readouterr().out == "no dead letters\n"


def test_show_a_dead_letter(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """A letter is shown whole: with the sentences of a job, or the message that is none."""
    scene.bury(scene.emma, 1)
    scene.post(DeadLetter(reason="not JSON", source="e2a.chapters/0/7", payload="{[bold]"))
    assert scene.run("dlq", "show", 0) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("dead letter 0 of 19")
    assert lines[1:] == [
        f"book: 'Emma [draft]' ({EMMA})",
        "part: 1 in chapter 1, still failed",
        "tries: 3",
        "from: e2a.merger",
        "why: no such voice",
        "",
        "to be spoken:",
        "This is part 1.",
    ]
    assert scene.run("dlq", "show", 1) == ExitCode.OK
    assert capsys.readouterr().out.splitlines()[1:] == [
        "from: e2a.chapters/0/7",
        "why: not JSON",
        "",
        "message:",
        "{[bold]",
    ]
    assert scene.run("dlq", "show", 0, "--json") == ExitCode.OK
    assert json.loads(json.loads(capsys.readouterr().out)["payload"])["type"] == "ChapterJob"
    assert scene.run("dlq", "show", 9) == ExitCode.NO_INPUT
    assert capsys.readouterr().err == "e2a-books: no dead letter 9; e2a-books dlq list shows them\n"


def bury_all(scene: Scene) -> None:
    """Add letters of a part that is done, of two that are not, of another book, and of no job."""
    for index in (0, 1, 2):
        scene.bury(scene.emma, index)
    scene.bury(scene.sense, 0)
    scene.post(DeadLetter(reason="not JSON", source="e2a.chapters/0/7", payload="{"))


@pytest.mark.parametrize(
    ("arguments", "wanted", "code"),
    [
        ([1], {EMMA: (1,)}, ExitCode.OK),
        ([0], {}, ExitCode.OK),
        ([2, 1, 3, 1], {EMMA: (1, 2), SENSE: (0,)}, ExitCode.OK),
        ([1, 4], {EMMA: (1,)}, ExitCode.NO_INPUT),
        (["--book", "emma"], {EMMA: (1, 2)}, ExitCode.OK),
        (["--all"], {EMMA: (1, 2), SENSE: (0,)}, ExitCode.OK),
    ],
    ids=["one", "done since", "several", "no job", "a book", "all"],
)
def test_retry_dead_letters(
    scene: Scene,
    arguments: list[object],
    wanted: dict[str, tuple[int, ...]],
    code: ExitCode,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Parts of letters are tried again, by book, but for those that are done; what is no job is told, and how many had
    failed."""
    bury_all(scene)
    assert scene.run("dlq", "retry", *arguments) == code
    asked = [PartsWanted(book_id=book_id, parts=parts) for book_id, parts in wanted.items()]
    assert scene.broker.messages(EVENTS) == asked
    captured = capsys.readouterr()
    failed = 1 in wanted.get(EMMA, ())
    assert captured.out == ("1 failed part is tried again\n" if failed else "no failed part to try again\n")
    odd = "e2a-books: dead letter 4 cannot be tried again: not of a book\n"
    assert captured.err == (odd if 4 in arguments or "--all" in arguments else "")


def test_retry_dead_letters_of_a_finished_book(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """A book of which nothing can be tried again is told, and keeps no other from being tried."""
    bury_all(scene)
    put_files(scene.store, EMMA)
    assert scene.run("dlq", "retry", "1", "3") == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.err == f"e2a-books: 'Emma [draft]' ({EMMA}) is finished\n"
    assert captured.out == ""
    assert scene.broker.messages(EVENTS) == [PartsWanted(book_id=SENSE, parts=(0,))]


@pytest.mark.parametrize("arguments", [[], ["1", "--all"], ["--book", "emma", "--all"]])
def test_which_dead_letters(scene: Scene, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It must be said, in one way, which letters are tried again."""
    assert scene.run("dlq", "retry", *arguments) == ExitCode.USAGE
    assert "say which" in capsys.readouterr().err


def test_servers_that_are_away(unserved: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Without servers what storage knows is shown, an order is written but nobody hears of it, no letter is found."""
    assert unserved.run("list") == ExitCode.OK
    captured = capsys.readouterr()
    assert [row[2] for row in cells(captured.out)] == ["stage", "submitted", "submitted"]
    assert captured.err.startswith("note: only what storage knows is shown: Redis 127.0.0.1:2/0: ")
    assert unserved.run("pause", "emma") == ExitCode.UNAVAILABLE
    assert capsys.readouterr().err.startswith("e2a-books: nobody was told: Kafka 127.0.0.1:1: ")
    assert read_order(unserved.store, EMMA).state == "paused"
    assert unserved.run("dlq", "list") == ExitCode.UNAVAILABLE
    assert capsys.readouterr().err.startswith("e2a-books: Kafka 127.0.0.1:1: ")


@pytest.mark.parametrize("arguments", [[], ["sell", "emma"], ["show"], ["list", "--loud"], ["dlq", "show", "one"]])
def test_wrong_usage(scene: Scene, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is not known, or lacks something, is told in one line."""
    assert scene.run(*arguments) == ExitCode.USAGE
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["-h"], ["list", "-h"], ["dlq", "--help"], ["dlq", "retry", "-h"], ["--version"]]
)
def test_help(scene: Scene, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help and version are shown, whatever is missing."""
    assert scene.run(*arguments) == ExitCode.OK
    assert capsys.readouterr().out.strip()
