"""Who looks at the page, and what they may do there: what its script asks."""

import streamlit as st

from e2a.settings import MonitorSettings
from monitor.login import words
from monitor.protection import is_invited, protection


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
        said = words(st.context.headers.get("Accept-Language", ""))
        st.button(said["log in"], on_click=st.login)
        st.stop()


def viewer(settings: MonitorSettings) -> str:
    """Return the e-mail address or the name of who is logged in; empty where nobody says who they are."""
    if protection(settings) != "oidc":
        return ""
    return str(st.user.get("email") or st.user.get("name") or st.user.get("sub") or "")


def log_out_url(settings: MonitorSettings) -> str:
    """Return where to go to log out; empty where nobody logs in."""
    return {"open": "", "password": "/logout", "oidc": "/auth/logout"}[protection(settings)]
