"""The files of the container stack, as their own tools read them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import compose

DOCKERFILES = sorted(compose.ROOT.glob("deploy/**/*Dockerfile*"))


def test_the_compose_file_is_valid():
    """The compose file loads with nothing but the required variables set."""
    result = compose.load(
        E2A_S3_SECRET_KEY_FILE="secrets/s3_secret_key", E2A_MONITOR_PASSWORD_FILE="secrets/monitor_password"
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("missing", ["E2A_S3_SECRET_KEY_FILE", "E2A_MONITOR_PASSWORD_FILE"])
def test_the_stack_needs_its_secrets(missing):
    """Without a secret key, or a password of the page, the file does not load; the message names the variable."""
    secrets = {"E2A_S3_SECRET_KEY_FILE": "a", "E2A_MONITOR_PASSWORD_FILE": "b"}
    del secrets[missing]
    result = compose.load(**secrets)
    assert result.returncode != 0
    assert missing in result.stderr


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(compose.ROOT)))
def test_hadolint_finds_nothing(path):
    """Every Dockerfile passes hadolint."""
    hadolint = Path(sys.executable).with_name("hadolint")
    result = subprocess.run([hadolint, path], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_there_are_dockerfiles():
    """The search for Dockerfiles finds them."""
    assert compose.ROOT / "deploy/docker/Dockerfile" in DOCKERFILES
