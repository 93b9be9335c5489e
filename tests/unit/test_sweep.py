"""The sweep: what fell between is taken up again, and nothing else is touched."""

import pytest
from structlog.testing import capture_logs

from e2a.checkpoint import QueuedWork, QueueRecord
from e2a.errors import Unavailable
from e2a.messages import BookChanged, BookPlanned
from e2a.placement import dispatch, even
from e2a.plan import Order
from e2a.storage import keys
from e2a.topics import CHAPTERS, EVENTS, EXPRESS, QUEUES
from merger.sweep import LEASE
from tests.unit.builders import BOOK, a_job, a_part_record, a_plan, a_worker_record, put_part, put_plan
from tests.unit.mergers import DONE, PLAN, Scene

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


def test_a_part_whose_worker_died_while_its_message_waits(scene: Scene) -> None:
    """It is published at once by express, once for each death, and not while the next worker is at it."""
    lease = f"part/{PLAN.parts[1].digest}"
    scene.planned()
    publish(scene, 0, 1, 2)
    scene.checkpoint.claim(lease, "gpu-1", ttl=0.5)
    scene.sweep()
    assert scene.jobs_sent() == [(EXPRESS, 1, 1)]
    scene.sweep(20)
    assert scene.jobs_sent() == []
    scene.checkpoint.claim(lease, "gpu-2", ttl=5.5)
    scene.sweep(5)
    assert scene.jobs_sent() == []
    scene.sweep()
    assert scene.jobs_sent() == [(EXPRESS, 1, 1)]
    scene.sweep(20)
    assert scene.jobs_sent() == []


def test_a_part_whose_worker_died_among_many_that_fell(scene: Scene) -> None:
    """It goes by express also when so much of its book fell between that the rest does not."""
    plan = a_plan(parts=(100,))
    put_plan(scene.store, plan)
    scene.books.seed(BOOK)
    scene.settle()
    scene.sweep()
    scene.checkpoint.claim(f"part/{plan.parts[50].digest}", "gpu-1", ttl=0.5)
    scene.sweep()
    jobs = scene.jobs_sent()
    assert [part for topic, part, _attempt in jobs if topic == EXPRESS] == [50]
    assert len(jobs) == 100


def test_a_part_that_is_given_back_and_dies_again(scene: Scene) -> None:
    """A death after the lease was given back is a new one, although as many have died of it."""
    lease = f"part/{PLAN.parts[1].digest}"
    scene.planned()
    publish(scene, 0, 1, 2)
    scene.checkpoint.claim(lease, "gpu-1", ttl=0.5)
    scene.sweep()
    scene.checkpoint.claim(lease, "gpu-2", ttl=6.0)
    scene.checkpoint.release(lease, "gpu-2")
    scene.sweep()
    assert sent(scene) == [1]
    scene.checkpoint.claim(lease, "gpu-3", ttl=0.5)
    scene.sweep()
    assert sent(scene) == [1]


def test_the_deaths_of_others(scene: Scene) -> None:
    """A worker's death makes only the part that it held suspect, and none that is done or of another book."""
    scene.planned(0)
    publish(scene, 2)
    for name in (f"part/{PLAN.parts[0].digest}", "part/unknown", f"assembly/{BOOK}"):
        scene.checkpoint.claim(name, "gpu-1", ttl=0.5)
    scene.settle()
    scene.sweep()
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


def workers(scene: Scene, *numbers: int, **said: object) -> None:
    """Let workers be heard of."""
    for number in numbers:
        scene.checkpoint.heartbeat(a_worker_record(f"gpu-{number}", last_seen=scene.clock.now, **said))


def partitions(scene: Scene) -> int:
    """Return how many partitions the topics of jobs have."""
    (count,) = {scene.topics.existing[topic] for topic in QUEUES}
    return count


def test_partitions_grow_with_the_workers(scene: Scene) -> None:
    """There is a partition for each worker once they have lived for long enough."""
    for _ in range(12):
        assert partitions(scene) == 2
        workers(scene, *range(4))
        scene.sweep()
    assert partitions(scene) == 4


def test_the_dead_have_no_partition(scene: Scene) -> None:
    """Workers that are killed and come back under new names do not count twice, however often that happens."""
    for restart in range(0, 30, 3):
        for _ in range(20):
            workers(scene, restart, restart + 1, restart + 2)
            scene.sweep()
    assert partitions(scene) == 3


@pytest.mark.parametrize("state", ["draining", "drained"])
def test_the_drained_have_no_partition(scene: Scene, state: str) -> None:
    """Workers that take no parts want no partition, however long they are heard of."""
    for _ in range(24):
        workers(scene, 0, 1, 2)
        workers(scene, 3, 4, state=state)
        scene.sweep()
    assert partitions(scene) == 3


def test_topics_are_made_anew_as_large_as_they_were(scene: Scene) -> None:
    """Topics that vanish while fewer workers live than before have a partition for each of those of before."""
    for _ in range(12):
        workers(scene, *range(4))
        scene.sweep()
    scene.sweep(60)
    scene.topics.existing.clear()
    scene.sweep()
    assert partitions(scene) == 4


def test_what_waits_is_told(scene: Scene) -> None:
    """Whoever places parts, and the monitor, can see how many parts and seconds wait in each partition."""
    scene.planned()
    scene.broker.send(CHAPTERS, [a_job(part) for part in PLAN.parts], [0, 1, 1])
    scene.broker.committed[CHAPTERS] = [1, 0]
    scene.sweep()
    read = {(CHAPTERS, 0): (0, 0.0, 1, 1), (CHAPTERS, 1): (2, 20.0, 0, 2)}
    work = tuple(
        QueuedWork(topic=topic, partition=partition, parts=parts, seconds=seconds, committed=committed, end=end)
        for topic in QUEUES
        for partition in (0, 1)
        for parts, seconds, committed, end in [read.get((topic, partition), (0, 0.0, 0, 0))]
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
        ("store", "get", ["storage", "fallen"]),
        ("store", "list", ["storage"]),
        ("checkpoint", "set_queue", ["queue"]),
        ("checkpoint", "stages", ["storage", "fallen", "retries", "books"]),
    ],
)
def test_a_server_that_is_away(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, owner: str, method: str, waiting: list[str]
) -> None:
    """Only what needs it waits; that is said when it begins and when it ends, and by the health page meanwhile, and the
    sweep goes on by itself."""
    scene.planned(1, 2)
    scene.settle()
    with capture_logs() as logs, monkeypatch.context() as patch:
        patch.setattr(getattr(scene, owner), method, away)
        scene.sweep(3)
    assert [entry["step"] for entry in logs if entry["event"] == "sweep.waits"] == waiting
    assert scene.sweeper.problem == "it is away"
    with capture_logs() as logs:
        scene.sweep(3)
    assert [entry["step"] for entry in logs if entry["event"] == "sweep.goes_on"] == waiting
    assert scene.sweeper.problem == ""
    assert set(sent(scene)) == {0}
    assert scene.checkpoint.is_whole()


def test_storage_that_is_away_is_asked_once_a_step(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is to look up, a sweep waits no longer than each of its steps waits once."""
    calls: list[object] = []

    def wait(*arguments: object) -> None:
        calls.append(arguments)
        raise Unavailable("it is away")

    for book_id in (BOOK, OTHER):
        plan = a_plan(book_id=book_id)
        put_plan(scene.store, plan)
        scene.books.seed(book_id)
        for index, retry_at in ((0, 1.0), (1, 1.0), (2, 0.0)):
            scene.checkpoint.update_part(book_id, index, lambda _, at=retry_at: a_part_record(retry_at=at))
    for method in ("get", "size", "list"):
        monkeypatch.setattr(scene.store, method, wait)
    scene.sweep()
    assert len(calls) == 3


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
    """Parts of a book whose plan is gone are left alone, until the plan is there again."""
    scene.sweep()
    scene.planned()
    scene.store.delete(keys.book(BOOK, keys.PLAN))
    scene.settle()
    scene.sweep(3)
    assert (sent(scene), scene.states) == ([], ["pending"] * 3)
    put_plan(scene.store, PLAN)
    scene.sweep(2)
    assert sent(scene) == [0, 1, 2]


def test_a_plan_that_has_become_longer(scene: Scene) -> None:
    """A book that was removed and produced anew between two sweeps is looked after as it is now."""
    scene.planned()
    scene.sweep()
    put_plan(scene.store, a_plan(parts=(2, 2)))
    scene.merger.on_event(BookPlanned(book_id=BOOK))
    scene.settle()
    scene.sweep(2)
    assert sent(scene) == [0, 1, 2, 3]


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
