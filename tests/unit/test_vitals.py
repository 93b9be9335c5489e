"""How a worker's machine is: its process, and its GPU by a scripted NVML."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import NamedTuple

import psutil
import pynvml
import pytest
from structlog.testing import capture_logs

from e2a.checkpoint import GpuRecord
from e2a.metrics import WORKER
from e2a.testing import Clock
from synth_consumer import vitals
from synth_consumer.vitals import Machine

UUID = "GPU-2b1a6b62-0000-4000-8000-000000000001"
RECORD = GpuRecord(name="NVIDIA H100", use=0.98, memory_used=30, memory_total=80, temperature=61, power=412.5)
GAUGES = {
    "e2a_gpu_use_ratio": 0.98,
    "e2a_gpu_memory_used_bytes": 30,
    "e2a_gpu_memory_total_bytes": 80,
    "e2a_gpu_temperature_celsius": 61,
    "e2a_gpu_power_watts": 412.5,
}


class Nvml:
    """Stands for `pynvml` on a machine with two GPUs, of which the worker's is the second of the driver's.

    A handle is good only since the last `nvmlInit`, as after a driver was replaced.
    """

    NVMLError = pynvml.NVMLError
    NVMLError_NotSupported = pynvml.NVMLError_NotSupported
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU

    def __init__(self) -> None:
        self.failure: pynvml.NVMLError | None = None
        self.unsupported: set[str] = set()
        self.inits = 0
        self.answers = threading.Event()
        self.answers.set()

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's name
        if self.failure:
            raise self.failure
        self.inits += 1

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> tuple[str, int]:  # noqa: N802
        if uuid != UUID:
            raise pynvml.NVMLError_NotFound
        return uuid, self.inits

    def __getattr__(self, name: str) -> Callable[..., object]:
        answers = {
            "nvmlDeviceGetName": "NVIDIA H100",
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=98, memory=20),
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=80, free=50, used=30),
            "nvmlDeviceGetTemperature": 61,
            "nvmlDeviceGetPowerUsage": 412_500,
        }

        def answer(handle: tuple[str, int], *_sensor: int) -> object:
            self.answers.wait()
            if self.failure:
                raise self.failure
            assert handle == (UUID, self.inits)
            if name in self.unsupported:
                raise pynvml.NVMLError_NotSupported
            return answers[name]

        return answer


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nvml]:
    nvml = Nvml()
    monkeypatch.setattr(vitals, "pynvml", nvml)
    yield nvml
    Machine("").look()  # the next test finds no gauge of this one


def shown() -> dict[str, float]:
    """Return what Prometheus is shown of a GPU."""
    values = {name: WORKER.get_sample_value(name, {"gpu": "NVIDIA H100"}) for name in GAUGES}
    return {name: value for name, value in values.items() if value is not None}


def test_says_how_the_gpu_is(nvml: Nvml) -> None:
    """All that the driver says of the engine's GPU, in shares, bytes, degrees and watts, however often it is asked."""
    machine = Machine(UUID)
    assert [machine.look().gpu, machine.look().gpu] == [RECORD, RECORD]
    assert shown() == GAUGES
    assert nvml.inits == 1


def test_an_engine_without_a_gpu_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVML is not even looked for, and Prometheus is shown no GPU, not one that is idle."""
    monkeypatch.setattr(vitals, "pynvml", None)
    assert Machine("").look().gpu is None
    assert shown() == {}


def test_what_a_gpu_cannot_say_is_left_out(nvml: Nvml) -> None:
    """A GPU without sensors is shown without temperature and power."""
    nvml.unsupported = {"nvmlDeviceGetTemperature", "nvmlDeviceGetPowerUsage"}
    assert Machine(UUID).look().gpu == RECORD.model_copy(update={"temperature": None, "power": None})
    assert shown().keys() == GAUGES.keys() - {"e2a_gpu_temperature_celsius", "e2a_gpu_power_watts"}


@pytest.mark.parametrize("failure", [pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded])
def test_a_machine_without_a_driver_has_no_gpu(nvml: Nvml, failure: type[pynvml.NVMLError]) -> None:
    """That the library or the driver is missing is logged once, with what it is and which GPU was looked for."""
    nvml.failure = failure()
    machine = Machine(UUID)
    with capture_logs() as logs:
        assert [machine.look().gpu, machine.look().gpu] == [None, None]
    (line,) = logs
    assert (line["event"], line["gpu"], line["reason"]) == ("vitals.no_gpu", UUID, str(failure()))


def test_a_gpu_that_the_driver_does_not_know_is_none(nvml: Nvml) -> None:
    """A slice of a GPU, which has a UUID of its own, is not shown as the whole."""
    with capture_logs() as logs:
        assert Machine("GPU-of-another-machine").look().gpu is None
    assert [line["event"] for line in logs] == ["vitals.no_gpu"]


def test_a_driver_that_fails_and_comes_back(nvml: Nvml) -> None:
    """While the driver fails there is no GPU, also for Prometheus; then it is found again; each failure is logged."""
    machine = Machine(UUID)
    with capture_logs() as logs:
        for _ in range(2):
            assert machine.look().gpu == RECORD
            nvml.failure = pynvml.NVMLError_GpuIsLost()
            assert [machine.look().gpu, machine.look().gpu] == [None, None]
            assert shown() == {}
            nvml.failure = None
    assert machine.look().gpu == RECORD
    assert nvml.inits == 3
    assert [line["reason"] for line in logs] == ["GPU is lost"] * 2


def test_a_driver_that_hangs_holds_up_nobody(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose driver does not answer renews its leases all the same; the GPU is there again when it does."""
    monkeypatch.setattr(vitals, "PATIENCE", 0.01)
    machine, seen = Machine(UUID), []
    nvml.answers.clear()
    with capture_logs() as logs:
        heartbeat = threading.Thread(target=lambda: seen.extend(machine.look().gpu for _ in range(3)))
        heartbeat.start()
        heartbeat.join(10)
        nvml.answers.set()
        heartbeat.join()
    assert seen == [None] * 3
    assert [line["reason"] for line in logs] == ["it does not answer"]
    monkeypatch.setattr(vitals, "PATIENCE", 10)
    assert machine.look().gpu == RECORD


class Process:
    """A process that has used the processors for as long as it is told, and programs that it has run."""

    class Times(NamedTuple):
        user: float = 0.0
        system: float = 0.0
        children_user: float = 0.0
        children_system: float = 0.0

    times = Times()

    def cpu_times(self) -> Times:
        return self.times

    def memory_info(self) -> SimpleNamespace:
        return SimpleNamespace(rss=123)


def test_cores_that_are_kept_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds of all cores since the last look, of the process and of programs such as espeak-ng, by those of the
    wall."""
    process, clock = Process(), Clock()
    monkeypatch.setattr(psutil, "Process", lambda: process)
    process.times = Process.Times(user=100.0)
    machine = Machine("", clock)
    clock.now, process.times = 2.0, Process.Times(101.0, 0.5, 2.0, 0.5)
    assert machine.look()[:2] == (2.0, 123)
    clock.now, process.times = 6.0, Process.Times(102.0, 0.5, 2.0, 0.5)
    assert machine.look().cpu == 0.25
    assert machine.look().cpu == 0.0  # no time has passed


def test_looks_at_a_real_process() -> None:
    """Python has more than a megabyte, and what it did before the first look does not count."""
    seen = Machine("", Clock()).look()
    assert (seen.cpu, seen.resident > 2**20) == (0.0, True)
