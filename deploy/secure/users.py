"""A user a service, with the least rights, in Kafka and in object storage: made, or changed to what is written here.

    users.py FOLDER

FOLDER holds a file a user, NAME.password, with the password that all servers know it by. The settings are those of
e2a-init. Kafka must take whoever asks for an administrator, as it does on its own machine, and the S3 keys are those of
the root user. Redis reads its users when it starts: redis.users.
"""

import sys
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

import stamina
import urllib3
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from minio import MinioAdmin
from minio.credentials import StaticProvider

from e2a import service
from e2a.bus import Admin, KafkaServer, config
from e2a.errors import ExitCode, UserError
from e2a.settings import InitSettings, load
from e2a.topics import (
    CHAPTERS,
    DEAD_LETTERS,
    EVENTS,
    EXPRESS,
    EXPRESS_GROUP,
    MERGER_GROUP,
    READER_GROUP,
    SYNTH_GROUP,
)

ITERATIONS = 8192
"""Of SCRAM: what a guess of a password costs whoever has stolen the credentials."""
READ, WRITE, CREATE = AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE
ALTER, DESCRIBE, ALTER_CONFIGS = AclOperation.ALTER, AclOperation.DESCRIBE, AclOperation.ALTER_CONFIGS


class Rights(NamedTuple):
    """What a service may do. Who may read or write a topic may describe it; all may read the whole bucket."""

    topics: dict[str, tuple[AclOperation, ...]]
    groups: dict[str, tuple[AclOperation, ...]]
    puts: tuple[str, ...]
    """Keys of the bucket that it may put; a star stands for anything."""
    deletes: tuple[str, ...]


PRODUCER = Rights(
    topics={CHAPTERS: (WRITE,), EXPRESS: (WRITE,), EVENTS: (WRITE,), DEAD_LETTERS: (READ,)},
    groups={READER_GROUP: (DESCRIBE,)},
    puts=("books/*", "voices/*"),
    deletes=("books/*", "parts/*"),
)
RIGHTS = {
    "producer": PRODUCER,
    "synth": Rights(
        topics={CHAPTERS: (READ,), EXPRESS: (READ,), EVENTS: (WRITE,), DEAD_LETTERS: (WRITE,)},
        groups={SYNTH_GROUP: (READ, ALTER_CONFIGS), EXPRESS_GROUP: (READ, ALTER_CONFIGS)},
        puts=("parts/*", "voices/*"),
        deletes=(),
    ),
    "merger": Rights(
        topics={
            CHAPTERS: (READ, WRITE, CREATE, ALTER),
            EXPRESS: (READ, WRITE, CREATE, ALTER),
            EVENTS: (READ, WRITE, CREATE),
            DEAD_LETTERS: (WRITE, CREATE),
        },
        groups={MERGER_GROUP: (READ,)} | dict.fromkeys((SYNTH_GROUP, EXPRESS_GROUP, READER_GROUP), (DESCRIBE,)),
        puts=("books/*/output/*", "parts/*"),
        deletes=("books/*/output/*", "parts/*"),
    ),
    "monitor": PRODUCER._replace(topics=PRODUCER.topics | {EVENTS: (READ, WRITE)}),  # it submits what viewers send
}


def password(folder: Path, user: str) -> str:
    """Return a user's password. Raises `UserError` where there is none (exit code CONFIG)."""
    file = folder / f"{user}.password"
    try:
        found = file.read_text().strip()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; deploy/secure/passwords makes it", ExitCode.CONFIG) from error
    if len(found) < 16:
        raise UserError(f"{file}: a password of at least 16 characters belongs there", ExitCode.CONFIG)
    return found


def bindings(user: str, rights: Rights) -> set[AclBinding]:
    """Return what Kafka is to allow a user."""
    wanted = [(ResourceType.TOPIC, rights.topics), (ResourceType.GROUP, rights.groups)]
    return {
        AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
        for kind, table in wanted
        for name, operations in table.items()
        for operation in operations
    }


def set_kafka(client: AdminClient, passwords: dict[str, str]) -> None:
    """Let Kafka know the users, and allow each what it may and nothing else."""
    scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
    changes = [UserScramCredentialUpsertion(user, scram, secret.encode()) for user, secret in passwords.items()]
    for changed in client.alter_user_scram_credentials(changes).values():
        changed.result(30)
    for user, rights in RIGHTS.items():
        there = set(client.describe_acls(_filter(f"User:{user}")).result(30))
        wanted = bindings(user, rights)
        _await(client.create_acls(sorted(wanted - there)).values() if wanted - there else ())
        _await(client.delete_acls([_exactly(acl) for acl in there - wanted]).values() if there - wanted else ())


def policy(bucket: str, rights: Rights) -> dict[str, object]:
    """Return what object storage is to allow a user, as S3 writes it."""
    arn = f"arn:aws:s3:::{bucket}"
    statements = [
        (["s3:ListBucket", "s3:GetBucketLocation"], [arn]),
        (["s3:GetObject"], [f"{arn}/*"]),
        (["s3:PutObject", "s3:AbortMultipartUpload"], [f"{arn}/{keys}" for keys in rights.puts]),
        (["s3:DeleteObject"], [f"{arn}/{keys}" for keys in rights.deletes]),
    ]
    allowed = [{"Effect": "Allow", "Action": does, "Resource": what} for does, what in statements if what]
    return {"Version": "2012-10-17", "Statement": allowed}


def set_storage(admin: MinioAdmin, bucket: str, passwords: dict[str, str]) -> None:
    """Let MinIO know the users, and give each the policy of its name and no other."""
    for user, rights in RIGHTS.items():
        admin.policy_add(f"e2a-{user}", policy=policy(bucket, rights))
        admin.user_add(user, passwords[user])
        admin.policy_set(f"e2a-{user}", user=user)


def storage_admin(settings: InitSettings) -> MinioAdmin:
    """Return who may make users of the object storage that the settings name."""
    http = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=settings.ca_file or None, timeout=10)
    keys = StaticProvider(settings.s3_access_key, settings.s3_secret_key.get_secret_value())
    return MinioAdmin(endpoint=settings.s3_endpoint, credentials=keys, secure=settings.s3_secure, http_client=http)


def run() -> int:
    if len(sys.argv) != 2:
        raise UserError("say in which folder the passwords are", ExitCode.USAGE)
    settings = load(InitSettings)
    passwords = {user: password(Path(sys.argv[1]), user) for user in RIGHTS}
    server = KafkaServer.of(settings)
    Admin(server, settings.patience).partitions()  # waits for it
    set_kafka(AdminClient(config.client(server)), passwords)
    if settings.storage.startswith("s3://"):
        for attempt in stamina.retry_context(on=urllib3.exceptions.HTTPError, timeout=settings.patience, attempts=None):
            with attempt:
                set_storage(storage_admin(settings), settings.storage.removeprefix("s3://"), passwords)
    print(f"users: {', '.join(passwords)}")
    return ExitCode.OK


def _filter(principal: str) -> AclBindingFilter:
    return AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, principal, None, AclOperation.ANY, AclPermissionType.ANY
    )


def _exactly(acl: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        acl.restype, acl.name, acl.resource_pattern_type, acl.principal, acl.host, acl.operation, acl.permission_type
    )


def _await(futures: Iterable[Future[object]]) -> None:
    for future in futures:
        future.result(30)


if __name__ == "__main__":
    sys.exit(service.run("users", run))
