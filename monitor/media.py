"""Covers, audio and files over HTTP: in pieces, from any place on (RFC 9110, section 14), to those who have a link."""

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from e2a import log
from e2a.errors import Unavailable
from monitor.library import Library, Served
from monitor.links import ROOT, Links

logger = log.get(__name__)

PIECE = 1 << 20
"""Bytes that are read at once, and all that is held of an answer."""
AT_ONCE = 8
"""Calls of storage; others wait."""
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; media-src 'self'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Result = TypeVar("Result")


class Unsatisfiable(Exception):
    """A range that begins where there is nothing."""


class Media:
    """Answers requests for what links lead to.

    Args:
        library: finds it.
        links: know whether a link is good.
    """

    def __init__(self, library: Library, links: Links) -> None:
        self._library = library
        self._links = links
        self._limiter = CapacityLimiter(AT_ONCE)
        self.routes: list[BaseRoute] = [Route(ROOT + "/{seal}/{path:path}", self._answer, methods=["GET"])]

    async def _answer(self, request: Request) -> Response:
        seal, path = request.path_params["seal"], request.path_params["path"]
        if not self._links.admits(seal, path):
            return _refusal(403, "This link is no longer good: load the page again.")
        try:
            return await self._found(request, await self._call(partial(self._library.find, path)))
        except KeyError:
            return _refusal(404, "This is not there.")
        except Unavailable as error:
            logger.warning("monitor.storage_away", reason=str(error))
            return _refusal(503, "Storage cannot be reached.", {"Retry-After": "5"})

    async def _found(self, request: Request, served: Served) -> Response:
        etag = f'"{served.version}"'
        headers = {**_SAFE, "ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=3600"}
        if served.name:
            headers["Content-Disposition"] = disposition(served.name)
        known = request.headers.get("if-none-match", "")
        if known.strip() == "*" or etag in known:
            return Response(None, 304, headers)
        if request.method == "HEAD":  # has no ranges (RFC 9110, 14.2)
            return Response(None, 200, {**headers, "Content-Length": str(served.size)}, served.media_type)
        asked = request.headers.get("range", "") if request.headers.get("if-range", etag) == etag else ""
        try:
            part = wanted(asked, served.size)
        except Unsatisfiable:
            return _refusal(416, "It ends before that.", {"Content-Range": f"bytes */{served.size}"})
        start, end = part or (0, served.size)
        if part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{served.size}"
        headers["Content-Length"] = str(end - start)
        pieces = self._pieces(served, start, end)
        first = await anext(pieces, b"")  # before the head of the answer is sent: now it may still be another
        return _Stream(_chain(first, pieces), 206 if part else 200, headers, served.media_type)

    async def _pieces(self, served: Served, start: int, end: int) -> AsyncIterator[bytes]:
        for key, offset, length in served.cut(start, end, PIECE):
            piece = await self._call(partial(self._library.store.read, key, offset, length))
            if len(piece) != length:
                raise KeyError(key)
            yield piece

    async def _call(self, function: Callable[[], Result]) -> Result:
        return await to_thread.run_sync(function, limiter=self._limiter)


class _Stream(StreamingResponse):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(asyncio.CancelledError):  # the server stops: that is no fault of this answer
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send all pieces; when one cannot be had, end the connection, so that nobody takes it for the whole."""
        try:
            await super().stream_response(send)
        except (KeyError, Unavailable) as error:
            logger.warning("monitor.cut_short", reason=str(error))


def wanted(asked: str, size: int) -> tuple[int, int] | None:
    """Return the range that is asked for: where it begins, and the byte after its last.

    Args:
        asked: the header `Range`; what cannot be read in it, several ranges and other units are passed over, as RFC
            9110, 14.2 allows.
        size: of the whole, in bytes.

    Raises:
        Unsatisfiable: there is nothing in it.
    """
    match = re.fullmatch(r"bytes=(?:(\d{1,30})-(\d{0,30})|-(\d{1,30}))", asked.strip(), re.ASCII | re.IGNORECASE)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None  # no range at all
    if start >= end:
        raise Unsatisfiable
    return start, end


def disposition(name: str) -> str:
    """Return the header `Content-Disposition` of a file to keep, for old browsers and new (RFC 6266, RFC 8187)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r'[^ -~]|["\\%]', "", plain).strip()
    old = f"audiobook{plain}" if plain.startswith(".") else plain
    return f"attachment; filename=\"{old}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(message, status, {**_SAFE, "Cache-Control": "no-store", **(headers or {})})
