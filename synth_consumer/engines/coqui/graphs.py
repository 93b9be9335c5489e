"""Work that launches kernels and nothing else, recorded once for each of its shapes as a CUDA graph and replayed then.

A step of decoding is some hundreds of kernels of microseconds. Launched one by one they leave a GPU waiting, the more
so while another thread launches those of the vocoder.
"""

from collections.abc import Callable
from typing import Any

import torch

ROOM = 2**29
"""Bytes that have to be free for a recording, far more than it takes: torch does not survive it that they run out."""


class Graphs:
    """The graphs of one function, in memory that they share, since they run one after the other.

    Args:
        device: on one that is no GPU nothing is recorded.
    """

    def __init__(self, device: Any) -> None:
        self._device = device
        self._recorded: dict[tuple[int, ...], Any] = {}
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None

    def run(self, work: Callable[..., None], *shape: int) -> None:
        """Call `work(*shape)`, or replay what it launched with these arguments before.

        Args:
            work: always the same. What it launches follows from its arguments, not from what a tensor holds, and what
                it computes is written into tensors that were there before.
            shape: its arguments.
        """
        if graph := self._recorded.get(shape):
            graph.replay()
            return
        work(*shape)  # also loads what a recording could not
        if self._pool and torch.cuda.mem_get_info(self._device)[0] >= ROOM:
            self._recorded[shape] = self._record(work, shape)

    def _record(self, work: Callable[..., None], shape: tuple[int, ...]) -> Any:
        graph = torch.cuda.CUDAGraph()
        # torch.cuda.graph would wait for all that runs, and give back the memory that the vocoder is about to need
        graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
        work(*shape)
        graph.capture_end()
        return graph
