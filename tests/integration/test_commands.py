"""Every command says in one line what is wrong, and its exit code has a name."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from deploy.local.kept import free_ports
from e2a.errors import ExitCode
from tests.servers import listens, wait_until

BIN = Path(sys.executable).parent
NOWHERE = {
    "E2A_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "E2A_REDIS_URL": "redis://127.0.0.1:1/0",
    "E2A_PATIENCE": "0.5",
    "E2A_LOG_LEVEL": "error",
}


def run(program: str, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end with servers that are not there."""
    env = {"PATH": f"{BIN}:/usr/bin:/bin", **NOWHERE, **settings}
    return subprocess.run([program, *arguments], env=env, capture_output=True, text=True, check=False, timeout=60)


SERVICES = ["e2a-synth", "e2a-merge", "e2a-init"]


@pytest.mark.parametrize("program", SERVICES)
def test_a_missing_kafka_is_named(program: str, tmp_path: Path) -> None:
    """A service whose Kafka does not answer ends with its address in one line."""
    result = run(program, E2A_STORAGE=str(tmp_path), E2A_ENGINE="simulated")
    assert result.returncode == ExitCode.UNAVAILABLE
    assert "Kafka 127.0.0.1:1" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("program", ["e2a-synth", "e2a-merge"])
def test_who_waits_for_its_servers_says_so(program: str, tmp_path: Path) -> None:
    """As long as Kafka and Redis are away a service is not ready, and its health page says what it waits for."""
    port = free_ports(1)[0]
    settings = {"E2A_STORAGE": str(tmp_path), "E2A_ENGINE": "simulated", "E2A_METRICS_PORT": str(port)}
    env = {"PATH": f"{BIN}:/usr/bin:/bin", **NOWHERE, **settings, "E2A_PATIENCE": "600"}

    def says_why() -> bool:
        with pytest.raises(urllib.error.HTTPError, match="503") as refusal:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10)
        with refusal.value:
            said = json.load(refusal.value)
        assert said["state"] == "starting"
        return said["problem"] == "waits for its servers"

    with subprocess.Popen([program], env=env) as service:
        try:
            wait_until(lambda: listens(port))
            wait_until(says_why)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as alive:
                assert json.load(alive)["problem"] == "waits for its servers"
        finally:
            service.kill()


@pytest.mark.parametrize("program", [*SERVICES, "e2a-monitor"])
def test_a_wrong_setting_is_named(program: str) -> None:
    """A wrong value ends a service at its start, with the variable's name."""
    result = run(program, E2A_PARTITIONS="none")
    assert result.returncode == ExitCode.CONFIG
    assert result.stderr.startswith(f"{program}: setting E2A_PARTITIONS = 'none': ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("program", [*SERVICES, "e2a-monitor"])
def test_an_unknown_option_is_named(program: str) -> None:
    """An option that does not exist is a usage error."""
    result = run(program, "--no-such-option")
    assert result.returncode == ExitCode.USAGE
    assert "--no-such-option" in result.stderr


@pytest.mark.parametrize("program", [*SERVICES, "e2a-monitor"])
def test_help_names_every_setting(program: str) -> None:
    """--help lists the settings with their defaults."""
    result = run(program, "--help")
    assert result.returncode == 0
    assert "--kafka-bootstrap" in result.stdout


def test_an_engine_that_is_not_installed_is_named(tmp_path: Path) -> None:
    """A worker for an unknown engine says which there are."""
    result = run("e2a-synth", "--engine", "opera", E2A_STORAGE=str(tmp_path))
    assert result.returncode == ExitCode.CONFIG
    assert "engine 'opera' is not installed; there are: coqui, espeak, simulated, xtts" in result.stderr


@pytest.mark.parametrize("program", ["e2a-synth", "e2a-merge"])
def test_a_metrics_port_that_is_taken_is_named(program: str, tmp_path: Path) -> None:
    """A second service on the same metrics port says so and ends."""
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(program, E2A_METRICS_PORT=str(port), E2A_STORAGE=str(tmp_path))
    assert result.returncode == ExitCode.UNAVAILABLE
    assert f"{program}: metrics port {port}: Address already in use" in result.stderr


def test_a_folder_without_a_book_is_named(tmp_path: Path) -> None:
    """Nothing is started for a folder in which no book is."""
    folder, data = tmp_path / "books", tmp_path / "data"
    folder.mkdir()
    (folder / "notes.txt").write_bytes(b"no book")
    result = run(sys.executable, "-m", "deploy.local.audiobook", str(folder), "--data", str(data))
    assert (result.returncode, result.stderr) == (ExitCode.NO_INPUT, f"{folder}: no EPUB is in this folder\n")
    assert not data.exists()


def test_a_wrong_setting_of_books_is_named() -> None:
    """e2a-books starts, and names a setting with a wrong value like every other command."""
    result = run("e2a-books", "list", E2A_REDIS_URL="http://127.0.0.1")
    assert result.returncode == ExitCode.CONFIG
    assert result.stderr.startswith("e2a-books: setting E2A_REDIS_URL = 'http://127.0.0.1': ")
    assert result.stderr.count("\n") == 1
