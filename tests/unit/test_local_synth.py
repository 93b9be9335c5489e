"""deploy/local/synth gives each worker a GPU of its own, and starts also where there is none."""

import os
import subprocess
from pathlib import Path

import pytest

SYNTH = Path(__file__).parents[2] / "deploy/local/synth"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder of programs in which e2a-synth tells its GPUs."""
    program(tmp_path / "e2a-synth", "echo ${CUDA_VISIBLE_DEVICES-any}")
    program(tmp_path / "nvidia-smi", "printf '0\\n1\\n2\\n'")
    return tmp_path


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def gpu(programs: Path, number: int, **chosen: str) -> str:
    """Return what the worker with a number is given."""
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "SUPERVISOR_PROCESS_NAME": f"synth-{number}"} | chosen
    return subprocess.run([SYNTH], env=env, check=True, capture_output=True, text=True).stdout.strip()


def test_each_worker_has_its_own_gpu(programs: Path) -> None:
    """The first has the first; beyond the last they share."""
    assert [gpu(programs, number) for number in (1, 2, 3, 4)] == ["0", "1", "2", "0"]


def test_only_the_gpus_that_were_chosen_are_used(programs: Path) -> None:
    """CUDA_VISIBLE_DEVICES is divided up, and when it is empty no GPU is used."""
    assert [gpu(programs, number, CUDA_VISIBLE_DEVICES="5,7") for number in (1, 2, 3)] == ["5", "7", "5"]
    assert gpu(programs, 1, CUDA_VISIBLE_DEVICES="") == ""


def test_a_driver_that_does_not_answer_is_no_gpu(programs: Path) -> None:
    """nvidia-smi without a working driver says so on its output: the worker starts all the same."""
    program(programs / "nvidia-smi", "echo NVIDIA-SMI has failed; exit 9")
    assert gpu(programs, 1) == "any"
