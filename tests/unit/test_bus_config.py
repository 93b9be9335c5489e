"""Connection settings, and the limit on librdkafka's lines."""

import logging
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from e2a.bus import KafkaServer, config
from e2a.errors import ExitCode, UserError
from e2a.settings import Settings
from e2a.testing import Clock
from e2a.topics import QUEUES

SERVER = KafkaServer("b:1")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(config, "time", SimpleNamespace(monotonic=clock))
    return clock


def passes(limit: config.RateLimit, line: str, *args: object) -> bool:
    """Say whether a line of librdkafka is logged."""
    return limit.filter(logging.LogRecord("librdkafka", logging.WARNING, "", 0, line, args, None))


def test_first_line_is_logged(clock: Clock) -> None:
    """The first line of a kind is logged, also by a process that has just started."""
    assert passes(config.RateLimit(30.0), "FAIL [rdkafka#consumer-1] broker down")


def test_a_kind_is_logged_once_a_period(clock: Clock) -> None:
    """The same kind is held back until a period after the line that was logged, not the last one seen."""
    limit = config.RateLimit(30.0)
    seen = []
    for now in (0.0, 10.0, 29.9, 30.0, 59.9, 60.0):
        clock.now = now
        seen.append(passes(limit, f"FAIL [rdkafka#consumer-1] after {now} s"))
    assert seen == [True, False, False, True, False, True]


def test_kinds_are_independent(clock: Clock) -> None:
    """A line of another kind is logged at once."""
    limit = config.RateLimit(30.0)
    assert passes(limit, "FAIL [c] down")
    assert passes(limit, "SESSTMOUT [c] lost")
    assert not passes(limit, "FAIL [c] down")


def test_kind_of_a_formatted_line(clock: Clock) -> None:
    """The kind is looked up in the line as it will be shown."""
    limit = config.RateLimit(30.0)
    assert passes(limit, "%s [%s] %s", "FAIL", "c", "down")
    assert passes(limit, "%s [%s] %s", "ERROR", "c", "all brokers are down")
    assert not passes(limit, "%s [%s] %s", "FAIL", "c", "down")


def test_one_limit_for_all_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client logs to one logger, which is limited once."""
    logger = logging.getLogger("librdkafka")
    monkeypatch.setattr(logger, "filters", [])
    assert config.client(SERVER)["logger"] is config.producer(SERVER, 10.0)["logger"] is logger
    assert [type(limit) for limit in logger.filters] == [config.RateLimit]


def test_settings_that_safety_rests_on() -> None:
    """Nothing is committed behind our back, nothing counts that is not acknowledged, and keys go where Faust looks."""
    consumer, producer = config.consumer(SERVER, "g", 6.0), config.producer(SERVER, 10.0)
    assert (consumer["enable.auto.commit"], consumer["enable.auto.offset.store"]) == (False, False)
    assert (consumer["group.id"], consumer["auto.offset.reset"]) == ("g", "earliest")
    assert (producer["acks"], producer["enable.idempotence"]) == ("all", True)
    assert producer["partitioner"] == "murmur2_random"


def test_heartbeats_fit_into_a_session() -> None:
    """The session is given in milliseconds and has room for four heartbeats."""
    consumer = config.consumer(SERVER, "g", 6.0)
    assert (consumer["session.timeout.ms"], consumer["heartbeat.interval.ms"]) == (6000, 1500)


def test_a_group_of_kip_848_has_its_session_itself() -> None:
    """librdkafka refuses what the brokers decide there; what safety rests on stays."""
    classic, consumer = (config.consumer(SERVER, "g", 6.0, protocol) for protocol in ("classic", "consumer"))
    assert set(classic) - set(consumer) == {
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "partition.assignment.strategy",
    }
    assert (classic["group.protocol"], consumer["group.protocol"]) == ("classic", "consumer")


def test_a_reader_commits_nothing() -> None:
    """Whoever only looks leaves the offsets of the groups alone."""
    reader = config.reader(SERVER)
    assert (reader["enable.auto.commit"], reader["enable.auto.offset.store"]) == (False, False)
    assert reader["group.id"] not in QUEUES.values()


SECURE = KafkaServer("b:1", tls=True, username="synth", password=SecretStr("hush"), ca_file="/ca.pem")


@pytest.mark.parametrize(
    ("server", "protocol"),
    [
        (SERVER, "PLAINTEXT"),
        (SERVER._replace(tls=True), "SSL"),
        (SECURE._replace(tls=False), "SASL_PLAINTEXT"),
        (SECURE, "SASL_SSL"),
    ],
    ids=["open", "tls", "user", "both"],
)
def test_how_a_server_is_spoken_to(server: KafkaServer, protocol: str) -> None:
    """TLS and a user are said only where they are set, and a CA file only with TLS."""
    said = config.client(server)
    assert said["security.protocol"] == protocol
    assert said.get("ssl.ca.location") == ("/ca.pem" if server is SECURE else None)
    user = (said.get("sasl.mechanism"), said.get("sasl.username"), said.get("sasl.password"))
    assert user == (("SCRAM-SHA-512", "synth", "hush") if server.username else (None, None, None))


def test_a_server_does_not_tell_its_password() -> None:
    """Its text is its address, and its representation has no password in it."""
    assert f"Kafka {SECURE}" == "Kafka b:1"
    assert "hush" not in repr(SECURE)


@pytest.mark.parametrize(
    ("given", "missing"),
    [({"kafka_username": "synth"}, "E2A_KAFKA_PASSWORD"), ({"kafka_password": "hush"}, "E2A_KAFKA_USERNAME")],
)
def test_a_user_has_a_password(given: dict[str, str], missing: str) -> None:
    """A user without a password, or a password without a user, is a mistake that is named."""
    with pytest.raises(UserError, match=f"^{missing} is not set: ") as refused:
        KafkaServer.of(Settings(**given))
    assert refused.value.code == ExitCode.CONFIG


def test_the_server_of_settings() -> None:
    """What the settings say of Kafka is in the value; without them it is an open one."""
    given = {"kafka_bootstrap": "b:1", "kafka_tls": True, "kafka_username": "synth", "kafka_password": "hush"}
    assert KafkaServer.of(Settings(**given)) == SECURE._replace(ca_file="")
    assert KafkaServer.of(Settings()) == KafkaServer("127.0.0.1:9092")
