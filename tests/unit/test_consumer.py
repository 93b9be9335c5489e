"""The loop on a scripted Kafka client: when partitions are paused, and what a commit that is refused leads to."""

import threading

import pytest
from confluent_kafka import KafkaError, TopicPartition

from e2a.bus import Handler
from e2a.bus.consumer import EXPRESS_HANDS, HANDS
from e2a.bus.membership import LOOK_AHEAD
from e2a.errors import ExitCode, Poison, Retryable, UserError
from e2a.messages import ChapterJob, Event
from e2a.topics import DEAD_LETTERS, EVENTS, EXPRESS
from tests.unit.builders import a_part_done
from tests.unit.kafka_script import Loop, Script


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Loop:
    """Return what runs the loop on scripts."""
    return Loop(monkeypatch)


def done(job: ChapterJob, _abandoned: threading.Event) -> Event:
    return a_part_done(job.part)


def test_partitions_are_paused_while_enough_jobs_wait(run: Loop) -> None:
    """With both hands full a few more jobs are taken but not begun, however often Kafka is polled."""
    script, stop, begun = Script(*[0] * 100), threading.Event(), []
    script.after_poll = lambda: script.polls > 200 and stop.set()

    def wait(job: ChapterJob, abandoned: threading.Event) -> None:
        begun.append(job.part.index)
        abandoned.wait(30)

    run(script, wait, stop)
    assert script.delivered == HANDS + LOOK_AHEAD
    assert sorted(begun) == [0, 1]
    assert script.committed == {0: 0}


def test_partitions_are_resumed_before_the_last_job(run: Loop) -> None:
    """A resumed partition needs a second to deliver, so it is resumed while jobs still wait; all are done in order."""
    script, stop, paused = Script(*[0] * 150), threading.Event(), threading.Event()
    script.after_poll = lambda: (script.paused and paused.set(), script.committed == {0: 150} and stop.set())
    left: list[int] = []
    resume = script.resume

    def watch(partitions: list[TopicPartition]) -> None:
        left.extend([script.delivered - script.committed[0]] if script.paused else [])
        resume(partitions)

    def first_waits(job: ChapterJob, abandoned: threading.Event) -> Event:
        assert paused.wait(30)
        return done(job, abandoned)

    script.resume = watch  # type: ignore[method-assign]
    broker = run(script, first_waits, stop)
    assert [event.part for event in broker.messages(EVENTS)] == list(range(150))  # type: ignore[union-attr]
    assert left[0] >= LOOK_AHEAD // 2


def test_a_partition_that_comes_back_is_not_paused(run: Loop) -> None:
    """A partition that was paused when it was taken away delivers again when it is given back."""
    script, stop, returned = Script(*[0] * 150), threading.Event(), threading.Event()

    def after_poll() -> None:
        if not script.owned:
            script.delivered = 0
            script.give(0)
            returned.set()
        elif script.paused and not returned.is_set():
            script.lose(0)
        if script.committed == {0: 150}:
            stop.set()

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        if returned.wait(30) and abandoned.is_set():
            return None
        return done(job, abandoned)

    script.after_poll = after_poll
    run(script, handle, stop)
    assert script.committed == {0: 150}


def test_a_job_that_waits_is_dropped_with_its_partition(run: Loop) -> None:
    """What waits of a partition that moves away is not begun: the new owner is given it."""
    script, stop, begun = Script(0, 0, 0, 1), threading.Event(), []
    script.after_poll = lambda: (script.delivered == 4 and script.lose(0), script.committed[1] == 1 and stop.set())

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        begun.append(job.part.index)
        if job.part.index == 3:
            return done(job, abandoned)
        abandoned.wait(30)
        return None

    run(script, handle, stop)
    assert sorted(begun) == [0, 1, 3]
    assert script.committed == {0: 0, 1: 1}


def test_a_refused_commit_is_tried_again(run: Loop) -> None:
    """A commit that a rebalance refuses is made later, and the event is published once."""
    script, stop = Script(0), threading.Event()
    script.refusals = 3
    script.after_poll = lambda: script.committed == {0: 1} and stop.set()
    broker = run(script, done, stop)
    assert script.refusals == 0
    assert len(broker.messages(EVENTS)) == 1


def test_a_job_that_waits_does_not_hold_up_other_partitions(run: Loop) -> None:
    """While one job waits, as for another worker's part, the jobs of other partitions are done and committed."""
    script, stop = Script(0, 1, 1, 1), threading.Event()
    script.after_poll = lambda: script.committed[1] == 3 and stop.set()

    def first_waits(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        if job.part.index > 0:
            return done(job, abandoned)
        abandoned.wait(30)
        return None

    broker = run(script, first_waits, stop)
    assert script.committed == {0: 0, 1: 3}
    assert [event.part for event in broker.messages(EVENTS)] == [1, 2, 3]  # type: ignore[union-attr]


def test_a_job_that_takes_long_leaves_the_other_hand_free(run: Loop) -> None:
    """What is done but waits for its turn to be committed holds no hand: the engine goes on with the next, within
    bounds."""
    script, stop, enough = Script(*[0] * 200), threading.Event(), threading.Event()
    order: list[int] = []

    def after_poll() -> None:
        if script.paused and len(order) == LOOK_AHEAD - 1:
            enough.set()
        if script.committed == {0: 200}:
            stop.set()

    def first_waits(job: ChapterJob, abandoned: threading.Event) -> Event:
        assert job.part.index or enough.wait(10)
        order.append(job.part.index)
        return done(job, abandoned)

    script.after_poll = after_poll
    broker = run(script, first_waits, stop)
    assert order.index(0) == LOOK_AHEAD - 1
    assert [event.part for event in broker.messages(EVENTS)] == list(range(200))  # type: ignore[union-attr]


def test_what_was_done_before_does_not_use_up_the_grace(run: Loop) -> None:
    """A worker that stops waits for a job at work, not for one that has long been done and waits for its turn."""
    script, stop, second = Script(0, 0), threading.Event(), threading.Event()
    script.after_poll = lambda: second.is_set() and stop.set()

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        if job.part.index:
            second.set()
        elif second.wait(30) and stop.wait(30) and abandoned.wait(0.2):
            return None
        return done(job, abandoned)

    run(script, handle, stop, grace=30)
    assert script.committed == {0: 2}


def test_a_bug_in_a_job_that_was_let_go_ends_the_worker(run: Loop) -> None:
    """A job that crashes after its partition has moved crashes the worker all the same: its lease must run out."""
    script, stop, begun = Script(0), threading.Event(), threading.Event()
    script.after_poll = lambda: begun.is_set() and script.lose(0)

    def crash(_job: ChapterJob, abandoned: threading.Event) -> None:
        begun.set()
        assert abandoned.wait(30)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(script, crash, stop)
    assert script.committed == {0: 0}


def test_express_jobs_are_begun_before_others(run: Loop) -> None:
    """What comes by the express topic overtakes what waits of the other, and each is committed in its own group."""
    chapters, express = Script(*[0] * 12), Script(topic=EXPRESS, first=100)
    stop, arrived, begun = threading.Event(), threading.Event(), []

    def after_poll() -> None:
        if chapters.delivered == 12 and not express.jobs:
            express.jobs += [0, 0]
            express.give(0)
            express.committed[0] = 0
        if express.delivered == 2:
            arrived.set()
        if (chapters.committed, express.committed) == ({0: 12}, {0: 2}):
            stop.set()

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event:
        begun.append(job.part.index)
        assert arrived.wait(10)
        return done(job, abandoned)

    chapters.after_poll = after_poll
    run(chapters, handle, stop, express=express, hands=1)
    assert begun == [0, 100, 101, *range(1, 12)]


def test_an_express_job_does_not_wait_for_a_hand(run: Loop) -> None:
    """All hands may be at jobs that wait for the engine: there is one more for what goes before them."""
    chapters, express = Script(*[0] * 5), Script(topic=EXPRESS, first=100)
    stop, begun = threading.Event(), []

    def after_poll() -> None:
        if sorted(begun) == [0, 1] and not express.jobs:
            express.jobs += [0, 0]
            express.give(0)
        if chapters.polls > 200 and 100 in begun:
            stop.set()

    def wait(job: ChapterJob, abandoned: threading.Event) -> None:
        begun.append(job.part.index)
        abandoned.wait(10)

    chapters.after_poll = after_poll
    run(chapters, wait, stop, express=express)
    assert sorted(begun) == [0, 1, 100]


def test_express_jobs_come_while_all_others_are_paused(run: Loop) -> None:
    """A topic of which enough jobs wait is paused for itself: those of the other are still received."""
    chapters, express = Script(*[0] * 100), Script(0, 0, 0, topic=EXPRESS, first=100)
    stop = threading.Event()
    chapters.after_poll = lambda: chapters.paused and express.delivered == 3 and stop.set()
    express.after_poll = lambda: setattr(express, "owned", {0} if chapters.paused else set())

    def wait(job: ChapterJob, abandoned: threading.Event) -> None:
        abandoned.wait(10)

    run(chapters, wait, stop, express=express)
    assert express.paused == set()
    assert chapters.closed
    assert express.closed


def test_the_hands_are_shared_by_both_topics(run: Loop) -> None:
    """Two topics do not make twice as many jobs at work, but one more."""
    chapters, express = Script(*[0] * 5), Script(*[0] * 5, topic=EXPRESS, first=100)
    stop, begun = threading.Event(), []
    chapters.after_poll = lambda: chapters.polls > 100 and stop.set()

    def wait(job: ChapterJob, abandoned: threading.Event) -> None:
        begun.append(job.part.index)
        abandoned.wait(10)

    run(chapters, wait, stop, express=express)
    assert len(begun) == HANDS + EXPRESS_HANDS


def test_a_job_that_is_passed_over_is_committed_and_not_spoken_of(run: Loop) -> None:
    """What somebody else is at, or nobody wants any more, is gone from the topic; nothing is published."""
    script, stop = Script(0, 0), threading.Event()
    script.after_poll = lambda: script.committed == {0: 2} and stop.set()
    broker = run(script, lambda job, _abandoned: done(job, _abandoned) if job.part.index else None, stop)
    assert [event.part for event in broker.messages(EVENTS)] == [1]  # type: ignore[union-attr]
    assert broker.messages(DEAD_LETTERS) == []


def failing(*outcomes: str) -> Handler:
    """Return a handler whose jobs end as named, one after the other; the last way for ever."""
    ends = list(outcomes)
    lock = threading.Lock()

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        with lock:
            end = ends.pop(0) if len(ends) > 1 else ends[0]
        if end == "fails":
            raise Retryable("out of memory")
        if end == "poison":
            raise Poison("no such voice")
        if end == "found":
            return a_part_done(job.part)
        return a_part_done(job.part, work_seconds=1.0) if end == "done" else None

    return handle


def test_too_many_failures_in_a_row_end_the_worker(run: Loop) -> None:
    """The failures are published and committed, then the worker ends and says why; the rest stays on the topic."""
    script = Script(*[0] * 50)
    with pytest.raises(UserError, match="[34] parts in a row failed, the last: out of memory; .* look at") as ended:
        run(script, failing("fails"), threading.Event(), brake=3, hands=1)
    assert ended.value.code == ExitCode.FAILING
    assert script.committed[0] in {3, 4}  # one more may have ended meanwhile
    assert len(run.broker.messages(EVENTS)) == script.committed[0]
    assert script.closed


def test_only_a_part_that_is_done_resets_the_brake(run: Loop) -> None:
    """Failures that a part comes between which was made do not add up; poison, what is passed over, and what was there
    already count for nothing."""
    ends = ("fails", "fails", "done", "fails", "poison", "passed over", "fails", "found", "poison", "fails")
    script = Script(*[0] * 50)
    with pytest.raises(UserError):
        run(script, failing(*ends), threading.Event(), brake=3, hands=1)
    assert script.committed[0] in {len(ends), len(ends) + 1}


def test_without_a_brake_it_goes_on(run: Loop) -> None:
    """A brake of 0 is none."""
    script, stop = Script(*[0] * 50), threading.Event()
    script.after_poll = lambda: script.committed == {0: 50} and stop.set()
    run(script, failing("fails"), stop)


def test_what_is_in_hand_is_handed_back_by_a_worker_that_ends(run: Loop) -> None:
    """A worker that ends for its failures does not wait for its other job, which is not committed."""
    script, second = Script(0, 1), threading.Event()

    def handle(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        if job.part.index:
            second.set()
            assert abandoned.wait(10)
            return None
        assert second.wait(10)
        raise Retryable("out of memory")

    with pytest.raises(UserError):
        run(script, handle, threading.Event(), brake=1, grace=30)
    assert script.committed == {0: 1, 1: 0}


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (KafkaError.INVALID_SESSION_TIMEOUT, "E2A_SESSION_TIMEOUT"),
        (KafkaError.INCONSISTENT_GROUP_PROTOCOL, "E2A_GROUP_PROTOCOL"),
        (KafkaError._FATAL, "E2A_GROUP_PROTOCOL"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "allow this worker"),
    ],
)
def test_what_waiting_does_not_mend_ends_the_worker(run: Loop, code: int, remedy: str) -> None:
    """A group that will never let us in is named, with the setting to change."""
    script = Script()
    script.errors = [KafkaError(code)]
    with pytest.raises(UserError, match=f"group e2a.synth: .*{remedy}") as ended:
        run(script, done, threading.Event())
    assert ended.value.code == ExitCode.CONFIG
    assert script.closed


def test_other_errors_are_waited_for(run: Loop) -> None:
    """A broker that is away comes back: the loop goes on."""
    script, stop = Script(0), threading.Event()
    script.errors = [KafkaError(KafkaError._ALL_BROKERS_DOWN), KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)]
    script.after_poll = lambda: script.committed == {0: 1} and stop.set()
    run(script, done, stop)


def test_a_group_that_the_broker_has_removed_is_joined_anew(run: Loop) -> None:
    """Under KIP-848 a removed group is fatal for its consumer, not for the worker: it joins with another one."""
    script, stop = Script(0), threading.Event()
    script.errors = [KafkaError(KafkaError._FATAL, "Fatal error: Broker: The group id does not exist")]
    script.after_poll = lambda: script.committed == {0: 1} and stop.set()
    run(script, done, stop)
    assert script.subscribed == 2


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(run: Loop) -> None:
    """Offsets of the old topic mean nothing in the new one: the group starts at 0 again, and all of it is done."""
    script, stop = Script(0, 0, 0), threading.Event()

    def after_poll() -> None:
        if script.committed == {0: 3} and {0: 0} not in script.commits:
            script.made_anew = True
        elif script.committed == {0: 3}:
            stop.set()

    script.after_poll = after_poll
    broker = run(script, done, stop)
    assert script.commits.count({0: 0}) == 1
    assert [event.part for event in broker.messages(EVENTS)] == [0, 1, 2] * 2  # type: ignore[union-attr]


def test_a_job_of_a_topic_that_was_made_anew_is_not_committed(run: Loop) -> None:
    """What was received before and ends after would be committed in the new topic, past jobs that nobody has done."""
    script, stop, begun = Script(0, 0, 0), threading.Event(), []

    def after_poll() -> None:
        script.made_anew = begun == [0] and not script.commits
        if script.committed == {0: 3}:
            stop.set()

    def first_waits(job: ChapterJob, abandoned: threading.Event) -> Event | None:
        begun.append(job.part.index)
        if begun == [0]:
            assert abandoned.wait(10)
        return done(job, abandoned)

    script.after_poll = after_poll
    run(script, first_waits, stop, hands=1)
    assert begun == [0, 0, 1, 2]
    assert script.commits[0] == {0: 0}


def test_a_group_that_does_not_let_go_is_left(run: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopping worker does not wait for ever for a Kafka that went away while it joined."""
    monkeypatch.setattr("e2a.bus.consumer.LEAVE_PATIENCE", 0.01)
    script, stop, let_go = Script(), threading.Event(), threading.Event()
    stop.set()
    monkeypatch.setattr(script, "close", let_go.wait)
    run(script, done, stop)
    let_go.set()
