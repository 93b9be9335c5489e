"""Exactly one assembly: one report and one set of bytes, whatever becomes of the mergers; announced at least once."""

from collections.abc import Callable

import pytest

from e2a.messages import BookDone, BookPlanned
from e2a.storage import keys, read_report
from e2a.topics import EVENTS
from merger.faults import AssemblyFailed, CorruptParts, Superseded
from merger.merge import ASSEMBLY_ATTEMPTS
from tests.unit.builders import BOOK
from tests.unit.mergers import DONE, LEASE, OUTPUT, PLAN, REPORT, Player, Scene


class Killed(BaseException):
    """A merger ends at once."""


def die(*_: object, **__: object) -> None:
    raise Killed


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(monkeypatch)
    made.planned(0, 1, 2)
    return made


@pytest.fixture
def other(scene: Scene) -> Player:
    return scene.player("merger-2")


def kill(scene: Scene, monkeypatch: pytest.MonkeyPatch, owner: object, method: str, call: object = die) -> None:
    """Kill the merger in the middle of a conclusion, at a call; its lease stays until it runs out."""
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, call)
        patch.setattr(scene.leases, "release", lambda _name: None)
        with pytest.raises(Killed):
            scene.merger.conclude(BOOK)


@pytest.mark.parametrize(
    ("point", "assemblies", "announcements"),
    [("output", 2, 1), ("report", 2, 1), ("announcement", 1, 1), ("record", 1, 2)],
)
def test_a_merger_that_is_killed(
    scene: Scene, other: Player, monkeypatch: pytest.MonkeyPatch, point: str, assemblies: int, announcements: int
) -> None:
    """Before the report the book is assembled anew, to the same bytes; after it, it is only announced.

    Nothing but a kill between the announcement and the record is announced twice.
    """
    put = scene.store.put

    def put_until(key: str, data: bytes) -> None:
        if key == {"output": OUTPUT, "report": keys.report(BOOK)}[point]:
            raise Killed
        put(key, data)

    if point in {"output", "report"}:
        kill(scene, monkeypatch, scene.store, "put", put_until)
    elif point == "announcement":
        kill(scene, monkeypatch, scene.broker, "send")
    else:
        kill(scene, monkeypatch, scene.books, "update")
    assert [work.run() for work in other.merger.unconcluded()] == [None]
    assert scene.stage == "assembling"
    scene.clock.now += 7.0
    for work in other.merger.unconcluded():
        work.run()
    assert scene.stage == "done"
    assert (len(scene.assembled), len(scene.published)) == (assemblies, announcements)
    assert read_report(scene.store, BOOK) == REPORT


def stopped(scene: Scene, other: Player) -> None:
    """Stop the merger in its assembly for longer than its lease, while another one concludes the book."""

    def meanwhile() -> None:
        scene.clock.now += 7.0
        for work in other.merger.unconcluded():
            work.run()

    scene.meanwhile = meanwhile


def puts(scene: Scene) -> list[str]:
    """Return a list that fills with the keys of what is put from now on."""
    keys_put: list[str] = []
    put = scene.store.put

    def note(key: str, data: bytes) -> None:
        keys_put.append(key)
        put(key, data)

    scene.store.put = note  # type: ignore[method-assign]
    return keys_put


def test_a_zombie_puts_nothing(scene: Scene, other: Player) -> None:
    """A merger that was stopped while another one finished its book puts and announces nothing."""
    stopped(scene, other)
    put = puts(scene)
    with pytest.raises(Superseded):
        scene.merger.conclude(BOOK)
    assert put == [OUTPUT, keys.report(BOOK)]
    assert (scene.stage, scene.published) == ("done", [DONE])


def test_a_zombie_while_the_other_is_at_it(scene: Scene, other: Player) -> None:
    """A merger that was stopped leaves the book to the one that has taken it over."""

    def taken() -> None:
        scene.clock.now += 7.0
        assert other.leases.claim(LEASE)

    scene.meanwhile = taken
    with pytest.raises(Superseded):
        scene.merger.conclude(BOOK)
    assert (scene.published, read_report(scene.store, BOOK)) == ([], None)


def after_put(scene: Scene, key: str, happen: Callable[[], object]) -> None:
    """Stop the merger for longer than its lease right after an object is put, and let something happen meanwhile."""
    put = scene.store.put

    def slowly(name: str, data: bytes) -> None:
        put(name, data)
        if name == key:
            scene.store.put = put  # type: ignore[method-assign]
            scene.clock.now += 7.0
            happen()

    scene.store.put = slowly  # type: ignore[method-assign]


def test_a_zombie_with_all_outputs(scene: Scene, other: Player) -> None:
    """A merger that was stopped after its last output puts no report while another one is at the book."""
    after_put(scene, OUTPUT, lambda: other.leases.claim(LEASE))
    with pytest.raises(Superseded):
        scene.merger.conclude(BOOK)
    assert read_report(scene.store, BOOK) is None


def test_a_zombie_with_a_report(scene: Scene, other: Player) -> None:
    """A merger that was stopped after its report leaves it to another one to announce the book."""
    after_put(scene, keys.report(BOOK), lambda: other.merger.conclude(BOOK))
    with pytest.raises(Superseded):
        scene.merger.conclude(BOOK)
    assert (scene.assembled, scene.published) == ([BOOK], [DONE])


def superseded(scene: Scene, other: Player, failure: Exception) -> None:
    """Let the other merger conclude the book just before this one's assembly fails."""

    def conclude() -> None:
        scene.clock.now += 7.0
        other.merger.conclude(BOOK)
        raise failure

    scene.meanwhile = conclude
    with pytest.raises(Superseded):
        scene.merger.conclude(BOOK)
    assert (scene.stage, scene.states, scene.published) == ("done", ["done"] * 3, [DONE])


def test_a_zombie_that_found_damage(scene: Scene, other: Player) -> None:
    """Nothing of a finished book is made anew because of what a merger found that was stopped."""
    superseded(scene, other, CorruptParts([PLAN.parts[1]]))
    assert scene.jobs_sent() == []


def test_a_zombie_that_fails(scene: Scene, other: Player) -> None:
    """A finished book does not fail because the last assembly of a merger failed that was stopped."""
    scene.failure = AssemblyFailed("ffmpeg: exit 1: no")
    for _ in range(ASSEMBLY_ATTEMPTS - 1):
        with pytest.raises(AssemblyFailed):
            scene.merger.conclude(BOOK)
    failure, scene.failure = scene.failure, None
    superseded(scene, other, failure)


def test_a_report_that_another_merger_has_put(scene: Scene) -> None:
    """A report that is there is the one that counts; whoever finds it announces the book."""
    scene.meanwhile = lambda: (
        scene.store.put(OUTPUT, bytes(3000)),
        scene.store.put(keys.report(BOOK), REPORT.model_copy(update={"title": "first"}).model_dump_json().encode()),
    )
    scene.merger.conclude(BOOK)
    report = read_report(scene.store, BOOK)
    assert report is not None
    assert (report.title, scene.stage, scene.published) == ("first", "done", [DONE])


def test_two_mergers_and_every_event_twice(scene: Scene, other: Player) -> None:
    """Two mergers that hear of everything assemble and announce a book once."""
    for player in (scene, other, scene, other):
        work = player.merger.on_event(BookPlanned(book_id=BOOK))
        assert work is not None
        work.run()
    scene.sweep(2)
    assert (scene.assembled, [event for event in scene.broker.messages(EVENTS) if isinstance(event, BookDone)]) == (
        [BOOK],
        [DONE],
    )
