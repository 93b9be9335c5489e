"""The pipeline on this machine: servers and services of one data directory, which supervisord keeps running.

Whoever dies is started again. All end when supervisord does, in whatever way: each is asked to by the kernel.
"""

import configparser
import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal, TextIO
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from deploy.local.kept import BIN, Wish, environment
from e2a.errors import ExitCode, UserError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENDS_WITH_US = ["setpriv", "--pdeathsig", "TERM"]
"""Before a command: it is asked to stop when the process that started it ends, in whatever way."""
STOP_PATIENCE = 20
"""Seconds that a process may take to end when it is asked to."""
SETTLED = 10
"""Seconds that a process runs before it counts as started; when it ends sooner it is started again after 1 s, 2 s, …"""
LEAST_SPACE = 200_000_000
"""Bytes that servers need to start."""
LONGEST_SOCKET = 99
"""Bytes of the path of a socket, of 107 that Linux allows: supervisord adds its number to it for a moment."""
MARK = "SUPERVISOR_SERVER_URL"
"""Variable that all processes of a stack have; supervisord's own for those it starts."""
PROGRAM = {
    "autorestart": "true",
    "startsecs": str(SETTLED),
    "startretries": "1000",
    "stopwaitsecs": str(STOP_PATIENCE),
    "killasgroup": "true",
    "redirect_stderr": "true",
    "stdout_logfile": "%(here)s/logs/%(program_name)s.log",
    "stdout_logfile_maxbytes": "10MB",
    "stdout_logfile_backups": "2",
}
COMMANDS = {
    "kafka": "deploy/local/kafka",
    "redis": "deploy/local/redis",
    "minio": "deploy/local/minio",
    "synth": "deploy/local/synth",
    "merger": "e2a-merge",
    "monitor": "e2a-monitor",
}
State = Literal["", "up", "run", "stopping"]
"""Of a stack: it does not run, runs until `make down`, runs for one `make audiobook`, is being stopped."""


class Stack:
    """The processes of a data directory.

    Args:
        data: an absolute path.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self.logs = data / "logs"
        self._url = f"unix://{data}/control"
        self._journal = self.logs / "supervisord.log"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the data directory, which is made, until the block ends.

        Raises:
            UserError: somebody else holds it (exit code UNAVAILABLE), or its path is too long (CANNOT_WRITE).
        """
        if len(str(self.data / "control").encode()) > LONGEST_SOCKET:
            raise UserError(f"{self.data}: this path is too long; choose a shorter one", ExitCode.CANNOT_WRITE)
        self.logs.mkdir(parents=True, exist_ok=True)
        # it can be opened, so that all can be stopped, where nothing can be written any more
        with open(
            self.data / "lock", opener=lambda path, _flags: os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
        ) as lock:
            self._lock(lock)
            yield

    def _lock(self, lock: TextIO) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            said = f'another run uses {self.data}: wait for it, or add OPTIONS="--data FOLDER"'
            raise UserError(said, ExitCode.UNAVAILABLE) from None

    def state(self) -> State:
        """Return how it is."""
        try:
            with self._supervisor() as supervisor:
                found: State = supervisor.getIdentification()
        except Fault:  # it answers nothing any more
            return "stopping"
        except (OSError, HTTPException):
            return ""
        return found

    def environment(self) -> dict[str, str]:
        """Return the environment of the processes that run.

        Raises:
            UserError: they do not, or not any more (exit code UNAVAILABLE).
        """
        try:
            with self._supervisor() as supervisor:
                env = psutil.Process(supervisor.getPID()).environ()
        except (OSError, HTTPException, Fault, psutil.Error):
            raise UserError("it has just ended; `make up` starts it again", ExitCode.UNAVAILABLE) from None
        return {name: value for name, value in env.items() if name != MARK}

    def require(self, asked: Mapping[str, str]) -> None:
        """Hold what is asked for against what runs.

        Raises:
            UserError: that is something else (exit code USAGE).
        """
        env = self.environment()
        for name, value in asked.items():
            if env.get(name) != value:
                runs = f"a pipeline with {name}={env.get(name, '')} runs, and not {value}"
                raise UserError(f"{runs}: leave that out, or `make down` first", ExitCode.USAGE)

    def processes(self) -> list[dict[str, Any]]:
        """Return what supervisord says of each process; nothing when it does not answer."""
        try:
            with self._supervisor() as supervisor:
                found: list[dict[str, Any]] = supervisor.getAllProcessInfo()
        except (OSError, HTTPException, Fault):
            return []
        return found

    def require_space(self) -> None:
        """Raise `UserError` when too little space is left to start (exit code CANNOT_WRITE)."""
        free = shutil.disk_usage(self.data).free
        if free < LEAST_SPACE:
            wanted = f"{free // 10**6} MB are free, and {LEAST_SPACE // 10**6} are needed to start"
            raise UserError(f"{self.data}: {wanted}", ExitCode.CANNOT_WRITE)

    def start(self, env: Mapping[str, str], lasts: State) -> "subprocess.Popen[bytes]":
        """Start everything in a session of its own, so that Ctrl-C does not reach it, and return supervisord.

        Args:
            env: of all processes.
            lasts: `up`, or `run` to end with this process.
        """
        config = self.data / "supervisord.conf"
        with config.open("w") as file:
            _configuration(int(env["E2A_PARTITIONS"]), minio=env["E2A_STORAGE"].startswith("s3:")).write(file)
        if self._journal.exists():
            self._journal.replace(self._journal.with_suffix(".old"))
        command = [
            str(BIN / "supervisord"),
            "--nodaemon",
            "--silent",
            "--identifier",
            lasts,
            "--configuration",
            str(config),
        ]
        with self._complaints.open("wb") as complaints:
            return subprocess.Popen(
                [*ENDS_WITH_US, *command] if lasts == "run" else command,
                cwd=ROOT,
                env={**env, MARK: self._url},
                stdin=subprocess.DEVNULL,
                stdout=complaints,
                stderr=complaints,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask all to stop, services before servers, and return when no process is left.

        Where supervisord was killed they were asked by the kernel.
        """
        patience = 2 * STOP_PATIENCE + 5 if self.state() else STOP_PATIENCE  # supervisord stops two groups, in turn
        with suppress(OSError, HTTPException, Fault), self._supervisor() as supervisor:
            supervisor.shutdown()
        _gone, stubborn = psutil.wait_procs(self._members(), patience)
        for process in [*stubborn, *self._members()]:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(stubborn, STOP_PATIENCE)

    def restarts(self, name: str) -> int:
        """Return how often a process was started again."""
        return max(0, len(re.findall(rf"spawned: '{re.escape(name)}' ", _read(self._journal))) - 1)

    def obituary(self) -> list[str]:
        """Return who did not start, and the last lines it wrote; nothing when all have."""
        waiting = [each["name"] for each in self.processes() if each["statename"] in {"BACKOFF", "FATAL"}]
        if not waiting:
            return []
        log = self.logs / f"{waiting[0]}.log"
        return [f"{self.ended(waiting[0])}; its last lines of {log}:", *_read(log).splitlines()[-10:]]

    def ended(self, name: str) -> str:
        """Say how a process has ended the last time."""
        ends = re.findall(rf"exited: {re.escape(name)} \((.*); .*\)", _read(self._journal))
        return f"{name} has ended ({ends[-1]})" if ends else f"{name} cannot be started"

    def complaints(self) -> list[str]:
        """Return what supervisord said when it could not start."""
        return _read(self._complaints).splitlines()[-10:] or ["supervisord has ended"]

    @property
    def _complaints(self) -> Path:
        return self.logs / "supervisord.err"

    def _members(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # it has ended, or is somebody else's
                if process.environ().get(MARK) == self._url:
                    found.append(process)
        return found

    @contextmanager
    def _supervisor(self) -> Iterator[Any]:
        with ServerProxy("http://localhost", transport=SupervisorTransport(None, None, self._url)) as proxy:
            yield proxy.supervisor


def begin(stack: Stack, wish: Wish, lasts: State) -> "tuple[dict[str, str], subprocess.Popen[bytes]]":
    """Start a stack anew, whose data directory is held; return the environment of its processes, and supervisord.

    Args:
        stack: what is left of it is stopped first.
        wish: how it is to be started.
        lasts: `up`, which remembers the wish, or `run` to end with this process.

    Raises:
        UserError: too little space is left (exit code CANNOT_WRITE), or MinIO cannot be built (UNAVAILABLE).
    """
    stack.stop()
    stack.require_space()
    env = environment(stack.data, wish, remember=lasts == "up")
    _fetch_minio(env)
    return env, stack.start(env, lasts)


def _fetch_minio(env: Mapping[str, str]) -> None:
    """Build MinIO where books are to live in it and this machine has none yet.

    Raises:
        UserError: it cannot be built, and the script has said why (exit code UNAVAILABLE).
    """
    if env["E2A_STORAGE"].startswith("s3:"):
        fetched = subprocess.run([HERE / "fetch-minio"], env=env, check=False, stdout=subprocess.DEVNULL)
        if fetched.returncode:
            raise UserError("STORAGE=minio: MinIO is not there", ExitCode.UNAVAILABLE)


def wait_for_end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to stop, and make it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""


def _configuration(workers: int, *, minio: bool) -> configparser.ConfigParser:
    """Return supervisord's: a program for each server and service, and services are stopped before servers."""
    servers = ["kafka", "redis", *(["minio"] if minio else [])]
    services = ["merger", "monitor", *(f"synth-{number}" for number in range(1, workers + 1))]
    config = configparser.ConfigParser(interpolation=None)
    config["supervisord"] = {
        "logfile": "%(here)s/logs/supervisord.log",
        "logfile_maxbytes": "10MB",
        "logfile_backups": "2",
        "pidfile": "%(here)s/supervisord.pid",
        "childlogdir": "%(here)s/logs",
    }
    config["unix_http_server"] = {"file": "%(here)s/control", "chmod": "0700"}
    config["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    for priority, (group, names) in enumerate({"servers": servers, "services": services}.items(), 1):
        config[f"group:{group}"] = {"programs": ",".join(names), "priority": str(priority)}
        for name in names:
            command = " ".join([*ENDS_WITH_US, COMMANDS[name.partition("-")[0]]])
            config[f"program:{name}"] = {"command": command, **PROGRAM}
    return config
