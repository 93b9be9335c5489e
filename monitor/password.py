"""Logging in with the one password of the page."""

import hashlib
import hmac
import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs

from itsdangerous import BadSignature, TimestampSigner
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from e2a import log
from monitor import login
from monitor.gate import LOGIN

logger = log.get(__name__)

COOKIE = "e2a_session"
LOGOUT = "/logout"
SESSION = 7 * 24 * 3600
"""Seconds for which one stays logged in."""
COST = 1 << 14
"""Of making a key of a password (RFC 7914): 16 MB, and some 50 ms."""
FREE_TRIES = 5
LONGEST_WAIT = 60.0
"""Seconds."""
FORGOTTEN_AFTER = 600.0
"""Seconds without another wrong password."""
MOST_CLIENTS = 10_000
_LARGEST_FORM = 4096


class Throttle:
    """Has those wait who send wrong passwords: after a few, twice as long each time.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """How often each failed, and when it did last; the last one comes last."""

    def wait(self, client: str) -> float:
        """Return the seconds that a client has to wait before it may try again; 0 when it need not."""
        count, last = self._failures.get(_network(client), (0, 0.0))
        if count < FREE_TRIES:
            return 0.0
        pause = min(2.0 ** min(count - FREE_TRIES, 10), LONGEST_WAIT)
        return max(0.0, last + pause - self._clock())

    def failed(self, client: str) -> int:
        """Note a wrong password; return how many there were."""
        now, network = self._clock(), _network(client)
        count, last = self._failures.pop(network, (0, 0.0))
        count = count + 1 if now - last < FORGOTTEN_AFTER else 1
        self._failures[network] = (count, now)
        if len(self._failures) > MOST_CLIENTS:
            self._failures.popitem(last=False)
        return count

    def succeeded(self, client: str) -> None:
        """Forget the wrong passwords of a client."""
        self._failures.pop(_network(client), None)


class Password:
    """A `Keeper` that asks for a password and gives a signed cookie for it.

    The key of the signature is derived from the password and a salt, slowly. So sessions outlive a restart, several
    pages behind one address know each other's, and another password ends them all, without a place to keep a key. Who
    has got hold of a cookie can try passwords against it without being throttled, slowly, and only if they know the
    salt.

    Args:
        password: that is asked for.
        salt: a secret where there is one, such as the key of the storage.
        throttle: slows those down who guess.
    """

    def __init__(self, password: str, salt: str, throttle: Throttle) -> None:
        self._password = password.encode()
        key = hashlib.scrypt(self._password, salt=f"e2a monitor {salt}".encode(), n=COST, r=8, p=1, dklen=32)
        self._signer = TimestampSigner(key, salt="e2a.session", digest_method=hashlib.sha256)
        self._throttle = throttle
        self.free = (LOGIN, LOGOUT)  # else who logs out too late would log in to be logged out
        self.routes: list[BaseRoute] = [
            Route(LOGIN, self._ask, methods=["GET"]),
            Route(LOGIN, self._check, methods=["POST"]),
            Route(LOGOUT, self._leave, methods=["GET"]),
        ]

    def admits(self, connection: HTTPConnection) -> bool:
        try:
            self._signer.unsign(connection.cookies.get(COOKIE, ""), max_age=SESSION)
        except BadSignature:
            return False
        return True

    async def _ask(self, request: Request) -> Response:
        if self.admits(request):
            return RedirectResponse(login.landing(request), 303)
        return login.form(request)

    async def _check(self, request: Request) -> Response:
        client = request.client.host if request.client else ""
        given = await _given(request)
        if seconds := self._throttle.wait(client):
            return login.form(request, problem="later", seconds=seconds, status=429)
        if not hmac.compare_digest(given, self._password):
            logger.warning("monitor.login_refused", client=client, failures=self._throttle.failed(client))
            return login.form(request, problem="wrong", status=403)
        self._throttle.succeeded(client)
        logger.info("monitor.login", client=client)
        response = RedirectResponse(login.landing(request), 303, {"Cache-Control": "no-store"})
        session = self._signer.sign(secrets.token_urlsafe(9)).decode()
        # the page may be behind a proxy that speaks TLS: the browser knows, and says so
        secure = request.headers.get("origin", "").startswith("https://")
        response.set_cookie(COOKIE, session, SESSION, path="/", secure=secure, httponly=True, samesite="lax")
        return response

    async def _leave(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise HTTPException(403)  # another site may not log anybody out
        response = RedirectResponse(LOGIN, 303, {"Cache-Control": "no-store"})
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return response


async def _given(request: Request) -> bytes:
    """Return the password of a form."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            raise HTTPException(413)
    fields = parse_qs(body.decode("utf-8", "replace"))
    return fields.get("password", [""])[0].encode("utf-8", "replace")


def _network(client: str) -> str:
    """Return what stands for a client: of IPv6 the network of 64 bits, any address of which is its own.

    A socket of both families names an address of IPv4 as one of IPv6, and all of them lie in one such network.
    """
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 4:
        return client
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
