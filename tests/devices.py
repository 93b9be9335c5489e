"""Four GPUs that are not there: `python -m tests.devices FOLDER` is e2a-synth on a machine that has them.

When its engine is loaded the worker writes into FOLDER, in a file of its name, which GPU CUDA would have shown it, and
whether torch was imported before. It is what users start, but for NVML and the engine.
"""

import os
import sys
from pathlib import Path

import pynvml

GPUS = tuple(f"GPU-2b1a6b62-0000-4000-8000-{number:012}" for number in range(4))


class Nvml:
    """Stands for `pynvml` on a machine with GPUs.

    Args:
        gpus: their UUIDs.
        failures: by the number of a GPU, what its driver says of it; by -1, what it says before any.
    """

    NVMLError = pynvml.NVMLError

    def __init__(self, gpus: tuple[str, ...] = GPUS, failures: dict[int, pynvml.NVMLError] | None = None) -> None:
        self._gpus = gpus
        self._failures = failures or {}

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's name
        self._fail(-1)

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self._gpus)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        self._fail(number)
        return number

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return self._gpus[handle]

    def _fail(self, number: int) -> None:
        if failure := self._failures.get(number):
            raise failure


def main() -> None:
    folder = Path(sys.argv.pop())

    from synth_consumer import vitals  # noqa: PLC0415 - only the process of a worker needs it
    from synth_consumer.__main__ import main as synth  # noqa: PLC0415
    from synth_consumer.engines.simulated import SimulatedEngine  # noqa: PLC0415

    def load(_engine: SimulatedEngine) -> None:
        seen = os.environ["CUDA_VISIBLE_DEVICES"] + " torch" * ("torch" in sys.modules)
        note = folder / f"{os.environ['E2A_WORKER_ID']}.new"
        note.write_text(seen)
        note.rename(note.with_suffix(""))

    vitals.pynvml = Nvml()
    SimulatedEngine.load = load  # type: ignore[method-assign]
    synth()


if __name__ == "__main__":
    main()
