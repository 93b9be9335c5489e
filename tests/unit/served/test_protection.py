"""How the settings protect the page: a page that others reach is never open by oversight."""

from typing import Any

import pytest
from pydantic import SecretStr

from e2a.errors import ExitCode, UserError
from e2a.settings import MonitorSettings
from monitor.protection import is_invited, is_loopback, protection

OIDC: dict[str, Any] = {
    "monitor_oidc_metadata_url": "https://id.example/.well-known/openid-configuration",
    "monitor_oidc_client_id": "e2a",
    "monitor_oidc_client_secret": SecretStr("secret"),
    "monitor_oidc_redirect_uri": "https://books.example/oauth2callback",
}
PASSWORD: dict[str, Any] = {"monitor_password": SecretStr("a password")}
OUTSIDE: dict[str, Any] = {"monitor_host": "0.0.0.0"}


def protected_by(**values: Any) -> str:
    """Return how a page with these settings is protected."""
    return protection(MonitorSettings(**values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "open"),
        ({"monitor_host": "localhost"}, "open"),
        (OUTSIDE | {"monitor_open": True}, "open"),
        (PASSWORD, "password"),
        (OUTSIDE | PASSWORD, "password"),
        (OUTSIDE | PASSWORD | {"monitor_open": True}, "password"),
        (OIDC, "oidc"),
        (OUTSIDE | OIDC | {"monitor_users": "a@b.example"}, "oidc"),
    ],
)
def test_protection(values: dict[str, Any], expected: str) -> None:
    """A page is open on this machine, or where its owner says so; else a password or a provider protects it."""
    assert protected_by(**values) == expected


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (OUTSIDE, "E2A_MONITOR_PASSWORD"),
        ({"monitor_host": "monitor.example"}, "E2A_MONITOR_OPEN"),
        ({"monitor_host": "::"}, "E2A_MONITOR_OIDC_"),
        ({"monitor_password": SecretStr("seven77")}, "E2A_MONITOR_PASSWORD is shorter than 8"),
        (OIDC | PASSWORD, "not both"),
        (OIDC | {"monitor_oidc_client_id": ""}, "E2A_MONITOR_OIDC_CLIENT_ID"),
        (OIDC | {"monitor_oidc_client_secret": SecretStr("")}, "E2A_MONITOR_OIDC_CLIENT_SECRET"),
        (PASSWORD | {"monitor_users": "a@b.example"}, "E2A_MONITOR_USERS"),
    ],
)
def test_what_is_refused(values: dict[str, Any], named: str) -> None:
    """Settings that would leave the page open, contradict each other or lack something end the command, by name."""
    with pytest.raises(UserError, match=named) as refused:
        protected_by(**values)
    assert refused.value.code == ExitCode.CONFIG
    assert "seven77" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.0.1", False),
        ("localhost.example", False),
    ],
)
def test_loopback(host: str, alone: bool) -> None:
    """Only addresses of the loopback, and their name, are this machine's alone."""
    assert is_loopback(host) == alone


@pytest.mark.parametrize(
    ("users", "claims", "invited"),
    [
        ("", {}, True),
        (" , ", {"email": "x@y"}, True),
        ("a@b, C@d", {"email": "c@D"}, True),
        ("a@b", {"email": "a@b", "email_verified": True}, True),
        ("a@b", {"email": "a@b", "email_verified": False}, False),
        ("a@b", {"email": "a@b", "email_verified": "false"}, False),  # so some say it
        ("a@b", {"email": "a@b", "email_verified": "true"}, True),
        ("a@b", {"email": "xa@b"}, False),
        ("a@b", {"sub": "a@b"}, False),
        ("a@b", {}, False),
        ("none@b", {"email": None}, False),
    ],
)
def test_who_is_invited(users: str, claims: dict[str, object], invited: bool) -> None:
    """With a list only who is on it may look, by an address that the provider does not doubt."""
    assert is_invited(users, claims) == invited
