"""Servers over TLS: who may do what, and what somebody hears who does not get in."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
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
from confluent_kafka.cimpl import NewTopic
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import NoPermissionError

from e2a.bus import (
    Admin,
    Dated,
    KafkaBacklog,
    KafkaPublisher,
    KafkaServer,
    KafkaTail,
    config,
    event_tail,
    letter_tail,
    read_letters,
)
from e2a.checkpoint import RedisCheckpoint
from e2a.errors import ExitCode, Refused, Unavailable
from e2a.messages import encode
from e2a.storage import S3Store
from e2a.topics import CHAPTERS, DEAD_LETTERS, EVENTS, SYNTH_GROUP, topics
from tests.epubs import made_epub
from tests.secure import BUCKET, NAMELESS, SCRIPTS, Secure
from tests.servers import wait_until
from tests.topics import empty_topics, send_raw
from tests.unit.builders import a_job, a_part, a_part_done

BIN = Path(sys.executable).parent
WRONG = SecretStr("a wrong password")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the CA file of an authority that has signed nothing here."""
    folder = tmp_path_factory.mktemp("authority")
    subprocess.run([SCRIPTS / "certificates", folder], check=True, stdout=subprocess.DEVNULL)
    return str(folder / "ca.pem")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small book."""
    return made_epub(tmp_path_factory.mktemp("book") / "book.epub", chapters=1, characters=200)


@pytest.fixture(scope="module")
def cluster(secure: Secure) -> Secure:
    """Return the servers with topics, a bucket, and nothing in them."""
    empty_topics(secure.kafka(), 1)
    secure.store().check()
    secure.forget()
    return secure


REFUSED = [
    ("password", {"password": WRONG}, "E2A_KAFKA_PASSWORD"),
    ("nobody", {"username": "nobody"}, "E2A_KAFKA_USERNAME"),
    ("authority", {}, "E2A_CA_FILE"),
]


@pytest.mark.parametrize(("case", "changes", "remedy"), REFUSED, ids=[case for case, _, _ in REFUSED])
def test_kafka_says_why_it_refuses(
    secure: Secure, authority: str, case: str, changes: dict[str, object], remedy: str
) -> None:
    """Whoever does not get in hears at once why, and which setting to look at."""
    server = secure.kafka("synth", **(changes if case != "authority" else {"ca_file": authority}))
    with pytest.raises(Refused, match=rf"Kafka {server}: .*{remedy}") as refused:
        Admin(server, 60).partitions()
    assert WRONG.get_secret_value() not in str(refused.value)


@pytest.mark.parametrize(
    "use",
    [
        lambda server: KafkaPublisher(server, 1).send(EVENTS, [a_part_done(a_part(0))]),
        lambda server: event_tail(server, 1).poll(),
        lambda server: list(read_letters(server, 1)),
        lambda server: KafkaBacklog(server, 1).refresh(),
    ],
    ids=["publisher", "tail", "letters", "backlog"],
)
def test_every_client_of_kafka_says_why_it_is_refused(secure: Secure, use: Callable[[KafkaServer], object]) -> None:
    """A password that was changed while a service runs is told from a Kafka that is away."""
    with pytest.raises(Refused, match="E2A_KAFKA_PASSWORD"):
        use(secure.kafka("synth", password=WRONG))


@pytest.mark.parametrize("changes", [{"tls": False}, {"username": ""}], ids=["open", "anonymous"])
def test_kafka_hangs_up_on_who_does_not_say_who_it_is(secure: Secure, changes: dict[str, object]) -> None:
    """Without TLS, or without a user, nobody gets in; librdkafka is not told why."""
    with pytest.raises(Unavailable, match=r"Broker transport failure|Timed out"):
        Admin(secure.kafka("synth", **changes), 1).partitions()


def test_tls_with_a_kafka_that_does_not_speak_it(secure: Secure) -> None:
    """TLS at the port of a Kafka without it gets no answer, and the setting is named when patience is over."""
    server = secure.kafka()._replace(tls=True, ca_file=secure.ca_file)
    with pytest.raises(Unavailable, match=rf"Kafka {server}: .*E2A_KAFKA_TLS"):
        Admin(server, 3).partitions()


def test_redis_says_why_it_refuses(secure: Secure, authority: str) -> None:
    """A wrong password, an unknown user or authority are refusals; without TLS Redis cannot be told from one away."""
    url, password = secure.redis_url("synth"), secure.password("synth")
    for given, remedy in (
        ((url, "wrong", secure.ca_file), "E2A_REDIS_PASSWORD"),
        ((url.replace("synth", "nobody"), password, secure.ca_file), "E2A_REDIS_URL"),
        ((url.replace("synth@", ""), "", secure.ca_file), "E2A_REDIS_URL"),
        ((url, password, authority), "E2A_CA_FILE"),
    ):
        with pytest.raises(Refused, match=remedy) as refused:
            RedisCheckpoint(*given).check()
        assert password not in str(refused.value)
    with pytest.raises(Unavailable):
        RedisCheckpoint(url.replace("rediss:", "redis:"), password).check()


def test_storage_says_why_it_refuses(secure: Secure, authority: str) -> None:
    """A wrong key, user, authority, or no TLS; and a certificate is never taken unseen."""
    given = {"bucket": BUCKET, "endpoint": secure.settings()["S3_ENDPOINT"], "access_key": "synth", "patience": 0.1}
    right = {"secret_key": secure.password("synth"), "secure": True, "ca_file": secure.ca_file}
    for changes, remedy in (
        ({"secret_key": "wrong password"}, "E2A_S3_SECRET_KEY"),
        ({"access_key": "nobody"}, "E2A_S3_ACCESS_KEY"),
        ({"ca_file": authority}, "E2A_CA_FILE"),
        ({"ca_file": ""}, "E2A_CA_FILE"),
    ):
        with pytest.raises(Refused, match=remedy):
            S3Store(**(given | right | changes)).check()
    with pytest.raises(Unavailable, match="HTTPS"):
        S3Store(**(given | right | {"secure": False})).check()


def test_a_certificate_for_another_name_is_refused(secure: Secure) -> None:
    """A server that has a good certificate, but not for the address that it is reached by, is nobody's server."""
    elsewhere = secure.at(NAMELESS)
    for check in (
        Admin(elsewhere.kafka("synth"), 10).partitions,
        elsewhere.checkpoint("synth").check,
        elsewhere.store("synth").check,
    ):
        with pytest.raises(Refused, match="E2A_CA_FILE"):
            check()


@pytest.mark.parametrize(
    ("program", "server"),
    [
        *(("e2a-synth", server) for server in ("KAFKA_PASSWORD", "REDIS_PASSWORD", "S3_SECRET_KEY", "CA_FILE")),
        ("e2a-merge", "REDIS_PASSWORD"),
        ("e2a-produce", "KAFKA_PASSWORD"),
    ],
)
def test_a_service_that_is_refused_ends(
    cluster: Secure, authority: str, program: str, server: str, tmp_path: Path, sample: Path
) -> None:
    """A service that does not get in ends at once with CONFIG, and one line names the setting; no password is in it."""
    user = {"e2a-synth": "synth", "e2a-merge": "merger", "e2a-produce": "producer"}[program]
    settings = cluster.settings(user) | {"PATIENCE": "60", "ENGINE": "simulated", "PARTITIONS": "1"}
    settings |= {server: authority if server == "CA_FILE" else "a wrong one"}
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | {f"E2A_{name}": each for name, each in settings.items()}
    arguments = [str(sample), "--detach"] if program == "e2a-produce" else []
    ended = subprocess.run(
        [BIN / program, *arguments], env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == ExitCode.CONFIG, ended.stderr
    assert f"E2A_{server}" in ended.stderr.splitlines()[-1]
    assert cluster.password(user) not in ended.stderr
    assert "a wrong one" not in ended.stderr


def test_an_authority_is_never_replaced_unasked(tmp_path: Path) -> None:
    """With its key elsewhere, certificates that are good are kept, and new ones are refused: others trust its file."""
    command = [SCRIPTS / "certificates", tmp_path, "192.0.2.10"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (tmp_path / "authority.key").rename(tmp_path / "elsewhere")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    subprocess.run(command, check=True)
    ended = subprocess.run([*command, "192.0.2.11"], check=False, capture_output=True, text=True)
    assert ended.returncode == ExitCode.CONFIG
    assert "authority.key is not there" in ended.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("content", [None, ""], ids=["missing", "empty"])
def test_redis_starts_with_no_user_without_a_password(secure: Secure, tmp_path: Path, content: str | None) -> None:
    """A password that is missing or empty, which would let anybody in as that user, ends Redis before it starts."""
    for user in SERVICES:
        (tmp_path / f"{user}.password").write_text(secure.password(user))
    (tmp_path / "synth.password").unlink()
    if content is not None:
        (tmp_path / "synth.password").write_text(content)
    env = {"PATH": os.environ["PATH"], "E2A_DATA": str(tmp_path / "data"), "E2A_SECRETS": str(tmp_path)}
    env |= {"E2A_TLS": str(Path(secure.ca_file).parent), "E2A_REDIS_PORT": "1"}
    ended = subprocess.run([SCRIPTS / "redis"], env=env, check=False, capture_output=True, text=True, timeout=30)
    assert ended.returncode == ExitCode.CONFIG
    assert "synth.password is missing or empty" in ended.stderr


SERVICES = ["producer", "synth", "merger", "monitor"]
ALL_RIGHTS = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)
A_RIGHT = AclBinding(
    ResourceType.TOPIC, EVENTS, ResourcePatternType.LITERAL, "User:x", "*", AclOperation.ALL, AclPermissionType.ALLOW
)
A_USER = UserScramCredentialUpsertion("x", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"x")
PLACE = TopicPartition(EVENTS, 0, 0)
DEEDS: dict[str, Callable[[AdminClient], object]] = {
    "delete": lambda client: client.delete_topics([EVENTS])[EVENTS].result(10),
    "empty": lambda client: [each.result(10) for each in client.delete_records([PLACE]).values()],
    "make": lambda client: client.create_topics([NewTopic("mine", 1)])["mine"].result(10),
    "allow": lambda client: client.create_acls([A_RIGHT])[A_RIGHT].result(10),
    "user": lambda client: client.alter_user_scram_credentials([A_USER])["x"].result(10),
}


@pytest.mark.parametrize("user", SERVICES)
@pytest.mark.parametrize("deed", DEEDS)
def test_nobody_administers_kafka(cluster: Secure, user: str, deed: str) -> None:
    """No service can delete, empty or make topics at will, give rights, or make users."""
    with pytest.raises(KafkaException, match="(?i)authorization"):
        DEEDS[deed](AdminClient(config.client(cluster.kafka(user))))


def polled(tail: KafkaTail[Dated]) -> None:
    """Read until something is heard."""
    wait_until(tail.poll)


def test_nobody_reads_or_writes_what_is_not_theirs(cluster: Secure) -> None:
    """A worker reads no events and no dead letters and publishes no jobs; who submits books takes no jobs."""
    synth, producer = cluster.kafka("synth"), cluster.kafka("producer")
    for topic in (EVENTS, DEAD_LETTERS):
        send_raw(cluster.kafka(), topic, [(0, encode(a_part_done(a_part(0))))])
    for deed in (
        lambda: list(read_letters(synth, 10)),
        lambda: polled(event_tail(synth, 10)),
        lambda: KafkaPublisher(synth, 5).send(CHAPTERS, [a_job(a_part(0))], [0]),
        lambda: KafkaPublisher(producer, 5).send(DEAD_LETTERS, [a_job(a_part(0))]),
        lambda: polled(event_tail(producer, 10)),
    ):
        with pytest.raises(Refused, match="user '(synth|producer)' has no right to this"):
            deed()
    with closing(Consumer(config.consumer(producer, SYNTH_GROUP, 6))) as consumer:
        consumer.subscribe([CHAPTERS])
        message = consumer.poll(10)
        assert message is not None
        assert message.error().code() in {KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED}


def test_who_only_looks_sees_what_there_is(cluster: Secure) -> None:
    """Events, dead letters and the checkpoint are open to the user of the page, dead letters to `e2a-books`."""
    monitor = cluster.kafka("monitor")
    for topic in (EVENTS, DEAD_LETTERS):
        send_raw(cluster.kafka(), topic, [(0, encode(a_part_done(a_part(0))))])
    wait_until(event_tail(monitor, 10).poll)
    wait_until(letter_tail(monitor, 10).poll)
    assert list(read_letters(cluster.kafka("producer"), 10))
    KafkaBacklog(cluster.kafka("merger"), 10).refresh()
    checkpoint = cluster.checkpoint("monitor")
    assert (checkpoint.stages(), checkpoint.workers(), checkpoint.queue()) == ({}, [], None)


def test_topics_that_only_an_administrator_makes(cluster: Secure) -> None:
    """A worker that wants more partitions than there are hears that it may not make them."""
    with pytest.raises(Refused, match="Kafka .*: topic e2a.chapters.*: .*user 'synth' has no right to this"):
        Admin(cluster.kafka("synth"), 10).ensure_topics(topics(2))
    Admin(cluster.kafka("merger"), 10).ensure_topics(topics(2))
    assert Admin(cluster.kafka("synth"), 10).partitions()[CHAPTERS] == 2


@pytest.mark.parametrize("user", SERVICES)
def test_nobody_administers_redis(cluster: Secure, user: str) -> None:
    """No service can empty Redis, list or make its users, change its settings, or touch the keys of others."""
    url, password = cluster.redis_url(user), cluster.password(user)
    with Redis.from_url(url, password=password, ssl_ca_certs=cluster.ca_file) as client:
        for command in (
            "FLUSHALL",
            "ACL LIST",
            "ACL SETUSER x",
            "CONFIG GET *",
            "KEYS *",
            "SHUTDOWN",
            "GET other",
        ):
            with pytest.raises(NoPermissionError):
                client.execute_command(*command.split())


def test_nobody_changes_what_is_not_theirs(cluster: Secure) -> None:
    """A worker holds leases and says how it is, the page tells workers what to do; books are the merger's."""
    checkpoints = {user: cluster.checkpoint(user) for user in SERVICES}
    assert checkpoints["synth"].claim("part/x", "w0", 6) == 1
    checkpoints["monitor"].set_wish("w0", "drain")
    assert checkpoints["synth"].wish("w0") == "drain"
    for user in ("producer", "synth", "monitor"):
        with pytest.raises(Refused, match="no permission|can't access|NOPERM"):
            checkpoints[user].declare_whole()
    for user in ("producer", "monitor"):
        with pytest.raises(Refused):
            checkpoints[user].claim("part/x", "w0", 6)
    with pytest.raises(Refused):
        checkpoints["producer"].set_wish("w0", "work")


def test_nobody_stores_what_is_not_theirs(cluster: Secure) -> None:
    """Workers put parts and delete nothing; plans are of whoever submits books, finished books the merger's."""
    stores = {user: cluster.store(user) for user in SERVICES}
    stores["synth"].put("parts/ab/x.json", b"{}")
    stores["producer"].put("books/b1/plan.json", b"{}")
    stores["merger"].put("books/b1/output/book.json", b"{}")
    refused = [
        lambda: stores["synth"].put("books/b1/plan.json", b""),
        lambda: stores["synth"].put("books/b1/output/book.json", b""),
        lambda: stores["synth"].delete("parts/ab/x.json"),
        lambda: stores["merger"].put("books/b1/plan.json", b""),
        lambda: stores["merger"].delete("books/b1/plan.json"),
        lambda: stores["producer"].put("parts/ab/x.json", b""),
        lambda: cluster.store("synth", "other").check(),
    ]
    for deed in refused:
        with pytest.raises(Refused, match="AccessDenied"):
            deed()
    for store in stores.values():
        assert store.get("books/b1/plan.json") == store.get("parts/ab/x.json") == b"{}"
    stores["monitor"].delete("parts/ab/x.json")
    stores["producer"].delete("books/b1/output/book.json")
    stores["producer"].delete("books/b1/plan.json")


def test_users_may_be_made_again(secure: Secure) -> None:
    """The script that makes users changes nothing when it runs again, and takes away what is not written any more."""
    server = AdminClient(config.client(secure.kafka()))
    before = set(server.describe_acls(ALL_RIGHTS).result(10))
    more = AclBinding(
        ResourceType.TOPIC,
        EVENTS,
        ResourcePatternType.LITERAL,
        "User:synth",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    server.create_acls([more])[more].result(10)
    secure.make_users()
    assert set(server.describe_acls(ALL_RIGHTS).result(10)) == before
    assert Admin(secure.kafka("synth"), 10).partitions() is not None
