"""The Makefile makes .venv anew when it has to, but never under a pipeline that runs from it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STALE, NEW = 1_000_000_000, 2_000_000_000


class Clone:
    """A clone whose environment is of stand-ins, and where `python3 -m venv` only says that it was asked to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / ".e2a"
        self.bin = folder / ".venv/bin"
        for each in (self.data, self.bin, folder / "deploy/local", folder / "programs"):
            each.mkdir(parents=True)
        for name in ("Makefile", "deploy/local/unused"):
            shutil.copy(ROOT / name, folder / name)
        for name in ("requirements-dev.txt", "pyproject.toml"):
            self.change(name, STALE)
        program(folder / "deploy/local/install", "exit 0")
        program(folder / "programs/python3", "echo a new one; exit 1")
        program(self.bin / "supervisord", "echo runs; read line")
        program(folder / "python", "exit 0")
        (self.bin / "python").symlink_to(folder / "python")
        self.change(".venv/.complete", STALE + 1)

    def change(self, name: str, time: int = NEW) -> None:
        """Make a file, or change it."""
        (self.folder / name).touch()
        os.utime(self.folder / name, (time, time))

    def upgrade(self) -> None:
        """Take away the Python that the environment was made with, as an upgrade of the system does."""
        (self.folder / "python").unlink()

    def make(self, target: str) -> str:
        """Run `make` and return what it says."""
        env = os.environ | {"PATH": f"{self.folder / 'programs'}:{os.environ['PATH']}"}
        command = ["make", "--no-print-directory", target]
        result = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        return result.stdout + result.stderr

    @contextmanager
    def running(self) -> Iterator[int]:
        """Run the supervisor of a pipeline; yield its process."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([self.bin / "supervisord", "--nodaemon"], **pipes) as process:  # type: ignore[call-overload]
            assert process.stdout.readline() == b"runs\n"
            yield process.pid


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Return a clone, in a folder whose name is odd."""
    return Clone(tmp_path / "R&D, livres été [1]")


def test_an_environment_is_made_anew_when_requirements_change(clone: Clone) -> None:
    """One that is newer than they are stays; else it is removed and made."""
    assert "a new one" not in clone.make("setup")
    clone.change("pyproject.toml")
    assert "a new one" in clone.make("setup")
    assert not clone.bin.exists()


def test_an_environment_whose_python_is_gone_is_none(clone: Clone) -> None:
    """After an upgrade of the system `make status` says that nothing was started, and what needs one makes it anew."""
    clone.upgrade()
    assert "nothing was started here" in clone.make("status")
    assert "a new one" in clone.make("setup")


def test_an_environment_that_lost_its_packages_is_none(clone: Clone) -> None:
    """A newer Python in the place of the old one looks for packages where none are: what needs them makes it anew."""
    program(clone.folder / "python", "exit 1")
    assert "nothing was started here" in clone.make("status")
    assert "a new one" in clone.make("setup")


def test_an_environment_from_which_a_pipeline_runs_is_kept(clone: Clone) -> None:
    """Changed requirements are refused while one runs, and the process and the way to stop it are named."""
    clone.change("requirements-dev.txt")
    with clone.running() as pid:
        said = clone.make("setup")
    assert f"a pipeline runs from .venv (process {pid}): stop it first, with `make down` or Ctrl-C\n" in said
    assert (clone.bin / "python").exists()


def test_a_pipeline_without_its_python_can_be_stopped(clone: Clone) -> None:
    """Where the Python of one that runs is gone, every command says how it is stopped, and nothing is removed."""
    clone.upgrade()
    with clone.running() as pid:
        said = {target: clone.make(target) for target in ("setup", "status", "down", "clean")}
    for each in said.values():
        assert f"a pipeline runs from .venv, whose Python is gone: `kill {pid}` stops it\n" in each
        assert "nothing was started here" not in each
    assert clone.bin.exists()
    assert clone.data.exists()


def test_clean_keeps_what_a_pipeline_uses(clone: Clone) -> None:
    """`make clean` removes all where nothing runs, and nothing where one that `make down` does not know runs."""
    with clone.running():
        assert "stop it first" in clone.make("clean")
    assert clone.bin.exists()
    assert clone.data.exists()
    clone.make("clean")
    assert not clone.bin.exists()
    assert not clone.data.exists()
