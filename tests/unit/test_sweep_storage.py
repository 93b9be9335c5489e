"""The comparison of checkpoint and storage: storage is right, whatever was announced, lost or removed."""

import pytest
from structlog.testing import capture_logs

from e2a.plan import Order
from e2a.storage import keys
from merger.sweep import PERIOD
from tests.unit.builders import BOOK, a_part_done, a_part_record, a_plan, put_part, put_plan
from tests.unit.mergers import PLAN, REPORT, Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_an_empty_checkpoint_is_filled(scene: Scene) -> None:
    """A checkpoint that lost everything is filled from storage without any event, the parts that are done done."""
    scene.planned(1)
    scene.checkpoint.lose()
    scene.sweep()
    assert (scene.stage, scene.states) == ("synthesising", ["pending", "done", "pending"])
    assert scene.checkpoint.is_whole()


def test_finished_books_are_filled_in_last(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is still to be made is known first; what is finished, paused or has no plan is known as that."""
    plans = [a_plan(book_id=f"{number}123456789abcdef", title=f"Book {number}") for number in range(4)]
    for plan in plans:
        put_plan(scene.store, plan)
    finished, odd, paused, open_ = (plan.book_id for plan in plans)
    scene.store.put(keys.book(paused, keys.ORDER), Order(state="paused").model_dump_json().encode())
    scene.store.put(keys.report(finished), REPORT.model_dump_json().encode())
    scene.store.put(REPORT.files[0].key, bytes(3000))
    scene.store.put(keys.book(odd, keys.PLAN), b"{")
    order: list[str] = []
    seed = scene.checkpoint.seed
    monkeypatch.setattr(scene.checkpoint, "seed", lambda book, parts: (order.append(book.book_id), seed(book, parts)))
    scene.sweep()
    assert (set(order[:2]), order[2:]) == ({open_, paused}, [finished])
    stages = scene.checkpoint.stages()
    assert (stages[open_], stages[paused], stages[finished]) == ("synthesising", "paused", "done")


def test_an_empty_checkpoint_is_filled_in_slices(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large storage is read over several sweeps, between which everything else is looked after."""
    ids = [f"{number}123456789abcdef" for number in range(3)]
    for book_id in ids:
        put_plan(scene.store, a_plan(book_id=book_id))
    seed = scene.books.seed

    def slowly(book_id: str, *, unless_known: bool = False) -> bool:
        scene.clock.now += 1.0
        return seed(book_id, unless_known=unless_known)

    scene.books.seed = slowly  # type: ignore[method-assign]
    for known in (1, 2, 3):
        scene.sweep()
        assert (len(scene.checkpoint.books()), scene.checkpoint.is_whole()) == (known, False)
    scene.sweep()
    assert scene.checkpoint.is_whole()


def test_a_checkpoint_that_is_emptied_while_it_is_filled(scene: Scene) -> None:
    """Books that were filled in before it was emptied again are filled in once more."""
    ids = [f"{number}123456789abcdef" for number in range(3)]
    for book_id in ids:
        put_plan(scene.store, a_plan(book_id=book_id))
    seed = scene.books.seed

    def forgetful(book_id: str, *, unless_known: bool = False) -> bool:
        if book_id == ids[0]:
            scene.books.seed = seed  # type: ignore[method-assign]
            scene.checkpoint.lose()
        return seed(book_id, unless_known=unless_known)

    scene.books.seed = forgetful  # type: ignore[method-assign]
    scene.sweep(2)
    assert scene.checkpoint.books() == sorted(ids, key=scene.checkpoint.books().index)
    assert scene.checkpoint.is_whole()


def test_what_is_folded_while_the_checkpoint_is_filled(scene: Scene) -> None:
    """A part that is done while its book is read from storage stays done: what was folded is newer."""
    scene.planned()
    scene.checkpoint.lose()
    scene.during_the_reading(lambda: scene.make(2))
    scene.sweep()
    assert scene.states == ["pending", "pending", "done"]


def test_what_another_merger_folds_while_a_book_is_announced(scene: Scene) -> None:
    """A part that is done while its book is recorded anew, and thereby forgotten, is found by the sweep."""
    scene.planned(1, 2)
    other = scene.player("merger-2")

    def meanwhile() -> None:
        put_part(scene.store, PLAN.parts[0])
        other.merger.on_event(a_part_done(PLAN.parts[0]))

    scene.during_the_reading(meanwhile)
    scene.planned()
    assert scene.states[0] == "pending"
    scene.settle()
    scene.sweep(2)
    assert (scene.states[0], scene.stage, scene.jobs_sent()) == ("done", "done", [])


def test_a_book_whose_announcement_was_lost(scene: Scene) -> None:
    """A book of which no event ever comes is found within a minute, and its parts are published."""
    scene.sweep()
    put_plan(scene.store, PLAN)
    put_part(scene.store, PLAN.parts[0])
    scene.sweep()
    assert scene.stage == "unknown"
    scene.clock.now += PERIOD
    scene.sweep()
    assert (scene.stage, scene.states) == ("synthesising", ["done", "pending", "pending"])
    scene.settle()
    scene.sweep(2)
    assert [part for _topic, part, _attempt in scene.jobs_sent()] == [1, 2]


def test_books_are_compared_when_events_are_lost(scene: Scene) -> None:
    """When the topic of the events was made anew the next sweep compares, and the one after it does not."""
    scene.sweep()
    put_plan(scene.store, PLAN)
    scene.sweeper.compare_soon()
    scene.sweep()
    assert scene.stage == "synthesising"
    scene.checkpoint.forget(BOOK)
    scene.sweep()
    assert scene.stage == "unknown"


def test_a_book_whose_removal_was_lost(scene: Scene) -> None:
    """A book that storage does not have any more is forgotten; one that is known is not read again."""
    kept = a_plan(book_id="c0123456789abcde")
    put_plan(scene.store, kept)
    scene.books.seed(kept.book_id)
    scene.planned()
    scene.checkpoint.update_part(kept.book_id, 0, lambda _record: a_part_record(attempts=2))
    scene.sweep()
    scene.store.delete(keys.book(BOOK, keys.PLAN))
    scene.clock.now += PERIOD
    scene.sweep()
    assert scene.checkpoint.books() == [kept.book_id]
    assert scene.checkpoint.parts(kept.book_id)[0].attempts == 2


def test_what_is_left_of_a_removed_book(scene: Scene) -> None:
    """What has no plan is no book, and nobody is told so once a minute."""
    scene.store.put(keys.book(BOOK, keys.ORDER), Order().model_dump_json().encode())
    scene.sweep()
    scene.clock.now += PERIOD
    with capture_logs() as logs:
        scene.sweep()
    assert (scene.checkpoint.books(), logs) == ([], [])
