"""What a process has one of."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitor.once import once


def test_many_ask_at_a_time() -> None:
    """Viewers who come at the same time get the same, which was made once for whoever was first."""
    all_there = threading.Barrier(4)
    made: list[int] = []

    @once
    def shared(number: int) -> list[int]:
        made.append(number)
        return made

    def ask(number: int) -> list[int]:
        all_there.wait()
        return shared(number)

    with ThreadPoolExecutor(4) as viewers:
        got = list(viewers.map(ask, range(4)))
    assert len(made) == 1
    assert all(each is made for each in got)


def test_what_cannot_be_made_is_tried_again() -> None:
    """A failure is that of who asked; the next one tries again."""
    faults = [ValueError("no such address")]

    @once
    def shared(_: str) -> str:
        if faults:
            raise faults.pop()
        return "made"

    with pytest.raises(ValueError, match="no such address"):
        shared("")
    assert shared("") == "made"
