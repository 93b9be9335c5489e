"""Kafka, Redis and MinIO as others reach them: over TLS, with a user a service that may do what it must."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr
from redis import Redis

from deploy.local.kept import free_ports
from e2a.bus import KafkaServer
from e2a.checkpoint import RedisCheckpoint
from e2a.storage import S3Store
from tests.servers import ROOT, Server, minio_program, require

SCRIPTS = ROOT / "deploy/secure"
ROOT_KEYS = {"E2A_S3_ACCESS_KEY": "administrator", "E2A_S3_SECRET_KEY": "tests-secret"}
BUCKET = "e2a"
NAMELESS = "127.0.0.2"
"""An address of this machine that no certificate names; all three servers answer there too."""


class Ports(NamedTuple):
    """Where the servers listen."""

    local: int
    """Of Kafka, for whoever is on its machine and so an administrator."""
    kafka: int
    redis: int
    minio: int


class Secure:
    """Where the servers are, and how their users prove who they are.

    Args:
        folder: of certificates, `tls`, and passwords, `secrets`.
        ports: of the servers.
        host: at which they are reached.
    """

    def __init__(self, folder: Path, ports: Ports, host: str = "127.0.0.1") -> None:
        self.ca_file = str(folder / "tls/ca.pem")
        self._folder = folder
        self._secrets = folder / "secrets"
        self._ports = ports
        self._local = KafkaServer(f"{host}:{ports.local}")
        self._kafka = f"{host}:{ports.kafka}"
        self._redis = f"{host}:{ports.redis}"
        self._minio = f"{host}:{ports.minio}"

    def at(self, host: str) -> "Secure":
        """Return the same servers, reached by another address."""
        return Secure(self._folder, self._ports, host)

    def password(self, user: str) -> str:
        """Return what a user is known by."""
        return (self._secrets / f"{user}.password").read_text()

    def kafka(self, user: str = "", **changes: object) -> KafkaServer:
        """Return Kafka as a user sees it, but for changes; as an administrator does when none is named."""
        if not user:
            return self._local
        password = SecretStr(self.password(user))
        return KafkaServer(self._kafka, tls=True, username=user, password=password, ca_file=self.ca_file)._replace(
            **changes
        )

    def redis_url(self, user: str) -> str:
        """Return the URL of Redis for a user."""
        return f"rediss://{user}@{self._redis}/0"

    def checkpoint(self, user: str) -> RedisCheckpoint:
        """Return the checkpoint as a user sees it."""
        return RedisCheckpoint(self.redis_url(user), self.password(user), self.ca_file)

    def store(self, user: str = "", bucket: str = BUCKET) -> S3Store:
        """Return the object storage as a user sees it; as an administrator does when none is named."""
        return S3Store(
            bucket=bucket,
            endpoint=self._minio,
            access_key=user or ROOT_KEYS["E2A_S3_ACCESS_KEY"],
            secret_key=self.password(user) if user else ROOT_KEYS["E2A_S3_SECRET_KEY"],
            secure=True,
            patience=0.5,
            ca_file=self.ca_file,
        )

    def settings(self, user: str = "") -> dict[str, str]:
        """Return the settings of a service, without `E2A_`; of an administrator's command when no user is named."""
        shared = {"CA_FILE": self.ca_file, "STORAGE": f"s3://{BUCKET}", "S3_ENDPOINT": self._minio, "S3_SECURE": "true"}
        if not user:
            keys = {name.removeprefix("E2A_"): value for name, value in ROOT_KEYS.items()}
            return shared | keys | {"KAFKA_BOOTSTRAP": str(self._local)}
        password = self.password(user)
        return shared | {
            "KAFKA_BOOTSTRAP": self._kafka,
            "KAFKA_TLS": "true",
            "KAFKA_USERNAME": user,
            "KAFKA_PASSWORD": password,
            "REDIS_URL": self.redis_url(user),
            "REDIS_PASSWORD": password,
            "S3_ACCESS_KEY": user,
            "S3_SECRET_KEY": password,
        }

    def make_users(self) -> None:
        """Make the users of Kafka and MinIO, by the script that makes them anywhere."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("E2A_")}
        env |= {f"E2A_{name}": value for name, value in self.settings().items()}
        command = [sys.executable, SCRIPTS / "users.py", self._secrets]
        ended = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr

    def forget(self) -> None:
        """Remove every key of Redis that belongs to e2a."""
        url, password = self.redis_url("merger"), self.password("merger")
        with Redis.from_url(url, password=password, ssl_ca_certs=self.ca_file) as client:
            for key in list(client.scan_iter("e2a:*")):
                client.delete(key)


@contextmanager
def secure_servers(folder: Path) -> Iterator[Secure]:
    """Run the servers until the block ends, with the users made."""
    for program in ("java", "mvn", "redis-server", "openssl"):
        require(program)
    minio_program()
    for script, kind in (("certificates", "tls"), ("passwords", "secrets")):
        subprocess.run([SCRIPTS / script, folder / kind], check=True, stdout=subprocess.DEVNULL)
    controller, *free = free_ports(5)
    ports = Ports(*free)
    env: dict[str, object] = {"E2A_TLS": folder / "tls", "E2A_SECRETS": folder / "secrets"}
    env |= {"E2A_ADDRESS": "127.0.0.1", "E2A_REDIS_BIND": f"127.0.0.1 {NAMELESS}", "E2A_MINIO_BIND": "0.0.0.0"}
    env |= {"E2A_KAFKA_PORT": ports.local, "E2A_KAFKA_CONTROLLER_PORT": controller, "E2A_KAFKA_TLS_PORT": ports.kafka}
    env |= {"E2A_REDIS_PORT": ports.redis, "E2A_MINIO_PORT": ports.minio, **ROOT_KEYS}
    with ExitStack() as exits:
        for name in ("kafka", "redis", "minio"):
            address = f"127.0.0.1:{getattr(ports, name)}"
            exits.enter_context(Server(SCRIPTS / name, address, folder / name, **env))
        running = Secure(folder, ports)
        running.make_users()
        yield running
