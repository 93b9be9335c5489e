"""Books while servers and services fail: the short forms of `make chaos`, on MinIO, behind proxies, with seeds."""

import signal
import time
from pathlib import Path

import pytest

from e2a.bus import KafkaServer
from e2a.plan import BITRATE, Plan
from e2a.storage import S3Store, keys
from e2a.topics import DEAD_LETTERS
from tests.chaos import Cluster, Fault, bugs, cluster
from tests.epubs import made_epub
from tests.servers import MINIO_KEYS, require, wait_until
from tests.topics import read_topic
from tests.verdict import Offsets, announced, assemblies, overlaps, plan_of, sequentially
from tests.witness import ASSEMBLY

CHAPTERS = 10
RTF = 0.04
"""The simulated engine works some two seconds for a chapter."""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("ffmpeg")
    return made_epub(tmp_path_factory.mktemp("book") / "book.epub", chapters=CHAPTERS, characters=800)


@pytest.fixture(scope="module")
def plan(book: Path) -> Plan:
    return plan_of(book)


@pytest.fixture(scope="module")
def expected(book: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return sequentially(book, tmp_path_factory.mktemp("sequential"))


def said(running: Cluster) -> int:
    """Return how many sentences were begun."""
    return len(running.running.notes())


def await_book(running: Cluster) -> None:
    """Return when the command that makes the book has ended well."""
    wait_until(lambda: running.supervisor.code("book") is not None, 120)
    assert running.supervisor.code("book") == 0
    running.calm()


def assert_untouched(running: Cluster, made: Path, expected: bytes, plan: Plan) -> None:
    """Check that the book is the undisturbed one, announced once, that nothing was given up, and nobody crashed."""
    kafka = KafkaServer(running.servers["kafka"].address)
    assert (made / "book.m4b").read_bytes() == expected
    assert read_topic(kafka, DEAD_LETTERS) == []
    assert announced(kafka)[plan.book_id] == 1
    assert not bugs(running.supervisor)


def is_at_rest(running: Cluster, worker: str, since: float) -> bool:
    """Say whether a worker was heard of after a time, with nothing in hand and with partitions."""
    records = running.running.checkpoint.workers()
    return any(
        each.worker == worker and each.last_seen > since and not each.book_id and each.partitions for each in records
    )


def objects(digest: str) -> list[str]:
    """Return the keys of all objects of a part."""
    return [keys.part_master(digest), keys.part_audio(digest, BITRATE), keys.part_sidecar(digest)]


def store_of(running: Cluster) -> S3Store:
    return S3Store(
        bucket="chaos",
        endpoint=running.servers["minio"].address,
        access_key=MINIO_KEYS["E2A_S3_ACCESS_KEY"],
        secret_key=MINIO_KEYS["E2A_S3_SECRET_KEY"],
        secure=False,
        patience=10,
    )


def test_a_book_while_everything_fails(book: Path, plan: Plan, expected: bytes, tmp_path: Path) -> None:
    """An emptied Redis, a killed worker, merger, Kafka and MinIO, and a network that holds a worker up: same book."""
    faults = (
        Fault("kill", "w0"),
        Fault("empty", "redis"),
        Fault("hold", "w1-redis", 2.0),
        Fault("kill", "m0"),
        Fault("kill", "kafka", 0.5),
        Fault("cut", "w1-minio", 2.0),
        Fault("kill", "minio", 0.5),
    )
    with cluster(tmp_path, workers=2, SIMULATED_RTF=RTF) as running:
        running.submit("book", book, tmp_path / "made")
        for turn, fault in enumerate(faults, 1):
            wait_until(lambda turn=turn: said(running) >= 10 * turn)
            running.strike(fault)
        await_book(running)
        assert_untouched(running, tmp_path / "made", expected, plan)


def test_a_worker_that_comes_back_from_the_dead(book: Path, plan: Plan, expected: bytes, tmp_path: Path) -> None:
    """A worker is stopped in the middle of a part for longer than session and lease; when it goes on, the part that
    another one has made meanwhile keeps its bytes, nothing is announced twice, and no offset goes back."""
    with cluster(tmp_path, workers=2, SIMULATED_RTF=RTF, SESSION_TIMEOUT=2) as running:
        store, notes = store_of(running), running.running.notes
        part_of = {each.say: part for part in plan.parts for each in part.sentences[2:5]}
        with Offsets(KafkaServer(running.servers["kafka"].address)) as offsets:
            running.submit("book", book, tmp_path / "made")
            wait_until(lambda: any(note.who == "w0" and note.of in part_of for note in notes()[-2:]))
            zombie = running.supervisor.process("w0")
            zombie.send_signal(signal.SIGSTOP)
            part = part_of[next(note.of for note in reversed(notes()) if note.who == "w0" and note.of in part_of)]
            assert store.size(keys.part_sidecar(part.digest)) is None
            wait_until(lambda: store.size(keys.part_sidecar(part.digest)))
            made = [store.get(key) for key in objects(part.digest)]
            zombie.send_signal(signal.SIGCONT)
            await_book(running)
            back = time.time()
            wait_until(lambda: is_at_rest(running, "w0", back))
        assert [store.get(key) for key in objects(part.digest)] == made
        assert offsets.rewound == []
        assert_untouched(running, tmp_path / "made", expected, plan)


def test_one_assembly_whatever_becomes_of_the_mergers(book: Path, plan: Plan, expected: bytes, tmp_path: Path) -> None:
    """Of two mergers the one that assembles the book is killed, twice: the book is assembled by one at a time, and
    announced once."""
    with cluster(tmp_path, workers=2, mergers=2) as running:
        running.submit("book", book, tmp_path / "made")
        for turn in (1, 2):
            wait_until(lambda turn=turn: len(running.running.notes(ASSEMBLY)) >= turn)
            running.strike(Fault("kill", running.supervisor.name(int(running.running.notes(ASSEMBLY)[-1].who))))
        await_book(running)
        deaths = ((str(each.pid), each.time) for each in running.supervisor.exits)
        found = assemblies(running.running.notes, deaths)
        assert_untouched(running, tmp_path / "made", expected, plan)
    assert [each.whole for each in found] == [False, False, True]
    assert overlaps(found) == 0
