"""Logging in with an OpenID Connect provider: Streamlit's own way, asked for by the gate before the page runs."""

import hmac
import json
from collections.abc import Mapping

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from streamlit.auth_util import encode_provider_token, get_cookie_with_chunks
from streamlit.runtime.secrets import SecretsValue
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from e2a.settings import MonitorSettings
from monitor import login
from monitor.gate import LOGIN
from monitor.protection import is_invited

LOGOUT = "/auth/logout"
"""A route of Streamlit's, as those to the provider and back are."""
SESSION_DAYS = 7
PROVIDER = "default"
"""What Streamlit calls a provider that has no name."""


def secrets_of(settings: MonitorSettings) -> dict[str, SecretsValue]:
    """Return the section `auth` of what Streamlit calls its secrets."""
    return {
        "redirect_uri": settings.monitor_oidc_redirect_uri,
        "client_id": settings.monitor_oidc_client_id,
        "client_secret": settings.monitor_oidc_client_secret.get_secret_value(),
        "server_metadata_url": settings.monitor_oidc_metadata_url,
        "cookie_secret": _cookie_secret(settings),
    }


class Oidc:
    """A `Keeper` that reads Streamlit's cookie.

    Args:
        settings: of the provider, and who is invited.
    """

    def __init__(self, settings: MonitorSettings) -> None:
        self._cookie_secret = _cookie_secret(settings)
        self._users = settings.monitor_users
        self.free = (LOGIN, "/auth/login", "/oauth2callback", LOGOUT)
        self.routes: list[BaseRoute] = [Route(LOGIN, self._ask, methods=["GET"])]

    def admits(self, connection: HTTPConnection) -> bool:
        claims = self._claims(connection)
        return claims is not None and is_invited(self._users, claims)

    async def _ask(self, request: Request) -> Response:
        claims = self._claims(request)
        if claims is None:
            return login.link(request, f"/auth/login?provider={encode_provider_token(PROVIDER)}")
        if not is_invited(self._users, claims):
            return login.stranger(request, LOGOUT)
        return RedirectResponse(login.landing(request), 303)

    def _claims(self, connection: HTTPConnection) -> Mapping[str, object] | None:
        """Return what the provider says of who has logged in; None when nobody has."""

        def read(name: str) -> bytes | None:
            signed = connection.cookies.get(name, "")
            return decode_signed_value(self._cookie_secret, name, signed, SESSION_DAYS)

        cookie = get_cookie_with_chunks(read, USER_COOKIE_NAME)
        claims = json.loads(cookie) if cookie else None
        return claims if isinstance(claims, dict) and claims.get("is_logged_in") else None


def _cookie_secret(settings: MonitorSettings) -> str:
    """Return the key that cookies are signed with: made of the client's secret, so that they outlive a restart."""
    client_secret = settings.monitor_oidc_client_secret.get_secret_value()
    return hmac.digest(client_secret.encode(), b"e2a monitor cookies", "sha256").hex()
