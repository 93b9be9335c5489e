"""The container stack as users run it: `docker compose` with the files as they are."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compose import FILE
from tests.containers.engine import Environment
from tests.servers import ROOT

NAME, PROJECT = "e2a", "e2a-tests"
"""Of the project that the compose file names, and of that of the tests."""
ADDRESS = "127.13.0.1"
"""Of this machine, where the stack of somebody else publishes nothing."""
MEASURED = ("kafka", "redis", "minio", "synth_consumer", "merger", "monitor")


class Stack:
    """A project of Docker Compose.

    Args:
        env: in which `docker` finds the engine.
        folder: where its secrets and books are.
    """

    def __init__(self, env: Environment, folder: Path) -> None:
        self.books = folder / "books"
        self.books.mkdir()
        subprocess.run([ROOT / "deploy/docker/secrets", folder / "secrets"], check=True, stdout=subprocess.DEVNULL)
        self.secrets = folder / "secrets"
        own = {"E2A_SECRETS": str(self.secrets), "E2A_BOOKS": str(self.books), "E2A_PUBLISH": ADDRESS}
        own |= {"COMPOSE_FILE": FILE, "COMPOSE_PROJECT_NAME": PROJECT, "COMPOSE_DISABLE_ENV_FILE": "1"}
        self._env = env | own

    def docker(self, *words: str) -> str:
        """Return what a command of docker says."""
        command = ["docker", *words]
        return subprocess.run(command, check=True, cwd=ROOT, env=self._env, stdout=subprocess.PIPE, text=True).stdout

    def compose(self, *words: str) -> str:
        """Return what a command of docker compose says."""
        return self.docker("compose", *words)

    def follow(self, command: str, here: Path) -> None:
        """Do what a line of the docs says, in the repository, with `$PWD` being another folder."""
        own = command.replace(f"{NAME}_", f"{PROJECT}_").replace("$PWD", str(here))
        subprocess.run(["bash", "-c", own], check=True, cwd=ROOT, env=self._env)

    def started(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a command of docker compose and return its process."""
        return subprocess.Popen(["docker", "compose", *words], cwd=ROOT, env=self._env, stdin=subprocess.DEVNULL)

    def workers(self, count: int) -> None:
        """Scale to so many workers; return when all are healthy."""
        with told(f"{count} workers"):
            self.compose("up", "-d", "--wait", "--no-recreate", "--scale", f"synth_consumer={count}")

    def containers(self, service: str = "") -> list[str]:
        """Return the ids of the containers of a service, or of all, also of those that have ended."""
        return self.compose("ps", "-aq", *([service] if service else [])).split()

    def python(self, service: str, code: str) -> str:
        """Return what some Python says inside of a service."""
        return self.compose("exec", "-T", service, "python", "-c", code).strip()

    def metric(self, service: str, name: str) -> float:
        """Return a metric of a service; 0 where it shows none of that name."""
        code = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9100/metrics').read().decode())"
        found = re.search(rf"^{re.escape(name)} (.+)$", self.python(service, code), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def crash(self, container: str) -> None:
        """Kill the program of a container, which is the only child of its init process, as a crash would."""
        code = (
            "import os, pathlib; "
            "[os.kill(int(p.name), 9) for p in pathlib.Path('/proc').glob('[0-9]*')"
            " if p.name not in ('1', str(os.getpid())) and (p / 'cmdline').read_bytes().find(b'e2a-') >= 0]"
        )
        subprocess.run(["docker", "exec", container, "python", "-c", code], check=False, env=self._env)

    def memory(self) -> dict[str, list[str]]:
        """Return how much memory each container of a service has."""
        lines = self.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}")
        usage = dict(line.split(" ", 1) for line in lines.splitlines())
        return {
            service: [
                used.split(" / ")[0] for name, used in sorted(usage.items()) if name.startswith(f"{PROJECT}-{service}-")
            ]
            for service in MEASURED
        }

    def left(self) -> list[str]:
        """Return what the engine still has of the project."""
        label = f"label=com.docker.compose.project={PROJECT}"
        kinds = (("ps", "-a"), ("volume", "ls"), ("network", "ls"))
        return [line for kind in kinds for line in self.docker(*kind, "-q", "--filter", label).split()]


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say on standard output what took how long, past pytest's capture: the docs cite it."""
    began = time.monotonic()
    yield
    say({"what": what, "seconds": round(time.monotonic() - began, 1)})


def say(line: dict[str, object]) -> None:
    """Write a line of JSON on the real standard output."""
    print(json.dumps(line), file=sys.__stdout__, flush=True)
