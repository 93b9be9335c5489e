"""How this process and its GPU are. The only home of psutil and of NVML, NVIDIA's library that watches its GPUs."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import psutil
import pynvml
from prometheus_client import Gauge

from e2a import log, metrics
from e2a.checkpoint import GpuRecord
from e2a.errors import ExitCode, UserError

PATIENCE = 1.0
"""Seconds to wait for a driver. Who looks at a GPU renews leases too, and a driver in trouble may hang."""
_OF_GPU: dict[Gauge, Callable[[GpuRecord], float | None]] = {
    metrics.GPU_USE: lambda gpu: gpu.use,
    metrics.GPU_MEMORY_USED: lambda gpu: gpu.memory_used,
    metrics.GPU_MEMORY_TOTAL: lambda gpu: gpu.memory_total,
    metrics.GPU_TEMPERATURE: lambda gpu: gpu.temperature,
    metrics.GPU_POWER: lambda gpu: gpu.power,
}

logger = log.get(__name__)


class Vitals(NamedTuple):
    """What was seen; its names are those of a `WorkerRecord`."""

    cpu: float
    """Cores that the process and the programs it has run kept busy since the last look."""
    resident: int
    """In bytes."""
    gpu: GpuRecord | None


class Machine:
    """Looks at this process and at the GPU of its engine. For one thread.

    Args:
        gpu: UUID of the GPU; empty for none.
        clock: seconds.
    """

    def __init__(self, gpu: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._gpu = Gpu(gpu) if gpu else None
        self._clock = clock
        self._process = psutil.Process()
        self._seen, self._worked = clock(), self._work()

    def look(self) -> Vitals:
        """Return how it is now, and show it to Prometheus."""
        seen, worked = self._clock(), self._work()
        cpu = (worked - self._worked) / (seen - self._seen) if seen > self._seen else 0.0
        self._seen, self._worked = seen, worked
        gpu = self._gpu.look() if self._gpu else None
        _show(gpu)
        return Vitals(round(cpu, 3), self._process.memory_info().rss, gpu)

    def _work(self) -> float:
        """Return the seconds of all cores that the process has used, and programs that it has run to their end."""
        times = self._process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)


class Gpu:
    """A GPU as its driver sees it. For one thread.

    It is found by its UUID: CUDA_VISIBLE_DEVICES and CUDA's own order give a process other numbers than the driver's.

    Args:
        uuid: as the driver spells it, such as `GPU-2b1a6b62-…`.
    """

    def __init__(self, uuid: str) -> None:
        self._uuid = uuid
        self._handle: Any = None
        self._is_lost = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nvml")
        self._asked: Future[GpuRecord] | None = None
        """What the driver has not answered yet."""

    def look(self) -> GpuRecord | None:
        """Return how it is now; None where library or driver are missing, fail or hang: that is logged once each time.

        It takes `PATIENCE` at most; an answer that comes later is that of the next look.
        """
        self._asked = asked = self._asked or self._thread.submit(self._read)
        try:
            record = asked.result(PATIENCE)
        except TimeoutError:
            self._lose("it does not answer")
            return None
        except pynvml.NVMLError as error:
            self._asked = self._handle = None
            self._lose(str(error))
            return None
        self._asked = None
        self._is_lost = False
        return record

    def _lose(self, reason: str) -> None:
        if not self._is_lost:
            logger.warning("vitals.no_gpu", gpu=self._uuid, reason=reason)
        self._is_lost = True

    def _read(self) -> GpuRecord:
        if self._handle is None:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(self._uuid)
        memory = pynvml.nvmlDeviceGetMemoryInfo(self._handle)
        return GpuRecord(
            name=pynvml.nvmlDeviceGetName(self._handle),
            use=pynvml.nvmlDeviceGetUtilizationRates(self._handle).gpu / 100,
            memory_used=memory.used,
            memory_total=memory.total,
            temperature=_if_known(lambda: pynvml.nvmlDeviceGetTemperature(self._handle, pynvml.NVML_TEMPERATURE_GPU)),
            power=_if_known(lambda: pynvml.nvmlDeviceGetPowerUsage(self._handle) / 1000),  # it says milliwatts
        )


def gpus() -> tuple[str, ...]:
    """Return the UUIDs of the GPUs that this process may use, in the order of the PCI bus; of those only that answer.

    Raises:
        UserError: NVIDIA's library or driver is missing or fails (exit code UNAVAILABLE).
    """
    try:
        pynvml.nvmlInit()
        return tuple(uuid for number in range(pynvml.nvmlDeviceGetCount()) if (uuid := _uuid(number)))
    except pynvml.NVMLError as error:
        raise UserError(f"no GPU can be looked for, NVIDIA's driver says: {error}", ExitCode.UNAVAILABLE) from error


def _uuid(number: int) -> str:
    try:
        return str(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(number)))
    except pynvml.NVMLError as error:
        logger.warning("vitals.no_gpu", gpu=number, reason=str(error))
        return ""


def _if_known(question: Callable[[], float]) -> float | None:
    """Return what a GPU says; None for one that cannot say this."""
    with suppress(pynvml.NVMLError_NotSupported):
        return question()
    return None


def _show(gpu: GpuRecord | None) -> None:
    """Show what is known; of what is not, nothing is shown rather than the last that was."""
    for gauge, value in _OF_GPU.items():
        known = value(gpu) if gpu else None
        if gpu is None or known is None:
            gauge.clear()
        else:
            gauge.labels(gpu.name).set(known)
