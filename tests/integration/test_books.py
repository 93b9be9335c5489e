"""e2a-books with real Kafka and Redis, and the merger that does what is asked for."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from e2a import log, service
from e2a.bus import Admin, KafkaPublisher, KafkaServer, config, read_letters
from e2a.errors import ExitCode
from e2a.messages import BookPlanned, chapter_job, dead_letter, encode
from e2a.storage import keys
from e2a.topics import CHAPTERS, DEAD_LETTERS, EVENTS, EXPRESS, topics
from producer import books as command
from tests.servers import require, wait_until
from tests.stack import Stack
from tests.stores import directory_store
from tests.topics import empty_topics, read_topic
from tests.unit.builders import a_part_failed, a_plan, put_plan

Books = Callable[..., str]


@pytest.fixture
def stack(tmp_path: Path, kafka: KafkaServer, redis: str) -> Iterator[Stack]:
    require("ffmpeg")
    empty_topics(kafka, 1)
    running = Stack(tmp_path, kafka, redis, PARTITIONS=1)
    running.forget()
    yield running
    running.stop()


@pytest.fixture
def books(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Books:
    """Return what runs the command, and returns what it says."""
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(log, "configure", lambda *_: None)  # it must not outlive the test
    monkeypatch.setattr(command, "open_checkpoint", lambda _settings: stack.checkpoint)  # nor must its connections

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["e2a-books", *map(str, arguments)])
        assert service.run("e2a-books", command._run) == ExitCode.OK, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_books_and_dead_letters(stack: Stack, kafka: KafkaServer, books: Books, tmp_path: Path) -> None:
    """A book is paused, goes on, and is tried again where it failed; then nothing of it is left anywhere."""
    plan = a_plan((1,))
    put_plan(directory_store(tmp_path / "storage", patience=1), plan)
    publisher = KafkaPublisher(kafka, patience=30)
    failed = a_part_failed(plan.parts[0])
    letter = dead_letter(encode(chapter_job(plan, plan.parts[0])), reason=failed.reason, source="test")
    publisher.send(EVENTS, [BookPlanned(book_id=plan.book_id)])
    stack.start("e2a-merge")

    def stage() -> str:
        book = stack.checkpoint.book(plan.book_id)
        return book.stage if book else ""

    wait_until(lambda: stage() == "synthesising")
    books("pause", "emma")
    wait_until(lambda: stage() == "paused")
    assert "paused" in books("list")
    books("resume", plan.book_id)
    wait_until(lambda: stage() == "synthesising")

    publisher.send(DEAD_LETTERS, [letter])
    publisher.send(EVENTS, [failed])
    wait_until(lambda: stage() == "failed")
    assert "no such voice" in books("show", "emma")
    assert "still failed" in books("dlq", "list")
    assert "This is part 0." in books("dlq", "show", 0)
    books("dlq", "retry", "--all")
    wait_until(lambda: stage() == "synthesising")
    wait_until(lambda: read_topic(kafka, EXPRESS) or read_topic(kafka, CHAPTERS))

    assert books("remove", "emma", "--yes").endswith(" is removed; of its parts 1 removed\n")
    assert stage() == ""
    assert books("list") == "no books\n"
    assert list(directory_store(tmp_path / "storage", patience=1).list(keys.book(plan.book_id, ""))) == []


def test_letters_are_read_without_taking_them(kafka: KafkaServer) -> None:
    """Dead letters are numbered by their offsets, may be read from any of them, and again; without a topic are none."""
    empty_topics(kafka, 1)
    letters = [dead_letter(b"{", reason=reason, source="test") for reason in ("one", "two", "three")]
    KafkaPublisher(kafka, patience=30).send(DEAD_LETTERS, letters)
    for first in (0, 2, 3):
        found = list(read_letters(kafka, 10, first))
        assert [letter.number for letter in found] == list(range(first, 3))
        assert [letter.letter for letter in found] == letters[first:]
    admin = AdminClient(config.client(kafka))
    admin.delete_topics([DEAD_LETTERS])[DEAD_LETTERS].result(30)
    wait_until(lambda: DEAD_LETTERS not in Admin(kafka, patience=30).partitions())
    assert list(read_letters(kafka, 10)) == []
    Admin(kafka, patience=30).ensure_topics(topics(1))
