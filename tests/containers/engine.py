"""A Docker engine for tests: the machine's own, or a private one with stand-ins for images that cannot be pulled."""

import fcntl
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import pytest

from tests import compose
from tests.servers import LOCAL, ROOT

TOOLS = ROOT.parent / "shared/tools"
"""Start an engine that needs no registry; not part of the repository."""
STAND_INS = {"KAFKA_IMAGE": "kafka", "REDIS_IMAGE": "redis", "MINIO_IMAGE": "minio"}
"""Variable of the tool that builds them, and the service whose image each stands for."""
LOCK = Path(gettempdir(), "e2a-tests-engine.lock")
PYTHON = "python:3.11-slim-bookworm"
"""What the tool calls its stand-in for the image that ours are built from."""
RAW = "localhost/bookworm:raw"
"""The Debian that the tool makes all of them from."""
Environment = dict[str, str]


@contextmanager
def engine() -> Iterator[Environment]:
    """Yield the environment in which `docker` finds an engine with Compose; skip, saying why, where none can run.

    One test run at a time has it: projects have the same names, and a private engine ends with who has started it.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("E2A_")}
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _answers(own):
            yield own
        else:
            with _private(own) as env:
                yield env


@contextmanager
def _private(own: Environment) -> Iterator[Environment]:
    if os.geteuid() or not TOOLS.is_dir():
        pytest.skip("no Docker engine with Compose answers, and this user or machine cannot start a private one")
    started = subprocess.run([TOOLS / "docker-up.sh", "start"], check=False, capture_output=True, text=True)
    if started.returncode:
        pytest.skip(f"no Docker engine answers, and a private one does not start: {started.stderr.strip()[-500:]}")
    try:
        env = _environment(own)
        try:
            _build_stand_ins(env)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"a private Docker engine runs, but images for it cannot be made here: {error}")
        yield env
    finally:
        subprocess.run([TOOLS / "docker-up.sh", "stop"], check=True, capture_output=True)


def _answers(env: Environment) -> bool:
    try:
        commands = (["docker", "info"], ["docker", "compose", "version"])
        return not any(subprocess.run(each, check=False, env=env, capture_output=True).returncode for each in commands)
    except FileNotFoundError:
        return False


def _environment(own: Environment) -> Environment:
    """Return the environment that a shell has after what the tool says it must evaluate."""
    command = f'eval "$({TOOLS / "docker-up.sh"} env)"; env -0'
    lines = subprocess.run(["bash", "-c", command], check=True, env=own, capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in lines.split("\0") if line)


def _build_stand_ins(env: Environment) -> None:
    """Give the engine images of the names that the compose file has; those that it has stay."""
    services = json.loads(compose.load(E2A_ENGINE="espeak").stdout)["services"]
    names = {variable: services[service]["image"] for variable, service in STAND_INS.items()}
    (base,) = re.findall(r"^FROM (python:\S+)", (ROOT / "deploy/docker/Dockerfile").read_text(), re.MULTILINE)
    there = ["docker", "image", "inspect", base, *names.values()]
    if not subprocess.run(there, check=False, env=env, capture_output=True).returncode:
        return
    minio = subprocess.run([LOCAL / "fetch-minio"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    build = partial(subprocess.run, check=True, env=env | names | {"MINIO_BIN": minio}, cwd=Path.home())
    with TemporaryDirectory() as folder:
        tools = _writable(Path(folder))
        build([tools / "base-images.sh", "base"])
        build(["docker", "tag", PYTHON, base])
        # Debian's Java wants a folder for its manual, which this small Debian does not have
        build(
            ["docker", "build", "-q", "-t", RAW, "-"], input=f"FROM {RAW}\nRUN mkdir -p /usr/share/man/man1\n".encode()
        )
        build([tools / "base-images.sh", *STAND_INS.values()])


def _writable(folder: Path) -> Path:
    """Return a copy of the tools whose files may be written to, for they keep their modes in the images."""
    shutil.copytree(TOOLS, folder / "tools")
    for path in (folder / "tools").rglob("*"):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    return folder / "tools"
