"""Two machines on a real engine: servers that ask over TLS who it is, and a worker that joins from outside."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from e2a.errors import ExitCode
from tests.compose import dotenv
from tests.containers.engine import Environment, engine
from tests.containers.stack import told
from tests.epubs import made_epub
from tests.servers import ROOT

ADDRESS = "127.13.0.2"
"""Of this machine, where no other stack publishes anything."""
FIRST = dotenv("servers.md", "The first machine")
OTHER = dotenv("servers.md", "A machine with GPUs")
WITHOUT_GPUS = "tests/containers/worker-alone.yml"
USER = f"{os.getuid()}:{os.getgid()}"


class Machine:
    """A project of Docker Compose.

    Args:
        env: in which `docker` finds the engine.
        name: of the project.
        settings: what docs/servers.md says to put into .env; the engine is one that needs neither GPU nor weights.
        secrets: folder that it has of passwords and certificates.
        books: folder of books.
    """

    def __init__(self, env: Environment, name: str, settings: dict[str, str], secrets: Path, books: Path) -> None:
        own = {"E2A_SECRETS": str(secrets), "E2A_BOOKS": str(books), "E2A_ADDRESS": ADDRESS, "E2A_PUBLISH": ADDRESS}
        own |= {"E2A_ENGINE": "espeak", "COMPOSE_PROJECT_NAME": name, "COMPOSE_DISABLE_ENV_FILE": "1"}
        self._env = env | settings | own

    def compose(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command of docker compose."""
        command = ["docker", "compose", *words]
        ended = subprocess.run(
            command, cwd=ROOT, env=self._env, check=False, capture_output=True, text=True, timeout=600
        )
        assert not check or ended.returncode == 0, ended.stderr
        return ended

    @contextmanager
    def up(self) -> Iterator[None]:
        """Run it until the block ends, and leave nothing."""
        try:
            self.compose("up", "-d", "--wait")
            yield
        finally:
            self.compose("--profile", "*", "down", "-v", "--remove-orphans", "-t", "5")


@pytest.fixture(scope="module")
def env() -> Iterator[Environment]:
    with engine() as env:
        yield env


def given(secrets: Path, *files: str) -> Path:
    """Return a folder that has these files of the first machine's secrets."""
    folder = secrets.with_name("given")
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes((secrets / file).read_bytes())
    return folder


def test_a_worker_joins_from_another_machine(env: Environment, tmp_path: Path) -> None:
    """With an address and two files it makes a book whose bytes are those of one process; with others it is refused."""
    secrets, books = tmp_path / "secrets", tmp_path / "books"
    for script, *words in (("docker/secrets", secrets), ("secure/passwords", secrets)):
        subprocess.run([ROOT / "deploy" / script, *words], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(
        [ROOT / "deploy/secure/certificates", secrets / "tls", ADDRESS], check=True, stdout=subprocess.DEVNULL
    )
    books.mkdir()
    made_epub(books / "book.epub", chapters=2, characters=600)
    first = Machine(env, "e2a-first", FIRST, secrets, books)
    files = f"{OTHER['COMPOSE_FILE']}:{WITHOUT_GPUS}"
    alone = OTHER | {"COMPOSE_FILE": files, "E2A_WORKERS": "1"}
    other = Machine(env, "e2a-other", alone, given(secrets, "tls/ca.pem", "synth.password"), books)
    produce = ("--rm", "-T", "--user", USER)
    with ExitStack() as exits:
        first.compose("build", "--quiet")
        with told("first machine up"):
            exits.enter_context(first.up())
        with told("worker up"):
            exits.enter_context(other.up())
        with told("book"):
            first.compose("run", *produce, "produce", "/books/book.epub", "--output-dir", "/books/together")
        first.compose(
            *("run", *produce, "--no-deps", "-e", "E2A_STORAGE=/books/storage", "produce"),
            *("--sequential", "/books/book.epub", "--output-dir", "/books/alone"),
        )
        wrong = given(secrets, "tls/ca.pem")
        (wrong / "synth.password").write_text("a wrong password")
        refused = other.compose("run", "--rm", "-T", "-e", "E2A_METRICS_PORT=0", "synth_consumer", check=False)
    assert (books / "together/book.m4b").read_bytes() == (books / "alone/book.m4b").read_bytes()
    assert refused.returncode == ExitCode.CONFIG
    assert "E2A_S3_SECRET_KEY" in refused.stderr + refused.stdout
