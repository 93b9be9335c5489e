"""What is raised when Kafka does not answer, and when it refuses."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from e2a.bus import KafkaServer
from e2a.bus.refusal import Refusal
from e2a.errors import Refused, Unavailable

AWAY = KafkaError(KafkaError._TRANSPORT, "Connection refused")
ALL_DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")
TOO_LONG = KafkaError(KafkaError._TIMED_OUT, "took too long")


class Client:
    """An admin client that hears of errors when it is polled."""

    def __init__(self, refusal: Refusal, *errors: KafkaError) -> None:
        self._refusal = refusal
        self._errors = errors

    def poll(self, _timeout: float) -> None:
        for error in self._errors:
            self._refusal.note(error)


@pytest.fixture
def refusal() -> Refusal:
    return Refusal(KafkaServer("b:1", username="synth"))


@pytest.mark.parametrize(
    ("code", "said", "remedy"),
    [
        (KafkaError._AUTHENTICATION, "SASL authentication error: no", "E2A_KAFKA_USERNAME and E2A_KAFKA_PASSWORD"),
        (KafkaError._SSL, "SSL handshake failed", "E2A_CA_FILE and E2A_KAFKA_TLS"),
    ],
)
def test_who_is_refused_says_what_to_look_at(refusal: Refusal, code: int, said: str, remedy: str) -> None:
    """A call that only took too long fails with what the broker had against the client, and the settings to look at."""
    client = Client(refusal, KafkaError(code, said), ALL_DOWN)
    with pytest.raises(Refused, match=f"^Kafka b:1: {said}; look at .*{remedy}"), refusal.watch(client):
        raise KafkaException(TOO_LONG)
    assert isinstance(refusal.failure("no answer"), Refused)


def test_a_server_that_is_away_has_not_refused(refusal: Refusal) -> None:
    """Without a reason of the broker's the failure is that of the call."""
    with pytest.raises(KafkaException), refusal.watch(Client(refusal, AWAY, ALL_DOWN)):
        raise KafkaException(TOO_LONG)
    failure = refusal.failure(TOO_LONG, "topic e2a.events")
    assert (type(failure), str(failure)) == (Unavailable, "Kafka b:1: topic e2a.events: took too long")


def test_a_broker_that_may_speak_no_tls_may_also_be_away(refusal: Refusal) -> None:
    """What librdkafka only suspects ends no waiting, and is told when that is over."""
    suspected = KafkaError(KafkaError._TRANSPORT, "Disconnected: connecting to a PLAINTEXT broker listener?")
    with pytest.raises(KafkaException), refusal.watch(Client(refusal, suspected, ALL_DOWN)):
        raise KafkaException(TOO_LONG)
    failure = refusal.failure(TOO_LONG)
    assert type(failure) is Unavailable
    assert "took too long (Disconnected: connecting to a PLAINTEXT" in str(failure)
    assert "look at E2A_CA_FILE and E2A_KAFKA_TLS" in str(failure)
    refusal.clear()
    assert "PLAINTEXT" not in str(refusal.failure(TOO_LONG))


def test_who_was_let_in_is_not_refused_any_more(refusal: Refusal) -> None:
    """After a call that was answered, a server that goes away is only away."""
    refusal.note(KafkaError(KafkaError._AUTHENTICATION, "no"))
    with refusal.watch(Client(refusal)):
        pass
    assert type(refusal.failure("no answer")) is Unavailable


def test_a_right_that_is_missing_is_named(refusal: Refusal) -> None:
    """What Kafka does not allow a user is a refusal that names the user."""
    failure = refusal.failure(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "Authorization failed"), "topic x")
    assert type(failure) is Refused
    assert str(failure) == "Kafka b:1: topic x: Authorization failed: user 'synth' has no right to this"
