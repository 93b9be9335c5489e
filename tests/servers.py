"""Real servers for tests, started by the scripts that users start them with, on free ports, stopped after."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from deploy.local.kept import free_ports
from e2a.bus import KafkaServer

ROOT = Path(__file__).parent.parent
LOCAL = ROOT / "deploy/local"
CI = bool(os.environ.get("CI"))
MINIO_KEYS = {"E2A_S3_ACCESS_KEY": "tests", "E2A_S3_SECRET_KEY": "tests-secret"}


def require(program: str) -> None:
    """Skip the test on a laptop that lacks a program; fail it in CI."""
    if shutil.which(program) is None:
        (pytest.fail if CI else pytest.skip)(f"{program} is not installed")


def promtool() -> str:
    """Return the path of Prometheus's own checker, fetched when the machine has none; else skip or fail as above."""
    fetched = subprocess.run([LOCAL / "fetch-promtool"], check=False, stdout=subprocess.PIPE, text=True)
    if fetched.returncode:
        (pytest.fail if CI else pytest.skip)("promtool is not there and cannot be fetched")
    return fetched.stdout.strip()


def wait_until(condition: Callable[[], object], timeout: float = 120.0) -> None:
    """Return as soon as the condition is true; fail the test when that takes too long."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"still not true after {timeout} s: {condition.__name__}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Say whether somebody accepts connections on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


class Server:
    """One of the scripts of deploy as a process, that may be killed and started again where it was; a context
    manager.

    Args:
        script: its name in deploy/local, or its path.
        address: host:port at which it answers.
        data: where its data live, and its log.
        env: variables of the script.
    """

    def __init__(self, script: str | Path, address: str, data: Path, **env: object) -> None:
        self.address = address
        self._script = LOCAL / script
        self._data = data
        self._env = os.environ | {"E2A_DATA": str(data)} | {key: str(value) for key, value in env.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The process that was started last."""
        assert self._process is not None, "it was never started"
        return self._process

    def start(self) -> None:
        """Start it and return when it answers."""
        self._data.mkdir(parents=True, exist_ok=True)
        log = self._data / f"{self._script.name}.log"
        with log.open("ab") as file:
            process = self._process = subprocess.Popen([self._script], env=self._env, stdout=file, stderr=file)
        port = int(self.address.rpartition(":")[2])
        wait_until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop it with SIGTERM."""
        self.process.terminate()
        self.process.wait(30)


@contextmanager
def server(script: str, port: int, data: Path, **env: object) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one of the scripts of deploy/local until the block ends."""
    with Server(script, f"127.0.0.1:{port}", data, **env) as running:
        yield running.process


def kafka_server(data: Path) -> Server:
    """Return a broker that is not started yet."""
    require("java")
    require("mvn")
    port, controller = free_ports(2)
    return Server("kafka", f"127.0.0.1:{port}", data, E2A_KAFKA_PORT=port, E2A_KAFKA_CONTROLLER_PORT=controller)


def redis_server(data: Path) -> Server:
    """Return a Redis that is not started yet."""
    require("redis-server")
    (port,) = free_ports(1)
    return Server("redis", f"127.0.0.1:{port}", data, E2A_REDIS_PORT=port)


def minio_program() -> None:
    """Have MinIO built with Go when the machine has none."""
    if not any((Path.home() / ".cache/e2a").glob("minio-*")):
        require("go")
    subprocess.run([LOCAL / "fetch-minio"], check=True, stdout=subprocess.DEVNULL)


def minio_server(data: Path) -> Server:
    """Return a MinIO that is not started yet."""
    minio_program()
    (port,) = free_ports(1)
    return Server("minio", f"127.0.0.1:{port}", data, E2A_MINIO_PORT=port, **MINIO_KEYS)


@contextmanager
def kafka(data: Path) -> Iterator[KafkaServer]:
    """Run a broker; yield where it is."""
    with kafka_server(data) as running:
        yield KafkaServer(running.address)


@contextmanager
def redis(data: Path) -> Iterator[str]:
    """Run a Redis; yield its URL."""
    with redis_server(data) as running:
        yield f"redis://{running.address}/0"


@contextmanager
def minio(data: Path) -> Iterator[str]:
    """Run a MinIO, built with Go when the machine has none yet; yield its address."""
    with minio_server(data) as running:
        yield running.address
