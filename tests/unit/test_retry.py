"""Parts that fail for reasons that may pass: tried again elsewhere, after a while, at most three times."""

from collections.abc import Iterable

import pytest
from structlog.testing import capture_logs

from e2a.errors import Unavailable
from e2a.messages import BookFailed, ChapterJob, DeadLetter, Message, PartsWanted, decode
from e2a.metrics import MERGER
from e2a.storage import keys
from e2a.topics import CHAPTERS, DEAD_LETTERS, EXPRESS
from tests.unit.builders import BOOK, a_part_failed, a_part_record, a_plan, a_worker_record, put_part, put_plan
from tests.unit.mergers import DONE, PLAN, Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def fail(scene: Scene, attempt: int, index: int = 0, worker: str = "gpu-0") -> bool:
    """Let the merger hear that a part failed for now."""
    return scene.fail(index, retryable=True, attempt=attempt, reason="no memory", worker=worker)


def letters(scene: Scene) -> list[DeadLetter]:
    return [letter for letter in scene.broker.messages(DEAD_LETTERS) if isinstance(letter, DeadLetter)]


def test_a_part_is_tried_again_when_its_time_has_come(scene: Scene) -> None:
    """A part that failed waits, goes by express with the number of its attempt, once, and in the end is done."""
    scene.planned(1, 2)
    assert not fail(scene, 1)
    assert (scene.states[0], scene.record.retry_at) == ("pending", 2006.0)
    scene.sweep(5)
    assert scene.jobs_sent() == []
    scene.sweep(3)
    assert scene.jobs_sent() == [(EXPRESS, 0, 2)]
    assert scene.record == a_part_record(attempts=1, reason="no memory", worker="gpu-0")
    assert scene.make(0)
    scene.sweep()
    assert scene.published == [DONE]


def test_a_part_is_tried_again_elsewhere(scene: Scene) -> None:
    """What has just failed on a worker does not go to a partition of that worker while there are others."""
    scene.planned(1, 2)
    for owner in (0, 1):
        scene.checkpoint.heartbeat(a_worker_record("gpu-0", express=(owner,), last_seen=2100.0))
        fail(scene, owner + 1)
        scene.clock.now = scene.record.retry_at
        scene.jobs.retry(BOOK)
        assert [bool(jobs) for jobs in scene.broker.logs[EXPRESS]] == [owner == 1, owner == 0]
        scene.broker.logs.pop(EXPRESS)


def test_parts_that_failed_on_several_workers(scene: Scene) -> None:
    """Each of the parts whose time has come avoids the worker that it failed on."""
    scene.planned(2)
    for index, worker in enumerate(("gpu-0", "gpu-1")):
        scene.checkpoint.heartbeat(a_worker_record(worker, express=(index,), last_seen=2100.0))
        fail(scene, 1, index, worker)
    scene.clock.now = 2010.0
    scene.jobs.retry(BOOK)
    sent = [[decode(raw) for raw in jobs] for jobs in scene.broker.logs[EXPRESS]]
    assert [[job.part.index for job in jobs if isinstance(job, ChapterJob)] for jobs in sent] == [[1], [0]]


def test_a_part_that_fails_three_times(scene: Scene) -> None:
    """The third failure is the last: the job goes to the dead letters with its reason, which the book says too."""
    scene.planned(1, 2)
    for attempt in (1, 2):
        fail(scene, attempt)
    assert letters(scene) == []
    assert fail(scene, 3)
    (letter,) = letters(scene)
    assert (letter.book_id, letter.part, letter.attempts, letter.reason) == (BOOK, 0, 3, "no memory")
    assert letter.source == "merger"
    job = decode(letter.payload.encode())
    assert isinstance(job, ChapterJob)
    assert (job.part, job.attempt) == (PLAN.parts[0].for_engine(), 3)
    scene.sweep()
    assert scene.published == [BookFailed(book_id=BOOK, reason="1 parts missing, in chapters 1: no memory")]
    assert scene.record.reason == "no memory"


def test_a_failure_that_comes_twice(scene: Scene) -> None:
    """The same failure heard of again is not one more attempt, and the last one is not forgotten by a kill."""
    scene.planned(1, 2)
    for _ in range(5):
        fail(scene, 1)
    assert (scene.record.attempts, scene.states[0]) == (1, "pending")
    fail(scene, 3)
    send = scene.broker.send

    def refuse(topic: str, messages: Iterable[Message], partitions: Iterable[int] | None = None) -> None:
        raise Unavailable("Kafka is away")

    scene.broker.logs.pop(DEAD_LETTERS)
    scene.checkpoint.update_part(BOOK, 0, lambda _record: a_part_record(attempts=2))
    scene.broker.send = refuse  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        fail(scene, 3)
    scene.broker.send = send  # type: ignore[method-assign]
    fail(scene, 3)
    assert len(letters(scene)) == 1


def test_poison_is_not_tried_again(scene: Scene) -> None:
    """A part that no engine can say fails at once; its worker has written the dead letter."""
    scene.planned(1, 2)
    assert scene.fail(0)
    scene.sweep(60)
    assert (scene.states[0], scene.jobs_sent(), letters(scene)) == ("failed", [], [])


def test_a_late_part(scene: Scene) -> None:
    """A part that a slow worker makes after it was given up is done, and so is its book."""
    scene.planned(1, 2)
    fail(scene, 3)
    scene.sweep()
    assert scene.stage == "failed"
    assert scene.make(0)
    scene.sweep(2)
    work = scene.merger.on_event(a_part_failed(PLAN.parts[0], retryable=True, attempt=2))
    assert work is not None
    work.run()
    assert (scene.stage, scene.published[-1]) == ("done", DONE)


def test_a_merger_that_dies_after_it_published_a_retry(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The retry is published again, as the same attempt: what fails twice counts once."""
    scene.planned(1, 2)
    fail(scene, 1)
    scene.clock.now = 2010.0

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(scene.checkpoint, "update_part", die)
        with pytest.raises(Killed):
            scene.jobs.retry(BOOK)
    scene.sweep()
    assert scene.jobs_sent() == [(EXPRESS, 0, 2)] * 2
    for _ in range(2):
        fail(scene, 2)
    assert scene.record.attempts == 2


def test_parts_are_wanted_after_all(scene: Scene) -> None:
    """All parts that failed are tried as if they never had been, and the book goes on."""
    scene.planned(1)
    fail(scene, 3)
    scene.fail(2)
    scene.sweep()
    assert scene.stage == "failed"
    assert scene.merger.on_event(PartsWanted(book_id=BOOK)) is None
    assert (scene.stage, scene.states) == ("synthesising", ["pending", "done", "pending"])
    assert scene.record == a_part_record()
    assert sorted(job[1:] for job in scene.jobs_sent()) == [(0, 1), (2, 1)]
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    assert book.reason == ""
    assert [scene.make(0), scene.make(2)] == [False, True]


def test_one_part_is_wanted(scene: Scene) -> None:
    """Only the part that is named is tried again; what has not failed is left alone."""
    scene.planned(1)
    scene.fail(0)
    scene.fail(2)
    scene.merger.on_event(PartsWanted(book_id=BOOK, parts=(1, 2, 99)))
    assert (scene.states, [part for _topic, part, _attempt in scene.jobs_sent()]) == (
        ["failed", "done", "pending"],
        [2],
    )


def test_nothing_is_wanted(scene: Scene) -> None:
    """When nothing has failed, or the book is unknown to storage, nothing happens."""
    with capture_logs() as logs:
        scene.merger.on_event(PartsWanted(book_id=BOOK))
    assert [entry["event"] for entry in logs] == ["merge.no_plan"]
    scene.planned(0, 1, 2)
    scene.sweep()
    scene.merger.on_event(PartsWanted(book_id=BOOK))
    assert (scene.stage, scene.jobs_sent()) == ("done", [])


def test_parts_are_wanted_of_a_book_that_redis_has_forgotten(scene: Scene) -> None:
    """The book is read from storage first; all that it lacks is pending then, and the sweep publishes it."""
    scene.planned(1)
    scene.checkpoint.lose()
    scene.merger.on_event(PartsWanted(book_id=BOOK))
    assert scene.states == ["pending", "done", "pending"]
    scene.settle()
    scene.sweep(2)
    assert [part for _topic, part, _attempt in scene.jobs_sent()] == [0, 2]


def test_a_merger_that_dies_while_it_has_parts_tried_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order comes again, finds no failed part any more, and the sweep publishes what has become pending."""
    scene.planned(1, 2)
    scene.fail(0)
    scene.sweep()

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(scene.books, "enter", die)
        with pytest.raises(Killed):
            scene.merger.on_event(PartsWanted(book_id=BOOK))
    assert (scene.stage, scene.states[0]) == ("failed", "pending")
    scene.merger.on_event(PartsWanted(book_id=BOOK))
    scene.settle()
    scene.sweep(2)
    assert (scene.stage, [job[1] for job in scene.jobs_sent()]) == ("synthesising", [0])


def test_parts_are_wanted_while_their_book_fails(scene: Scene) -> None:
    """An order that meets the failing of its book is not lost: the book goes on."""
    scene.planned(1, 2)
    send = scene.broker.send

    def order(topic: str, messages: Iterable[Message], partitions: Iterable[int] | None = None) -> None:
        scene.broker.send = send  # type: ignore[method-assign]
        send(topic, messages, partitions)
        scene.merger.on_event(PartsWanted(book_id=BOOK))

    scene.fail(0)
    scene.broker.send = order  # type: ignore[method-assign]
    scene.merger.conclude(BOOK)
    assert (scene.stage, scene.states[0]) == ("synthesising", "pending")


def test_a_plan_that_is_gone(scene: Scene) -> None:
    """A part of a book without a plan is given up without its job, and not tried again."""
    scene.planned(1, 2)
    fail(scene, 1)
    scene.store.delete(keys.book(BOOK, keys.PLAN))
    scene.clock.now = 2010.0
    scene.jobs.retry(BOOK)
    fail(scene, 3)
    assert (scene.jobs_sent(), [letter.payload for letter in letters(scene)]) == ([], [""])


def test_long_books_do_not_go_by_express(scene: Scene) -> None:
    """What is published again of a long book waits behind other books, unless it was tried before."""
    plan = a_plan(parts=(70,))
    put_plan(scene.store, plan)
    put_part(scene.store, plan.parts[0])
    scene.books.seed(BOOK)
    scene.jobs.publish(plan, plan.parts[1:], "fallen")
    assert {topic for topic, _part, _attempt in scene.jobs_sent()} == {CHAPTERS}


def test_metrics(scene: Scene) -> None:
    """What is published again, and what is given up, is counted."""

    def counted() -> list[float]:
        again = (
            MERGER.get_sample_value("e2a_jobs_again_total", {"reason": reason}) for reason in ("retried", "wanted")
        )
        return [
            *(value or 0.0 for value in again),
            MERGER.get_sample_value("e2a_dead_letters_total", {"kind": "job"}) or 0.0,
        ]

    before = counted()
    scene.planned(1, 2)
    fail(scene, 1)
    scene.sweep(8)
    fail(scene, 3)
    scene.merger.on_event(PartsWanted(book_id=BOOK))
    assert [after - was for after, was in zip(counted(), before, strict=True)] == [1.0, 1.0, 1.0]
