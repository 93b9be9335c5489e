"""`make audiobook`: start the whole pipeline on this machine, make a book or a folder of them, stop everything again.

honcho supervises the servers and the services of deploy/Procfile.*; e2a-produce runs in front, on the terminal.
"""

import argparse
import fcntl
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, NoReturn, TextIO

from e2a.errors import ExitCode

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BIN = Path(sys.executable).parent
ENDS_WITH_US = ["setpriv", "--pdeathsig", "TERM"]
"""Before a command: it is asked to stop when this process ends, in whatever way."""
SPEECH = {"engine": "speech engine", "model": "model of the engine", "device": "device, cuda or cpu,"}
STOP_PATIENCE = 20
"""Seconds that a process may take to end when it is asked to."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.USAGE, f"make audiobook: {message}\n")


class Group(NamedTuple):
    """Processes that honcho keeps together: when one ends, all are stopped."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def started(self) -> list[int]:
        """Return the process groups that were started."""
        return [int(pid) for pid in re.findall(r" started \(pid=(\d+)\)", self.log.read_text(errors="replace"))]

    def obituary(self) -> list[str]:
        """Return who ended first, and the last lines it wrote."""
        lines = self.log.read_text(errors="replace").splitlines()
        ended = next((match for line in lines if (match := re.search(r"\| (\S+) stopped \(rc=(.+)\)", line))), None)
        if ended is None:
            return lines[-10:]
        own = [line for line in lines if re.search(rf" {re.escape(ended[1])} *\|", line)]
        return [f"{ended[1]} has ended with status {ended[2]}; its last lines of {self.log}:", *own[-10:]]


def free_ports(count: int) -> list[int]:
    """Return that many ports nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environment(data: Path, workers: int, storage: str, speech: dict[str, str]) -> dict[str, str]:
    """Return the environment of every process: servers on free ports, data under one directory, and how to speak."""
    kafka, controller, redis, minio, monitor = free_ports(5)
    own = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "E2A_DATA": str(data),
        "E2A_KAFKA_PORT": str(kafka),
        "E2A_KAFKA_CONTROLLER_PORT": str(controller),
        "E2A_REDIS_PORT": str(redis),
        "E2A_MINIO_PORT": str(minio),
        "E2A_KAFKA_BOOTSTRAP": f"127.0.0.1:{kafka}",
        "E2A_REDIS_URL": f"redis://127.0.0.1:{redis}/0",
        "E2A_S3_ENDPOINT": f"127.0.0.1:{minio}",
        "E2A_S3_ACCESS_KEY": "e2a-local",
        "E2A_S3_SECRET_KEY": secrets.token_hex(16),
        "E2A_STORAGE": "s3://e2a" if storage == "minio" else str(data / "storage"),
        "E2A_PARTITIONS": str(workers),
        "E2A_MONITOR_PORT": str(monitor),
        "E2A_PATIENCE": "90",
        "E2A_GRACE": "1",
    }
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers))}  # else every worker wants every core
    return threads | os.environ | own | speech


@contextmanager
def running(name: str, counts: dict[str, int], env: dict[str, str], data: Path, lock: TextIO) -> Iterator[Group]:
    """Run the processes of one Procfile until the block ends.

    They live in a session of their own, so that Ctrl-C reaches them through us only, and keep the lock while they live.
    """
    log = data / f"{name}.log"
    if log.exists():
        log.replace(log.with_suffix(".log.old"))
    command = [*ENDS_WITH_US, BIN / "honcho", "--procfile", ROOT / f"deploy/Procfile.{name}", "--app-root", ROOT]
    command += ["start", "--no-colour"]
    command += ["--concurrency", ",".join(f"{process}={count}" for process, count in counts.items())]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=env, stdout=file, stderr=file, start_new_session=True, pass_fds=[lock.fileno()]
        )
    group = Group(process, log)
    try:
        yield group
    finally:
        deadline = time.monotonic() + STOP_PATIENCE
        # honcho that is stopped before it has started all cannot stop them
        while process.poll() is None and len(group.started()) < sum(counts.values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        stop(process)
        for leader in group.started():
            with suppress(OSError):  # it has ended, as it should
                os.killpg(leader, signal.SIGKILL)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to stop, and make it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def produce(env: dict[str, str], arguments: list[str], groups: list[Group]) -> int:
    """Run e2a-produce until it ends, or until a process that it needs does."""
    producer = subprocess.Popen([*ENDS_WITH_US, BIN / "e2a-produce", *arguments], env=env)
    try:
        while producer.poll() is None:
            if ended := [group for group in groups if group.process.poll() is not None]:
                stop(producer)
                print(*ended[0].obituary(), "The same command again goes on.", sep="\n", file=sys.stderr)
                return ExitCode.UNAVAILABLE
            time.sleep(0.2)
        return producer.returncode
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired):
            producer.wait(3)  # Ctrl-C has reached it too: it tidies the terminal up
        raise
    finally:
        stop(producer)


def locked(data: Path, parser: Parser) -> TextIO:
    """Return the lock of a data directory, held; end when somebody else holds it."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "lock").open("w")
    except OSError as error:
        parser.exit(ExitCode.CANNOT_WRITE, f"{error.filename}: {error.strerror}\n")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        parser.exit(ExitCode.UNAVAILABLE, f'another run uses {data}: wait for it, or add OPTIONS="--data FOLDER"\n')
    return lock


def options() -> tuple[Parser, argparse.Namespace, list[str]]:
    """Return what was asked for, and what is e2a-produce's."""
    parser = Parser(description="Start the pipeline on this machine, make a book, stop it again.")
    parser.add_argument("book", type=Path, help="an EPUB, or a folder of them")
    parser.add_argument("--data", type=Path, default=ROOT / ".e2a", help="where servers and storage keep their data")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--storage", choices=["directory", "minio"], default="directory")
    for option, what in SPEECH.items():
        parser.add_argument(f"--{option}", help=f"{what} of the workers and of the book")
    parser.add_argument("--accept-cpml", action="store_const", const="1", help="accept the licence of XTTSv2's weights")
    parser.add_argument("--output-dir", type=Path, default=Path("audiobooks"))
    known, more = parser.parse_known_args()
    if known.workers < 1:
        parser.error(f"WORKERS={known.workers}: at least one is needed")
    if unfit := {"--detach", "--sequential", "--status"} & set(more):
        parser.error(f"{', '.join(unfit)} is for e2a-produce beside a pipeline that keeps running")
    if not known.book.exists():
        parser.exit(ExitCode.NO_INPUT, f"{known.book}: no such file\n")
    if known.book.is_dir() and not any(each.suffix.lower() == ".epub" for each in known.book.iterdir()):
        parser.exit(ExitCode.NO_INPUT, f"{known.book}: no EPUB is in this folder\n")
    return parser, known, more


def main() -> int:
    parser, known, more = options()
    data = known.data.expanduser().resolve()
    lock = locked(data, parser)
    chosen = {f"E2A_{name.upper()}": getattr(known, name) for name in (*SPEECH, "accept_cpml")}
    env = environment(data, known.workers, known.storage, {name: value for name, value in chosen.items() if value})
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(128 + signal.SIGTERM))
    servers = {"kafka": 1, "redis": 1, "minio": int(known.storage == "minio")}
    services = {"synth": known.workers, "merger": 1, "monitor": 1}
    try:
        if known.storage == "minio":
            fetched = subprocess.run([HERE / "fetch-minio"], check=False, stdout=subprocess.DEVNULL)
            if fetched.returncode:
                return fetched.returncode
        with (
            running("servers", servers, env, data, lock) as first,
            running("services", services, env, data, lock) as second,
        ):
            print(f"monitor: http://127.0.0.1:{env['E2A_MONITOR_PORT']}   logs: {data}/*.log", flush=True)
            arguments = [str(known.book), "--output-dir", str(known.output_dir.expanduser()), *more]
            code = produce(env, arguments, [first, second])
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    if code == 0:
        print("Listen with any player that knows chapters: VLC, BookPlayer, Apple Books, Audiobookshelf.")
    return code


if __name__ == "__main__":
    sys.exit(main())
