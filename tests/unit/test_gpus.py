"""The lease of a GPU: what there is, what may be taken, waiting for one, and losing it."""

import os
import threading

import pynvml
import pytest
from structlog.testing import capture_logs

from e2a.checkpoint import LeaseKeeper, gpu_lease, leases
from e2a.checkpoint.leases import TTL
from e2a.errors import ExitCode, Refused, Unavailable, UserError
from e2a.testing import Clock, MemoryCheckpoint
from synth_consumer import gpus, vitals
from tests.devices import GPUS, Nvml


class Checkpoint(MemoryCheckpoint):
    """A checkpoint that fails when it is told to."""

    failure: Unavailable | None = None

    def claim(self, name: str, holder: str, ttl: float) -> int:
        if self.failure:
            raise self.failure
        return super().claim(name, holder, ttl)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checkpoint(clock: Clock) -> Checkpoint:
    return Checkpoint(clock)


@pytest.fixture(autouse=True)
def _four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "pynvml", Nvml())
    monkeypatch.setattr(gpus, "_environment", {})


def never(_seconds: float) -> None:
    pytest.fail("it waits although a GPU is free")


def take(keeper: LeaseKeeper) -> str:
    """Take a GPU that is free."""
    return gpus.take(GPUS, keeper, lambda _problem: None, never)


def test_lists_what_the_driver_shows() -> None:
    """All GPUs, by UUID, in the driver's order."""
    assert vitals.gpus() == GPUS


def test_a_gpu_that_does_not_answer_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are, and the log says which is left out and why."""
    monkeypatch.setattr(vitals, "pynvml", Nvml(failures={1: pynvml.NVMLError_GpuIsLost()}))
    with capture_logs() as logs:
        assert vitals.gpus() == (GPUS[0], *GPUS[2:])
    assert [(line["gpu"], line["reason"]) for line in logs] == [(1, "GPU is lost")]


def test_a_machine_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NVIDIA's library the worker ends, and says what is missing."""
    monkeypatch.setattr(vitals, "pynvml", Nvml(failures={-1: pynvml.NVMLError_LibraryNotFound()}))
    with pytest.raises(UserError, match="NVML Shared Library Not Found") as refused:
        vitals.gpus()
    assert refused.value.code == ExitCode.UNAVAILABLE


def test_a_machine_without_a_gpu() -> None:
    """A driver that shows none is an error that names the setting which asks for one."""
    with pytest.raises(UserError, match="E2A_GPU_LEASE") as refused:
        gpus.visible((), None, None)
    assert refused.value.code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("named", "order", "expected"),
    [
        (None, None, GPUS),
        (GPUS[2], None, (GPUS[2],)),
        (f"{GPUS[3]}, {GPUS[0]},{GPUS[3]}", None, (GPUS[3], GPUS[0])),
        ("3,1", "PCI_BUS_ID", (GPUS[3], GPUS[1])),
    ],
)
def test_takes_only_what_it_may_see(named: str | None, order: str | None, expected: tuple[str, ...]) -> None:
    """CUDA_VISIBLE_DEVICES limits the choice, and says what is preferred; unset it does neither."""
    assert gpus.visible(GPUS, named, order) == expected


def test_the_beginning_of_a_uuid_is_enough() -> None:
    """As for CUDA, if only one GPU begins like that."""
    others = ("GPU-aa11", "GPU-ab22")
    assert gpus.visible(others, "GPU-ab", None) == ("GPU-ab22",)


@pytest.mark.parametrize(
    ("named", "order", "reason"),
    [
        ("0", None, "CUDA_DEVICE_ORDER=PCI_BUS_ID"),
        ("1,0", "FASTEST_FIRST", "GPU 1"),
        ("4", "PCI_BUS_ID", GPUS[0]),
        ("", None, GPUS[3]),
        ("-1", None, "'-1'"),
        ("GPU-", None, "'GPU-'"),
        (f"{GPUS[0]},MIG-0f", None, "'MIG-0f'"),
    ],
)
def test_what_names_no_gpu_is_refused(named: str, order: str | None, reason: str) -> None:
    """A name that is nothing's, or of which nobody can say whose it is, ends the worker as a wrong setting does."""
    with pytest.raises(UserError, match=reason) as refused:
        gpus.visible(GPUS, named, order)
    assert refused.value.code == ExitCode.CONFIG


def test_workers_take_different_gpus(checkpoint: Checkpoint) -> None:
    """Each takes the first that is free, also one that has the name of another."""
    assert tuple(take(LeaseKeeper(checkpoint, name)) for name in ("w0", "w1", "w2", "w2")) == GPUS


def test_waits_until_a_gpu_is_free(checkpoint: Checkpoint, clock: Clock) -> None:
    """A fifth worker says once what it waits for, and takes the GPU of one that died when its lease runs out."""
    keepers = [LeaseKeeper(checkpoint, f"w{number}") for number in range(4)]
    for keeper in keepers:
        take(keeper)
    said: list[str] = []

    def pause(seconds: float) -> None:
        clock.now += seconds
        for number in (0, 1, 3):
            keepers[number].renew()

    assert gpus.take(GPUS, LeaseKeeper(checkpoint, "w4"), said.append, pause) == GPUS[2]
    assert clock.now == pytest.approx(TTL, abs=gpus.POLL)
    assert said == ["waits for a GPU: other workers have all of 4", ""]


def test_waits_for_a_checkpoint_that_is_away(checkpoint: Checkpoint) -> None:
    """While nobody can say whose a GPU is none is taken; what is waited for is said, and said again when it changes."""
    said: list[str] = []
    reasons = iter(["Redis: refused", "Redis: refused", "Redis: timeout"])
    checkpoint.failure = Unavailable("Redis: refused")

    def pause(_seconds: float) -> None:
        reason = next(reasons, None)
        checkpoint.failure = Unavailable(reason) if reason else None

    assert gpus.take(GPUS, LeaseKeeper(checkpoint, "w0"), said.append, pause) == GPUS[0]
    assert said == ["Redis: refused", "Redis: timeout", ""]


def test_does_not_wait_where_it_is_not_let_in(checkpoint: Checkpoint) -> None:
    """A wrong password does not get better."""
    checkpoint.failure = Refused("Redis: WRONGPASS")
    with pytest.raises(Refused):
        take(LeaseKeeper(checkpoint, "w0"))


def test_cuda_is_shown_the_gpu_and_no_other(checkpoint: Checkpoint) -> None:
    """Inside the block the GPU is ours and the only one; after it, whoever comes next may take it."""
    with gpus.leased(checkpoint, "w0", lambda _problem: None):
        assert gpus._environment == {"CUDA_VISIBLE_DEVICES": GPUS[0]}
        assert checkpoint.held([gpu_lease(uuid) for uuid in GPUS]) == {gpu_lease(GPUS[0])}
    assert take(LeaseKeeper(checkpoint, "w1")) == GPUS[0]


def test_a_gpu_is_free_after_an_error(checkpoint: Checkpoint) -> None:
    """An engine that does not load leaves no lease behind."""
    with pytest.raises(ZeroDivisionError), gpus.leased(checkpoint, "w0", lambda _problem: None):
        raise ZeroDivisionError
    assert checkpoint.held([gpu_lease(GPUS[0])]) == set()


def test_two_workers_of_one_name(checkpoint: Checkpoint) -> None:
    """They have two GPUs: containers in the network of their host may have one name and one process number."""
    with gpus.leased(checkpoint, "host-7", lambda _problem: None):
        gpus._environment.clear()  # the other is another process
        with gpus.leased(checkpoint, "host-7", lambda _problem: None):
            assert gpus._environment == {"CUDA_VISIBLE_DEVICES": GPUS[1]}


def test_a_gpu_that_is_lost_ends_the_process(
    checkpoint: Checkpoint, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose lease has run out and was taken, because it was stopped, ends rather than share the GPU."""
    monkeypatch.setattr(leases, "TTL", 0.003)
    monkeypatch.setattr("logging.shutdown", lambda: None)
    codes: list[int] = []
    ended = threading.Event()
    monkeypatch.setattr(os, "_exit", lambda code: (codes.append(code), ended.set()))
    with capture_logs() as logs, gpus.leased(checkpoint, "w0", lambda _problem: None):
        name = gpu_lease(GPUS[0])
        while not checkpoint.claim(name, "w1", 1e9):
            clock.now += 1
        assert ended.wait(10)
    assert codes[0] == ExitCode.UNAVAILABLE
    assert "gpu.lost" in [line["event"] for line in logs]
    assert not checkpoint.renew(name, "w0", TTL)
