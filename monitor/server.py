"""The process that serves the page, and on the same port covers, audio, files and the way in. A home of streamlit."""

import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from streamlit.starlette import App
from streamlit.web import bootstrap

from e2a.errors import ExitCode, UserError
from e2a.settings import MonitorSettings
from monitor import oidc
from monitor.gate import Gate
from monitor.oidc import Oidc
from monitor.password import Password, Throttle
from monitor.protection import protection

PAGE = Path(__file__).with_name("dashboard.py")
UPLOAD = "/_stcore/upload_file/{session}/{file}"
"""Where Streamlit takes files, also where the page does not ask for any."""
GRACE = 3
"""Seconds that answers which are on their way have to end when the process stops."""
PING = 20.0
"""Seconds between looks whether a browser is still there, and for its answer."""
LARGEST_MESSAGE = 32 << 20
"""Bytes of a message from a browser; Streamlit takes 25 MB. Books come by other ways."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        UserError: the address is taken, or is none of this machine (exit code UNAVAILABLE).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        message = f"cannot serve on {host}, port {port}: {error.strerror}; set E2A_MONITOR_HOST, E2A_MONITOR_PORT"
        raise UserError(message, ExitCode.UNAVAILABLE) from error


def application(settings: MonitorSettings, routes: Sequence[BaseRoute], end: Callable[[], None]) -> Starlette:
    """Return what is served: the page at the root, beside it `routes` and the way in, all of it behind the gate.

    Args:
        settings: who may see the page, and how large an upload may be.
        routes: before those of the page.
        end: called when the server has stopped.
    """
    bootstrap.load_config_options(_options(settings))
    protected_by = protection(settings)
    page = App(PAGE, secrets={"auth": oidc.secrets_of(settings)} if protected_by == "oidc" else None)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        running: AbstractAsyncContextManager[None] = page.lifespan()(app)
        async with running:
            yield
        end()

    keeper = _keeper(settings)
    ways_in = keeper.routes if keeper else []
    alone = protected_by == "open" and not settings.monitor_open
    hosts = {settings.monitor_host, "localhost", "127.0.0.1", "::1"} if alone else set()
    gate = Middleware(Gate, keeper=keeper, hosts=hosts)
    closed = [Route(UPLOAD, _refuse, methods=["PUT"])] if settings.monitor_read_only else []
    return Starlette(routes=[*ways_in, *routes, *closed, Mount("/", page)], middleware=[gate], lifespan=lifespan)


def serve(app: Starlette, listener: socket.socket) -> None:
    """Serve until a signal; a second one ends the process at once."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        ws="websockets-sansio",
        ws_ping_interval=PING,
        ws_ping_timeout=PING,
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,
        proxy_headers=False,  # anybody can send them
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        access_log=False,
        log_config=None,
        log_level="warning",
    )
    _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Stop at the first signal, end at the second; uvicorn itself would raise the first again at the end."""
        if self.should_exit:
            os._exit(ExitCode.INTERRUPTED)
        self.should_exit = True


async def _refuse(_request: Request) -> Response:
    return PlainTextResponse("This page only shows.", 403)


def _keeper(settings: MonitorSettings) -> Password | Oidc | None:
    match protection(settings):
        case "open":
            return None
        case "password":
            salt = settings.s3_secret_key.get_secret_value()
            return Password(settings.monitor_password.get_secret_value(), salt, Throttle(time.monotonic))
        case "oidc":
            return Oidc(settings)


def _options(settings: MonitorSettings) -> dict[str, object]:
    """Return the options of Streamlit that differ from its own, or must not be changed by a file of somebody's."""
    return {
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,  # which is the protection
        "server.corsAllowedOrigins": [],
        "server.trustedUserHeaders": {},
        "server.enableStaticServing": False,
        "server.enableAgentApi": False,
        "server.scriptHealthCheckEnabled": False,
        "server.maxUploadSize": settings.monitor_upload_mb,
        "browser.gatherUsageStats": False,
        "client.allowedOrigins": [],  # of pages that hold this one in a frame
        "client.showErrorDetails": "none",  # they are in the log
        "client.toolbarMode": "minimal",
        "theme.light.primaryColor": "#0072B2",  # Streamlit's own is red, which is the colour of failures here
        "theme.dark.primaryColor": "#56B4E9",
        "runner.magicEnabled": False,
        "runner.postScriptGC": False,  # else all that the feed remembers is looked through after every refresh
        "global.developmentMode": False,
    }
