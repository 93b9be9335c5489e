"""The shelf: which book is meant, how far it is, and what its owner may do with it."""

from collections.abc import Callable, Iterable
from typing import NoReturn

import pytest

from e2a.errors import ExitCode, Unavailable, UserError
from e2a.messages import BookChanged, Message, PartsWanted
from e2a.plan import BITRATE, Order, Plan
from e2a.report import Report, ReportedFile
from e2a.shelf import Removal, Shelf, change_order
from e2a.storage import keys, read_order, read_plan
from e2a.testing import Clock, MemoryBroker, MemoryCheckpoint, MemoryStore
from e2a.topics import EVENTS
from tests.unit.builders import (
    a_book_record,
    a_part,
    a_part_record,
    a_plan,
    a_sidecar,
    a_worker_record,
    put_part,
    put_plan,
)

EMMA, SENSE, OTHER = "aaaa000000000001", "aaaa000000000002", "bbbb000000000003"


class Store(MemoryStore):
    """A store that goes away after so many deletions."""

    deletions = -1

    def delete(self, key: str) -> None:
        if self.deletions == 0:
            raise Unavailable("storage: gone")
        self.deletions -= 1
        super().delete(key)


class Checkpoint(MemoryCheckpoint):
    """A checkpoint that is away, and counts how often it was asked."""

    asked = 0

    def stages(self) -> NoReturn:
        self._go()

    def stage(self, book_id: str) -> NoReturn:
        self._go()

    def book(self, book_id: str) -> NoReturn:
        self._go()

    def _go(self) -> NoReturn:
        self.asked += 1
        raise Unavailable("Redis: gone")


class Broker(MemoryBroker):
    """A broker that is away when told to be."""

    away = False

    def send(self, topic: str, messages: Iterable[Message], partitions: Iterable[int] | None = None) -> None:
        if self.away:
            raise Unavailable("Kafka: gone")
        super().send(topic, messages, partitions)


class Scene:
    """Two books that share a part, and one that is finished."""

    def __init__(self) -> None:
        self.store = Store()
        self.checkpoint = MemoryCheckpoint(Clock())
        self.broker = Broker()
        self.shelf = Shelf(self.store, self.checkpoint, self.broker)
        self.emma = a_plan((2, 1), book_id=EMMA, title="Emma")
        self.sense = a_plan((1,), book_id=SENSE, title="Sense and Sensibility")
        other = (a_part(7, digest="7" * 64),)
        chapter = self.sense.chapters[0].model_copy(update={"parts": other})
        self.other = self.sense.model_copy(update={"book_id": OTHER, "title": "Persuasion", "chapters": (chapter,)})
        for plan in (self.emma, self.sense, self.other):
            put_plan(self.store, plan)
            self.store.put(keys.book(plan.book_id, keys.SOURCE), b"epub")
        self.finish(self.other)

    def finish(self, plan: Plan) -> None:
        """Put a book into storage as the merger does."""
        key = keys.output(plan.book_id, "mp3/01.mp3")
        self.store.put(key, b"book")
        file = ReportedFile(format="mp3", key=key, name="/01.mp3", size=4)
        report = Report(book_id=plan.book_id, output=key, audio_seconds=1.0, audio_bytes=4, files=(file,))
        self.store.put(keys.report(plan.book_id), report.model_dump_json().encode())

    def speak(self) -> None:
        """Put all parts of the books that share one into storage."""
        for part in {part.digest: part for part in self.emma.parts + self.sense.parts}.values():
            put_part(self.store, part)

    def left(self, prefix: str) -> list[str]:
        return [key.removeprefix(prefix) for key in self.store.objects if key.startswith(prefix)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(
    ("reference", "book_id"),
    [(EMMA, EMMA), ("bbbb", OTHER), ("emma", EMMA), ("sensib", SENSE), ("aaaa000000000002", SENSE), ("Ersu", OTHER)],
)
def test_find(scene: Scene, reference: str, book_id: str) -> None:
    """A book is meant by its id, the beginning of it, or its title or a part of that, whatever the case."""
    assert scene.shelf.find(reference) == book_id


def test_title_that_is_a_part_of_another(scene: Scene) -> None:
    """A whole title means its book, although it is a part of the title of another."""
    put_plan(scene.store, a_plan(book_id="cccc000000000004", title="Emma, annotated"))
    assert scene.shelf.find("Emma") == EMMA


@pytest.mark.parametrize(
    ("reference", "code", "said"),
    [
        ("middlemarch", ExitCode.NO_INPUT, "'middlemarch': no such book"),
        ("bbb", ExitCode.NO_INPUT, "'bbb': no such book"),
        ("", ExitCode.NO_INPUT, "'': no such book"),
        ("mma", ExitCode.NO_INPUT, "'mma': no such book"),
        ("aaaa", ExitCode.USAGE, f"'aaaa' may be any of {EMMA} 'Emma', {SENSE} 'Sense and Sensibility'"),
    ],
)
def test_not_found(scene: Scene, reference: str, code: ExitCode, said: str) -> None:
    """No book, or several, are told; those that may be meant are named."""
    with pytest.raises(UserError) as failure:
        scene.shelf.find(reference)
    assert failure.value.code == code
    assert str(failure.value).startswith(said)


def test_books(scene: Scene) -> None:
    """Books are listed in the order in which they are made, with their numbers; those only storage knows come last."""
    failed = a_part_record("failed", reason="no such voice")
    later = a_part_record(chapter=1, retry_at=5.0)
    scene.checkpoint.seed(a_book_record(EMMA, title="Emma", start_time=2.0), {0: failed, 1: a_part_record(), 2: later})
    scene.checkpoint.seed(a_book_record(SENSE, title="Sense", start_time=3.0, urgent=True), {0: a_part_record("done")})
    change_order(scene.store, SENSE, urgent=True)
    sense, emma, other = scene.shelf.books()
    assert [each.book_id for each in (sense, emma, other)] == [SENSE, EMMA, OTHER]
    assert (sense.title, sense.urgent, sense.condition, sense.retries) == ("Sense", True, "synthesising", 0)
    assert (emma.urgent, emma.retries, emma.name) == (False, 1, f"'Emma' ({EMMA})")
    assert emma.numbers
    assert (emma.numbers.chapters, emma.numbers.chapters_failed) == (2, 1)
    assert (other.title, other.condition, other.numbers) == ("Persuasion", "done", None)


@pytest.mark.parametrize(
    ("stage", "state", "condition"),
    [
        ("synthesising", "paused", "paused"),
        ("failed", "cancelled", "cancelled"),
        ("done", "paused", "done"),
        ("paused", "wanted", "paused"),
        (None, "paused", "paused"),
        (None, "wanted", "submitted"),
    ],
)
def test_condition(scene: Scene, stage: str | None, state: str, condition: str) -> None:
    """What is wanted counts at once, also when the merger has not heard of it or the checkpoint knows nothing, unless
    the book is done."""
    if stage:
        scene.checkpoint.seed(a_book_record(EMMA, stage=stage), {})
    change_order(scene.store, EMMA, state=state)
    assert scene.shelf.book(EMMA).condition == condition


@pytest.mark.parametrize("stage", ["paused", "assembling", None])
def test_finished_book_is_done(scene: Scene, stage: str | None) -> None:
    """A book that storage has whole is done, whatever was wanted of it and whatever the checkpoint says."""
    if stage:
        scene.checkpoint.seed(a_book_record(OTHER, stage=stage), {})
    change_order(scene.store, OTHER, state="paused")
    assert scene.shelf.book(OTHER).condition == "done"


def test_book_without_a_plan(scene: Scene) -> None:
    """A book whose submission was cut short, or whose plan is damaged, is listed as one, and can only be removed."""
    scene.store.delete(keys.book(EMMA, keys.PLAN))
    scene.store.put(keys.book(SENSE, keys.PLAN), b"{}")
    assert [scene.shelf.book(each).condition for each in (EMMA, SENSE)] == ["incomplete"] * 2
    with pytest.raises(UserError, match="has no plan in storage") as failure:
        scene.shelf.pause(EMMA)
    assert failure.value.code == ExitCode.NO_INPUT
    for book_id in (EMMA, SENSE):
        assert scene.shelf.remove(book_id) == Removal(0)
        assert scene.left(keys.book(book_id, "")) == []


def test_checkpoint_that_is_away(scene: Scene) -> None:
    """Without Redis what storage knows is told, why not more, and Redis is not asked for every book."""
    checkpoint = Checkpoint(Clock())
    shelf = Shelf(scene.store, checkpoint, scene.broker)
    assert [(each.title, each.condition) for each in shelf.books()] == [
        ("Emma", "submitted"),
        ("Sense and Sensibility", "submitted"),
        ("Persuasion", "done"),
    ]
    assert (shelf.problem, checkpoint.asked) == ("Redis: gone", 1)
    shelf.pause(shelf.find("emma"))
    assert read_order(scene.store, EMMA).state == "paused"
    shelf.books()
    assert checkpoint.asked == 2


def test_parts(scene: Scene) -> None:
    """Parts are as the checkpoint says; of a book that it does not know, as storage shows them."""
    put_part(scene.store, scene.emma.parts[1])
    stored = scene.shelf.parts(scene.emma)
    assert [part.state for part in stored.values()] == ["pending", "done", "pending"]
    assert stored[1].audio_seconds == a_sidecar(scene.emma.parts[1]).seconds
    scene.checkpoint.seed(a_book_record(EMMA), {0: a_part_record("failed")})
    assert [part.state for part in scene.shelf.parts(scene.emma).values()] == ["failed"]


def test_workers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those workers are at a book that say so, and were heard of lately."""
    monkeypatch.setattr("time.time", lambda: 100.0)
    for name, book_id, seen in (("w0", EMMA, 99.0), ("w1", EMMA, 1.0), ("w2", SENSE, 99.0)):
        scene.checkpoint.heartbeat(a_worker_record(name, book_id=book_id, last_seen=seen))
    assert [worker.worker for worker in scene.shelf.workers(EMMA)] == ["w0"]


@pytest.mark.parametrize(
    ("change", "order"),
    [
        (lambda shelf: shelf.pause(EMMA), Order(state="paused", urgent=True)),
        (lambda shelf: shelf.cancel(EMMA), Order(state="cancelled", urgent=True)),
        (lambda shelf: shelf.resume(EMMA), Order(urgent=True)),
        (lambda shelf: shelf.set_urgent(EMMA, False), Order(state="paused")),
    ],
    ids=["pause", "cancel", "resume", "not urgent"],
)
def test_orders(scene: Scene, change: Callable[[Shelf], None], order: Order) -> None:
    """An order changes what it is about and nothing else; the merger is told when it is in storage."""
    change_order(scene.store, EMMA, state="paused", urgent=True)
    change(scene.shelf)
    assert read_order(scene.store, EMMA) == order
    assert scene.broker.messages(EVENTS) == [BookChanged(book_id=EMMA)]


def test_no_order_is_left_of_a_book_of_which_nothing_special_is_wanted(scene: Scene) -> None:
    """A book that is resumed is as one that never was paused."""
    scene.shelf.pause(EMMA)
    scene.shelf.resume(EMMA)
    assert keys.book(EMMA, keys.ORDER) not in scene.store.objects


@pytest.mark.parametrize("change", [Shelf.pause, Shelf.resume, Shelf.cancel, Shelf.retry])
def test_finished_book(scene: Scene, change: Callable[[Shelf, str], None]) -> None:
    """Nothing of a finished book can be changed, which is told."""
    with pytest.raises(UserError, match=f"'Persuasion' \\({OTHER}\\) is finished") as failure:
        change(scene.shelf, OTHER)
    assert failure.value.code == ExitCode.USAGE
    assert scene.broker.messages(EVENTS) == []


def test_order_while_kafka_is_away(scene: Scene) -> None:
    """An order is in storage although nobody could be told, which is said with what to do."""
    scene.broker.away = True
    with pytest.raises(Unavailable, match="nobody was told: Kafka: gone; the same command again does"):
        scene.shelf.pause(EMMA)
    assert read_order(scene.store, EMMA).state == "paused"


def test_retry(scene: Scene) -> None:
    """The merger is asked to have parts tried again: those named, or all that have failed."""
    scene.shelf.retry(EMMA)
    scene.shelf.retry(EMMA, [2])
    assert scene.broker.messages(EVENTS) == [
        PartsWanted(book_id=EMMA),
        PartsWanted(book_id=EMMA, parts=(2,)),
    ]


def test_remove(scene: Scene) -> None:
    """Nothing of a book is left but the parts that another book has too, and voices; the merger is told."""
    scene.speak()
    scene.finish(scene.emma)
    digest = scene.emma.parts[2].digest
    scene.store.put(keys.part_audio(digest, 96_000), b"denser")
    voices = {keys.pace("a" * 64): b"pace", keys.clip("clip:x"): b"clip"}
    scene.store.objects |= voices
    others = scene.left(keys.book(SENSE, "")) + scene.left(keys.book(OTHER, ""))
    shared = scene.sense.parts[0].digest
    assert scene.shelf.remove(EMMA) == Removal(removed=2, shared=1)
    assert scene.left(keys.book(EMMA, "")) == []
    assert scene.left(keys.book(SENSE, "")) + scene.left(keys.book(OTHER, "")) == others
    parts = [keys.part_master(shared), keys.part_audio(shared, BITRATE), keys.part_sidecar(shared)]
    assert sorted(scene.left("parts/")) == sorted(key.removeprefix("parts/") for key in parts)
    assert voices.items() <= scene.store.objects.items()
    assert scene.broker.messages(EVENTS) == [BookChanged(book_id=EMMA)]


def test_plan_is_gone_before_the_merger_is_told(scene: Scene) -> None:
    """Whoever hears of the removal finds no plan; while nobody can be told, nothing else is removed."""
    scene.speak()
    scene.broker.away = True
    with pytest.raises(Unavailable, match="the same command again"):
        scene.shelf.remove(EMMA)
    assert read_plan(scene.store, EMMA) is None
    assert scene.shelf.book(EMMA).condition == "removing"
    assert keys.book(EMMA, keys.SOURCE) in scene.store.objects
    assert len(scene.left("parts/")) == 9


@pytest.mark.parametrize("deletions", range(9))
def test_removal_that_was_cut_short(scene: Scene, deletions: int) -> None:
    """Wherever a removal stops, the same again finds the book by its title and finishes it."""
    scene.speak()
    scene.store.deletions = deletions
    with pytest.raises(Unavailable):
        scene.shelf.remove(EMMA)
    scene.store.deletions = -1
    scene.shelf.remove(scene.shelf.find("emma"))
    assert scene.left(keys.book(EMMA, "")) == []
    assert len(scene.left("parts/")) == 3


def remove_twice(scene: Scene, first: Removal, settle: Callable[[], object]) -> None:
    """Remove a book, see that this is not finished, and remove it again once something has happened."""
    assert scene.shelf.remove(EMMA) == first
    assert scene.shelf.book(EMMA).condition == "removing"
    settle()
    assert scene.shelf.remove(scene.shelf.find("emma")) == Removal(removed=2, shared=1)
    assert scene.left(keys.book(EMMA, "")) == []
    assert len(scene.left("parts/")) == 3


def test_part_that_a_worker_is_at(scene: Scene) -> None:
    """A part in work would come back: it is told, and removed when the book is removed again."""
    scene.speak()
    lease = f"part/{scene.emma.parts[1].digest}"
    scene.checkpoint.claim(lease, "w0", ttl=60)
    first = Removal(removed=1, shared=1, unfinished="1 of its parts in work")
    remove_twice(scene, first, lambda: scene.checkpoint.release(lease, "w0"))


@pytest.mark.parametrize("name", ["assembly", "excerpt"])
def test_book_that_is_assembled(scene: Scene, name: str) -> None:
    """A book that the merger is at may come back: its removal is not finished."""
    scene.speak()
    lease = f"{name}/{EMMA}"
    scene.checkpoint.claim(lease, "merger", ttl=60)
    first = Removal(removed=2, shared=1, unfinished="the merger is assembling it")
    remove_twice(scene, first, lambda: scene.checkpoint.release(lease, "merger"))


def test_merger_that_has_not_forgotten_the_book(scene: Scene) -> None:
    """While the checkpoint knows a book workers may still make parts of it: its removal is not finished."""
    scene.speak()
    scene.checkpoint.seed(a_book_record(EMMA, title="Emma"), {})
    first = Removal(removed=2, shared=1, unfinished="the merger has not forgotten it: is e2a-merge running?")
    remove_twice(scene, first, lambda: scene.checkpoint.forget(EMMA))


def test_removal_while_the_checkpoint_is_away(scene: Scene) -> None:
    """While nobody can say who is at a book its removal is not finished, and nobody is waited for."""
    scene.speak()
    shelf = Shelf(scene.store, Checkpoint(Clock()), scene.broker)
    unfinished = "nobody can say who is at it: Redis: gone"
    assert shelf.remove(EMMA, patience=60) == Removal(removed=2, shared=1, unfinished=unfinished)
    assert scene.shelf.book(EMMA).condition == "removing"


def test_merger_that_is_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal that may take a while is finished by itself when merger and workers let go of the book meanwhile."""
    scene.speak()
    lease = f"part/{scene.emma.parts[1].digest}"
    scene.checkpoint.seed(a_book_record(EMMA, title="Emma"), {})
    scene.checkpoint.claim(lease, "w0", ttl=60)
    happens = [lambda: scene.checkpoint.forget(EMMA), lambda: scene.checkpoint.release(lease, "w0")]
    monkeypatch.setattr("time.sleep", lambda _seconds: happens.pop(0)())
    assert scene.shelf.remove(EMMA, patience=60) == Removal(removed=2, shared=1)
    assert happens == []


def test_nothing_is_removed_that_an_unreadable_plan_may_name(scene: Scene) -> None:
    """While the plan of another book cannot be read all parts stay: they may be its own; which book it is is told."""
    scene.speak()
    scene.store.put(keys.book(OTHER, keys.PLAN), b"{}")
    said = f"its parts stay while the plan of {OTHER} cannot be read: submit that again, or remove it"

    def remove_other() -> None:
        assert len(scene.left("parts/")) == 9
        assert scene.shelf.remove(OTHER) == Removal(0)

    remove_twice(scene, Removal(removed=0, shared=1, unfinished=said), remove_other)
