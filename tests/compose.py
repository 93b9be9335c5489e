"""The compose file as a compose loader reads it: `docker compose`, or the reference loader where there is none."""

import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.kafka.yml"
LOADER = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"
CACHED = Path.home() / ".cache/e2a/bin/compose-config"


@cache
def compose_command() -> list[str] | None:
    """Return the command that loads compose files, or None when there is none."""
    docker = ["docker", "compose"]
    if (
        shutil.which("docker")
        and subprocess.run([*docker, "version"], check=False, capture_output=True).returncode == 0
    ):
        return docker
    if not CACHED.exists() and os.environ.get("CI") == "true":
        build_loader()
    return [str(CACHED)] if CACHED.exists() else None


def build_loader() -> None:
    """Build the reference loader into the cache; it appears there only when it is whole."""
    CACHED.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHED.parent) as target:
        subprocess.run(["go", "install", LOADER], env={**os.environ, "GOBIN": target}, check=True)
        Path(target, "cmd").rename(CACHED)


def load(**variables: str) -> subprocess.CompletedProcess[str]:
    """Load the compose file with all its profiles, to JSON on standard output; skip the test without a loader.

    Args:
        variables: the E2A_* variables to replace in the file; none leaves all variables as they are written.
    """
    command = compose_command()
    if command is None:
        pytest.skip("needs docker compose, or CI=true to build the reference loader")
    if command[0] == "docker":
        # not the .env file of whoever runs the tests
        command = [*command, "--env-file", os.devnull, "--profile", "*", "-f", str(FILE), "config"]
        command += ["--format", "json", *([] if variables else ["--no-interpolate"])]
    else:
        # it replaces variables by their defaults only, so the required one can never be set
        command = [*command, "-format", "json", "-no-interpolation", str(FILE)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("E2A_")}
    return subprocess.run(command, check=False, env={**kept, **variables}, cwd=ROOT, capture_output=True, text=True)


@cache
def model() -> dict[str, Any]:
    """Return the compose file with its anchors resolved and its variables as they are written."""
    result = load()
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
