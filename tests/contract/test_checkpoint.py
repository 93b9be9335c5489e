"""One class of tests for every checkpoint: memory and Redis."""

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable

import pytest
import redis as redis_py

from e2a.checkpoint import (
    BookRecord,
    Checkpoint,
    NotRecorded,
    PartRecord,
    QueuedWork,
    QueueRecord,
    RedisCheckpoint,
    WorkerRecord,
)
from e2a.checkpoint.redis import AWAY, WORKER_TTL
from e2a.errors import Retryable, Unavailable
from e2a.testing import Clock, MemoryCheckpoint
from tests.servers import wait_until


@pytest.fixture(params=["memory", "redis", "secure"])
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    if request.param == "memory":
        return MemoryCheckpoint(Clock())
    if request.param == "secure":
        secure = request.getfixturevalue("secure")
        secure.forget()
        return secure.checkpoint("merger")
    url = request.getfixturevalue("redis")
    redis_py.Redis.from_url(url).flushall()
    return RedisCheckpoint(url)


def book(book_id: str = "b1", start_time: float = 1.0) -> BookRecord:
    return BookRecord(
        book_id=book_id,
        title="A Book",
        authors=("A. Author",),
        engine="simulated",
        chapter_titles=("One", "Two"),
        start_time=start_time,
        resumed_at=start_time,
        last_update=start_time,
    )


PARTS = {
    0: PartRecord(chapter=0, estimate=1.0, state="done", audio_seconds=1.5),
    1: PartRecord(chapter=0, estimate=2.0),
    10: PartRecord(chapter=1, estimate=3.0),
}


def pass_time(checkpoint: Checkpoint) -> None:
    """Let leases of a millisecond run out."""
    if isinstance(checkpoint, MemoryCheckpoint):
        clock = checkpoint._clock
        assert isinstance(clock, Clock)
        clock.now += 1
    else:
        wait_until(lambda: not checkpoint.held(["part/x"]))


def done(record: PartRecord) -> PartRecord:
    return record.model_copy(update={"state": "done"})


def failed(record: PartRecord) -> PartRecord:
    return record.model_copy(update={"state": "failed"})


class TestCheckpoint:
    def test_knows_nothing_at_first(self, checkpoint: Checkpoint) -> None:
        """An empty checkpoint has no books, parts or workers."""
        checkpoint.check()
        assert checkpoint.books() == []
        assert checkpoint.book("b1") is None
        assert checkpoint.parts("b1") == {}
        assert checkpoint.pending("b1") == 0
        assert checkpoint.workers() == []

    def test_seeds_a_book(self, checkpoint: Checkpoint) -> None:
        """A seeded book comes back whole, its parts in the order of the book."""
        checkpoint.seed(book(), PARTS)
        assert checkpoint.book("b1") == book()
        assert list(checkpoint.parts("b1").items()) == list(PARTS.items())
        assert checkpoint.pending("b1") == 2

    def test_seeding_again_forgets(self, checkpoint: Checkpoint) -> None:
        """A second seed replaces all that was known of the book's parts."""
        checkpoint.seed(book(), PARTS)
        checkpoint.seed(book(), {0: PARTS[0]})
        assert list(checkpoint.parts("b1")) == [0]
        assert checkpoint.pending("b1") == 0

    def test_lists_books_in_order_of_submission(self, checkpoint: Checkpoint) -> None:
        """The first submitted book is the first listed."""
        checkpoint.seed(book("late", 2.0), PARTS)
        checkpoint.seed(book("early", 1.0), PARTS)
        assert checkpoint.books() == ["early", "late"]

    @pytest.mark.parametrize("change", [done, failed])
    def test_counts_pending_parts(self, checkpoint: Checkpoint, change: object) -> None:
        """A part that is done or failed is not pending, however often it is changed, and may become so again."""
        checkpoint.seed(book(), PARTS)
        for _ in range(2):
            checkpoint.update_part("b1", 10, change)  # type: ignore[arg-type]
        assert checkpoint.pending("b1") == 1
        checkpoint.update_part("b1", 10, lambda record: record.model_copy(update={"state": "pending"}))
        assert checkpoint.pending("b1") == 2

    def test_updates_a_book(self, checkpoint: Checkpoint) -> None:
        """A change of a book's record is kept and returned."""
        checkpoint.seed(book(), PARTS)
        changed = checkpoint.update_book("b1", lambda record: record.model_copy(update={"stage": "done"}))
        assert changed.stage == "done"
        assert checkpoint.book("b1") == changed

    def test_refuses_to_update_what_it_does_not_know(self, checkpoint: Checkpoint) -> None:
        """Unknown books and parts are told, and are not made up."""
        with pytest.raises(NotRecorded):
            checkpoint.update_book("b1", lambda record: record)
        checkpoint.seed(book(), PARTS)
        with pytest.raises(NotRecorded):
            checkpoint.update_part("b1", 99, done)
        assert 99 not in checkpoint.parts("b1")

    def test_loses_no_update(self, checkpoint: Checkpoint) -> None:
        """Changes by many threads at once all count."""
        checkpoint.seed(book(), PARTS)

        def add() -> None:
            for _ in range(20):
                checkpoint.update_part(
                    "b1", 1, lambda record: record.model_copy(update={"audio_bytes": record.audio_bytes + 1})
                )

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert checkpoint.parts("b1")[1].audio_bytes == 80

    def test_gives_a_lease_to_one(self, checkpoint: Checkpoint) -> None:
        """A lease that is held is refused to others until it is released."""
        assert checkpoint.claim("part/x", "anna", ttl=60) == 1
        assert checkpoint.claim("part/x", "bert", ttl=60) == 0
        checkpoint.release("part/x", "bert")
        assert checkpoint.claim("part/x", "bert", ttl=60) == 0
        checkpoint.release("part/x", "anna")
        assert checkpoint.claim("part/x", "bert", ttl=60) == 1

    def test_counts_holders_that_died(self, checkpoint: Checkpoint) -> None:
        """A holder that claims again has died in between; a release forgets it."""
        assert checkpoint.claim("part/x", "anna", ttl=60) == 1
        assert checkpoint.claim("part/x", "anna", ttl=60) == 2
        checkpoint.release("part/x", "anna")
        assert checkpoint.claim("part/x", "anna", ttl=60) == 1

    def test_says_how_many_died_while_nobody_else_holds_it(self, checkpoint: Checkpoint) -> None:
        """The dead are counted for whoever could claim now: not while somebody else lives, not after a release."""
        assert checkpoint.deaths("part/x", "anna") == 0
        checkpoint.claim("part/x", "anna", ttl=60)
        assert checkpoint.deaths("part/x", "bert") == 0
        assert checkpoint.deaths("part/x", "anna") == 1
        checkpoint.release("part/x", "anna")
        assert checkpoint.deaths("part/x", "anna") == 0

    def test_tells_leases_of_the_dead(self, checkpoint: Checkpoint) -> None:
        """A lease that ran out is told with how many of its holders died, until it is held again or given back."""
        checkpoint.claim("part/x", "anna", ttl=0.001)
        checkpoint.claim("part/y", "bert", ttl=60)
        checkpoint.claim("part/z", "bert", ttl=60)
        checkpoint.release("part/z", "bert")
        pass_time(checkpoint)
        assert checkpoint.dead() == {"part/x": 1}
        checkpoint.claim("part/x", "bert", ttl=0.001)
        pass_time(checkpoint)
        assert checkpoint.dead() == {"part/x": 2}
        checkpoint.claim("part/x", "bert", ttl=60)
        assert checkpoint.dead() == {}
        checkpoint.release("part/x", "bert")
        assert checkpoint.dead() == {}

    def test_counts_one_less_who_survived(self, checkpoint: Checkpoint) -> None:
        """A death that was none is taken back, but no claim that still lives."""
        for holder in ("anna", "bert"):
            checkpoint.claim("part/x", holder, ttl=0.001)
            pass_time(checkpoint)
        checkpoint.survive("part/x")
        assert checkpoint.dead() == {"part/x": 1}
        checkpoint.survive("part/x")
        checkpoint.survive("part/y")
        assert checkpoint.dead() == {"part/x": 1}

    def test_renews_for_the_holder_only(self, checkpoint: Checkpoint) -> None:
        """Only who holds a lease can renew it."""
        checkpoint.claim("part/x", "anna", ttl=60)
        assert checkpoint.renew("part/x", "anna", ttl=60)
        assert not checkpoint.renew("part/x", "bert", ttl=60)

    def test_renews_what_nobody_took(self, checkpoint: Checkpoint) -> None:
        """A lease that has run out is its holder's again unless somebody was quicker; nobody counts as dead for it."""
        assert checkpoint.renew("part/y", "anna", ttl=60)
        assert not checkpoint.renew("part/y", "bert", ttl=60)
        assert checkpoint.deaths("part/y", "anna") == 0

    def test_tells_leases_that_are_held(self, checkpoint: Checkpoint) -> None:
        """Of many leases those are told that anybody holds now."""
        checkpoint.claim("part/x", "anna", ttl=60)
        checkpoint.claim("part/z", "bert", ttl=60)
        checkpoint.release("part/z", "bert")
        assert checkpoint.held(["part/x", "part/y", "part/z"]) == {"part/x"}
        assert checkpoint.held([]) == set()

    def test_is_whole_when_somebody_says_so(self, checkpoint: Checkpoint) -> None:
        """An empty checkpoint does not pass for one that knows all books."""
        assert not checkpoint.is_whole()
        checkpoint.declare_whole()
        assert checkpoint.is_whole()

    def test_forgets_a_book(self, checkpoint: Checkpoint) -> None:
        """Nothing of a book is left, the others stay, and forgetting it again does nothing."""
        checkpoint.seed(book("b1").model_copy(update={"urgent": True}), PARTS)
        checkpoint.seed(book("b2"), PARTS)
        for _ in range(2):
            checkpoint.forget("b1")
        assert (checkpoint.books(), list(checkpoint.stages())) == (["b2"], ["b2"])
        assert (checkpoint.book("b1"), checkpoint.parts("b1"), checkpoint.ready("b1")) == (None, {}, [])

    def test_tells_stages_of_urgent_books_first(self, checkpoint: Checkpoint) -> None:
        """Each book is listed with its stage: urgent ones first, then in order of submission; both may change."""
        checkpoint.seed(book("late", 3.0), PARTS)
        checkpoint.seed(book("urgent", 2.0).model_copy(update={"urgent": True}), PARTS)
        checkpoint.seed(book("early", 1.0), PARTS)
        checkpoint.update_book("late", lambda record: record.model_copy(update={"stage": "paused"}))
        found = {"urgent": "synthesising", "early": "synthesising", "late": "paused"}
        assert list(checkpoint.stages().items()) == list(found.items())
        checkpoint.update_book("urgent", lambda record: record.model_copy(update={"urgent": False}))
        assert list(checkpoint.stages()) == ["early", "urgent", "late"]

    def test_tells_the_stage_of_one_book(self, checkpoint: Checkpoint) -> None:
        """The stage of a book is the one that its record has; of an unknown book there is none."""
        checkpoint.seed(book(), PARTS)
        assert (checkpoint.stage("b1"), checkpoint.stage("b2")) == ("synthesising", None)
        checkpoint.update_book("b1", lambda record: record.model_copy(update={"stage": "cancelled"}))
        assert checkpoint.stage("b1") == "cancelled"
        checkpoint.forget("b1")
        assert checkpoint.stage("b1") is None

    def test_tells_one_part(self, checkpoint: Checkpoint) -> None:
        """One part is found by its index; of an unknown part or book there is none."""
        checkpoint.seed(book(), PARTS)
        assert checkpoint.part("b1", 10) == PARTS[10]
        assert (checkpoint.part("b1", 2), checkpoint.part("b2", 10)) == (None, None)

    def test_parts_that_wait_to_be_tried_again_are_not_ready(self, checkpoint: Checkpoint) -> None:
        """A part with a time to be tried again is pending but not ready until the time is taken away."""

        def at(due: float) -> Callable[[PartRecord], PartRecord]:
            return lambda record: record.model_copy(update={"retry_at": due})

        checkpoint.seed(book(), PARTS | {2: PartRecord(chapter=0, estimate=1.0, retry_at=5.5)})
        assert (checkpoint.ready("b1"), checkpoint.retries("b1")) == ([1, 10], {2: 5.5})
        checkpoint.update_part("b1", 10, at(7.25))
        assert (checkpoint.ready("b1"), checkpoint.retries("b1")) == ([1], {2: 5.5, 10: 7.25})
        checkpoint.update_part("b1", 2, at(0.0))
        assert (checkpoint.ready("b1"), checkpoint.retries("b1")) == ([1, 2], {10: 7.25})
        assert checkpoint.pending("b1") == 3

    def test_knows_what_waits(self, checkpoint: Checkpoint) -> None:
        """What waits in Kafka is as somebody last said; at first nobody has."""
        assert checkpoint.queue() is None
        work = (QueuedWork(topic="e2a.chapters", partition=1, parts=2, seconds=3.5),)
        checkpoint.set_queue(QueueRecord(taken=9.0, work=work))
        assert checkpoint.queue() == QueueRecord(taken=9.0, work=work)

    def test_lists_workers_until_they_sign_off(self, checkpoint: Checkpoint) -> None:
        """The last heartbeat of each worker is listed, by name."""
        anna = WorkerRecord(worker="anna", engine="simulated", started=1.0, last_seen=2.0)
        bert = WorkerRecord(worker="bert", engine="simulated", started=1.0, last_seen=2.0, book_id="b1", chapter=3)
        for record in (bert, anna, anna.model_copy(update={"done": 3})):
            checkpoint.heartbeat(record)
        assert [(worker.worker, worker.done, worker.chapter) for worker in checkpoint.workers()] == [
            ("anna", 3, 0),
            ("bert", 0, 3),
        ]
        checkpoint.sign_off("anna")
        assert [worker.worker for worker in checkpoint.workers()] == ["bert"]

    def test_a_wish_outlives_its_worker(self, checkpoint: Checkpoint) -> None:
        """A worker works until it is wanted otherwise; one that is drained and started again is still drained."""
        assert checkpoint.wish("anna") == "work"
        checkpoint.set_wish("anna", "drain")
        checkpoint.sign_off("anna")
        assert (checkpoint.wish("anna"), checkpoint.wish("bert")) == ("drain", "work")
        checkpoint.set_wish("anna", "work")
        assert checkpoint.wish("anna") == "work"


def test_records_of_an_older_version_are_read(redis: str) -> None:
    """What an older version left in Redis is read: a field that it did not know has a default."""
    checkpoint, client = RedisCheckpoint(redis), redis_py.Redis.from_url(redis)
    checkpoint.seed(book(), PARTS)
    first = {"book_id", "title", "authors", "engine", "chapter_titles", "start_time", "last_update"}
    client.set("e2a:book:b1", book().model_dump_json(include=first))
    found = checkpoint.book("b1")
    assert found is not None
    assert found.title == "A Book"


def test_memory_lease_of_a_dead_holder_runs_out() -> None:
    """A lease that nobody renews is free after its lifetime, and the attempt is counted."""
    clock = Clock()
    checkpoint = MemoryCheckpoint(clock)
    checkpoint.claim("part/x", "anna", ttl=6)
    clock.now = 7
    assert checkpoint.deaths("part/x", "bert") == 1
    assert checkpoint.claim("part/x", "bert", ttl=6) == 2
    assert not checkpoint.renew("part/x", "anna", ttl=6)


def test_a_claim_is_counted_once(redis: str) -> None:
    """A Redis that answers too late has heard of a claim once: a second time would count as a death."""
    client = redis_py.Redis.from_url(redis)
    client.flushall()
    server = int(client.info()["process_id"])
    checkpoint = RedisCheckpoint(redis)
    checkpoint.claim("part/w", "anna", ttl=60)  # the server knows the script from then on
    awake = threading.Timer(3, os.kill, (server, signal.SIGCONT))
    os.kill(server, signal.SIGSTOP)
    awake.start()
    with contextlib.suppress(Unavailable):
        checkpoint.claim("part/x", "anna", ttl=60)
    awake.join()
    assert RedisCheckpoint(redis).deaths("part/x", "anna") == 1


def test_redis_lease_runs_out_by_itself(redis: str) -> None:
    """Redis itself ends a lease: the key has the lifetime that was asked for."""
    checkpoint, client = RedisCheckpoint(redis), redis_py.Redis.from_url(redis)
    client.flushall()
    checkpoint.claim("part/x", "anna", ttl=6)
    assert 0 < client.pttl("e2a:lease:part/x") <= 6000
    client.delete("e2a:lease:part/x")
    assert checkpoint.deaths("part/x", "bert") == 1
    assert checkpoint.claim("part/x", "bert", ttl=6) == 2


@pytest.mark.parametrize("url", ["redis://:hunter2@127.0.0.1:1/0", "redis://127.0.0.1:1/0?password=p@hunter2"])
def test_redis_that_is_away_is_named_without_its_password(url: str) -> None:
    """A Redis that does not answer is a Retryable with its address, the password kept out of it."""
    with pytest.raises(Retryable, match="Redis 127.0.0.1:1/0: ") as caught:
        RedisCheckpoint(url).check()
    assert "hunter2" not in str(caught.value)


def test_redis_that_is_away_is_not_asked_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure every call fails at once, with the same reason, until it is time to ask again."""
    checkpoint, now, asked = RedisCheckpoint("redis://127.0.0.1:1/0"), [100.0], list[str]()
    monkeypatch.setattr("e2a.checkpoint.redis.time.monotonic", lambda: now[0])
    with pytest.raises(Unavailable, match="Redis 127.0.0.1:1/0: ") as first:
        checkpoint.check()
    monkeypatch.setattr(checkpoint._redis, "ping", lambda: asked.append("ping"))
    with pytest.raises(Unavailable, match=re.escape(str(first.value))):
        checkpoint.check()
    assert asked == []
    now[0] += AWAY
    checkpoint.check()
    assert asked == ["ping"]


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 3600.0])
def test_a_workers_clock_does_not_matter(redis: str, ahead: float) -> None:
    """A worker was heard of when its heartbeat came, whatever its clock said then."""
    checkpoint, client = RedisCheckpoint(redis), redis_py.Redis.from_url(redis)
    client.flushall()
    checkpoint.heartbeat(WorkerRecord(worker="anna", engine="simulated", started=1.0, last_seen=time.time() + ahead))
    (anna,) = checkpoint.workers()
    assert not anna.is_silent(time.time())
    client.expire("e2a:worker:anna", WORKER_TTL - 60)
    (anna,) = checkpoint.workers()
    assert anna.is_silent(time.time())


def test_a_wish_is_kept_while_the_worker_asks(redis: str) -> None:
    """A worker may stay drained for longer than a day; a wish that nobody asks for is forgotten some time."""
    checkpoint, client = RedisCheckpoint(redis), redis_py.Redis.from_url(redis)
    checkpoint.set_wish("anna", "drain")
    client.expire("e2a:wish:anna", 100)
    assert checkpoint.wish("anna") == "drain"
    assert client.ttl("e2a:wish:anna") > 80_000
    client.delete("e2a:wish:anna")
