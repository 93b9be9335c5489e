"""Fixtures of what is assembled with the real ffmpeg."""

import pytest

from e2a.testing import MemoryStore
from tests.servers import require


@pytest.fixture(scope="session")
def programs() -> None:
    """Go on only where there are the programs of the merger."""
    require("ffmpeg")
    require("ffprobe")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()
