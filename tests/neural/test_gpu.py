"""What only a GPU can show. Skipped where there is none."""

import gc
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from synth_consumer.engines.coqui import batch, graphs, models
from synth_consumer.engines.coqui.decoder import PROBATION
from synth_consumer.engines.coqui.graphs import Graphs
from synth_consumer.vitals import Machine
from tests.neural.test_decoder import GREEDY, SAMPLED, codes, decoder, make_requests

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
LITTLE = 112 * 2**20
"""Bytes that some slots of a tiny model fit into, and what libraries want, but not 128."""


@pytest.fixture
def model(xtts_folder: Path) -> Any:
    found = models.find(str(xtts_folder), accept_cpml=True)
    return models.load(found, torch.device("cuda", 0)).tts_model


@pytest.fixture
def little_memory(model: Any) -> Iterator[None]:
    """Let this process have little more memory than the model takes."""
    gc.collect()
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + LITTLE) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize("slots", [3, 16])
@pytest.mark.parametrize("temperature", [GREEDY, SAMPLED])
def test_rows_do_not_disturb_each_other(model: Any, temperature: float, slots: int) -> None:
    """Tokens are the same one by one and side by side."""
    requests = make_requests(model, temperature)
    with decoder(model, slots=1) as running:
        alone = codes(running, requests)
    with decoder(model, slots=slots) as running:
        assert codes(running, requests) == alone


def test_a_replayed_step_is_a_step(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens are the same when no graph is recorded, and every kernel launched for the rows that there are."""
    requests = make_requests(model, SAMPLED)
    with mock.patch.object(Graphs, "_record", autospec=True, side_effect=Graphs._record) as record:
        with decoder(model, slots=16) as running:
            replayed = codes(running, requests)
        recorded = record.call_count
        monkeypatch.setattr(graphs, "ROOM", math.inf)
        monkeypatch.setitem(batch.COARSE, "cuda", False)
        with decoder(model, slots=16) as running:
            assert codes(running, requests) == replayed
    assert record.call_count == recorded > 0


@pytest.mark.usefixtures("little_memory")
def test_goes_on_when_memory_runs_out_and_recovers(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer sentences at once are decoded, with the same tokens, and as many as at first when there is memory again."""
    monkeypatch.setattr(graphs, "ROOM", math.inf)  # there would be, but not for this process
    requests = make_requests(model, SAMPLED)
    with decoder(model, slots=128) as running:
        made = codes(running, requests)
        few = running.slots
        torch.cuda.set_per_process_memory_fraction(1.0)
        for _ in range(0, 2 * 128 * PROBATION, len(requests)):
            assert codes(running, requests) == made
        assert few < running.slots == 128


def test_the_driver_sees_the_engines_gpu() -> None:
    """By the UUID that torch knows the driver finds the GPU that torch is at, whatever number either gives it."""
    where = torch.device("cuda", 0)
    block = torch.zeros(2**28, dtype=torch.uint8, device=where)
    gpu = Machine(models.uuid(where)).look().gpu
    assert gpu is not None
    assert gpu.name == torch.cuda.get_device_name(where)
    assert gpu.memory_used >= len(block)
    assert gpu.memory_total >= torch.cuda.get_device_properties(where).total_memory
    assert 0 <= gpu.use <= 1
