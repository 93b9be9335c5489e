"""A book over TLS, made by services that each may do only what they must."""

import re
from pathlib import Path

from e2a.bus import KafkaServer
from tests.epubs import made_epub
from tests.secure import Secure
from tests.servers import require, wait_until
from tests.stack import Stack
from tests.topics import empty_topics

DENIED = re.compile(r".*(?:uthorization failed|no right|NOPERM|no permissions|AccessDenied).*")
"""What a service logs that may not do what it tries."""


def test_a_book_over_tls_is_the_same(secure: Secure, tmp_path: Path) -> None:
    """A worker that knows an address, a password and an authority makes the same bytes as sequential mode."""
    require("ffmpeg")
    book = made_epub(tmp_path / "book.epub", chapters=3, characters=800)
    alone = Stack(tmp_path, KafkaServer("127.0.0.1:1"), "redis://127.0.0.1:1/0")
    made = alone.produce(book, "--sequential", "--output-dir", tmp_path / "alone")
    assert made.returncode == 0, made.stderr

    empty_topics(secure.kafka(), 2)
    secure.store().check()
    secure.forget()
    running = Stack(tmp_path, secure.kafka(), "redis://127.0.0.1:1/0", PARTITIONS=2)
    try:
        running.start("e2a-merge", **secure.settings("merger"))
        running.start("e2a-synth", **secure.settings("synth"))
        workers = secure.checkpoint("monitor").workers
        wait_until(lambda: [bool(each.partitions) for each in workers()] == [True])
        produced = running.produce(book, "--output-dir", tmp_path / "together", **secure.settings("producer"))
    finally:
        running.stop()
    assert produced.returncode == 0, produced.stderr
    assert not DENIED.findall("".join(log.read_text() for log in tmp_path.glob("*.log")))
    names = sorted(path.name for path in (tmp_path / "alone").iterdir() if path.suffix != ".json")
    assert "book.m4b" in names
    for name in names:
        assert (tmp_path / "together" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
