"""What is recorded and when, with a GPU that is only pretended."""

from collections.abc import Iterator
from unittest import mock

import pytest
import torch

from synth_consumer.engines.coqui.graphs import ROOM, Graphs

SHAPES = ((1, 64), (2, 64), (1, 64), (1, 64), (2, 64))


@pytest.fixture
def free() -> Iterator[mock.Mock]:
    """Return what tells the free memory of the pretended GPU, which has enough."""
    with (
        mock.patch.object(torch.cuda, "graph_pool_handle", return_value=(0, 1)),
        mock.patch.object(torch.cuda, "CUDAGraph"),
        mock.patch.object(torch.cuda, "mem_get_info", return_value=(ROOM, 2 * ROOM)) as memory,
    ):
        yield memory


def calls(device: str) -> list[tuple[int, int]]:
    """Return the shapes that the work is called with."""
    work = mock.Mock()
    graphs = Graphs(torch.device(device))
    for shape in SHAPES:
        graphs.run(work, *shape)
    return [call.args for call in work.call_args_list]


@pytest.mark.usefixtures("free")
def test_each_shape_is_launched_and_recorded_once() -> None:
    """The first time the work runs, and is called again for the recording; from then on it is replayed."""
    assert calls("cuda") == [(1, 64), (1, 64), (2, 64), (2, 64)]


def test_nothing_is_recorded_where_memory_could_run_out(free: mock.Mock) -> None:
    """Work is launched every time while there is little memory."""
    free.return_value = (ROOM - 1, 2 * ROOM)
    assert calls("cuda") == list(SHAPES)


def test_nothing_is_recorded_on_a_cpu() -> None:
    """There the work is called every time."""
    assert calls("cpu") == list(SHAPES)
