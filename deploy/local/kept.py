"""Where the servers of a data directory are, and how `make up` started them last: kept beside the data, for its owner.

The file is a list of exports, so that a shell can source it.
"""

import os
import random
import secrets
import shlex
import socket
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

BIN = Path(sys.executable).parent
FILE = "env"
PORTS = range(20_000, 32_000)
"""Where new ports are drawn: below those that Linux gives to outgoing connections."""
ADDRESSES = {
    "E2A_KAFKA_BOOTSTRAP": "127.0.0.1:{}",
    "E2A_KAFKA_CONTROLLER_PORT": "{}",
    "E2A_REDIS_URL": "redis://127.0.0.1:{}/0",
    "E2A_S3_ENDPOINT": "127.0.0.1:{}",
    "E2A_MONITOR_PORT": "{}",
}
CHOICES = ("E2A_PARTITIONS", "E2A_STORAGE", "E2A_ENGINE", "E2A_MODEL", "E2A_DEVICE", "E2A_ACCEPT_CPML")


class Wish(NamedTuple):
    """How a stack is to be started; None is not asked for."""

    workers: int | None = None
    storage: str | None = None
    """`directory` or `minio`."""
    speech: Mapping[str, str | None] = {}
    """`engine`, `model`, `device` and `accept_cpml` of the workers."""

    def settings(self, data: Path) -> dict[str, str]:
        """Return what is asked for as variables."""
        storage = {"directory": str(data / "storage"), "minio": "s3://e2a"}
        chosen = {"E2A_PARTITIONS": str(self.workers)} if self.workers else {}
        chosen |= {"E2A_STORAGE": storage[self.storage]} if self.storage else {}
        return chosen | {f"E2A_{name.upper()}": value for name, value in self.speech.items() if value}


def port_of(address: str) -> int:
    """Return the port of one of the `ADDRESSES`."""
    return int(address.rpartition(":")[2].partition("/")[0])


def is_free(port: int) -> bool:
    """Say whether nobody listens on a port of this machine."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Return that many ports nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environment(data: Path, wish: Wish, *, remember: bool) -> dict[str, str]:
    """Return the environment of all processes of a stack, and keep what is to stay the same with its data.

    Args:
        data: the data directory.
        wish: how it is to be started.
        remember: what is not asked for is as it was the last time, and what is asked for stays so.
    """
    kept = read(data)
    where = _addresses(kept)
    defaults = {"E2A_PARTITIONS": "2", "E2A_STORAGE": str(data / "storage"), "E2A_ENGINE": "espeak"}
    remembered = {name: kept[name] for name in CHOICES if name in kept}
    asked = wish.settings(data)
    chosen = defaults | (remembered if remember else {})
    lasting = chosen | asked if remember else remembered
    _write(data, where | lasting)
    places = {name: chosen[name] for name in ("E2A_PARTITIONS", "E2A_STORAGE")}
    workers = int((places | asked)["E2A_PARTITIONS"])
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers))}  # else every worker wants every core
    found = threads | chosen | os.environ | places | _servers(data, where) | asked
    if remember and (others := [f"{name}={found[name]}" for name in lasting if found[name] != lasting[name]]):
        print(f"this shell's {', '.join(others)} counts more than what {data / FILE} says", file=sys.stderr)
    return found


def _servers(data: Path, where: Mapping[str, str]) -> dict[str, str]:
    """Return what the scripts that start servers read, and what all services share."""
    return {
        **where,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "E2A_DATA": str(data),
        "E2A_KAFKA_PORT": str(port_of(where["E2A_KAFKA_BOOTSTRAP"])),
        "E2A_REDIS_PORT": str(port_of(where["E2A_REDIS_URL"])),
        "E2A_MINIO_PORT": str(port_of(where["E2A_S3_ENDPOINT"])),
        "E2A_PATIENCE": "90",
        "E2A_GRACE": "1",
    }


def _addresses(kept: Mapping[str, str]) -> dict[str, str]:
    """Return where the servers are: where they were, but on a port that somebody else has taken meanwhile."""
    known = {port_of(kept[name]) for name in ADDRESSES if name in kept}
    fresh = (port for port in random.sample(PORTS, len(PORTS)) if port not in known and is_free(port))
    found = {
        "E2A_S3_ACCESS_KEY": "e2a-local",
        "E2A_S3_SECRET_KEY": kept.get("E2A_S3_SECRET_KEY") or secrets.token_hex(16),
    }
    for name, form in ADDRESSES.items():
        found[name] = kept.get(name) or form.format(next(fresh))
        if not is_free(port := port_of(found[name])):
            found[name] = form.format(next(fresh))
            print(f"port {port} is taken{_by(port)}: {name} is {found[name]} from now on", file=sys.stderr)
    return found


def _by(port: int) -> str:
    """Return who listens on a port, as far as one may know."""
    with suppress(psutil.Error):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
                return f" by {psutil.Process(each.pid).name()} (process {each.pid})"
    return ""


def read(data: Path) -> dict[str, str]:
    """Return what is kept with the data; nothing where nothing is."""
    try:
        lines = (data / FILE).read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(_pairs(lines))


def _pairs(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, _, value = line.removeprefix("export ").partition("=")
        if name.startswith("E2A_"):
            yield name, "".join(shlex.split(value))


def _write(data: Path, values: Mapping[str, str]) -> None:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(values.items())]
    lines.append(f"export PATH={shlex.quote(str(BIN))}:$PATH")
    fresh = data / f"{FILE}.new"
    fresh.unlink(missing_ok=True)
    with open(fresh, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write("\n".join(["# of the pipeline whose data are here; `make up` writes it", *lines, ""]))
    fresh.replace(data / FILE)
