"""A GPU of one's own: the first that no other worker has, taken by a lease in Redis (docs/adr/0022)."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from e2a import log
from e2a.checkpoint import LeaseKeeper, Leases, gpu_lease
from e2a.errors import ExitCode, Unavailable, UserError, may_pass
from synth_consumer import vitals

VARIABLE = "CUDA_VISIBLE_DEVICES"
POLL = 1.0
"""Seconds between two looks for a GPU that has become free."""

logger = log.get(__name__)
_environment = os.environ  # noqa: TID251 - CUDA has no settings but these variables, and reads them when torch does


@contextmanager
def leased(leases: Leases, worker: str, waits: Callable[[str], None]) -> Iterator[None]:
    """Let CUDA show this process one GPU, which no other worker takes while the block runs; wait until there is one.

    Before the block nothing may have asked CUDA for its GPUs. When another worker takes the GPU all the same, because
    the lease could not be renewed in time, this process ends at once (exit code UNAVAILABLE).

    Args:
        leases: the checkpoint.
        worker: its name.
        waits: called with what is waited for, and with an empty string when there is a GPU.

    Raises:
        UserError: there is no GPU, or `CUDA_VISIBLE_DEVICES` names none.
        Refused: the checkpoint does not let us in.
    """
    seen = visible(vitals.gpus(), _environment.get(VARIABLE), _environment.get("CUDA_DEVICE_ORDER"))

    def look() -> None:
        if not keeper.keeps(gpu_lease(uuid)):
            _end(uuid)

    keeper = LeaseKeeper(leases, worker, look)
    uuid = take(seen, keeper, waits)
    logger.info("gpu.taken", gpu=uuid, worker=worker, visible=len(seen))
    _environment[VARIABLE] = uuid
    try:
        with keeper:
            yield
    finally:
        keeper.release(gpu_lease(uuid))


def visible(gpus: Sequence[str], named: str | None, order: str | None) -> tuple[str, ...]:
    """Return the GPUs that this process may take.

    Args:
        gpus: UUIDs of all, in the order of the PCI bus.
        named: `CUDA_VISIBLE_DEVICES`: UUIDs, beginnings of them, or numbers; None where it is not set.
        order: `CUDA_DEVICE_ORDER`: what the numbers mean.

    Raises:
        UserError: there is none (exit code UNAVAILABLE); or one that is named is not there, or nobody can say which it
            is (CONFIG).
    """
    if not gpus:
        raise UserError("this machine has no GPU to take; E2A_GPU_LEASE=false asks for none", ExitCode.UNAVAILABLE)
    if named is None:
        return tuple(gpus)
    return tuple(dict.fromkeys(_named(name.strip(), gpus, order) for name in named.split(",")))


def _named(name: str, gpus: Sequence[str], order: str | None) -> str:
    if name.isdecimal() and order != "PCI_BUS_ID":
        reason = "CUDA's numbers are not the driver's; name UUIDs, or set CUDA_DEVICE_ORDER=PCI_BUS_ID"
        raise UserError(f"{VARIABLE} names GPU {name}: {reason}", ExitCode.CONFIG)
    found = [uuid for number, uuid in enumerate(gpus) if name == str(number) or (name and uuid.startswith(name))]
    if len(found) != 1:
        raise UserError(f"{VARIABLE} names GPU {name!r}; there are: {', '.join(gpus)}", ExitCode.CONFIG)
    return found[0]


def take(
    gpus: Sequence[str],
    keeper: LeaseKeeper,
    waits: Callable[[str], None],
    pause: Callable[[float], object] = time.sleep,
) -> str:
    """Return the UUID of the first GPU that is free, leased; wait while none is.

    Args:
        gpus: UUIDs, the preferred first.
        keeper: takes the lease; it need not run yet.
        waits: called with what is waited for whenever that changes, and in the end with an empty string.
        pause: waits for some seconds.

    Raises:
        Refused: the checkpoint does not let us in.
    """
    problem = ""
    while True:
        last, problem = problem, f"waits for a GPU: other workers have all of {len(gpus)}"
        try:
            for uuid in gpus:
                if keeper.take(gpu_lease(uuid)):
                    waits("")
                    return uuid
        except Unavailable as error:
            if not may_pass(error):
                raise
            problem = str(error)
        if problem != last:
            waits(problem)
        pause(POLL)


def _end(uuid: str) -> None:
    """End the process: another worker has the GPU, and the memory that it wants is what we hold."""
    logger.error("gpu.lost", gpu=uuid, remedy=_REMEDY)
    logging.shutdown()
    os._exit(ExitCode.UNAVAILABLE)


_REMEDY = (
    "this process was stopped for longer than a lease lives, or Redis lost its data; the parts in hand go to other"
    " workers; start this one again"
)
