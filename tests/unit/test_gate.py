"""Many together or one alone, and nobody waits for what is no longer wanted."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from synth_consumer.gate import Gate

NEVER = threading.Event()


@pytest.fixture
def gate() -> Gate:
    return Gate(room=2, poll=0.01)


class Inside:
    """Threads that go in, end their turn if they are to store, say so, and stay until they are told to leave."""

    def __init__(self, gate: Gate, *, store: bool = False) -> None:
        self._gate = gate
        self.store = store
        self._threads = ThreadPoolExecutor(8)
        self.leave = threading.Event()

    def go(self, *, alone: bool, abandoned: threading.Event = NEVER) -> tuple[threading.Event, "object"]:
        arrived = threading.Event()

        def run() -> bool:
            with self._gate.turn(alone=alone, abandoned=abandoned) as turn:
                if turn is None:
                    return False
                if self.store:
                    turn.end()
                arrived.set()
                assert self.leave.wait(30)
                return True

        return arrived, self._threads.submit(run)


def test_many_are_in_together(gate: Gate) -> None:
    """Two that mind no company are in at the same time."""
    inside = Inside(gate)
    arrivals = [inside.go(alone=False)[0] for _ in range(2)]
    assert all(arrived.wait(30) for arrived in arrivals)
    inside.leave.set()


def has_room(gate: Gate) -> bool:
    """Say whether somebody who cannot wait gets a turn."""
    at_once = threading.Event()
    at_once.set()
    with gate.turn(alone=False, abandoned=at_once) as turn:
        return turn is not None


def test_there_is_no_more_room_than_that(gate: Gate) -> None:
    """With two inside there is no room until one has ended its turn, once, although it is still inside."""
    with gate.turn(alone=False, abandoned=NEVER), gate.turn(alone=False, abandoned=NEVER) as turn:
        assert turn
        assert not has_room(gate)
        turn.end()
        turn.end()
        assert has_room(gate)
        with gate.turn(alone=False, abandoned=NEVER):
            assert not has_room(gate)
    assert has_room(gate)


def test_the_next_is_let_in_when_a_turn_ends(gate: Gate) -> None:
    """Who waits for room goes in when somebody else's turn ends, however many are still inside."""
    storing, waiting = Inside(gate, store=True), Inside(gate)
    assert all(storing.go(alone=False)[0].wait(30) for _ in range(3))
    assert all(waiting.go(alone=False)[0].wait(30) for _ in range(2))
    third, _ = waiting.go(alone=False)
    waiting.leave.set()
    assert third.wait(30)
    storing.leave.set()


def test_one_that_stores_is_company(gate: Gate) -> None:
    """Whoever wants to be alone waits also for those whose turn has ended, and its own lasts to the end."""
    storing, second = Inside(gate, store=True), Inside(gate, store=True)
    assert storing.go(alone=False)[0].wait(30)
    alone, _ = second.go(alone=True)
    wait_until_closed(gate)
    assert not alone.is_set()
    storing.leave.set()
    assert alone.wait(30)
    newcomer, _ = second.go(alone=False)
    assert not newcomer.is_set()
    second.leave.set()
    assert newcomer.wait(30)


def test_one_that_wants_to_be_alone_waits_for_the_others(gate: Gate) -> None:
    """It goes in when the last has left, and before one that comes later."""
    first, second = Inside(gate), Inside(gate)
    assert first.go(alone=False)[0].wait(30)
    alone, _ = second.go(alone=True)
    wait_until_closed(gate)
    newcomer, _ = second.go(alone=False)
    assert not alone.is_set()
    first.leave.set()
    assert alone.wait(30)
    assert not newcomer.is_set()
    second.leave.set()
    assert newcomer.wait(30)


def test_one_that_gives_up_opens_the_gate(gate: Gate) -> None:
    """Wanting to be alone ends with the wish: who was held back goes in although the first is still there."""
    first, others, abandoned = Inside(gate), Inside(gate), threading.Event()
    assert first.go(alone=False)[0].wait(30)
    _, gives_up = others.go(alone=True, abandoned=abandoned)
    wait_until_closed(gate)
    newcomer, _ = others.go(alone=False)
    abandoned.set()
    assert gives_up.result(30) is False  # type: ignore[attr-defined]
    assert newcomer.wait(30)
    first.leave.set()
    others.leave.set()


def test_one_that_is_held_back_can_give_up(gate: Gate) -> None:
    """A newcomer that is abandoned before the gate opens does not go in."""
    first, abandoned = Inside(gate), threading.Event()
    assert first.go(alone=True)[0].wait(30)
    _, gives_up = Inside(gate).go(alone=False, abandoned=abandoned)
    abandoned.set()
    assert gives_up.result(30) is False  # type: ignore[attr-defined]
    first.leave.set()


def test_of_many_that_want_to_be_alone_each_is(gate: Gate, request: pytest.FixtureRequest) -> None:
    """However many wish it at the same moment, as after a crash, nobody else is in with one of them."""
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-6)
    company: list[int] = []
    inside: set[object] = set()

    def go(alone: bool) -> None:
        for _ in range(300):
            with gate.turn(alone=alone, abandoned=NEVER):
                inside.add(me := object())
                for _moment in range(1000):
                    company.extend([len(inside)] * (alone and len(inside) > 1))
                inside.remove(me)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(go, [True] * 6 + [False] * 2)) == [None] * 8
    assert company == []


def test_an_error_inside_leaves_the_gate_open(gate: Gate) -> None:
    """Whoever fails inside has left."""
    with pytest.raises(ZeroDivisionError), gate.turn(alone=True, abandoned=NEVER):
        raise ZeroDivisionError
    with gate.turn(alone=True, abandoned=NEVER) as turn:
        assert turn


def wait_until_closed(gate: Gate) -> None:
    """Return when somebody wants to be alone."""
    with gate._changed:
        assert gate._changed.wait_for(lambda: gate._closed, 30)
