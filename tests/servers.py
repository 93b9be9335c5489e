"""Real servers for tests, started by the scripts that users start them with, on free ports, stopped after."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.audiobook import free_ports

ROOT = Path(__file__).parent.parent
LOCAL = ROOT / "deploy/local"
CI = bool(os.environ.get("CI"))


def require(program: str) -> None:
    """Skip the test on a laptop that lacks a program; fail it in CI."""
    if shutil.which(program) is None:
        (pytest.fail if CI else pytest.skip)(f"{program} is not installed")


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


@contextmanager
def server(script: str, port: int, data: Path, **env: object) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one of the scripts of deploy/local until the block ends."""
    data.mkdir(parents=True, exist_ok=True)
    settings = os.environ | {"E2A_DATA": str(data)} | {key: str(value) for key, value in env.items()}
    with (data / f"{script}.log").open("ab") as log:
        process = subprocess.Popen([LOCAL / script], env=settings, stdout=log, stderr=log)
    try:
        wait_until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, (data / f"{script}.log").read_text()
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def kafka(data: Path) -> Iterator[str]:
    """Run a broker; yield its address."""
    require("java")
    require("mvn")
    port, controller = free_ports(2)
    with server("kafka", port, data, E2A_KAFKA_PORT=port, E2A_KAFKA_CONTROLLER_PORT=controller):
        yield f"127.0.0.1:{port}"


@contextmanager
def redis(data: Path) -> Iterator[str]:
    """Run a Redis; yield its URL."""
    require("redis-server")
    (port,) = free_ports(1)
    with server("redis", port, data, E2A_REDIS_PORT=port):
        yield f"redis://127.0.0.1:{port}/0"


MINIO_KEYS = {"E2A_S3_ACCESS_KEY": "tests", "E2A_S3_SECRET_KEY": "tests-secret"}


@contextmanager
def minio(data: Path) -> Iterator[str]:
    """Run a MinIO, built with Go when the machine has none yet; yield its address."""
    if not any((Path.home() / ".cache/e2a").glob("minio-*")):
        require("go")
    subprocess.run([LOCAL / "fetch-minio"], check=True, stdout=subprocess.DEVNULL)
    (port,) = free_ports(1)
    with server("minio", port, data, E2A_MINIO_PORT=port, **MINIO_KEYS):
        yield f"127.0.0.1:{port}"
