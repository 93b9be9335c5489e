"""`make audiobook`: start the whole pipeline on this machine, make one book, stop everything again.

honcho supervises the processes of deploy/Procfile; e2a-produce runs in front, on the terminal.
"""

import argparse
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BIN = Path(sys.executable).parent
STOP_PATIENCE = 20


def free_ports(count: int) -> list[int]:
    """Return that many ports nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environment(data: Path, workers: int, storage: str) -> dict[str, str]:
    """Return the environment of every process: servers on free ports, data under one directory."""
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
    return os.environ | own


def start_services(env: dict[str, str], workers: int, storage: str, log: Path) -> "subprocess.Popen[bytes]":
    """Start honcho in a session of its own, so that Ctrl-C reaches it through us only."""
    concurrency = f"synth={workers},minio={int(storage == 'minio')}"
    command = [BIN / "honcho", "--procfile", ROOT / "deploy/Procfile", "--app-root", ROOT]
    command += ["start", "--no-colour", "--concurrency", concurrency]
    with log.open("wb") as file:
        return subprocess.Popen(command, env=env, stdout=file, stderr=file, start_new_session=True)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to stop, and make it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def produce(env: dict[str, str], arguments: list[str], services: "subprocess.Popen[bytes]", log: Path) -> int:
    """Run e2a-produce until it ends, or until a service does."""
    producer = subprocess.Popen([BIN / "e2a-produce", *arguments], env=env)
    try:
        while producer.poll() is None:
            if services.poll() is not None:
                print(f"a service has ended; the reason is in {log}:", *tail(log), sep="\n", file=sys.stderr)
                return 69
            time.sleep(0.2)
        return producer.returncode
    finally:
        stop(producer)


def tail(log: Path) -> list[str]:
    """Return the last lines of the log."""
    return log.read_text(errors="replace").splitlines()[-15:]


def main() -> int:
    parser = argparse.ArgumentParser(description="Start the pipeline on this machine, make one book, stop it again.")
    parser.add_argument("book", type=Path)
    parser.add_argument("--data", type=Path, default=ROOT / ".e2a", help="where servers and storage keep their data")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--storage", choices=["directory", "minio"], default="directory")
    parser.add_argument("--output-dir", type=Path, default=Path("audiobooks"))
    options, more = parser.parse_known_args()
    if not options.book.is_file():
        parser.exit(66, f"{options.book}: no such file\n")
    data = options.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    lock = (data / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        parser.exit(69, f"another run uses {data}; name another folder with --data\n")
    log = data / "services.log"
    if options.storage == "minio":
        subprocess.run([HERE / "fetch-minio"], check=True, stdout=subprocess.DEVNULL)
    env = environment(data, options.workers, options.storage)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    services = start_services(env, options.workers, options.storage, log)
    try:
        print(f"monitor: http://127.0.0.1:{env['E2A_MONITOR_PORT']}   services' log: {log}", flush=True)
        arguments = [str(options.book), "--output-dir", str(options.output_dir), *more]
        code = produce(env, arguments, services, log)
    except KeyboardInterrupt:
        code = 130
    finally:
        stop(services)
    if code == 0:
        print("Listen with any player that knows chapters: VLC, BookPlayer, Apple Books, Audiobookshelf.")
    return code


if __name__ == "__main__":
    sys.exit(main())
