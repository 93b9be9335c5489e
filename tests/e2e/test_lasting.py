"""`make up`, `make status` and `make down` as users run them, with what happens in between."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import health
from deploy.local.health import Health
from deploy.local.stack import Stack
from tests.processes import running_in
from tests.servers import ROOT, wait_until

TITLE = "Two Hundred and Fourteen Umbrellas"


class Machine:
    """A data directory with an odd path, and the commands that one gives for it behind a proxy that answers nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "a &,é"
        self.stack = Stack(self.data)

    def make(self, target: str, *options: str, **settings: object) -> "subprocess.CompletedProcess[str]":
        """Run `make` to its end; `settings` are E2A_ variables without the prefix."""
        given = shlex.join(["--data", str(self.data), *options])
        command = ["make", "--no-print-directory", target, f"OPTIONS={given}", f"OUTPUT={self.folder}"]
        env = os.environ | {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
        env |= {f"E2A_{name}": str(value) for name, value in settings.items()}
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300)

    def done(self, target: str, *options: str, **settings: object) -> str:
        """Run `make`, which has to work, and return what it says."""
        result = self.make(target, *options, **settings)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def process(self, name: str) -> Health:
        """Return how a process is."""
        return next(each for each in health.look(self.stack) if each.name == name)

    def kill(self, pid: int) -> None:
        """Kill a process with SIGKILL."""
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Return a machine on which nothing runs, neither before nor after."""
    made = Machine(tmp_path)
    try:
        yield made
    finally:
        made.stack.stop()


def test_a_pipeline_that_keeps_running(machine: Machine) -> None:
    """It comes up, makes what was in work whoever is killed meanwhile, ends with nothing left, and knows its books."""
    said = machine.done("up", "--engine=simulated", "--workers=1", SIMULATED_RTF=9)
    page = re.search(r"page: (\S+)", said)
    assert page, said
    with health.DIRECT.open(f"{page[1]}/_stcore/health") as answer:
        assert answer.status == 200
    assert "it runs already" in machine.done("up")
    kept = (machine.data / "env").read_text()

    machine.done("audiobook", "--detach")
    said = machine.done("status")
    assert len(re.findall(r"^\S+ +healthy +\d+ +\d+ MB", said, re.MULTILINE)) == 5, said
    assert f"  {TITLE}: synthesising" in said

    worker = machine.process("synth-1").pid
    machine.kill(worker)
    wait_until(lambda: machine.process("synth-1").restarts == 1 and not machine.process("synth-1").trouble)
    assert machine.process("synth-1").pid != worker

    machine.kill(int((machine.data / "supervisord.pid").read_text()))
    wait_until(lambda: running_in(machine.data) == [])
    machine.done("up", SIMULATED_RTF=0)
    machine.done("audiobook")
    assert (machine.folder / "sample.m4b").exists()

    assert f"data are kept in {machine.data}" in machine.done("down")
    assert running_in(machine.data) == []
    assert "nothing runs" in machine.make("status").stdout

    said = machine.done("up")
    assert (machine.data / "env").read_text() == kept
    shell = re.search(r"in this shell: (.+)", said)
    assert shell, said
    assert TITLE in subprocess.run(["bash", "-c", shell[1]], capture_output=True, text=True, check=True).stdout


def test_a_pipeline_that_cannot_start(machine: Machine) -> None:
    """A service that ends at its start is named with its last words, all others are stopped, and data stay free."""
    result = machine.make("up", SESSION_TIMEOUT="none")
    assert result.returncode != 0
    assert re.search(r"synth-\d has ended \(exit status 78\); its last lines of ", result.stderr), result.stderr
    assert "e2a-synth: setting E2A_SESSION_TIMEOUT = 'none'" in result.stderr
    assert running_in(machine.data) == []
    assert "nothing runs" in machine.done("down")
