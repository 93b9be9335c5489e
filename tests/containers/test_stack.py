"""The unchanged compose file on a real engine: a real book, disturbed while it is made, comes out the same."""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose import FILE
from tests.containers.engine import engine
from tests.containers.stack import ADDRESS, Stack, say, told
from tests.epubs import CORPUS
from tests.servers import CI, ROOT, wait_until

BOOK = "alice-in-wonderland"
GIVEN = [f"/books/{BOOK}.epub", "--chapters", "1-6"]
USER = f"{os.getuid()}:{os.getgid()}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    source = CORPUS / f"gutenberg/{BOOK}.epub"
    if not source.exists():
        (pytest.fail if CI else pytest.skip)("the real EPUBs are not there")
    with engine() as env:
        stack = Stack(env, tmp_path_factory.mktemp("stack"))
        shutil.copy(source, stack.books)
        try:
            with told("build"):
                stack.compose("build", "--quiet")
            with told("up to healthy"):
                stack.docker("compose", "-f", FILE, "up", "-d", "--wait", "--scale", "synth_consumer=1")
            yield stack
        finally:
            with told("down -v"):
                stack.compose("--profile", "*", "down", "-v", "--remove-orphans")
            assert stack.left() == []


def parts_done(stack: Stack) -> float:
    return stack.metric("merger", 'e2a_shelf_parts{state="done"}')


def made(stack: Stack, folder: str) -> bytes:
    (path,) = (stack.books / folder).glob("*.m4b")
    return path.read_bytes()


def test_a_disturbed_book_is_the_same(stack: Stack) -> None:
    """Scaled 1, 3, 1 in mid-book, a worker crashed, Kafka and MinIO restarted: the bytes are those of one process."""
    with told("disturbed book"):
        producer = stack.started(
            "run", "--rm", "-T", "--user", USER, "produce", *GIVEN, "--output-dir", "/books/disturbed"
        )
        wait_until(lambda: parts_done(stack) >= 2)
        stack.workers(3)
        say({"memory": stack.memory()})
        (victim, *_others) = stack.containers("synth_consumer")
        stack.crash(victim)
        wait_until(lambda: stack.docker("inspect", "-f", "{{.RestartCount}}", victim).strip() != "0")
        with told("restart of Kafka and MinIO"):
            stack.compose("restart", "kafka", "minio")
        stack.workers(1)
        assert producer.wait(timeout=600) == 0
    with told("the same book in one process"):
        stack.compose(
            *("run", "--rm", "-T", "--no-deps", "--user", USER, "-e", "E2A_STORAGE=/books/storage", "produce"),
            *("--sequential", *GIVEN, "--output-dir", "/books/sequential"),
        )
    assert made(stack, "disturbed") == made(stack, "sequential")


def test_services_are_confined(stack: Stack) -> None:
    """No service of ours is root or writes to its root; workers have no route out of their network."""
    code = (
        "import os; print(os.getuid(), os.access('/', os.W_OK), os.access('/usr', os.W_OK),"
        " any(line.split()[1] == '00000000' for line in open('/proc/net/route').readlines()[1:]))"
    )
    for service in ("synth_consumer", "merger"):
        assert stack.python(service, code) == "10001 False False False"
    assert stack.python("monitor", code).startswith("10001 False False")


def test_nothing_opens_without_its_password(stack: Stack) -> None:
    """Redis, storage and the page refuse who has no password; Kafka and Redis are not published at all."""
    assert "NOAUTH" in stack.compose("exec", "-T", "redis", "redis-cli", "ping")
    for port, status in ((9000, 403), (8501, 401)):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"http://{ADDRESS}:{port}/e2a")
        assert refusal.value.code == status
        refusal.value.close()
    for service, port in (("kafka", 9092), ("kafka", 29092), ("redis", 6379)):
        published = stack.docker("port", stack.containers(service)[0])
        assert str(port) not in published


def test_a_backup_brings_everything_back(stack: Stack, tmp_path: Path) -> None:
    """The commands of docs/operations.md: after all volumes are deleted the book is there again, byte for byte. Nobody
    else may read the backup."""
    page = (ROOT / "docs/operations.md").read_text().replace(" \\\n", " ")
    save, restore = (
        [line.strip() for line in piece.splitlines() if line.startswith("    docker")]
        for piece in page.split("\nand back into an empty stack:\n")
    )
    with told("backup"):
        for command in save:
            stack.follow(command, tmp_path)
    assert (tmp_path / "minio.tar").stat().st_mode & 0o077 == 0
    stack.compose("down", "-v")
    with told("restore, up to healthy"):
        for command in restore:
            stack.follow(command, tmp_path)
    stack.compose("run", "--rm", "-T", "--user", USER, "produce", *GIVEN, "--output-dir", "/books/restored")
    assert made(stack, "restored") == made(stack, "disturbed")
    assert stack.metric("merger", 'e2a_books_total{outcome="done"}') == 0
