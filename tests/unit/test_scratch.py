"""Folders to work in: gone afterwards, also those of services that were killed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2a.scratch import remove_abandoned, scratch

HOLD = "from e2a.scratch import scratch\nwith scratch('merge') as folder: print(folder, flush=True), input()"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let all scratch lie in a folder of the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def another(temporary: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run another process that works in a scratch folder; it ends when its input does."""
    command = [sys.executable, "-c", HOLD]
    env = {"TMPDIR": str(temporary), "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_removed_afterwards(temporary: Path) -> None:
    """A scratch folder is there for as long as it is used, whatever happens in it."""

    def work() -> None:
        with scratch("merge") as folder:
            (folder / "book.m4b").write_bytes(bytes(10))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left(temporary: Path) -> None:
    """The folder of a process that was killed is removed with what is in it, and nothing else is."""
    others = temporary / "e2a-merge-file", temporary / "e2a-upload-1-x"
    others[0].touch()
    others[1].mkdir()
    with another(temporary) as process:
        (folder,) = temporary.glob(f"e2a-merge-{process.pid}-*")
        (folder / "book.m4b").write_bytes(bytes(10))
        process.kill()
        process.wait()
        assert folder.exists()
        remove_abandoned("merge")
    assert sorted(temporary.iterdir()) == sorted(others)


def test_what_a_living_process_works_with(temporary: Path) -> None:
    """A folder that another process works in is left alone, and so is one of our own."""
    with another(temporary), scratch("merge") as ours:
        remove_abandoned("merge")
        assert len(list(temporary.glob("e2a-merge-*"))) == 2
        assert ours.exists()
