"""Fixtures of what is assembled with the real ffmpeg."""

import sys

import pytest

from e2a.testing import MemoryStore
from tests.servers import require


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Streamlit's test runner shows becomes `__main__`, which processes spawned later would run first: undo it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def programs() -> None:
    """Go on only where there are the programs of the merger."""
    require("ffmpeg")
    require("ffprobe")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()
