"""What is kept with the data of a local pipeline, and what is refused before anything is started."""

import shutil
import socket
import stat
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from deploy.local import kept
from deploy.local.kept import Wish, environment
from deploy.local.stack import Stack
from e2a.errors import ExitCode, UserError


def test_ports_and_secrets_stay(tmp_path: Path) -> None:
    """What was drawn once is the same at every start."""
    first = environment(tmp_path, Wish(), remember=True)
    again = environment(tmp_path, Wish(), remember=True)
    names = [*kept.ADDRESSES, "E2A_S3_SECRET_KEY"]
    assert [again[name] for name in names] == [first[name] for name in names]
    assert first["E2A_REDIS_URL"] == f"redis://127.0.0.1:{first['E2A_REDIS_PORT']}/0"
    assert all(kept.port_of(first[name]) in kept.PORTS for name in kept.ADDRESSES)
    assert "E2A_KAFKA_CONTROLLER_PORT" in kept.ADDRESSES


def test_a_new_port_is_not_that_of_another_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is drawn later than the others is not one of theirs, though nobody listens there yet."""
    monkeypatch.setattr(kept, "PORTS", range(20_000, 20_100))
    before = environment(tmp_path, Wish(), remember=True)
    theirs = [kept.port_of(before[name]) for name in kept.ADDRESSES if name != "E2A_REDIS_URL"]
    port = int(before["E2A_REDIS_PORT"])
    free = next(each for each in kept.PORTS if each not in [*theirs, port] and kept.is_free(each))
    monkeypatch.setattr(kept, "PORTS", [*theirs, free])
    with socket.create_server(("127.0.0.1", port)):
        assert environment(tmp_path, Wish(), remember=True)["E2A_REDIS_PORT"] == str(free)


def test_a_port_that_is_taken_is_changed_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server whose port somebody else has meanwhile gets another one, for good; the others stay where they were."""
    before = environment(tmp_path, Wish(), remember=True)
    port = int(before["E2A_REDIS_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        after = environment(tmp_path, Wish(), remember=True)
    assert after["E2A_REDIS_PORT"] != before["E2A_REDIS_PORT"]
    assert after["E2A_KAFKA_PORT"] == before["E2A_KAFKA_PORT"]
    told = capsys.readouterr().err
    assert told.startswith(f"port {port} is taken by ")
    assert told.endswith(f": E2A_REDIS_URL is {after['E2A_REDIS_URL']} from now on\n")
    assert kept.read(tmp_path)["E2A_REDIS_URL"] == after["E2A_REDIS_URL"]


def test_what_was_asked_for_stays(tmp_path: Path) -> None:
    """What is not asked for is as `make up` started it the last time; a `make audiobook` in between changes nothing."""
    environment(tmp_path, Wish(3, "minio", {"engine": "xtts", "model": None}), remember=True)
    once = environment(tmp_path, Wish(4), remember=False)
    assert (once["E2A_PARTITIONS"], once["E2A_STORAGE"], once["E2A_ENGINE"]) == ("4", f"{tmp_path}/storage", "espeak")
    later = environment(tmp_path, Wish(workers=5), remember=True)
    assert (later["E2A_PARTITIONS"], later["E2A_STORAGE"], later["E2A_ENGINE"]) == ("5", "s3://e2a", "xtts")


def test_the_shell_counts_more_than_what_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine of the environment is used, an option before it; storage and workers of another pipeline are not."""
    environment(tmp_path, Wish(speech={"engine": "simulated"}), remember=True)
    monkeypatch.setenv("E2A_ENGINE", "coqui")
    monkeypatch.setenv("E2A_STORAGE", "/elsewhere")
    found = environment(tmp_path, Wish(), remember=True)
    assert (found["E2A_ENGINE"], found["E2A_STORAGE"]) == ("coqui", f"{tmp_path}/storage")
    assert environment(tmp_path, Wish(speech={"engine": "xtts"}), remember=True)["E2A_ENGINE"] == "xtts"


def test_what_the_shell_overrides_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shell that has sourced what was kept before has the old engine: `make up` names it, when it is another."""
    environment(tmp_path, Wish(), remember=True)
    for name, value in kept.read(tmp_path).items():
        monkeypatch.setenv(name, value)
    environment(tmp_path, Wish(speech={"engine": "xtts"}), remember=True)
    assert capsys.readouterr().err == ""
    assert environment(tmp_path, Wish(), remember=True)["E2A_ENGINE"] == "espeak"
    said = f"this shell's E2A_ENGINE=espeak counts more than what {tmp_path}/env says\n"
    assert capsys.readouterr().err == said
    environment(tmp_path, Wish(), remember=False)
    assert capsys.readouterr().err == ""


def test_a_shell_can_source_what_is_kept(tmp_path: Path) -> None:
    """The file is its owner's only, and a shell that sources it has every value, odd ones too."""
    data = tmp_path / "the data's; $HOME"
    data.mkdir()
    environment(data, Wish(), remember=True)
    assert stat.S_IMODE((data / "env").stat().st_mode) == 0o600
    shell = ["bash", "-c", '. "$0"; printf %s "$E2A_STORAGE"', str(data / "env")]
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == f"{data}/storage"
    assert kept.read(data)["E2A_STORAGE"] == f"{data}/storage"


def test_one_at_a_time(tmp_path: Path) -> None:
    """A data directory that somebody holds is named, with what to do."""
    with Stack(tmp_path).locked(), pytest.raises(UserError, match=f"another run uses {tmp_path}") as refused:
        Stack(tmp_path).locked().__enter__()
    assert refused.value.code == ExitCode.UNAVAILABLE


def test_a_path_that_is_too_long_is_named(tmp_path: Path) -> None:
    """Sockets have short paths, so a long one is refused before anything is made of it."""
    data = tmp_path / ("x" * 90)
    with pytest.raises(UserError, match="this path is too long") as refused:
        Stack(data).locked().__enter__()
    assert refused.value.code == ExitCode.CANNOT_WRITE
    assert not data.exists()


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no space is left it is told how much is needed."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1, 1, 12_345_678))
    with pytest.raises(UserError, match=r"12 MB are free, and 200 are needed to start$") as refused:
        Stack(tmp_path).require_space()
    assert refused.value.code == ExitCode.CANNOT_WRITE


def test_a_pipeline_that_does_not_run(tmp_path: Path) -> None:
    """Files of a killed supervisord say nothing: only one that answers runs."""
    (tmp_path / "supervisord.pid").write_text("1\n")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "control"))
    stack = Stack(tmp_path)
    assert (stack.state(), stack.processes()) == ("", [])
    with pytest.raises(UserError, match="make up"):
        stack.environment()
