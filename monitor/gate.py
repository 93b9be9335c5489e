"""What stands in front of everything that is served: page, websocket, uploads and files."""

from collections.abc import Collection
from typing import Protocol
from urllib.parse import quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from e2a import metrics

LOGIN = "/login"
HEALTH = "/_stcore/health"
"""Says only that the server is there, to those who watch it."""
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:;"
    " object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
"""Content Security Policy of the page: Streamlit's scripts write styles and compile charts, and nothing comes from
elsewhere or goes there, whatever a title holds."""
_SAFE = {"GET", "HEAD", "OPTIONS"}


class Keeper(Protocol):
    """Knows who may pass."""

    @property
    def free(self) -> Collection[str]:
        """Paths that nobody has to log in for, since they are the way in."""

    def admits(self, connection: HTTPConnection) -> bool:
        """Say whether somebody has logged in who may see the page."""


class Gate:
    """Lets in who may see the page; others are sent to log in, or refused.

    Whatever changes something, and every websocket, must come from the page itself: browsers say where from.

    Args:
        app: what is served.
        keeper: knows who may pass; None lets everybody in.
        hosts: names under which the page may be asked for; empty for any. A page that is open to this machine alone
            must not be asked for by a name that somebody else had point here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, *, keeper: Keeper | None, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._keeper = keeper
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(HTTPConnection(scope))
        if refusal is None and scope["type"] == "websocket":
            with metrics.VIEWERS.track_inprogress():
                await self._app(scope, receive, send)
        elif refusal is None:
            await self._app(scope, receive, _hardened(send))
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close()
        else:
            await refusal(scope, receive, _hardened(send))

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        """Return what is answered instead of what was asked for; None when that may be had."""
        method = connection.scope.get("method")
        if self._hosts and _name(f"//{connection.headers.get('host', '')}") not in self._hosts:
            return PlainTextResponse("This name is not that of the page.", 421)
        if method not in _SAFE and not _is_from_here(connection):
            return PlainTextResponse("This does not come from the page.", 403)
        path = connection.scope["path"]
        if self._keeper is None or path in {HEALTH, *self._keeper.free} or self._keeper.admits(connection):
            return None
        if method in {"GET", "HEAD"} and "text/html" in connection.headers.get("accept", ""):
            query = connection.scope["query_string"].decode("ascii", "replace")
            wanted = quote(f"{path}?{query}" if query else path, safe="/")
            return RedirectResponse(f"{LOGIN}?next={wanted}", 303, {"Cache-Control": "no-store"})
        return PlainTextResponse("Log in first.", 401, {"WWW-Authenticate": 'Cookie realm="e2a"'})


def _is_from_here(connection: HTTPConnection) -> bool:
    """Say whether what a browser sends comes from a page of the host it is sent to; other programs do not say."""
    origin = connection.headers.get("origin")
    return origin is None or origin.partition("://")[2] == connection.headers.get("host")


def _name(url: str) -> str | None:
    """Return the name of the host of a URL; None where it has none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _hardened(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", POLICY)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Referrer-Policy", "same-origin")
        await send(message)

    return sent
