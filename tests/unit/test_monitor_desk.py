"""What viewers may do: as `e2a-books` does it, or not at all."""

from collections.abc import Callable
from typing import Any

import pytest

from e2a.checkpoint import new_book, part_record
from e2a.errors import ExitCode, Unavailable, UserError
from e2a.messages import BookChanged, PartsWanted
from e2a.plan import Order
from e2a.storage import keys, read_order
from e2a.testing import Clock, MemoryBroker, MemoryCheckpoint, MemoryStore
from e2a.topics import EVENTS
from monitor import desk
from monitor.desk import Desk
from monitor.uploads import UploadOptions
from tests.unit.builders import BOOK, a_plan, put_plan
from tests.unit.pages_feed import a_letter


class Sent:
    """Uploads that note what they get."""

    def __init__(self) -> None:
        self.books: list[tuple[str, bytes, UploadOptions]] = []

    def begin(self, *book: Any) -> None:
        self.books.append(book)

    def chapters(self, name: str, _data: bytes, _options: UploadOptions) -> str:
        return f"chapters of {name}"


class World:
    """A book, a worker, and a desk to change them from."""

    def __init__(self, *, may_change: bool = True) -> None:
        self.store, self.broker, self.uploads = MemoryStore(), MemoryBroker(), Sent()
        self.checkpoint = MemoryCheckpoint(Clock())
        plan = a_plan()
        put_plan(self.store, plan)
        self.checkpoint.seed(new_book(plan, 0.0), {part.index: part_record(part, None, 64_000) for part in plan.parts})
        self.changes = 0
        self.desk = Desk(
            self.store,
            self.checkpoint,
            self.broker,
            self.uploads,
            self.change,
            may_change=may_change,
            viewer="ann",
        )

    def change(self) -> None:
        self.changes += 1

    def order(self) -> Order:
        return read_order(self.store, BOOK)

    def told(self) -> list[Any]:
        return self.broker.take(EVENTS)


@pytest.fixture
def world() -> World:
    return World()


DEEDS: dict[str, Callable[[Desk], object]] = {
    "pause": lambda desk: desk.pause(BOOK),
    "resume": lambda desk: desk.resume(BOOK),
    "cancel": lambda desk: desk.cancel(BOOK),
    "urgent": lambda desk: desk.set_urgent(BOOK, urgent=True),
    "retry": lambda desk: desk.retry(BOOK),
    "remove": lambda desk: desk.remove(BOOK),
    "redrive": lambda desk: desk.redrive([a_letter(letter={"book_id": BOOK})]),
    "wish": lambda desk: desk.wish("gpu-0", "drain"),
    "preview": lambda desk: desk.preview("a.epub", b"", UploadOptions()),
    "send": lambda desk: desk.send("a.epub", b"", UploadOptions()),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_is_changed_where_viewers_may_only_look(deed: str) -> None:
    """Every deed is refused by the function itself, and leaves storage, topics and workers as they are."""
    world = World(may_change=False)
    before = dict(world.store.objects)
    with pytest.raises(UserError, match="E2A_MONITOR_READ_ONLY") as refusal:
        DEEDS[deed](world.desk)
    assert refusal.value.code == ExitCode.USAGE
    assert world.store.objects == before
    assert world.told() == []
    assert world.checkpoint.wish("gpu-0") == "work"
    assert world.uploads.books == []


def test_a_book_is_paused_resumed_and_cancelled(world: World) -> None:
    """What is wanted of a book is written to storage, and the merger is told each time."""
    states = []
    for change in (world.desk.pause, world.desk.resume, world.desk.cancel):
        change(BOOK)
        states.append(world.order().state)
    assert states == ["paused", "wanted", "cancelled"]
    assert world.told() == [BookChanged(book_id=BOOK)] * 3


def test_a_book_is_made_urgent_and_no_longer(world: World) -> None:
    """Urgency comes and goes."""
    world.desk.set_urgent(BOOK, urgent=True)
    assert world.order().urgent
    world.desk.set_urgent(BOOK, urgent=False)
    assert not world.order().urgent


def test_failed_parts_are_tried_again(world: World) -> None:
    """All that has failed of a book, one part, or those of dead letters are asked for."""
    world.desk.retry(BOOK)
    world.desk.retry(BOOK, [2])
    retried = world.desk.redrive([a_letter(1, letter={"book_id": BOOK}), a_letter(2, since="done")])
    assert retried.parts == 1
    assert [event.parts for event in world.told() if isinstance(event, PartsWanted)] == [(), (2,), (1,)]


def test_a_book_is_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal takes the plan away, and says what is not finished: here there is no merger that forgets the book."""
    monkeypatch.setattr(desk, "LETTING_GO", 0.0)
    removal = world.desk.remove(BOOK)
    assert world.changes == 1
    assert world.store.size(keys.book(BOOK, keys.PLAN)) is None
    assert "e2a-merge" in removal.unfinished


def test_a_worker_is_drained(world: World) -> None:
    """What is wanted of a worker is in the checkpoint, where it looks."""
    world.desk.wish("gpu-0", "drain")
    assert world.checkpoint.wish("gpu-0") == "drain"


def test_books_are_sent(world: World) -> None:
    """An EPUB can be looked at, and is sent with its options."""
    assert world.desk.preview("a.epub", b"x", UploadOptions()) == "chapters of a.epub"
    world.desk.send("a.epub", b"x", UploadOptions(voice="v"))
    assert world.uploads.books == [("a.epub", b"x", UploadOptions(voice="v"))]


def test_a_checkpoint_that_was_away_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deed while Redis is away does what storage allows, and the next one asks Redis again."""
    asked = []

    def away(book_id: str) -> None:
        asked.append(book_id)
        raise Unavailable("Redis: refused")

    monkeypatch.setattr(world.checkpoint, "stage", away)
    monkeypatch.setattr(desk, "LETTING_GO", 0.0)
    for _removal in range(2):
        assert "Redis: refused" in world.desk.remove(BOOK).unfinished
    assert len(asked) >= 2
