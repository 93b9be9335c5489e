"""How the processes of a stack are: whether each does its work, and why not; which books there are."""

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import psutil

from deploy.local.kept import BIN, port_of
from deploy.local.stack import Stack
from e2a.checkpoint import RedisCheckpoint
from e2a.checkpoint.records import SILENT
from e2a.errors import Unavailable

PATIENCE = 2.0
"""Seconds that a server may take to answer."""
ALIVE = {"STARTING", "RUNNING"}
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks this machine, which a proxy of the environment cannot reach."""


class Health(NamedTuple):
    """One process."""

    name: str
    trouble: str
    """Why it does not do its work; empty when it does."""
    pid: int = 0
    memory: int = 0
    """Bytes in use, with those of the processes that it has started."""
    seconds: float = 0.0
    """Since it was started."""
    restarts: int = 0


class Look(NamedTuple):
    """What one looks at a process with."""

    process: Mapping[str, Any]
    """What supervisord says of it."""
    env: Mapping[str, str]
    checkpoint: RedisCheckpoint


def look(stack: Stack) -> list[Health]:
    """Return how each process of a stack is; nothing when it does not run."""
    processes = stack.processes()
    if not processes:
        return []
    env = stack.environment()
    checkpoint = RedisCheckpoint(env["E2A_REDIS_URL"])
    return [_health(stack, Look(each, env, checkpoint)) for each in processes]


def books(env: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what `e2a-books list --json` knows.

    Raises:
        Unavailable: it cannot list them; the message is its own.
    """
    command = [str(BIN / "e2a-books"), "list", "--json"]
    listed = subprocess.run(command, env={**env, "E2A_PATIENCE": "5"}, check=False, capture_output=True, text=True)
    if listed.returncode:
        raise Unavailable(listed.stderr.strip())
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    return found


def _health(stack: Stack, found: Look) -> Health:
    name, pid = found.process["name"], found.process["pid"]
    restarts = stack.restarts(name)
    if found.process["statename"] not in ALIVE:
        return Health(name, f"{stack.ended(name)} and is started again", restarts=restarts)
    try:
        trouble = PROBES[name.partition("-")[0]](found)
    except (OSError, Unavailable) as error:
        trouble = str(error)
    return Health(name, trouble, pid, _memory(pid), found.process["now"] - found.process["start"], restarts)


def _memory(pid: int) -> int:
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            total += each.memory_info().rss
    return total


def _kafka(found: Look) -> str:
    socket.create_connection(("127.0.0.1", port_of(found.env["E2A_KAFKA_BOOTSTRAP"])), PATIENCE).close()
    return ""


def _redis(found: Look) -> str:
    found.checkpoint.check()
    return ""


def _minio(found: Look) -> str:
    return _page(f"http://{found.env['E2A_S3_ENDPOINT']}/minio/health/live")


def _monitor(found: Look) -> str:
    return _page(f"http://127.0.0.1:{found.env['E2A_MONITOR_PORT']}/_stcore/health")


def _page(url: str) -> str:
    DIRECT.open(url, timeout=PATIENCE).close()
    return ""


def _merger(found: Look) -> str:
    """A merger looks at Kafka's queue once a second, and writes what it sees into Redis."""
    queue = found.checkpoint.queue()
    if queue is None or queue.taken < found.process["start"]:
        return "has not looked at the queue yet"
    age = time.time() - queue.taken
    return f"has not looked at the queue for {age:.0f} s" if age > SILENT else ""


def _synth(found: Look) -> str:
    """A worker says in Redis every few seconds how it is."""
    pid, now = found.process["pid"], time.time()
    own = next((worker for worker in found.checkpoint.workers() if worker.process == pid), None)
    if own is None or own.last_seen < found.process["start"]:
        return "has not joined yet"
    if own.is_silent(now):
        return f"was last heard of {now - own.last_seen:.0f} s ago"
    waits = own.state == "working" and not (own.partitions and own.express)
    return own.problem or ("has no partition yet" if waits else "")


PROBES = {
    "kafka": _kafka,
    "redis": _redis,
    "minio": _minio,
    "merger": _merger,
    "monitor": _monitor,
    "synth": _synth,
}
