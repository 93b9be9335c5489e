"""A book over TLS, made by services that each may do only what they must."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import AdminClient

from e2a.bus import KafkaServer, config
from e2a.storage import book_ids
from e2a.topics import CHAPTERS, EVENTS, EXPRESS
from tests.epubs import made_epub
from tests.secure import Secure
from tests.servers import require, wait_until
from tests.stack import BIN, Stack
from tests.topics import empty_topics

DENIED = re.compile(r".*(?:uthorization failed|no right|NOPERM|no permissions|AccessDenied).*")
"""What a service logs that may not do what it tries."""


@contextmanager
def services(secure: Secure, folder: Path) -> Iterator[Stack]:
    """Run a merger and a worker, each as a user of its own, on empty topics and an empty Redis; none is refused."""
    require("ffmpeg")
    empty_topics(secure.kafka(), 2)
    secure.store().check()
    secure.forget()
    running = Stack(folder, secure.kafka(), "redis://127.0.0.1:1/0", PARTITIONS=2)
    try:
        running.start("e2a-merge", **secure.settings("merger"))
        running.start("e2a-synth", **secure.settings("synth"))
        workers = secure.checkpoint("monitor").workers
        wait_until(lambda: [bool(each.partitions) for each in workers()] == [True])
        yield running
    finally:
        running.stop()
    assert not DENIED.findall("".join(log.read_text() for log in folder.glob("*.log")))


def test_a_book_over_tls_is_the_same(secure: Secure, tmp_path: Path) -> None:
    """A worker that knows an address, a password and an authority makes the same bytes as sequential mode."""
    book = made_epub(tmp_path / "book.epub", chapters=3, characters=800)
    alone = Stack(tmp_path, KafkaServer("127.0.0.1:1"), "redis://127.0.0.1:1/0")
    made = alone.produce(book, "--sequential", "--output-dir", tmp_path / "alone")
    assert made.returncode == 0, made.stderr
    with services(secure, tmp_path) as running:
        produced = running.produce(book, "--output-dir", tmp_path / "together", **secure.settings("producer"))
    assert produced.returncode == 0, produced.stderr
    names = sorted(path.name for path in (tmp_path / "alone").iterdir() if path.suffix != ".json")
    assert "book.m4b" in names
    for name in names:
        assert (tmp_path / "together" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_what_is_lost_is_made_good_within_everybodys_rights(secure: Secure, tmp_path: Path) -> None:
    """The merger makes topics that are gone and fills an empty Redis; who submits books also removes them."""
    book = made_epub(tmp_path / "book.epub", chapters=1, characters=900)
    producer = secure.settings("producer")
    with services(secure, tmp_path) as running:
        others = set(book_ids(secure.store()))
        sent = running.produce(book, "--detach", **secure.settings("monitor"))  # as the page sends what it was given
        assert sent.returncode == 0, sent.stderr
        (book_id,) = set(book_ids(secure.store())) - others
        client = AdminClient(config.client(secure.kafka()))
        for deleted in client.delete_topics([EVENTS, CHAPTERS, EXPRESS]).values():
            deleted.result(30)
        secure.forget()
        produced = running.produce(book, "--output-dir", tmp_path / "made", **producer)
        assert produced.returncode == 0, produced.stderr
        env = running.env | {f"E2A_{name}": value for name, value in producer.items()}
        subprocess.run([BIN / "e2a-books", "remove", "--yes", book_id], env=env, check=True, capture_output=True)
    assert (tmp_path / "made/book.m4b").exists()
    assert not list(secure.store().list(f"books/{book_id}/output/"))
