"""The files of the container stack, as their own tools read them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import compose

DOCKERFILES = sorted(compose.ROOT.glob("deploy/**/*Dockerfile*"))


OVERLAYS = sorted(path.name for path in compose.ROOT.glob("docker-compose.*.yml") if path.name != compose.FILE)


@pytest.mark.parametrize("overlays", [(), *((name,) for name in OVERLAYS if name != "docker-compose.worker.yml")])
def test_the_compose_files_are_valid(overlays):
    """The compose file loads, alone and with each file that is laid over it, with nothing set at all."""
    result = compose.load(*overlays, E2A_ENGINE="espeak")
    assert result.returncode == 0, result.stderr
    assert "variable is not set" not in result.stderr


def test_secrets_are_made_once(tmp_path):
    """The script makes every secret that the stack needs, each another, and keeps those that are there."""
    (tmp_path / "secrets").mkdir(mode=0o755)
    command = [compose.ROOT / "deploy/docker/secrets", tmp_path / "secrets"]
    subprocess.run(command, check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    wanted = {Path(secret["file"]).name for secret in compose.model()["secrets"].values()}
    assert made.keys() == wanted
    assert len(set(made.values())) == len(made)
    assert all(len(secret) == 32 for secret in made.values())
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    (tmp_path / "secrets" / "redis_password").unlink()
    subprocess.run(command, check=True)
    again = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {name for name in made if made[name] != again[name]} == {"redis_password"}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(compose.ROOT)))
def test_hadolint_finds_nothing(path):
    """Every Dockerfile passes hadolint."""
    hadolint = Path(sys.executable).with_name("hadolint")
    result = subprocess.run([hadolint, path], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_there_are_dockerfiles():
    """The search for Dockerfiles finds them."""
    assert compose.ROOT / "deploy/docker/Dockerfile" in DOCKERFILES
