"""The loop on a real Kafka: rebalances, hand-backs, stops."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource

from e2a.bus import Admin, JobConsumer, KafkaPublisher, KafkaServer, config
from e2a.errors import ExitCode, Retryable, UserError
from e2a.messages import ChapterJob, PartDone, decode, encode
from e2a.topics import CHAPTERS, DEAD_LETTERS, EVENTS, EXPRESS, topics
from tests.servers import ROOT, wait_until
from tests.topics import committed, empty_topics, read_topic, send_raw
from tests.unit.builders import a_job, a_part

PARTITIONS = 2


class Hands:
    """A handler that finishes a job when the test says so, and remembers what it was given."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.go = threading.Event()
        self._finished = threading.Condition()
        self._may_finish: set[int] = set()

    def finish(self, *parts: int) -> None:
        """Let jobs finish."""
        with self._finished:
            self._may_finish |= set(parts)
            self._finished.notify_all()

    def finish_then_wait(self, *parts: int) -> Callable[..., object]:
        """Return what the loop may call instead of `wait`: jobs finish only when they are waited for."""

        def waiting(*arguments: Any, **options: Any) -> object:
            self.finish(*parts)
            return wait(*arguments, **options)

        return waiting

    def handle(self, job: ChapterJob, abandoned: threading.Event) -> PartDone | None:
        self.begun.append(job.part.index)
        with self._finished:
            while job.part.index not in self._may_finish:
                if abandoned.is_set():
                    return None
                self._finished.wait(0.05)
        return PartDone(
            book_id=job.book_id,
            part=job.part.index,
            digest=job.part.digest,
            worker="hands",
            audio_seconds=1.0,
            audio_bytes=1,
        )


def a_consumer(bootstrap: KafkaServer, handle: Callable[..., PartDone | None], **options: Any) -> JobConsumer:
    """Return a consumer that has not begun."""
    given: dict[str, Any] = {"worker": "hands", "session_timeout": 6, "grace": 0.0}
    publisher = KafkaPublisher(bootstrap, patience=30)
    return JobConsumer(server=bootstrap, publisher=publisher, handle=handle, **(given | options))


@contextmanager
def consuming(bootstrap: KafkaServer, handle: Callable[..., PartDone | None], **options: Any) -> Iterator[JobConsumer]:
    """Run a consumer in a thread until the block ends."""
    consumer = a_consumer(bootstrap, handle, **options)
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    try:
        yield consumer
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def bootstrap(kafka: KafkaServer) -> KafkaServer:
    empty_topics(kafka, PARTITIONS)
    return kafka


def send(bootstrap: KafkaServer, *jobs: tuple[int, int]) -> None:
    """Publish jobs, each given as (partition, part)."""
    send_raw(bootstrap, CHAPTERS, [(partition, encode(a_job(a_part(part)))) for partition, part in jobs])


def events(bootstrap: KafkaServer) -> list[int]:
    """Return the parts of which there are events, sorted."""
    return sorted(decode(raw).part for raw in read_topic(bootstrap, EVENTS))  # type: ignore[union-attr]


def test_two_jobs_are_in_hand_and_no_third(bootstrap: KafkaServer) -> None:
    """While two jobs are worked on the rest waits; the next is begun when one is done."""
    hands = Hands()
    send(bootstrap, (0, 0), (0, 1), (0, 2), (0, 3))
    with consuming(bootstrap, hands.handle):
        wait_until(lambda: hands.begun == [0, 1])
        hands.finish(0)
        wait_until(lambda: hands.begun == [0, 1, 2])
        hands.finish(1, 2, 3)
        wait_until(lambda: committed(bootstrap, PARTITIONS) == [4, 0])
    assert events(bootstrap) == [0, 1, 2, 3]


def test_a_later_job_is_not_committed_before_an_earlier_one(bootstrap: KafkaServer) -> None:
    """A job that finishes first waits for its predecessor: a commit never passes unfinished work."""
    hands = Hands()
    send(bootstrap, (0, 0), (0, 1))
    with consuming(bootstrap, hands.handle):
        wait_until(lambda: hands.begun == [0, 1])
        hands.finish(1)
    assert committed(bootstrap, PARTITIONS) == [0, 0]
    assert events(bootstrap) == []


def test_stop_finishes_the_job_in_hand_within_the_grace(
    bootstrap: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopping worker commits the first job in hand when it ends in time, and gives back the second."""
    hands = Hands()
    monkeypatch.setattr("e2a.bus.consumer.wait", hands.finish_then_wait(0))
    send(bootstrap, (0, 0), (0, 1))
    with consuming(bootstrap, hands.handle, grace=30):
        wait_until(lambda: hands.begun == [0, 1])
    assert committed(bootstrap, PARTITIONS) == [1, 0]
    assert events(bootstrap) == [0]


def test_what_was_given_back_is_done_by_the_next(bootstrap: KafkaServer) -> None:
    """A job that a stopping worker gave back is not lost."""
    slow, quick = Hands(), Hands()
    send(bootstrap, (0, 0), (1, 1))
    with consuming(bootstrap, slow.handle):
        wait_until(lambda: sorted(slow.begun) == [0, 1])
    quick.finish(0, 1)
    with consuming(bootstrap, quick.handle):
        wait_until(lambda: committed(bootstrap, PARTITIONS) == [1, 1])
    assert events(bootstrap) == [0, 1]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_joiner_takes_a_partition_without_work_done_twice(
    bootstrap: KafkaServer, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    """When a partition moves, its owner waits for the job in hand and commits it; the joiner is not given it."""
    owner, joiner = Hands(), Hands()
    send(bootstrap, (0, 0), (1, 1))
    with consuming(bootstrap, owner.handle, protocol=protocol) as first:
        wait_until(lambda: sorted(owner.begun) == [0, 1])
        monkeypatch.setattr("e2a.bus.membership.wait", owner.finish_then_wait(0, 1))
        with consuming(bootstrap, joiner.handle, protocol=protocol) as second:
            wait_until(lambda: len(first.partitions) == len(second.partitions) == 1)
            wait_until(lambda: committed(bootstrap, PARTITIONS) == [1, 1])
        monkeypatch.undo()
    assert joiner.begun == []
    assert events(bootstrap) == [0, 1]


KILLED = """
import sys, threading
from e2a import log
from e2a.bus import KafkaServer
from tests.integration.test_consumer import Hands, a_consumer
log.configure("error")
consumer = a_consumer(KafkaServer(sys.argv[1]), Hands().handle, protocol=sys.argv[2], session_timeout=1)
threading.Thread(target=consumer.run, args=(threading.Event(),), daemon=True).start()
while not (consumer.partitions and consumer.express):
    threading.Event().wait(0.05)
print("joined", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_the_partitions_of_a_killed_worker_move(bootstrap: KafkaServer, protocol: str) -> None:
    """What a worker had that was killed is done by another after the session: of both topics, under both protocols."""
    hands = Hands()
    hands.finish(0, 1)
    command = [sys.executable, "-c", KILLED, str(bootstrap), protocol]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as killed:
        try:
            assert killed.stdout is not None
            assert killed.stdout.readline() == b"joined\n"
        finally:
            killed.kill()
    send(bootstrap, (0, 0))
    send_raw(bootstrap, EXPRESS, [(0, encode(a_job(a_part(1))))])
    with consuming(bootstrap, hands.handle, protocol=protocol, session_timeout=1):
        wait_until(lambda: committed(bootstrap, PARTITIONS) == committed(bootstrap, PARTITIONS, EXPRESS) == [1, 0])
    assert events(bootstrap) == [0, 1]


def test_a_topic_that_is_made_anew_is_consumed_by_a_running_worker(bootstrap: KafkaServer) -> None:
    """Jobs of a topic that was deleted and made again are done without a restart, from the first one on; librdkafka
    alone would go on at the old offset."""
    hands = Hands()
    hands.finish(*range(10))
    with consuming(bootstrap, hands.handle):
        send(bootstrap, (0, 0), (0, 1), (0, 2))
        wait_until(lambda: committed(bootstrap, PARTITIONS) == [3, 0])
        empty_topics(bootstrap, PARTITIONS, CHAPTERS)
        send(bootstrap, *[(0, part) for part in range(3, 8)])
        wait_until(lambda: set(hands.begun) == set(range(8)))
        wait_until(lambda: committed(bootstrap, PARTITIONS) == [5, 0])


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_session_that_the_brokers_refuse_ends_the_worker(bootstrap: KafkaServer, protocol: str) -> None:
    """A setting that can never work is named at the start; it is not waited for."""
    consumer = a_consumer(bootstrap, Hands().handle, protocol=protocol, session_timeout=0.5)
    with pytest.raises(UserError, match="E2A_SESSION_TIMEOUT") as ended:
        consumer.run(threading.Event())
    assert ended.value.code == ExitCode.CONFIG


def test_a_partition_that_comes_back_is_delivered(bootstrap: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition that moved away while it was paused, and came back, is no longer paused: its jobs are done."""
    monkeypatch.setattr("e2a.bus.membership.LOOK_AHEAD", 2)
    monkeypatch.setattr("e2a.bus.membership.REVOKE_PATIENCE", 0.1)
    owner, joiner = Hands(), Hands()
    send(bootstrap, *[(partition, 10 * partition + turn) for partition in range(2) for turn in range(8)])
    with consuming(bootstrap, owner.handle) as first:
        wait_until(lambda: len(owner.begun) == 2)
        with consuming(bootstrap, joiner.handle) as second:
            wait_until(lambda: len(first.partitions) == len(second.partitions) == 1)
        owner.finish(*range(20))
        wait_until(lambda: committed(bootstrap, PARTITIONS) == [8, 8])


def test_new_partitions_reach_a_running_worker(bootstrap: KafkaServer) -> None:
    """Partitions added later are owned, and their jobs are done, without a restart."""
    hands = Hands()
    hands.finish(7)
    with consuming(bootstrap, hands.handle) as consumer:
        wait_until(lambda: consumer.partitions == (0, 1))
        Admin(bootstrap, patience=30).ensure_topics(topics(3))
        send(bootstrap, (2, 7))
        wait_until(lambda: committed(bootstrap, 3) == [0, 0, 1])
    assert events(bootstrap) == [7]


def test_jobs_wait_for_ever(bootstrap: KafkaServer) -> None:
    """Jobs and dead letters do not run out, however long no worker is there; events are kept for a week."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic.name) for topic in topics(PARTITIONS)]
    client = AdminClient(config.client(bootstrap))
    answers = client.describe_configs(resources)
    kept = {resource.name: answer.result(30)["retention.ms"].value for resource, answer in answers.items()}
    assert kept == {CHAPTERS: "-1", EXPRESS: "-1", DEAD_LETTERS: "-1", EVENTS: str(7 * 24 * 3600 * 1000)}


def test_topics_may_be_ensured_by_many_at_once(kafka: KafkaServer) -> None:
    """Services that start together do not get into each other's way."""
    empty_topics(kafka, PARTITIONS)
    problems = []

    def ensure() -> None:
        try:
            Admin(kafka, patience=30).ensure_topics(topics(5))
        except Retryable as error:
            problems.append(error)

    threads = [threading.Thread(target=ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert Admin(kafka, patience=30).partitions()[CHAPTERS] == 5


def test_kafka_that_is_away_is_named() -> None:
    """A broker that does not answer is a Retryable with its address."""
    with pytest.raises(Retryable, match="Kafka 127.0.0.1:1: "):
        Admin(KafkaServer("127.0.0.1:1"), patience=0.5).partitions()
    with pytest.raises(Retryable, match="Kafka 127.0.0.1:1: 1 of 1 messages not acknowledged: "):
        KafkaPublisher(KafkaServer("127.0.0.1:1"), patience=0.5).send(EVENTS, [a_job(a_part(0))])
