"""Leases: one holder at a time, kept alive while it works, granted when nobody can be asked."""

import threading

import pytest

from e2a.checkpoint import LeaseKeeper, leases
from e2a.checkpoint.leases import TTL
from e2a.errors import Unavailable
from e2a.metrics import WORKER
from e2a.testing import Clock, MemoryCheckpoint

NAME = "part/d1"


class Checkpoint(MemoryCheckpoint):
    """A checkpoint that goes away when it is told to."""

    away = False

    def claim(self, name: str, holder: str, ttl: float) -> int:
        self._answer()
        return super().claim(name, holder, ttl)

    def deaths(self, name: str, holder: str) -> int:
        self._answer()
        return super().deaths(name, holder)

    def renew(self, name: str, holder: str, ttl: float) -> bool:
        self._answer()
        return super().renew(name, holder, ttl)

    def release(self, name: str, holder: str) -> None:
        self._answer()
        super().release(name, holder)

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("Redis: refused")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checkpoint(clock: Clock) -> Checkpoint:
    return Checkpoint(clock)


@pytest.fixture
def ours(checkpoint: Checkpoint) -> LeaseKeeper:
    return LeaseKeeper(checkpoint, "gpu-0")


@pytest.fixture
def theirs(checkpoint: Checkpoint) -> LeaseKeeper:
    return LeaseKeeper(checkpoint, "gpu-1")


def test_knows_the_dead(ours: LeaseKeeper, theirs: LeaseKeeper, clock: Clock) -> None:
    """A holder that did not release has died when its lease has run out; the living are not counted."""
    theirs.claim(NAME)
    assert ours.deaths(NAME) == 0
    clock.now += TTL + 1
    assert ours.deaths(NAME) == 1
    ours.claim(NAME)
    assert ours.deaths(NAME) == 0


def test_nobody_is_dead_when_nobody_can_say(ours: LeaseKeeper, checkpoint: Checkpoint) -> None:
    """Without the checkpoint no part is suspect: work goes on."""
    checkpoint.away = True
    assert ours.deaths(NAME) == 0


def test_first_claim(ours: LeaseKeeper) -> None:
    """A free lease is granted as the first attempt."""
    assert ours.claim(NAME) == 1


def test_held_by_another(ours: LeaseKeeper, theirs: LeaseKeeper) -> None:
    """A lease that another holds is refused; other leases are not concerned."""
    ours.claim(NAME)
    assert theirs.claim(NAME) == 0
    assert theirs.claim("part/d2") == 1


def test_held_by_us(ours: LeaseKeeper) -> None:
    """A lease that another thread of ours holds is refused too."""
    ours.claim(NAME)
    assert ours.claim(NAME) == 0


def test_release(ours: LeaseKeeper, theirs: LeaseKeeper) -> None:
    """A lease that was given back is free for everybody, and its attempts are forgotten."""
    ours.claim(NAME)
    ours.release(NAME)
    assert theirs.claim(NAME) == 1
    theirs.release(NAME)
    assert ours.claim(NAME) == 1


def test_release_of_anothers(ours: LeaseKeeper, theirs: LeaseKeeper) -> None:
    """Releasing what another holds changes nothing."""
    ours.claim(NAME)
    theirs.release(NAME)
    assert theirs.claim(NAME) == 0


def test_dead_holder(ours: LeaseKeeper, theirs: LeaseKeeper, clock: Clock) -> None:
    """A lease that is not renewed runs out, and who claims it then is the second attempt."""
    ours.claim(NAME)
    clock.now += TTL
    assert theirs.claim(NAME) == 2


def test_same_name(checkpoint: Checkpoint, ours: LeaseKeeper, clock: Clock) -> None:
    """Another process of the same name is somebody else, who claims when the first has died, as the second attempt."""
    ours.claim(NAME)
    another = LeaseKeeper(checkpoint, "gpu-0")
    assert another.claim(NAME) == 0
    another.release(NAME)
    assert ours.holds(NAME)
    clock.now += TTL
    assert another.claim(NAME) == 2


def test_renew(ours: LeaseKeeper, theirs: LeaseKeeper, clock: Clock) -> None:
    """A renewal holds every lease of ours for a full lifetime more."""
    names = [NAME, "part/d2"]
    assert [ours.claim(name) for name in names] == [1, 1]
    clock.now += TTL - 0.5
    ours.renew()
    clock.now += TTL - 0.5
    assert [theirs.claim(name) for name in names] == [0, 0]


def test_released_leases_are_not_renewed(ours: LeaseKeeper, theirs: LeaseKeeper) -> None:
    """A renewal does not take back what was released and claimed by another."""
    ours.claim(NAME)
    ours.release(NAME)
    theirs.claim(NAME)
    ours.renew()
    ours.release(NAME)
    assert ours.claim(NAME) == 0


def test_away_on_claim(ours: LeaseKeeper, checkpoint: Checkpoint) -> None:
    """When the checkpoint is away a lease is granted, but not to two threads of ours."""
    checkpoint.away = True
    assert ours.claim(NAME) == 1
    assert ours.claim(NAME) == 0


def test_taking_is_never_granted_unseen(ours: LeaseKeeper, theirs: LeaseKeeper, checkpoint: Checkpoint) -> None:
    """What two must never have is not had by whoever cannot ask; else it is taken as any other lease is."""
    checkpoint.away = True
    with pytest.raises(Unavailable):
        ours.take(NAME)
    assert not ours.keeps(NAME)
    checkpoint.away = False
    assert [ours.take(NAME), ours.take(NAME), theirs.take(NAME)] == [1, 0, 0]
    assert ours.keeps(NAME)


def test_away_on_release(ours: LeaseKeeper, theirs: LeaseKeeper, checkpoint: Checkpoint, clock: Clock) -> None:
    """A lease that cannot be given back is not renewed either, so it runs out."""
    ours.claim(NAME)
    checkpoint.away = True
    ours.release(NAME)
    checkpoint.away = False
    clock.now += TTL - 0.5
    ours.renew()
    clock.now += 0.5
    assert theirs.claim(NAME) == 2


def test_away_on_renew(ours: LeaseKeeper, checkpoint: Checkpoint) -> None:
    """A renewal that fails is not an exception, and the lease is still ours afterwards."""
    ours.claim(NAME)
    checkpoint.away = True
    ours.renew()
    checkpoint.away = False
    assert ours.claim(NAME) == 0


def test_beat(checkpoint: Checkpoint) -> None:
    """Every renewal calls beat, with or without leases."""
    beats: list[str] = []
    keeper = LeaseKeeper(checkpoint, "gpu-0", lambda: beats.append("beat"))
    keeper.renew()
    keeper.claim(NAME)
    keeper.renew()
    assert beats == ["beat", "beat"]


def test_beat_may_fail(checkpoint: Checkpoint, clock: Clock, theirs: LeaseKeeper) -> None:
    """A beat that cannot be heard is not an exception, and the leases are renewed all the same."""

    def beat() -> None:
        raise Unavailable("Redis: refused")

    keeper = LeaseKeeper(checkpoint, "gpu-0", beat)
    keeper.claim(NAME)
    clock.now += TTL - 0.5
    keeper.renew()
    clock.now += TTL - 0.5
    assert theirs.claim(NAME) == 0


def test_beats_while_leases_cannot_be_renewed(checkpoint: Checkpoint) -> None:
    """The beat looks after other things than the checkpoint, so it is called also while that is away."""
    beats: list[str] = []
    keeper = LeaseKeeper(checkpoint, "gpu-0", lambda: beats.append("beat"))
    keeper.claim(NAME)
    checkpoint.away = True
    keeper.renew()
    assert beats == ["beat"]


def test_a_lease_that_ran_out_is_taken_again(ours: LeaseKeeper, theirs: LeaseKeeper, clock: Clock) -> None:
    """A lease that ran out and nobody took is ours again at the next renewal, and nobody counts as dead."""
    ours.claim(NAME)
    clock.now += TTL + 1
    ours.renew()
    assert (ours.keeps(NAME), theirs.claim(NAME), theirs.deaths(NAME)) == (True, 0, 0)


def test_leases_that_the_server_forgot_are_taken_again(
    ours: LeaseKeeper, theirs: LeaseKeeper, checkpoint: Checkpoint
) -> None:
    """After the loss of all data a renewal takes the leases again, unless somebody else was quicker."""
    for name in (NAME, "part/d2"):
        ours.claim(name)
    checkpoint.lose()
    theirs.claim("part/d2")
    ours.renew()
    assert (ours.keeps(NAME), ours.keeps("part/d2")) == (True, False)
    assert theirs.claim(NAME) == 0


def test_a_lease_that_another_took_is_lost(ours: LeaseKeeper, theirs: LeaseKeeper, clock: Clock) -> None:
    """Whoever asks is told at once, the others at the next renewal; it is not renewed or released any more."""
    lost = WORKER.get_sample_value("e2a_leases_lost_total") or 0.0
    for name in (NAME, "part/d2"):
        ours.claim(name)
        clock.now += TTL + 1
        assert theirs.claim(name) == 2
        assert ours.keeps(name)
        assert not (ours.holds(name) if name == NAME else ours.renew())
        assert not ours.keeps(name)
        assert not ours.holds(name)
        ours.release(name)
        assert theirs.holds(name)
    assert WORKER.get_sample_value("e2a_leases_lost_total") == lost + 2


def test_who_was_only_late_is_not_counted_dead(ours: LeaseKeeper, theirs: LeaseKeeper, clock: Clock) -> None:
    """A holder that was stopped, and goes on when another has taken its lease, takes back that it died."""
    ours.claim(NAME)
    clock.now += TTL + 1
    assert theirs.claim(NAME) == 2
    ours.renew()
    clock.now += TTL + 1
    assert ours.deaths(NAME) == 1


def test_holding_is_renewing(ours: LeaseKeeper, theirs: LeaseKeeper, clock: Clock) -> None:
    """A lease that is ours when it is asked for stays so for a lifetime, even if it had run out."""
    ours.claim(NAME)
    for _ in range(2):
        clock.now += TTL + 1
        assert ours.holds(NAME)
        clock.now += TTL - 0.5
        assert theirs.claim(NAME) == 0


def test_leases_are_ours_while_nobody_can_be_asked(ours: LeaseKeeper, checkpoint: Checkpoint) -> None:
    """Without the checkpoint a lease that we had is ours, and one that we never had is not."""
    ours.claim(NAME)
    checkpoint.away = True
    assert ours.holds(NAME)
    assert not ours.holds("part/d2")


def test_thread_renews(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the context a thread renews again and again, also after a renewal that failed."""
    monkeypatch.setattr(leases, "TTL", 0.003)
    beats: list[str] = []
    enough = threading.Event()

    def beat() -> None:
        beats.append("beat")
        if len(beats) == 1:
            raise Unavailable("Redis: refused")
        enough.set()

    with LeaseKeeper(checkpoint, "gpu-0", beat):
        assert enough.wait(timeout=10)
    assert len(beats) >= 2


def test_exit_does_not_wait(checkpoint: Checkpoint) -> None:
    """Leaving the context ends the thread before its next renewal."""
    beats: list[str] = []
    with LeaseKeeper(checkpoint, "gpu-0", lambda: beats.append("beat")):
        assert "leases" in {thread.name for thread in threading.enumerate()}
    assert beats == []
    assert "leases" not in {thread.name for thread in threading.enumerate()}


def test_exit_on_an_exception(checkpoint: Checkpoint) -> None:
    """An exception inside goes on, and the thread ends all the same."""
    with pytest.raises(ZeroDivisionError), LeaseKeeper(checkpoint, "gpu-0"):
        raise ZeroDivisionError
    assert "leases" not in {thread.name for thread in threading.enumerate()}
