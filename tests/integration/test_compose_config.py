"""The files of the container stack, as their own tools read them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import compose

DOCKERFILES = sorted(compose.ROOT.glob("deploy/**/*Dockerfile*"))


def test_the_compose_file_is_valid():
    """The compose file loads with nothing but the required variable set."""
    result = compose.load(E2A_S3_SECRET_KEY_FILE="secrets/s3_secret_key")
    assert result.returncode == 0, result.stderr


def test_the_stack_needs_a_secret_key():
    """Without a secret key the compose file does not load, and the message names the variable."""
    result = compose.load(E2A_S3_ACCESS_KEY="someone")
    assert result.returncode != 0
    assert "E2A_S3_SECRET_KEY_FILE" in result.stderr


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(compose.ROOT)))
def test_hadolint_finds_nothing(path):
    """Every Dockerfile passes hadolint."""
    hadolint = Path(sys.executable).with_name("hadolint")
    result = subprocess.run([hadolint, path], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_there_are_dockerfiles():
    """The search for Dockerfiles finds them."""
    assert compose.ROOT / "deploy/docker/Dockerfile" in DOCKERFILES
