"""Orders: a book is paused, cancelled, wanted again, urgent or removed while it is made."""

import pytest
from structlog.testing import capture_logs

from e2a.messages import BookChanged, PartialWanted, PartsWanted
from e2a.plan import Order
from e2a.storage import keys, read_report
from e2a.topics import CHAPTERS, EXPRESS, QUEUES
from merger.sweep import PERIOD
from tests.unit.builders import BOOK, a_job, a_plan, put_plan
from tests.unit.mergers import DONE, PLAN, REPORT, Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def order(scene: Scene, state: str = "wanted", *, urgent: bool = False) -> bool:
    """Change what is wanted of the book; say whether anything is to be done then."""
    wanted = Order.model_validate({"state": state, "urgent": urgent})
    scene.store.put(keys.book(BOOK, keys.ORDER), wanted.model_dump_json().encode())
    work = scene.merger.on_event(BookChanged(book_id=BOOK))
    if work:
        work.run()
    return work is not None


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_a_book_that_is_not_wanted(scene: Scene, state: str) -> None:
    """Nothing of it is assembled, not even when its last part is done; when it is wanted again it is."""
    scene.planned(0, 1)
    assert not order(scene, state)
    assert scene.stage == state
    assert scene.make(2)
    scene.merger.conclude(BOOK)
    scene.sweep(3)
    assert (scene.stage, scene.assembled, scene.states) == (state, [], ["done"] * 3)
    assert order(scene)
    assert (scene.stage, scene.published) == ("done", [DONE])


def test_a_paused_book_does_not_fail(scene: Scene) -> None:
    """A book that lacks a part for good is not failed while it is paused."""
    scene.planned(0, 1)
    order(scene, "paused")
    assert scene.fail(2)
    scene.merger.conclude(BOOK)
    assert (scene.stage, scene.published) == ("paused", [])


def test_a_book_that_is_done_stays_done(scene: Scene) -> None:
    """A finished book cannot be paused."""
    scene.planned(0, 1, 2)
    scene.sweep()
    order(scene, "paused")
    assert scene.stage == "done"


def test_a_book_that_failed_is_not_wanted_any_more(scene: Scene) -> None:
    """A failed book may be cancelled; wanted again, it fails again for the same reason."""
    scene.planned(0, 1)
    scene.fail(2)
    scene.sweep()
    order(scene, "cancelled")
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    assert (book.stage, book.reason) == ("cancelled", "")
    order(scene)
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    assert (book.stage, book.reason) == ("failed", "1 parts missing, in chapters 2: no such voice")


def test_a_book_that_is_paused_in_its_assembly(scene: Scene) -> None:
    """A book that is nearly finished is finished; what fails then waits until the book is wanted again."""
    scene.planned(0, 1, 2)
    scene.meanwhile = lambda: order(scene, "paused")
    scene.merger.conclude(BOOK)
    assert scene.stage == "done"


def test_a_paused_book_with_damaged_parts(scene: Scene) -> None:
    """A book that is paused in an assembly that finds damage stays paused."""
    scene.planned(0, 1, 2)
    enter = scene.books.enter

    def late(book_id: str, stage: str, reason: str = "") -> bool:
        if stage == "synthesising":
            order(scene, "paused")
        return enter(book_id, stage, reason)  # type: ignore[arg-type]

    scene.books.enter = late  # type: ignore[assignment,method-assign]
    scene.damage(1)
    scene.merger.conclude(BOOK)
    assert (scene.stage, scene.states) == ("paused", ["done", "pending", "done"])


def test_a_book_that_is_paused_just_before_its_assembly(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that comes between the look at the book and its assembly is heeded."""
    scene.planned(0, 1, 2)
    get = scene.store.get

    def pause(key: str) -> bytes:
        scene.store.get = get  # type: ignore[method-assign]
        order(scene, "paused")
        return get(key)

    scene.store.get = pause  # type: ignore[method-assign]
    scene.merger.conclude(BOOK)
    assert (scene.stage, scene.assembled) == ("paused", [])


def test_an_announcement_heeds_the_order(scene: Scene) -> None:
    """A book that is announced while it is paused is paused, and urgent if it is to be."""
    wanted = Order(state="paused", urgent=True)
    scene.store.put(keys.book(BOOK, keys.ORDER), wanted.model_dump_json().encode())
    scene.planned(0, 1, 2)
    scene.sweep(2)
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    assert (book.stage, book.urgent, scene.assembled) == ("paused", True, [])


@pytest.mark.parametrize("before", [Order(), Order(state="paused")])
@pytest.mark.parametrize("after", [Order(), Order(state="paused"), Order(state="cancelled"), Order(urgent=True)])
def test_an_order_of_which_no_word_came(scene: Scene, before: Order, after: Order) -> None:
    """What is wanted of a book is read in storage within a minute when nobody was told, and stands from then on."""
    scene.planned(1)
    order(scene, before.state)
    scene.settle()
    scene.sweep(2)
    scene.jobs_sent()
    scene.broker.committed = {topic: [len(records) for records in scene.broker.logs[topic]] for topic in QUEUES}
    scene.store.put(keys.book(BOOK, keys.ORDER), after.model_dump_json().encode())
    scene.clock.now += PERIOD
    scene.sweep(3)
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    stage = "synthesising" if after.state == "wanted" else after.state
    assert (book.stage, book.urgent) == (stage, after.urgent)
    assert {part for _topic, part, _attempt in scene.jobs_sent()} == ({0, 2} if stage == "synthesising" else set())


def test_a_book_that_becomes_urgent(scene: Scene) -> None:
    """What waits of it behind others is published once more, by express, once; but for what a worker is at."""
    scene.planned(1)
    scene.checkpoint.claim(f"part/{PLAN.parts[0].digest}", "gpu-1", ttl=60.0)
    scene.broker.send(CHAPTERS, [a_job(PLAN.parts[2])], [0])
    scene.jobs_sent()
    order(scene, urgent=True)
    assert scene.jobs_sent() == [(EXPRESS, 2, 1)]
    order(scene, urgent=True)
    order(scene)
    scene.settle()
    scene.sweep(3)
    assert scene.jobs_sent() == []


def test_a_book_that_becomes_urgent_with_a_plan_that_is_shorter(scene: Scene) -> None:
    """Parts that are recorded but are not in the plan, which was put anew meanwhile, are passed over."""
    scene.planned()
    put_plan(scene.store, a_plan(parts=(2,)))
    order(scene, urgent=True)
    assert scene.jobs_sent() == [(EXPRESS, 0, 1), (EXPRESS, 1, 1)]


@pytest.mark.parametrize("event", [BookChanged(book_id=BOOK), PartsWanted(book_id=BOOK)])
def test_an_order_while_redis_is_emptied(scene: Scene, event: BookChanged | PartsWanted) -> None:
    """When Redis forgets everything as soon as it has said that it knows the book, that is read from storage."""
    scene.planned(0, 1)
    scene.fail(2, retryable=False)
    scene.lose_after("stage")
    scene.store.put(keys.book(BOOK, keys.ORDER), Order(urgent=True).model_dump_json().encode())
    scene.merger.on_event(event)
    scene.sweep()
    assert (scene.stage, scene.states) == ("synthesising", ["done", "done", "pending"])


def test_an_urgent_book(scene: Scene) -> None:
    """What is published again of an urgent book goes before other books."""
    scene.planned(1)
    order(scene, urgent=True)
    scene.settle()
    scene.sweep(2)
    assert {topic for topic, _part, _attempt in scene.jobs_sent()} == {EXPRESS}


def test_a_removed_book_is_forgotten(scene: Scene) -> None:
    """A book whose plan is gone is forgotten, and what still comes of it changes nothing."""
    scene.planned(1)
    scene.store.delete(keys.book(BOOK, keys.PLAN))
    scene.merger.on_event(BookChanged(book_id=BOOK))
    assert scene.checkpoint.books() == []
    with capture_logs() as logs:
        scene.make(0)
    assert [entry["event"] for entry in logs] == ["merge.no_plan"]
    assert scene.checkpoint.books() == []


def test_a_book_that_is_removed_during_its_assembly(scene: Scene) -> None:
    """Nothing more is put of a book that somebody has removed, and nobody is told that it is done."""
    scene.planned(0, 1, 2)

    def remove() -> None:
        scene.store.delete(keys.book(BOOK, keys.PLAN))
        scene.merger.on_event(BookChanged(book_id=BOOK))

    scene.meanwhile = remove
    scene.merger.conclude(BOOK)
    assert (scene.published, scene.checkpoint.books()) == ([], [])
    assert not [key for key in scene.store.objects if "output" in key]


def test_an_order_for_a_book_that_redis_has_forgotten(scene: Scene) -> None:
    """The book is read from storage, its order with it."""
    put_plan(scene.store, PLAN)
    order(scene, "paused")
    assert (scene.stage, scene.states) == ("paused", ["pending"] * 3)


def test_what_is_finished_of_a_paused_book(scene: Scene) -> None:
    """The finished chapters of a paused book can be heard."""
    scene.planned(0, 1)
    order(scene, "paused")
    work = scene.merger.on_event(PartialWanted(book_id=BOOK))
    assert work is not None
    work.run()
    assert read_report(scene.store, BOOK, keys.partial_report) == REPORT
    assert scene.stage == "paused"
