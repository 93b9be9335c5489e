"""Fixtures of all tests: one Kafka, Redis and MinIO, open and over TLS, a process of tests, when first asked for."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from e2a.bus import KafkaServer
from tests import servers
from tests.epubs import CORPUS
from tests.secure import Secure, secure_servers

hypothesis.settings.register_profile("e2a", deadline=None)
hypothesis.settings.load_profile("e2a")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in os.environ:
        if name.startswith("E2A_") and name != "E2A_CACHE":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with servers.kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.minio(tmp_path_factory.mktemp("minio")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    with secure_servers(tmp_path_factory.mktemp("secure")) as running:
        yield running


@pytest.fixture(scope="session")
def epubs() -> Path:
    """Return the folder of real EPUBs beside the repository."""
    if not CORPUS.is_dir():
        (pytest.fail if servers.CI else pytest.skip)(f"no EPUBs at {CORPUS}")
    return CORPUS
