"""Workers on one machine with four GPUs, each a process: which GPU each has, and what becomes of one that is lost."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from deploy.local.kept import free_ports
from e2a.bus import KafkaServer
from e2a.errors import ExitCode
from tests.devices import GPUS
from tests.servers import listens, wait_until
from tests.stack import Process, Stack

NO_KAFKA = KafkaServer("127.0.0.1:1")
"""The workers hold their GPUs while they wait for it."""


class Machine:
    """Starts workers and says which GPU CUDA shows each."""

    def __init__(self, folder: Path, redis: str) -> None:
        self.stack = Stack(folder, NO_KAFKA, redis, GPU_LEASE=True, PATIENCE=600)
        self.workers: dict[str, Process] = {}
        self.ports: dict[str, int] = {}
        self._notes = folder / "notes"
        self._notes.mkdir()

    def start(self, *names: str) -> None:
        for name, port in zip(names, free_ports(len(names)), strict=True):
            command = ("python", "-m", "tests.devices", str(self._notes))
            self.workers[name] = self.stack.start(*command, WORKER_ID=name, METRICS_PORT=port)
            self.ports[name] = port

    def gpus(self) -> dict[str, str]:
        """Return what CUDA was shown by the names of the workers that have got so far."""
        return {path.name: path.read_text() for path in self._notes.iterdir() if not path.suffix}

    def problem(self, name: str) -> str:
        """Return what a worker waits for, as its health page says."""
        wait_until(lambda: listens(self.ports[name]))
        with urlopen(f"http://127.0.0.1:{self.ports[name]}/healthz", timeout=10) as page:
            return str(json.load(page)["problem"])


@pytest.fixture
def machine(tmp_path: Path, redis: str) -> Iterator[Machine]:
    machine = Machine(tmp_path, redis)
    machine.stack.forget()
    yield machine
    for process in machine.workers.values():
        process.kill()
        process.wait()


def test_four_gpus_among_six_workers(machine: Machine) -> None:
    """Four workers have a GPU each before torch is imported, and two wait and say so. When one holder is killed and
    another is stopped, the two have their GPUs; the one that was stopped ends when it goes on."""
    machine.start(*(f"w{number}" for number in range(6)))
    wait_until(lambda: len(machine.gpus()) == 4)
    first = machine.gpus()
    assert sorted(first.values()) == list(GPUS)
    others = sorted(machine.workers.keys() - first)
    for name in others:
        wait_until(lambda name=name: "other workers have all of 4" in machine.problem(name))
    killed, stopped, *kept = first
    machine.workers[killed].kill()
    os.kill(machine.workers[stopped].pid, signal.SIGSTOP)
    wait_until(lambda: len(machine.gpus()) == 6, 30)
    assert {machine.gpus()[name] for name in others} == {first[killed], first[stopped]}
    assert not [name for name in others if "other workers" in machine.problem(name)]
    os.kill(machine.workers[stopped].pid, signal.SIGCONT)
    assert machine.workers[stopped].wait(30) == ExitCode.UNAVAILABLE
    assert [machine.workers[name].poll() for name in (*kept, *others)] == [None] * 4
