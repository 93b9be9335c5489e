"""The sweep: what fell between is taken up again, and nothing else is touched."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from e2a.checkpoint import QueuedWork, QueueRecord
from e2a.errors import Unavailable
from e2a.messages import BookChanged
from e2a.placement import dispatch, even
from e2a.plan import Order
from e2a.storage import keys
from e2a.topics import CHAPTERS, EVENTS, EXPRESS, QUEUES
from merger.sweep import LEASE
from tests.unit.builders import BOOK, a_job, a_part_done, a_part_record, a_plan, a_worker_record, put_part, put_plan
from tests.unit.mergers import DONE, PLAN, REPORT, Scene

OTHER = "c0123456789abcde"


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def publish(scene: Scene, *indices: int) -> None:
    """Publish jobs as a producer does."""
    dispatch([a_job(PLAN.parts[index]) for index in indices], scene.broker, dict.fromkeys(QUEUES, even(2)), first=0)
    scene.jobs_sent()


def sent(scene: Scene) -> list[int]:
    """Return the parts whose jobs were published since the last time."""
    return sorted(part for _topic, part, _attempt in scene.jobs_sent())


def commit(scene: Scene) -> None:
    """Have the workers' group pass every job there is."""
    for topic in QUEUES:
        scene.broker.committed[topic] = [len(records) for records in scene.broker.logs[topic]]


def test_a_fallen_part_is_published_again(scene: Scene) -> None:
    """A part that nobody is at is suspected by one sweep and published by the next, once."""
    scene.planned(1)
    publish(scene, 2)
    scene.settle()
    scene.sweep()
    assert sent(scene) == []
    scene.sweep()
    assert sent(scene) == [0]
    scene.sweep(3)
    assert sent(scene) == []


def test_whatever_is_not_done_is_queued_or_held(scene: Scene) -> None:
    """A part that waits in Kafka, or that a worker holds, or that waits to be tried again, is left alone."""
    scene.planned()
    publish(scene, 0)
    scene.checkpoint.claim(f"part/{PLAN.parts[1].digest}", "gpu-1", ttl=60.0)
    scene.checkpoint.update_part(BOOK, 2, lambda _record: a_part_record(attempts=1, retry_at=9000.0))
    scene.settle()
    scene.sweep(3)
    assert sent(scene) == []


def test_suspicion_does_not_last(scene: Scene) -> None:
    """A part that somebody was at in between is suspected anew."""
    scene.planned(1, 2)
    scene.settle()
    scene.sweep()
    scene.checkpoint.claim(f"part/{PLAN.parts[0].digest}", "gpu-1", ttl=6.0)
    scene.sweep()
    scene.checkpoint.release(f"part/{PLAN.parts[0].digest}", "gpu-1")
    scene.sweep()
    assert sent(scene) == []
    scene.sweep()
    assert sent(scene) == [0]


def test_a_book_that_has_just_been_announced(scene: Scene) -> None:
    """While the jobs of a book are still being published none of its parts is taken for fallen."""
    scene.planned()
    scene.sweep(9)
    assert sent(scene) == []
    scene.sweep(2)
    assert sent(scene) == [0, 1, 2]


def test_a_part_whose_worker_died(scene: Scene) -> None:
    """A part that a killed thief leaves behind is published at first sight, also of a book that is quite new."""
    scene.planned()
    scene.checkpoint.claim(f"part/{PLAN.parts[1].digest}", "gpu-1", ttl=2.5)
    scene.sweep(2)
    assert sent(scene) == []
    scene.sweep()
    assert sent(scene) == [1]


def test_a_part_whose_event_was_lost(scene: Scene) -> None:
    """A part that is in storage although nobody has said so is done, and the book is concluded in the same sweep."""
    scene.planned(1, 2)
    put_part(scene.store, PLAN.parts[0])
    scene.checkpoint.update_part(BOOK, 0, lambda record: record.model_copy(update={"remade": 1}))
    scene.settle()
    scene.sweep(2)
    assert scene.record == a_part_record("done", audio_seconds=1.0, audio_bytes=15, remade=1)
    assert (sent(scene), scene.published) == ([], [DONE])


def test_kafka_lost_everything(scene: Scene) -> None:
    """Topics that are gone are made anew and filled with what is missing of every book."""
    scene.planned(1)
    other = a_plan(parts=(2, 1), book_id=OTHER)
    put_plan(scene.store, other)
    scene.books.seed(OTHER)
    publish(scene, 0, 2)
    scene.settle()
    scene.sweep()
    commit(scene)
    scene.broker.logs.clear()
    scene.broker.committed = {topic: [0, 0] for topic in QUEUES}
    scene.broker.take(CHAPTERS)
    scene.topics.existing = {}
    with capture_logs() as logs:
        scene.sweep(2)
    assert scene.topics.existing == dict.fromkeys(QUEUES, 2) | {EVENTS: 8, "e2a.chapters.dlq": 1}
    assert [entry["topics"] for entry in logs if entry["event"] == "sweep.topics_made"] == [
        [EXPRESS, CHAPTERS, EVENTS, "e2a.chapters.dlq"]
    ]
    jobs = [*scene.broker.messages(EXPRESS), *scene.broker.messages(CHAPTERS)]
    assert sorted((job.book_id, job.part.index) for job in jobs) == [(BOOK, 0), (BOOK, 2)] + [
        (OTHER, index) for index in (0, 2)
    ]


def test_topics_that_were_made_anew_are_told_once(scene: Scene) -> None:
    """Whoever reads a topic hears once that it was made anew, and not when another one was."""
    scene.sweep()
    assert not scene.sweeper.take_made_anew(EVENTS)
    del scene.topics.existing[EVENTS]
    scene.sweep()
    assert not scene.sweeper.take_made_anew(CHAPTERS)
    assert [scene.sweeper.take_made_anew(EVENTS) for _ in range(2)] == [True, False]


def test_partitions_grow_with_the_workers(scene: Scene) -> None:
    """There is a partition for each worker that lives; none is taken away, and who is silent does not count."""
    scene.clock.now = 3000.0
    for number in range(5):
        last_seen = 0.0 if number == 4 else 3000.0
        scene.checkpoint.heartbeat(a_worker_record(f"gpu-{number}", last_seen=last_seen))
    scene.sweep()
    assert [scene.topics.existing[topic] for topic in QUEUES] == [4, 4]
    scene.clock.now = 4000.0
    scene.sweep()
    assert [scene.topics.existing[topic] for topic in QUEUES] == [4, 4]


def test_what_waits_is_told(scene: Scene) -> None:
    """Whoever places parts, and the monitor, can see how many parts and seconds wait in each partition."""
    scene.planned()
    scene.broker.send(CHAPTERS, [a_job(part) for part in PLAN.parts], [0, 1, 1])
    scene.broker.committed[CHAPTERS] = [1, 0]
    scene.sweep()
    waits = {(CHAPTERS, 1): (2, 20.0)}
    work = tuple(
        QueuedWork(topic=topic, partition=partition, parts=parts, seconds=seconds)
        for topic in QUEUES
        for partition in (0, 1)
        for parts, seconds in [waits.get((topic, partition), (0, 0.0))]
    )
    assert scene.checkpoint.queue() == QueueRecord(taken=scene.clock.now, work=work)


def test_one_merger_sweeps(scene: Scene) -> None:
    """While another merger is at it nothing is swept; when it is done, or dead, this one does it."""
    scene.planned(0, 1, 2)
    scene.checkpoint.claim(LEASE, "merger-2", ttl=6.0)
    scene.sweep(5)
    assert (scene.stage, scene.checkpoint.queue()) == ("synthesising", None)
    scene.sweep()
    assert scene.stage == "done"


def away(*_arguments: object, **_options: object) -> None:
    """Stand for a call of a server that is away."""
    raise Unavailable("it is away")


@pytest.mark.parametrize(
    ("owner", "method", "waiting"),
    [
        ("checkpoint", "check", ["checkpoint"]),
        ("topics", "partitions", ["topics"]),
        ("broker", "refresh", ["queue"]),
        ("store", "get", ["rebuild", "fallen"]),
        ("store", "list", ["rebuild"]),
        ("checkpoint", "set_queue", ["queue"]),
        ("checkpoint", "stages", ["rebuild", "fallen", "retries", "books"]),
    ],
)
def test_a_server_that_is_away(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, owner: str, method: str, waiting: list[str]
) -> None:
    """Only what needs it waits; that is said when it begins and when it ends, and the sweep goes on by itself."""
    scene.planned(1, 2)
    scene.settle()
    with capture_logs() as logs, monkeypatch.context() as patch:
        patch.setattr(getattr(scene, owner), method, away)
        scene.sweep(3)
    assert [entry["step"] for entry in logs if entry["event"] == "sweep.waits"] == waiting
    with capture_logs() as logs:
        scene.sweep(3)
    assert [entry["step"] for entry in logs if entry["event"] == "sweep.goes_on"] == waiting
    assert set(sent(scene)) == {0}
    assert scene.checkpoint.is_whole()


def test_a_book_that_is_removed_during_a_sweep(scene: Scene) -> None:
    """A book that vanishes while its parts are looked up stops nobody."""
    scene.planned(1, 2)
    scene.settle()
    scene.sweep()
    put_part(scene.store, PLAN.parts[0])
    as_stored = scene.books.as_stored

    def vanish(*arguments: object) -> object:
        scene.checkpoint.forget(BOOK)
        return as_stored(*arguments)  # type: ignore[arg-type]

    scene.books.as_stored = vanish  # type: ignore[assignment,method-assign]
    with capture_logs() as logs:
        scene.sweep()
    assert "sweep.forgotten" in [entry["event"] for entry in logs]
    assert scene.checkpoint.books() == []


def test_a_retry_of_a_book_that_is_removed(scene: Scene) -> None:
    """A book that vanishes while its parts are tried again stops nobody."""
    scene.planned(1, 2)
    scene.fail(0, retryable=True, attempt=1)
    scene.clock.now += 60.0
    scene.broker.send = lambda *_: scene.checkpoint.forget(BOOK)  # type: ignore[method-assign]
    with capture_logs() as logs:
        scene.sweep()
    assert "sweep.forgotten" in [entry["event"] for entry in logs]


def test_a_book_without_a_plan(scene: Scene) -> None:
    """Parts of a book whose plan is gone are left alone."""
    scene.planned()
    scene.store.delete(keys.book(BOOK, keys.PLAN))
    scene.settle()
    scene.sweep(3)
    assert (sent(scene), scene.states) == ([], ["pending"] * 3)


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


def during_the_reading(scene: Scene, happen: Callable[[], object]) -> None:
    """Let something happen when the sweep has looked up the last part of the book in storage."""
    as_stored = scene.books.as_stored

    def last(part: object, bitrate: int) -> object:
        record = as_stored(part, bitrate)  # type: ignore[arg-type]
        if part == PLAN.parts[-1]:
            scene.books.as_stored = as_stored  # type: ignore[method-assign]
            happen()
        return record

    scene.books.as_stored = last  # type: ignore[assignment,method-assign]


def test_what_is_folded_while_the_checkpoint_is_filled(scene: Scene) -> None:
    """A part that is done while its book is read from storage stays done: what was folded is newer."""
    scene.planned()
    scene.checkpoint.lose()
    during_the_reading(scene, lambda: scene.make(2))
    scene.sweep()
    assert scene.states == ["pending", "pending", "done"]


def test_what_another_merger_folds_while_a_book_is_announced(scene: Scene) -> None:
    """A part that is done while its book is recorded anew, and thereby forgotten, is found by the sweep."""
    scene.planned(1, 2)
    other = scene.player("merger-2")

    def meanwhile() -> None:
        put_part(scene.store, PLAN.parts[0])
        other.merger.on_event(a_part_done(PLAN.parts[0]))

    during_the_reading(scene, meanwhile)
    scene.planned()
    assert scene.states[0] == "pending"
    scene.settle()
    scene.sweep(2)
    assert (scene.states[0], scene.stage, sent(scene)) == ("done", "done", [])


def test_a_book_that_is_resumed_is_published_without_a_wait(scene: Scene) -> None:
    """What workers have passed over while a book was paused is published two sweeps after it is wanted again."""
    scene.planned()
    publish(scene, 0, 1, 2)
    scene.settle()
    order = keys.book(BOOK, keys.ORDER)
    scene.store.put(order, Order(state="paused").model_dump_json().encode())
    scene.merger.on_event(BookChanged(book_id=BOOK))
    commit(scene)
    scene.sweep(3)
    assert sent(scene) == []
    scene.store.put(order, Order().model_dump_json().encode())
    scene.merger.on_event(BookChanged(book_id=BOOK))
    scene.sweep(2)
    assert sent(scene) == [0, 1, 2]
