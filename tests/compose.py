"""The compose files as Docker Compose reads them: the plugin, or one built from its source with Go in CI."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.servers import CI, ROOT

FILE = "docker-compose.kafka.yml"
VERSION = "v2.40.3"
BUILT = Path.home() / f".cache/e2a/docker-compose-{VERSION}"


@cache
def compose_command() -> tuple[str, ...]:
    """Return the command that loads compose files; skip the test on a laptop that has none."""
    plugin = ("docker", "compose")
    if (
        shutil.which("docker")
        and subprocess.run([*plugin, "version"], check=False, capture_output=True).returncode == 0
    ):
        return plugin
    if not BUILT.exists():
        if not CI:
            pytest.skip("docker compose is not installed")
        _build()
    return (str(BUILT),)


def _build() -> None:
    """Build Docker Compose into the cache (minutes); in its own folder, since its go.mod replaces modules."""
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    module = ["go", "mod", "download", "-json", f"github.com/docker/compose/v2@{VERSION}"]
    source = json.loads(subprocess.run(module, check=True, capture_output=True).stdout)["Dir"]
    with tempfile.TemporaryDirectory(dir=BUILT.parent) as target:
        binary = Path(target, "docker-compose")
        subprocess.run(["go", "build", "-o", binary, "./cmd"], cwd=source, check=True)
        binary.rename(BUILT)


def load(*overlays: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Load the compose file with all its profiles, to JSON on standard output.

    Args:
        overlays: files that are laid over it.
        variables: the E2A_* variables to replace in the file; none leaves all variables as they are written.
    """
    # not the .env file of whoever runs the tests
    files = [word for file in (FILE, *overlays) for word in ("-f", file)]
    command = [*compose_command(), "--env-file", os.devnull, "--profile", "*", *files, "config"]
    command += ["--format", "json", *([] if variables else ["--no-interpolate"])]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("E2A_")}
    return subprocess.run(command, check=False, env={**kept, **variables}, cwd=ROOT, capture_output=True, text=True)


def dotenv(page: str, heading: str) -> dict[str, str]:
    """Return what a section of a page in docs/ says to put into .env; of two lines for one name the later counts."""
    section = (ROOT / "docs" / page).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^    (?:printf '%s\\n'|echo) (.+?) >> \.env\b", section, re.MULTILINE)
    return dict(word.split("=", 1) for line in lines for word in shlex.split(line))


def stack(**variables: str) -> dict[str, Any]:
    """Return the services that Compose starts, told of nothing but .env; with `produce` if that names no profiles."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("E2A_", "COMPOSE_"))}
    settings = {"COMPOSE_PROFILES": "produce"} | variables
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("".join(f"{name}={value}\n" for name, value in settings.items()))
        file.flush()
        command = [*compose_command(), "--env-file", file.name, "config", "--format", "json"]
        result = subprocess.run(command, check=False, env=kept, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)["services"]
    return found


@cache
def model(*overlays: str) -> dict[str, Any]:
    """Return the compose file, and what is laid over it, with anchors resolved and variables as they are written."""
    result = load(*overlays)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found
