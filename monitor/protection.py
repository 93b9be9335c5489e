"""How the settings protect the page."""

import ipaddress
from collections.abc import Mapping
from typing import Literal

from e2a.errors import ExitCode, UserError
from e2a.settings import MonitorSettings

Protection = Literal["open", "password", "oidc"]
SHORTEST = 8
"""Characters of a password, at the least."""


def protection(settings: MonitorSettings) -> Protection:
    """Return how the page is protected.

    Raises:
        UserError: the settings leave it open to others, contradict each other or lack something (exit code CONFIG).
    """
    password = settings.monitor_password.get_secret_value()
    wanted = {
        "E2A_MONITOR_OIDC_METADATA_URL": settings.monitor_oidc_metadata_url,
        "E2A_MONITOR_OIDC_CLIENT_ID": settings.monitor_oidc_client_id,
        "E2A_MONITOR_OIDC_CLIENT_SECRET": settings.monitor_oidc_client_secret.get_secret_value(),
        "E2A_MONITOR_OIDC_REDIRECT_URI": settings.monitor_oidc_redirect_uri,
    }
    missing = [name for name, value in wanted.items() if not value]
    if password and len(missing) < len(wanted):
        raise UserError("set E2A_MONITOR_PASSWORD or E2A_MONITOR_OIDC_*, not both", ExitCode.CONFIG)
    if not missing:
        return "oidc"
    if len(missing) < len(wanted):
        raise UserError(f"to log in by OpenID Connect, also set {', '.join(missing)}", ExitCode.CONFIG)
    if settings.monitor_users:
        raise UserError(
            "E2A_MONITOR_USERS needs E2A_MONITOR_OIDC_*: a password does not say who it is", ExitCode.CONFIG
        )
    if password and len(password) < SHORTEST:
        raise UserError(f"E2A_MONITOR_PASSWORD is shorter than {SHORTEST} characters", ExitCode.CONFIG)
    if not password and not settings.monitor_open and not is_loopback(settings.monitor_host):
        raise UserError(
            f"E2A_MONITOR_HOST = {settings.monitor_host!r} is an address that others reach: set E2A_MONITOR_PASSWORD or"
            " E2A_MONITOR_OIDC_*, or E2A_MONITOR_OPEN=true to show the page to all of them",
            ExitCode.CONFIG,
        )
    return "password" if password else "open"


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address; a name but `localhost` may be any."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_invited(users: str, claims: Mapping[str, object]) -> bool:
    """Say whether one who has logged in may see the page.

    Args:
        users: e-mail addresses with commas; empty for all.
        claims: what the provider says of them.
    """
    invited = {each.strip().casefold() for each in users.split(",")} - {""}
    if not invited:
        return True
    is_doubted = str(claims.get("email_verified")).casefold() == "false"  # some providers say it as text
    return str(claims.get("email", "")).casefold() in invited and not is_doubted
