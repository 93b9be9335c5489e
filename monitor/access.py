"""Who may see the page, and what they may do there: as the settings say, and as the page asks."""

import ipaddress
from collections.abc import Mapping
from typing import Literal

import streamlit as st

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
    return str(claims.get("email", "")).casefold() in invited and claims.get("email_verified") is not False


def may_change(settings: MonitorSettings) -> bool:
    """Say whether the page may change anything."""
    return not settings.monitor_read_only


def require_login(settings: MonitorSettings) -> None:
    """End this run of the page, with a button to log in, unless its viewer may see it.

    The gate in front of the page lets nobody else in; Streamlit's own look at the cookie also holds it against the
    origin for which it was made.
    """
    if protection(settings) != "oidc":
        return
    if not st.user.is_logged_in or not is_invited(settings.monitor_users, st.user.to_dict()):
        st.button("Log in", on_click=st.login)
        st.stop()


def viewer(settings: MonitorSettings) -> str:
    """Return the e-mail address or the name of who is logged in; empty where nobody says who they are."""
    if protection(settings) != "oidc":
        return ""
    return str(st.user.get("email") or st.user.get("name") or st.user.get("sub") or "")


def log_out_url(settings: MonitorSettings) -> str:
    """Return where to go to log out; empty where nobody logs in."""
    return {"open": "", "password": "/logout", "oidc": "/auth/logout"}[protection(settings)]
